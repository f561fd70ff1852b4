//! Pub/Sub as the pages show it: what waits is looked at, nothing is taken.

use std::ops::ControlFlow;

use chrono::{DateTime, Utc};

use super::queue::Pubsub;

/// A subscription in a list.
#[derive(Debug)]
pub(crate) struct SubscriptionSeen {
    /// `projects/p/subscriptions/s`.
    pub(crate) name: String,
    /// None: the topic was deleted.
    pub(crate) topic: Option<String>,
    /// Messages that nobody has.
    pub(crate) waiting: usize,
    /// Messages that somebody has and has not acknowledged.
    pub(crate) held: usize,
    /// When the oldest of both was published.
    pub(crate) oldest: Option<DateTime<Utc>>,
    /// Seconds.
    pub(crate) deadline: u32,
    pub(crate) ordered: bool,
    /// The topic, and after how many attempts.
    pub(crate) dead_letters: Option<(String, u32)>,
}

/// A message that is looked at.
#[derive(Debug)]
pub(crate) struct MessageSeen {
    pub(crate) number: u64,
    pub(crate) at: DateTime<Utc>,
    pub(crate) attempts: u32,
    /// Until then it is with somebody, or waits after it came back.
    pub(crate) until: Option<DateTime<Utc>>,
    pub(crate) held: bool,
    /// In base64.
    pub(crate) data: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) ordering_key: String,
}

impl Pubsub {
    /// The names of all topics.
    pub(crate) fn topic_names(&self) -> Vec<String> {
        let all = self.topics.under("").into_iter();
        all.map(|(name, _)| name).collect()
    }

    /// Whether there is such a topic.
    pub(crate) fn topics_has(&self, name: &str) -> bool {
        self.topics.get(name).is_some()
    }

    /// All subscriptions, or those of one topic.
    pub(crate) fn subscriptions_seen(
        &self,
        topic: Option<&str>,
        now: DateTime<Utc>,
    ) -> Vec<SubscriptionSeen> {
        let all = self.subscriptions.under("").into_iter();
        all.filter(|(_, one)| topic.is_none_or(|topic| one.topic.as_deref() == Some(topic)))
            .map(|(name, one)| {
                let mut seen = SubscriptionSeen {
                    topic: one.topic.clone(),
                    waiting: 0,
                    held: 0,
                    oldest: None,
                    deadline: one.deadline,
                    ordered: one.ordered,
                    dead_letters: one
                        .dead_letters
                        .as_ref()
                        .map(|dead| (dead.topic.clone(), dead.attempts)),
                    name,
                };
                self.count(&mut seen, now);
                seen
            })
            .collect()
    }

    fn count(&self, seen: &mut SubscriptionSeen, now: DateTime<Utc>) {
        let prefix = format!("{}/", seen.name);
        self.messages.visit(&prefix, |key, message| {
            if !key.starts_with(&prefix) {
                return ControlFlow::Break(());
            }
            if message.acked.is_none() {
                if message.held && message.not_before > now {
                    seen.held += 1;
                } else {
                    seen.waiting += 1;
                }
                // They are kept in the order in which they came.
                seen.oldest.get_or_insert(message.at);
            }
            ControlFlow::Continue(())
        });
    }

    /// Messages that are not acknowledged, oldest first, from a number on, and whether there are more. None: there is no
    /// such subscription.
    pub(crate) fn peek(
        &self,
        name: &str,
        from: u64,
        most: usize,
        now: DateTime<Utc>,
    ) -> Option<(Vec<MessageSeen>, bool)> {
        self.subscriptions.get(name)?;
        let (prefix, mut found, mut more) = (format!("{name}/"), Vec::new(), false);
        self.messages
            .visit(&format!("{prefix}{from:020}"), |key, message| {
                if !key.starts_with(&prefix) {
                    return ControlFlow::Break(());
                }
                if message.acked.is_some() {
                    return ControlFlow::Continue(());
                }
                if found.len() == most {
                    more = true;
                    return ControlFlow::Break(());
                }
                found.push(MessageSeen {
                    number: message.number,
                    at: message.at,
                    attempts: message.attempts,
                    until: Some(message.not_before).filter(|until| *until > now),
                    held: message.held && message.not_before > now,
                    data: message.published.data.clone(),
                    attributes: message.published.attributes.clone().into_iter().collect(),
                    ordering_key: message.published.ordering_key.clone(),
                });
                ControlFlow::Continue(())
            });
        Some((found, more))
    }
}
