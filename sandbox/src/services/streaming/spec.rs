//! What a streaming job is told: the parameters of Dataflow's templates, and a file of one's own with more.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tidemill_warehouse::tables::TableId;

use super::Counts;
use crate::jobs::{Beside, ProgramError, ProgramRun};
use crate::services::Taken;

/// Parameters that would change what is written, and cannot be followed.
const REFUSED: [&str; 5] = [
    "javascriptTextTransform",
    "pythonExternalTextTransform",
    "outputShardTemplate",
    "inputFilePattern",
    "schemaPath",
];

/// `X.sandbox.json`: a streaming job by a name of one's own.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The parameters of the template, for what a launch leaves out.
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    /// The attribute or field of a message that says its table.
    by: Option<String>,
    /// The table for each value of it.
    #[serde(default)]
    tables: BTreeMap<String, String>,
    /// Fields that the table has no column for are left out; otherwise such a message is a dead letter.
    #[serde(default)]
    ignore_unknown: bool,
}

/// What a streaming job does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Spec {
    pub(super) subscription: String,
    /// The topic, if the subscription is made for the job.
    topic: Option<String>,
    project: String,
    table: Option<String>,
    by: Option<String>,
    tables: BTreeMap<String, String>,
    dead: Option<String>,
    pub(super) ignore_unknown: bool,
    directory: Option<String>,
    prefix: String,
    suffix: String,
    /// Seconds.
    window: i64,
}

fn wrong(message: impl Into<String>) -> ProgramError {
    ProgramError(message.into())
}

impl Spec {
    /// Reads parameters, and the file behind them; and what is to be said about them.
    pub(super) fn read(
        run: &ProgramRun,
        file: Option<&Path>,
    ) -> Result<(Self, Vec<String>), ProgramError> {
        let file = match file {
            None => File::default(),
            Some(path) => {
                let at = path.display();
                let text = std::fs::read_to_string(path)
                    .map_err(|error| wrong(format!("{at} cannot be read: {error}")))?;
                serde_json::from_str(&text)
                    .map_err(|error| wrong(format!("{at} is no streaming job: {error}")))?
            }
        };
        let mut given = file.parameters.clone();
        let own = run.parameters().iter();
        given.extend(own.map(|(name, value)| (name.clone(), value.clone())));
        let project = run.project();
        let name = run.now().map(|job| job.name.clone()).unwrap_or_default();
        Self::of(&given, file, &project, &name)
    }

    fn of(
        given: &BTreeMap<String, String>,
        file: File,
        project: &str,
        job: &str,
    ) -> Result<(Self, Vec<String>), ProgramError> {
        if let Some(name) = given
            .keys()
            .find(|name| REFUSED.iter().any(|refused| name.starts_with(refused)))
        {
            return Err(wrong(format!(
                "the sandbox's streaming job does not do {name}; leave it out"
            )));
        }
        let mut values = given.clone();
        values
            .entry("project".to_owned())
            .or_insert_with(|| project.to_owned());
        let text = |name: &str| {
            let found = given.get(name).filter(|value| !value.is_empty());
            found.map(|value| filled(value, &values))
        };
        let full = |kind: &str, name: String| match name.contains('/') {
            true => name,
            false => format!("projects/{project}/{kind}/{name}"),
        };
        let (subscription, topic) = match (text("inputSubscription"), text("inputTopic")) {
            (Some(name), None) => (full("subscriptions", name), None),
            (None, Some(topic)) => {
                let topic = full("topics", topic);
                let short = topic.rsplit('/').next().unwrap_or_default();
                // By the job's name: a job that takes the place of another goes on with its messages.
                let name = format!("projects/{project}/subscriptions/dataflow-{job}-{short}");
                (name, Some(topic))
            }
            (None, None) => return Err(wrong("inputSubscription or inputTopic is needed")),
            _ => {
                return Err(wrong(
                    "inputSubscription and inputTopic exclude each other; give one",
                ));
            }
        };
        let tables: BTreeMap<String, String> = file
            .tables
            .into_iter()
            .map(|(value, table)| (value, filled(&table, &values)))
            .collect();
        let spec = Self {
            subscription,
            topic,
            project: project.to_owned(),
            table: text("outputTableSpec").or_else(|| text("outputTable")),
            by: file.by,
            tables,
            dead: text("outputDeadletterTable").or_else(|| text("outputDeadLetterTable")),
            ignore_unknown: file.ignore_unknown,
            directory: text("outputDirectory"),
            prefix: text("outputFilenamePrefix").unwrap_or_else(|| "output-".to_owned()),
            suffix: text("outputFilenameSuffix").unwrap_or_default(),
            window: seconds(text("windowDuration").as_deref().unwrap_or("5m"))?,
        };
        spec.check()?;
        Ok((spec, unused(given)))
    }

    fn check(&self) -> Result<(), ProgramError> {
        let routed = self.by.is_some() && !self.tables.is_empty();
        if self.by.is_some() == self.tables.is_empty() {
            return Err(wrong("by and tables belong together"));
        }
        if self.table.is_none() && !routed && self.directory.is_none() {
            return Err(wrong("outputTableSpec or outputDirectory is needed"));
        }
        let several = routed || self.table.as_ref().is_some_and(|one| one.contains('{'));
        if several && self.dead.is_none() {
            return Err(wrong(
                "outputDeadletterTable is needed where messages go to several tables",
            ));
        }
        for table in self.tables.values().chain(&self.dead) {
            table_id(table, &self.project)?;
        }
        if let Some(table) = self.table.as_ref().filter(|table| !table.contains('{')) {
            table_id(table, &self.project)?;
        }
        match &self.directory {
            Some(directory) if !directory.starts_with("gs://") => Err(wrong(format!(
                "outputDirectory {directory:?} does not begin with gs://"
            ))),
            _ => Ok(()),
        }
    }

    /// Makes the subscription that the job reads, or looks whether it is there; counts begin.
    pub(super) fn begin(&self, beside: &Beside, job: &str) -> Result<(), ProgramError> {
        let failed = |error: std::io::Error| wrong(error.to_string());
        if let Some(topic) = &self.topic {
            if !beside.pubsub.has_topic(topic) {
                return Err(wrong(format!("Resource not found (resource={topic}).")));
            }
            let made = beside.pubsub.subscribe(&self.subscription, topic);
            made.map_err(failed)?;
        }
        if !beside.pubsub.has_subscription(&self.subscription) {
            return Err(wrong(format!(
                "Resource not found (resource={}).",
                self.subscription
            )));
        }
        let counts = Counts {
            subscription: self.subscription.clone(),
            made: self.topic.is_some(),
            ..Counts::default()
        };
        beside
            .streams
            .counts
            .change(job, |old| {
                let counts = old.map_or(counts, |old| Counts::clone(old));
                Ok::<_, std::io::Error>((Some(counts), ()))
            })
            .map(drop)
            .map_err(failed)
    }

    /// Whether messages go to tables.
    pub(super) fn tabled(&self) -> bool {
        self.table.is_some() || !self.tables.is_empty()
    }

    /// The table that a message goes to.
    pub(super) fn table(
        &self,
        message: &Taken,
        row: &Map<String, Value>,
    ) -> Result<TableId, String> {
        if let Some(by) = &self.by {
            let value = found(by, message, Some(row))
                .ok_or_else(|| format!("the message has no {by}, which says its table"))?;
            let table = self.tables.get(&value).or(self.table.as_ref());
            let table = table.ok_or_else(|| format!("there is no table for {by} {value:?}"))?;
            return table_id(table, &self.project).map_err(|error| error.0);
        }
        let table = self.table.as_deref().unwrap_or_default();
        let mut missing = None;
        let named = replaced(table, |name| {
            let value = found(name, message, Some(row));
            if value.is_none() {
                missing = Some(name.to_owned());
            }
            value.unwrap_or_default()
        });
        match missing {
            Some(name) => Err(format!("the message has no {name}, which says its table")),
            None => table_id(&named, &self.project).map_err(|error| error.0),
        }
    }

    /// Where messages go that do not fit.
    pub(super) fn dead(&self) -> Result<TableId, ProgramError> {
        match (&self.dead, &self.table) {
            (Some(dead), _) => table_id(dead, &self.project),
            (None, Some(table)) => table_id(&format!("{table}_error_records"), &self.project),
            (None, None) => Err(wrong("there is no table for dead letters")),
        }
    }

    /// The object that a message goes to, of the batch `pane`.
    pub(super) fn object(
        &self,
        message: &Taken,
        row: Option<&Map<String, Value>>,
        pane: u64,
    ) -> Option<String> {
        let directory = self.directory.as_ref()?;
        let (bucket, path) = directory
            .strip_prefix("gs://")?
            .split_once('/')
            .unwrap_or((directory.strip_prefix("gs://")?, ""));
        let path = replaced(&dated(path, message.at), |name| {
            let value = found(name, message, row).unwrap_or_else(|| "unknown".to_owned());
            let fits = |c: char| c.is_alphanumeric() || "-_.=".contains(c);
            value
                .chars()
                .map(|c| if fits(c) { c } else { '_' })
                .collect()
        });
        let path = path.trim_end_matches('/');
        let slash = if path.is_empty() { "" } else { "/" };
        let at = message.at.timestamp();
        let from = at - at.rem_euclid(self.window);
        let edge = |seconds: i64| {
            DateTime::from_timestamp(seconds, 0)
                .unwrap_or(message.at)
                .format("%Y-%m-%dT%H:%M:%S%.3fZ")
        };
        Some(format!(
            "gs://{bucket}/{path}{slash}{}{}-{}-pane-{pane}-00-of-01{}",
            self.prefix,
            edge(from),
            edge(from + self.window),
            self.suffix
        ))
    }
}

/// An attribute of a message, or a field of its JSON.
fn found(name: &str, message: &Taken, row: Option<&Map<String, Value>>) -> Option<String> {
    if let Some(value) = message.attributes.get(name) {
        return Some(value.clone());
    }
    match row?.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// Parameters in braces; what is none of them stays, for the messages.
fn filled(text: &str, values: &BTreeMap<String, String>) -> String {
    replaced(text, |name| match values.get(name) {
        Some(value) => value.clone(),
        None => format!("{{{name}}}"),
    })
}

/// The text with another for every name in braces.
fn replaced(text: &str, mut value: impl FnMut(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            break;
        };
        out.push_str(before);
        out.push_str(&value(name));
        rest = after;
    }
    out + rest
}

/// The path with the time for `YYYY`, `MM`, `DD`, `HH` and `mm` where they stand alone.
fn dated(path: &str, at: DateTime<Utc>) -> String {
    let word = |word: &str| match word {
        "YYYY" => at.format("%Y").to_string(),
        "MM" => at.format("%m").to_string(),
        "DD" => at.format("%d").to_string(),
        "HH" => at.format("%H").to_string(),
        "mm" => at.format("%M").to_string(),
        other => other.to_owned(),
    };
    let (mut out, mut run) = (String::new(), String::new());
    for c in path.chars() {
        if c.is_alphanumeric() {
            run.push(c);
        } else {
            out.push_str(&word(&std::mem::take(&mut run)));
            out.push(c);
        }
    }
    out + &word(&run)
}

/// `project:dataset.table`, `project.dataset.table` or `dataset.table`.
fn table_id(text: &str, project: &str) -> Result<TableId, ProgramError> {
    let (project, rest) = match text.split_once(':') {
        Some((project, rest)) => (project, rest),
        None => (project, text),
    };
    let parts: Vec<&str> = rest.split('.').collect();
    match parts.as_slice() {
        [dataset, table] if !dataset.is_empty() && !table.is_empty() => {
            Ok(TableId::new(project, *dataset, *table))
        }
        [project, dataset, table]
            if ![project, dataset, table].iter().any(|one| one.is_empty()) =>
        {
            Ok(TableId::new(*project, *dataset, *table))
        }
        _ => Err(wrong(format!("{text:?} is no project:dataset.table"))),
    }
}

/// `30s`, `5m`, `2h`.
fn seconds(text: &str) -> Result<i64, ProgramError> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &text[digits.len()..] {
        "s" => TimeDelta::seconds(1),
        "m" => TimeDelta::minutes(1),
        "h" => TimeDelta::hours(1),
        _ => TimeDelta::zero(),
    };
    let length = digits
        .parse::<i64>()
        .ok()
        .and_then(|count| count.checked_mul(unit.num_seconds()));
    match length {
        Some(length) if (1..=86_400).contains(&length) => Ok(length),
        _ => Err(wrong(format!(
            "windowDuration {text:?} is no length such as 30s, 5m or 2h, of at most 24h"
        ))),
    }
}

/// What is said about parameters that nothing here depends on.
fn unused(given: &BTreeMap<String, String>) -> Vec<String> {
    let used = [
        "inputSubscription",
        "inputTopic",
        "outputTableSpec",
        "outputTable",
        "outputDeadletterTable",
        "outputDeadLetterTable",
        "outputDirectory",
        "outputFilenamePrefix",
        "outputFilenameSuffix",
        "windowDuration",
    ];
    let names: Vec<&str> = given
        .keys()
        .map(String::as_str)
        .filter(|name| !used.contains(name))
        .collect();
    if names.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "only for {{names}} in addresses, if at all: {}",
        names.join(", ")
    )]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: &[(&str, &str)], file: &str) -> Result<Spec, String> {
        let given = given
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let file = serde_json::from_str(file).unwrap();
        Spec::of(&given, file, "p", "events")
            .map(|(spec, _)| spec)
            .map_err(|error| error.0)
    }

    #[test]
    fn parameters_are_those_of_the_templates() {
        let spec = read(
            &[
                ("inputTopic", "projects/p/topics/orders"),
                ("outputTableSpec", "{project}:d.t"),
                ("outputDirectory", "gs://MM/x/YYYY/MM-DD/"),
                ("windowDuration", "2m"),
            ],
            "{}",
        )
        .unwrap();
        assert_eq!(
            spec.subscription,
            "projects/p/subscriptions/dataflow-events-orders"
        );
        assert_eq!(spec.dead().unwrap().to_string(), "p:d.t_error_records");
        assert_eq!(spec.window, 120);
        for (given, says) in [
            (
                &[("outputTableSpec", "d.t")][..],
                "inputSubscription or inputTopic",
            ),
            (&[("inputTopic", "t")], "outputTableSpec or outputDirectory"),
            (
                &[("inputTopic", "t"), ("inputSubscription", "s")],
                "exclude each other",
            ),
            (
                &[("inputTopic", "t"), ("outputTableSpec", "t")],
                "project:dataset.table",
            ),
            (
                &[("inputTopic", "t"), ("outputTableSpec", "d.{x}")],
                "outputDeadletterTable",
            ),
            (&[("inputTopic", "t"), ("outputDirectory", "/x")], "gs://"),
            (
                &[
                    ("inputTopic", "t"),
                    ("outputDirectory", "gs://b"),
                    ("windowDuration", "5"),
                ],
                "windowDuration",
            ),
            (
                &[("inputTopic", "t"), ("javascriptTextTransformGcsPath", "x")],
                "javascriptTextTransform",
            ),
        ] {
            let error = read(given, "{}").unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn times_are_put_in_where_they_stand_alone() {
        let at = DateTime::from_timestamp(1_767_323_045, 0).unwrap();
        assert_eq!(
            dated("COMMON/YYYY/MM-DD/HHmm/HH/mm", at),
            "COMMON/2026/01-02/HHmm/03/04"
        );
    }
}
