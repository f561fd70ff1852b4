//! `tasks logs`: what an attempt wrote, as it is kept; with `--follow` as it comes.

use clap::Args;
use serde_json::json;
use tidemill_core::operator::Level;
use tidemill_core::protocol::AttemptNo;
use tidemill_logs::Numbered;
use tidemill_store::record::TaskRow;

use crate::config::flags::OfCommand;
use crate::config::{Environment, Flags};
use crate::output::{Output, print};
use crate::remote::{Lines, Remote, TaskName, word};

/// How many lines are asked for at once.
const LINES: usize = 2_000;

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// The DAG.
    dag: String,
    /// The run: its name, its number, or `latest`.
    run: String,
    /// The task.
    task: TaskName,
    /// Which attempt, from 1; the last one without it.
    #[arg(long, value_name = "N")]
    attempt: Option<u32>,
    /// Only lines of this level and above: debug, info, warn, error.
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    level: Option<Level>,
    /// Go on until the attempt is over.
    #[arg(long, short)]
    follow: bool,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Flags<OfCommand>,
}

fn level(word: &str) -> Result<Level, String> {
    match word {
        "debug" => Ok(Level::Debug),
        "info" => Ok(Level::Info),
        "warn" => Ok(Level::Warn),
        "error" => Ok(Level::Error),
        _ => Err("write debug, info, warn or error".to_owned()),
    }
}

pub(super) fn logs(args: &LogsArgs, environment: &Environment) -> Result<Output, Output> {
    let remote = Remote::open(&args.settings, environment)?;
    let run = remote.run(&args.dag, &args.run)?;
    let full = remote.run_full(run.id)?;
    let task = remote.instance(&full, &args.task)?;
    let (number, attempt) = which(&remote, &task, args.attempt)?;
    let mut reader = Reader {
        args,
        out: String::new(),
        streams: args.follow && environment.is_own(),
    };
    let mut from = 0;
    loop {
        let wanted = Lines {
            attempt: (number, attempt),
            from,
            lines: LINES,
            level: args.level.map(word),
            wait: args.follow,
        };
        let page = remote.lines(&full, &task, wanted)?;
        let page = page.ok_or_else(|| Output::usage("the scheduler keeps no logs", ""))?;
        from += page.lines.len() as u64;
        for line in &page.lines {
            if !reader.line(line) {
                return Ok(Output::default());
            }
        }
        let more = from < page.total || (args.follow && !page.finished);
        if !more {
            let note =
                (from == 0).then(|| format!("attempt {number} of {} wrote nothing", task.name));
            return Ok(note
                .into_iter()
                .fold(Output::data(reader.out), Output::talk));
        }
    }
}

/// The number of the attempt within its task, and over all tasks.
fn which(remote: &Remote, task: &TaskRow, wanted: Option<u32>) -> Result<(u32, AttemptNo), Output> {
    if task.attempt.0 == 0 {
        return Err(Output::usage(
            format_args!("{} has not been tried yet", task.name),
            "`tasks why` says what it waits for",
        ));
    }
    let Some(wanted) = wanted.filter(|wanted| *wanted != task.number) else {
        return Ok((task.number, task.attempt));
    };
    let tried = remote.read(remote.reads.attempts(task.of, &task.name))?;
    // A task that was cleared counts on; numbers are not used twice.
    let found = tried.iter().rev().find(|one| one.number == wanted);
    let found = found.map(|one| (one.number, AttemptNo(one.attempt)));
    found.ok_or_else(|| {
        Output::usage(
            format_args!("{} has no attempt {wanted}", task.name),
            format_args!("the last one is {}", task.number),
        )
    })
}

/// A line for people.
pub(crate) fn in_words(line: &Numbered) -> String {
    let line = &line.line;
    let at = line.at.date().format("%Y-%m-%d %H:%M:%S%.3fZ");
    let source = line.source.as_deref();
    let source = source.map_or_else(String::new, |source| format!("{source}: "));
    format!("{at} {:<5} {source}{}", word(line.level), line.text)
}

struct Reader<'a> {
    args: &'a LogsArgs,
    out: String,
    /// Whether each line is printed at once.
    streams: bool,
}

impl Reader<'_> {
    /// Says whether anybody still reads.
    fn line(&mut self, line: &Numbered) -> bool {
        let text = if self.args.json {
            json!(line).to_string()
        } else {
            in_words(line)
        };
        if self.streams {
            return print(&text);
        }
        self.out.push_str(&text);
        self.out.push('\n');
        true
    }
}
