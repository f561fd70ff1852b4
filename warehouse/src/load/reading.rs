//! Files as the rows of a query: nothing is written, and little of them is held at a time.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::streaming::PartitionStream;

use super::csv::{self, Records};
use super::error::LoadError;
use super::json::{self, Objects as Lines};
use super::parquet::Opened;
use super::run::{keyed, parquet_schema};
use super::source::{Input, Source, inputs};
use super::{Format, HiveOptions, detect, hive};
use crate::rows::{Cell, JsonRules, RowsBuilder, fitted, row_of_json};
use crate::schema::{Field, Mode, Schema};
use crate::tables::Objects;

/// Rows of a batch.
const BATCH: usize = 8_192;
/// Batches that wait for whoever reads them.
const WAITING: usize = 2;
/// How many files are read at once.
const READERS: usize = 2;

/// Files that a query reads: `read_parquet('gs://bucket/path*.parquet')`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// Objects, each with at most one `*`.
    pub uris: Vec<String>,
    /// How they are written.
    pub format: Format,
    /// Columns that names of folders say.
    pub hive: Option<HiveOptions>,
}

/// What all readers of the files need.
struct Shared {
    format: Format,
    /// The columns of the files.
    schema: Schema,
    keys: Vec<Field>,
    /// All columns, with those of folders.
    all: Schema,
    arrow: SchemaRef,
}

/// Some of the files, one after the other.
struct Reader {
    shared: Arc<Shared>,
    inputs: Arc<Vec<(Input, Vec<Cell>)>>,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uris: Vec<&str> = self
            .inputs
            .iter()
            .map(|(one, _)| one.uri.as_str())
            .collect();
        f.debug_struct("Reader").field("uris", &uris).finish()
    }
}

impl Files {
    /// Looks for the files and their columns; gives their rows and how many bytes they have. It waits for the disk.
    ///
    /// # Errors
    /// An address names no file, or a file is none of its format.
    pub fn open(&self, objects: &dyn Objects) -> Result<(Arc<dyn TableProvider>, u64), LoadError> {
        let inputs = inputs(&Source::Uris(self.uris.clone()), objects)?;
        let bytes = inputs.iter().map(|input| input.size).sum();
        let (keys, values) = match &self.hive {
            Some(options) => hive::columns(options, &inputs)?,
            None => (Vec::new(), vec![Vec::new(); inputs.len()]),
        };
        let mut format = self.format.clone();
        let mut schema = match &mut format {
            Format::Parquet { list_inference } => parquet_schema(&inputs, *list_inference)?,
            Format::Csv(options) => {
                let (schema, skip) = detect::csv(&inputs, options)?;
                options.skip = Some(skip);
                schema
            }
            Format::Json => detect::all_json(&inputs)?,
        };
        for field in &mut schema.fields {
            if field.mode == Mode::Required {
                field.mode = Mode::Nullable;
            }
        }
        let all = hive::with(&schema, &keys)?;
        let arrow: SchemaRef = Arc::new(all.to_arrow());
        let shared = Arc::new(Shared {
            format,
            schema,
            keys,
            all,
            arrow: Arc::clone(&arrow),
        });
        let mut parts: Vec<Vec<(Input, Vec<Cell>)>> = Vec::new();
        parts.resize_with(READERS.min(inputs.len()).max(1), Vec::new);
        let count = parts.len();
        for (at, one) in inputs.into_iter().zip(values).enumerate() {
            parts[at % count].push(one);
        }
        let readers = parts
            .into_iter()
            .map(|inputs| {
                Arc::new(Reader {
                    shared: Arc::clone(&shared),
                    inputs: Arc::new(inputs),
                }) as Arc<dyn PartitionStream>
            })
            .collect();
        let table = StreamingTable::try_new(arrow, readers)
            .map_err(|error| LoadError::invalid(error.to_string()))?;
        Ok((Arc::new(table), bytes))
    }
}

impl PartitionStream for Reader {
    fn schema(&self) -> &SchemaRef {
        &self.shared.arrow
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut stream =
            RecordBatchReceiverStreamBuilder::new(Arc::clone(&self.shared.arrow), WAITING);
        let sender = stream.tx();
        let (shared, inputs) = (Arc::clone(&self.shared), Arc::clone(&self.inputs));
        stream.spawn_blocking(move || {
            for (input, values) in inputs.iter() {
                let mut give = |batch| sender.blocking_send(Ok(batch)).is_ok();
                match shared.read(input, values, &mut give) {
                    Ok(true) => {}
                    // Nobody wants more.
                    Ok(false) => return Ok(()),
                    Err(error) => return Err(DataFusionError::Execution(said(&error))),
                }
            }
            Ok(())
        });
        stream.build()
    }
}

/// The error with the first row that is at fault.
fn said(error: &LoadError) -> String {
    match error.rows.first() {
        Some(row) => format!(
            "Error while reading data, error message: {} File: {}",
            row.message, row.location
        ),
        None => error.message.clone(),
    }
}

type Give<'a> = &'a mut dyn FnMut(RecordBatch) -> bool;

impl Shared {
    /// Reads one file. False: nobody wants more.
    fn read(&self, input: &Input, values: &[Cell], give: Give<'_>) -> Result<bool, LoadError> {
        match &self.format {
            Format::Parquet { list_inference } => {
                for batch in Opened::new(input, *list_inference)?.rows(&input.uri)? {
                    if !give(self.fitted(&batch?, values, &input.uri)?) {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Format::Csv(_) => self.csv(input, values, give),
            Format::Json => self.json(input, values, give),
        }
    }

    fn csv(&self, input: &Input, values: &[Cell], give: Give<'_>) -> Result<bool, LoadError> {
        let Format::Csv(options) = &self.format else {
            return Ok(true);
        };
        let mut rows = RowsBuilder::new(&self.schema);
        let mut records = Records::open(input, options)?;
        let mut skip = options.skip.unwrap_or(0);
        while let Some(record) = records.next()? {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            let row = csv::row(&record, &self.schema, (options, false), &input.uri)
                .map_err(|wrong| LoadError::reading(&input.uri, wrong.message))?;
            rows.push(&row);
            if rows.rows() == BATCH && !self.built(&mut rows, (input, values), give)? {
                return Ok(false);
            }
        }
        self.built(&mut rows, (input, values), give)
    }

    fn json(&self, input: &Input, values: &[Cell], give: Give<'_>) -> Result<bool, LoadError> {
        let rules = JsonRules::default();
        let mut rows = RowsBuilder::new(&self.schema);
        let mut lines = Lines::open(input)?;
        while let Some(line) = lines.next()? {
            let row = line.row.and_then(|row| {
                row_of_json(&self.schema, &row, rules).map_err(|wrong| wrong.load_message())
            });
            let row = row.map_err(|message| {
                let wrong = json::wrong(&input.uri, line.offset, &message);
                LoadError::reading(&input.uri, wrong.message)
            })?;
            rows.push(&row);
            if rows.rows() == BATCH && !self.built(&mut rows, (input, values), give)? {
                return Ok(false);
            }
        }
        self.built(&mut rows, (input, values), give)
    }

    fn built(
        &self,
        rows: &mut RowsBuilder,
        (input, values): (&Input, &[Cell]),
        give: Give<'_>,
    ) -> Result<bool, LoadError> {
        if rows.rows() == 0 {
            return Ok(true);
        }
        let batch = rows
            .batch()
            .map_err(|error| LoadError::reading(&input.uri, error))?;
        Ok(give(self.fitted(&batch, values, &input.uri)?))
    }

    fn fitted(
        &self,
        batch: &RecordBatch,
        values: &[Cell],
        uri: &str,
    ) -> Result<RecordBatch, LoadError> {
        keyed(batch, &self.keys, values)
            .and_then(|batch| fitted(&batch, &self.all, &self.arrow))
            .map_err(|error| LoadError::reading(uri, format!("{error}.")))
    }
}
