//! `jobs.insert`: looks at what is asked, writes it down and starts it.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use tidemill_warehouse::tables::{DatasetId, TableId};

use super::super::Bigquery;
use super::super::datasets;
use super::super::json::{change_labels, count, flag, given, text, wrong};
use super::super::refusal::{missing, of_reason};
use super::record::{Done, Job, JobError, Kind, Phase};
use super::select::Query;
use super::{copy, extract, load, run, select, shown};
use crate::call::{Answer, Call, Refusal, Reply};
use crate::services::Service;
use crate::services::fields::{named, object, only, uuid};
use crate::state::State;

/// `POST …/jobs`
pub(super) async fn insert(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    take(state, call.part("projectId"), body, None).await
}

/// Takes a job, with the file that came with it.
pub(super) async fn take(
    state: Arc<State>,
    project: &str,
    body: Value,
    upload: Option<PathBuf>,
) -> Answer {
    object(&body)?;
    let kept = upload.clone();
    let answer = taken(&state, project, body, upload).await;
    if let (Err(_), Some(path)) = (&answer, kept) {
        let _ = std::fs::remove_file(path);
    }
    answer
}

async fn taken(state: &Arc<State>, project: &str, body: Value, upload: Option<PathBuf>) -> Answer {
    let configuration = given(&body, "configuration").ok_or_else(|| missing("configuration"))?;
    only(
        configuration,
        "",
        &[
            "jobType",
            "load",
            "query",
            "copy",
            "extract",
            "labels",
            "dryRun",
            "jobTimeoutMs",
            "reservation",
        ],
    )?;
    change_labels(&mut std::collections::BTreeMap::new(), configuration)?;
    count(configuration, "jobTimeoutMs")?;
    let kind = kind(configuration)?;
    let new = New {
        project: project.to_owned(),
        id: identifier(&body, project)?,
        said: said(&body)?,
        kind,
        configuration: configuration.clone(),
        upload,
        request: None,
        method: "bigquery.jobs.insert",
    };
    if flag(configuration, "dryRun")?.unwrap_or(false) {
        return dry(state, new).await;
    }
    let job = new.start(state).await?;
    let reply = Reply::json(&shown::job(&job, &state.public));
    // A query that cannot be planned is told at once, and its job is there with the error.
    match job.error().filter(|_| job.kind == Kind::Query) {
        Some(error) => Err(of_reason(&error.reason, error.message.clone())),
        None => Ok(reply.effect(format!("job {} started", job.key()))),
    }
}

fn kind(configuration: &Value) -> Result<Kind, Refusal> {
    let mut kinds = Kind::ALL
        .into_iter()
        .filter(|kind| given(configuration, kind.name()).is_some());
    match (kinds.next(), kinds.next()) {
        (Some(kind), None) => Ok(kind),
        (None, _) => Err(missing("configuration.load, query, copy or extract")),
        _ => Err(Refusal::invalid(
            "A job has one of configuration.load, query, copy and extract",
        )),
    }
}

fn identifier(body: &Value, project: &str) -> Result<Option<String>, Refusal> {
    let Some(reference) = given(body, "jobReference") else {
        return Ok(None);
    };
    if text(reference, "projectId")?.is_some_and(|one| one != project) {
        return Err(wrong(
            "jobReference.projectId",
            "it is another project than that of the path",
        ));
    }
    match text(reference, "jobId")?.filter(|id| !id.is_empty()) {
        None => Ok(None),
        Some(id) => {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            if named(id, 1, 1_024, fits) {
                Ok(Some(id.to_owned()))
            } else {
                Err(Refusal::invalid(format!(
                    "Invalid job ID \"{id}\". Job IDs must be alphanumeric (plus underscores and dashes) and must be at most 1024 characters long."
                )))
            }
        }
    }
}

fn said(body: &Value) -> Result<Option<String>, Refusal> {
    let reference = given(body, "jobReference");
    let location = reference
        .map(|reference| text(reference, "location"))
        .transpose()?
        .flatten();
    Ok(location
        .filter(|location| !location.is_empty())
        .map(datasets::location))
}

/// A job that is to be.
pub(super) struct New {
    pub(super) project: String,
    pub(super) id: Option<String>,
    /// Where it is to run, if it says.
    pub(super) said: Option<String>,
    pub(super) kind: Kind,
    pub(super) configuration: Value,
    pub(super) upload: Option<PathBuf>,
    pub(super) request: Option<String>,
    pub(super) method: &'static str,
}

impl New {
    fn part(&self) -> &Value {
        self.configuration
            .get(self.kind.name())
            .unwrap_or(&Value::Null)
    }

    /// Writes the job down and starts it. A query that cannot be planned is done at once.
    pub(super) async fn start(self, state: &Arc<State>) -> Result<Arc<Job>, Refusal> {
        let bigquery = &state.bigquery;
        let mut failed = None;
        let location = match self.kind {
            Kind::Query => {
                let query = select::read(self.part(), bigquery, &self.project)?;
                let location = query.location(bigquery, self.said.as_deref())?;
                self.known(bigquery, location.as_deref())?;
                match query.plan(bigquery, location.as_deref()).await {
                    Ok(planned) => planned.location,
                    Err((error, location)) => {
                        failed = Some(select::failed(error));
                        location
                    }
                }
            }
            _ => self.place(bigquery)?,
        };
        // An identifier that is taken uses no fault up.
        self.known(bigquery, Some(&location))?;
        let fault = state.faults.of_job(Service::Bigquery, self.method);
        let now = state.now();
        let id = self
            .id
            .unwrap_or_else(|| format!("job_{}", uuid(bigquery.number())));
        let done = failed.is_some();
        let job = Job {
            project: self.project,
            id,
            location,
            kind: self.kind,
            configuration: self.configuration,
            phase: if done { Phase::Done } else { Phase::Pending },
            created: now,
            started: done.then_some(now),
            ended: done.then_some(now),
            failed: done,
            errors: failed.into_iter().collect(),
            done: Done::default(),
            prepared: None,
            fault,
            upload: self.upload,
            request: self.request,
            version: 1,
            parent: None,
            frame: None,
            children: 0,
        };
        let job = bigquery.jobs.add(job)?;
        if !done && !job.vanished() {
            run::start(bigquery, &job.key());
        }
        Ok(job)
    }

    /// Fails if there is a job of this name.
    fn known(&self, bigquery: &Bigquery, location: Option<&str>) -> Result<(), Refusal> {
        let (Some(id), Some(location)) = (&self.id, location) else {
            return Ok(());
        };
        let key = super::record::key(&self.project, location, id);
        match bigquery.jobs.shelf.get(&key) {
            Some(_) => Err(of_reason("duplicate", format!("Already Exists: Job {key}"))),
            None => Ok(()),
        }
    }

    /// Reads a job that is no query, and finds where it runs.
    fn place(&self, bigquery: &Bigquery) -> Result<String, Refusal> {
        let tables: Vec<TableId> = match self.kind {
            Kind::Load => {
                let upload = self.upload.clone();
                vec![load::read(self.part(), &self.project, upload)?.destination]
            }
            Kind::Copy => {
                let copy = copy::read(self.part(), &self.project)?;
                let sources = copy.sources.into_iter().map(|(id, _)| id);
                std::iter::once(copy.destination).chain(sources).collect()
            }
            Kind::Extract => vec![extract::read(self.part(), &self.project)?.0],
            Kind::Query => Vec::new(),
        };
        let datasets: Vec<DatasetId> = tables.iter().map(TableId::of).collect();
        let found = location(bigquery, self.said.as_deref(), datasets.iter())?;
        Ok(found.unwrap_or_else(|| "US".to_owned()))
    }
}

/// Where a job runs: where it says, and all of its datasets have to be there.
pub(super) fn location<'a>(
    bigquery: &Bigquery,
    said: Option<&str>,
    datasets: impl Iterator<Item = &'a DatasetId>,
) -> Result<Option<String>, Refusal> {
    let mut place = said.map(str::to_owned);
    for id in datasets {
        let found = bigquery
            .warehouse
            .dataset(id)
            .map_err(|_| match &place {
                Some(place) => Refusal::not_found(format!(
                    "Not found: Dataset {id} was not found in location {place}"
                )),
                None => Refusal::not_found(format!("Not found: Dataset {id}")),
            })?
            .meta
            .location;
        match &place {
            Some(place) if *place != found => {
                return Err(Refusal::not_found(format!(
                    "Not found: Dataset {id} was not found in location {place}"
                )));
            }
            _ => place = Some(found),
        }
    }
    Ok(place)
}

/// A dry run: the job is looked at and not kept.
async fn dry(state: &Arc<State>, new: New) -> Answer {
    let bigquery = &state.bigquery;
    let now = state.now();
    let mut job = Job {
        project: new.project.clone(),
        id: new.id.clone().unwrap_or_default(),
        location: String::new(),
        kind: new.kind,
        configuration: new.configuration.clone(),
        phase: Phase::Done,
        created: now,
        started: None,
        ended: None,
        errors: Vec::<JobError>::new(),
        failed: false,
        done: Done::default(),
        prepared: None,
        fault: None,
        upload: None,
        request: None,
        version: 1,
        parent: None,
        frame: None,
        children: 0,
    };
    if new.kind != Kind::Query {
        return Err(Refusal::unsupported("dry runs of jobs other than queries"));
    }
    let query: Query = select::read(new.part(), bigquery, &new.project)?;
    let location = query.location(bigquery, new.said.as_deref())?;
    let planned = query
        .plan(bigquery, location.as_deref())
        .await
        .map_err(|(error, _)| of_reason(error.reason, error.message))?;
    job.location = planned.location;
    job.done.bytes_processed = Some(planned.outcome.bytes_processed);
    job.done.statistics = select::statistics(&planned.outcome, &planned.tables, true);
    let mut shown = shown::job(&job, &state.public);
    if let Some(Value::Object(reference)) = shown.get_mut("jobReference")
        && job.id.is_empty()
    {
        reference.remove("jobId");
        let id = json!(format!("{}:{}.", job.project, job.location));
        if let Value::Object(map) = &mut shown {
            map.insert("id".into(), id);
            map.remove("selfLink");
        }
    }
    Ok(Reply::json(&shown))
}
