//! What is measured, one function each.

use std::time::Duration;

use tidemill_core::protocol::RunNo;
use tidemill_store::history::AttemptCursor;
use tokio::time::{Instant, sleep};

use super::report::{Figures, Spread};
use super::rig::{Rig, cpu_of};
use super::work::{Scene, Shape};
use super::{BenchArgs, IsolationArg};
use crate::output::{INVALID, Output};

/// How many commits are timed.
const COMMITS: usize = 200;

/// How long an idle process is watched.
const IDLE: Duration = Duration::from_secs(10);

fn failed(error: impl std::fmt::Display) -> Output {
    Output::failed(error, INVALID)
}

pub(super) fn scene(args: &BenchArgs, shape: Shape) -> Scene {
    Scene {
        tag: format!("{:x}", crate::clock::now().timestamp_micros()),
        shape,
        isolated: args.isolation == IsolationArg::Process,
    }
}

/// What every scene says.
fn figures(args: &BenchArgs, rig: &Rig, bench: &str) -> Result<Figures, Output> {
    let database = args.database.as_deref().unwrap_or("sqlite");
    let kind = database.split([':', '/']).next().unwrap_or_default();
    let durability = rig.own.block_on(rig.store.durability()).map_err(failed)?;
    let commits = rig
        .own
        .block_on(rig.store.commit_times(COMMITS))
        .map_err(failed)?;
    Ok(Figures {
        bench: bench.to_owned(),
        database: kind.to_owned(),
        fsync: durability,
        workers: args.workers,
        isolation: args.isolation.word().to_owned(),
        commit_ms: Spread::of(commits),
        ..Figures::default()
    })
}

/// Runs of a DAG, several times over.
fn runs_of(
    args: &BenchArgs,
    bench: &str,
    shape: Shape,
    (runs, tasks): (u32, u64),
) -> Result<Figures, Output> {
    let rig = Rig::start(args, scene(args, shape))?;
    let mut figures = figures(args, &rig, bench)?;
    let measured = rig.own.block_on(async {
        let (store, dag) = (&rig.store, rig.scene.dag());
        // Once without being measured: pages, plans and caches are warm in what stays up.
        rig.run(&dag, 1).await?;
        let before = (store.batches().await, store.log_bytes().await);
        let (mut took, mut hops) = (Vec::new(), Vec::new());
        for _ in 0..args.times {
            let ran = rig.run(&dag, runs).await?;
            took.push(ran.took);
            for run in ran.runs.iter().take(50) {
                hops.extend(hops_of(&rig, *run).await?);
            }
        }
        let after = (store.batches().await, store.log_bytes().await);
        Ok::<_, Output>((took, hops, before, after))
    });
    let (mut took, hops, before, after) = measured?;
    figures.totals = took.iter().map(Duration::as_secs_f64).collect();
    took.sort_unstable();
    let median = took[took.len() / 2].as_secs_f64();
    let done = u64::from(runs) * tasks;
    figures.runs = Some(runs);
    figures.tasks = Some(done);
    figures.total_seconds = Some(median);
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    {
        let all = (done * u64::from(args.times)) as f64;
        figures.tasks_per_second = Some(done as f64 / median);
        if let (Ok(Some(before)), Ok(Some(after))) = (before.1, after.1) {
            figures.wal_bytes_per_task = Some((after - before) as f64 / all);
        }
    }
    figures.handoff_ms = Spread::of(hops);
    figures.commits = before.0.ok().zip(after.0.ok()).map(|(a, b)| b - a);
    figures.rss_mb = Some(rig.memory());
    rig.end();
    Ok(figures)
}

/// From the end of each task of a chain to the end of the next.
async fn hops_of(rig: &Rig, run: RunNo) -> Result<Vec<Duration>, Output> {
    let (mut ends, mut place) = (Vec::new(), AttemptCursor::START);
    loop {
        let page = rig
            .store
            .attempts_of_run(run, place, 1_000)
            .await
            .map_err(failed)?;
        let Some(last) = page.last() else { break };
        place = AttemptCursor::from(last);
        ends.extend(page.iter().map(|attempt| attempt.ended_at));
    }
    ends.sort_unstable();
    Ok(ends.windows(2).map(|pair| pair[1].since(pair[0])).collect())
}

pub(super) fn chain(args: &BenchArgs, tasks: u32) -> Result<Figures, Output> {
    runs_of(args, "chain", Shape::Chain { tasks }, (1, tasks.into()))
}

pub(super) fn runs(args: &BenchArgs, runs: u32, tasks: u32) -> Result<Figures, Output> {
    let mut figures = runs_of(args, "runs", Shape::Chain { tasks }, (runs, tasks.into()))?;
    // With many at once this is the time in the queue.
    figures.handoff_ms = None;
    Ok(figures)
}

pub(super) fn fanout(args: &BenchArgs, width: u32) -> Result<Figures, Output> {
    let mut figures = runs_of(
        args,
        "fanout",
        Shape::Fanout { width },
        (1, u64::from(width) + 2),
    )?;
    figures.handoff_ms = None;
    Ok(figures)
}

/// Many that wait, and a chain beside them.
pub(super) fn deferred(
    args: &BenchArgs,
    tasks: u32,
    every: Duration,
    watched: Duration,
) -> Result<Figures, Output> {
    let rig = Rig::start(args, scene(args, Shape::Deferred { tasks, every }))?;
    let mut figures = figures(args, &rig, "deferred")?;
    let measured = rig.own.block_on(async {
        let began = Instant::now();
        rig.trigger(&rig.scene.dag(), 1).await?;
        let wanted = tasks as usize;
        while rig
            .look(|engine| {
                engine
                    .fleet()
                    .workers
                    .iter()
                    .map(|worker| worker.holds)
                    .sum::<usize>()
            })
            .await?
            < wanted
            || rig
                .look(|engine| {
                    engine
                        .fleet()
                        .workers
                        .iter()
                        .map(|worker| worker.used)
                        .sum::<u32>()
                })
                .await?
                > 0
        {
            sleep(Duration::from_millis(50)).await;
        }
        rig.durable().await?;
        let parked = began.elapsed();
        let (mut hops, watching) = (Vec::new(), Instant::now());
        while watching.elapsed() < watched {
            let before = rig.look(|engine| engine.open_runs()).await?;
            let made = rig.trigger(&rig.scene.chain_beside(), 1).await?;
            while rig.look(|engine| engine.open_runs()).await? > before {
                sleep(Duration::from_millis(5)).await;
            }
            rig.durable().await?;
            for run in made {
                hops.extend(hops_of(&rig, run).await?);
            }
            sleep(Duration::from_millis(200)).await;
        }
        Ok::<_, Output>((parked, hops))
    });
    let (parked, hops) = measured?;
    figures.tasks = Some(tasks.into());
    figures.total_seconds = Some(parked.as_secs_f64());
    figures.tasks_per_second = Some(f64::from(tasks) / parked.as_secs_f64());
    figures.handoff_ms = Spread::of(hops);
    figures.rss_mb = Some(rig.memory());
    rig.end();
    Ok(figures)
}

/// Many DAGs with a schedule, none of them due.
pub(super) fn idle(args: &BenchArgs, dags: u32) -> Result<Figures, Output> {
    let rig = Rig::start(args, scene(args, Shape::Scheduled { dags }))?;
    let mut figures = figures(args, &rig, "idle")?;
    let used = || {
        let workers = rig.workers().into_iter().map(|id| cpu_of(&id.to_string()));
        cpu_of("self") + workers.sum::<Duration>()
    };
    let before = used();
    rig.own.block_on(async { sleep(IDLE).await });
    let spent = used().saturating_sub(before);
    figures.cpu_percent = Some(spent.as_secs_f64() / IDLE.as_secs_f64() * 100.0);
    figures.rss_mb = Some(rig.memory());
    rig.end();
    Ok(figures)
}
