//! What people do with a DAG: pause it.

use serde::Deserialize;
use tidemill_scheduler::engine::{Command, Pausable};

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
