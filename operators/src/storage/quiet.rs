//! Waiting until whoever uploads has finished: nothing changed for a while.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::operator::{Operator, OrFail as _, Outcome, TaskContext, TaskError, TaskResult};
use tidemill_core::span::{self, as_text};
use tidemill_core::spec::Touches;
use tidemill_core::text::Text;

use super::list::{fitting, parsed};
use super::object::{GcsManifest, GcsObject};
use super::sensors::{EVERY, OBJECTS_MAX};
use super::store::Storage;
use super::uri::GcsPattern;

const QUIET: Duration = span::hours(1);

/// Waits until nothing was added to a folder, or replaced in it, for a while, and returns what is there then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "an operator does nothing until it is added to a DAG"]
pub struct UploadComplete {
    pattern: Text,
    #[serde(default = "super::connection")]
    connection: String,
    #[serde(with = "as_text")]
    every: Duration,
    #[serde(with = "as_text")]
    quiet_for: Duration,
    at_least: usize,
    may_shrink: bool,
}

/// What was seen, and since when it is like that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    count: usize,
    bytes: u64,
    /// Over names and generations, in their order.
    print: u32,
    since: DateTime<Utc>,
}

impl Seen {
    fn of(objects: &[GcsObject], now: DateTime<Utc>) -> Self {
        let mut print = 0;
        for object in objects {
            let line = format!("{} {}\n", object.uri, object.generation);
            print = crc32c::crc32c_append(print, line.as_bytes());
        }
        Self {
            count: objects.len(),
            bytes: objects.iter().map(|object| object.size).sum(),
            print,
            since: now,
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        (self.count, self.bytes, self.print) == (other.count, other.bytes, other.print)
    }
}

impl UploadComplete {
    /// Waits for everything that fits: `UploadComplete::under("gs://landing/{ds}/")`.
    pub fn under(pattern: impl Into<Text>) -> Self {
        Self {
            pattern: pattern.into(),
            connection: super::connection(),
            every: EVERY,
            quiet_for: QUIET,
            at_least: 1,
            may_shrink: false,
        }
    }

    /// Through another connection than `google`.
    pub fn connection(mut self, name: impl Into<String>) -> Self {
        self.connection = name.into();
        self
    }

    /// How often it looks; once a minute if nothing is said.
    pub const fn every(mut self, span: Duration) -> Self {
        self.every = span;
        self
    }

    /// How long nothing may change; an hour if nothing is said.
    pub const fn quiet_for(mut self, span: Duration) -> Self {
        self.quiet_for = span;
        self
    }

    /// How many objects there have to be; one if nothing is said.
    pub const fn at_least(mut self, count: usize) -> Self {
        self.at_least = count;
        self
    }

    /// Objects may also go while it waits. Otherwise that is an error: somebody takes away what is to be loaded.
    pub const fn may_shrink(mut self) -> Self {
        self.may_shrink = true;
        self
    }

    async fn look(
        &self,
        ctx: &TaskContext,
        before: Option<Seen>,
    ) -> TaskResult<Outcome<GcsManifest>> {
        let pattern: GcsPattern = parsed(&self.pattern)?;
        let storage = Storage::open(ctx, &self.connection).await?;
        let objects = storage.list(&pattern, OBJECTS_MAX).await?;
        let now = ctx.now();
        let mut seen = Seen::of(&objects, now);
        if let Some(before) = before {
            if seen.count < before.count && !self.may_shrink {
                return Err(TaskError::data(format!(
                    "{pattern}: there were {} objects, and now there are {}",
                    before.count, seen.count
                ))
                .help("somebody takes objects away while they are waited for; if that is right, say `.may_shrink()`"));
            }
            if seen.is_same(&before) {
                seen.since = before.since;
            }
        }
        // What was written long ago was quiet before it was looked at.
        let newest = objects.iter().map(|object| object.updated).max();
        let quiet = TimeDelta::from_std(self.quiet_for).or_permanent("read the time of quiet")?;
        let is_old = newest.is_some_and(|newest| newest + quiet + quiet <= now);
        let is_quiet = is_old || seen.since + quiet <= now;
        if seen.count >= self.at_least.max(1) && is_quiet {
            return fitting(GcsManifest::of(&pattern, objects)).map(Outcome::Done);
        }
        let left = (seen.since + quiet - now).to_std().unwrap_or_default();
        let why = format!(
            "{pattern}: {} objects, unchanged for {}",
            seen.count,
            span::text((now - seen.since).to_std().unwrap_or_default())
        );
        let wait = self.every.min(left.max(Duration::from_secs(1)));
        Ok(Outcome::Deferred {
            handle: serde_json::to_value(seen)?,
            wait: if left.is_zero() { self.every } else { wait },
            why,
        })
    }
}

impl Operator for UploadComplete {
    const NAME: &'static str = "gcs_upload_complete";
    type Output = GcsManifest;

    fn touches(&self) -> Touches {
        Touches::nothing().connection(&self.connection)
    }

    async fn run(&self, ctx: &TaskContext) -> TaskResult<Outcome<GcsManifest>> {
        self.look(ctx, None).await
    }

    async fn resume(&self, ctx: &TaskContext, handle: Value) -> TaskResult<Outcome<GcsManifest>> {
        let seen = serde_json::from_value(handle).or_permanent("read what was seen before")?;
        self.look(ctx, Some(seen)).await
    }
}
