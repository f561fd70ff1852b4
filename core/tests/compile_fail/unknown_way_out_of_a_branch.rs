extern crate tidemill_core as tidemill;
use tidemill_core::prelude::*;
use tidemill_macros::{Choice, task};

#[derive(Choice)]
enum Way {
    Left,
}

#[derive(Choice)]
enum OtherWay {
    Right,
}

#[task]
fn choose() -> TaskResult<Way> {
    Ok(Way::Left)
}

fn main() {
    Dag::build("d", |dag| {
        let right = dag.empty("right");
        dag.branch("choose", choose, ()).when(OtherWay::Right, &right);
    });
}
