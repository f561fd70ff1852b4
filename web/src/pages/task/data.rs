//! What a task was given and what it gave: its configuration with everything filled in, its inputs, its output.

use serde_json::Value;
use tidemill_core::protocol::{AttemptNo, NOT_MAPPED};
use tidemill_core::spec::{Input, TaskSpec};
use tidemill_core::text::{TEXT_KEY, Values, fill, fill_json, pick};
use tidemill_store::record::TaskDetailRow;

use super::place::Place;
use super::tries::Try;
use crate::frame::Frame;
use crate::oops::Oops;
use crate::paths;

/// What is longer is cut.
const CHARS_MAX: usize = 20_000;
/// The outputs of so many tasks before it are looked up.
const UPSTREAM_MAX: usize = 16;

/// An argument.
pub(super) struct InputLine {
    pub(super) from: String,
    pub(super) href: Option<String>,
    pub(super) value: String,
}

/// What it was given, and what it gave.
#[derive(Default)]
pub(super) struct Data {
    pub(super) operator: String,
    pub(super) doc: Vec<(&'static str, String)>,
    pub(super) config: Option<String>,
    pub(super) inputs: Vec<InputLine>,
    pub(super) item: Option<String>,
    pub(super) output: Option<String>,
}

/// What placeholders are filled in from, as far as it is on record.
struct Facts {
    params: Value,
    item: Option<Value>,
    outputs: Vec<(String, Value)>,
    number: u32,
}

pub(super) async fn read(
    frame: &Frame,
    place: &Place,
    (one, detail): (Option<&Try>, Option<&TaskDetailRow>),
) -> Result<Data, Oops> {
    let Some(spec) = place.task_spec() else {
        return Ok(Data::default());
    };
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let facts = Facts {
        params: json(&place.run.params),
        item: detail.and_then(|detail| Some(json(detail.item.as_deref()?))),
        outputs: upstream(frame, place, spec).await?,
        number: one.map_or(1, |one| one.number),
    };
    let values = values(place, &facts);
    let mut config = spec.config.clone();
    fill_in(&mut config, &values);
    let output = match one {
        Some(one) => outputs(frame, &[one.attempt]).await?.pop(),
        None => None,
    };
    Ok(Data {
        operator: spec.operator.clone(),
        doc: facts_of(spec),
        config: (!config.is_null()).then(|| pretty(&config)),
        inputs: spec
            .inputs
            .iter()
            .map(|input| line(place, input, &values))
            .collect(),
        item: facts.item.as_ref().map(pretty),
        output: output.map(|(_, value)| pretty(&value)),
    })
}

/// What its author set, where it is not the usual.
fn facts_of(spec: &TaskSpec) -> Vec<(&'static str, String)> {
    let place = &spec.placement;
    let mut facts = vec![
        (
            "Pool",
            format!("{}, {} of its slots", place.pool, place.slots),
        ),
        ("Queue", place.queue.clone()),
        ("Retries", spec.retry.times.to_string()),
    ];
    let tables = spec.touches.writes.iter();
    facts.extend(tables.map(|to| ("Writes", format!("{} ({})", to.table, to.mode))));
    facts
}

/// What the tasks directly before it returned.
async fn upstream(
    frame: &Frame,
    place: &Place,
    spec: &TaskSpec,
) -> Result<Vec<(String, Value)>, Oops> {
    let mut text = spec.config.to_string();
    for input in &spec.inputs {
        match input {
            Input::Text(one) => text.push_str(one.as_str()),
            Input::Output { task, .. } => text.push_str(&format!("{{out.{task}")),
            _ => {}
        }
    }
    let store = frame.web.store();
    let mut found: Vec<(AttemptNo, String)> = Vec::new();
    for up in &spec.upstream {
        if found.len() >= UPSTREAM_MAX || !text.contains(&format!("{{out.{}", up.task)) {
            continue;
        }
        let row = store.task_named(place.run.id, (&place.dag, &up.task), NOT_MAPPED);
        // Of a mapped task it would be a list of all its instances' outputs, which may be long.
        if let Some(row) = row.await?.filter(|row| row.instances.is_none()) {
            found.push((row.ended_attempt, up.task.to_string()));
        }
    }
    let attempts: Vec<AttemptNo> = found.iter().map(|(attempt, _)| *attempt).collect();
    let outputs = outputs(frame, &attempts).await?.into_iter();
    let named = outputs.filter_map(|(attempt, value)| {
        let (_, name) = found.iter().find(|(known, _)| *known == attempt)?;
        Some((name.clone(), value))
    });
    Ok(named.collect())
}

async fn outputs(frame: &Frame, of: &[AttemptNo]) -> Result<Vec<(AttemptNo, Value)>, Oops> {
    if of.is_empty() {
        return Ok(Vec::new());
    }
    let rows = frame.web.store().outputs(of).await?.into_iter();
    let read = rows.map(|row| {
        let value = serde_json::from_str(&row.value);
        let value = value.unwrap_or_else(|_| Value::String(row.value.to_string()));
        (row.attempt, value)
    });
    Ok(read.collect())
}

fn values<'a>(place: &'a Place, facts: &'a Facts) -> Values<'a> {
    Values {
        interval: (place.run.start.date(), place.run.end.date()),
        zone: place.spec.definition.zone(),
        dag_id: place.dag.as_str(),
        run_id: &place.run.name,
        run_type: place.run.kind.word(),
        task_id: place.task.as_str(),
        map_index: u32::try_from(place.index).ok(),
        attempt: facts.number,
        // It is secret to nobody, but only the leader knows it.
        launch_key: "{launch_key}",
        params: &facts.params,
        item: facts.item.as_ref(),
        outputs: &facts.outputs,
        // Variables may be secret: their placeholders stay.
        variables: &[],
    }
}

/// Fills in what is on record; a text that needs more stays as it was written.
fn fill_in(json: &mut Value, values: &Values<'_>) {
    match json {
        Value::Object(map) if map.len() == 1 && map.get(TEXT_KEY).is_some_and(Value::is_string) => {
            let mut filled = Value::Object(map.clone());
            if fill_json(&mut filled, values).is_err() {
                filled = map.get(TEXT_KEY).cloned().unwrap_or_default();
            }
            *json = filled;
        }
        Value::Object(map) => map.values_mut().for_each(|one| fill_in(one, values)),
        Value::Array(items) => items.iter_mut().for_each(|one| fill_in(one, values)),
        _ => {}
    }
}

fn line(place: &Place, input: &Input, values: &Values<'_>) -> InputLine {
    let dotted = |of: &str, path: &[String]| {
        let parts = std::iter::once(of).chain(path.iter().map(String::as_str));
        parts.collect::<Vec<_>>().join(".")
    };
    let found = |value: Option<&Value>| value.map_or_else(|| "not on record".to_owned(), pretty);
    let item = || values.item.unwrap_or(&Value::Null);
    let (from, href, value) = match input {
        Input::Value(value) => ("a constant".to_owned(), None, pretty(value)),
        Input::Text(text) => {
            let filled = fill(text.as_str(), values);
            let filled = filled.unwrap_or_else(|_| text.as_str().to_owned());
            ("a text".to_owned(), None, cut(filled))
        }
        Input::Output { task, path, .. } => {
            let output = values
                .outputs
                .iter()
                .find(|(name, _)| task == name.as_str());
            let value = found(output.and_then(|(_, value)| pick(value, path)));
            let href = paths::task(&place.dag, &place.run.name, task.as_str(), NOT_MAPPED);
            (dotted(task.as_str(), path), Some(href), value)
        }
        Input::Params(path) => {
            let value = found(pick(values.params, path));
            (dotted("params", path), None, value)
        }
        Input::Item(path) => (dotted("item", path), None, found(pick(item(), path))),
        Input::Each(nth) => {
            let value = found(pick(item(), &[nth.to_string()]));
            (format!("list {}", nth + 1), None, value)
        }
    };
    InputLine { from, href, value }
}

fn pretty(value: &Value) -> String {
    cut(serde_json::to_string_pretty(value).unwrap_or_default())
}

fn cut(text: String) -> String {
    match text.char_indices().nth(CHARS_MAX) {
        Some((at, _)) => format!("{} … and more", &text[..at]),
        None => text,
    }
}
