//! Loading, step by step. What changes the table is one job whose identifier is the launch key; everything before it only fills a
//! staging table, and may be done again.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidemill_core::operator::{ErrorKind, Operator, Outcome, TaskContext, TaskError, TaskResult};
use tidemill_core::spec::{Dedup, Touches, WriteMode};

use super::client::{BigQuery, adopted};
use super::job::{Job, JobState, print};
use super::load::LoadToBigQuery;
use super::record::{Figures, Said, record, rows_written};
use super::table::{TableName, partition};
use super::watch::{Stands, Waiting, release, waiting};

/// What a load did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BigQueryLoad {
    /// The table.
    pub table: String,
    /// The partition that was replaced, if it was one.
    pub partition: Option<String>,
    /// How many files it read.
    pub files: i64,
    /// How many bytes they had.
    pub bytes: i64,
    /// How many rows it wrote.
    pub rows: i64,
    /// How many rows it left out.
    pub rejected: i64,
    /// The rows of the table before.
    pub rows_before: Option<i64>,
    /// The rows of the table after.
    pub rows_after: Option<i64>,
    /// The job that changed the table.
    pub job: Option<String>,
    /// Where a person can look at it.
    pub link: Option<String>,
}

/// Where in its steps a load is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    /// It fills the staging table.
    Stage {
        /// Which of its jobs.
        nth: usize,
        /// The files as they were listed.
        files: String,
        /// What the jobs before it read.
        figures: Figures,
    },
    /// It counts keys.
    Keys {
        /// The files as they were listed.
        files: String,
        /// What was read.
        figures: Figures,
    },
    /// It changes the table.
    Last {
        /// The files as they were listed, if they are in a staging table.
        files: Option<String>,
    },
}

/// A load under way.
pub(super) struct Loading<'a> {
    pub(super) of: &'a LoadToBigQuery,
    pub(super) ctx: &'a TaskContext,
    pub(super) bq: BigQuery,
    pub(super) table: TableName,
    pub(super) partition: Option<String>,
    pub(super) location: Option<String>,
    pub(super) print: String,
}

pub(super) type Ended = TaskResult<Outcome<BigQueryLoad>>;

impl<'a> Loading<'a> {
    async fn open(
        of: &'a LoadToBigQuery,
        ctx: &'a TaskContext,
        location: Option<String>,
    ) -> TaskResult<Self> {
        let table = TableName::of(&of.into.table)?;
        let partition = match &of.into.mode {
            WriteMode::Append(Dedup::Partition(text)) => Some(partition(text.as_str())?),
            _ => None,
        };
        let project = of.project.as_ref().map(|project| project.as_str());
        let bq = BigQuery::open(ctx, &of.connection, project).await?;
        let table = table.in_project(bq.project());
        let location = match location.or_else(|| of.location.clone()) {
            Some(location) => Some(location),
            None => bq.location(&table).await?,
        };
        Ok(Self {
            of,
            ctx,
            bq,
            table,
            partition,
            location,
            print: print(of)?,
        })
    }

    async fn begin(&self) -> Ended {
        let at = self
            .bq
            .at(self.ctx.launch_key().as_str(), self.location.as_deref());
        if let Some(found) = self.bq.job(&at).await? {
            let (job, _) = adopted(found, &self.print)?;
            self.ctx.info(format!(
                "found job {at} of an earlier attempt and adopted it"
            ));
            let files = job.label(super::staging::FILES_LABEL).map(str::to_owned);
            return Waiting::new(self.ctx, &job, Step::Last { files }).first("adopted");
        }
        let files = self.files().await?;
        if files.objects.is_empty() {
            return self.no_files();
        }
        self.check_columns(&files).await?;
        if self.is_staged(&files) {
            self.stage(0, files, Figures::default()).await
        } else {
            self.load_straight(files).await
        }
    }

    /// Goes on after a job has ended well.
    async fn next(&self, step: Step, job: Job) -> Ended {
        for warning in job.warnings().iter().take(5) {
            self.ctx.warn(warning);
        }
        match step {
            Step::Stage {
                nth,
                files,
                figures,
            } => {
                let figures = figures.and(Figures::loaded(&job));
                self.staged(nth, (files, figures), &job).await
            }
            Step::Keys { files, figures } => {
                let rows = self.bq.rows(job.at(), 1).await?;
                let keys = self.of.keys().unwrap_or_default();
                super::merge::check_keys(&rows, keys, self.of.latest_by.is_some())?;
                self.merge(files, figures).await
            }
            Step::Last { files } => {
                let done = self.done(&job).await?;
                if let Some(files) = files {
                    self.clear(&files).await;
                }
                Ok(Outcome::Done(done))
            }
        }
    }

    /// The last job has ended well: the table is changed.
    async fn done(&self, job: &Job) -> TaskResult<BigQueryLoad> {
        let figures = Figures::of(job);
        let rows = rows_written(job);
        let after = match self.bq.table(&self.table).await {
            Err(error) if error.kind.is_retried() => return Err(error),
            // The rows are there, whatever else cannot be seen.
            Err(error) => {
                self.ctx.warn(error.to_string());
                None
            }
            Ok(table) => table.and_then(|table| table.rows()),
        };
        let said = Said {
            rows_loaded: rows,
            rows_after: after,
            ..self.said(Some(job), figures)
        };
        record(self.ctx, said);
        let table = &self.table;
        self.ctx.info(format!(
            "{table}: {rows} rows of {} files, {} bytes; {} rows left out",
            figures.files, figures.bytes, figures.rejected
        ));
        if rows == 0 && figures.rows == 0 {
            self.ctx.warn(format!("{table}: the files had no rows"));
        }
        Ok(BigQueryLoad {
            table: table.to_string(),
            partition: self.partition.clone(),
            files: figures.files,
            bytes: figures.bytes,
            rows,
            rejected: figures.rejected,
            rows_before: figures.rows_before,
            rows_after: after,
            job: Some(job.at().to_string()),
            link: Some(job.at().link()),
        })
    }

    /// A job has ended badly: what it was is put on record, and another launch is another job.
    async fn failed(&self, step: &Step, job: Option<&Job>, error: TaskError) -> Ended {
        let mut figures = job.map(Figures::of).unwrap_or_default();
        match step {
            Step::Stage {
                files,
                figures: known,
                ..
            }
            | Step::Keys {
                files,
                figures: known,
            } => {
                figures = figures.and(*known);
                self.clear(files).await;
            }
            Step::Last { files: Some(files) } => self.clear(files).await,
            Step::Last { files: None } => {}
        }
        // What the table has now is nice to know, and no reason to fail otherwise.
        let now = self.bq.table(&self.table).await.ok().flatten();
        let said = Said {
            rows_after: now.and_then(|table| table.rows()),
            error: Some(&error),
            ..self.said(job, figures)
        };
        record(self.ctx, said);
        Ok(Outcome::Failed(error))
    }

    /// A job is not there any more. Where a second one would double its rows, nobody starts one by himself.
    async fn lost(&self, step: &Step, error: TaskError) -> Ended {
        let doubles = matches!(self.of.into.mode, WriteMode::Append(Dedup::JobId));
        if !(doubles && matches!(step, Step::Last { .. })) {
            return self.failed(step, None, error).await;
        }
        let error = TaskError::permanent(error.message).help(format!(
            "look whether its rows are in {}; if they are not, clear the task, which loads them again",
            self.table
        ));
        self.failed(step, None, error).await
    }

    pub(super) fn said<'j>(&self, job: Option<&'j Job>, figures: Figures) -> Said<'j> {
        let mode = match (&self.of.into.mode, self.of.keys()) {
            (_, Some(_)) => "merge",
            (WriteMode::Truncate, _) => "truncate",
            _ => "append",
        };
        Said {
            sources: self.of.files.iter().map(ToString::to_string).collect(),
            destination: self.table.to_string(),
            partition: self.partition.clone(),
            mode,
            job,
            figures,
            rows_loaded: 0,
            rows_after: None,
            error: None,
        }
    }
}

impl LoadToBigQuery {
    /// A load that did not come to a job is on record, too.
    fn refused(&self, ctx: &TaskContext, error: &TaskError) {
        let said = Said {
            sources: self.files.iter().map(ToString::to_string).collect(),
            destination: self.into.table.to_string(),
            partition: match &self.into.mode {
                WriteMode::Append(Dedup::Partition(text)) => Some(text.to_string()),
                _ => None,
            },
            mode: match (&self.into.mode, self.keys()) {
                (_, Some(_)) => "merge",
                (WriteMode::Truncate, _) => "truncate",
                _ => "append",
            },
            job: None,
            figures: Figures::default(),
            rows_loaded: 0,
            rows_after: None,
            error: Some(error),
        };
        record(ctx, said);
    }
}

impl Operator for LoadToBigQuery {
    const NAME: &'static str = "load_to_bigquery";
    type Output = BigQueryLoad;

    fn touches(&self) -> Touches {
        Touches::nothing()
            .connection(&self.connection)
            .writes(self.into.clone())
    }

    async fn run(&self, ctx: &TaskContext) -> Ended {
        let begun = async { Loading::open(self, ctx, None).await?.begin().await }.await;
        begun.inspect_err(|error| self.refused(ctx, error))
    }

    async fn resume(&self, ctx: &TaskContext, handle: Value) -> Ended {
        let waits: Waiting<Step> = waiting(handle)?;
        let loading = Loading::open(self, ctx, waits.job.location.clone()).await?;
        let step = waits.step.clone();
        match waits.look(ctx, &loading.bq).await? {
            Stands::Waits(waits, wait, why) => waits.deferred(wait, why),
            Stands::Failed(job, error) => loading.failed(&step, Some(&job), error).await,
            Stands::Lost(error) => loading.lost(&step, error).await,
            Stands::Done(job) => match loading.next(step.clone(), job.clone()).await {
                // The job has ended, and what comes after it can never be done in this launch.
                Err(error) if !error.kind.is_retried() || error.kind == ErrorKind::Lost => {
                    loading.failed(&step, Some(&job), error).await
                }
                other => other,
            },
        }
    }

    async fn cancel(&self, ctx: &TaskContext, handle: Option<Value>) -> TaskResult<()> {
        let project = self.project.as_ref().map(|project| project.as_str());
        let bq = BigQuery::open(ctx, &self.connection, project).await?;
        let table = TableName::of(&self.into.table)?.in_project(bq.project());
        let location = match (&handle, &self.location) {
            (None, None) => bq.location(&table).await?,
            (_, location) => location.clone(),
        };
        let known = handle.clone().map(waiting::<Step>).transpose()?;
        release(ctx, &bq, handle, location.as_deref()).await?;
        let Some(known) = known.filter(|known| matches!(known.step, Step::Last { .. })) else {
            return Ok(());
        };
        // Whoever cancels may be too late: what is loaded is loaded.
        let job = bq.job(&known.job).await?;
        let done = job.filter(|job| job.state() == JobState::Done && job.failure().is_none());
        if let Some(job) = done {
            ctx.warn(format!(
                "job {} was done before it could be cancelled",
                job.at()
            ));
            let loading = Loading::open(self, ctx, known.job.location.clone()).await?;
            loading.done(&job).await?;
        }
        Ok(())
    }
}

/// The configuration of a copy into a table or a partition.
pub(super) fn copy(from: &TableName, to: Value, write: &str) -> Value {
    json!({ "copy": {
        "sourceTable": from.reference(None), "destinationTable": to,
        "createDisposition": "CREATE_IF_NEEDED", "writeDisposition": write,
    } })
}
