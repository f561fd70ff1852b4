//! What is set up is torn down, whatever happens between.

use tidemill::prelude::*;

use super::{about, say};

/// Whether the work fails, to see what happens then.
#[params]
struct Work {
    /// Whether it fails.
    #[param(default = false)]
    fails: bool,
}

#[task]
fn work(cluster: String, fails: bool) -> TaskResult<String> {
    if fails {
        return Err(TaskError::permanent(format!("it failed on {cluster}")));
    }
    Ok(format!("done on {cluster}"))
}

/// The cluster goes when the work is over, done or failed; a run that was cancelled removes it, too.
pub(super) fn setup_and_teardown() -> Dag {
    Dag::build("example_teardown", |dag| {
        about(dag, "A cluster for one task, removed whatever happens.");
        let params = dag.params::<Work>();
        let cluster = dag
            .call("create_cluster", say, "cluster-{ds_nodash}")
            .setup();
        let deleted = dag
            .call("delete_cluster", say, "deleting {out.create_cluster}")
            .teardown(&cluster);
        dag.between(&cluster, &deleted, |dag| {
            dag.call("work", work, (&cluster, params.pick::<bool>("fails")));
        });
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill::testing::{DagRun, valid};

    #[test]
    fn the_cluster_is_deleted_after_good_and_bad_work() {
        let dag = valid(setup_and_teardown());
        for fails in [false, true] {
            let ran = DagRun::of(&dag).param("fails", fails).run();
            assert_eq!(ran.order(), ["create_cluster", "work", "delete_cluster"]);
            if fails {
                ran.assert_failed();
            } else {
                ran.assert_success();
            }
        }
    }
}
