//! Messages for the services beside Pub/Sub, without HTTP.

use std::collections::BTreeMap;
use std::io;
use std::sync::PoisonError;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::queue::{Message, PublishError, Pubsub, Subscription, key};

/// A message that somebody has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) number: u64,
    pub(crate) data: Vec<u8>,
    pub(crate) attributes: BTreeMap<String, String>,
    /// When it was published.
    pub(crate) at: DateTime<Utc>,
    attempt: u32,
}

impl Taken {
    fn of(message: &Message) -> Self {
        let data = &message.published.data;
        // It was looked at when it was published.
        let bytes = STANDARD.decode(data).or_else(|_| URL_SAFE.decode(data));
        Self {
            number: message.number,
            data: bytes.unwrap_or_default(),
            attributes: message.published.attributes.clone(),
            at: message.at,
            attempt: message.attempts,
        }
    }
}

impl Pubsub {
    /// Changes when there may be something to take.
    pub(crate) fn changed(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(crate) fn has_subscription(&self, name: &str) -> bool {
        self.subscriptions.get(name).is_some()
    }

    pub(crate) fn has_topic(&self, name: &str) -> bool {
        self.topics.get(name).is_some()
    }

    /// Makes a subscription of a topic as Dataflow does for a job that reads a topic; one that is there stays.
    pub(crate) fn subscribe(&self, name: &str, topic: &str) -> io::Result<()> {
        if self.has_subscription(name) {
            return Ok(());
        }
        let subscription = Subscription {
            topic: Some(topic.to_owned()),
            deadline: 60,
            ordered: false,
            exactly_once: false,
            retention: 604_800,
            retain_acked: false,
            dead_letters: None,
            backoff: None,
            labels: BTreeMap::new(),
        };
        self.subscriptions.put(name, subscription).map(drop)
    }

    /// Takes at most so many messages, for as long as the subscription's deadline says.
    pub(crate) fn take(
        &self,
        name: &str,
        most: usize,
        now: DateTime<Utc>,
    ) -> io::Result<Vec<Taken>> {
        match self.pull(name, most, now) {
            Ok(messages) => Ok(messages.iter().map(|one| Taken::of(one)).collect()),
            Err(PublishError::Io(error)) => Err(error),
            Err(full @ PublishError::Full) => Err(io::Error::other(full)),
        }
    }

    /// Messages by their numbers, whoever has them; those that are gone are left out.
    pub(crate) fn these(&self, name: &str, numbers: &[u64]) -> Vec<Taken> {
        numbers
            .iter()
            .filter_map(|number| self.messages.get(&key(name, *number)))
            .filter(|message| message.acked.is_none())
            .map(|message| Taken::of(&message))
            .collect()
    }

    /// Takes messages off that have been dealt with, whoever has them by now.
    pub(crate) fn settle(&self, name: &str, numbers: &[u64], now: DateTime<Utc>) -> io::Result<()> {
        let kept = self
            .subscriptions
            .get(name)
            .is_some_and(|one| one.retain_acked);
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        for number in numbers {
            let key = key(name, *number);
            let Some(message) = self.messages.get(&key) else {
                continue;
            };
            if kept {
                let mut message = Message::clone(&message);
                message.acked = Some(now);
                self.messages.put(&key, message)?;
            } else {
                self.drop_message(&mut inner, &key, &message)?;
            }
        }
        drop(inner);
        self.changes.send_modify(|count| *count += 1);
        Ok(())
    }

    /// Gives messages back.
    pub(crate) fn give_back(
        &self,
        name: &str,
        messages: &[Taken],
        now: DateTime<Utc>,
    ) -> io::Result<()> {
        for one in messages {
            self.extend(name, (one.number, one.attempt), 0, now)?;
        }
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn fill(
        &self,
        topic: &str,
        texts: impl Iterator<Item = String>,
        now: DateTime<Utc>,
    ) {
        let messages: Vec<super::queue::Published> = texts
            .map(|text| super::queue::Published {
                data: STANDARD.encode(text),
                attributes: BTreeMap::new(),
                ordering_key: String::new(),
            })
            .collect();
        self.publish(topic, &messages, now).expect("it works");
    }

    /// How many messages are to be dealt with, and when the oldest of them was published.
    pub(crate) fn backlog(&self, name: &str) -> (u64, Option<DateTime<Utc>>) {
        let (mut count, mut oldest) = (0, None::<DateTime<Utc>>);
        let prefix = format!("{name}/");
        self.messages.visit(&prefix, |key, message| {
            if !key.starts_with(&prefix) {
                return std::ops::ControlFlow::Break(());
            }
            if message.acked.is_none() {
                count += 1;
                oldest = Some(oldest.map_or(message.at, |oldest| oldest.min(message.at)));
            }
            std::ops::ControlFlow::Continue(())
        });
        (count, oldest)
    }
}
