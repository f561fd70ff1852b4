//! What has to hold for jobs of every service: one job an epoch, whatever is lost, refused or killed on the way. The
//! sandbox's journal is the witness.

use std::any::{Any, TypeId};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tidemill::prelude::*;
use tidemill::testing::{DagRun, Ran, TaskRun, valid};
use tidemill_core::operator::{
    AnyTask, BoxFuture, Connection, Host, Interval, IntoTask, LaunchKey, LaunchPoint, Level,
    RunFacts,
};
use tidemill_core::protocol::{CheckResult, Load};
use tidemill_core::spec::TaskSpec;
use tidemill_operators::http::{Clients, Machine};
use tidemill_sandbox::{ProgramError, ProgramRun, Programs};

use crate::kit::Kit;

const KEY: &str = include_str!("../keys/service-account.json");

/// `count` gives a number; `breaks` fails; `slow` never ends by itself; `stream` runs until it is drained.
pub(crate) fn programs() -> Programs {
    Programs::default()
        .with("count", |run: ProgramRun| async move {
            run.log("counting");
            Ok(json!({ "rows": 3, "day": run.parameters().get("day") }))
        })
        .with("breaks", |_: ProgramRun| async move {
            Err(ProgramError("no such table".into()))
        })
        .with("slow", |_: ProgramRun| std::future::pending())
        .with_streaming("stream", |mut run: ProgramRun| async move {
            run.drained().await;
            Ok(json!({ "moved": 9 }))
        })
}

/// Connections to the sandbox, with tokens that end.
fn connections(kit: &Kit) -> [Connection; 2] {
    let google = kit
        .google()
        .with("region", "europe-west1")
        .with_secret("key", KEY)
        .with("token_endpoint", format!("{}/token", kit.base));
    let databricks = Connection::new("databricks", "databricks")
        .with("host", &kit.base)
        .with("client_id", "etl")
        .with_secret("client_secret", "secret");
    [google, databricks]
}

/// One attempt of a task with this operator, maybe stopped after a while.
pub(crate) fn attempt<M>(
    kit: &Kit,
    operator: &(impl IntoTask<M> + Clone),
    (epoch, attempt): (u32, u32),
    stop: Option<Duration>,
) -> Ran {
    let dag = valid(Dag::build("remote", |dag| {
        dag.schedule(Cron::daily());
        dag.add("task", operator.clone());
    }));
    let mut run = TaskRun::of(&dag, "task").day("2025-01-31");
    for connection in connections(kit) {
        run = run.connection(connection);
    }
    if let Some(stop) = stop {
        run = run.cancel_after(stop);
    }
    run.epoch(epoch).attempt(attempt).run()
}

/// Attempts of one epoch until one ends well, as far as the engine would try again.
pub(crate) fn until_done<M>(kit: &Kit, operator: &(impl IntoTask<M> + Clone), epoch: u32) -> Ran {
    let mut nth = 1;
    loop {
        let ran = attempt(kit, operator, (epoch, nth), None);
        match &ran.result {
            Err(error) if error.kind.is_retried() && nth < 6 => nth += 1,
            _ => return ran,
        }
    }
}

/// Methods of a service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Service {
    pub(crate) name: &'static str,
    pub(crate) submit: &'static str,
    pub(crate) get: &'static str,
    pub(crate) cancel: &'static str,
    /// What kind of failure it is when a job fails.
    pub(crate) fails_as: ErrorKind,
}

impl Service {
    /// How many jobs it took.
    pub(crate) fn accepted(&self, kit: &Kit) -> usize {
        let effects = kit.effects(self.submit);
        effects
            .iter()
            .filter(|one| one.ends_with(" started"))
            .count()
    }

    fn fault(&self, kit: &Kit, method: &str, (after, count): (u32, u32), kind: &Value) {
        kit.fault_of(self.name, method, (after, count), kind.clone());
    }
}

fn faults() -> Vec<Value> {
    vec![
        json!("lost_before"),
        json!("lost_after"),
        json!("truncated"),
        json!("html"),
        json!({"status": {"status": 500}}),
        json!({"status": {"status": 503, "retry_after": 7}}),
        json!({"status": {"status": 429, "retry_after": 7}}),
        json!({"latency": {"ms": 50}}),
        json!("expired_token"),
    ]
}

/// One job whatever happens to the request that launches it and to those that look at it.
pub(crate) fn one_job_whatever_is_lost<M>(
    service: Service,
    kit: impl Fn() -> Kit,
    operator: &(impl IntoTask<M> + Clone),
) {
    for fault in faults() {
        for count in [1, 3] {
            // A token that is refused twice is refused.
            if count > 1 && fault == json!("expired_token") {
                continue;
            }
            let kit = kit();
            service.fault(&kit, service.submit, (0, count), &fault);
            let ran = until_done(&kit, operator, 1);
            assert!(ran.result.is_ok(), "{fault} {count}: {:?}", ran.result);
            assert_eq!(service.accepted(&kit), 1, "{fault} {count}");
        }
        for after in [0, 1] {
            let kit = kit();
            service.fault(&kit, service.get, (after, 2), &fault);
            let ran = until_done(&kit, operator, 1);
            if fault != json!("expired_token") {
                assert!(
                    ran.result.is_ok(),
                    "{fault} after {after}: {:?}",
                    ran.result
                );
            }
            assert!(service.accepted(&kit) <= 1, "{fault} after {after}");
        }
    }
    let kit = kit();
    service.fault(&kit, service.get, (1, 1), &json!("expired_token"));
    assert!(attempt(&kit, operator, (1, 1), None).result.is_ok());
    assert_eq!(service.accepted(&kit), 1);
}

/// A worker that hears nothing more of what it began leaves one job, which the next attempts find.
pub(crate) fn later_attempts_adopt<M>(
    service: Service,
    kit: impl Fn() -> Kit,
    operator: &(impl IntoTask<M> + Clone),
) {
    for (fault, taken) in [(json!("lost_before"), 0), (json!("lost_after"), 1)] {
        let kit = kit();
        service.fault(&kit, service.submit, (0, 1_000), &fault);
        let ran = attempt(&kit, operator, (1, 1), None);
        // Some find it at once.
        if let Err(error) = &ran.result {
            assert!(error.kind.is_retried(), "{fault}: {error}");
        }
        assert_eq!(service.accepted(&kit), taken, "{fault}");
        kit.no_faults();
        for nth in 2..7 {
            let ran = attempt(&kit, operator, (1, nth), None);
            assert!(ran.result.is_ok(), "{fault} {nth}: {:?}", ran.result);
            assert_eq!(service.accepted(&kit), 1, "{fault} {nth}");
        }
    }
}

/// Jobs that end badly, vanish or are stuck: the next epoch launches another, and no attempt before.
pub(crate) fn one_job_an_epoch<M>(
    service: Service,
    kit: impl Fn() -> Kit,
    operator: &(impl IntoTask<M> + Clone),
) {
    let one = kit();
    let fails = json!({"job_fails": {"message": "out of memory"}});
    service.fault(&one, service.submit, (0, 1), &fails);
    for nth in 1..3 {
        let ran = attempt(&one, operator, (1, nth), None);
        assert_eq!(ran.error().kind, service.fails_as);
        let message = &ran.error().message;
        assert!(message.contains("out of memory"), "{message}");
        assert_eq!(service.accepted(&one), 1);
    }
    assert!(attempt(&one, operator, (2, 3), None).result.is_ok());
    assert_eq!(service.accepted(&one), 2);

    let one = kit();
    service.fault(&one, service.submit, (0, 1), &json!("job_vanishes"));
    let ran = attempt(&one, operator, (1, 1), None);
    assert_eq!(ran.error().kind, ErrorKind::Lost, "{}", ran.error());
    assert!(ran.took >= Duration::from_secs(60), "{:?}", ran.took);
    assert!(attempt(&one, operator, (2, 2), None).result.is_ok());
    assert_eq!(service.accepted(&one), 2);

    let one = kit();
    service.fault(&one, service.submit, (0, 1), &json!("job_stuck"));
    let ran = attempt(&one, operator, (1, 1), Some(Duration::from_secs(3600)));
    assert_eq!(ran.error().kind, ErrorKind::Cancelled, "{}", ran.error());
    assert_eq!(one.effects(service.cancel).len(), 1);
    let again = attempt(&one, operator, (1, 2), None);
    assert_eq!(
        again.error().kind,
        ErrorKind::Cancelled,
        "{}",
        again.error()
    );
    assert_eq!(service.accepted(&one), 1);
    assert!(attempt(&one, operator, (2, 3), None).result.is_ok());
    assert_eq!(service.accepted(&one), 2);
}

/// A job under the same key that another request made is never taken over.
pub(crate) fn a_stranger_is_refused<M>(
    service: Service,
    kit: &Kit,
    operator: &(impl IntoTask<M> + Clone),
    other: &(impl IntoTask<M> + Clone),
) {
    assert!(attempt(kit, operator, (1, 1), None).result.is_ok());
    let ran = attempt(kit, other, (1, 2), None);
    assert_eq!(ran.error().kind, ErrorKind::Permanent, "{}", ran.error());
    let message = &ran.error().message;
    assert!(message.contains("another request"), "{message}");
    assert!(!ran.error().help.is_empty());
    assert_eq!(service.accepted(kit), 1);
}

/// A worker that has a clock, the connections, and nothing else.
struct Bare {
    connections: [Connection; 2],
    clients: Arc<Clients>,
    now: DateTime<Utc>,
}

impl Host for Bare {
    fn now(&self) -> DateTime<Utc> {
        self.now
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn connection<'a>(&'a self, name: &'a str) -> BoxFuture<'a, TaskResult<Connection>> {
        let found = self.connections.iter().find(|one| one.name == name);
        let found = found.cloned().or_permanent("find the connection");
        Box::pin(std::future::ready(found))
    }

    fn variable<'a>(&'a self, name: &'a str) -> BoxFuture<'a, TaskResult<String>> {
        Box::pin(std::future::ready(Err(TaskError::permanent(name))))
    }

    fn log(&self, _: Level, _: &str) {}

    fn progress(&self, _: f64, _: &str) {}

    fn load(&self, _: Load) {}

    fn check(&self, _: CheckResult) {}

    fn is_cancelled(&self) -> bool {
        false
    }

    fn service(&self, _: TypeId) -> Option<Arc<dyn Any + Send + Sync>> {
        Some(Arc::clone(&self.clients) as Arc<_>)
    }
}

/// Facts of a task of the DAG `remote`, at a time of the sandbox's own.
fn facts(spec: &TaskSpec) -> RunFacts {
    let start = DateTime::UNIX_EPOCH;
    RunFacts {
        dag_id: "remote".to_owned(),
        run_id: "r1".to_owned(),
        run_type: "manual".to_owned(),
        task_id: spec.id.to_string(),
        map_index: None,
        attempt: 1,
        interval: Interval { start, end: start },
        zone: chrono_tz::UTC,
        params: json!({}),
        item: None,
        key: LaunchKey::of(&LaunchPoint {
            deployment: "test",
            dag: "remote",
            run: "r1",
            task: spec.id.as_str(),
            map_index: None,
            epoch: 1,
        }),
    }
}

/// What a worker of its own needs to run the only task of a DAG.
pub(crate) fn worker(kit: &Kit, dag: &Dag) -> (TaskContext, Box<dyn AnyTask>) {
    let spec = &dag.spec().definition.tasks[0];
    let host = Bare {
        connections: connections(kit),
        clients: Arc::new(Clients::new(Machine::default())),
        now: DateTime::UNIX_EPOCH,
    };
    let ctx = TaskContext::new(facts(spec), Arc::new(host));
    let task = dag.registry().make(spec, ctx.facts(), &[], &[]);
    (ctx, task.expect("it works"))
}

/// Does work up to so many steps, and drops it then, as a kill does.
pub(crate) fn kill_at<T>(kit: &Kit, moment: u32, mut doing: BoxFuture<'_, T>) {
    let mut polls = 0;
    kit.run(std::future::poll_fn(|cx| {
        polls += 1;
        match doing.as_mut().poll(cx) {
            Poll::Pending if polls < moment => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }));
}

/// A worker that is killed at whatever moment of launching leaves no job or one, which the next worker has.
pub(crate) fn a_kill_at_any_moment_leaves_one_job<M>(
    service: Service,
    kit: impl Fn() -> Kit,
    operator: &(impl IntoTask<M> + Clone),
) {
    let dag = valid(Dag::build("remote", |dag| {
        dag.schedule(Cron::daily());
        dag.add("task", operator.clone());
    }));
    for moment in 1..=20 {
        let kit = kit();
        // The job is there as long as it is not cancelled, so that its name is taken, too.
        service.fault(&kit, service.submit, (0, 100), &json!("job_stuck"));
        let (ctx, task) = worker(&kit, &dag);
        kill_at(&kit, moment, task.run(&ctx));
        let (ctx, task) = worker(&kit, &dag);
        let launched = kit.run(task.run(&ctx));
        assert!(
            matches!(launched, Ok(Outcome::Deferred { .. })),
            "{moment}: {launched:?}"
        );
        assert_eq!(service.accepted(&kit), 1, "{moment}");
    }
}

/// A worker dies after it launched a job and before it reports it. When the task is cancelled then, the job is found and
/// cancelled by whoever has only the key.
pub(crate) fn what_nobody_reported_is_released<M>(
    service: Service,
    kit: &Kit,
    operator: &(impl IntoTask<M> + Clone),
) {
    service.fault(kit, service.submit, (0, 1), &json!("job_stuck"));
    let dag = valid(Dag::build("remote", |dag| {
        dag.schedule(Cron::daily());
        dag.add("task", operator.clone());
    }));
    let (ctx, task) = worker(kit, &dag);
    // There is nothing to release yet.
    kit.run(task.cancel(&ctx, None)).expect("it works");
    assert!(kit.effects(service.cancel).is_empty());
    let launched = kit.run(task.run(&ctx));
    assert!(
        matches!(launched, Ok(Outcome::Deferred { .. })),
        "{launched:?}"
    );
    for _ in 0..2 {
        kit.run(task.cancel(&ctx, None)).expect("it works");
    }
    assert!(!kit.effects(service.cancel).is_empty());
    assert_eq!(service.accepted(kit), 1);
}

/// The engine's own way: what fails is launched again under another key, what is unclear is looked for.
pub(crate) fn the_engine_launches_once_an_epoch<M>(
    service: Service,
    kit: impl Fn() -> Kit,
    operator: &(impl IntoTask<M> + Clone),
) {
    let dag = valid(Dag::build("remote", |dag| {
        dag.schedule(Cron::daily());
        dag.add("task", operator.clone())
            .retry(Retry::times(5).every(Duration::from_secs(60)));
    }));
    let fails = json!({"job_fails": {"message": "out of memory"}});
    for (fault, epochs) in [
        (fails, 2),
        (json!("job_vanishes"), 2),
        (json!("lost_after"), 1),
    ] {
        if service.fails_as == ErrorKind::Permanent && fault.is_object() {
            continue;
        }
        let kit = kit();
        service.fault(&kit, service.submit, (0, 1), &fault);
        let mut run = DagRun::of(&dag);
        for connection in connections(&kit) {
            run = run.connection(connection);
        }
        run.run().assert_success();
        assert_eq!(service.accepted(&kit), epochs, "{fault}");
    }
}
