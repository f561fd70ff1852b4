//! Messages and who has them: each subscription has its own copies, in the order in which they were published.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::shelf::Shelf;

/// All messages of all subscriptions together.
const BYTES: usize = 256 << 20;

/// A topic.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Topic {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) retention: Option<String>,
}

/// What becomes of messages that nobody can handle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DeadLetters {
    pub(super) topic: String,
    pub(super) attempts: u32,
}

/// A subscription.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Subscription {
    /// None: the topic was deleted.
    pub(super) topic: Option<String>,
    pub(super) deadline: u32,
    pub(super) ordered: bool,
    pub(super) exactly_once: bool,
    /// Seconds.
    pub(super) retention: i64,
    pub(super) retain_acked: bool,
    pub(super) dead_letters: Option<DeadLetters>,
    /// Seconds from and to which a message that came back waits.
    pub(super) backoff: Option<(i64, i64)>,
    pub(super) labels: BTreeMap<String, String>,
}

/// A message as it was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Published {
    /// In base64.
    #[serde(default)]
    pub(crate) data: String,
    #[serde(default)]
    pub(crate) attributes: BTreeMap<String, String>,
    #[serde(default, rename = "orderingKey")]
    pub(crate) ordering_key: String,
}

impl Published {
    fn bytes(&self) -> usize {
        let attributes = self.attributes.iter();
        200 + self.data.len()
            + self.ordering_key.len()
            + attributes
                .map(|(name, value)| name.len() + value.len())
                .sum::<usize>()
    }
}

/// A message in a subscription.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) number: u64,
    pub(super) published: Published,
    pub(super) at: DateTime<Utc>,
    pub(super) attempts: u32,
    /// Nobody gets it before.
    pub(super) not_before: DateTime<Utc>,
    /// Until `not_before` it is with somebody.
    pub(super) held: bool,
    pub(super) acked: Option<DateTime<Utc>>,
}

/// Why a message is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum PublishError {
    #[error("the sandbox holds {BYTES} bytes of messages and takes no more; acknowledge some")]
    Full,
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Topics, subscriptions and messages.
pub(crate) struct Pubsub {
    pub(super) topics: Shelf<Topic>,
    pub(super) subscriptions: Shelf<Subscription>,
    pub(super) messages: Shelf<Message>,
    pub(super) inner: Mutex<Inner>,
    /// Changes when there may be something to pull.
    pub(super) changes: watch::Sender<u64>,
}

pub(super) struct Inner {
    next: u64,
    bytes: usize,
}

pub(super) fn key(subscription: &str, number: u64) -> String {
    format!("{subscription}/{number:020}")
}

impl Pubsub {
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let messages = Shelf::<Message>::open(&folder.join("messages.jsonl"))?;
        let all = messages.under("");
        let inner = Inner {
            next: all.iter().map(|(_, one)| one.number).max().unwrap_or(0) + 1,
            bytes: all.iter().map(|(_, one)| one.published.bytes()).sum(),
        };
        Ok(Self {
            topics: Shelf::open(&folder.join("topics.jsonl"))?,
            subscriptions: Shelf::open(&folder.join("subscriptions.jsonl"))?,
            messages,
            inner: Mutex::new(inner),
            changes: watch::Sender::new(0),
        })
    }

    /// Puts messages into every subscription of a topic, and gives their numbers.
    pub(super) fn publish(
        &self,
        topic: &str,
        messages: &[Published],
        now: DateTime<Utc>,
    ) -> Result<Vec<u64>, PublishError> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let numbers = self.put(&mut inner, topic, messages, now)?;
        drop(inner);
        self.changes.send_modify(|count| *count += 1);
        Ok(numbers)
    }

    fn put(
        &self,
        inner: &mut Inner,
        topic: &str,
        messages: &[Published],
        now: DateTime<Utc>,
    ) -> Result<Vec<u64>, PublishError> {
        let mut to = self.subscriptions.under("");
        to.retain(|(_, one)| one.topic.as_deref() == Some(topic));
        let bytes: usize = messages.iter().map(Published::bytes).sum::<usize>() * to.len();
        if inner.bytes + bytes > BYTES {
            return Err(PublishError::Full);
        }
        // Numbers of messages that are gone are not given again, also after a restart.
        let floor = u64::try_from(now.timestamp_micros()).unwrap_or(0);
        inner.next = inner.next.max(floor);
        let mut numbers = Vec::new();
        for published in messages {
            let number = inner.next;
            inner.next += 1;
            for (subscription, _) in &to {
                let message = Message {
                    number,
                    published: published.clone(),
                    at: now,
                    attempts: 0,
                    not_before: now,
                    held: false,
                    acked: None,
                };
                self.messages.put(&key(subscription, number), message)?;
                inner.bytes += published.bytes();
            }
            numbers.push(number);
        }
        Ok(numbers)
    }

    pub(super) fn drop_message(
        &self,
        inner: &mut Inner,
        key: &str,
        message: &Message,
    ) -> io::Result<()> {
        inner.bytes = inner.bytes.saturating_sub(message.published.bytes());
        self.messages.remove(key)
    }

    /// Gives at most so many messages to somebody, for as long as the subscription's deadline says.
    pub(super) fn pull(
        &self,
        name: &str,
        most: usize,
        now: DateTime<Utc>,
    ) -> Result<Vec<Arc<Message>>, PublishError> {
        let Some(subscription) = self.subscriptions.get(name) else {
            return Ok(Vec::new());
        };
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut waiting = BTreeSet::new();
        let mut given = Vec::new();
        for (key, message) in self.messages.under(&format!("{name}/")) {
            if (now - message.at).num_seconds() > subscription.retention {
                self.drop_message(&mut inner, &key, &message)?;
                continue;
            }
            if message.acked.is_some() {
                continue;
            }
            let ordering = &message.published.ordering_key;
            let ordered = subscription.ordered && !ordering.is_empty();
            if message.not_before > now || (ordered && waiting.contains(ordering)) {
                if ordered {
                    waiting.insert(ordering.clone());
                }
                continue;
            }
            if let Some(dead) = &subscription.dead_letters
                && message.attempts >= dead.attempts
            {
                self.bury(&mut inner, (name, dead), &message, now)?;
                self.drop_message(&mut inner, &key, &message)?;
                continue;
            }
            if given.len() == most {
                break;
            }
            let mut message = Message::clone(&message);
            message.attempts += 1;
            message.held = true;
            message.not_before = now + TimeDelta::seconds(i64::from(subscription.deadline));
            given.push(self.messages.put(&key, message)?);
        }
        Ok(given)
    }

    /// Hands a message on to the topic for dead letters.
    fn bury(
        &self,
        inner: &mut Inner,
        (from, dead): (&str, &DeadLetters),
        message: &Message,
        now: DateTime<Utc>,
    ) -> Result<(), PublishError> {
        let mut published = message.published.clone();
        let (place, name) = from.split_once("/subscriptions/").unwrap_or_default();
        let notes = [
            (
                "CloudPubSubDeadLetterSourceDeliveryCount",
                message.attempts.to_string(),
            ),
            ("CloudPubSubDeadLetterSourceSubscription", name.to_owned()),
            (
                "CloudPubSubDeadLetterSourceSubscriptionProject",
                place.trim_start_matches("projects/").to_owned(),
            ),
            (
                "CloudPubSubDeadLetterSourceTopicPublishTime",
                message.at.to_rfc3339(),
            ),
        ];
        for (name, value) in notes {
            published.attributes.insert(name.to_owned(), value);
        }
        self.put(inner, &dead.topic, &[published], now)?;
        Ok(())
    }

    /// Takes a message off. False: the identifier is not of the newest delivery.
    pub(super) fn acknowledge(
        &self,
        name: &str,
        (number, attempt): (u64, u32),
        now: DateTime<Utc>,
    ) -> io::Result<bool> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let key = key(name, number);
        let Some(message) = self.messages.get(&key) else {
            return Ok(false);
        };
        if message.attempts != attempt || !message.held || message.acked.is_some() {
            return Ok(false);
        }
        let kept = self
            .subscriptions
            .get(name)
            .is_some_and(|one| one.retain_acked);
        if kept {
            let mut message = Message::clone(&message);
            message.acked = Some(now);
            self.messages.put(&key, message)?;
        } else {
            self.drop_message(&mut inner, &key, &message)?;
        }
        drop(inner);
        // One with the same ordering key may have waited for this.
        self.changes.send_modify(|count| *count += 1);
        Ok(true)
    }

    /// Gives somebody more time, or takes the message back when `seconds` is 0.
    pub(super) fn extend(
        &self,
        name: &str,
        (number, attempt): (u64, u32),
        seconds: u32,
        now: DateTime<Utc>,
    ) -> io::Result<bool> {
        let _inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let key = key(name, number);
        let Some(message) = self.messages.get(&key) else {
            return Ok(false);
        };
        if message.attempts != attempt || !message.held || message.acked.is_some() {
            return Ok(false);
        }
        let mut message = Message::clone(&message);
        message.not_before = now + TimeDelta::seconds(i64::from(seconds));
        if seconds == 0 {
            message.held = false;
            let backoff = self.subscriptions.get(name).and_then(|one| one.backoff);
            if let Some((least, most)) = backoff {
                let doubled = least.saturating_mul(1 << message.attempts.saturating_sub(1).min(20));
                message.not_before =
                    now + TimeDelta::seconds(doubled.clamp(least, most.max(least)));
            }
        }
        self.messages.put(&key, message)?;
        self.changes.send_modify(|count| *count += 1);
        Ok(true)
    }

    /// Everything published before `time` counts as acknowledged, what came later and is still kept does not.
    pub(super) fn seek(
        &self,
        name: &str,
        time: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> io::Result<()> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = self
            .subscriptions
            .get(name)
            .is_some_and(|one| one.retain_acked);
        for (key, message) in self.messages.under(&format!("{name}/")) {
            let before = message.at < time;
            if before && !kept {
                self.drop_message(&mut inner, &key, &message)?;
            } else if before != message.acked.is_some() {
                let mut message = Message::clone(&message);
                message.acked = before.then_some(now);
                message.not_before = now;
                message.held = false;
                self.messages.put(&key, message)?;
            }
        }
        drop(inner);
        self.changes.send_modify(|count| *count += 1);
        Ok(())
    }

    /// Takes a subscription and its messages away.
    pub(crate) fn unsubscribe(&self, name: &str) -> io::Result<()> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        self.subscriptions.remove(name)?;
        for (key, message) in self.messages.under(&format!("{name}/")) {
            self.drop_message(&mut inner, &key, &message)?;
        }
        Ok(())
    }
}
