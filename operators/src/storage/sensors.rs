//! Waiting for objects. While they wait, sensors hold no slot.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::operator::{Operator, OrFail as _, Outcome, TaskContext, TaskResult};
use tidemill_core::span::as_text;
use tidemill_core::spec::Touches;
use tidemill_core::text::Text;

use super::list::{fitting, parsed};
use super::object::{GcsManifest, GcsObject};
use super::store::Storage;
use super::uri::{GcsPattern, GcsUri};

/// How often sensors look if nothing is said.
pub(super) const EVERY: Duration = Duration::from_secs(60);
/// More than this is not waited for object by object.
pub(super) const OBJECTS_MAX: usize = 100_000;

pub(super) fn wait<T>(every: Duration, why: String) -> Outcome<T> {
    Outcome::Deferred {
        handle: Value::Null,
        wait: every,
        why,
    }
}

/// Waits until one object is there, and returns it: its generation, size and sum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "an operator does nothing until it is added to a DAG"]
pub struct GcsObjectSensor {
    object: Text,
    #[serde(default = "super::connection")]
    connection: String,
    #[serde(with = "as_text")]
    every: Duration,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    written_after: Option<Text>,
}

impl GcsObjectSensor {
    /// Waits for this object: `GcsObjectSensor::on("gs://landing/{ds}/_SUCCESS")`.
    pub fn on(object: impl Into<Text>) -> Self {
        Self {
            object: object.into(),
            connection: super::connection(),
            every: EVERY,
            written_after: None,
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

    /// One that was written before this time does not count: `.written_after("{interval_end}")`.
    pub fn written_after(mut self, time: impl Into<Text>) -> Self {
        self.written_after = Some(time.into());
        self
    }

    async fn look(&self, ctx: &TaskContext) -> TaskResult<Outcome<GcsObject>> {
        let uri: GcsUri = parsed(&self.object)?;
        let after = self.written_after.as_ref();
        let after: Option<DateTime<Utc>> = after
            .map(|text| {
                text.as_str()
                    .parse()
                    .or_permanent(format_args!("read the time `{text}`"))
            })
            .transpose()?;
        let storage = Storage::open(ctx, &self.connection).await?;
        Ok(match storage.find(&uri).await? {
            None => wait(self.every, format!("{uri} is not there yet")),
            Some(found) if after.is_some_and(|after| found.updated <= after) => {
                let written = found.updated.to_rfc3339();
                wait(
                    self.every,
                    format!("{uri} is there, but was written at {written}"),
                )
            }
            Some(found) => Outcome::Done(found),
        })
    }
}

impl Operator for GcsObjectSensor {
    const NAME: &'static str = "gcs_object_sensor";
    type Output = GcsObject;

    fn touches(&self) -> Touches {
        Touches::nothing().connection(&self.connection)
    }

    async fn run(&self, ctx: &TaskContext) -> TaskResult<Outcome<GcsObject>> {
        self.look(ctx).await
    }

    async fn resume(&self, ctx: &TaskContext, _: Value) -> TaskResult<Outcome<GcsObject>> {
        self.look(ctx).await
    }
}

/// Waits until objects that fit a pattern are there, and returns those that are. It does not wait for more to come: see
/// [`UploadComplete`](super::UploadComplete).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "an operator does nothing until it is added to a DAG"]
pub struct GcsPrefixSensor {
    pattern: Text,
    #[serde(default = "super::connection")]
    connection: String,
    #[serde(with = "as_text")]
    every: Duration,
    at_least: usize,
}

impl GcsPrefixSensor {
    /// Waits for objects that fit: `GcsPrefixSensor::on("gs://landing/{ds}/*.csv")`.
    pub fn on(pattern: impl Into<Text>) -> Self {
        Self {
            pattern: pattern.into(),
            connection: super::connection(),
            every: EVERY,
            at_least: 1,
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

    /// How many there have to be; one if nothing is said.
    pub const fn at_least(mut self, count: usize) -> Self {
        self.at_least = count;
        self
    }

    async fn look(&self, ctx: &TaskContext) -> TaskResult<Outcome<GcsManifest>> {
        let pattern: GcsPattern = parsed(&self.pattern)?;
        let storage = Storage::open(ctx, &self.connection).await?;
        let found = storage.list(&pattern, OBJECTS_MAX).await?;
        if found.len() < self.at_least.max(1) {
            let (there, wanted) = (found.len(), self.at_least.max(1));
            let why = format!("{pattern}: {there} of {wanted} objects are there");
            return Ok(wait(self.every, why));
        }
        fitting(GcsManifest::of(&pattern, found)).map(Outcome::Done)
    }
}

impl Operator for GcsPrefixSensor {
    const NAME: &'static str = "gcs_prefix_sensor";
    type Output = GcsManifest;

    fn touches(&self) -> Touches {
        Touches::nothing().connection(&self.connection)
    }

    async fn run(&self, ctx: &TaskContext) -> TaskResult<Outcome<GcsManifest>> {
        self.look(ctx).await
    }

    async fn resume(&self, ctx: &TaskContext, _: Value) -> TaskResult<Outcome<GcsManifest>> {
        self.look(ctx).await
    }
}
