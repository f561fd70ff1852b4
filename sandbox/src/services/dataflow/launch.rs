//! Launching of templates.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::{Method as Verb, StatusCode};
use serde_json::{Value, json};

use super::{key, prefix, shown};
use crate::call::{Answer, Call, Refusal, Reply};
use crate::jobs::{Job, NewJob, Task, Work, stem};
use crate::route::Method;
use crate::services::{Service, fields};
use crate::state::State;

pub(super) fn methods() -> Vec<Method> {
    vec![
        Method::new(
            Service::Dataflow,
            "dataflow.projects.locations.templates.launch",
            Verb::POST,
            "/v1b3/projects/{project}/locations/{location}/templates:launch",
            classic,
        ),
        Method::new(
            Service::Dataflow,
            "dataflow.projects.locations.templates.create",
            Verb::POST,
            "/v1b3/projects/{project}/locations/{location}/templates",
            create,
        ),
        Method::new(
            Service::Dataflow,
            "dataflow.projects.locations.flexTemplates.launch",
            Verb::POST,
            "/v1b3/projects/{project}/locations/{location}/flexTemplates:launch",
            flex,
        ),
    ]
}

/// What all three ways have in the end.
struct Launch {
    name: String,
    template: String,
    flex: bool,
    parameters: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
    /// Names of steps of the job that is replaced.
    mapping: Option<BTreeMap<String, String>>,
    streaming: bool,
    update: bool,
    validate_only: bool,
}

impl Launch {
    /// Reads what stands at `pointer`.
    fn read(body: &Value, pointer: &str, template: &str, flex: bool) -> Result<Self, Refusal> {
        let at = |name: &str| format!("{pointer}/{name}");
        let flag = |name: &str| body.pointer(&at(name)) == Some(&json!(true));
        let parameters = fields::strings(body, &at("parameters"))?;
        let mapping = if flex {
            "transformNameMappings"
        } else {
            "transformNameMapping"
        };
        let mapping = fields::strings(body, &at(mapping))?;
        if !template.starts_with("gs://") || stem(template).is_empty() {
            return Err(Refusal::invalid(format!(
                "(template): {template:?} is not the path of a template; it begins with gs://"
            )));
        }
        Ok(Self {
            name: fields::need(body, &at("jobName"))?.to_owned(),
            template: stem(template).to_owned(),
            flex,
            labels: fields::strings(body, &at("environment/additionalUserLabels"))?,
            streaming: parameters
                .get("streaming")
                .is_some_and(|word| word == "true")
                || flag("environment/enableStreamingEngine"),
            parameters,
            mapping: (!mapping.is_empty()).then_some(mapping),
            update: flag("update"),
            validate_only: false,
        })
    }
}

async fn classic(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    fields::object(&body)?;
    let known = [
        "jobName",
        "parameters",
        "environment",
        "update",
        "transformNameMapping",
    ];
    fields::only(&body, "", &known)?;
    if call.query("dynamicTemplate.gcsPath").is_some() {
        return Err(Refusal::unsupported("dynamic templates"));
    }
    let template = call
        .query("gcsPath")
        .ok_or_else(|| Refusal::invalid("gcsPath is required"))?;
    let mut launch = Launch::read(&body, "", template, false)?;
    launch.validate_only = call.parsed("validateOnly")?.unwrap_or(false);
    answer(&state, &call, launch, |job| json!({ "job": job }))
}

async fn create(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    fields::object(&body)?;
    let known = [
        "gcsPath",
        "jobName",
        "parameters",
        "environment",
        "location",
    ];
    fields::only(&body, "", &known)?;
    let launch = Launch::read(&body, "", fields::need(&body, "/gcsPath")?, false)?;
    answer(&state, &call, launch, |job| job)
}

async fn flex(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    fields::object(&body)?;
    fields::only(&body, "", &["launchParameter", "validateOnly"])?;
    let known = [
        "jobName",
        "containerSpecGcsPath",
        "containerSpec",
        "parameters",
        "environment",
        "launchOptions",
        "update",
        "transformNameMappings",
    ];
    fields::only(&body, "/launchParameter", &known)?;
    if body.pointer("/launchParameter/containerSpec").is_some() {
        return Err(Refusal::unsupported(
            "containerSpec; give containerSpecGcsPath",
        ));
    }
    let template = fields::need(&body, "/launchParameter/containerSpecGcsPath")?;
    let mut launch = Launch::read(&body, "/launchParameter", template, true)?;
    launch.validate_only = body["validateOnly"] == json!(true);
    answer(&state, &call, launch, |job| json!({ "job": job }))
}

fn answer(state: &State, call: &Call, launch: Launch, wrap: impl Fn(Value) -> Value) -> Answer {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !fields::named(&launch.name, 1, 1_024, fits)
        || !launch.name.starts_with(|c: char| c.is_ascii_lowercase())
        || launch.name.ends_with('-')
    {
        return Err(Refusal::invalid(format!(
            "(name): The job name {:?} is invalid: it has to match [a-z]([-a-z0-9]{{0,1022}}[a-z0-9])?",
            launch.name
        )));
    }
    if launch.validate_only {
        return Ok(Reply::json(&json!({})));
    }
    let _alone = state.jobs.alone();
    let active = state
        .jobs
        .keyed(&prefix(call, call.part("location")))
        .into_iter()
        .find(|(_, job)| job.active() && job.name == launch.name);
    let old = match (active, launch.update) {
        (None, false) => None,
        (Some(old), true) => Some(old),
        (None, true) => {
            return Err(Refusal::not_found(format!(
                "(update): There is no active job named {} that could be replaced",
                launch.name
            )));
        }
        (Some((_, old)), false) => {
            return Err(Refusal::new(
                StatusCode::CONFLICT,
                "ALREADY_EXISTS",
                format!(
                    "({}): The workflow could not be created. Causes: There is already an active job named {}. If you want to submit a second job, try again by setting a different name.",
                    old.id, launch.name
                ),
            ));
        }
    };
    let job = start(state, call, launch, old.as_ref().map(|(_, job)| job))?;
    if let Some((key, _)) = &old {
        state
            .jobs
            .edit(key, |old| old.body["replacedBy"] = json!(job.id));
        state.jobs.replace(key);
    }
    let effect = format!("dataflow job {} {} started", job.name, job.id);
    Ok(Reply::json(&wrap(shown::job(&job))).effect(effect))
}

fn start(
    state: &State,
    call: &Call,
    launch: Launch,
    old: Option<&Arc<Job>>,
) -> Result<Arc<Job>, Refusal> {
    let number = state.jobs.number(0);
    let id = format!("{}-{number}", state.now().format("%Y-%m-%d_%H_%M_%S"));
    let streaming = launch.streaming || state.jobs.programs().streams(&launch.template);
    if old.is_some() && !streaming {
        return Err(super::precondition(format!(
            "(update): {} is a batch job; only streaming jobs can be replaced",
            launch.name
        )));
    }
    state
        .jobs
        .start(NewJob {
            key: key(call, &id),
            number,
            id,
            name: launch.name,
            tasks: vec![Task::new(Work::Program(launch.template), launch.parameters)],
            body: json!({
                "project": call.part("project"), "location": call.part("location"), "flex": launch.flex,
                "labels": launch.labels, "mapping": launch.mapping, "replaces": old.map(|job| &job.id),
            }),
            streaming,
            fault: state.faults.of_job(Service::Dataflow, call.method),
        })
        .map_err(|error| Refusal::internal(&error))
}
