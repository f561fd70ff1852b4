//! What a task asks a person, in the words they read: its placeholders filled in from what is on record.

use serde_json::Value;
use tidemill_core::protocol::NOT_MAPPED;
use tidemill_core::text::{Values, fill};
use tidemill_store::history::TaskOfRun;

use super::Of;
use crate::frame::Frame;
use crate::oops::Oops;

/// The outputs of so many tasks before it are looked up.
const UPSTREAM_MAX: usize = 16;

/// The question. One that needs more than is on record stays as its author wrote it.
pub(super) async fn filled(
    frame: &Frame,
    of: &Of,
    row: &TaskOfRun,
    text: &str,
) -> Result<String, Oops> {
    if !text.contains('{') {
        return Ok(text.to_owned());
    }
    let (run, task) = (&of.run, row.task.of);
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let detail = frame.web.store().task_detail(task).await?;
    let item = detail.and_then(|detail| Some(json(detail.item.as_deref()?)));
    let outputs = outputs(frame, of, row.task.name.as_str(), text).await?;
    let params = json(&run.params);
    let values = Values {
        interval: (run.start.date(), run.end.date()),
        zone: of.spec.definition.zone(),
        dag_id: run.dag.as_str(),
        run_id: &run.name,
        run_type: run.kind.word(),
        task_id: row.task.name.as_str(),
        map_index: u32::try_from(task.map_index).ok(),
        attempt: row.task.number.max(1),
        launch_key: "{launch_key}",
        params: &params,
        item: item.as_ref(),
        outputs: &outputs,
        // Variables may be secret: their placeholders stay.
        variables: &[],
    };
    Ok(fill(text, &values).unwrap_or_else(|_| text.to_owned()))
}

/// What the tasks before it returned, as far as the text names them.
async fn outputs(
    frame: &Frame,
    of: &Of,
    task: &str,
    text: &str,
) -> Result<Vec<(String, Value)>, Oops> {
    let store = frame.web.store();
    let spec = of.spec.definition.task(task);
    let upstream = spec.into_iter().flat_map(|spec| &spec.upstream);
    let named = upstream.filter(|up| text.contains(&format!("{{out.{}", up.task)));
    let mut found = Vec::new();
    for up in named.take(UPSTREAM_MAX) {
        let row = store.task_named(of.run.id, (&of.run.dag, &up.task), NOT_MAPPED);
        let Some(row) = row.await?.filter(|row| row.instances.is_none()) else {
            continue;
        };
        for output in store.outputs(&[row.ended_attempt]).await? {
            let value = serde_json::from_str(&output.value);
            let value = value.unwrap_or_else(|_| Value::String(output.value.to_string()));
            found.push((up.task.to_string(), value));
        }
    }
    Ok(found)
}
