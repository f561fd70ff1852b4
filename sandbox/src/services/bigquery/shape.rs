//! How tables are cut and ordered, as REST has it.

use serde_json::{Value, json};
use tidemill_warehouse::tables::{Partitioning, RangeBounds, Unit};

use super::json::{flag, given, int, strings, text, wrong};
use super::refusal::missing;
use crate::call::Refusal;
use crate::services::fields::only;

/// `timePartitioning` or `rangePartitioning`, and whether queries have to have a filter.
pub(super) fn partitioning(value: &Value) -> Result<(Option<Partitioning>, Option<bool>), Refusal> {
    let mut filter = flag(value, "requirePartitionFilter")?;
    let time = given(value, "timePartitioning");
    let range = given(value, "rangePartitioning");
    let by = match (time, range) {
        (None, None) => None,
        (Some(_), Some(_)) => {
            return Err(Refusal::invalid(
                "A table can have either timePartitioning or rangePartitioning",
            ));
        }
        (Some(time), None) => {
            only(
                time,
                "",
                &["type", "field", "expirationMs", "requirePartitionFilter"],
            )?;
            filter = filter.or(flag(time, "requirePartitionFilter")?);
            let unit = text(time, "type")?.ok_or_else(|| missing("timePartitioning.type"))?;
            Some(Partitioning::Time {
                unit: Unit::from_name(unit).ok_or_else(|| wrong("timePartitioning.type", unit))?,
                field: text(time, "field")?
                    .filter(|field| !field.is_empty())
                    .map(str::to_owned),
                expiration_ms: int(time, "expirationMs")?.filter(|expiration| *expiration > 0),
            })
        }
        (None, Some(range)) => {
            only(range, "", &["field", "range"])?;
            let field = text(range, "field")?.ok_or_else(|| missing("rangePartitioning.field"))?;
            let bounds = given(range, "range").ok_or_else(|| missing("rangePartitioning.range"))?;
            only(bounds, "", &["start", "end", "interval"])?;
            let number = |name: &str| {
                int(bounds, name)?
                    .ok_or_else(|| missing(&format!("rangePartitioning.range.{name}")))
            };
            Some(Partitioning::Range {
                field: field.to_owned(),
                range: RangeBounds {
                    start: number("start")?,
                    end: number("end")?,
                    interval: number("interval")?,
                },
            })
        }
    };
    Ok((by, filter))
}

/// `clustering.fields`.
pub(super) fn clustering(value: &Value) -> Result<Vec<String>, Refusal> {
    match given(value, "clustering") {
        None => Ok(Vec::new()),
        Some(clustering) => {
            only(clustering, "", &["fields"])?;
            strings(clustering, "fields")
        }
    }
}

/// The field and its value.
pub(super) fn shown(by: &Partitioning, filter: bool) -> (&'static str, Value) {
    match by {
        Partitioning::Time {
            unit,
            field,
            expiration_ms,
        } => {
            let mut shown = json!({ "type": unit.name() });
            if let Value::Object(map) = &mut shown {
                if let Some(field) = field {
                    map.insert("field".into(), json!(field));
                }
                if let Some(expiration) = expiration_ms {
                    map.insert("expirationMs".into(), json!(expiration.to_string()));
                }
                if filter {
                    map.insert("requirePartitionFilter".into(), json!(true));
                }
            }
            ("timePartitioning", shown)
        }
        Partitioning::Range { field, range } => (
            "rangePartitioning",
            json!({ "field": field, "range": {
                "start": range.start.to_string(),
                "end": range.end.to_string(),
                "interval": range.interval.to_string(),
            } }),
        ),
    }
}
