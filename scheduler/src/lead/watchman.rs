//! Looks from time to time whether something is wrong that no run knows of: tasks that no worker takes, attempts that cannot
//! be stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;
use tidemill_core::protocol::AttemptNo;
use tidemill_core::spec::Severity;
use tidemill_core::time::Timestamp;
use tracing::warn;

use crate::engine::{Engine, Notice, StuckStop};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(30);

/// How long tasks may wait for a worker that is not there before somebody is told: a rolling restart takes less.
const PATIENCE: Duration = Duration::from_secs(120);

/// As long as it lasts, it is told again this often.
const AGAIN_SECONDS: i64 = 6 * 3600;

/// Where it is told: the route of the platform itself.
pub(super) const ROUTE: &str = "platform";

/// DAG, version and queue.
type Kind = (String, String, String);

/// Looks whether there are tasks that no worker takes, and attempts that cannot be stopped.
#[derive(Debug, Default)]
pub(super) struct Watchman {
    looked: Option<Timestamp>,
    since: BTreeMap<Kind, Timestamp>,
    /// When it was last told.
    told: BTreeMap<Kind, i64>,
    /// The stops that were told of. Another leader tells of them again, under the same key: it is not told twice.
    told_stops: BTreeSet<AttemptNo>,
}

impl Watchman {
    /// Looks, if it is time to. Says what somebody should know.
    pub(super) fn look(&mut self, engine: &Engine, now: Timestamp) -> Vec<Notice> {
        if self.looked.is_some_and(|looked| now.since(looked) < EVERY) {
            return Vec::new();
        }
        self.looked = Some(now);
        let mut notices = self.waiting(engine, now);
        notices.extend(self.stops(engine));
        notices
    }

    /// Tasks that no worker takes.
    fn waiting(&mut self, engine: &Engine, now: Timestamp) -> Vec<Notice> {
        let mut since = BTreeMap::new();
        let mut notices = Vec::new();
        for waiting in engine.fleet().waiting {
            if waiting.workers > 0 {
                continue;
            }
            let kind = (
                waiting.dag.to_string(),
                waiting.version.to_string(),
                waiting.queue.to_string(),
            );
            let began = self.since.get(&kind).copied().unwrap_or(now);
            let period = now.micros() / 1_000_000 / AGAIN_SECONDS;
            if now.since(began) >= PATIENCE && self.told.get(&kind) != Some(&period) {
                notices.push(notice(&kind, waiting.tasks, (began, period)));
                self.told.insert(kind.clone(), period);
            }
            since.insert(kind, began);
        }
        self.told.retain(|kind, _| since.contains_key(kind));
        self.since = since;
        notices
    }

    /// Attempts that cannot be stopped: each is told of once.
    fn stops(&mut self, engine: &Engine) -> Vec<Notice> {
        let stops = engine.stuck_stops();
        let new = |stop: &&StuckStop| !self.told_stops.contains(&stop.attempt.attempt);
        let notices = stops.iter().filter(new).map(stuck).collect();
        self.told_stops = stops.iter().map(|stop| stop.attempt.attempt).collect();
        notices
    }
}

fn stuck(stop: &StuckStop) -> Notice {
    let StuckStop {
        attempt,
        dag,
        run,
        task,
        since,
        worker,
        says,
    } = stop;
    let index = attempt.of.map_index;
    warn!(%dag, %run, %task, index, attempt = %attempt.attempt, "{says}");
    Notice {
        key: format!("stuck_stop/{}", attempt.attempt),
        route: ROUTE.to_owned(),
        severity: Severity::Critical,
        body: json!({
            "on": "stuck_stop", "dag": dag, "run": run, "run_no": attempt.of.run, "task": task, "map_index": index,
            "attempt": attempt.attempt, "worker": worker, "since": since, "why": says,
        }),
    }
}

fn notice((dag, version, queue): &Kind, tasks: usize, (began, period): (Timestamp, i64)) -> Notice {
    let short: String = version.chars().take(12).collect();
    let why = format!(
        "{tasks} tasks of {dag} wait since {began}: no worker holds version {short} and serves the queue `{queue}`"
    );
    warn!("{why}");
    Notice {
        key: format!("no_worker/{dag}/{version}/{queue}/{period}"),
        route: ROUTE.to_owned(),
        severity: Severity::Critical,
        body: json!({
            "on": "no_worker", "dag": dag, "version": version, "queue": queue, "tasks": tasks, "since": began, "why": why,
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::Value;
    use tidemill_core::author::Dag;
    use tidemill_core::operator::{TaskContext, TaskFn, TaskResult};
    use tidemill_core::protocol::{Hello, Report};
    use tidemill_core::spec::DagSpec;

    use super::*;
    use crate::engine::{Command, Config, Effect, Input, Request, Trigger};

    struct Work;

    impl TaskFn for Work {
        const NAME: &'static str = "work";
        const BLOCKING: bool = false;
        const DOC: &'static str = "";
        type Args = ();
        type Output = ();

        async fn call(_: &TaskContext, (): ()) -> TaskResult<()> {
            Ok(())
        }
    }

    const START: Timestamp = Timestamp::from_micros(1_735_689_600_000_000);

    fn at(seconds: u64) -> Timestamp {
        START.after(Duration::from_secs(seconds))
    }

    fn ask(engine: &mut Engine, command: Command) {
        let request = Request {
            id: 1,
            by: "test".into(),
            seen: None,
            dry_run: false,
            command,
        };
        engine.apply(Input::Ask(request), START);
    }

    /// An engine with a DAG, and a run of its only task.
    fn lonely() -> (Engine, Arc<DagSpec>) {
        let config = Config {
            lease: Duration::from_secs(86_400),
            ..Config::default()
        };
        let mut engine = Engine::new(config, START);
        let dag = Dag::build("lonely", |dag| {
            dag.call("only", || Work, ());
        });
        let spec = Arc::new(dag.spec().clone());
        let deploy = Input::Deploy {
            specs: vec![Arc::clone(&spec)],
            by: "test".into(),
        };
        engine.apply(deploy, START);
        let trigger = Trigger {
            dag: spec.id().clone(),
            name: None,
            covers: None,
            params: Value::Null,
            version: None,
            note: None,
        };
        ask(&mut engine, Command::Trigger(trigger));
        (engine, spec)
    }

    fn hello(spec: &DagSpec) -> Input {
        Input::Hello(Hello {
            worker: "w".into(),
            build: "b".into(),
            slots: 1,
            queues: vec!["default".into()],
            labels: BTreeMap::new(),
            hears_drain: true,
            versions: vec![(spec.id().clone(), spec.version())],
            holds: Vec::new(),
        })
    }

    fn told(watchman: &mut Watchman, engine: &Engine, seconds: u64) -> Vec<String> {
        let notices = watchman.look(engine, at(seconds));
        notices.into_iter().map(|notice| notice.key).collect()
    }

    #[test]
    fn tasks_that_no_worker_takes_are_told_of_once_and_not_before_a_restart_would_be_over() {
        let (mut engine, spec) = lonely();
        let mut watchman = Watchman::default();
        assert!(told(&mut watchman, &engine, 0).is_empty());
        assert!(told(&mut watchman, &engine, 60).is_empty());
        let keys = told(&mut watchman, &engine, 130);
        assert!(
            keys.len() == 1 && keys[0].starts_with("no_worker/lonely/"),
            "{keys:?}"
        );
        assert!(
            told(&mut watchman, &engine, 170).is_empty(),
            "it was told already"
        );
        engine.apply(hello(&spec), at(200));
        assert!(told(&mut watchman, &engine, 400).is_empty());
    }

    #[test]
    fn a_stop_that_takes_too_long_is_told_of_once() {
        let (mut engine, spec) = lonely();
        engine.apply(hello(&spec), START);
        let effects = engine.take().effects;
        let assigned = effects.iter().find_map(|effect| match effect {
            Effect::Assign { attempt, .. } => Some(*attempt),
            _ => None,
        });
        let attempt = assigned.expect("its worker is there");
        let run = attempt.of.run;
        ask(&mut engine, Command::CancelRun { run, note: None });
        let mut watchman = Watchman::default();
        let stuck = Input::Stuck {
            worker: "w".into(),
            attempt,
            why: "the service answers 503".into(),
            again: Duration::from_secs(300),
        };
        engine.apply(stuck, at(590));
        assert!(told(&mut watchman, &engine, 590).is_empty());
        engine.apply(Input::Tick, at(620));
        let notices = watchman.look(&engine, at(620));
        let [notice] = &notices[..] else {
            panic!("{notices:?}")
        };
        assert_eq!(notice.key, format!("stuck_stop/{}", attempt.attempt));
        let why = notice.body["why"].as_str().unwrap_or_default();
        assert!(why.contains("by worker w") && why.contains("the service answers 503"));
        engine.apply(Input::Tell(notice.clone()), at(620));
        assert_eq!(engine.take().changes.outbox.len(), 1);
        engine.apply(Input::Tick, at(4_000));
        assert!(
            told(&mut watchman, &engine, 4_000).is_empty(),
            "it was told already"
        );
        // Another leader tells of it again, under the same key: the outbox has that key.
        let again = told(&mut Watchman::default(), &engine, 4_000);
        assert!(again.len() == 1 && again[0] == notice.key, "{again:?}");
        let over = Input::Report {
            worker: "w".into(),
            attempt,
            report: Report::Stopped,
        };
        engine.apply(over, at(4_010));
        assert!(told(&mut Watchman::default(), &engine, 4_040).is_empty());
    }
}
