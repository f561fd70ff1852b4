//! What was measured, as a table or one JSON object.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

/// What was measured. What does not apply is left out.
#[derive(Debug, Default, Serialize)]
pub(super) struct Figures {
    pub(super) bench: String,
    pub(super) database: String,
    pub(super) fsync: String,
    pub(super) workers: u32,
    pub(super) isolation: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) runs: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tasks: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) total_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tasks_per_second: Option<f64>,
    /// From the end of one task to the end of the next, which takes no time itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) handoff_ms: Option<Spread>,
    /// One committed update of one row, on the same database in the same run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) commit_ms: Option<Spread>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rss_mb: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) commits: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) wal_bytes_per_task: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cpu_percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seconds_to_serve: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seconds_to_lead: Option<f64>,
    /// The total of each repetition.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) totals: Vec<f64>,
}

/// A distribution, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Spread {
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

impl Spread {
    /// Of these; none if there are none.
    pub(super) fn of(mut times: Vec<Duration>) -> Option<Self> {
        times.sort_unstable();
        let ms = |at: usize| times.get(at).map(|time| time.as_secs_f64() * 1e3);
        let last = times.len().checked_sub(1)?;
        Some(Self {
            p50: ms(last / 2)?,
            p99: ms(last * 99 / 100)?,
            max: ms(last)?,
        })
    }
}

impl Figures {
    pub(super) fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    pub(super) fn table(&self) -> String {
        let mut out = String::new();
        let mut line = |name: &str, value: String| {
            let _ = writeln!(out, "{name:<20} {value}");
        };
        line("bench", self.bench.clone());
        line("database", format!("{}, {}", self.database, self.fsync));
        line(
            "workers",
            match self.workers {
                0 => "in this process".to_owned(),
                some => format!("{some} processes"),
            },
        );
        line("isolation", self.isolation.clone());
        if let Some(total) = self.total_seconds {
            line("total", format!("{total:.3} s"));
        }
        if self.totals.len() > 1 {
            let all: Vec<String> = self
                .totals
                .iter()
                .map(|total| format!("{total:.3}"))
                .collect();
            line("each", format!("{} s", all.join("  ")));
        }
        if let Some(rate) = self.tasks_per_second {
            line("tasks a second", format!("{rate:.0}"));
        }
        for (name, spread) in [
            ("hand-off", self.handoff_ms),
            ("one commit", self.commit_ms),
        ] {
            if let Some(Spread { p50, p99, max }) = spread {
                line(
                    name,
                    format!("p50 {p50:.3} ms   p99 {p99:.3} ms   max {max:.3} ms"),
                );
            }
        }
        if let Some(commits) = self.commits {
            line("commits", commits.to_string());
        }
        if let Some(bytes) = self.wal_bytes_per_task {
            line("log bytes a task", format!("{bytes:.0}"));
        }
        if let Some(seconds) = self.seconds_to_serve {
            line("start to serving", format!("{seconds:.3} s"));
        }
        if let Some(seconds) = self.seconds_to_lead {
            line("next decision after", format!("{seconds:.3} s"));
        }
        if let Some(percent) = self.cpu_percent {
            line("of one core", format!("{percent:.1} %"));
        }
        if let Some(mb) = self.rss_mb {
            line("memory", format!("{mb:.1} MB"));
        }
        out
    }
}
