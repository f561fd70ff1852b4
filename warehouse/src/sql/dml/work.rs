//! Runs the queries of a statement, and puts what they give in the place of what was.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, UInt64Array};
use datafusion::arrow::compute::{cast, take_record_batch};
use datafusion::arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use futures_util::StreamExt;

use super::part::{Does, Given, Part};
use super::sink::{Kept, Rows as Gone, Sink};
use super::target::Target;
use super::{Run, Undone, assign};
use crate::sql::engine::affordable;
use crate::sql::error::SqlError;
use crate::sql::request::{Affected, Outcome};
use crate::sql::rows::{Rows, loose};
use crate::tables::{Change, Partition, Partitioning};

/// How a statement refuses a value of another type.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wording {
    /// Of `VALUES` and `UPDATE`.
    Value,
    /// Of a query.
    Column,
}

/// A statement as it is run.
pub(super) struct Statement {
    pub(super) kind: &'static str,
    pub(super) parts: Vec<Part>,
    pub(super) wording: Wording,
}

/// The columns of a query that was planned.
struct Planned {
    part: Part,
    rows: Rows,
}

/// Runs it.
pub(super) async fn run(
    run: &Run<'_>,
    target: &Target,
    statement: Statement,
) -> Result<Outcome, Undone> {
    let mut outcome = Outcome::of(statement.kind);
    let changes = statement
        .parts
        .iter()
        .flat_map(|part| &part.does)
        .any(|does| !matches!(does, Does::Insert(_)));
    let mut planned = Vec::new();
    for part in statement.parts {
        let counted = target.numbered(run);
        let counting = target
            .engine(run, &counted)
            .rows(part.counting.clone(), run.scope, run.request, &run.words)
            .await?;
        check(target, &part, &counting, statement.wording)?;
        outcome.bytes_processed += counting.bytes + counted.read();
        // Files that change are read as a whole.
        if changes && part.identity.is_some() {
            outcome.bytes_processed += counted.whole();
        }
        let numbered = target.numbered(run);
        let rows = target
            .engine(run, &numbered)
            .rows(part.query.clone(), run.scope, run.request, &run.words)
            .await?;
        planned.push(Planned { part, rows });
    }
    affordable(outcome.bytes_processed, run.request)?;
    if run.request.dry_run {
        return Ok(outcome);
    }
    let mut work = Work::new(target)?;
    for planned in &planned {
        work.take(planned).await?;
    }
    work.end(run, outcome, !changes && statement.kind == "INSERT")
        .await
}

fn check(target: &Target, part: &Part, counting: &Rows, wording: Wording) -> Result<(), SqlError> {
    let types = counting.arrow();
    if let Some((columns, more)) = part.width
        && types.fields().len() != columns + more
    {
        return Err(SqlError::invalid(format!(
            "Inserted row has wrong column count; Has {}, expected {columns}",
            types.fields().len() - more
        )));
    }
    for does in &part.does {
        let (Does::Update(given) | Does::Insert(given)) = does else {
            continue;
        };
        let updates = matches!(does, Does::Update(_));
        for (field, at) in target.fields().iter().zip(&given.columns) {
            let Some(at) = at.and_then(|at| part.counted[at]) else {
                continue;
            };
            assign::check(types.field(at), field, |found, wanted| {
                let name = &field.name;
                match wording {
                    _ if updates => format!(
                        "Value of type {found} cannot be assigned to {name}, which has type {wanted}"
                    ),
                    Wording::Value => format!(
                        "Value has type {found} which cannot be inserted into column {name}, which has type {wanted}"
                    ),
                    Wording::Column => format!(
                        "Query column {} has type {found} which cannot be inserted into column {name}, which has type {wanted}",
                        at + 1
                    ),
                }
            })?;
        }
        if let Some(at) = given.place.and_then(|at| part.counted[at])
            && !matches!(types.field(at).data_type(), DataType::Timestamp(_, Some(_)))
        {
            return Err(SqlError::invalid(
                "The value for _PARTITIONTIME has to be a TIMESTAMP",
            ));
        }
    }
    Ok(())
}

/// A change under way.
struct Work<'a> {
    target: &'a Target,
    sink: Sink,
    gone: HashMap<usize, Gone>,
    affected: Affected,
}

impl<'a> Work<'a> {
    fn new(target: &'a Target) -> Result<Self, Undone> {
        let meta = &target.table.meta;
        let writer = target
            .warehouse
            .writer(&target.id, meta, crate::tables::Target::default())?;
        Ok(Self {
            target,
            sink: Sink::new(writer, meta.schema.clone()),
            gone: HashMap::new(),
            affected: Affected::default(),
        })
    }

    async fn take(&mut self, planned: &Planned) -> Result<(), SqlError> {
        let mut stream = planned.rows.stream().await?;
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(|error| planned.rows.failed(&error))?;
            let numbers = match planned.part.action {
                None => vec![batch],
                Some(action) => {
                    let chosen = integers(batch.column(action))?;
                    (0..planned.part.does.len())
                        .map(|at| {
                            let at = i64::try_from(at).unwrap_or(-1);
                            rows_where(&batch, |row| {
                                chosen.is_valid(row) && chosen.value(row) == at
                            })
                        })
                        .collect::<Result<Vec<_>, _>>()?
                }
            };
            for (batch, does) in numbers.iter().zip(&planned.part.does) {
                if batch.num_rows() > 0 {
                    self.done(batch, &planned.part, does).await?;
                }
            }
        }
        Ok(())
    }

    /// What a clause does to rows.
    async fn done(
        &mut self,
        batch: &RecordBatch,
        part: &Part,
        does: &Does,
    ) -> Result<(), SqlError> {
        let rows = batch.num_rows() as u64;
        let given = match does {
            Does::Insert(given) => {
                self.affected.inserted += rows;
                return self.came(batch, given, None).await;
            }
            Does::Delete => {
                self.affected.deleted += rows;
                None
            }
            Does::Update(given) => {
                self.affected.updated += rows;
                Some(given)
            }
        };
        let Some((file, row)) = part.identity else {
            return Err(SqlError::invalid("a row that is changed has no number"));
        };
        let (files, numbers) = (integers(batch.column(file))?, integers(batch.column(row))?);
        for (file, row) in files.values().iter().zip(numbers.values()) {
            let (Ok(file), Ok(row)) = (usize::try_from(*file), usize::try_from(*row)) else {
                return Err(SqlError::invalid("a row that is changed has no number"));
            };
            if !self.gone.entry(file).or_default().add(row) {
                return Err(SqlError::invalid(
                    "UPDATE/MERGE must match at most one source row for each target row",
                ));
            }
        }
        match given {
            Some(given) => self.came(batch, given, Some(&files)).await,
            None => Ok(()),
        }
    }

    /// Rows that come, some of them in the place of rows of files.
    async fn came(
        &self,
        batch: &RecordBatch,
        given: &Given,
        files: Option<&Int64Array>,
    ) -> Result<(), SqlError> {
        for (at, name) in &given.absent {
            if let Some(absent) = batch.column(*at).as_boolean_opt()
                && absent.true_count() > 0
            {
                return Err(SqlError::invalid(format!(
                    "Cannot set field of NULL STRUCT {name}"
                )));
            }
        }
        let schema = loose(&self.target.table.meta.schema);
        let columns = schema
            .fields
            .iter()
            .zip(&given.columns)
            .map(|(field, at)| match at {
                Some(at) => assign::assigned(batch.column(*at), field),
                None => assign::missing(field, batch.num_rows())
                    .map_err(|error| SqlError::invalid(error.to_string())),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let rows = RecordBatch::try_new(Arc::new(schema.to_arrow()), columns)
            .map_err(|error| SqlError::invalid(error.to_string()))?;
        let by = self.target.table.meta.partitioning.as_ref();
        let partitions = match (by.filter(|by| by.by_ingestion()), given.place, files) {
            (Some(by), Some(place), _) => placed(by, batch.column(place))?,
            (Some(_), None, Some(files)) => files
                .values()
                .iter()
                .map(|file| self.partition(usize::try_from(*file).unwrap_or(usize::MAX)))
                .collect(),
            _ => {
                self.sink.take(None, rows).await;
                return Ok(());
            }
        };
        let different: HashSet<Partition> = partitions.iter().copied().collect();
        for partition in different {
            let piece = rows_where(&rows, |row| partitions[row] == partition)?;
            self.sink.take(Some(partition), piece).await;
        }
        Ok(())
    }

    fn partition(&self, file: usize) -> Partition {
        let table = &self.target.table;
        table
            .files
            .get(file)
            .map_or(Partition::Whole, |file| table.partition_of(file))
    }

    /// Puts it all in the place of what was.
    async fn end(
        self,
        run: &Run<'_>,
        mut outcome: Outcome,
        appends: bool,
    ) -> Result<Outcome, Undone> {
        outcome.affected = Some(self.affected);
        let table = &self.target.table;
        let mut kept = Vec::new();
        let mut paths = HashSet::new();
        let partitions: Vec<Partition> = (0..table.files.len())
            .map(|file| self.partition(file))
            .collect();
        for (number, gone) in self.gone {
            let Some(file) = table.files.get(number) else {
                return Err(SqlError::invalid("a file that the table does not have").into());
            };
            paths.insert(file.path.clone());
            kept.push(Kept {
                file: Arc::clone(file),
                partition: partitions[number],
                gone,
            });
        }
        let files = self.sink.end(kept).await?;
        let change = if appends {
            Change::Append(files)
        } else if self.affected.inserted == 0 {
            Change::Edit(paths, files)
        } else {
            // Whether a row is there already was asked of the table as it was.
            Change::Rewrite(paths, files)
        };
        run.engine.will(run.request, &outcome)?;
        self.target
            .warehouse
            .commit(&self.target.id, table.version, change)?;
        Ok(outcome)
    }
}

fn integers(column: &ArrayRef) -> Result<Int64Array, SqlError> {
    let column =
        cast(column, &DataType::Int64).map_err(|error| SqlError::invalid(error.to_string()))?;
    Ok(column.as_primitive::<Int64Type>().clone())
}

fn rows_where(
    batch: &RecordBatch,
    wanted: impl Fn(usize) -> bool,
) -> Result<RecordBatch, SqlError> {
    let rows: UInt64Array = (0..batch.num_rows())
        .filter(|row| wanted(*row))
        .map(|row| row as u64)
        .collect::<Vec<_>>()
        .into();
    take_record_batch(batch, &rows).map_err(|error| SqlError::invalid(error.to_string()))
}

/// The partitions of instants.
fn placed(by: &Partitioning, column: &ArrayRef) -> Result<Vec<Partition>, SqlError> {
    let Partitioning::Time { unit, .. } = by else {
        return Err(SqlError::invalid("the table has no _PARTITIONTIME"));
    };
    let kind = crate::schema::Kind::Timestamp.to_arrow();
    let column = cast(column, &kind).map_err(|error| SqlError::invalid(error.to_string()))?;
    let column = column.as_primitive::<TimestampMicrosecondType>();
    column
        .iter()
        .map(|micros| {
            let at = micros
                .and_then(chrono::DateTime::from_timestamp_micros)
                .ok_or_else(|| SqlError::invalid("_PARTITIONTIME cannot be NULL"))?;
            Ok(Partition::at_instant(*unit, at))
        })
        .collect()
}
