//! Runs in short.

use tidemill_core::protocol::RunNo;

use crate::read::{BadCell, Read, Reader};
use crate::record::RunHead;

impl Read for RunHead {
    const TABLE: &'static str = "run";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            id: RunNo(from.int()?),
            dag: from.name()?,
            name: from.text()?,
            kind: from.word()?,
            state: from.word()?,
            start: from.time()?,
            end: from.time()?,
            started_at: from.opt_time()?,
            ended_at: from.opt_time()?,
        })
    }
}
