extern crate tidemill_core as tidemill;
use tidemill_core::prelude::*;
use tidemill_macros::task;

#[task]
async fn send(ctx: &TaskContext, name: &str) -> TaskResult {
    let _ = (ctx, name);
    Ok(())
}

fn main() {}
