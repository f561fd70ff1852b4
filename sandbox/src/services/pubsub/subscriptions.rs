//! Subscriptions: pulling, acknowledging, deadlines.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method as Verb;
use chrono::DateTime;
use serde_json::{Value, json};

use super::queue::{DeadLetters, Message, Subscription};
use super::{check_name, exists, missing, refuse, seconds};
use crate::call::{Answer, Call, Refusal, Reply};
use crate::route::Method;
use crate::services::{Service, fields};
use crate::state::State;

/// How long a pull that finds nothing waits; the service says only that it is bounded.
const PATIENCE: Duration = Duration::from_secs(10);
/// Deadlines end without a word, so a pull that waits looks again after this.
const LOOK: Duration = Duration::from_millis(200);

pub(super) fn methods() -> Vec<Method> {
    let one = "/v1/projects/{project}/subscriptions/{subscription}";
    let service = Service::Pubsub;
    let mut all = vec![
        Method::new(
            service,
            "pubsub.projects.subscriptions.create",
            Verb::PUT,
            one,
            create,
        ),
        Method::new(
            service,
            "pubsub.projects.subscriptions.get",
            Verb::GET,
            one,
            get,
        ),
        Method::new(
            service,
            "pubsub.projects.subscriptions.delete",
            Verb::DELETE,
            one,
            delete,
        ),
        Method::new(
            service,
            "pubsub.projects.subscriptions.list",
            Verb::GET,
            "/v1/projects/{project}/subscriptions",
            list,
        ),
    ];
    all.extend(verbs());
    all
}

/// What is done with the messages of a subscription.
fn verbs() -> Vec<Method> {
    let service = Service::Pubsub;
    let pull_at = "/v1/projects/{project}/subscriptions/{subscription}:pull";
    let ack_at = "/v1/projects/{project}/subscriptions/{subscription}:acknowledge";
    let extend_at = "/v1/projects/{project}/subscriptions/{subscription}:modifyAckDeadline";
    let seek_at = "/v1/projects/{project}/subscriptions/{subscription}:seek";
    let push_at = "/v1/projects/{project}/subscriptions/{subscription}:modifyPushConfig";
    vec![
        Method::new(
            service,
            "pubsub.projects.subscriptions.pull",
            Verb::POST,
            pull_at,
            pull,
        ),
        Method::new(
            service,
            "pubsub.projects.subscriptions.acknowledge",
            Verb::POST,
            ack_at,
            acknowledge,
        ),
        Method::new(
            service,
            "pubsub.projects.subscriptions.modifyAckDeadline",
            Verb::POST,
            extend_at,
            extend,
        ),
        Method::new(
            service,
            "pubsub.projects.subscriptions.seek",
            Verb::POST,
            seek_at,
            seek,
        ),
        Method::new(
            service,
            "pubsub.projects.subscriptions.modifyPushConfig",
            Verb::POST,
            push_at,
            push,
        ),
    ]
}

fn name(call: &Call) -> String {
    format!(
        "projects/{}/subscriptions/{}",
        call.part("project"),
        call.part("subscription")
    )
}

fn find(state: &State, call: &Call) -> Result<(String, Arc<Subscription>), Refusal> {
    let name = name(call);
    let found = state.pubsub.subscriptions.get(&name);
    found
        .map(|found| (name.clone(), found))
        .ok_or_else(|| missing(&name))
}

fn shown(name: &str, one: &Subscription) -> Value {
    fields::without_nulls(json!({
        "name": name,
        "topic": one.topic.as_deref().unwrap_or("_deleted-topic_"),
        "pushConfig": {},
        "ackDeadlineSeconds": one.deadline,
        "messageRetentionDuration": format!("{}s", one.retention),
        "retainAckedMessages": one.retain_acked,
        "enableMessageOrdering": one.ordered,
        "enableExactlyOnceDelivery": one.exactly_once,
        "labels": one.labels,
        "state": "ACTIVE",
        "deadLetterPolicy": one.dead_letters.as_ref().map(|dead| {
            json!({ "deadLetterTopic": dead.topic, "maxDeliveryAttempts": dead.attempts })
        }),
        "retryPolicy": one.backoff.map(|(least, most)| {
            json!({ "minimumBackoff": format!("{least}s"), "maximumBackoff": format!("{most}s") })
        }),
    }))
}

fn read(state: &State, body: &Value) -> Result<Subscription, Refusal> {
    let flag = |name: &str| body[name] == json!(true);
    let topic = fields::need(body, "/topic")?;
    state
        .pubsub
        .topics
        .get(topic)
        .ok_or_else(|| missing(topic))?;
    let deadline = body["ackDeadlineSeconds"].as_u64().unwrap_or(0);
    let deadline = if deadline == 0 { 10 } else { deadline };
    if !(10..=600).contains(&deadline) {
        return Err(Refusal::invalid(
            "ackDeadlineSeconds has to be from 10 to 600",
        ));
    }
    let dead_letters = match fields::text(body, "/deadLetterPolicy/deadLetterTopic") {
        None => None,
        Some(topic) => {
            state
                .pubsub
                .topics
                .get(topic)
                .ok_or_else(|| missing(topic))?;
            let attempts = body["deadLetterPolicy"]["maxDeliveryAttempts"]
                .as_u64()
                .unwrap_or(5);
            if !(5..=100).contains(&attempts) {
                return Err(Refusal::invalid(
                    "maxDeliveryAttempts has to be from 5 to 100",
                ));
            }
            Some(DeadLetters {
                topic: topic.to_owned(),
                attempts: u32::try_from(attempts).unwrap_or(5),
            })
        }
    };
    let backoff = match body.get("retryPolicy").filter(|policy| policy.is_object()) {
        None => None,
        Some(_) => Some((
            seconds(body, "/retryPolicy/minimumBackoff")?.unwrap_or(10),
            seconds(body, "/retryPolicy/maximumBackoff")?.unwrap_or(600),
        )),
    };
    Ok(Subscription {
        topic: Some(topic.to_owned()),
        deadline: u32::try_from(deadline).unwrap_or(10),
        ordered: flag("enableMessageOrdering"),
        exactly_once: flag("enableExactlyOnceDelivery"),
        retention: seconds(body, "/messageRetentionDuration")?.unwrap_or(604_800),
        retain_acked: flag("retainAckedMessages"),
        dead_letters,
        backoff,
        labels: fields::strings(body, "/labels")?,
    })
}

async fn create(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    fields::object(&body)?;
    let known = [
        "name",
        "topic",
        "pushConfig",
        "ackDeadlineSeconds",
        "messageRetentionDuration",
        "retainAckedMessages",
        "enableMessageOrdering",
        "enableExactlyOnceDelivery",
        "labels",
        "deadLetterPolicy",
        "retryPolicy",
        "expirationPolicy",
        "filter",
        "bigqueryConfig",
        "cloudStorageConfig",
        "detached",
    ];
    fields::only(&body, "", &known)?;
    refuse(
        &body,
        &[
            "pushConfig",
            "bigqueryConfig",
            "cloudStorageConfig",
            "detached",
        ],
    )?;
    if fields::text(&body, "/filter").is_some() {
        return Err(Refusal::unsupported("filter of a subscription"));
    }
    check_name(call.part("subscription"))?;
    let name = name(&call);
    if state.pubsub.subscriptions.get(&name).is_some() {
        return Err(exists(&name));
    }
    let subscription = read(&state, &body)?;
    let subscription = state
        .pubsub
        .subscriptions
        .put(&name, subscription)
        .map_err(|error| Refusal::internal(&error))?;
    Ok(Reply::json(&shown(&name, &subscription)).effect(format!("subscription {name} created")))
}

async fn get(state: Arc<State>, call: Call) -> Answer {
    let (name, one) = find(&state, &call)?;
    Ok(Reply::json(&shown(&name, &one)))
}

async fn list(state: Arc<State>, call: Call) -> Answer {
    let prefix = format!("projects/{}/subscriptions/", call.part("project"));
    let all = state.pubsub.subscriptions.under(&prefix);
    let all = all.iter().map(|(name, one)| shown(name, one)).collect();
    let (subscriptions, next) = fields::page(&call, "pageSize", "pageToken", all)?;
    let body = json!({ "subscriptions": subscriptions, "nextPageToken": next });
    Ok(Reply::json(&fields::without_nulls(body)))
}

async fn delete(state: Arc<State>, call: Call) -> Answer {
    let (name, _) = find(&state, &call)?;
    state
        .pubsub
        .unsubscribe(&name)
        .map_err(|error| Refusal::internal(&error))?;
    Ok(Reply::json(&json!({})).effect(format!("subscription {name} deleted")))
}

fn delivered(one: &Subscription, message: &Message) -> Value {
    let published = &message.published;
    let mut inner = json!({
        "messageId": message.number.to_string(), "publishTime": fields::time(message.at),
    });
    if !published.data.is_empty() {
        inner["data"] = json!(published.data);
    }
    if !published.attributes.is_empty() {
        inner["attributes"] = json!(published.attributes);
    }
    if !published.ordering_key.is_empty() {
        inner["orderingKey"] = json!(published.ordering_key);
    }
    let mut shown =
        json!({ "ackId": format!("{}:{}", message.number, message.attempts), "message": inner });
    if one.dead_letters.is_some() {
        shown["deliveryAttempt"] = json!(message.attempts);
    }
    shown
}

async fn pull(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    fields::only(&body, "", &["maxMessages", "returnImmediately"])?;
    let most = body["maxMessages"]
        .as_u64()
        .filter(|most| *most > 0)
        .ok_or_else(|| Refusal::invalid("maxMessages has to be a number of at least 1"))?;
    let (name, one) = find(&state, &call)?;
    let most = usize::try_from(most).unwrap_or(1_000).min(1_000);
    let end = tokio::time::Instant::now() + PATIENCE;
    let mut changes = state.pubsub.changes.subscribe();
    loop {
        changes.mark_unchanged();
        let messages = state
            .pubsub
            .pull(&name, most, state.now())
            .map_err(|error| Refusal::internal(&error))?;
        let over = body["returnImmediately"] == json!(true) || tokio::time::Instant::now() >= end;
        if !messages.is_empty() {
            let shown: Vec<Value> = messages
                .iter()
                .map(|message| delivered(&one, message))
                .collect();
            return Ok(Reply::json(&json!({ "receivedMessages": shown })));
        }
        if over {
            return Ok(Reply::json(&json!({})));
        }
        let _ = tokio::time::timeout(LOOK, changes.changed()).await;
    }
}

/// The identifiers of deliveries in a request.
fn ids(body: &Value) -> Result<Vec<(u64, u32)>, Refusal> {
    let texts = fields::list(body, "/ackIds")?;
    if texts.is_empty() {
        return Err(Refusal::invalid("ackIds is required"));
    }
    texts
        .iter()
        .map(|text| {
            text.split_once(':')
                .and_then(|(number, attempt)| Some((number.parse().ok()?, attempt.parse().ok()?)))
                .ok_or_else(|| {
                    Refusal::invalid(format!(
                        "You have passed an invalid ack ID to the service (ack_id={text})."
                    ))
                })
        })
        .collect()
}

/// Old identifiers are passed over; only a subscription of exactly-once delivery says so.
fn answered(one: &Subscription, stale: usize, reply: Reply) -> Answer {
    if stale > 0 && one.exactly_once {
        return Err(Refusal::new(
            axum::http::StatusCode::BAD_REQUEST,
            "FAILED_PRECONDITION",
            "Some acknowledgement ids in the request were invalid. This could be because the acknowledgement ids have expired or the acknowledgement ids were malformed.",
        ));
    }
    Ok(reply)
}

async fn acknowledge(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    fields::only(&body, "", &["ackIds"])?;
    let (name, one) = find(&state, &call)?;
    let mut reply = Reply::json(&json!({}));
    let mut stale = 0;
    for id in ids(&body)? {
        let done = state
            .pubsub
            .acknowledge(&name, id, state.now())
            .map_err(|error| Refusal::internal(&error))?;
        if done {
            reply = reply.effect(format!("{name} message {} acknowledged", id.0));
        } else {
            stale += 1;
        }
    }
    answered(&one, stale, reply)
}

async fn extend(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    fields::only(&body, "", &["ackIds", "ackDeadlineSeconds"])?;
    let (name, one) = find(&state, &call)?;
    let seconds = body["ackDeadlineSeconds"]
        .as_u64()
        .filter(|seconds| *seconds <= 600)
        .ok_or_else(|| Refusal::invalid("ackDeadlineSeconds has to be from 0 to 600"))?;
    let mut stale = 0;
    for id in ids(&body)? {
        let seconds = u32::try_from(seconds).unwrap_or(600);
        let done = state
            .pubsub
            .extend(&name, id, seconds, state.now())
            .map_err(|error| Refusal::internal(&error))?;
        stale += usize::from(!done);
    }
    answered(&one, stale, Reply::json(&json!({})))
}

async fn seek(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    refuse(&body, &["snapshot"])?;
    let time = fields::need(&body, "/time")?;
    let time = DateTime::parse_from_rfc3339(time)
        .map_err(|error| Refusal::invalid(format!("time: {time:?}: {error}")))?;
    let (name, _) = find(&state, &call)?;
    state
        .pubsub
        .seek(&name, time.to_utc(), state.now())
        .map_err(|error| Refusal::internal(&error))?;
    Ok(Reply::json(&json!({})).effect(format!("subscription {name} moved to {time}")))
}

async fn push(_: Arc<State>, _: Call) -> Answer {
    Err(Refusal::unsupported("push; pull the subscription"))
}
