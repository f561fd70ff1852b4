//! What a job of ours bears.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ring::digest::{SHA256, digest};
use serde_json::Value;
use tidemill_core::operator::{LaunchKey, TaskContext, TaskError, TaskResult};

const KEY: &str = "tidemill-key";
const PRINT: &str = "tidemill-request";

/// The key of a launch and a print of what it asks for, with labels for people.
#[derive(Debug, Clone)]
pub(crate) struct Stamp {
    pub(crate) key: String,
    pub(crate) print: String,
    dag: String,
    task: String,
}

/// So many hexadecimal digits of a hash.
pub(crate) fn short_hash(text: &str, digits: usize) -> String {
    let hash = digest(&SHA256, text.as_bytes());
    let mut hex = String::new();
    for byte in hash.as_ref() {
        // Writing into a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex.truncate(digits);
    hex
}

/// The same for the same JSON, in whichever order its maps are.
pub(crate) fn print(request: &Value) -> String {
    short_hash(&sorted(request).to_string(), 32)
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(map) => {
            let in_order: BTreeMap<_, _> = map.iter().collect();
            let entries = in_order.into_iter();
            entries
                .map(|(name, value)| (name.clone(), sorted(value)))
                .collect()
        }
        other => other.clone(),
    }
}

/// A text as the value of a label of Google Cloud: lower case letters, digits, `-` and `_`, at most 63.
pub(crate) fn label(text: &str) -> String {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let lower = text.to_ascii_lowercase();
    let signs = lower.chars().map(|c| if fits(c) { c } else { '_' });
    signs.take(63).collect()
}

impl Stamp {
    /// That of this launch, for this request.
    pub(crate) fn of(ctx: &TaskContext, key: &LaunchKey, request: &Value) -> Self {
        let facts = ctx.facts();
        Self {
            key: key.to_string(),
            print: print(request),
            dag: label(&facts.dag_id),
            task: label(&facts.task_id),
        }
    }

    /// Writes it into the labels that an author gave.
    pub(crate) fn mark(&self, labels: &mut Value) {
        if !labels.is_object() {
            *labels = Value::Object(serde_json::Map::new());
        }
        for (name, value) in [
            (KEY, &self.key),
            (PRINT, &self.print),
            ("tidemill-dag", &self.dag),
            ("tidemill-task", &self.task),
        ] {
            labels[name] = Value::String(value.clone());
        }
    }

    /// Whether a job with these labels bears the key.
    pub(crate) fn is_on(&self, labels: &BTreeMap<String, String>) -> bool {
        labels.get(KEY) == Some(&self.key)
    }

    /// Whether a job with these labels is the one that this request made.
    ///
    /// # Errors
    /// Permanent: it is somebody else's, or was made of another request.
    pub(crate) fn check(&self, what: &str, labels: &BTreeMap<String, String>) -> TaskResult<()> {
        if !self.is_on(labels) {
            return Err(TaskError::permanent(format!(
                "{what} is there already, and it is not this task's"
            ))
            .help("find out who started it; clear the task to launch under a new key"));
        }
        self.same(what, labels.get(PRINT).map(String::as_str))
    }

    /// Whether a job that bears the key has this print, too.
    pub(crate) fn same(&self, what: &str, print: Option<&str>) -> TaskResult<()> {
        if print == Some(self.print.as_str()) {
            return Ok(());
        }
        Err(TaskError::permanent(format!(
            "{what} bears this task's key, but was made of another request"
        ))
        .help(
            "the task was changed since it was launched, or what it asks for changes with each attempt, as `{attempt}` does; stop that job if it still runs, and clear the task to launch it anew",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_print_is_that_of_the_content_and_never_changes() {
        let one: Value =
            serde_json::from_str(r#"{"a": [1, {"x": 1, "y": "2"}], "b": null}"#).unwrap();
        let other: Value =
            serde_json::from_str(r#"{"b": null, "a": [1, {"y": "2", "x": 1}]}"#).unwrap();
        assert_eq!(print(&one), print(&other));
        assert_ne!(print(&one), print(&serde_json::json!({"b": null})));
        // Jobs are recognised by it after an upgrade, too: this value must stay.
        assert_eq!(print(&one), "ebeb2781f24d7832f5d5aaf6e68699bc");
    }

    #[test]
    fn labels_hold_what_google_allows() {
        assert_eq!(label("Crm.Daily-Load"), "crm_daily-load");
        assert_eq!(label(&"x".repeat(99)).len(), 63);
        assert_eq!(label("tägl"), "t_gl");
    }
}
