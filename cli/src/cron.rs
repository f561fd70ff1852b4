//! `cron next`: when an expression fires.

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use tidemill_core::spec::{parse_date, parse_zone};
use tidemill_core::timetable::CronExpr;

use crate::args::{CronCommand, CronNextArgs};
use crate::clock;
use crate::output::Output;

/// More than this is a mistake, and would only fill the terminal.
const COUNT_MAX: u32 = 100_000;

pub(crate) fn run(command: &CronCommand) -> Output {
    let CronCommand::Next(args) = command;
    next(args).unwrap_or_else(|wrong| wrong)
}

fn next(args: &CronNextArgs) -> Result<Output, Output> {
    let zone = parse_zone(&args.tz)
        .map_err(|error| Output::usage(error, "use a name such as Europe/Berlin or UTC"))?;
    let expression = CronExpr::parse(&args.expression).map_err(|error| {
        Output::usage(
            error,
            "minute hour day month weekday, such as \"15 3 * * MON-FRI\"",
        )
    })?;
    let mut at: DateTime<Utc> = match &args.after {
        Some(text) => parse_date(text, zone).map_err(|error| Output::usage(error, ""))?,
        None => clock::now(),
    };
    if args.count > COUNT_MAX {
        return Err(Output::usage(
            format_args!("--count is {}, the most is {COUNT_MAX}", args.count),
            "",
        ));
    }
    let mut lines = String::new();
    for printed in 0..args.count {
        let Some(next) = expression.next_after(zone, at) else {
            let end = format!("`{expression}` does not fire again after the {printed} times above");
            return Ok(Output::data(lines).talk(end));
        };
        at = next;
        lines.push_str(&shown(at, zone));
        lines.push('\n');
    }
    Ok(Output::data(lines))
}

fn shown(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone)
        .to_rfc3339_opts(SecondsFormat::Secs, zone == Tz::UTC)
}
