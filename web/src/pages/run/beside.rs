//! The runs of the same DAG before and after one, as its list has them.

use std::ops::Range;
use std::sync::Arc;

use tidemill_core::time::Timestamp;
use tidemill_store::history::{Cursor, RunFilter};
use tidemill_store::record::RunRow;

use crate::frame::Frame;
use crate::oops::Oops;

/// Of so many newer runs the next one is found; who looks further back than that goes by the list.
const NEWER_MAX: u32 = 100;

/// The names of the neighbours.
#[derive(Debug, Default)]
pub(in crate::pages) struct Beside {
    pub(in crate::pages) older: Option<Arc<str>>,
    pub(in crate::pages) newer: Option<Arc<str>>,
}

impl Beside {
    pub(in crate::pages) async fn of(frame: &Frame, run: &RunRow) -> Result<Self, Oops> {
        let store = frame.web.store();
        let of = |start: Range<Timestamp>| RunFilter {
            dag: Some(run.dag.clone()),
            start,
            ..RunFilter::default()
        };
        let ever = RunFilter::default().start;
        let older = store.runs(&of(ever.clone()), Cursor::from(run), 1).await?;
        let newer = store
            .runs(&of(run.start..ever.end), Cursor::START, NEWER_MAX)
            .await?;
        let is_all = newer.len() < NEWER_MAX as usize;
        let newer = newer
            .into_iter()
            .filter(|other| (other.start, other.id) > (run.start, run.id));
        Ok(Self {
            older: older.into_iter().next().map(|run| run.name),
            newer: newer.last().filter(|_| is_all).map(|run| run.name),
        })
    }
}
