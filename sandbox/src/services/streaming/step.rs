//! One step: a batch from its subscription to where it goes.

use std::sync::{Arc, PoisonError};

use chrono::{DateTime, Utc};

use super::batch::{Batch, Ready, ready};
use super::spec::Spec;
use super::{Counts, StreamError};
use crate::jobs::Beside;
use crate::journal::Entry;
use crate::services::{Service, Taken};

/// Messages of a batch.
const MOST: usize = 1_000;

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Nothing,
    Moved {
        /// There may be more at once.
        full: bool,
    },
}

/// Moves a batch, to its end whatever becomes of the job. `draining`: only one that was read before.
pub(super) async fn step(
    beside: &Arc<Beside>,
    job: &str,
    spec: &Spec,
    draining: bool,
) -> Result<Step, StreamError> {
    let busy = Arc::clone(&beside.streams.busy).read_owned().await;
    let (beside, job, spec) = (Arc::clone(beside), job.to_owned(), spec.clone());
    tokio::task::spawn_blocking(move || {
        let _busy = busy;
        let alone = beside.streams.alone(&spec.subscription);
        let _alone = alone.lock().unwrap_or_else(PoisonError::into_inner);
        moved(&beside, &job, &spec, draining)
    })
    .await?
}

/// The step itself, for whoever has the subscription alone.
pub(super) fn moved(
    beside: &Beside,
    job: &str,
    spec: &Spec,
    draining: bool,
) -> Result<Step, StreamError> {
    let now = beside.bigquery.now();
    let streams = &beside.streams;
    let pending = streams.pending.get(&spec.subscription);
    if let Some(batch) = pending.as_ref().filter(|batch| batch.written) {
        settle(beside, batch, now)?;
        return Ok(Step::Moved { full: true });
    }
    let (mut batch, messages, mut ready) = match pending {
        Some(batch) => {
            let messages = beside.pubsub.these(&spec.subscription, &batch.numbers());
            let ready = ready(beside, &batch, &messages, true)?;
            (Batch::clone(&batch), messages, ready)
        }
        None if draining => return Ok(Step::Nothing),
        None => match read(beside, spec, now)? {
            Some(read) => read,
            None => return Ok(Step::Nothing),
        },
    };
    ready.write_objects(beside, now)?;
    ready.write_tables(beside.bigquery.warehouse())?;
    count(beside, job, &batch, &messages, &ready)?;
    // From here on it is not done again, which could not be done whole: its messages go one by one.
    batch.written = true;
    streams.pending.put(&spec.subscription, batch.clone())?;
    settle(beside, &batch, now)?;
    beside.journal.note(Entry {
        number: 0,
        at: now,
        service: Service::Dataflow,
        method: "dataflow.streaming".into(),
        request: job.to_owned(),
        status: None,
        effects: std::mem::take(&mut ready.effects),
        fault: None,
    });
    Ok(Step::Moved {
        full: messages.len() == MOST,
    })
}

/// Acknowledges the messages of a batch, and crosses it out.
fn settle(beside: &Beside, batch: &Batch, now: DateTime<Utc>) -> Result<(), StreamError> {
    let subscription = &batch.spec.subscription;
    beside.pubsub.settle(subscription, &batch.numbers(), now)?;
    beside.streams.pending.remove(subscription)?;
    Ok(())
}

/// A new batch, made ready and written down. One that cannot be made ready goes back.
pub(super) fn read(
    beside: &Beside,
    spec: &Spec,
    now: DateTime<Utc>,
) -> Result<Option<(Batch, Vec<Taken>, Ready)>, StreamError> {
    let messages = beside.pubsub.take(&spec.subscription, MOST, now)?;
    if messages.is_empty() {
        return Ok(None);
    }
    let batch = Batch::of(beside.streams.number(), &messages, spec);
    match ready(beside, &batch, &messages, false) {
        Ok(ready) => {
            let put = beside
                .streams
                .pending
                .put(&spec.subscription, batch.clone());
            put?;
            Ok(Some((batch, messages, ready)))
        }
        Err(error) => {
            beside
                .pubsub
                .give_back(&spec.subscription, &messages, now)?;
            Err(error)
        }
    }
}

/// Adds a batch to what the job has moved; one that was counted before a kill is not counted again.
pub(super) fn count(
    beside: &Beside,
    job: &str,
    batch: &Batch,
    messages: &[Taken],
    ready: &Ready,
) -> Result<(), StreamError> {
    let stamp = batch.stamp();
    beside.streams.counts.change(job, |old| {
        let mut counts = old.map(|old| Counts::clone(old)).unwrap_or_default();
        if counts.last != stamp {
            counts.elements += ready.elements;
            counts.bytes += ready.bytes;
            counts.rows += ready.rows;
            counts.files += ready.files();
            counts.dead += ready.dead;
            counts.last.clone_from(&stamp);
            let newest = messages.iter().map(|one| one.at).max();
            counts.newest = counts.newest.max(newest);
        }
        Ok::<_, std::io::Error>((Some(counts), ()))
    })?;
    Ok(())
}
