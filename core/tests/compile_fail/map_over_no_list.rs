extern crate tidemill_core as tidemill;
use tidemill_core::prelude::*;
use tidemill_macros::task;

#[task]
fn count() -> TaskResult<u64> {
    Ok(1)
}

#[task]
fn load(part: u64) -> TaskResult {
    let _ = part;
    Ok(())
}

fn main() {
    Dag::build("d", |dag| {
        let count = dag.call("count", count, ());
        dag.map("load", load, &count);
    });
}
