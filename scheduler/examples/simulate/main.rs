//! Plays many seeds: the engine under crashes, partitions, lost answers and people. See `sim`.
//!
//! `cargo run --release -p tidemill-scheduler --example simulate -- --seeds 2000 [--start SEED] [--compare] [--history]`

mod sim;

use std::io::{Write as _, stderr, stdout};
use std::process::ExitCode;

use sim::{Broken, Coverage, play};

/// So many seeds, and everything that can break has broken at least once.
const ALL_IS_SEEN_AFTER: u64 = 300;

/// One seed in so many is played twice and compared.
const TWICE_EVERY: u64 = 100;

struct Asked {
    start: u64,
    seeds: u64,
    history: bool,
    broken: Broken,
}

fn asked() -> Result<Asked, String> {
    let mut asked = Asked {
        start: 1,
        seeds: 300,
        history: false,
        broken: Broken::default(),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || {
            let text = words.next().unwrap_or_default();
            text.parse()
                .map_err(|_| format!("`{word}` takes a number, not `{text}`"))
        };
        match word.as_str() {
            "--seeds" => asked.seeds = number()?,
            "--start" => asked.start = number()?,
            "--history" => asked.history = true,
            "--compare" => asked.broken.compares_always = true,
            _ => {
                return Err(format!(
                    "`{word}` is none of --seeds N, --start SEED, --compare, --history"
                ));
            }
        }
    }
    Ok(asked)
}

/// Known to have failed once: they are always played.
fn failed_once() -> impl Iterator<Item = u64> {
    include_str!("seeds.txt")
        .lines()
        .filter_map(|line| line.split_whitespace().next()?.parse().ok())
}

fn main() -> ExitCode {
    let asked = match asked() {
        Ok(asked) => asked,
        Err(why) => {
            let _ = writeln!(stderr(), "simulate: {why}");
            return ExitCode::from(2);
        }
    };
    // A violation is told below, once.
    std::panic::set_hook(Box::new(|_| {}));
    let mut coverage = Coverage::default();
    let (mut steps, mut counted, mut tasks, mut jobs) = (0, 0_u64, 0, 0);
    let mut out = stdout().lock();
    let range = asked.start..asked.start + asked.seeds;
    let always: Vec<u64> = failed_once()
        .filter(|seed| asked.seeds > 1 && !range.contains(seed))
        .collect();
    for seed in range.chain(always) {
        let played = play(seed, asked.broken);
        let twice = seed
            .is_multiple_of(TWICE_EVERY)
            .then(|| play(seed, asked.broken));
        let differs = twice.is_some_and(|again| again.hash != played.hash);
        let counts = played.counts();
        if asked.history {
            let _ = writeln!(out, "{}", played.history);
        }
        if let Some(violation) = played
            .violation
            .or_else(|| differs.then(|| "it plays differently each time".to_owned()))
        {
            let _ = writeln!(
                out,
                "{}\n\nseed {seed}: {violation}\n\nagain: cargo run --release -p tidemill-scheduler --example simulate -- --seeds 1 --start {seed}",
                played.history
            );
            return ExitCode::FAILURE;
        }
        counted += u64::from(counts);
        steps += played.steps;
        tasks += played.tasks.0;
        jobs += played.jobs;
        coverage.add(&played.coverage);
    }
    for what in sim::FAULTS {
        let _ = writeln!(out, "{:>10}  {what}", coverage.count(what));
    }
    let missing = coverage.missing();
    let blind = asked.seeds >= ALL_IS_SEEN_AFTER && !missing.is_empty();
    if blind {
        let _ = writeln!(out, "never happened: {}", missing.join(", "));
    }
    let _ = writeln!(
        out,
        "{counted} seeds of {} counted, from {}: {steps} steps, {tasks} tasks, {jobs} jobs, no violation",
        asked.seeds, asked.start
    );
    if blind {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
