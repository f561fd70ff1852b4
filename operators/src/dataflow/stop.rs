//! Stopping what runs.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::operator::{Operator, Outcome, TaskContext, TaskResult};
use tidemill_core::spec::Touches;
use tidemill_core::text::Text;

use super::seen::{self, Seen};
use super::{API, Launched};
use crate::remote::{Place, Site, site_settings};

/// Stops the job of a name, and waits until it has ended. If none runs there is nothing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "an operator does nothing until it is added to a DAG"]
pub struct DataflowStop {
    at: Site,
    job: Text,
    draining: bool,
}

impl DataflowStop {
    fn of(job: impl Into<Text>, draining: bool) -> Self {
        Self {
            at: Site::default(),
            job: job.into(),
            draining,
        }
    }

    /// Lets a streaming job finish what it has taken in; a batch job is cancelled. It is named by its name or its identifier:
    /// `DataflowStop::drain("{out.stream.id}")`.
    pub fn drain(job: impl Into<Text>) -> Self {
        Self::of(job, true)
    }

    /// Ends a job as it stands.
    pub fn cancel(job: impl Into<Text>) -> Self {
        Self::of(job, false)
    }

    site_settings!();

    /// The job, if it is active.
    async fn active(&self, place: &Place) -> TaskResult<Option<Seen>> {
        let job = self.job.as_str();
        let by_name = seen::named(place, job).await?;
        if let Some(found) = by_name.into_iter().find(Seen::is_active) {
            return Ok(Some(found));
        }
        // Identifiers begin with a date, which no name does.
        if !job.starts_with(|c: char| c.is_ascii_digit()) {
            return Ok(None);
        }
        let found = seen::one(&place.client, &launched(place, job)).await?;
        Ok(found.filter(Seen::is_active))
    }

    fn waits(&self, id: String) -> Outcome<()> {
        Outcome::Deferred {
            why: format!("Dataflow job `{}` ({id}) is being stopped", self.job),
            handle: Value::String(id),
            wait: self.at.every,
        }
    }
}

fn launched(place: &Place, id: &str) -> Launched {
    Launched {
        project: place.project.clone(),
        region: place.region.clone(),
        id: id.to_owned(),
    }
}

impl Operator for DataflowStop {
    const NAME: &'static str = "dataflow_stop";
    type Output = ();

    fn touches(&self) -> Touches {
        Touches::nothing().connection(&self.at.connection)
    }

    async fn run(&self, ctx: &TaskContext) -> TaskResult<Outcome<()>> {
        let place = self.at.open(ctx, &API).await?;
        let Some(job) = self.active(&place).await? else {
            ctx.info(format!("no Dataflow job `{}` is active", self.job));
            return Ok(Outcome::Done(()));
        };
        let wanted = match self.draining && job.is_streaming() {
            true => "JOB_STATE_DRAINED",
            false => "JOB_STATE_CANCELLED",
        };
        seen::ask(&place.client, &launched(&place, &job.id), wanted).await?;
        Ok(self.waits(job.id))
    }

    /// Only that job is looked at: one that was launched under its name meanwhile runs on.
    async fn resume(&self, ctx: &TaskContext, handle: Value) -> TaskResult<Outcome<()>> {
        let place = self.at.open(ctx, &API).await?;
        let id = handle.as_str().unwrap_or_default().to_owned();
        let job = seen::one(&place.client, &launched(&place, &id)).await?;
        Ok(match job.filter(Seen::is_active) {
            Some(job) => self.waits(job.id),
            None => Outcome::Done(()),
        })
    }
}
