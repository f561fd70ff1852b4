//! Messages that do not fit, in the table that Dataflow's templates keep them in.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tidemill_warehouse::tables::{TableError, TableId, TableMeta, Warehouse};
use tidemill_warehouse::{Field, Kind, Mode, Schema};

use crate::services::Taken;

fn field(name: &str, kind: Kind, mode: Mode) -> Field {
    let mut field = Field::new(name, kind);
    field.mode = mode;
    field
}

/// The columns that the templates give it.
pub(super) fn schema() -> Schema {
    let text = || Kind::String(None);
    let pair = Kind::Struct(vec![
        field("key", text(), Mode::Nullable),
        field("value", text(), Mode::Nullable),
    ]);
    Schema {
        fields: vec![
            field("timestamp", Kind::Timestamp, Mode::Required),
            field("payloadString", text(), Mode::Required),
            field("payloadBytes", Kind::Bytes(None), Mode::Required),
            field("attributes", pair, Mode::Repeated),
            field("errorMessage", text(), Mode::Nullable),
            field("stacktrace", text(), Mode::Nullable),
        ],
    }
}

/// Makes the table if it is not there.
pub(super) fn ensure(warehouse: &Warehouse, id: &TableId) -> Result<(), TableError> {
    match warehouse.table(id) {
        Err(TableError::NoTable(_)) => {}
        other => return other.map(drop),
    }
    match warehouse.create_table(id, TableMeta::new(schema()), Vec::new()) {
        Ok(_) | Err(TableError::TableExists(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// A message as a row of it.
pub(super) fn row(message: &Taken, why: &str) -> Map<String, Value> {
    let attributes: Vec<Value> = message
        .attributes
        .iter()
        .map(|(key, value)| json!({ "key": key, "value": value }))
        .collect();
    let row = json!({
        "timestamp": message.at.to_rfc3339(),
        "payloadString": String::from_utf8_lossy(&message.data),
        "payloadBytes": STANDARD.encode(&message.data),
        "attributes": attributes,
        "errorMessage": why,
    });
    match row {
        Value::Object(row) => row,
        _ => Map::new(),
    }
}
