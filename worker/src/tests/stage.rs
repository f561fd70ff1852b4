//! The scheduler's side, played by the test.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidemill_core::operator::{BoxFuture, LaunchKey, LaunchPoint};
use tidemill_core::protocol::{
    Assignment, AttemptNo, AttemptRef, Duty, Hello, InstanceRef, NOT_MAPPED, Report, RunNo, TaskNo,
    Verdict,
};
use tidemill_core::state::RunType;
use tidemill_core::time::Timestamp;
use tidemill_core::wire::{FromWorker, Order, ToWorker};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::ParseId as _;
use super::dags::dag;
use crate::session::Session;
use crate::{Config, Connect, ConnectError, Ended, Project, Services, Wire};

pub(super) const LEASE: Duration = Duration::from_secs(30);

/// Longer than anything in these tests takes.
const SOON: Duration = Duration::from_secs(600);

type Ends = (
    mpsc::Receiver<Vec<FromWorker>>,
    mpsc::UnboundedSender<Vec<ToWorker>>,
);

/// Gives the worker's connections to the test, while it wants any.
struct Plug {
    ends: mpsc::UnboundedSender<Ends>,
    open: Mutex<bool>,
    /// Whether another scheduler says that it leads.
    another: Mutex<bool>,
}

impl Connect for Plug {
    fn connect(&self) -> BoxFuture<'_, Result<Wire, ConnectError>> {
        let wire = if *self.open.lock().unwrap() {
            let (say, from) = mpsc::channel(16);
            let (to, hear) = mpsc::unbounded_channel();
            self.ends.send((from, to)).unwrap();
            Ok(Wire { say, hear })
        } else {
            Err(ConnectError::Later("it is unplugged".to_owned()))
        };
        Box::pin(std::future::ready(wire))
    }

    fn another_leads(&self) -> BoxFuture<'_, bool> {
        Box::pin(std::future::ready(*self.another.lock().unwrap()))
    }
}

pub(super) struct Stage {
    plug: Arc<Plug>,
    connections: mpsc::UnboundedReceiver<Ends>,
    from: mpsc::Receiver<Vec<FromWorker>>,
    to: mpsc::UnboundedSender<Vec<ToWorker>>,
    heard: VecDeque<FromWorker>,
    reports: VecDeque<(AttemptRef, Report)>,
    unanswered: Vec<AttemptRef>,
    session: JoinHandle<Result<(), Ended>>,
    stop: watch::Sender<bool>,
    attempts: i64,
    /// Whether the scheduler knows that it leads.
    leads: bool,
}

impl Stage {
    /// A worker that was welcomed.
    pub(super) async fn welcome() -> Self {
        let dag = dag();
        assert_eq!(dag.problems(), []);
        let project = Project::new(
            [Arc::new(dag.spec().clone())],
            dag.registry().clone(),
            std::collections::BTreeMap::new(),
            Services::default(),
        );
        let config = Config {
            name: "w".into(),
            build: "test".into(),
            slots: 8,
            queues: vec!["default".into()],
            labels: [("zone".into(), "europe-west3".into())].into(),
            grace: Duration::from_secs(10),
            isolation: crate::Isolation::default(),
            looks_per_second: std::collections::BTreeMap::new(),
            wall: Timestamp::default,
        };
        let (ends, mut connections) = mpsc::unbounded_channel();
        let plug = Arc::new(Plug {
            ends,
            open: Mutex::new(true),
            another: Mutex::new(false),
        });
        let (stop, stops) = watch::channel(false);
        let connect = Arc::clone(&plug);
        let session = tokio::spawn(async move {
            Session::new(config, Arc::new(project), Handle::current())
                .run(&*connect, stops)
                .await
        });
        let (from, to) = connections.recv().await.unwrap();
        let mut stage = Self {
            plug,
            connections,
            from,
            to,
            heard: VecDeque::new(),
            reports: VecDeque::new(),
            unanswered: Vec::new(),
            session,
            stop,
            attempts: 0,
            leads: true,
        };
        let hello = stage.greet().await;
        assert_eq!(hello.holds, []);
        stage
    }

    async fn greet(&mut self) -> Hello {
        let FromWorker::Offer { versions, .. } = self.hear().await else {
            panic!("it offers what it holds first")
        };
        self.tell(ToWorker::Need {
            versions: versions.clone(),
        });
        let FromWorker::Bring { specs, .. } = self.hear().await else {
            panic!("it brings what was asked for")
        };
        assert_eq!(specs.len(), versions.len());
        let FromWorker::Hello(hello) = self.hear().await else {
            panic!("it says hello")
        };
        self.tell(ToWorker::Welcome {
            lease: LEASE,
            hears_stuck: true,
        });
        hello
    }

    /// The next message that is neither a beat nor a report. Beats are answered.
    pub(super) async fn hear(&mut self) -> FromWorker {
        loop {
            if let Some(message) = self.heard.pop_front() {
                return message;
            }
            self.listen().await;
        }
    }

    /// The next report.
    pub(super) async fn report(&mut self) -> (AttemptRef, Report) {
        loop {
            if let Some((attempt, report)) = self.reports.pop_front() {
                self.unanswered.push(attempt);
                return (attempt, report);
            }
            self.listen().await;
        }
    }

    async fn listen(&mut self) {
        let messages = tokio::time::timeout(SOON, self.from.recv()).await;
        let messages = messages
            .expect("the worker says something")
            .expect("it is connected");
        for message in messages {
            match message {
                FromWorker::Beat { nth } => {
                    let leads = self.leads;
                    self.tell(ToWorker::Beaten { nth, leads });
                }
                FromWorker::Reports(reports) => self.reports.extend(reports),
                FromWorker::Logs(_) => {}
                other => self.heard.push_back(other),
            }
        }
    }

    pub(super) fn tell(&self, message: ToWorker) {
        self.to.send(vec![message]).unwrap();
    }

    pub(super) fn answer(&self, attempt: AttemptRef, verdict: Verdict) {
        self.tell(ToWorker::Answer(attempt, verdict));
    }

    /// Answers every report that was taken.
    pub(super) fn answer_all(&mut self) {
        for attempt in std::mem::take(&mut self.unanswered) {
            self.answer(attempt, Verdict::Recorded);
        }
    }

    /// A new attempt.
    pub(super) fn attempt(&mut self, task: &str) -> AttemptRef {
        self.attempts += 1;
        let at = dag().spec().definition.position(task).unwrap();
        AttemptRef {
            of: InstanceRef {
                run: RunNo(1),
                task: TaskNo(u32::try_from(at).unwrap()),
                map_index: NOT_MAPPED,
            },
            attempt: AttemptNo(self.attempts),
            hand: 0,
        }
    }

    pub(super) fn assign(&mut self, task: &str, duty: Duty) -> AttemptRef {
        self.assign_with(task, duty, |_| ())
    }

    pub(super) fn assign_with(
        &mut self,
        task: &str,
        duty: Duty,
        change: impl FnOnce(&mut Order),
    ) -> AttemptRef {
        let mut order = order(self.attempt(task), task, duty);
        change(&mut order);
        let attempt = order.assignment.attempt;
        self.tell(ToWorker::Assign(order));
        attempt
    }

    pub(super) fn assign_again(&self, attempt: AttemptRef, task: &str) {
        self.tell(ToWorker::Assign(order(attempt, task, Duty::Run)));
    }

    /// The connection breaks after everything that was said is heard, and the worker comes back.
    pub(super) async fn reconnect(&mut self) -> Hello {
        // The clock is virtual: it moves on only when nobody has anything left to do.
        tokio::time::sleep(Duration::from_millis(1)).await;
        *self.plug.open.lock().unwrap() = true;
        self.reports.clear();
        let (_, gone) = mpsc::channel(1);
        self.from = gone;
        let (nobody, _) = mpsc::unbounded_channel();
        self.to = nobody;
        let (from, to) = self.connections.recv().await.unwrap();
        (self.from, self.to) = (from, to);
        self.greet().await
    }

    /// The scheduler does not know any more whether it leads.
    pub(super) fn doubt(&mut self) {
        self.leads = false;
    }

    /// Another scheduler leads: the worker lets go of this connection and comes over the next.
    pub(super) async fn be_left(&mut self) -> Hello {
        *self.plug.another.lock().unwrap() = true;
        let left = async {
            while self.from.recv().await.is_some() {
                self.to
                    .send(vec![ToWorker::Beaten {
                        nth: 0,
                        leads: false,
                    }])
                    .ok();
            }
        };
        tokio::time::timeout(SOON, left).await.expect("it leaves");
        (self.from, self.to) = self.connections.recv().await.unwrap();
        self.leads = true;
        self.greet().await
    }

    /// The connection breaks, and there is no other.
    pub(super) fn fall_silent(&mut self) -> Instant {
        *self.plug.open.lock().unwrap() = false;
        let (_, gone) = mpsc::channel(1);
        self.from = gone;
        let (nobody, _) = mpsc::unbounded_channel();
        self.to = nobody;
        Instant::now()
    }

    /// The process is told to stop.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// How the worker ended.
    pub(super) async fn ended(self) -> Result<(), Ended> {
        tokio::time::timeout(SOON, self.session)
            .await
            .expect("it ends")
            .unwrap()
    }
}

fn order(attempt: AttemptRef, task: &str, duty: Duty) -> Order {
    let dag = dag();
    let point = LaunchPoint {
        deployment: "test",
        dag: "tests",
        run: "r",
        task,
        map_index: None,
        epoch: 1,
    };
    Order {
        assignment: Assignment {
            attempt,
            duty,
            dag: dag.spec().id().clone(),
            version: dag.spec().version(),
            run: "r".into(),
            run_type: RunType::Manual,
            task: task.parse_id(),
            number: 1,
            key: LaunchKey::of(&point),
            start: Timestamp::default(),
            end: Timestamp::default(),
            params: "{}".into(),
            item: None,
            handle: None,
            deadline: None,
        },
        outputs: Vec::new(),
    }
}
