//! The first rows of a file, for people who look at it.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Format;
use super::csv::{CsvOptions, Records};
use super::error::LoadError;
use super::json::Objects;
use super::parquet::Opened;
use super::source::{Input, inputs_of};
use super::{Source, detect};
use crate::rows::{CellText, fitted, shown_rows};
use crate::schema::Schema;

/// The columns of a file and its first rows.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The columns that were found; of CSV and JSON by looking at rows.
    pub schema: Schema,
    /// Rows as REST has them: `{"f": [{"v": …}]}`. Values of CSV and JSON are as they stand in the file.
    pub rows: Vec<Value>,
    /// How many rows there are, where the file says so.
    pub total: Option<u64>,
}

/// The first rows of a file. It waits for the disk.
///
/// # Errors
/// The file cannot be read as what it is to be.
pub fn preview(path: &Path, format: &Format, most: usize) -> Result<Preview, LoadError> {
    let source = Source::Upload(path.to_owned());
    let inputs = inputs_of(&source)?;
    let Some(input) = inputs.first() else {
        return Err(LoadError::invalid("there is no file"));
    };
    match format {
        Format::Parquet { list_inference } => parquet(input, *list_inference, most),
        Format::Csv(options) => csv(&inputs, input, options, most),
        Format::Json => json(&inputs, input, most),
    }
}

fn parquet(input: &Input, list_inference: bool, most: usize) -> Result<Preview, LoadError> {
    let opened = Opened::new(input, list_inference)?;
    let schema = opened.schema.clone();
    let arrow = Arc::new(schema.to_arrow());
    let total = opened.total();
    let mut rows = Vec::new();
    for batch in opened.first(most, &input.uri)? {
        let batch = fitted(&batch?, &schema, &arrow)
            .map_err(|error| LoadError::reading(&input.uri, error))?;
        rows.extend(shown_rows(&schema, &batch, CellText::File));
    }
    Ok(Preview {
        schema,
        rows,
        total: Some(total),
    })
}

fn csv(
    inputs: &[Input],
    input: &Input,
    options: &CsvOptions,
    most: usize,
) -> Result<Preview, LoadError> {
    let (schema, skip) = detect::csv(inputs, options)?;
    let mut records = Records::open(input, options)?;
    let mut rows = Vec::new();
    let mut at = 0;
    while rows.len() < most
        && let Some(record) = records.next()?
    {
        at += 1;
        let Some(values) = record.values.filter(|_| at > skip) else {
            continue;
        };
        let cells: Vec<Value> = values
            .into_iter()
            .map(|raw| json!({ "v": raw.text }))
            .collect();
        rows.push(json!({ "f": cells }));
    }
    Ok(Preview {
        schema,
        rows,
        total: None,
    })
}

fn json(inputs: &[Input], input: &Input, most: usize) -> Result<Preview, LoadError> {
    let schema = detect::json(inputs)?;
    let mut objects = Objects::open(input)?;
    let mut rows = Vec::new();
    while rows.len() < most
        && let Some(line) = objects.next()?
    {
        let Ok(mut row) = line.row else {
            continue;
        };
        let cells: Vec<Value> = schema
            .fields
            .iter()
            .map(|field| match row.remove(&field.name) {
                Some(Value::String(text)) => json!({ "v": text }),
                None | Some(Value::Null) => json!({ "v": null }),
                // Records and lists as the JSON that they are.
                Some(other) => json!({ "v": other.to_string() }),
            })
            .collect();
        rows.push(json!({ "f": cells }));
    }
    Ok(Preview {
        schema,
        rows,
        total: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, format: &Format) -> Result<Preview, LoadError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        preview(file.path(), format, 2)
    }

    #[test]
    fn csv_and_json_are_shown_as_they_stand() {
        let csv = of(
            "id,name\n1,\"a,b\"\n2,c\n3,d\n",
            &Format::Csv(CsvOptions::default()),
        );
        let csv = csv.unwrap();
        assert_eq!(csv.schema.fields[1].name, "name");
        assert_eq!(csv.rows.len(), 2);
        assert_eq!(csv.rows[0]["f"][1]["v"], "a,b");
        let json = of("{\"a\":1,\"b\":{\"c\":[2]}}\n{\"a\":2}\n", &Format::Json).unwrap();
        assert_eq!(json.rows[0]["f"][1]["v"], "{\"c\":[2]}");
        assert!(json.rows[1]["f"][1]["v"].is_null());
    }

    #[test]
    fn what_is_no_parquet_is_an_error() {
        let format = Format::Parquet {
            list_inference: true,
        };
        for text in ["", "PAR1", "PAR1\0\0\0\0PAR1", "nothing"] {
            of(text, &format).unwrap_err();
        }
    }
}
