//! What waits in one queue and what serves it, as one number an autoscaler can follow.

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};

use super::Gate;
use crate::engine::Fleet;

/// What waits in a queue and what serves it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct QueueLoad {
    /// The queue.
    pub queue: String,
    /// Whether the scheduler that answers leads. One that stands by holds no queue: its numbers are 0.
    pub leading: bool,
    /// How many tasks are ready and wait for a slot, of all DAGs.
    pub waiting: u64,
    /// How many attempts the workers of the queue run, those of other queues that they serve included.
    pub running: u64,
    /// Both together: how many slots the queue could use now. Workers should grow and shrink with this one; `waiting` alone
    /// is 0 while everything runs, and whoever followed it would stop workers that have work.
    pub load: u64,
    /// How many slots of these workers are free. Workers that take nothing new do not count, here and in `running`.
    pub slots_free: u64,
}

/// Answers for a queue. A scheduler that stands by answers, too: with zeros, so that an autoscaler can ask all of them and
/// follow the greatest answer without knowing who leads.
pub(super) async fn load(State(gate): State<Gate>, Path(queue): Path<String>) -> Json<QueueLoad> {
    let seen = gate.process().look(|engine| engine.fleet()).await;
    Json(of(&queue, seen.ok().as_ref()))
}

fn of(queue: &str, fleet: Option<&Fleet>) -> QueueLoad {
    let mut load = QueueLoad {
        queue: queue.to_owned(),
        leading: fleet.is_some(),
        ..QueueLoad::default()
    };
    let Some(fleet) = fleet else {
        return load;
    };
    let waiting = fleet.waiting.iter().filter(|of| &*of.queue == queue);
    load.waiting = waiting.map(|of| of.tasks as u64).sum();
    let workers = fleet.workers.iter().filter(|worker| !worker.draining);
    for worker in workers.filter(|worker| worker.queues.iter().any(|served| &**served == queue)) {
        load.running += u64::from(worker.used);
        load.slots_free += u64::from(worker.slots.saturating_sub(worker.used));
    }
    load.load = load.waiting + load.running;
    load
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet() -> Fleet {
        let worker = |name: &str, queues: &[&str], used: u32, draining: bool| {
            serde_json::json!({
                "name": name, "build": "1", "slots": 8, "used": used, "holds": used, "draining": draining,
                "queues": queues, "versions": 1, "lease_until": "2025-01-01T00:00:00Z",
            })
        };
        let waiting = |dag: &str, queue: &str, tasks: usize| {
            let version = "0".repeat(64);
            serde_json::json!({"dag": dag, "version": version, "queue": queue, "tasks": tasks, "workers": 1})
        };
        serde_json::from_value(serde_json::json!({
            "workers": [
                worker("a", &["default"], 8, false),
                worker("b", &["default", "spark"], 3, false),
                worker("c", &["default"], 5, true),
            ],
            "waiting": [waiting("orders", "default", 40), waiting("sales", "default", 2), waiting("sales", "spark", 7)],
        }))
        .expect("a fleet")
    }

    #[test]
    fn a_queue_is_counted_over_all_dags_and_workers_that_take_more() {
        let load = of("default", Some(&fleet()));
        assert_eq!((load.waiting, load.running, load.load), (42, 11, 53));
        assert_eq!(load.slots_free, 5);
        let spark = of("spark", Some(&fleet()));
        assert_eq!((spark.waiting, spark.running, spark.slots_free), (7, 3, 5));
    }

    #[test]
    fn a_queue_that_nobody_knows_and_a_scheduler_that_stands_by_have_nothing() {
        let nothing = QueueLoad {
            queue: "new".to_owned(),
            ..QueueLoad::default()
        };
        assert_eq!(of("new", None), nothing);
        let leading = of("new", Some(&fleet()));
        assert_eq!(
            leading,
            QueueLoad {
                leading: true,
                ..nothing
            }
        );
    }
}
