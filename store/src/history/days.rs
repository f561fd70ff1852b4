//! A DAG over months: how its runs went, day by day.

use std::ops::Range;

use tidemill_core::id::DagId;
use tidemill_core::state::RunState;
use tidemill_core::time::Timestamp;

use crate::bind::Args;
use crate::read::{BadCell, Read, Reader};
use crate::{Store, StoreError, sql};

/// The runs of one day that are in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayCount {
    /// The day in UTC on which what they cover begins, counted from 1970.
    pub day: i64,
    /// Where they stand.
    pub state: RunState,
    /// How many there are.
    pub count: u32,
}

impl Read for DayCount {
    const TABLE: &'static str = "run";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            day: from.int()?,
            state: from.word()?,
            count: from.count()?,
        })
    }
}

impl Store {
    /// How many runs of a DAG there are a day, by state, of those whose start lies within; by day.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn run_days(
        &self,
        dag: &DagId,
        within: Range<Timestamp>,
    ) -> Result<Vec<DayCount>, StoreError> {
        let args = Args::NONE
            .text(dag.as_str())
            .time(within.start)
            .time(within.end);
        self.db().rows(&sql::RUN_DAYS, args).await
    }
}
