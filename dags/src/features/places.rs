//! Where tasks run: with others on one thread, on a thread of their own, in a process of their own.

use tidemill::prelude::*;

use super::about;

pub(super) fn all() -> Vec<Dag> {
    vec![isolation(), functions()]
}

/// Sums up what a library without `async` would compute.
#[task]
fn compute(up_to: u64) -> TaskResult<u64> {
    Ok((1..=up_to).sum())
}

/// Does the same without blocking anybody.
#[task]
async fn compute_politely(ctx: &TaskContext, up_to: u64) -> TaskResult<u64> {
    let mut sum = 0;
    for number in 1..=up_to {
        if ctx.is_cancelled() {
            return Err(TaskError::cancelled(format!("stopped at {number}")));
        }
        sum += number;
    }
    ctx.progress(1.0, "summed up");
    Ok(sum)
}

/// A plain `fn` may block: it gets a thread of its own. An `async fn` shares one, and looks whether it should stop.
fn functions() -> Dag {
    Dag::build("example_blocking", |dag| {
        about(dag, "A function that blocks, and one that does not.");
        dag.call("blocking", compute, 1_000_u64);
        dag.call("async", compute_politely, 1_000_u64);
    })
}

/// A process of its own, without the worker's credentials: it may fall over, leak or take all memory.
fn isolation() -> Dag {
    Dag::build("example_isolated", |dag| {
        about(dag, "A task in a process of its own.");
        dag.call("apart", compute, 1_000_u64)
            .isolated()
            .timeout(minutes(5));
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill::testing::{DagRun, valid};

    #[test]
    fn both_ways_compute_the_same() {
        let ran = DagRun::of(&valid(functions())).run();
        assert_eq!(ran.output::<u64>("blocking"), ran.output::<u64>("async"));
    }
}
