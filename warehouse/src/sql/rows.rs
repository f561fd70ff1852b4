//! The rows of a query on their way to whoever wants them.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures_util::StreamExt;

use super::error::SqlError;
use super::limits::Turns;
use super::parse::Words;
use super::shown::fitted;
use crate::schema::{Mode, Schema};
use crate::tables::{DataFile, Writer};

/// Batches that wait for the disk.
const WAITING: usize = 2;

/// A query that was planned and not run yet.
pub(super) struct Rows {
    /// Its columns; all may be missing.
    pub(super) schema: Schema,
    /// What it reads.
    pub(super) bytes: u64,
    plan: Plan,
    words: Words,
}

/// A plan, what it is run with, and the turns that there are.
type Plan = (Arc<dyn ExecutionPlan>, Arc<TaskContext>, Turns);

impl Rows {
    pub(super) fn new(schema: Schema, bytes: u64, plan: Plan, words: Words) -> Self {
        Self {
            schema,
            bytes,
            plan,
            words,
        }
    }

    /// Its columns as they come, with types that only a plan has.
    pub(super) fn arrow(&self) -> SchemaRef {
        self.plan.0.schema()
    }

    pub(super) fn failed(&self, error: &DataFusionError) -> SqlError {
        SqlError::from_engine(error, &self.words)
    }

    /// The rows as they are made. It waits for its turn, which ends with the stream: who holds one does not wait for another.
    pub(super) async fn stream(&self) -> Result<SendableRecordBatchStream, SqlError> {
        self.turn(false).await
    }

    async fn turn(&self, alone: bool) -> Result<SendableRecordBatchStream, SqlError> {
        let (plan, context, turns) = &self.plan;
        let turn = turns.take(alone).await?;
        let failed = |error| self.failed(&error);
        let plan = reset_plan_states(Arc::clone(plan)).map_err(failed)?;
        let rows = execute_stream(plan, Arc::clone(context)).map_err(failed)?;
        let schema = rows.schema();
        let held = rows.inspect(move |_| {
            let _ = &turn;
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, held)))
    }

    /// All of them. What lacks memory beside other queries is run once more alone.
    pub(super) async fn collect(self) -> Result<Vec<RecordBatch>, SqlError> {
        match self.all(false).await {
            Err(error) if error.reason == "resourcesExceeded" && self.plan.2.several() => {
                self.all(true).await
            }
            other => other,
        }
    }

    async fn all(&self, alone: bool) -> Result<Vec<RecordBatch>, SqlError> {
        let mut stream = self.turn(alone).await?;
        let mut batches = Vec::new();
        while let Some(batch) = stream.next().await {
            let batch = batch
                .and_then(|batch| fitted(&batch, &self.schema))
                .map_err(|error| self.failed(&error))?;
            batches.push(batch);
        }
        Ok(batches)
    }

    /// Writes all of them to files that belong to nobody yet, a few at a time. Columns become those of `schema` that
    /// have their names, which is the writer's; what cannot become so is an error. Gives the files back.
    ///
    /// Dropping this ends the writing, and what was written goes.
    pub(super) async fn write(
        self,
        mut writer: Writer,
        schema: &Schema,
    ) -> Result<Vec<Arc<DataFile>>, SqlError> {
        let loose = loose(schema);
        let arrow = Arc::new(loose.to_arrow());
        let (send, mut take) = tokio::sync::mpsc::channel::<Option<RecordBatch>>(WAITING);
        let writing = tokio::task::spawn_blocking(move || {
            loop {
                match take.blocking_recv() {
                    Some(Some(batch)) => writer.write(&batch)?,
                    // Only who sent all of the rows says that they end.
                    Some(None) => return writer.finish().map(Some),
                    None => return Ok(None),
                }
            }
        });
        let mut stream = self.stream().await?;
        let mut open = true;
        while let Some(batch) = stream.next().await {
            let batch = batch
                .and_then(|batch| fitted(&batch, &self.schema))
                .map_err(|error| self.failed(&error))?;
            let batch = crate::rows::fitted(&batch, &loose, &arrow)
                .map_err(|error| SqlError::invalid(error.to_string()))?;
            if send.send(Some(batch)).await.is_err() {
                // The writer failed; it says why below.
                open = false;
                break;
            }
        }
        if open {
            let _ = send.send(None).await;
        }
        drop(send);
        let files = writing
            .await
            .map_err(|error| SqlError {
                reason: "backendError",
                message: error.to_string(),
            })?
            .map_err(SqlError::from)?;
        files.ok_or_else(|| SqlError {
            reason: "backendError",
            message: "the rows were not written to their end".to_owned(),
        })
    }
}

/// The columns, all of which may be missing: a writer refuses those that must not, with its own words.
pub(super) fn loose(schema: &Schema) -> Schema {
    let mut loose = schema.clone();
    for field in &mut loose.fields {
        if field.mode == Mode::Required {
            field.mode = Mode::Nullable;
        }
    }
    loose
}
