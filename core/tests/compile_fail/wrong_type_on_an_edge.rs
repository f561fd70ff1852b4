extern crate tidemill_core as tidemill;
use tidemill_core::prelude::*;
use tidemill_macros::task;

#[task]
fn pull() -> TaskResult<Vec<String>> {
    Ok(vec![])
}

#[task]
fn load(day: NaiveDate) -> TaskResult {
    let _ = day;
    Ok(())
}

fn main() {
    Dag::build("d", |dag| {
        let pages = dag.call("pull", pull, ());
        dag.call("load", load, &pages);
    });
}
