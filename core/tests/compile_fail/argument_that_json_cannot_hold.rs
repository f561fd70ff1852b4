extern crate tidemill_core as tidemill;
use tidemill_core::prelude::*;
use tidemill_macros::task;

struct Socket;

#[task]
fn send(socket: Socket) -> TaskResult {
    let _ = socket;
    Ok(())
}

fn main() {}
