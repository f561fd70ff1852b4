//! Following a run: a bar on a terminal, plain lines elsewhere, both on stderr while it goes on.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};
use tidemill_core::protocol::{InstanceRef, RunNo};
use tidemill_core::state::{RunState, TaskState};
use tidemill_store::record::TaskRow;

use super::find::{shown, span_of};
use super::{Remote, RunFull};
use crate::config::Environment;
use crate::output::{INVALID, OK, Output};

/// How often is looked.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(300);
/// How many running tasks the bar names.
const NAMED_MAX: usize = 4;

/// The exit code of a run's result.
pub(crate) const fn code_of(state: RunState) -> u8 {
    match state {
        RunState::Success => OK,
        _ => INVALID,
    }
}

/// Whether a run has come to its end.
pub(crate) const fn has_ended(state: RunState) -> bool {
    matches!(
        state,
        RunState::Success | RunState::Failed | RunState::Cancelled
    )
}

/// Says what happens in a run as it happens.
pub(crate) struct Feed {
    seen: BTreeMap<InstanceRef, (TaskState, u32)>,
    bar: Option<ProgressBar>,
    says: Option<fn(&str)>,
}

impl Feed {
    /// Where this process says how far it is.
    pub(crate) fn new(environment: &Environment) -> Self {
        let says = environment.says();
        let terminal = says.is_some() && std::io::stderr().is_terminal();
        let bar = terminal.then(|| {
            let bar = ProgressBar::new(0);
            let style = ProgressStyle::with_template("{bar:24} {pos}/{len} {msg}");
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self {
            seen: BTreeMap::new(),
            bar,
            says,
        }
    }

    /// Says what is new.
    pub(crate) fn show(&mut self, full: &RunFull) {
        for row in &full.tasks {
            let stands = (row.state, row.number);
            if self.seen.insert(row.of, stands) != Some(stands) {
                self.tell(full, row);
            }
        }
        if let Some(bar) = &self.bar {
            let done = full.tasks.iter().filter(|row| row.state.is_final());
            let on = full
                .tasks
                .iter()
                .filter(|row| row.state == TaskState::Running);
            let on = on.map(|row| shown(&row.name, row.of.map_index));
            bar.set_length(full.tasks.len() as u64);
            bar.set_position(done.count() as u64);
            bar.set_message(on.take(NAMED_MAX).collect::<Vec<_>>().join(", "));
        }
    }

    fn tell(&self, full: &RunFull, row: &TaskRow) {
        let why = full.detail(row.of).and_then(|detail| detail.why.as_deref());
        let took = || match row.started_at {
            Some(began) => format!(" after {}", span_of(began, row.since)),
            None => String::new(),
        };
        let says = match row.state {
            TaskState::None | TaskState::Scheduled | TaskState::Queued => return,
            TaskState::Running if row.number > 1 => format!("running, attempt {}", row.number),
            TaskState::Running => "running".to_owned(),
            TaskState::Success => format!("success{}", took()),
            state => match why {
                Some(why) => format!("{state}: {why}"),
                None => state.to_string(),
            },
        };
        let time = row.since.date().format("%H:%M:%SZ");
        let name = shown(&row.name, row.of.map_index);
        self.line(&format!("{time}  {name}  {says}"));
    }

    /// A line above the bar.
    pub(crate) fn line(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => {
                if let Some(say) = self.says {
                    say(line);
                }
            }
        }
    }

    /// Does something on the terminal while the bar stands still.
    pub(crate) fn aside<T>(&self, what: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(what),
            None => what(),
        }
    }

    /// The bar goes.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Remote {
    /// Follows a run until it ends.
    pub(crate) fn follow(&self, run: RunNo) -> Result<RunFull, Output> {
        let mut feed = Feed::new(&self.environment);
        let ended = loop {
            let full = self.run_full(run);
            let Ok(full) = full else { break full };
            feed.show(&full);
            if has_ended(full.run.state) {
                break Ok(full);
            }
            self.rest(LOOK_EVERY);
        };
        feed.end();
        ended
    }
}
