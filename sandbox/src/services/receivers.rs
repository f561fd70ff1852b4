//! Receivers: what Slack, Google Chat, Telegram, Microsoft Teams, `PagerDuty`, a webhook or a mail server would have got.
//!
//! Each answers as the real one does, also to what it would refuse; so an alert that the sandbox takes has the right shape.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use axum::http::{Method as Verb, StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::call::{Answer, Call, Refusal, Reply};
use crate::route::Method;
use crate::services::Service;
use crate::shelf::Shelf;
use crate::state::State;

pub(crate) mod smtp;

/// More than this nobody looks at; the oldest go first.
const KEPT: u64 = 10_000;
/// A message of any of them is far below this.
const LIMIT: usize = 1 << 20;

/// One message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Received {
    pub(crate) number: u64,
    pub(crate) at: DateTime<Utc>,
    /// `slack`, `google_chat`, `telegram`, `teams`, `pagerduty`, `webhook`, `mail`.
    pub(crate) channel: String,
    /// Which webhook, chat, key or address.
    pub(crate) to: String,
    /// What a person would read.
    pub(crate) text: String,
    pub(crate) body: Value,
}

/// All that came.
pub(crate) struct Receivers {
    messages: Shelf<Received>,
}

impl Receivers {
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            messages: Shelf::open(&folder.join("received.jsonl"))?,
        })
    }

    /// Keeps a message and gives its number.
    pub(crate) fn keep(
        &self,
        at: DateTime<Utc>,
        channel: &str,
        to: &str,
        message: (String, Value),
    ) -> io::Result<u64> {
        // The name holds the number, with zeros, so that names sort as numbers do.
        let number = self.messages.last().map_or(1, |last| last.number + 1);
        let (text, body) = message;
        let received = Received {
            number,
            at,
            channel: channel.to_owned(),
            to: to.to_owned(),
            text,
            body,
        };
        self.messages.put(&name(number), received)?;
        if number > KEPT {
            self.messages.remove(&name(number - KEPT))?;
        }
        Ok(number)
    }

    /// How many messages are kept.
    pub(crate) fn count(&self) -> usize {
        let mut count = 0;
        self.messages.visit("", |_, _| {
            count += 1;
            ControlFlow::Continue(())
        });
        count
    }

    /// All messages, oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Received>> {
        let all = self.messages.under("").into_iter();
        all.map(|(_, message)| message).collect()
    }
}

fn name(number: u64) -> String {
    format!("{number:012}")
}

pub(crate) fn methods() -> Vec<Method> {
    let of = |id, path, handler: fn(Arc<State>, Call) -> _| {
        Method::new(Service::Receivers, id, Verb::POST, path, handler)
    };
    let mut methods = vec![Method::new(
        Service::Receivers,
        "sandbox.received",
        Verb::GET,
        "/sandbox/received",
        list,
    )];
    methods.extend([
        of(
            "slack.webhook",
            "/services/{team}/{hook}/{secret}",
            |state, call| Box::pin(slack(state, call)) as Running,
        ),
        of(
            "chat.spaces.messages.create",
            "/v1/spaces/{space}/messages",
            |state, call| Box::pin(google_chat(state, call)),
        ),
        of(
            "telegram.sendMessage",
            "/{bot}/sendMessage",
            |state, call| Box::pin(telegram(state, call)),
        ),
        of("teams.webhook", "/webhookb2/{+hook}", |state, call| {
            Box::pin(teams(state, call))
        }),
        of("teams.workflow", "/workflows/{+hook}", |state, call| {
            Box::pin(teams(state, call))
        }),
        of("pagerduty.enqueue", "/v2/enqueue", |state, call| {
            Box::pin(pagerduty(state, call))
        }),
        of("webhook", "/hooks/{name}", |state, call| {
            Box::pin(webhook(state, call))
        }),
    ]);
    methods
}

type Running = std::pin::Pin<Box<dyn Future<Output = Answer> + Send>>;

/// `?after=number&channel=slack`
async fn list(state: Arc<State>, call: Call) -> Answer {
    let after = call.parsed::<u64>("after")?.unwrap_or(0);
    let messages: Vec<_> = state
        .receivers
        .all()
        .into_iter()
        .filter(|message| message.number > after)
        .filter(|message| {
            call.query("channel")
                .is_none_or(|channel| message.channel == channel)
        })
        .map(|message| json!(*message))
        .collect();
    Ok(Reply::json(&json!({ "messages": messages })))
}

/// What an answer in the receiver's own words is made of.
fn kept(state: &State, channel: &str, to: &str, message: (String, Value), reply: Reply) -> Answer {
    let number = state
        .receivers
        .keep(state.now(), channel, to, message)
        .map_err(|error| Refusal::internal(&error))?;
    Ok(reply.effect(format!("{channel} {to}: message {number}")))
}

/// The first of these fields that is a text with something in it.
fn text(body: &Value, pointers: &[&str]) -> Option<String> {
    let found = pointers
        .iter()
        .find_map(|pointer| body.pointer(pointer).and_then(Value::as_str));
    found
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

async fn slack(state: Arc<State>, mut call: Call) -> Answer {
    let refused = |words: &'static str| Ok(Reply::new(StatusCode::BAD_REQUEST, "text/html", words));
    let bytes = call.bytes(LIMIT).await?;
    let Ok(body) = serde_json::from_slice::<Value>(&bytes) else {
        return refused("invalid_payload");
    };
    if !body.is_object() {
        return refused("invalid_payload");
    }
    let blocks = body
        .get("blocks")
        .and_then(Value::as_array)
        .is_some_and(|blocks| !blocks.is_empty());
    if body
        .pointer("/blocks")
        .and_then(Value::as_array)
        .is_some_and(|blocks| blocks.len() > 50)
    {
        return refused("invalid_blocks");
    }
    let words = text(
        &body,
        &[
            "/text",
            "/blocks/0/text/text",
            "/attachments/0/text",
            "/attachments/0/fallback",
        ],
    );
    let Some(words) = words.or_else(|| blocks.then(String::new)) else {
        return refused("no_text");
    };
    let to = call.part("team").to_owned();
    kept(
        &state,
        "slack",
        &to,
        (words, body),
        Reply::new(StatusCode::OK, "text/html", "ok"),
    )
}

async fn google_chat(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    let cards = body
        .get("cardsV2")
        .and_then(Value::as_array)
        .is_some_and(|cards| !cards.is_empty());
    let words = text(&body, &["/text", "/cardsV2/0/card/header/title"]);
    let Some(words) = words.or_else(|| cards.then(String::new)) else {
        return Err(Refusal::invalid("Message cannot be empty."));
    };
    if words.len() > 32_000 {
        return Err(Refusal::invalid("Message is too long."));
    }
    let space = call.part("space").to_owned();
    let number = state
        .receivers
        .keep(state.now(), "google_chat", &space, (words.clone(), body))
        .map_err(|error| Refusal::internal(&error))?;
    let reply = json!({
        "name": format!("spaces/{space}/messages/{number}.{number}"), "text": words,
        "createTime": state.now().to_rfc3339(), "space": { "name": format!("spaces/{space}") },
    });
    Ok(Reply::json(&reply).effect(format!("google_chat {space}: message {number}")))
}

async fn telegram(state: Arc<State>, mut call: Call) -> Answer {
    let refused = |status: StatusCode, words: &str| {
        let body = json!({ "ok": false, "error_code": status.as_u16(), "description": words });
        Ok(Reply::json(&body).status(status))
    };
    if !call
        .part("bot")
        .strip_prefix("bot")
        .is_some_and(|token| token.contains(':'))
    {
        return refused(StatusCode::NOT_FOUND, "Not Found");
    }
    let Ok(body) = call.json::<Value>().await else {
        return refused(
            StatusCode::BAD_REQUEST,
            "Bad Request: can't parse JSON object",
        );
    };
    let chat = match body.get("chat_id") {
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(name)) if !name.is_empty() => name.clone(),
        _ => return refused(StatusCode::BAD_REQUEST, "Bad Request: chat_id is empty"),
    };
    let Some(words) = text(&body, &["/text"]) else {
        return refused(
            StatusCode::BAD_REQUEST,
            "Bad Request: message text is empty",
        );
    };
    if words.chars().count() > 4_096 {
        return refused(StatusCode::BAD_REQUEST, "Bad Request: message is too long");
    }
    let reply = json!({ "ok": true, "result": {
        "message_id": 1, "date": state.now().timestamp(), "chat": { "id": body["chat_id"] }, "text": words,
    }});
    kept(
        &state,
        "telegram",
        &chat,
        (words, body),
        Reply::json(&reply),
    )
}

async fn teams(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    let card = body
        .pointer("/attachments/0/content/type")
        .and_then(Value::as_str)
        == Some("AdaptiveCard");
    let words = text(
        &body,
        &[
            "/text",
            "/summary",
            "/title",
            "/attachments/0/content/body/0/text",
        ],
    );
    let Some(words) = words.or_else(|| card.then(String::new)) else {
        return Ok(Reply::new(
            StatusCode::BAD_REQUEST,
            "text/plain",
            "Summary or Text is required.",
        ));
    };
    let to = call.part("hook").to_owned();
    kept(
        &state,
        "teams",
        &to,
        (words, body),
        Reply::new(StatusCode::ACCEPTED, "text/plain", "1"),
    )
}

async fn pagerduty(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    let mut errors = Vec::new();
    let action = body
        .get("event_action")
        .and_then(Value::as_str)
        .unwrap_or("");
    let key = body
        .get("routing_key")
        .and_then(Value::as_str)
        .unwrap_or("")
        .to_owned();
    if key.len() != 32 {
        errors.push("'routing_key' is invalid (must have 32 characters)".to_owned());
    }
    let dedup = body
        .get("dedup_key")
        .and_then(Value::as_str)
        .filter(|key| !key.is_empty());
    match action {
        "trigger" => {
            for field in ["summary", "source", "severity"] {
                if text(&body, &[&format!("/payload/{field}")]).is_none() {
                    errors.push(format!("'payload.{field}' is missing or blank"));
                }
            }
            let severity = body
                .pointer("/payload/severity")
                .and_then(Value::as_str)
                .unwrap_or("info");
            if !["critical", "error", "warning", "info"].contains(&severity) {
                errors.push("'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')".to_owned());
            }
        }
        "acknowledge" | "resolve" if dedup.is_some() => {}
        "acknowledge" | "resolve" => errors.push("'dedup_key' is missing or blank".to_owned()),
        _ => errors.push("'event_action' is missing or blank".to_owned()),
    }
    if !errors.is_empty() {
        let refused = json!({ "status": "invalid event", "message": "Event object is invalid", "errors": errors });
        return Ok(Reply::json(&refused).status(StatusCode::BAD_REQUEST));
    }
    let dedup = dedup.map_or_else(
        || format!("{:032x}", state.now().timestamp_micros()),
        str::to_owned,
    );
    let reply = json!({ "status": "success", "message": "Event processed", "dedup_key": dedup });
    let words = text(&body, &["/payload/summary"]).unwrap_or_else(|| format!("{action} {dedup}"));
    kept(
        &state,
        "pagerduty",
        &key,
        (words, body),
        Reply::json(&reply).status(StatusCode::ACCEPTED),
    )
}

/// Any JSON. The headers are kept, because the signature is in one of them.
async fn webhook(state: Arc<State>, mut call: Call) -> Answer {
    let bytes = call.bytes(LIMIT).await?;
    let body: Value = serde_json::from_slice(&bytes)
        .map_err(|error| Refusal::invalid(format!("no JSON: {error}")))?;
    let headers: serde_json::Map<_, _> = call
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.to_string(), json!(value.to_str().ok()?))))
        .collect();
    let words = text(&body, &["/text", "/title", "/summary", "/message"]).unwrap_or_default();
    let sent = String::from_utf8_lossy(&bytes);
    let to = call.part("name").to_owned();
    let kept_body = json!({ "headers": headers, "body": body, "sent": sent });
    kept(
        &state,
        "webhook",
        &to,
        (words, kept_body),
        Reply::json(&json!({ "ok": true })),
    )
}
