//! Cycles of one random fault each under a running load, audited one by one.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use fastrand::Rng;
use tidemill_core::protocol::RunNo;
use tokio::time::Instant;

use crate::audit::{self, Counts};
use crate::fault::{Fault, KINDS};
use crate::fleet::{Fleet, Setup};
use crate::plant::SILENT;

/// Runs of a cycle.
const RUNS: usize = 2;

/// What some cycles came to.
#[derive(Debug, Clone, Default)]
pub struct Sum {
    /// How many.
    pub cycles: usize,
    /// What was counted in all of them.
    pub counts: Counts,
    /// How often each kind of fault was there.
    pub faults: BTreeMap<String, usize>,
    /// How long they took.
    pub took: Duration,
}

impl Sum {
    /// Both together.
    pub fn add(&mut self, other: &Self) {
        self.cycles += other.cycles;
        self.took = self.took.max(other.took);
        self.count(&other.counts);
        for (fault, times) in &other.faults {
            *self.faults.entry(fault.clone()).or_default() += times;
        }
    }

    fn count(&mut self, other: &Counts) {
        self.counts.runs += other.runs;
        self.counts.tasks += other.tasks;
        self.counts.attempts += other.attempts;
        self.counts.lost += other.lost;
        self.counts.jobs += other.jobs;
        self.counts.refused += other.refused;
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts {
            runs,
            tasks,
            attempts,
            lost,
            jobs,
            refused,
        } = self.counts;
        writeln!(
            f,
            "{} cycles in {:.0?}: {runs} runs, {tasks} tasks, {attempts} attempts ({lost} lost), {jobs} jobs ({refused} \
             asked for twice and refused)",
            self.cycles, self.took
        )?;
        for (fault, times) in &self.faults {
            writeln!(f, "{times:>5} {fault}")?;
        }
        Ok(())
    }
}

/// Goes through cycles in lanes beside each other, each with a fleet of its own: the last one on SQLite. `say` is told each
/// fault before it happens.
///
/// # Panics
/// When something is not as it must be.
#[must_use]
pub fn run(plant: &[&str], cycles: usize, lanes: usize, seed: u64, say: fn(&str)) -> Sum {
    let plant: Vec<String> = plant.iter().map(ToString::to_string).collect();
    let mut sum = Sum::default();
    std::thread::scope(|scope| {
        let lane = |nth: usize| {
            let plant = plant.clone();
            // Each kind comes about equally often, in an order that the seed says.
            let mut kinds: Vec<usize> = (0..KINDS).collect();
            Rng::with_seed(seed).shuffle(&mut kinds);
            kinds.rotate_left(nth * KINDS / lanes);
            let share = cycles / lanes + usize::from(nth < cycles % lanes);
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime can be made");
                let alone = lanes > 1 && nth == lanes - 1;
                runtime.block_on(one_lane(&plant, (nth, alone), &kinds, (share, seed), say))
            })
        };
        let all: Vec<_> = (0..lanes).map(lane).collect();
        for lane in all {
            match lane.join() {
                Ok(of_lane) => sum.add(&of_lane),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    sum
}

async fn one_lane(
    plant: &[String],
    (lane, alone): (usize, bool),
    kinds: &[usize],
    (cycles, seed): (usize, u64),
    say: fn(&str),
) -> Sum {
    let plant: Vec<&str> = plant.iter().map(String::as_str).collect();
    let short = ["--lease", "3s", "--lead-lease", "2s"];
    let setup = if alone {
        Setup::standalone(&plant)
            .scheduler(&short)
            .scheduler(&["--grace", "1s"])
    } else {
        Setup::apart(&plant, 2)
            .scheduler(&short)
            .worker(&["--grace", "1s"])
    };
    let began = Instant::now();
    let mut sum = Sum::default();
    if cycles == 0 {
        return sum;
    }
    let mut fleet = Fleet::start(setup).await;
    for cycle in 0..cycles {
        // Each cycle has a seed of its own, so that it does not depend on how many there are.
        let mut rng = Rng::with_seed(seed ^ ((lane as u64) << 32) ^ (cycle as u64));
        let fault = Fault::of(kinds[cycle % kinds.len()], &mut rng, &fleet);
        say(&format!(
            "seed {seed}, lane {lane}, cycle {cycle}: {fault:?}"
        ));
        let counts = one_cycle(&mut fleet, &mut rng, &fault, cycle).await;
        let name = match &fault {
            Fault::Crash { point, .. } => format!("crash {point}"),
            Fault::Kill(_) => "kill -9".to_owned(),
            Fault::Term(_) => "SIGTERM".to_owned(),
            Fault::Pause(..) => "SIGSTOP, SIGCONT".to_owned(),
            Fault::Database(how, _) => format!("PostgreSQL stops: {how:?}"),
        };
        sum.cycles += 1;
        sum.count(&counts);
        *sum.faults.entry(name).or_default() += 1;
    }
    sum.took = began.elapsed();
    sum
}

async fn one_cycle(fleet: &mut Fleet, rng: &mut Rng, fault: &Fault, cycle: usize) -> Counts {
    fleet.witness.forget();
    fault.prepare(fleet).await;
    let mut runs: Vec<RunNo> = Vec::new();
    let wait_for = rng.usize(0..30);
    // In every other cycle, jobs are accepted and nobody is told before the fault is over.
    if rng.bool() {
        fleet.witness.put(SILENT);
    }
    let armed = matches!(fault, Fault::Crash { .. });
    for nth in 0..RUNS {
        runs.push(fleet.trigger("mix", &format!("c{cycle}_{nth}")).await);
    }
    let minute = Duration::from_secs(60);
    fleet
        .until("the load is under way", minute, async |fleet| {
            let far = fleet.witness.lines().len() >= wait_for;
            let stuck = armed && fleet.leader().await.is_none();
            (far || stuck).then_some(())
        })
        .await;
    fault.strike(fleet).await;
    fleet.witness.take(SILENT);
    fleet.ready().await;
    audit::ended(fleet, &runs, minute).await;
    audit::audit(fleet, &runs).await
}
