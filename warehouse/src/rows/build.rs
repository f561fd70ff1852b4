//! Values on their way into batches.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Decimal256Builder,
    Float64Builder, Int64Builder, IntervalMonthDayNanoBuilder, ListArray, RecordBatch,
    RecordBatchOptions, StringBuilder, StructArray, Time64MicrosecondBuilder,
    TimestampMicrosecondBuilder,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use datafusion::arrow::datatypes::{Field as ArrowField, Fields, SchemaRef};
use datafusion::arrow::error::ArrowError;

use super::cell::Cell;
use crate::schema::{Field, Kind, Mode, Schema};

/// Collects rows into a batch.
pub struct RowsBuilder {
    schema: SchemaRef,
    columns: Vec<Column>,
    fields: Vec<Field>,
    rows: usize,
}

enum Column {
    Bool(BooleanBuilder),
    Int(Int64Builder),
    Float(Float64Builder),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    Numeric(Decimal128Builder),
    Big(Decimal256Builder),
    Date(Date32Builder),
    Moment(TimestampMicrosecondBuilder),
    Time(Time64MicrosecondBuilder),
    Interval(IntervalMonthDayNanoBuilder),
    Struct(Vec<Column>, Vec<bool>, Fields),
    List(Box<Column>, Vec<i32>, Arc<ArrowField>),
}

impl RowsBuilder {
    /// For rows of these columns.
    #[must_use]
    pub fn new(schema: &Schema) -> Self {
        Self {
            schema: Arc::new(schema.to_arrow()),
            columns: schema.fields.iter().map(Column::new).collect(),
            fields: schema.fields.clone(),
            rows: 0,
        }
    }

    /// Rows so far.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Adds a row; a value of another type than its column's is taken as NULL.
    pub fn push(&mut self, row: &[Cell]) {
        for (at, column) in self.columns.iter_mut().enumerate() {
            column.push(row.get(at).unwrap_or(&Cell::Null));
        }
        self.rows += 1;
    }

    /// The rows so far, which are none from then on.
    ///
    /// # Errors
    /// A column that is required has NULLs.
    pub fn batch(&mut self) -> Result<RecordBatch, ArrowError> {
        let columns = std::mem::replace(
            &mut self.columns,
            self.fields.iter().map(Column::new).collect(),
        );
        let rows = std::mem::take(&mut self.rows);
        let arrays = columns
            .into_iter()
            .map(Column::finish)
            .collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
    }
}

impl Column {
    fn new(field: &Field) -> Self {
        match field.mode {
            Mode::Repeated => {
                let mut item = field.clone();
                item.mode = Mode::Nullable;
                item.name = "item".to_owned();
                let arrow = Arc::new(item.to_arrow());
                Self::List(Box::new(Self::of(&field.kind)), vec![0], arrow)
            }
            _ => Self::of(&field.kind),
        }
    }

    fn of(kind: &Kind) -> Self {
        match kind {
            Kind::Int64 => Self::Int(Int64Builder::new()),
            Kind::Float64 => Self::Float(Float64Builder::new()),
            Kind::Numeric(_) => {
                Self::Numeric(Decimal128Builder::new().with_data_type(kind.to_arrow()))
            }
            Kind::BigNumeric(_) => {
                Self::Big(Decimal256Builder::new().with_data_type(kind.to_arrow()))
            }
            Kind::Bool => Self::Bool(BooleanBuilder::new()),
            Kind::String(_) | Kind::Json => Self::Text(StringBuilder::new()),
            Kind::Bytes(_) => Self::Bytes(BinaryBuilder::new()),
            Kind::Date => Self::Date(Date32Builder::new()),
            Kind::Datetime | Kind::Timestamp => {
                Self::Moment(TimestampMicrosecondBuilder::new().with_data_type(kind.to_arrow()))
            }
            Kind::Time => Self::Time(Time64MicrosecondBuilder::new()),
            Kind::Interval => Self::Interval(IntervalMonthDayNanoBuilder::new()),
            Kind::Struct(fields) => Self::Struct(
                fields.iter().map(Self::new).collect(),
                Vec::new(),
                fields.iter().map(Field::to_arrow).collect(),
            ),
        }
    }

    fn push(&mut self, cell: &Cell) {
        match (self, cell) {
            (Self::Bool(column), Cell::Bool(value)) => column.append_value(*value),
            (Self::Int(column), Cell::Int(value)) => column.append_value(*value),
            (Self::Float(column), Cell::Float(value)) => column.append_value(*value),
            (Self::Text(column), Cell::Text(value)) => column.append_value(value),
            (Self::Bytes(column), Cell::Bytes(value)) => column.append_value(value),
            (Self::Numeric(column), Cell::Numeric(value)) => column.append_value(*value),
            (Self::Big(column), Cell::Big(value)) => column.append_value(*value),
            (Self::Date(column), Cell::Days(value)) => column.append_value(*value),
            (Self::Moment(column), Cell::Micros(value)) => column.append_value(*value),
            (Self::Time(column), Cell::Micros(value)) => column.append_value(*value),
            (Self::Struct(columns, valid, _), Cell::Struct(cells)) => {
                for (at, column) in columns.iter_mut().enumerate() {
                    column.push(cells.get(at).unwrap_or(&Cell::Null));
                }
                valid.push(true);
            }
            (Self::List(column, ends, _), Cell::List(cells)) => {
                for cell in cells {
                    column.push(cell);
                }
                let end = ends.last().copied().unwrap_or(0);
                ends.push(end + i32::try_from(cells.len()).unwrap_or(0));
            }
            (column, _) => column.push_null(),
        }
    }

    fn push_null(&mut self) {
        match self {
            Self::Bool(column) => column.append_null(),
            Self::Int(column) => column.append_null(),
            Self::Float(column) => column.append_null(),
            Self::Text(column) => column.append_null(),
            Self::Bytes(column) => column.append_null(),
            Self::Numeric(column) => column.append_null(),
            Self::Big(column) => column.append_null(),
            Self::Date(column) => column.append_null(),
            Self::Moment(column) => column.append_null(),
            Self::Time(column) => column.append_null(),
            Self::Interval(column) => column.append_null(),
            Self::Struct(columns, valid, _) => {
                columns.iter_mut().for_each(Self::push_null);
                valid.push(false);
            }
            Self::List(_, ends, _) => {
                let end = ends.last().copied().unwrap_or(0);
                ends.push(end);
            }
        }
    }

    fn finish(self) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Bool(mut column) => Arc::new(column.finish()),
            Self::Int(mut column) => Arc::new(column.finish()),
            Self::Float(mut column) => Arc::new(column.finish()),
            Self::Text(mut column) => Arc::new(column.finish()),
            Self::Bytes(mut column) => Arc::new(column.finish()),
            Self::Numeric(mut column) => Arc::new(column.finish()),
            Self::Big(mut column) => Arc::new(column.finish()),
            Self::Date(mut column) => Arc::new(column.finish()),
            Self::Moment(mut column) => Arc::new(column.finish()),
            Self::Time(mut column) => Arc::new(column.finish()),
            Self::Interval(mut column) => Arc::new(column.finish()),
            Self::Struct(columns, valid, fields) => {
                let arrays = columns
                    .into_iter()
                    .map(Self::finish)
                    .collect::<Result<Vec<_>, _>>()?;
                Arc::new(StructArray::try_new(
                    fields,
                    arrays,
                    Some(NullBuffer::from(valid)),
                )?)
            }
            Self::List(column, ends, item) => Arc::new(ListArray::try_new(
                item,
                OffsetBuffer::new(ScalarBuffer::from(ends)),
                column.finish()?,
                None,
            )?),
        })
    }
}
