//! Everything that runs at once in a test, one step at a time and always in the same order.
//!
//! Time is virtual: when nothing can go on, the clock moves. What waits for something real, such as a server of the
//! test's own, is waited for in real time first.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::ops::Bound;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::clock::{Clock, Sleeper};

/// How long, in real time, something outside may take before virtual time goes on without it.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many turns what was spawned on the runtime gets before anything else is decided.
const TURNS: u32 = 16;

pub(super) type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What runs at once.
pub(super) struct Crew<T> {
    clock: Arc<Clock>,
    runtime: Runtime,
    bell: Arc<Bell>,
    members: BTreeMap<Sleeper, Member<T>>,
    /// Who had its turn last.
    last: Sleeper,
    next: Sleeper,
}

struct Member<T> {
    work: Work<T>,
    knock: Arc<Knock>,
    /// Whether it blocks its thread: then it may start a runtime of its own.
    blocking: bool,
    /// Whether it was waited for long enough.
    hangs: bool,
}

/// Rung when anybody can go on.
#[derive(Default)]
struct Bell {
    rung: AtomicBool,
    waits: Mutex<Option<Waker>>,
}

struct Knock {
    woken: AtomicBool,
    bell: Arc<Bell>,
}

impl Wake for Knock {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.bell.rung.store(true, Ordering::SeqCst);
        let waits = self.bell.waits.lock();
        if let Some(waker) = waits.unwrap_or_else(PoisonError::into_inner).take() {
            waker.wake();
        }
    }
}

impl Bell {
    async fn heard(&self) {
        poll_fn(|cx| {
            *self.waits.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
            if self.rung.swap(false, Ordering::SeqCst) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

impl<T> Crew<T> {
    #[track_caller]
    pub(super) fn new(clock: Arc<Clock>) -> Self {
        let outside = Handle::try_current().is_err();
        assert!(
            outside,
            "a run starts a runtime of its own: use a plain #[test] instead of #[tokio::test]"
        );
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.unwrap_or_else(|error| panic!("the test cannot start a runtime: {error}"));
        Self {
            clock,
            runtime,
            bell: Arc::default(),
            members: BTreeMap::new(),
            last: 0,
            next: 0,
        }
    }

    /// The number of the next member.
    pub(super) fn number(&mut self) -> Sleeper {
        self.next += 1;
        self.next
    }

    pub(super) fn add(&mut self, number: Sleeper, work: Work<T>, blocking: bool) {
        let knock = Arc::new(Knock {
            woken: AtomicBool::new(true),
            bell: Arc::clone(&self.bell),
        });
        let member = Member {
            work,
            knock,
            blocking,
            hangs: false,
        };
        self.members.insert(number, member);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Has a member look again at what it waits for.
    pub(super) fn rouse(&self, number: Sleeper) {
        if let Some(member) = self.members.get(&number) {
            Arc::clone(&member.knock).wake();
        }
        self.clock.rouse(number);
    }

    /// Lets everybody go on who can, in turns, until one of them is done.
    pub(super) fn next_done(&mut self) -> Option<(Sleeper, T)> {
        while let Some(number) = self.whose_turn() {
            self.last = number;
            let member = self.members.get_mut(&number)?;
            member.knock.woken.store(false, Ordering::SeqCst);
            member.hangs = false;
            let waker = Waker::from(Arc::clone(&member.knock));
            let inside = (!member.blocking).then(|| self.runtime.enter());
            let polled = member.work.as_mut().poll(&mut Context::from_waker(&waker));
            drop(inside);
            if let Poll::Ready(done) = polled {
                self.members.remove(&number);
                return Some((number, done));
            }
        }
        None
    }

    fn whose_turn(&self) -> Option<Sleeper> {
        let after = (Bound::Excluded(self.last), Bound::Unbounded);
        let in_turn = self
            .members
            .range(after)
            .chain(self.members.range(..=self.last));
        let mut woken = in_turn.filter(|(_, member)| member.knock.woken.load(Ordering::SeqCst));
        woken.next().map(|(number, _)| *number)
    }

    /// Waits in real time for what is outside. Whether anybody can go on.
    pub(super) fn wait_outside(&mut self) -> bool {
        self.runtime.block_on(async {
            for _ in 0..TURNS {
                yield_now().await;
            }
        });
        loop {
            if self.whose_turn().is_some() {
                return true;
            }
            let clock = &self.clock;
            let is_outside =
                |(number, member): (&Sleeper, &Member<T>)| member.is_outside(*number, clock);
            if !self.members.iter().any(is_outside) {
                return false;
            }
            let waited = self
                .runtime
                .block_on(async { timeout(PATIENCE, self.bell.heard()).await });
            if waited.is_err() {
                self.members
                    .values_mut()
                    .for_each(|member| member.hangs = true);
                return false;
            }
        }
    }
}

impl<T> Member<T> {
    /// Whether it waits for something that is not the virtual clock, and that may still come: somebody else holds its
    /// waker.
    fn is_outside(&self, number: Sleeper, clock: &Clock) -> bool {
        !self.hangs && Arc::strong_count(&self.knock) > 1 && !clock.sleeps(number)
    }
}
