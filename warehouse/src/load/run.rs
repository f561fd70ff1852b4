//! A load from its beginning to its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::arrow::array::RecordBatch;

use super::csv::{self, CsvOptions, Records};
use super::destination::{Destination, destination, existing};
use super::error::{LoadError, RowError};
use super::json::{self, Objects};
use super::parquet::Opened;
use super::source::{Input, inputs};
use super::{Format, Load, WriteMode, detect, hive};
use crate::rows::{Cell, JsonRules, RowsBuilder, fitted, row_of_json};
use crate::schema::{Field, Kind, Mode, Schema};
use crate::tables::{Snapshot, Warehouse, Writer};

/// Rows of a batch.
const BATCH: usize = 16_384;
/// Errors of single rows that are told.
const TOLD: usize = 5;

/// What a load did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loaded {
    /// Files that were read.
    pub input_files: u64,
    /// Their bytes.
    pub input_bytes: u64,
    /// Rows that were written.
    pub output_rows: u64,
    /// Their logical bytes.
    pub output_bytes: u64,
    /// Rows that were left out because they do not fit.
    pub bad_records: u64,
    /// What was wrong with some of them.
    pub warnings: Vec<RowError>,
}

/// A load under way.
struct Run<'a> {
    load: &'a Load,
    stop: &'a AtomicBool,
    writer: Writer,
    /// The columns of the table that files have, and those that names of folders say.
    schema: Schema,
    keys: Vec<Field>,
    done: Loaded,
    rows: u64,
}

/// Loads files into a table; `before` is told what it will have done and may write that down before the table changes.
///
/// # Errors
/// Nothing was changed.
pub fn load(
    warehouse: &Warehouse,
    load: &Load,
    stop: &AtomicBool,
    before: impl FnOnce(&Loaded) -> Result<(), LoadError>,
) -> Result<Loaded, LoadError> {
    let old = existing(warehouse, load)?;
    let inputs = inputs(&load.source, warehouse.objects().as_ref())?;
    let (keys, values) = match &load.hive {
        Some(options) => hive::columns(options, &inputs)?,
        None => (Vec::new(), vec![Vec::new(); inputs.len()]),
    };
    let mut load = load.clone();
    let source = source_schema(&mut load, old.as_ref(), &inputs, &keys)?;
    let all = hive::with(&source, &keys)?;
    let destination = destination(&load, old, &all)?;
    let writer = warehouse.writer(&load.destination, &destination.meta, destination.target)?;
    let mut run = Run {
        load: &load,
        stop,
        schema: within(&destination.meta.schema, &source),
        keys,
        writer,
        done: Loaded::default(),
        rows: 0,
    };
    for (input, values) in inputs.iter().zip(&values) {
        run.file(input, values)?;
        run.done.input_files += 1;
        run.done.input_bytes += input.size;
    }
    run.end(warehouse, destination, before)
}

/// The columns of the files; lines that turn out to be names of columns are noted in the load.
fn source_schema(
    load: &mut Load,
    old: Option<&Snapshot>,
    inputs: &[Input],
    keys: &[Field],
) -> Result<Schema, LoadError> {
    let of_table = || {
        let schema = &old?.meta.schema;
        let fields = schema
            .fields
            .iter()
            .filter(|field| {
                !keys
                    .iter()
                    .any(|key| key.name.eq_ignore_ascii_case(&field.name))
            })
            .cloned()
            .collect();
        Some(Schema { fields })
    };
    if let Format::Parquet { list_inference } = load.format {
        let found = parquet_schema(inputs, list_inference)?;
        return match &load.schema {
            Some(said) => Ok(said.clone()),
            None => Ok(found),
        };
    }
    if let Some(said) = &load.schema {
        return Ok(said.clone());
    }
    let replaces = load.write == WriteMode::Truncate && load.partition.is_none();
    if load.autodetect && (old.is_none() || replaces || load.allow_addition) {
        return match &mut load.format {
            Format::Csv(options) => {
                let (schema, skip) = detect::csv(inputs, options)?;
                options.skip = Some(skip);
                Ok(schema)
            }
            _ => detect::json(inputs),
        };
    }
    let found =
        of_table().ok_or_else(|| LoadError::invalid("No schema specified on job or table."))?;
    if load.autodetect
        && let Format::Csv(options) = &mut load.format
        && options.skip.is_none()
    {
        options.skip = Some(detect::csv(inputs, options)?.1);
    }
    Ok(found)
}

/// The columns of all files: those of the first, and whatever others have besides.
pub(super) fn parquet_schema(inputs: &[Input], list_inference: bool) -> Result<Schema, LoadError> {
    let mut found: Option<Schema> = None;
    for input in inputs {
        let schema = Opened::new(input, list_inference)?.schema;
        let Some(all) = &mut found else {
            found = Some(schema);
            continue;
        };
        for field in schema.fields {
            let before = all
                .fields
                .iter_mut()
                .find(|one| one.name.eq_ignore_ascii_case(&field.name));
            match before {
                None => all.fields.push(field.mode_of_later()),
                Some(before) if before.mode == Mode::Required && field.mode == Mode::Nullable => {
                    before.mode = Mode::Nullable;
                }
                Some(_) => {}
            }
        }
    }
    found.ok_or_else(|| LoadError::invalid("There is no file to load"))
}

impl Field {
    /// A column that only some files have may be missing.
    fn mode_of_later(mut self) -> Self {
        if self.mode == Mode::Required {
            self.mode = Mode::Nullable;
        }
        self
    }
}

/// The columns of the table that the files have, in the order of the files.
fn within(table: &Schema, source: &Schema) -> Schema {
    let fields = source
        .fields
        .iter()
        .map(|field| table.field(&field.name).unwrap_or(field).clone())
        .collect();
    Schema { fields }
}

impl Run<'_> {
    fn file(&mut self, input: &Input, values: &[Cell]) -> Result<(), LoadError> {
        match &self.load.format {
            Format::Parquet { list_inference } => self.parquet(input, *list_inference, values),
            Format::Csv(options) => self.csv(input, options, values),
            Format::Json => self.json(input, values),
        }
    }

    fn parquet(
        &mut self,
        input: &Input,
        list_inference: bool,
        values: &[Cell],
    ) -> Result<(), LoadError> {
        let opened = Opened::new(input, list_inference)?;
        for field in &opened.schema.fields {
            match self.schema.field(&field.name) {
                Some(wanted) => convertible(field, wanted, &input.uri)?,
                None if self.load.ignore_unknown => {}
                None => {
                    return Err(LoadError::reading(
                        &input.uri,
                        format!("No such field: {}.", field.name),
                    ));
                }
            }
        }
        for batch in opened.rows(&input.uri)? {
            self.write(&batch?, values, &input.uri)?;
        }
        Ok(())
    }

    fn csv(
        &mut self,
        input: &Input,
        options: &CsvOptions,
        values: &[Cell],
    ) -> Result<(), LoadError> {
        if let Some(field) = self
            .schema
            .fields
            .iter()
            .find(|field| field.mode == Mode::Repeated || matches!(field.kind, Kind::Struct(_)))
        {
            return Err(LoadError::invalid(format!(
                "CSV cannot have nested or repeated fields. Field: {}",
                field.name
            )));
        }
        let mut rows = RowsBuilder::new(&self.schema);
        let mut records = Records::open(input, options)?;
        let mut skip = options.skip.unwrap_or(0);
        while let Some(record) = records.next()? {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            let how = (options, self.load.ignore_unknown);
            match csv::row(&record, &self.schema, how, &input.uri) {
                Ok(row) => rows.push(&row),
                Err(wrong) => self.bad(wrong)?,
            }
            if rows.rows() == BATCH {
                self.built(&mut rows, values, &input.uri)?;
            }
        }
        self.built(&mut rows, values, &input.uri)
    }

    fn json(&mut self, input: &Input, values: &[Cell]) -> Result<(), LoadError> {
        let rules = JsonRules {
            ignore_unknown: self.load.ignore_unknown,
            json_as_text: false,
        };
        let mut rows = RowsBuilder::new(&self.schema);
        let mut lines = Objects::open(input)?;
        while let Some(line) = lines.next()? {
            let row = line.row.and_then(|row| {
                row_of_json(&self.schema, &row, rules).map_err(|wrong| wrong.load_message())
            });
            match row {
                Ok(row) => rows.push(&row),
                Err(message) => self.bad(json::wrong(&input.uri, line.offset, &message))?,
            }
            if rows.rows() == BATCH {
                self.built(&mut rows, values, &input.uri)?;
            }
        }
        self.built(&mut rows, values, &input.uri)
    }

    /// Notes a row that does not fit.
    fn bad(&mut self, wrong: RowError) -> Result<(), LoadError> {
        self.done.bad_records += 1;
        if self.done.warnings.len() < TOLD {
            self.done.warnings.push(wrong);
        }
        if self.done.bad_records <= self.load.max_bad_records {
            return Ok(());
        }
        let format = match self.load.format {
            Format::Csv(_) => "CSV",
            _ => "JSON",
        };
        let first = self.done.warnings.first();
        Err(LoadError {
            reason: "invalid",
            message: format!(
                "Error while reading data, error message: {format} table encountered too many errors, giving up. Rows: {}; errors: {}. Please look into the errors[] collection for more details.",
                self.rows + self.done.bad_records,
                self.done.bad_records
            ),
            location: first.map(|wrong| wrong.location.clone()),
            rows: std::mem::take(&mut self.done.warnings),
        })
    }

    fn built(
        &mut self,
        rows: &mut RowsBuilder,
        values: &[Cell],
        uri: &str,
    ) -> Result<(), LoadError> {
        if rows.rows() == 0 {
            return Ok(());
        }
        let batch = rows
            .batch()
            .map_err(|error| LoadError::reading(uri, error))?;
        self.write(&batch, values, uri)
    }

    fn write(&mut self, batch: &RecordBatch, values: &[Cell], uri: &str) -> Result<(), LoadError> {
        if self.stop.load(Ordering::SeqCst) {
            return Err(LoadError::stopped());
        }
        let batch = keyed(batch, &self.keys, values)
            .and_then(|batch| self.fitted(&batch))
            .map_err(|error| LoadError::reading(uri, format!("{error}.")))?;
        self.rows += batch.num_rows() as u64;
        Ok(self.writer.write(&batch)?)
    }

    fn fitted(
        &self,
        batch: &RecordBatch,
    ) -> Result<RecordBatch, datafusion::arrow::error::ArrowError> {
        let arrow = Arc::clone(self.writer.schema());
        // Where a column is required and missing here, the writer says so: its names are those of the table.
        let mut loose = Schema::from_arrow(&arrow).map_err(|error| {
            datafusion::arrow::error::ArrowError::SchemaError(error.to_string())
        })?;
        for field in &mut loose.fields {
            if field.mode == Mode::Required {
                field.mode = Mode::Nullable;
            }
        }
        fitted(batch, &loose, &Arc::new(loose.to_arrow()))
    }

    fn end(
        self,
        warehouse: &Warehouse,
        destination: Destination,
        before: impl FnOnce(&Loaded) -> Result<(), LoadError>,
    ) -> Result<Loaded, LoadError> {
        let files = self.writer.finish()?;
        let mut done = self.done;
        done.output_rows = files.iter().map(|file| file.rows).sum();
        done.output_bytes = files.iter().map(|file| file.logical_bytes()).sum();
        if self.stop.load(Ordering::SeqCst) {
            return Err(LoadError::stopped());
        }
        before(&done)?;
        destination.commit(warehouse, self.load, files)?;
        Ok(done)
    }
}

/// The batch with the columns that names of folders say behind it.
pub(super) fn keyed(
    batch: &RecordBatch,
    keys: &[Field],
    values: &[Cell],
) -> Result<RecordBatch, datafusion::arrow::error::ArrowError> {
    if keys.is_empty() {
        return Ok(batch.clone());
    }
    let schema = Schema {
        fields: keys.to_vec(),
    };
    let mut rows = RowsBuilder::new(&schema);
    for _ in 0..batch.num_rows() {
        rows.push(values);
    }
    let more = rows.batch()?;
    let fields: Vec<_> = batch
        .schema()
        .fields()
        .iter()
        .chain(more.schema().fields())
        .cloned()
        .collect();
    let columns = batch
        .columns()
        .iter()
        .chain(more.columns())
        .cloned()
        .collect();
    RecordBatch::try_new(
        Arc::new(datafusion::arrow::datatypes::Schema::new(fields)),
        columns,
    )
}

/// Whether a column of a file can be one of the table.
fn convertible(found: &Field, wanted: &Field, uri: &str) -> Result<(), LoadError> {
    let fits = (found.mode == Mode::Repeated) == (wanted.mode == Mode::Repeated)
        && match (&found.kind, &wanted.kind) {
            (Kind::Struct(found), Kind::Struct(wanted)) => {
                for field in found {
                    if let Some(wanted) = wanted
                        .iter()
                        .find(|one| one.name.eq_ignore_ascii_case(&field.name))
                    {
                        convertible(field, wanted, uri)?;
                    }
                }
                true
            }
            (Kind::Int64, Kind::Float64 | Kind::Numeric(_) | Kind::BigNumeric(_))
            | (Kind::Datetime, Kind::Timestamp)
            | (Kind::Timestamp, Kind::Datetime)
            | (Kind::Numeric(_), Kind::BigNumeric(_))
            | (Kind::BigNumeric(_), Kind::Numeric(_))
            | (Kind::String(_), Kind::Json)
            | (Kind::Bytes(_), Kind::String(_)) => true,
            (found, wanted) => std::mem::discriminant(found) == std::mem::discriminant(wanted),
        };
    if fits {
        return Ok(());
    }
    Err(LoadError::reading(
        uri,
        format!(
            "Parquet column '{}' has type {} which does not match the target cpp_type {}.",
            found.name,
            said(found),
            said(wanted)
        ),
    ))
}

fn said(field: &Field) -> String {
    match field.mode {
        Mode::Repeated => format!("REPEATED {}", field.kind),
        _ => field.kind.to_string(),
    }
}
