//! Looks from time to time whether something is wrong that no run knows of: tasks that no worker takes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tidemill_core::spec::Severity;
use tidemill_core::time::Timestamp;
use tracing::warn;

use crate::engine::{Engine, Notice};

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

/// Looks whether there are tasks that no worker takes.
#[derive(Debug, Default)]
pub(super) struct Watchman {
    looked: Option<Timestamp>,
    since: BTreeMap<Kind, Timestamp>,
    /// When it was last told.
    told: BTreeMap<Kind, i64>,
}

impl Watchman {
    /// Looks, if it is time to. Says what somebody should know.
    pub(super) fn look(&mut self, engine: &Engine, now: Timestamp) -> Vec<Notice> {
        if self.looked.is_some_and(|looked| now.since(looked) < EVERY) {
            return Vec::new();
        }
        self.looked = Some(now);
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
    use tidemill_core::protocol::Hello;

    use super::*;
    use crate::engine::{Command, Config, Input, Request, Trigger};

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

    #[test]
    fn tasks_that_no_worker_takes_are_told_of_once_and_not_before_a_restart_would_be_over() {
        let start = Timestamp::from_micros(1_735_689_600_000_000);
        let at = |seconds| start.after(Duration::from_secs(seconds));
        let mut engine = Engine::new(Config::default(), start);
        let dag = Dag::build("lonely", |dag| {
            dag.call("only", || Work, ());
        });
        let spec = Arc::new(dag.spec().clone());
        let deploy = Input::Deploy {
            specs: vec![Arc::clone(&spec)],
            by: "test".into(),
        };
        engine.apply(deploy, start);
        let trigger = Trigger {
            dag: spec.id().clone(),
            name: None,
            covers: None,
            params: Value::Null,
            version: None,
            note: None,
        };
        let request = Request {
            id: 1,
            by: "test".into(),
            seen: None,
            dry_run: false,
            command: Command::Trigger(trigger),
        };
        engine.apply(Input::Ask(request), start);

        let mut watchman = Watchman::default();
        let told = |watchman: &mut Watchman, engine: &Engine, seconds| {
            let notices = watchman.look(engine, at(seconds));
            notices
                .into_iter()
                .map(|notice| notice.key)
                .collect::<Vec<_>>()
        };
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

        let hello = Hello {
            worker: "w".into(),
            build: "b".into(),
            slots: 1,
            queues: vec!["default".into()],
            labels: BTreeMap::new(),
            versions: vec![(spec.id().clone(), spec.version())],
            holds: Vec::new(),
        };
        engine.apply(Input::Hello(hello), at(200));
        assert!(told(&mut watchman, &engine, 400).is_empty());
    }
}
