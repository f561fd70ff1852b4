//! Standing by, leading, standing by again.

use std::sync::Arc;
use std::time::Duration;

use tidemill_core::crash;
use tidemill_core::time::Timestamp;
use tidemill_store::{Lead, Leader, Store, StoreError};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info, warn};

use super::clock::Clock;
use super::desk::{Answer, Ask};
use super::message::{NotLeading, ToLead};
use super::term::{Ended as TermEnded, Term};
use crate::engine::{Command, Config, Engine};
use crate::relay::{Sinks, relay};

/// How many messages wait for the leader before whoever sends them waits, too.
const INBOX_MAX: usize = 16_384;

/// After an error the lead is tried for again no sooner.
const REST: Duration = Duration::from_secs(1);

/// How long the end of a process waits for the lead to be given up.
const RESIGN_WITHIN: Duration = Duration::from_secs(3);

/// How a scheduler process is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who we are, and where we are found: `name http://host:port`. It stands in the leader's row.
    pub holder: String,
    /// How long the lead lasts without being renewed.
    pub lead_lease: Duration,
    /// How long a commit is tried again while the database cannot be reached.
    pub commit_within: Duration,
    /// The engine's own.
    pub engine: Config,
    /// The wall's clock.
    pub wall: fn() -> Timestamp,
    /// Where what leaves the system goes.
    pub sinks: Sinks,
}

impl Settings {
    /// How long the lead lasts without being renewed, if nobody says. With a quarter of it between two renewals, and a
    /// standby that looks every second, another one leads well within 15 seconds.
    pub const LEAD_LEASE: Duration = Duration::from_secs(10);
    /// How long a commit is tried again.
    pub const COMMIT_WITHIN: Duration = Duration::from_secs(3600);
}

/// The lead is renewed after this part of its lease.
pub(super) const RENEW_PART: u32 = 4;

/// Where a scheduler stands.
#[derive(Debug, Clone)]
pub enum Standing {
    /// It begins, or could not reach the database.
    Starting,
    /// Another one leads.
    Standby {
        /// Who: what stands in the leader's row.
        leader: String,
    },
    /// It leads.
    Leading {
        /// In this term.
        term: i64,
        /// Told what happens.
        to: mpsc::Sender<ToLead>,
    },
    /// It has ended.
    Ended,
}

/// The door to a scheduler of this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Process {
    standing: watch::Receiver<Standing>,
}

/// Why a process ended that was not told to.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The database is not one that it can lead on.
    #[error("{0}")]
    Store(#[from] StoreError),
}

impl Process {
    /// Starts one. It leads whenever it can, until `stop` is done; then it gives the lead up.
    pub fn start(
        store: Store,
        settings: Settings,
        stop: watch::Receiver<bool>,
    ) -> (Self, tokio::task::JoinHandle<Result<(), Ended>>) {
        let (say, standing) = watch::channel(Standing::Starting);
        let scheduler = Scheduler {
            store,
            settings: Arc::new(settings),
            say,
            stop,
        };
        (Self { standing }, tokio::spawn(scheduler.run()))
    }

    /// Where it stands now.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// Waits until it leads.
    ///
    /// # Errors
    /// It has ended.
    pub async fn leading(&self) -> Result<mpsc::Sender<ToLead>, NotLeading> {
        let mut standing = self.standing.clone();
        loop {
            match &*standing.borrow_and_update() {
                Standing::Leading { to, .. } => return Ok(to.clone()),
                Standing::Ended => return Err(NotLeading),
                Standing::Starting | Standing::Standby { .. } => {}
            }
            standing.changed().await.map_err(|_| NotLeading)?;
        }
    }

    /// The leader's inbox, if it leads now.
    ///
    /// # Errors
    /// It does not.
    pub fn inbox(&self) -> Result<mpsc::Sender<ToLead>, NotLeading> {
        match &*self.standing.borrow() {
            Standing::Leading { to, .. } => Ok(to.clone()),
            _ => Err(NotLeading),
        }
    }

    /// Asks for something.
    ///
    /// # Errors
    /// It does not lead, or ceased to before the answer was durable: whether it was done is then open.
    pub async fn ask(
        &self,
        by: &str,
        seen: Option<u32>,
        dry_run: bool,
        command: Command,
    ) -> Result<Answer, NotLeading> {
        let (reply, answer) = oneshot::channel();
        let ask = Ask {
            by: by.into(),
            seen,
            dry_run,
            command,
            reply,
        };
        let sent = self.inbox()?.send(ToLead::Ask(ask)).await;
        sent.map_err(|_| NotLeading)?;
        answer.await.map_err(|_| NotLeading)
    }

    /// Looks at the engine.
    ///
    /// # Errors
    /// It does not lead.
    pub async fn look<T: Send + 'static>(
        &self,
        at: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Result<T, NotLeading> {
        let (say, seen) = oneshot::channel();
        let access: super::message::Access = Box::new(move |engine| {
            let _ = say.send(at(engine));
        });
        let sent = self.inbox()?.send(ToLead::Look(access)).await;
        sent.map_err(|_| NotLeading)?;
        seen.await.map_err(|_| NotLeading)
    }
}

struct Scheduler {
    store: Store,
    settings: Arc<Settings>,
    say: watch::Sender<Standing>,
    stop: watch::Receiver<bool>,
}

impl Scheduler {
    async fn run(mut self) -> Result<(), Ended> {
        let ended = self.rounds().await;
        self.say.send_replace(Standing::Ended);
        ended
    }

    async fn rounds(&mut self) -> Result<(), Ended> {
        loop {
            let Some(leader) = self.stand_by().await? else {
                return Ok(());
            };
            let leader = Arc::new(leader);
            let term = leader.term();
            let ended = self.lead(&leader).await;
            match ended {
                Ok(TermEnded::Stopped) => {
                    self.say.send_replace(Standing::Ended);
                    if let Some(leader) = Arc::into_inner(leader) {
                        // Nobody has to wait for the lease to end. If this fails, it ends by itself.
                        let _ = timeout(RESIGN_WITHIN, leader.resign()).await;
                    }
                    info!(term, "gave the lead up");
                    return Ok(());
                }
                Ok(TermEnded::Deposed) => {
                    crash::here("scheduler_deposed");
                    warn!(term, "another scheduler leads now; standing by");
                }
                Err(error) => {
                    error!(term, "stopped leading: {error}");
                    sleep(REST).await;
                }
            }
            self.say.send_replace(Standing::Starting);
        }
    }

    /// Waits for the lead. None when the process is told to stop.
    async fn stand_by(&mut self) -> Result<Option<Leader>, Ended> {
        loop {
            let stopped = wait_for_stop(self.stop.clone());
            let tried = self
                .store
                .try_lead(&self.settings.holder, self.settings.lead_lease);
            let tried = tokio::select! {
                biased;
                () = stopped => return Ok(None),
                tried = tried => tried,
            };
            let pause = match tried {
                Ok(Lead::Taken(leader)) => return Ok(Some(leader)),
                Ok(Lead::Held { by, rest }) => {
                    self.stand_behind(by);
                    rest.clamp(Duration::from_millis(10), REST)
                }
                Err(error) if error.is_retryable() => {
                    warn!("cannot take the lead: {error}");
                    REST
                }
                Err(error) => return Err(error.into()),
            };
            tokio::select! {
                () = wait_for_stop(self.stop.clone()) => return Ok(None),
                () = sleep(pause) => {}
            }
        }
    }

    fn stand_behind(&self, by: String) {
        self.say.send_if_modified(|standing| {
            let same = matches!(standing, Standing::Standby { leader } if *leader == by);
            if !same {
                info!("standing by; {by} leads");
                *standing = Standing::Standby { leader: by };
            }
            !same
        });
    }

    async fn lead(&self, leader: &Arc<Leader>) -> Result<TermEnded, StoreError> {
        let began = Instant::now();
        let rows = self.store.recover().await?;
        crash::here("scheduler_recovering");
        let clock = Clock::new(self.settings.wall);
        let (engine, problems) = Engine::recover(self.settings.engine.clone(), &rows, clock.now());
        for problem in problems {
            error!("could not be recovered: {problem}");
        }
        let (to, inbox) = mpsc::channel(INBOX_MAX);
        let term = leader.term();
        info!(
            term,
            runs = rows.runs.len(),
            tasks = rows.tasks.len(),
            ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "leading"
        );
        drop(rows);
        self.say.send_replace(Standing::Leading { term, to });
        let (say, hold) = watch::channel(Hold::since(began));
        let renewing = tokio::spawn(renew(Arc::clone(leader), self.settings.lead_lease, say));
        let news = Arc::new(Notify::new());
        let relaying = tokio::spawn(relay(
            self.store.clone(),
            self.settings.sinks.clone(),
            Arc::clone(&news),
            self.settings.wall,
        ));
        let term = Term::new(
            self.store.clone(),
            Arc::clone(leader),
            (engine, clock),
            news,
        );
        let ended = term
            .run(inbox, hold, &self.settings, self.stop.clone())
            .await;
        for task in [renewing, relaying] {
            task.abort();
            let _ = task.await;
        }
        ended
    }
}

/// What is known of the lead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hold {
    /// When the database last said that we have it.
    confirmed: Instant,
    /// Another one has it.
    pub(super) lost: bool,
}

impl Hold {
    const fn since(confirmed: Instant) -> Self {
        Self {
            confirmed,
            lost: false,
        }
    }

    /// Whether nobody else can have it yet.
    pub(super) fn is_sure(&self, lease: Duration) -> bool {
        !self.lost && self.confirmed.elapsed() < lease
    }
}

/// Holds the lead for as long as it can. Ends when another one has it.
async fn renew(leader: Arc<Leader>, lease: Duration, say: watch::Sender<Hold>) {
    loop {
        sleep(lease / RENEW_PART).await;
        let asked = Instant::now();
        match leader.renew().await {
            Ok(true) => {
                say.send_replace(Hold::since(asked));
            }
            Ok(false) => {
                say.send_modify(|hold| hold.lost = true);
                return;
            }
            Err(error) => warn!("cannot renew the lead: {error}"),
        }
    }
}

/// Done once the process is told to stop, or nobody is left to tell it.
pub(super) async fn wait_for_stop(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
