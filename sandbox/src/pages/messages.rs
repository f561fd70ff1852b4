//! Topics, subscriptions, and what waits in them. Looking takes nothing.

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

use super::form::Form;
use super::frame::{Frame, journal_of, link};
use super::inner::segment;
use super::shown::{When, cut, number};
use super::{Oops, Page, see};
use crate::services::pubsub::{MessageSeen, SubscriptionSeen};

/// Messages of a page.
const MESSAGES: usize = 50;
/// Characters of a message that are shown.
const TEXT: usize = 2_000;

/// A subscription.
struct Subscription {
    short: String,
    href: String,
    waiting: String,
    held: String,
    oldest: Option<When>,
    notes: Vec<String>,
}

impl From<SubscriptionSeen> for Subscription {
    fn from(one: SubscriptionSeen) -> Self {
        let mut notes = vec![format!("{} s to acknowledge", one.deadline)];
        if one.ordered {
            notes.push("in order".to_owned());
        }
        if let Some((topic, attempts)) = &one.dead_letters {
            notes.push(format!("to {} after {attempts} attempts", short(topic)));
        }
        if one.topic.is_none() {
            notes.push("its topic is deleted".to_owned());
        }
        Self {
            short: short(&one.name),
            href: link("/sandbox/subscription", &[("name", &one.name)]),
            waiting: number(one.waiting as u64),
            held: number(one.held as u64),
            oldest: one.oldest.map(When),
            notes,
        }
    }
}

fn short(name: &str) -> String {
    name.rsplit('/').next().unwrap_or(name).to_owned()
}

/// A topic, and who gets what is published to it.
struct Topic {
    name: String,
    short: String,
    href: String,
    subscriptions: Vec<Subscription>,
}

#[derive(Template)]
#[template(path = "messages.html")]
struct MessagesPage<'a> {
    frame: &'a Frame,
    topics: Vec<Topic>,
    orphans: Vec<Subscription>,
    address: &'a str,
}

pub(super) async fn page(frame: &Frame) -> Page {
    let pubsub = &frame.state.pubsub;
    let mut all = pubsub.subscriptions_seen(None, frame.now);
    let topics = pubsub.topic_names().into_iter().map(|name| {
        let (own, rest) = std::mem::take(&mut all)
            .into_iter()
            .partition(|one| one.topic.as_deref() == Some(&name));
        all = rest;
        let own: Vec<SubscriptionSeen> = own;
        Topic {
            short: short(&name),
            href: link("/sandbox/topic", &[("name", &name)]),
            subscriptions: own.into_iter().map(Subscription::from).collect(),
            name,
        }
    });
    let topics = topics.collect();
    Frame::page(&MessagesPage {
        frame,
        topics,
        orphans: all.into_iter().map(Subscription::from).collect(),
        address: &frame.state.public,
    })
}

#[derive(Template)]
#[template(path = "topic.html")]
struct TopicPage<'a> {
    frame: &'a Frame,
    name: &'a str,
    short: String,
    subscriptions: Vec<Subscription>,
    journal: String,
}

/// `?name=projects/p/topics/t`
pub(super) async fn topic(frame: &Frame) -> Page {
    let name = frame.query("name");
    let pubsub = &frame.state.pubsub;
    if pubsub.topics_has(name) {
        let all = pubsub.subscriptions_seen(Some(name), frame.now);
        return Frame::page(&TopicPage {
            frame,
            name,
            short: short(name),
            subscriptions: all.into_iter().map(Subscription::from).collect(),
            journal: journal_of(name),
        });
    }
    Err(Oops::missing("There is no such topic"))
}

struct MessageLine {
    number: u64,
    at: When,
    attempts: u32,
    held: bool,
    until: Option<When>,
    key: String,
    attributes: Vec<(String, String)>,
    text: String,
    /// The data are no text.
    bytes: bool,
}

impl From<MessageSeen> for MessageLine {
    fn from(one: MessageSeen) -> Self {
        let bytes = BASE64.decode(&one.data).unwrap_or_default();
        let (text, bytes) = match String::from_utf8(bytes) {
            Ok(text) => (cut(&text, TEXT), false),
            Err(_) => (cut(&one.data, TEXT), true),
        };
        Self {
            number: one.number,
            at: When(one.at),
            attempts: one.attempts,
            held: one.held,
            until: one.until.map(When),
            key: one.ordering_key,
            attributes: one.attributes,
            text,
            bytes,
        }
    }
}

#[derive(Template)]
#[template(path = "subscription.html")]
struct SubscriptionPage<'a> {
    frame: &'a Frame,
    name: &'a str,
    short: String,
    topic: Option<(String, String)>,
    one: Subscription,
    messages: Vec<MessageLine>,
    first: Option<String>,
    more: Option<String>,
    journal: String,
}

/// `?name=projects/p/subscriptions/s&from=number`
pub(super) async fn subscription(frame: &Frame) -> Page {
    let name = frame.query("name");
    let missing = || Oops::missing("There is no such subscription");
    let pubsub = &frame.state.pubsub;
    let from: u64 = frame.number("from").unwrap_or(0);
    let peeked = pubsub.peek(name, from, MESSAGES + 1, frame.now);
    let (mut messages, _) = peeked.ok_or_else(missing)?;
    let next = messages.get(MESSAGES).map(|one| one.number.to_string());
    messages.truncate(MESSAGES);
    let all = pubsub.subscriptions_seen(None, frame.now);
    let one = all.into_iter().find(|one| one.name == name);
    let one = one.ok_or_else(missing)?;
    let topic = one.topic.clone();
    Frame::page(&SubscriptionPage {
        frame,
        name,
        short: short(name),
        topic: topic.map(|topic| (short(&topic), link("/sandbox/topic", &[("name", &topic)]))),
        one: one.into(),
        messages: messages.into_iter().map(MessageLine::from).collect(),
        first: (from > 0).then(|| frame.here_with(&[("from", "")])),
        more: next.map(|next| frame.here_with(&[("from", &next)])),
        journal: journal_of(name),
    })
}

/// Publishes a message.
pub(super) async fn publish(frame: &Frame, form: &Form) -> Page {
    let name = form.text("name");
    let mut parts = name.split('/');
    let (Some("projects"), Some(project), Some("topics"), Some(topic), None) = (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ) else {
        return Err(Oops::missing("There is no such topic"));
    };
    let mut attributes = Map::new();
    for line in form.text("attributes").lines() {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let (key, value) = line.split_once('=').ok_or_else(|| {
            Oops::invalid(format!("An attribute is name=value, and not {line:?}"))
        })?;
        attributes.insert(
            key.trim().to_owned(),
            Value::String(value.trim().to_owned()),
        );
    }
    let mut message = json!({ "data": BASE64.encode(form.text("data")) });
    if !attributes.is_empty() {
        message["attributes"] = Value::Object(attributes);
    }
    let key = form.text("key").trim();
    if !key.is_empty() {
        message["orderingKey"] = json!(key);
    }
    let path = format!(
        "/v1/projects/{}/topics/{}:publish",
        segment(project),
        segment(topic)
    );
    frame.post(&path, &json!({ "messages": [message] })).await?;
    let to = [("name", name), ("said", "published")];
    Ok(see(&link("/sandbox/topic", &to)))
}
