//! How much runs at once, and what comes first.

use tidemill::prelude::*;

use super::about;

pub(super) fn all() -> Vec<Dag> {
    vec![pools(), keys()]
}

/// Works for some seconds.
#[task]
async fn work(ctx: &TaskContext, seconds: u64) -> TaskResult {
    ctx.sleep(tidemill::prelude::seconds(seconds)).await;
    Ok(())
}

/// A pool with two slots, shared by all DAGs that use it. What matters more goes first; the heavy task takes both slots, and
/// waits until both are free at once.
fn pools() -> Dag {
    Dag::build("example_pools", |dag| {
        about(dag, "Four tasks in a pool of two slots.");
        dag.pool("example_narrow");
        dag.call("heavy", work, 3).slots(2).weight(Weight::Absolute);
        dag.call("first", work, 2)
            .priority(10)
            .weight(Weight::Absolute);
        dag.call("second", work, 2)
            .priority(5)
            .weight(Weight::Absolute);
        dag.call("last", work, 1)
            .priority(-1)
            .weight(Weight::Absolute);
    })
}

/// Limits without a pool: on a task in all runs and in one, on all that has the same key, on the DAG.
fn keys() -> Dag {
    Dag::build("example_concurrency", |dag| {
        about(dag, "Limits on a task, on a key and on the DAG.");
        dag.max_active_runs(2)
            .max_active_tasks(8)
            .max_active_tasks_per_run(4);
        dag.map("by_customer", work_for, ["ada", "bob", "ada"])
            .concurrency_key("customer {item}", 1);
        dag.map("in_pairs", work, [1_u64, 1, 1, 1])
            .max_active_per_run(2)
            .max_active(3);
    })
}

/// Works for a customer.
#[task]
async fn work_for(ctx: &TaskContext, customer: String) -> TaskResult<String> {
    ctx.sleep(seconds(2)).await;
    Ok(customer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill::testing::{DagRun, valid};

    #[test]
    fn what_matters_more_goes_first_through_a_narrow_pool() {
        let ran = DagRun::of(&valid(pools())).pool("example_narrow", 2).run();
        assert_eq!(ran.order(), ["first", "second", "last", "heavy"]);
        assert_eq!(ran.took(), seconds(6));
    }

    #[test]
    fn a_customer_has_one_task_at_a_time() {
        let ran = DagRun::of(&valid(keys())).run();
        ran.assert_success();
        let began = [0, 1, 2].map(|nth| ran.began(&format!("by_customer[{nth}]")));
        assert_eq!(began[0], Some(seconds(0)));
        assert_eq!(began[2], began[0].map(|at| at + seconds(2)));
    }
}
