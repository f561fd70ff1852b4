extern crate tidemill_core as tidemill;
use tidemill_core::prelude::*;

async fn load(day: NaiveDate) -> TaskResult {
    let _ = day;
    Ok(())
}

fn main() {
    Dag::build("d", |dag| {
        dag.call("load", load, interval::start_date());
    });
}
