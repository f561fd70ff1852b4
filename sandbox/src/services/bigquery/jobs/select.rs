//! Query jobs.

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::{Map, Value, json};
use tidemill_warehouse::Located;
use tidemill_warehouse::load::{Format, Load, LoadError, Source, WriteMode, write_rows};
use tidemill_warehouse::sql::{Outcome, Parameter, Request, SqlError, hidden_dataset};
use tidemill_warehouse::tables::{DatasetId, DatasetMeta, TableError, TableId, TableMeta, Target};

use super::super::json::{count, dataset_id, flag, given, table_id, table_reference, text, word};
use super::super::refusal::missing;
use super::super::{Bigquery, schema, shape};
use super::diary::{self, Noted};
use super::load;
use super::record::{Done, Job, JobError, of_load};
use super::run::{Work, refused};
use crate::call::Refusal;
use crate::services::fields::{only, uuid};

/// Bytes that are billed at least, and the steps in which they are.
const BILLED_LEAST: u64 = 10 << 20;
const BILLED_STEP: u64 = 1 << 20;
/// How long the rows of a query are kept.
const KEPT: TimeDelta = TimeDelta::hours(24);

const KNOWN: [&str; 26] = [
    "query",
    "destinationTable",
    "externalTableDefinitions",
    "tableDefinitions",
    "userDefinedFunctionResources",
    "createDisposition",
    "writeDisposition",
    "defaultDataset",
    "priority",
    "preserveNulls",
    "allowLargeResults",
    "useQueryCache",
    "flattenResults",
    "maximumBillingTier",
    "maximumBytesBilled",
    "useLegacySql",
    "parameterMode",
    "queryParameters",
    "schemaUpdateOptions",
    "timePartitioning",
    "rangePartitioning",
    "clustering",
    "destinationEncryptionConfiguration",
    "scriptOptions",
    "connectionProperties",
    "createSession",
];

/// What a query is to do.
pub(super) struct Query {
    pub(super) request: Request,
    /// Where its rows go, if the job says so.
    pub(super) destination: Option<Load>,
    /// The dataset that names without one are in.
    pub(super) dataset: Option<DatasetId>,
    maximum: Option<u64>,
}

/// Reads what a query is to do.
pub(super) fn read(config: &Value, bigquery: &Bigquery, project: &str) -> Result<Query, Refusal> {
    only(config, "", &KNOWN)?;
    covered(config)?;
    let text_of = text(config, "query")?
        .filter(|query| !query.trim().is_empty())
        .ok_or_else(|| missing("query"))?;
    let dataset = given(config, "defaultDataset")
        .map(|dataset| dataset_id(dataset, project))
        .transpose()?;
    let maximum = count(config, "maximumBytesBilled")?;
    let request = Request {
        text: text_of.to_owned(),
        parameters: parameters(config)?,
        project: dataset
            .as_ref()
            .map_or(project, |dataset| dataset.project.as_str())
            .to_owned(),
        default_dataset: dataset.as_ref().map(|dataset| dataset.dataset.clone()),
        dry_run: false,
        maximum_bytes_billed: None,
        now: bigquery.now(),
        job: None,
        diary: None,
    };
    Ok(Query {
        request,
        destination: destination(config, project)?,
        dataset,
        maximum,
    })
}

/// Refuses what would be another query.
fn covered(config: &Value) -> Result<(), Refusal> {
    // Legacy SQL is what the real API takes if nothing is said.
    if flag(config, "useLegacySql")? != Some(false) {
        return Err(Refusal::unsupported(
            "legacy SQL; set useLegacySql to false",
        ));
    }
    for name in [
        "externalTableDefinitions",
        "tableDefinitions",
        "userDefinedFunctionResources",
        "destinationEncryptionConfiguration",
        "createSession",
        "connectionProperties",
    ] {
        let plain =
            |value: &Value| *value == json!([]) || *value == json!({}) || *value == json!(false);
        if given(config, name).is_some_and(|value| !plain(value)) {
            return Err(Refusal::unsupported(&format!("{name} of queries")));
        }
    }
    word(config, "priority", &["INTERACTIVE", "BATCH", ""])?;
    Ok(())
}

fn destination(config: &Value, project: &str) -> Result<Option<Load>, Refusal> {
    let Some(reference) = given(config, "destinationTable") else {
        return Ok(None);
    };
    let (id, partition) = table_id(reference, project)?;
    let mut load = Load::new(Source::Uris(Vec::new()), Format::Json, id);
    load.partition = partition;
    load.create = load::create(config)?;
    load.write = load::write(config, WriteMode::Empty)?;
    (load.allow_addition, load.allow_relaxation) = load::updates(config)?;
    let (by, filter) = shape::partitioning(config)?;
    load.partitioning = by;
    load.require_partition_filter = filter;
    load.clustering = shape::clustering(config)?;
    Ok(Some(load))
}

fn parameters(config: &Value) -> Result<Vec<Parameter>, Refusal> {
    let list = match given(config, "queryParameters") {
        None => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => {
            return Err(super::super::json::wrong(
                "queryParameters",
                "a list is expected",
            ));
        }
    };
    let named = match word(config, "parameterMode", &["NAMED", "POSITIONAL", ""])? {
        Some("NAMED") => Some(true),
        Some(_) => Some(false),
        None => None,
    };
    list.iter()
        .map(|one| {
            only(one, "", &["name", "parameterType", "parameterValue"])?;
            let name = text(one, "name")?.filter(|name| !name.is_empty());
            if named.is_some_and(|named| named != name.is_some()) {
                return Err(Refusal::invalid(
                    "Parameters are all named or all positional, as parameterMode says",
                ));
            }
            let none = Value::Null;
            let kind = given(one, "parameterType").ok_or_else(|| missing("parameterType"))?;
            let value = given(one, "parameterValue").unwrap_or(&none);
            super::super::parameters::read(name, kind, value)
        })
        .collect()
}

/// Bytes that are billed for those that were read.
pub(super) fn billed(bytes: u64) -> u64 {
    match bytes {
        0 => 0,
        bytes => bytes
            .div_ceil(BILLED_STEP)
            .saturating_mul(BILLED_STEP)
            .max(BILLED_LEAST),
    }
}

/// A query that was planned: nothing was read yet.
pub(super) struct Planned {
    pub(super) location: String,
    pub(super) outcome: Outcome,
    pub(super) tables: Vec<TableId>,
}

impl Query {
    /// Where the job has to run: as it says, or where its datasets are.
    pub(super) fn location(
        &self,
        bigquery: &Bigquery,
        said: Option<&str>,
    ) -> Result<Option<String>, Refusal> {
        let named = self.destination.as_ref().map(|load| load.destination.of());
        super::insert::location(bigquery, said, named.iter().chain(self.dataset.iter()))
    }

    /// Plans it, as a dry run does.
    pub(super) async fn plan(
        &self,
        bigquery: &Bigquery,
        location: Option<&str>,
    ) -> Result<Planned, (SqlError, String)> {
        let catalog = match location {
            Some(location) => Located::new(bigquery.warehouse.clone(), location),
            None => Located::anywhere(bigquery.warehouse.clone()),
        };
        let catalog = catalog.with_jobs(bigquery.jobs.rows());
        let engine = bigquery.engine.over(Arc::new(catalog.clone()));
        let mut request = self.request.clone();
        request.dry_run = true;
        let found = engine.run(&request).await;
        let location = catalog.location().unwrap_or_else(|| "US".to_owned());
        match found.and_then(|outcome| self.affordable(outcome)) {
            Ok(outcome) => Ok(Planned {
                location,
                outcome,
                tables: catalog.tables(),
            }),
            Err(error) => Err((error, location)),
        }
    }

    fn affordable(&self, outcome: Outcome) -> Result<Outcome, SqlError> {
        if self.destination.is_some() && outcome.statement_type != "SELECT" {
            let kind = match (outcome.statement_type, &outcome.affected) {
                ("SCRIPT", _) => "scripts",
                (_, Some(_)) => "jobs with DML statements",
                _ => "jobs with DDL statements",
            };
            return Err(SqlError {
                reason: "invalidQuery",
                message: format!("Cannot set destination table in {kind}"),
            });
        }
        let needs = billed(outcome.bytes_processed);
        match self.maximum {
            Some(most) if needs > most => Err(SqlError {
                reason: "bytesBilledLimitExceeded",
                message: format!(
                    "Query exceeded limit for bytes billed: {most}. {needs} or higher required."
                ),
            }),
            _ => Ok(outcome),
        }
    }
}

/// The part of the statistics that belongs to a query.
pub(super) fn statistics(outcome: &Outcome, tables: &[TableId], dry: bool) -> Value {
    let bytes = outcome.bytes_processed;
    let tables: Vec<Value> = tables
        .iter()
        .filter(|table| !table.dataset.starts_with('_'))
        .map(table_reference)
        .collect();
    let charged = match outcome.statement_type {
        // Each statement is charged by itself.
        "SCRIPT" => diary::billed(&outcome.children),
        _ => billed(bytes),
    };
    let mut shown = json!({
        "totalBytesProcessed": bytes.to_string(),
        "totalBytesBilled": if dry { "0".to_owned() } else { charged.to_string() },
        "billingTier": i32::from(bytes > 0),
        "cacheHit": false,
        "statementType": outcome.statement_type,
        "referencedTables": tables,
    });
    if let Value::Object(map) = &mut shown {
        changes(outcome, map);
    }
    if let (true, Value::Object(map)) = (dry, &mut shown) {
        map.insert("schema".into(), schema::shown(&outcome.schema));
        map.insert("totalBytesProcessedAccuracy".into(), json!("PRECISE"));
    }
    shown
}

/// What a statement changed.
fn changes(outcome: &Outcome, shown: &mut Map<String, Value>) {
    if let Some(affected) = outcome.affected {
        shown.insert(
            "numDmlAffectedRows".into(),
            json!(affected.rows().to_string()),
        );
        shown.insert(
            "dmlStats".into(),
            json!({
                "insertedRowCount": affected.inserted.to_string(),
                "updatedRowCount": affected.updated.to_string(),
                "deletedRowCount": affected.deleted.to_string(),
            }),
        );
    }
    if let Some(target) = &outcome.target {
        let table = &target.table;
        if table.table.is_empty() {
            let dataset = json!({ "projectId": table.project, "datasetId": table.dataset });
            shown.insert("ddlTargetDataset".into(), dataset);
        } else {
            shown.insert("ddlTargetTable".into(), table_reference(table));
        }
        let operation = target.operation.name();
        shown.insert("ddlOperationPerformed".into(), json!(operation));
    }
}

pub(super) async fn run(work: Work) -> Result<Done, Vec<JobError>> {
    let job = Arc::clone(&work.job);
    let mut query = read(job.part(), &work.bigquery, &job.project).map_err(refused)?;
    let catalog = Located::new(work.bigquery.warehouse.clone(), &job.location)
        .with_jobs(work.bigquery.jobs.rows());
    query.request.job = Some(job.key());
    let diary = Noted::open(work.clone(), catalog.clone())
        .map_err(|error| vec![JobError::new("backendError", error.to_string())])?;
    query.request.diary = Some(Arc::new(diary));
    let engine = work.bigquery.engine.over(Arc::new(catalog.clone()));
    let outcome = tokio::select! {
        outcome = engine.run(&query.request) => outcome,
        _ = work.stop.told() => return Err(vec![JobError::new("stopped", "")]),
    };
    let outcome = outcome
        .and_then(|outcome| query.affordable(outcome))
        .map_err(|error| vec![failed(error)])?;
    let tables = catalog.tables();
    work.blocking(move |work| {
        let mut done = Done {
            statistics: statistics(&outcome, &tables, false),
            bytes_processed: Some(outcome.bytes_processed),
            ..Done::default()
        };
        if outcome.schema.fields.is_empty() || outcome.target.is_some() {
            return Ok(done);
        }
        // The rows are kept for who asks for the results, whatever becomes of the table that they are written to.
        let id = anonymous(&work.bigquery, &work.job)
            .and_then(|id| kept(&work.bigquery, id, &outcome))
            .map_err(|error| vec![JobError::new(error.reason(), error.to_string())])?;
        done.result = Some(id);
        if let Some(load) = &query.destination {
            written(work, load, &outcome, &done).map_err(of_load)?;
        }
        Ok(done)
    })
    .await
}

/// What was kept for a job while it ran is not needed any more.
pub(super) fn forget(bigquery: &Bigquery, job: &Job) {
    diary::forget(&bigquery.scripts, &job.key());
    let project = given(job.part(), "defaultDataset")
        .and_then(|dataset| dataset.get("projectId"))
        .and_then(Value::as_str)
        .unwrap_or(&job.project);
    let id = hidden_dataset(project, &job.key());
    match bigquery.warehouse.delete_dataset(&id, true) {
        Ok(()) | Err(TableError::NoDataset(_)) => {}
        Err(error) => tracing::warn!("temporary tables stay: {error}"),
    }
}

pub(super) fn failed(error: SqlError) -> JobError {
    JobError {
        reason: error.reason.to_owned(),
        location: Some("query".to_owned()).filter(|_| error.reason == "invalidQuery"),
        message: error.message,
    }
}

/// Puts the rows where the job wants them.
fn written(work: &Work, load: &Load, outcome: &Outcome, done: &Done) -> Result<(), LoadError> {
    let warehouse = work.bigquery.warehouse.stamped(&work.job.key());
    let rows = (&outcome.schema, outcome.batches.as_slice());
    write_rows(&warehouse, load, rows, &work.stop.flag, |_| {
        work.prepare(done.clone());
        Ok(())
    })?;
    Ok(())
}

/// A table that nobody sees, for the rows of one query.
pub(super) fn anonymous(bigquery: &Bigquery, job: &Job) -> Result<TableId, TableError> {
    let place: String = job
        .location
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let id = DatasetId::new(&job.project, format!("_results_{}", place.to_lowercase()));
    let meta = DatasetMeta {
        location: job.location.clone(),
        friendly_name: None,
        description: None,
        labels: std::collections::BTreeMap::new(),
        table_expiration_ms: None,
        partition_expiration_ms: None,
        access: None,
    };
    match bigquery.warehouse.create_dataset(&id, meta) {
        Ok(_) | Err(TableError::DatasetExists(_)) => {}
        Err(error) => return Err(error),
    }
    let name = uuid(bigquery.number()).replace('-', "");
    Ok(id.table(format!("anon{name}")))
}

/// Keeps the rows of a query in a table.
pub(super) fn kept(
    bigquery: &Bigquery,
    id: TableId,
    outcome: &Outcome,
) -> Result<TableId, TableError> {
    let warehouse = &bigquery.warehouse;
    let mut meta = TableMeta::new(outcome.schema.clone());
    meta.expires = Some(bigquery.now() + KEPT);
    let mut writer = warehouse.writer(&id, &meta, Target::Rows)?;
    for batch in &outcome.batches {
        writer.write(batch)?;
    }
    let files = writer.finish()?;
    warehouse.create_table(&id, meta, files)?;
    Ok(id)
}
