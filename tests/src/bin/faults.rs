//! Any number of cycles of faults: `cargo run -p tidemill-tests --bin faults -- --cycles 1000 --seed 7`. It is its own plant,
//! too.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use tidemill_tests::{cycles, plant};

/// Goes through cycles of one random fault each under a running load, and audits each.
#[derive(Debug, Parser)]
struct Args {
    /// How many.
    #[arg(long, default_value_t = 40)]
    cycles: usize,
    /// How many fleets go through them beside each other; the last one is one process on SQLite.
    #[arg(long, default_value_t = 4)]
    lanes: usize,
    /// What chance begins with.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn say(what: &str) {
    let _ = writeln!(std::io::stdout(), "{what}");
}

fn main() -> ExitCode {
    let line: Vec<OsString> = std::env::args_os().skip(1).collect();
    if line.first().is_some_and(|word| word == "plant") {
        return plant::run(line[1..].to_vec());
    }
    let args = Args::parse();
    let program = std::env::current_exe().ok();
    let program = program.as_ref().and_then(|path| path.to_str());
    let Some(program) = program else {
        say("the name of this program is not known");
        return ExitCode::FAILURE;
    };
    let lanes = args.lanes.max(1);
    let sum = cycles::run(&[program, "plant"], args.cycles, lanes, args.seed, say);
    say(&sum.to_string());
    ExitCode::SUCCESS
}
