//! What people do with a DAG: pause it, trigger it.

use serde::Deserialize;
use serde_json::Value;
use tidemill_scheduler::engine::{Command, Pausable, Trigger};

use crate::door::Asked;
use crate::frame::Frame;
use crate::input::Sent;
use crate::oops::Oops;
use crate::routes::ThisDag;
use crate::said::Done;

#[derive(Debug, Deserialize)]
pub(crate) struct PauseForm {
    pause: bool,
    seen: u32,
    #[serde(default)]
    to: String,
}

pub(crate) async fn pause(
    frame: Frame,
    ThisDag(dag): ThisDag,
    Sent(form): Sent<PauseForm>,
) -> Result<Done, Oops> {
    let word = if form.pause {
        "is paused: nothing of it starts"
    } else {
        "goes on"
    };
    let asked = Asked {
        by: frame.name(),
        seen: Some(form.seen),
        dry_run: false,
        command: Command::Pause {
            what: Pausable::Dag(dag.clone()),
            pause: form.pause,
        },
    };
    frame.web.door().ask(asked).await?;
    Ok(Done::at(&form.to, format!("{dag} {word}.")))
}

#[derive(Debug, Deserialize)]
pub(crate) struct TriggerForm {
    #[serde(default)]
    to: String,
}

/// A run with the params' defaults, for the last complete interval.
pub(crate) async fn trigger(
    frame: Frame,
    ThisDag(dag): ThisDag,
    Sent(form): Sent<TriggerForm>,
) -> Result<Done, Oops> {
    let trigger = Trigger {
        dag: dag.clone(),
        name: None,
        covers: None,
        params: Value::Object(serde_json::Map::new()),
        version: None,
        note: None,
    };
    let asked = Asked {
        by: frame.name(),
        seen: None,
        dry_run: false,
        command: Command::Trigger(trigger),
    };
    let changed = frame.web.door().ask(asked).await?;
    let made = changed.runs_made.first().map(|(_, name)| name.as_ref());
    let says = format!(
        "{dag} runs: {}.",
        made.unwrap_or("the run was there already")
    );
    Ok(Done::at(&form.to, says))
}
