//! The audit log: who did what, and what came of it. All of it, or the part of a DAG.

use askama::Template;
use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::id::DagId;
use tidemill_core::time::Timestamp;
use tidemill_store::history::{AuditFilter, Cursor};
use tidemill_store::record::AuditRow;

use super::page;
use super::rows::{place, placed};
use super::trigger::instant;
use crate::frame::Frame;
use crate::html::When;
use crate::input::Asking;
use crate::oops::Oops;
use crate::paths;
use crate::routes::ThisDag;

const ROWS: u32 = 100;
/// So many elements of a list in the details are shown.
const ELEMENTS_MAX: usize = 20;

/// What the log is narrowed to.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AuditQuery {
    who: String,
    /// What an action begins with: `task.`, `run.cancel`.
    action: String,
    dag: String,
    from: String,
    to: String,
    /// After which line: its time and its number, as [`placed`] writes them.
    after: String,
}

/// A line.
struct Line {
    at: When,
    actor: String,
    action: String,
    target: String,
    dag_href: Option<String>,
    details: Vec<(String, String)>,
    refused: Option<String>,
}

#[derive(Template)]
#[template(path = "audit.html")]
pub(crate) struct AuditPage {
    frame: Frame,
    /// The DAG whose part it is.
    of: Option<DagId>,
    /// Where the form goes.
    action: String,
    query: AuditQuery,
    lines: Vec<Line>,
    older: Option<String>,
}

page!(AuditPage);

impl AuditQuery {
    fn filter(&self) -> Result<AuditFilter, Oops> {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let dag = given(&self.dag).map(|dag| DagId::parse(&dag));
        let dag = dag.transpose();
        let mut within = AuditFilter::default().within;
        if let Some(from) = time(&self.from, "from")? {
            within.start = from;
        }
        if let Some(to) = time(&self.to, "to")? {
            // A day is meant with all its hours.
            let is_day = self.to.trim().len() == "2025-01-31".len();
            within.end = if is_day {
                (to.date() + TimeDelta::days(1)).into()
            } else {
                to
            };
        }
        Ok(AuditFilter {
            actor: given(&self.who),
            action: given(&self.action),
            dag: dag.map_err(|error| Oops::invalid(format!("DAG: {error}")))?,
            within,
        })
    }

    fn is_narrow(&self) -> bool {
        let parts = [&self.who, &self.action, &self.dag, &self.from, &self.to];
        parts.iter().any(|part| !part.trim().is_empty())
    }

    fn older(&self, action: &str, last: &AuditRow) -> String {
        let pairs = [
            ("who", &self.who),
            ("action", &self.action),
            ("dag", &self.dag),
            ("from", &self.from),
            ("to", &self.to),
        ];
        let pairs = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        let pairs: String = pairs
            .map(|(name, value)| format!("{name}={}&", paths::part(value)))
            .collect();
        let after = placed(Cursor {
            at: last.at,
            id: last.id,
            nth: 0,
        });
        format!("{action}?{pairs}after={after}")
    }
}

fn time(text: &str, what: &str) -> Result<Option<Timestamp>, Oops> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let says = || format!("{what}: write a time as 2025-01-31 or 2025-01-31T06:00, in UTC");
    let at = instant(text).ok_or_else(|| Oops::invalid(says()))?;
    Ok(Some(at))
}

/// All of it.
pub(crate) async fn show(
    frame: Frame,
    Asking(query): Asking<AuditQuery>,
) -> Result<AuditPage, Oops> {
    let filter = query.filter()?;
    read(frame, (None, "/audit".to_owned()), query, filter).await
}

/// The part of a DAG.
pub(crate) async fn of_dag(
    frame: Frame,
    ThisDag(dag): ThisDag,
    Asking(mut query): Asking<AuditQuery>,
) -> Result<AuditPage, Oops> {
    query.dag = String::new();
    let filter = AuditFilter {
        dag: Some(dag.clone()),
        ..query.filter()?
    };
    let action = format!("{}/audit", paths::dag(&dag));
    read(frame, (Some(dag), action), query, filter).await
}

async fn read(
    frame: Frame,
    (of, action): (Option<DagId>, String),
    query: AuditQuery,
    filter: AuditFilter,
) -> Result<AuditPage, Oops> {
    let after = place(&query.after)?;
    let rows = frame.web.store().audits_like(&filter, after, ROWS).await?;
    let older = rows.last().filter(|_| rows.len() == ROWS as usize);
    Ok(AuditPage {
        older: older.map(|last| query.older(&action, last)),
        lines: rows.into_iter().map(|row| line(&frame, row)).collect(),
        of,
        action,
        query,
        frame,
    })
}

fn line(frame: &Frame, row: AuditRow) -> Line {
    let dag = row.dag.as_ref().filter(|dag| frame.sees(dag));
    let mut details = details(&row.details);
    let refused = details.iter().position(|(name, _)| name == "refused");
    Line {
        at: When(row.at),
        actor: row.actor.to_string(),
        action: row.action.to_string(),
        target: row.target.to_string(),
        dag_href: dag.map(paths::dag),
        refused: refused.map(|at| details.remove(at).1),
        details,
    }
}

/// Details as names and values, without what says nothing.
fn details(json: &str) -> Vec<(String, String)> {
    match serde_json::from_str(json) {
        Ok(Value::Object(all)) => {
            let all = all.into_iter();
            let all = all.filter_map(|(name, value)| Some((name.replace('_', " "), said(&value)?)));
            all.collect()
        }
        Ok(Value::Null) => Vec::new(),
        Ok(value) => said(&value)
            .map(|value| ("said".to_owned(), value))
            .into_iter()
            .collect(),
        Err(_) => vec![("said".to_owned(), json.to_owned())],
    }
}

fn said(value: &Value) -> Option<String> {
    let says = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        Value::Number(number) if number.as_i64() == Some(0) => return None,
        Value::Array(all) => {
            let shown = all.iter().take(ELEMENTS_MAX).filter_map(element);
            let mut shown: Vec<String> = shown.collect();
            if all.len() > ELEMENTS_MAX {
                shown.push(format!("and {} more", all.len() - ELEMENTS_MAX));
            }
            shown.join("; ")
        }
        other => other.to_string(),
    };
    (!says.is_empty()).then_some(says)
}

/// A change of a task is `[run, task, index, from, to]`.
fn element(value: &Value) -> Option<String> {
    let Value::Array(parts) = value else {
        return said(value);
    };
    if let [
        run,
        Value::String(task),
        index,
        Value::String(from),
        Value::String(to),
    ] = parts.as_slice()
    {
        let index = index.as_i64().filter(|index| *index >= 0);
        let index = index.map(|index| format!("[{index}]")).unwrap_or_default();
        return Some(format!("{task}{index} of run {run}: {from} → {to}"));
    }
    Some(value.to_string())
}
