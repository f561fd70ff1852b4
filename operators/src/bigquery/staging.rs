//! The jobs of a load: straight into the table, or through a staging table beside it.

use serde_json::{Map, Value, json};
use tidemill_core::operator::{Outcome, TaskError, TaskResult};
use tidemill_core::spec::WriteMode;
use tidemill_core::text::Text;

use super::client::{JobRequest, adopted};
use super::job::Job;
use super::load::{Columns, IfNone};
use super::loading::{BigQueryLoad, Ended, Loading, Step, copy};
use super::record::{Figures, record};
use super::schema::Column;
use super::table::{TableFacts, TableName};
use super::watch::Waiting;
use super::{merge, storage_of};
use crate::remote::label;
use crate::storage::{GcsObject, GcsPattern, GcsUri, UriError};

/// The label that says which files are in the staging table.
pub(super) const FILES_LABEL: &str = "tidemill-files-hash";
/// Addresses that one load job takes.
const ADDRESSES_MAX: usize = 10_000;
/// More files are not loaded by one task.
const FILES_MAX: usize = 1_000_000;
/// A staging table that nobody deletes goes by itself after a day.
const STAGE_MILLIS: i64 = 24 * 3_600 * 1_000;

/// Files as they were listed.
pub(super) struct Files {
    pub(super) objects: Vec<GcsObject>,
    print: String,
}

impl Files {
    fn new(mut objects: Vec<GcsObject>) -> Self {
        objects.sort_by(|a, b| a.uri.cmp(&b.uri));
        objects.dedup_by(|a, b| a.uri == b.uri);
        let mut print = 0;
        for object in &objects {
            let line = format!("{} {}\n", object.uri, object.generation);
            print = crc32c::crc32c_append(print, line.as_bytes());
        }
        Self {
            objects,
            print: format!("{print:08x}"),
        }
    }

    fn bytes(&self) -> i64 {
        let bytes: u64 = self.objects.iter().map(|object| object.size).sum();
        i64::try_from(bytes).unwrap_or(i64::MAX)
    }

    fn count(&self) -> i64 {
        i64::try_from(self.objects.len()).unwrap_or(i64::MAX)
    }

    fn part(&self, nth: usize, most: usize) -> Vec<String> {
        let part = self.objects.chunks(most).nth(nth).unwrap_or_default();
        part.iter().map(|object| object.uri.to_string()).collect()
    }
}

impl Loading<'_> {
    /// The files that fit now. Objects that stand for folders are none.
    pub(super) async fn files(&self) -> TaskResult<Files> {
        let storage = storage_of(self.ctx, &self.of.connection).await?;
        let mut objects = Vec::new();
        for pattern in &self.of.files {
            let pattern: GcsPattern = pattern
                .as_str()
                .parse()
                .map_err(UriError::into_task_error)?;
            objects.extend(storage.list(&pattern, FILES_MAX).await?);
        }
        objects.retain(|object| !object.uri.object().ends_with('/'));
        let files = Files::new(objects);
        let (count, bytes) = (files.count(), files.bytes());
        self.ctx.info(format!("{count} files, {bytes} bytes"));
        Ok(files)
    }

    /// There are no files: the table stays as it is.
    pub(super) fn no_files(&self) -> Ended {
        let patterns: Vec<String> = self.of.files.iter().map(ToString::to_string).collect();
        let why = format!("{}: there are no files", patterns.join(", "));
        match self.of.if_no_files {
            IfNone::Fail => Err(TaskError::data(why).help(
                "see whether whoever writes them did, wait for them with a sensor, or say `.if_no_files(IfNone::Skip)`",
            )),
            IfNone::Skip => Ok(Outcome::Skipped { why }),
            IfNone::GoOn => {
                self.ctx.warn(why);
                record(self.ctx, self.said(None, Figures::default()));
                Ok(Outcome::Done(BigQueryLoad {
                    table: self.table.to_string(),
                    partition: self.partition.clone(),
                    ..BigQueryLoad::default()
                }))
            }
        }
    }

    /// Whether a staging table is needed.
    pub(super) fn is_staged(&self, files: &Files) -> bool {
        self.of.keys().is_some()
            || self.of.if_no_rows != IfNone::GoOn
            || files.objects.len() > self.most()
    }

    /// How many files one job loads.
    fn most(&self) -> usize {
        let said = self.of.files_per_job.unwrap_or(ADDRESSES_MAX);
        said.clamp(1, ADDRESSES_MAX)
    }

    /// The columns that the author declared.
    pub(super) async fn declared(&self) -> TaskResult<Option<Vec<Column>>> {
        let uri = match &self.of.columns {
            Columns::Declared(columns) => return Ok(Some(columns.clone())),
            Columns::There | Columns::Guessed => return Ok(None),
            Columns::File(uri) => uri,
        };
        let uri: GcsUri = uri.as_str().parse().map_err(UriError::into_task_error)?;
        let storage = storage_of(self.ctx, &self.of.connection).await?;
        let bytes = storage.text_of(&uri).await?;
        let odd = || {
            TaskError::permanent(format!("{uri} is no schema in JSON"))
                .help("write it as `bq show --schema --format=prettyjson dataset.table` does")
        };
        let found: Value = serde_json::from_slice(&bytes).map_err(|_| odd())?;
        let columns = Column::all_of(found.get("fields").unwrap_or(&found));
        if columns.is_empty() || columns.iter().any(|column| column.name.is_empty()) {
            return Err(odd());
        }
        Ok(Some(columns))
    }

    /// Loads straight into the table: one job.
    pub(super) async fn load_straight(&self, files: Files) -> Ended {
        let there = self.there().await?;
        let truncates = self.of.into.mode == WriteMode::Truncate || self.partition.is_some();
        let write = if truncates {
            "WRITE_TRUNCATE"
        } else {
            "WRITE_APPEND"
        };
        let mut load = self.configuration(&files, 0, write);
        load.insert("destinationTable".to_owned(), self.destination());
        load.extend(self.shape(there.as_ref()));
        self.add_columns(&mut load, None).await?;
        let updates = self.updates();
        // A table that is replaced gets new columns anyway.
        if !updates.is_empty() && (self.partition.is_some() || !truncates) {
            load.insert("schemaUpdateOptions".to_owned(), json!(updates));
        }
        let figures = Figures {
            rows_before: Some(there.and_then(|table| table.rows()).unwrap_or(0)),
            files: files.count(),
            bytes: files.bytes(),
            ..Figures::default()
        };
        self.launch_last(json!({ "load": load }), &figures, None)
            .await
    }

    fn destination(&self) -> Value {
        self.table.reference(self.partition.as_deref())
    }

    /// The table as it is; an error if it has to be there and is not.
    async fn there(&self) -> TaskResult<Option<TableFacts>> {
        let there = self.bq.table(&self.table).await?;
        if there.is_none() && self.of.must_exist {
            return Err(
                TaskError::permanent(format!("there is no table `{}`", self.table))
                    .help("make it first, or leave `.must_exist()` out"),
            );
        }
        Ok(there)
    }

    /// How the table is laid out: as the author says, or as it is.
    fn shape(&self, there: Option<&TableFacts>) -> Map<String, Value> {
        self.of.shape.over(there, self.partition.as_deref())
    }

    /// What all load jobs have.
    fn configuration(&self, files: &Files, nth: usize, write: &str) -> Map<String, Value> {
        let mut load = self.of.options.clone();
        let create = if self.of.must_exist {
            "CREATE_NEVER"
        } else {
            "CREATE_IF_NEEDED"
        };
        let own = [
            ("sourceUris", json!(files.part(nth, self.most()))),
            ("sourceFormat", json!(self.of.format.word())),
            ("createDisposition", json!(create)),
            ("writeDisposition", json!(write)),
        ];
        load.extend(own.map(|(name, value)| (name.to_owned(), value)));
        if self.of.max_bad_records > 0 {
            load.insert("maxBadRecords".to_owned(), json!(self.of.max_bad_records));
        }
        load
    }

    async fn add_columns(
        &self,
        load: &mut Map<String, Value>,
        otherwise: Option<&Value>,
    ) -> TaskResult<()> {
        if self.of.columns == Columns::Guessed {
            load.insert("autodetect".to_owned(), json!(true));
        }
        let declared = self.declared().await?;
        let fields = |columns: Vec<Column>| -> Value { columns.iter().map(Column::json).collect() };
        let schema = declared.map(|columns| json!({ "fields": fields(columns) }));
        if let Some(schema) = schema.or_else(|| otherwise.cloned()) {
            load.insert("schema".to_owned(), schema);
        }
        Ok(())
    }

    fn updates(&self) -> Vec<&'static str> {
        let mut updates = Vec::new();
        if self.of.allow_new_columns {
            updates.push("ALLOW_FIELD_ADDITION");
        }
        if self.of.allow_nulls {
            updates.push("ALLOW_FIELD_RELAXATION");
        }
        updates
    }

    fn request(&self, configuration: Value) -> JobRequest {
        let own = self.of.labels.iter();
        let own = own.map(|(name, value)| (label(name), label(value.as_str())));
        JobRequest::new(configuration, &self.print, self.ctx).labels(own)
    }

    /// Launches the job that changes the table.
    async fn launch_last(
        &self,
        configuration: Value,
        figures: &Figures,
        files: Option<String>,
    ) -> Ended {
        let at = self
            .bq
            .at(self.ctx.launch_key().as_str(), self.location.as_deref());
        let hash = files
            .iter()
            .map(|files| (FILES_LABEL.to_owned(), files.clone()));
        let request = self
            .request(configuration)
            .labels(figures.labels())
            .labels(hash);
        let (job, was_there) = self.bq.launch(&at, &request).await?;
        self.told(&job, was_there, Step::Last { files })
    }

    fn told(&self, job: &Job, was_there: bool, step: Step) -> Ended {
        let how = if was_there { "adopted" } else { "launched" };
        let link = job.at().link();
        self.ctx
            .info(format!("{how} {} job {}: {link}", job.kind(), job.at()));
        Waiting::new(self.ctx, job, step).first(how)
    }

    /// The staging table of these files. Another attempt that lists other files fills another one.
    fn stage_of(&self, files: &str) -> TableName {
        let key = self.ctx.launch_key();
        self.table.beside(format!("tidemill_stage_{key}_{files}"))
    }

    /// Deletes the staging table. It would go by itself.
    pub(super) async fn clear(&self, files: &str) {
        let stage = self.stage_of(files);
        if let Err(error) = self.bq.drop_table(&stage).await {
            self.ctx
                .warn(format!("staging table {stage} stays for a day: {error}"));
        }
    }

    /// Loads a part of the files into the staging table.
    pub(super) async fn stage(&self, nth: usize, files: Files, figures: Figures) -> Ended {
        let stage = self.stage_of(&files.print);
        let write = if nth == 0 {
            "WRITE_TRUNCATE"
        } else {
            "WRITE_APPEND"
        };
        let mut load = self.configuration(&files, nth, write);
        load.insert("createDisposition".to_owned(), json!("CREATE_IF_NEEDED"));
        load.insert("destinationTable".to_owned(), stage.reference(None));
        let there = self.there().await?;
        if self.of.into.mode == WriteMode::Truncate {
            // What is copied over a table has to be laid out like it.
            load.extend(self.shape(there.as_ref()));
        }
        let known = there.as_ref().and_then(TableFacts::schema);
        let known =
            known.filter(|_| !self.of.format.has_schema() && self.of.columns == Columns::There);
        self.add_columns(&mut load, known).await?;
        let id = format!("{}_{}_{nth}", self.ctx.launch_key(), files.print);
        let at = self.bq.at(&id, self.location.as_deref());
        let request = self.request(json!({ "load": load }));
        let (job, was_there) = self.bq.launch(&at, &request).await?;
        let step = Step::Stage {
            nth,
            files: files.print,
            figures,
        };
        self.told(&job, was_there, step)
    }

    /// A part of the files is in the staging table.
    pub(super) async fn staged(
        &self,
        nth: usize,
        (print, figures): (String, Figures),
        job: &Job,
    ) -> Ended {
        let more = job
            .value("/configuration/load/sourceUris")
            .and_then(Value::as_array);
        if more.is_some_and(|addresses| addresses.len() == self.most()) {
            let files = self.files().await?;
            if files.print != print {
                self.ctx
                    .warn("the files have changed meanwhile: they are loaded from the beginning");
                self.clear(&print).await;
                return self.stage(0, files, Figures::default()).await;
            }
            if nth + 1 < files.objects.len().div_ceil(self.most()) {
                return self.stage(nth + 1, files, figures).await;
            }
        }
        let none = format!("{}: the files have no rows", self.table);
        match self.of.if_no_rows {
            IfNone::Fail if figures.rows == 0 => {
                return Err(TaskError::data(none)
                    .help("see whether whoever writes them did it right; the table is as it was"));
            }
            IfNone::Skip if figures.rows == 0 => {
                self.clear(&print).await;
                return Ok(Outcome::Skipped { why: none });
            }
            _ => {}
        }
        let stage = self.stage_of(&print);
        // By the clock of the service.
        let ended = job.number("/statistics/endTime").unwrap_or_default();
        let expires = json!({ "expirationTime": (ended + STAGE_MILLIS).to_string() });
        if ended > 0 && !self.bq.change(&stage, &expires).await? {
            return match self.last().await? {
                Some(job) => self.told(&job, true, Step::Last { files: Some(print) }),
                None => Err(gone(&stage)),
            };
        }
        match self.of.keys() {
            Some(keys) => self.count_keys((print, figures), &stage, keys).await,
            None => self.copy_over((print, figures), &stage).await,
        }
    }

    async fn count_keys(
        &self,
        (files, figures): (String, Figures),
        stage: &TableName,
        keys: &[String],
    ) -> Ended {
        let sql = merge::keys(stage, keys)?;
        let query = json!({ "query": { "query": sql, "useLegacySql": false } });
        let id = format!("{}_{files}_keys", self.ctx.launch_key());
        let at = self.bq.at(&id, self.location.as_deref());
        let (job, was_there) = self.bq.launch(&at, &self.request(query)).await?;
        self.told(&job, was_there, Step::Keys { files, figures })
    }

    /// The table that is written to, made if it is not there.
    async fn ready(&self, staged: &TableFacts) -> TaskResult<i64> {
        if let Some(there) = self.there().await? {
            let known = there.columns();
            let new: Vec<Column> = staged
                .columns()
                .into_iter()
                .filter(|column| {
                    !known
                        .iter()
                        .any(|known| known.name.eq_ignore_ascii_case(&column.name))
                })
                .collect();
            if !new.is_empty() && self.of.into.mode != WriteMode::Truncate {
                self.add_to_table(&there, &new).await?;
            }
            return Ok(there.rows().unwrap_or(0));
        }
        let mut body = self.shape(None);
        body.insert(
            "schema".to_owned(),
            staged.schema().cloned().unwrap_or_default(),
        );
        self.bq.create(&self.table, Value::Object(body)).await?;
        Ok(0)
    }

    async fn add_to_table(&self, there: &TableFacts, new: &[Column]) -> TaskResult<()> {
        if !self.of.allow_new_columns {
            let names: Vec<String> = new
                .iter()
                .map(|column| format!("`{}`", column.name))
                .collect();
            return Err(TaskError::data(format!(
                "the files have columns that {} does not: {}",
                self.table,
                names.join(", ")
            ))
            .help("`.allow_new_columns()` adds them to the table"));
        }
        let mut schema = there.schema().cloned().unwrap_or_else(|| json!({}));
        if let Some(Value::Array(fields)) = schema.get_mut("fields") {
            let nullable = |column: &Column| {
                let mut field = column.json();
                if field["mode"] == "REQUIRED" {
                    field["mode"] = json!("NULLABLE");
                }
                field
            };
            fields.extend(new.iter().map(nullable));
        }
        self.bq
            .change(&self.table, &json!({ "schema": schema }))
            .await
            .map(drop)
    }

    async fn staged_facts(&self, stage: &TableName) -> TaskResult<TableFacts> {
        let facts = self.bq.table(stage).await?;
        facts.ok_or_else(|| gone(stage))
    }

    /// The job that changes the table, if another attempt of this launch was faster: it may have cleared the staging table away.
    async fn last(&self) -> TaskResult<Option<Job>> {
        let at = self
            .bq
            .at(self.ctx.launch_key().as_str(), self.location.as_deref());
        let found = self.bq.job(&at).await?;
        let ours = found.map(|job| adopted(job, &self.print)).transpose()?;
        Ok(ours.map(|(job, _)| job))
    }

    /// Merges the staging table into the table: one job.
    pub(super) async fn merge(&self, files: String, mut figures: Figures) -> Ended {
        if let Some(job) = self.last().await? {
            return self.told(&job, true, Step::Last { files: Some(files) });
        }
        let stage = self.stage_of(&files);
        let facts = self.staged_facts(&stage).await?;
        figures.rows_before = Some(self.ready(&facts).await?);
        let keys = self.of.keys().unwrap_or_default();
        let only = self.of.matching_only.as_ref().map(Text::as_str);
        let how = (self.of.latest_by.as_deref(), only);
        let sql = merge::statement((&self.table, &stage), &facts.columns(), keys, how)?;
        let query = json!({ "query": { "query": sql, "useLegacySql": false } });
        self.launch_last(query, &figures, Some(files)).await
    }

    /// Copies the staging table over the table, or adds it: one job.
    async fn copy_over(&self, (files, mut figures): (String, Figures), stage: &TableName) -> Ended {
        if let Some(job) = self.last().await? {
            return self.told(&job, true, Step::Last { files: Some(files) });
        }
        let facts = self.staged_facts(stage).await?;
        figures.rows_before = Some(self.ready(&facts).await?);
        let truncates = self.of.into.mode == WriteMode::Truncate || self.partition.is_some();
        let write = if truncates {
            "WRITE_TRUNCATE"
        } else {
            "WRITE_APPEND"
        };
        let configuration = copy(stage, self.destination(), write);
        self.launch_last(configuration, &figures, Some(files)).await
    }
}

/// The jobs of a staging table keep their identifiers, so only another launch fills it again.
fn gone(stage: &TableName) -> TaskError {
    TaskError::lost(format!("staging table {stage} is gone before it was used"))
}
