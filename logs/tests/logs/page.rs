//! What the other modules begin with.

use std::sync::Arc;

use tidemill_core::id::{DagId, TaskId};
use tidemill_core::protocol::{
    AttemptNo, AttemptRef, InstanceRef, LogChunk, LogPlace, NOT_MAPPED, RunNo, TaskNo,
};
use tidemill_core::time::Timestamp;
use tidemill_logs::Line;

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_micros(1_735_689_600_000_000 + millis * 1000)
}

pub(crate) fn attempt(number: i64) -> AttemptRef {
    AttemptRef {
        of: InstanceRef {
            run: RunNo(1),
            task: TaskNo(1),
            map_index: NOT_MAPPED,
        },
        attempt: AttemptNo(number),
        hand: 0,
    }
}

pub(crate) fn place(number: i64) -> LogPlace {
    LogPlace {
        dag: DagId::parse("orders").expect("it works"),
        run: "scheduled__2025-01-01T00:00:00+00:00".into(),
        run_no: RunNo(1),
        task: TaskId::parse("load.stock").expect("it works"),
        map_index: NOT_MAPPED,
        number: 1,
        attempt: AttemptNo(number),
    }
}

pub(crate) fn lines(chunks: &[LogChunk]) -> Vec<Line> {
    let texts = chunks.iter().map(|chunk| Arc::clone(&chunk.lines));
    texts
        .flat_map(|text| text.lines().map(Line::read).collect::<Vec<_>>())
        .collect()
}

pub(crate) fn texts(chunks: &[LogChunk]) -> Vec<String> {
    lines(chunks).into_iter().map(|line| line.text).collect()
}
