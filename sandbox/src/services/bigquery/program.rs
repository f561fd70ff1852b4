//! SQL that jobs of other services run.

use std::sync::Arc;

use tidemill_warehouse::rows::json_rows;
use tidemill_warehouse::sql::{Affected, Outcome, Parameter, ParameterValue, Request};
use tidemill_warehouse::{Field, Kind, Located};

use super::Bigquery;
use crate::jobs::{ProgramError, RunSql, Running, SqlOutcome, Statement};

/// Rows of a result that are kept with a job, and about how many bytes of them.
const ROWS: usize = 10_000;
const BYTES: usize = 4 << 20;

impl RunSql for Bigquery {
    fn run_sql(&self, statement: Statement) -> Running<'_, SqlOutcome> {
        Box::pin(async move {
            let catalog = Located::anywhere(self.warehouse.clone()).with_files();
            let engine = self.engine.over(Arc::new(catalog));
            let request = Request {
                parameters: parameters(statement.parameters),
                default_dataset: statement.dataset,
                ..Request::new(statement.text, statement.project, self.now())
            };
            match engine.run(&request).await {
                Ok(outcome) => Ok(shown(&outcome)),
                Err(error) => Err(ProgramError(error.message)),
            }
        })
    }
}

/// Each is a STRING; what is no name in SQL has `_` there, and a number is `arg0`.
fn parameters(given: std::collections::BTreeMap<String, String>) -> Vec<Parameter> {
    given
        .into_iter()
        .map(|(name, value)| {
            let fits = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
            let mut name: String = name.chars().map(fits).collect();
            if name.starts_with(|c: char| c.is_ascii_digit()) {
                name.insert_str(0, "arg");
            }
            Parameter {
                name: Some(name),
                field: Field::new("", Kind::String(None)),
                value: ParameterValue::Text(value),
            }
        })
        .collect()
}

fn shown(outcome: &Outcome) -> SqlOutcome {
    let fields = &outcome.schema.fields;
    let mut shown = SqlOutcome {
        columns: fields
            .iter()
            .map(|field| (field.name.clone(), kind(field)))
            .collect(),
        affected: affected(outcome),
        ..SqlOutcome::default()
    };
    let mut bytes = 0;
    for batch in &outcome.batches {
        shown.total += batch.num_rows() as u64;
        let room = ROWS.saturating_sub(shown.rows.len()).min(batch.num_rows());
        if bytes >= BYTES || room == 0 {
            continue;
        }
        for mut row in json_rows(&outcome.schema, &batch.slice(0, room)) {
            let cells: Vec<Option<String>> = fields
                .iter()
                .map(|field| match row[&field.name].take() {
                    serde_json::Value::Null => None,
                    serde_json::Value::String(text) => Some(text),
                    other => Some(other.to_string()),
                })
                .collect();
            bytes += cells.iter().flatten().map(String::len).sum::<usize>();
            shown.rows.push(cells);
            if bytes >= BYTES {
                break;
            }
        }
    }
    shown
}

/// Rows that a statement, or all those of a script, changed.
fn affected(outcome: &Outcome) -> Option<u64> {
    let children = outcome.children.iter();
    let of_children = children.filter_map(|child| child.result.as_ref().ok()?.affected);
    let changed = outcome.affected.into_iter().chain(of_children);
    changed.map(Affected::rows).reduce(|sum, rows| sum + rows)
}

fn kind(field: &Field) -> String {
    match field.mode {
        tidemill_warehouse::Mode::Repeated => format!("ARRAY<{}>", field.kind),
        _ => field.kind.to_string(),
    }
}
