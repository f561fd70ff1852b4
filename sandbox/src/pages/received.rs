//! What people would have got.

use askama::Template;
use serde_json::Value;

use super::Page;
use super::frame::Frame;
use super::shown::{When, cut, pretty};
use crate::services::receivers::Received;

/// Messages of a page.
const MESSAGES: usize = 50;
/// Characters of a mail that are shown unfolded.
const TEXT: usize = 5_000;

/// Names of the channels, for addresses and for people.
const CHANNELS: [(&str, &str); 7] = [
    ("slack", "Slack"),
    ("google_chat", "Google Chat"),
    ("telegram", "Telegram"),
    ("teams", "Microsoft Teams"),
    ("pagerduty", "PagerDuty"),
    ("webhook", "Webhook"),
    ("mail", "Mail"),
];

/// A message.
struct Line {
    number: u64,
    at: When,
    channel: String,
    to: String,
    facts: Vec<(&'static str, String)>,
    text: String,
    raw: String,
}

#[derive(Template)]
#[template(path = "received.html")]
struct ReceivedPage<'a> {
    frame: &'a Frame,
    channel: &'a str,
    channels: &'static [(&'static str, &'static str)],
    lines: Vec<Line>,
    total: usize,
    newest: Option<String>,
    older: Option<String>,
    address: &'a str,
}

/// `?channel=…&before=number`
pub(super) async fn page(frame: &Frame) -> Page {
    let channel = frame.query("channel");
    let before: Option<u64> = frame.number("before");
    let all = frame.state.receivers.all();
    let total = all.len();
    let found = all
        .iter()
        .rev()
        .filter(|one| before.is_none_or(|before| one.number < before))
        .filter(|one| channel.is_empty() || one.channel == channel);
    let mut lines: Vec<Line> = found
        .take(MESSAGES + 1)
        .map(|one| Line {
            number: one.number,
            at: When(one.at),
            channel: CHANNELS
                .iter()
                .find(|(name, _)| *name == one.channel)
                .map_or_else(|| one.channel.clone(), |(_, word)| (*word).to_owned()),
            to: one.to.clone(),
            facts: facts(&one.body),
            text: words(one),
            raw: pretty(&one.body),
        })
        .collect();
    let more = lines.len() > MESSAGES;
    lines.truncate(MESSAGES);
    let last = lines.last().map(|line| line.number.to_string());
    Frame::page(&ReceivedPage {
        frame,
        channel,
        channels: &CHANNELS,
        total,
        newest: before.map(|_| frame.here_with(&[("before", "")])),
        older: last
            .filter(|_| more)
            .map(|last| frame.here_with(&[("before", &last)])),
        lines,
        address: &frame.state.public,
    })
}

/// What a person would read. A mail's text stands behind its headers.
fn words(one: &Received) -> String {
    let message = one.body.pointer("/message").and_then(Value::as_str);
    let Some(message) = message.filter(|_| one.channel == "mail") else {
        return one.text.clone();
    };
    let behind = message
        .split_once("\r\n\r\n")
        .or_else(|| message.split_once("\n\n"));
    let text = behind.map_or("", |(_, text)| text.trim());
    format!("{}\n{}", one.text, cut(text, TEXT))
}

/// What else a person would see of some channels.
fn facts(body: &Value) -> Vec<(&'static str, String)> {
    let names = [
        ("Subject", "/subject"),
        ("From", "/from"),
        ("Action", "/event_action"),
        ("Severity", "/payload/severity"),
        ("Source", "/payload/source"),
        ("Key", "/dedup_key"),
    ];
    let found = names.into_iter().filter_map(|(name, pointer)| {
        let text = body.pointer(pointer)?.as_str()?;
        (!text.is_empty()).then(|| (name, text.to_owned()))
    });
    found.collect()
}
