//! What happened to a run: what people did, and what it loaded.

use tidemill_store::history::AuditOf;
use tidemill_store::record::{AuditRow, LoadRow};

use super::read::Of;
use crate::frame::Frame;
use crate::html::{Chip, Tone, When, took};
use crate::oops::Oops;

const ROWS: u32 = 100;
/// More loads are not shown at once: a mapped task may have thousands.
const LOADS_MAX: usize = 500;

/// A line of the audit log.
pub(super) struct Event {
    pub(super) at: When,
    pub(super) actor: String,
    pub(super) action: String,
    pub(super) target: String,
    pub(super) details: String,
}

/// A load.
pub(super) struct Loaded {
    pub(super) destination: String,
    pub(super) mode: String,
    pub(super) rows: i64,
    pub(super) rejected: i64,
    pub(super) files: i64,
    pub(super) at: When,
    pub(super) took: String,
    pub(super) chip: Chip,
    pub(super) error: String,
}

/// What happened.
pub(super) struct Events {
    pub(super) events: Vec<Event>,
    pub(super) older: Option<String>,
    pub(super) loads: Vec<Loaded>,
    /// Whether it loaded more than these.
    pub(super) loads_left: bool,
}

pub(super) async fn read(frame: &Frame, of: &Of, before: i64) -> Result<Events, Oops> {
    let store = frame.web.store();
    let audits = store.audits(&AuditOf::Run(of.run.id), before, ROWS).await?;
    let most = u32::try_from(LOADS_MAX + 1).unwrap_or(u32::MAX);
    let loads = store.loads_of_run(of.run.id, (i64::MIN, -1), most).await?;
    Ok(Events {
        older: audits
            .last()
            .filter(|_| audits.len() == ROWS as usize)
            .map(|last| format!("{}?tab=events&before={}", of.href(), last.id)),
        events: audits.into_iter().map(event).collect(),
        loads_left: loads.len() > LOADS_MAX,
        loads: loads.into_iter().take(LOADS_MAX).map(loaded).collect(),
    })
}

fn event(row: AuditRow) -> Event {
    Event {
        at: When(row.at),
        actor: row.actor.to_string(),
        action: row.action.to_string(),
        target: row.target.to_string(),
        details: match &*row.details {
            "{}" | "null" => String::new(),
            details => details.to_owned(),
        },
    }
}

fn loaded(row: LoadRow) -> Loaded {
    let load = row.load;
    let well = load.status == "success";
    Loaded {
        destination: match load.partition {
            Some(partition) => format!("{} ({partition})", load.destination),
            None => load.destination,
        },
        mode: load.mode,
        rows: load.rows_loaded,
        rejected: load.rows_rejected,
        files: load.files,
        at: When(load.ended_at),
        took: took(load.ended_at.since(load.started_at)),
        chip: if well {
            Chip::new(Tone::Ok, "Success")
        } else {
            Chip::new(Tone::Fail, "Failed")
        },
        error: load.error.unwrap_or_default(),
    }
}
