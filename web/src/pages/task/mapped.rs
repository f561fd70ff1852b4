//! The instances of a mapped task.

use tidemill_core::protocol::MapIndex;

use super::place::Place;
use crate::frame::Frame;
use crate::html::{Chip, When, took};
use crate::oops::Oops;
use crate::paths;

const ROWS: u32 = 100;

/// How many instances are in a state, and where the first of them is.
pub(super) struct StateLine {
    pub(super) chip: Chip,
    pub(super) count: u32,
    pub(super) first: String,
}

/// An instance.
pub(super) struct InstanceLine {
    pub(super) index: MapIndex,
    pub(super) href: String,
    pub(super) chip: Chip,
    pub(super) number: u32,
    pub(super) since: When,
    pub(super) took: String,
}

/// A page of them.
pub(super) struct Instances {
    pub(super) total: u32,
    pub(super) states: Vec<StateLine>,
    pub(super) rows: Vec<InstanceLine>,
    pub(super) next: Option<String>,
}

/// Reads a page of them. None if the task is not mapped, or this is one of its instances.
pub(super) async fn read(
    frame: &Frame,
    place: &Place,
    after: Option<MapIndex>,
) -> Result<Option<Instances>, Oops> {
    let Some(of) = place.of() else {
        return Ok(None);
    };
    let store = frame.web.store();
    let states = store.instance_states((of.run, of.task)).await?;
    if place.is_instance() || states.is_empty() {
        return Ok(None);
    }
    let rows = store.instances((of.run, of.task), after.unwrap_or(-1), ROWS);
    let rows = rows.await?;
    let next = rows.last().filter(|_| rows.len() == ROWS as usize);
    let href = |index| paths::task(&place.dag, &place.run.name, place.task.as_str(), index);
    Ok(Some(Instances {
        total: states.iter().map(|one| one.count).sum(),
        next: next.map(|last| format!("{}?past={}", place.whole, last.of.map_index)),
        states: states
            .iter()
            .map(|one| StateLine {
                chip: one.state.into(),
                count: one.count,
                first: href(MapIndex::try_from(one.first).unwrap_or_default()),
            })
            .collect(),
        rows: rows
            .iter()
            .map(|row| {
                let end = if row.state.is_final() {
                    row.since
                } else {
                    frame.now
                };
                InstanceLine {
                    index: row.of.map_index,
                    href: href(row.of.map_index),
                    chip: row.state.into(),
                    number: row.number,
                    since: When(row.since),
                    took: row
                        .started_at
                        .map_or_else(|| "–".to_owned(), |at| took(end.since(at))),
                }
            })
            .collect(),
    }))
}
