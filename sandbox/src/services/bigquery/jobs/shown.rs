//! Jobs as REST has them.

use serde_json::{Map, Value, json};
use tidemill_warehouse::sql::JobRow;

use super::super::json::object;
use super::record::{Job, JobError, Kind, Phase};

/// Who asks for everything.
const USER: &str = "sandbox@tidemill.invalid";

/// As `INFORMATION_SCHEMA.JOBS` has it.
pub(super) fn row(job: &Job) -> JobRow {
    let statistics = &job.done.statistics;
    let word = |value: &Value| value.as_str().map(str::to_owned);
    JobRow {
        created: job.created,
        started: job.started,
        ended: job.ended,
        id: job.id.clone(),
        parent: job.parent.clone(),
        user: USER.to_owned(),
        kind: job.kind.name().to_uppercase(),
        statement_type: word(&statistics["statementType"]),
        query: word(&job.part()["query"]),
        state: job.phase.name().to_owned(),
        bytes_processed: job.done.bytes_processed,
        bytes_billed: statistics["totalBytesBilled"]
            .as_str()
            .and_then(|bytes| bytes.parse().ok()),
        error: job
            .error()
            .map(|error| (error.reason.clone(), error.message.clone())),
    }
}

/// The whole resource.
pub(super) fn job(job: &Job, public: &str) -> Value {
    let mut shown = object(json!({
        "kind": "bigquery#job",
        "etag": format!("j{}-{}", job.created.timestamp_micros(), job.version),
        "id": job.key(),
        "selfLink": format!(
            "{public}/bigquery/v2/projects/{}/jobs/{}?location={}", job.project, job.id, job.location
        ),
        "user_email": USER,
        "jobReference": reference(job),
        "status": status(job),
    }));
    shown.insert("configuration".into(), configuration(job));
    shown.insert("statistics".into(), statistics(job));
    Value::Object(shown)
}

/// As a list has it.
pub(super) fn listed(one: &Job, public: &str, full: bool) -> Value {
    let mut shown = match job(one, public) {
        Value::Object(shown) => shown,
        _ => Map::new(),
    };
    shown.insert("state".into(), json!(one.phase.name()));
    if let Some(error) = one.error() {
        shown.insert("errorResult".into(), self::error(error));
    }
    for name in ["etag", "selfLink"] {
        shown.remove(name);
    }
    if !full {
        // A list names the kind alone.
        let kind = json!({ "jobType": one.kind.name().to_uppercase() });
        shown.insert("configuration".into(), kind);
    }
    Value::Object(shown)
}

pub(super) fn reference(job: &Job) -> Value {
    json!({ "projectId": job.project, "jobId": job.id, "location": job.location })
}

pub(super) fn error(error: &JobError) -> Value {
    Value::Object(object(json!({
        "reason": error.reason,
        "location": error.location,
        "message": error.message,
    })))
}

pub(super) fn errors(job: &Job) -> Vec<Value> {
    job.errors.iter().map(error).collect()
}

fn status(job: &Job) -> Value {
    let mut status = Map::new();
    status.insert("state".into(), json!(job.phase.name()));
    if let Some(one) = job.error() {
        status.insert("errorResult".into(), error(one));
    }
    if !job.errors.is_empty() {
        status.insert("errors".into(), json!(errors(job)));
    }
    Value::Object(status)
}

fn configuration(job: &Job) -> Value {
    let mut configuration = job.configuration.clone();
    let kind = json!(job.kind.name().to_uppercase());
    if let Value::Object(map) = &mut configuration {
        map.insert("jobType".into(), kind);
        // Where the rows of a query are, also if the job did not say.
        let statistics = &job.done.statistics;
        let made = statistics
            .get("ddlTargetTable")
            .filter(|_| statistics["statementType"] == "CREATE_TABLE_AS_SELECT");
        let result = job.done.result.as_ref();
        let place = result
            .map(super::super::json::table_reference)
            .or_else(|| made.cloned());
        if let (Kind::Query, Some(place), Some(Value::Object(query))) =
            (job.kind, place, map.get_mut("query"))
        {
            query.entry("destinationTable").or_insert(place);
        }
    }
    configuration
}

fn statistics(job: &Job) -> Value {
    let millis = |at: chrono::DateTime<chrono::Utc>| at.timestamp_millis().to_string();
    let mut shown = object(json!({
        "creationTime": millis(job.created),
        "startTime": job.started.map(millis),
        "endTime": job.ended.map(millis),
        "totalBytesProcessed": job.done.bytes_processed.map(|bytes| bytes.to_string()),
    }));
    if let (Phase::Done, Some(started), Some(ended)) = (job.phase, job.started, job.ended) {
        let millis = (ended - started).num_milliseconds().max(0).to_string();
        shown.insert("totalSlotMs".into(), json!(millis));
        shown.insert("finalExecutionDurationMs".into(), json!(millis));
    }
    let more = object(json!({
        "parentJobId": job.parent,
        "scriptStatistics": job.frame,
        "numChildJobs": (job.children > 0).then(|| job.children.to_string()),
    }));
    shown.extend(more);
    if job.done.statistics.is_object() {
        shown.insert(job.kind.name().into(), job.done.statistics.clone());
    }
    Value::Object(shown)
}
