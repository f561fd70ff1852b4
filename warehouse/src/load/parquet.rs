//! Parquet.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, StructArray};
use datafusion::arrow::datatypes::{
    DataType, Field as ArrowField, Schema as ArrowSchema, TimeUnit,
};
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use datafusion::parquet::basic::Type;

use super::error::LoadError;
use super::source::Input;
use crate::schema::{Field, Kind, Mode, Schema};

type Builder = ParquetRecordBatchReaderBuilder<std::fs::File>;

/// A file, opened, and the columns that it has.
pub(super) struct Opened {
    builder: Builder,
    pub(super) schema: Schema,
    wrap: bool,
}

impl Opened {
    pub(super) fn new(input: &Input, list_inference: bool) -> Result<Self, LoadError> {
        let builder = Builder::try_new(input.open()?).map_err(|error| {
            LoadError::reading(
                &input.uri,
                format!("Input file is not in Parquet format: {error}."),
            )
        })?;
        let arrow = instants(&builder);
        let mut schema = Schema { fields: Vec::new() };
        for field in arrow.fields() {
            let found = column(field, !list_inference)
                .map_err(|what| LoadError::reading(&input.uri, format!("{what}.")))?;
            schema.fields.push(found);
        }
        Ok(Self {
            builder,
            schema,
            wrap: !list_inference,
        })
    }

    /// How many rows the file says that it has.
    pub(super) fn total(&self) -> u64 {
        u64::try_from(self.builder.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// The first rows, as [`Opened::rows`] has them.
    pub(super) fn first(
        mut self,
        most: usize,
        uri: &str,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, LoadError>> + use<'_>, LoadError> {
        self.builder = self.builder.with_limit(most);
        self.rows(uri)
    }

    /// The rows, in the columns of [`Opened::schema`] but in the file's own types of Arrow.
    pub(super) fn rows(
        self,
        uri: &str,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, LoadError>> + use<'_>, LoadError> {
        let failed = move |error: &dyn std::fmt::Display| LoadError::reading(uri, error);
        let wrap = self.wrap;
        let reader = self
            .builder
            .with_batch_size(16_384)
            .build()
            .map_err(|error| failed(&error))?;
        Ok(reader.map(move |batch| {
            let batch = batch.map_err(|error| failed(&error))?;
            if wrap {
                wrapped(&batch).map_err(|error| failed(&error))
            } else {
                Ok(batch)
            }
        }))
    }
}

/// The columns as Arrow has them, with INT96 as the instants that they are.
fn instants(builder: &Builder) -> ArrowSchema {
    let parquet = builder.parquet_schema();
    let fields: Vec<ArrowField> = builder
        .schema()
        .fields()
        .iter()
        .map(|field| {
            let instant = parquet.columns().iter().any(|column| {
                column.physical_type() == Type::INT96
                    && column.path().parts() == [field.name().as_str()]
            });
            let mut field = field.as_ref().clone();
            if instant {
                field.set_data_type(DataType::Timestamp(
                    TimeUnit::Microsecond,
                    Some("UTC".into()),
                ));
            }
            field
        })
        .collect();
    ArrowSchema::new(fields)
}

fn column(field: &ArrowField, wrap: bool) -> Result<Field, String> {
    let unsigned = |field: &ArrowField| {
        // A kind that the file itself names is one that was extracted here.
        Kind::from_arrow(field).map_err(|error| {
            format!(
                "Column {}: the type {} is not covered",
                field.name(),
                error.found
            )
        })
    };
    match field.data_type() {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            let inner = column(item, wrap)?;
            if !wrap {
                if inner.mode == Mode::Repeated {
                    return Err(format!(
                        "Column {}: a list of lists is not covered",
                        field.name()
                    ));
                }
                return Ok(Field::new(field.name(), inner.kind).mode(Mode::Repeated));
            }
            let element = Field {
                name: "element".to_owned(),
                ..inner
            };
            let list = Field::new("list", Kind::Struct(vec![element])).mode(Mode::Repeated);
            Ok(Field::new(field.name(), Kind::Struct(vec![list])).mode(mode(field)))
        }
        DataType::Struct(fields) => {
            let fields = fields
                .iter()
                .map(|field| column(field, wrap))
                .collect::<Result<_, _>>()?;
            Ok(Field::new(field.name(), Kind::Struct(fields)).mode(mode(field)))
        }
        _ => Ok(Field::new(field.name(), unsigned(field)?).mode(mode(field))),
    }
}

fn mode(field: &ArrowField) -> Mode {
    if field.is_nullable() {
        Mode::Nullable
    } else {
        Mode::Required
    }
}

/// Lists as records with a field `list` of records with a field `element`: what `BigQuery` makes of them unless it is told otherwise.
fn wrapped(batch: &RecordBatch) -> Result<RecordBatch, datafusion::arrow::error::ArrowError> {
    let columns: Vec<ArrayRef> = batch
        .columns()
        .iter()
        .map(wrapped_column)
        .collect::<Result<_, _>>()?;
    let fields: Vec<ArrowField> = batch
        .schema()
        .fields()
        .iter()
        .zip(&columns)
        .map(|(field, column)| {
            field
                .as_ref()
                .clone()
                .with_data_type(column.data_type().clone())
        })
        .collect();
    RecordBatch::try_new(Arc::new(ArrowSchema::new(fields)), columns)
}

fn wrapped_column(array: &ArrayRef) -> Result<ArrayRef, datafusion::arrow::error::ArrowError> {
    use datafusion::arrow::compute::cast;
    match array.data_type() {
        DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            wrapped_column(&cast(array, &DataType::List(Arc::clone(item)))?)
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let values = wrapped_column(list.values())?;
            let element = ArrowField::new("element", values.data_type().clone(), true);
            let records = StructArray::try_new(vec![element].into(), vec![values], None)?;
            let item = ArrowField::new("item", records.data_type().clone(), true);
            let inner = ListArray::try_new(
                Arc::new(item),
                list.offsets().clone(),
                Arc::new(records),
                None,
            )?;
            let field = ArrowField::new("list", inner.data_type().clone(), true);
            Ok(Arc::new(StructArray::try_new(
                vec![field].into(),
                vec![Arc::new(inner)],
                list.nulls().cloned(),
            )?))
        }
        DataType::Struct(_) => {
            let record = array.as_struct();
            let columns = record
                .columns()
                .iter()
                .map(wrapped_column)
                .collect::<Result<Vec<_>, _>>()?;
            let fields = record
                .fields()
                .iter()
                .zip(&columns)
                .map(|(field, column)| {
                    field
                        .as_ref()
                        .clone()
                        .with_data_type(column.data_type().clone())
                })
                .collect();
            Ok(Arc::new(StructArray::try_new(
                fields,
                columns,
                record.nulls().cloned(),
            )?))
        }
        _ => Ok(Arc::clone(array)),
    }
}
