//! Why it is not running: every gate as a sentence, what is used of its limit, and who holds it.

use tidemill_core::protocol::NOT_MAPPED;
use tidemill_core::state::TaskState;
use tidemill_scheduler::engine::{Held, Holder};

use super::place::Place;
use crate::frame::Frame;
use crate::html::{Chip, Since};
use crate::oops::Oops;
use crate::paths;

/// How many holders of a gate are shown.
const SHOWN_MAX: usize = 5;

/// Who holds a gate.
pub(super) struct HolderLine {
    pub(super) words: String,
    pub(super) href: Option<String>,
    pub(super) chip: Chip,
    pub(super) since: Option<Since>,
}

/// One gate.
pub(super) struct GateLine {
    pub(super) open: bool,
    pub(super) says: String,
    pub(super) used: Option<String>,
    pub(super) holders: Vec<HolderLine>,
    pub(super) more: usize,
}

/// All gates before a task.
pub(super) struct WhyView {
    pub(super) first: String,
    pub(super) gates: Vec<GateLine>,
}

/// Asks the leader. None for a task that runs, or is over; but one whose last attempt is still being stopped says so.
pub(super) async fn read(frame: &Frame, place: &Place) -> Result<Option<WhyView>, Oops> {
    let state = place.state();
    let over = place.run.ended_at.is_some() || state.is_final();
    if state == TaskState::Running && !over {
        return Ok(None);
    }
    let door = frame.web.door();
    let asked = match place.of() {
        Some(of) => door.why(of).await.map(|why| {
            let ahead = why.as_ref().map_or(0, |why| why.ahead);
            (why.map(|why| why.gates), ahead)
        }),
        None => door.why_run(place.run.id).await.map(|gates| (gates, 0)),
    };
    let (gates, ahead) = match asked {
        Ok((Some(gates), ahead)) => (gates, ahead),
        Ok((None, _)) => return Ok(None),
        Err(_) if over => return Ok(None),
        // The rest of the page is of use all the same.
        Err(error) => {
            return Ok(Some(WhyView {
                first: format!("This cannot be said at the moment: {error}."),
                gates: Vec::new(),
            }));
        }
    };
    let first = gates.iter().find(|held| !held.open);
    if over && first.is_none() {
        return Ok(None);
    }
    let mut says = match first {
        Some(held) => sentence(&held.says),
        None => "Every gate is open: it is about to start.".to_owned(),
    };
    if ahead > 0 {
        let word = if ahead == 1 { "task is" } else { "tasks are" };
        says.push_str(&format!(" {ahead} {word} before it in the line."));
    }
    let mut lines = Vec::new();
    for held in &gates {
        lines.push(line(frame, place, held).await?);
    }
    Ok(Some(WhyView {
        first: says,
        gates: lines,
    }))
}

async fn line(frame: &Frame, place: &Place, held: &Held) -> Result<GateLine, Oops> {
    let mut holders = Vec::new();
    for holder in held.holders.iter().take(SHOWN_MAX) {
        holders.push(holder_line(frame, place, holder).await?);
    }
    Ok(GateLine {
        open: held.open,
        says: sentence(&held.says),
        used: held.limit.map(|limit| format!("{} of {limit}", held.used)),
        more: held.holders.len().saturating_sub(holders.len()),
        holders,
    })
}

async fn holder_line(frame: &Frame, place: &Place, holder: &Holder) -> Result<HolderLine, Oops> {
    let store = frame.web.store();
    let same = store.run_named(&place.dag, &holder.run_name).await?;
    let is_ours = same.is_some_and(|run| run.id == holder.run);
    let sees_all = frame.who().is_some_and(crate::access::Principal::sees_all);
    let since = holder.since.map(|at| Since { now: frame.now, at });
    let name = match &holder.task {
        Some((task, NOT_MAPPED)) => format!("{} · {task}", holder.run_name),
        Some((task, index)) => format!("{} · {task}[{index}]", holder.run_name),
        None => holder.run_name.to_string(),
    };
    let href = match &holder.task {
        Some((task, index)) => paths::task(&place.dag, &holder.run_name, task.as_str(), *index),
        None => paths::run(&place.dag, &holder.run_name),
    };
    Ok(HolderLine {
        // A gate may be shared with DAGs that this person may not know of.
        words: if is_ours || sees_all {
            name
        } else {
            "a run of another DAG".to_owned()
        },
        href: is_ours.then_some(href),
        chip: holder.state.into(),
        since,
    })
}

/// With a capital letter and a stop.
fn sentence(says: &str) -> String {
    let mut says = says.trim_end_matches('.').to_owned();
    if let Some(first) = says.get(..1) {
        let first = first.to_uppercase();
        says.replace_range(..1, &first);
    }
    says.push('.');
    says
}
