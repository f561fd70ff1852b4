//! What people do with a DAG: pause it, let it go on, and have it run at once.

use serde::Deserialize;
use tidemill_scheduler::engine::{Command, Pausable};

use super::trigger::plain_trigger;
use crate::door::Asked;
use crate::frame::Frame;
use crate::input::Sent;
use crate::oops::Oops;
use crate::paths;
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
pub(crate) struct ResumeForm {
    seen: u32,
}

/// The DAG goes on, and runs now. One that asks for params is triggered by its form.
pub(crate) async fn resume_and_run(
    frame: Frame,
    ThisDag(dag): ThisDag,
    Sent(form): Sent<ResumeForm>,
) -> Result<Done, Oops> {
    let ask = |seen, command| {
        let by = frame.name();
        let dry_run = false;
        let asked = Asked {
            by,
            seen,
            dry_run,
            command,
        };
        frame.web.door().ask(asked)
    };
    let known = super::dag::known(&frame, &dag).await?;
    if known.row.version.is_none() {
        let says = format!("the DAG `{dag}` was removed; it makes no new runs");
        return Err(Oops::invalid(says));
    }
    let resume = Command::Pause {
        what: Pausable::Dag(dag.clone()),
        pause: false,
    };
    ask(Some(form.seen), resume).await?;
    if !known.spec.definition.params.is_empty() {
        let to = format!("{}/trigger", paths::dag(&dag));
        return Ok(Done::at(
            &to,
            format!("{dag} goes on. Its run is asked for here."),
        ));
    }
    let done = match ask(None, Command::Trigger(plain_trigger(&dag))).await {
        Ok(changed) => match changed.runs_made.first() {
            Some((_, name)) => {
                Done::at(&paths::run(&dag, name), format!("{dag} goes on and runs."))
            }
            None => Done::at(
                &paths::dag(&dag),
                format!("{dag} goes on; the run was there already."),
            ),
        },
        // The first of the two is done, whatever became of the second.
        Err(error) => {
            let says = format!("{dag} goes on, but no run was made: {error}");
            Done::at(&paths::dag(&dag), says)
        }
    };
    Ok(done)
}
