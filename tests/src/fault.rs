//! What can go wrong in a cycle.

use std::time::Duration;

use fastrand::Rng;
use rustix::process::Signal;
use tidemill_core::crash::POINTS;
use tidemill_postgres::How;
use tokio::time::sleep;

use crate::fleet::Fleet;

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A process dies at a place in its code.
    Crash {
        /// Which.
        victim: String,
        /// The place.
        point: &'static str,
        /// The how manieth time that it comes there.
        nth: u32,
    },
    /// A process is killed.
    Kill(String),
    /// It is told to end.
    Term(String),
    /// It stands still for so long.
    Pause(String, Duration),
    /// The database stops for so long.
    Database(How, Duration),
}

/// The pauses there are: some end before the leases of a cycle do, some after.
const PAUSE_MS: std::ops::Range<u64> = 200..5_000;

/// How many kinds of fault there are: each place, killing, ending, two of pausing, two of the database.
pub const KINDS: usize = POINTS.len() + 6;

impl Fault {
    /// One of a kind, from 0 to [`KINDS`].
    pub fn of(kind: usize, rng: &mut Rng, fleet: &Fleet) -> Self {
        let (schedulers, workers) = (fleet.schedulers(), fleet.workers());
        let one = |rng: &mut Rng, of: &[String]| of[rng.usize(..of.len())].clone();
        let all = [schedulers.clone(), workers.clone()].concat();
        let pause = |rng: &mut Rng| Duration::from_millis(rng.u64(PAUSE_MS));
        let apart = !workers.is_empty();
        if let Some(point) = POINTS.get(kind).copied() {
            // In one process nobody else can lead, and reports are not sent.
            if !apart && matches!(point, "scheduler_deposed" | "worker_report_said") {
                return Self::Kill(one(rng, &all));
            }
            let of = if apart && point.starts_with("worker") {
                &workers
            } else {
                &schedulers
            };
            let nth = match point {
                "scheduler_recovering" | "scheduler_deposed" | "worker_draining" => 1,
                _ => rng.u32(1..15),
            };
            let victim = one(rng, of);
            return Self::Crash { victim, point, nth };
        }
        match kind - POINTS.len() {
            1 => Self::Term(one(rng, &all)),
            2 | 3 => Self::Pause(one(rng, &all), pause(rng)),
            4 if apart => Self::Database(How::Fast, pause(rng)),
            5 if apart => Self::Database(How::Immediate, pause(rng)),
            _ => Self::Kill(one(rng, &all)),
        }
    }

    /// What has to be done before the load comes.
    pub async fn prepare(&self, fleet: &mut Fleet) {
        let Self::Crash { victim, point, nth } = self else {
            return;
        };
        let place = format!("{point}:{nth}");
        let flags = ["--crash-at", place.as_str()];
        if point.starts_with("worker")
            || fleet.cluster.is_none()
            || *point == "scheduler_recovering"
        {
            fleet.restart(victim, &flags).await;
            if fleet.cluster.is_some() {
                fleet.led().await;
            }
            return;
        }
        // It has to lead to come there: for a moment it is alone.
        for other in fleet.schedulers().iter().filter(|other| *other != victim) {
            fleet.process(other).signal(Signal::TERM);
            fleet.ended(other, Duration::from_secs(30)).await;
        }
        fleet.restart(victim, &flags).await;
        fleet.led().await;
        for other in fleet.schedulers().iter().filter(|other| *other != victim) {
            fleet.run(other, &[]);
        }
    }

    /// It happens, and heals.
    pub async fn strike(&self, fleet: &mut Fleet) {
        let soon = Duration::from_secs(10);
        match self {
            Self::Crash { victim, point, .. } => self.provoke(fleet, victim, point).await,
            Self::Kill(victim) => fleet.process(victim).kill(),
            Self::Term(victim) => {
                fleet.process(victim).signal(Signal::TERM);
                fleet.ended(victim, soon).await;
            }
            Self::Pause(victim, pause) => {
                fleet.process(victim).signal(Signal::STOP);
                sleep(*pause).await;
            }
            Self::Database(how, pause) => {
                if let Some(cluster) = &mut fleet.cluster {
                    cluster.stop(*how);
                }
                sleep(*pause).await;
            }
        }
        fleet.heal();
    }

    /// Sees to it that an armed process comes to its place, if it does not by itself.
    async fn provoke(&self, fleet: &mut Fleet, victim: &str, point: &str) {
        if !fleet.process(victim).is_armed() {
            return;
        }
        match point {
            "worker_draining" => fleet.process(victim).signal(Signal::TERM),
            "scheduler_recovering" if fleet.cluster.is_some() => {
                if let Some(leader) = fleet.leader().await {
                    fleet.process(&leader).kill();
                }
            }
            "scheduler_deposed" => {
                fleet.process(victim).signal(Signal::STOP);
                let others = Duration::from_secs(30);
                fleet
                    .until("another one leads", others, async |fleet| {
                        fleet.leader().await.filter(|leader| leader != victim)
                    })
                    .await;
                fleet.process(victim).signal(Signal::CONT);
            }
            _ => {}
        }
        // It may have less to do than it would take to come there, or have died before.
        let mut looks = 0;
        while fleet.process(victim).is_armed() && fleet.process(victim).ended().is_none() {
            sleep(Duration::from_millis(50)).await;
            looks += 1;
            if looks > 40 {
                fleet.process(victim).kill();
            }
        }
    }
}
