//! Topics and publishing.

use std::sync::Arc;

use axum::http::{Method as Verb, StatusCode};
use base64::Engine as _;
use serde_json::{Value, json};

use super::queue::{PublishError, Published, Subscription, Topic};
use super::{check_name, exists, missing, refuse};
use crate::call::{Answer, Call, Refusal, Reply};
use crate::route::Method;
use crate::services::{Service, fields};
use crate::state::State;

pub(super) fn methods() -> Vec<Method> {
    let one = "/v1/projects/{project}/topics/{topic}";
    let service = Service::Pubsub;
    vec![
        Method::new(
            service,
            "pubsub.projects.topics.create",
            Verb::PUT,
            one,
            create,
        ),
        Method::new(service, "pubsub.projects.topics.get", Verb::GET, one, get),
        Method::new(
            service,
            "pubsub.projects.topics.delete",
            Verb::DELETE,
            one,
            delete,
        ),
        Method::new(
            service,
            "pubsub.projects.topics.list",
            Verb::GET,
            "/v1/projects/{project}/topics",
            list,
        ),
        Method::new(
            service,
            "pubsub.projects.topics.publish",
            Verb::POST,
            "/v1/projects/{project}/topics/{topic}:publish",
            publish,
        ),
        Method::new(
            service,
            "pubsub.projects.topics.subscriptions.list",
            Verb::GET,
            "/v1/projects/{project}/topics/{topic}/subscriptions",
            list_subscriptions,
        ),
    ]
}

fn name(call: &Call) -> String {
    format!(
        "projects/{}/topics/{}",
        call.part("project"),
        call.part("topic")
    )
}

fn shown(name: &str, topic: &Topic) -> Value {
    fields::without_nulls(json!({
        "name": name, "labels": topic.labels, "messageRetentionDuration": topic.retention,
    }))
}

async fn create(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    fields::object(&body)?;
    let known = [
        "name",
        "labels",
        "messageRetentionDuration",
        "kmsKeyName",
        "schemaSettings",
        "messageStoragePolicy",
        "ingestionDataSourceSettings",
    ];
    fields::only(&body, "", &known)?;
    refuse(
        &body,
        &[
            "kmsKeyName",
            "schemaSettings",
            "ingestionDataSourceSettings",
        ],
    )?;
    check_name(call.part("topic"))?;
    let name = name(&call);
    super::seconds(&body, "/messageRetentionDuration")?;
    let topic = Topic {
        labels: fields::strings(&body, "/labels")?,
        retention: fields::text(&body, "/messageRetentionDuration").map(str::to_owned),
    };
    let (topic, ()) = state
        .pubsub
        .topics
        .change(&name, |old| match old {
            Some(_) => Err(TopicError::Exists),
            None => Ok((Some(topic), ())),
        })
        .map_err(|error| match error {
            TopicError::Exists => exists(&name),
            TopicError::Io(error) => Refusal::internal(&error),
        })?;
    let topic = topic.unwrap_or_default();
    Ok(Reply::json(&shown(&name, &topic)).effect(format!("topic {name} created")))
}

enum TopicError {
    Exists,
    Io(std::io::Error),
}

impl From<std::io::Error> for TopicError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

async fn get(state: Arc<State>, call: Call) -> Answer {
    let name = name(&call);
    let topic = state
        .pubsub
        .topics
        .get(&name)
        .ok_or_else(|| missing(&name))?;
    Ok(Reply::json(&shown(&name, &topic)))
}

async fn list(state: Arc<State>, call: Call) -> Answer {
    let all = state
        .pubsub
        .topics
        .under(&format!("projects/{}/topics/", call.part("project")));
    let all = all.iter().map(|(name, topic)| shown(name, topic)).collect();
    let (topics, next) = fields::page(&call, "pageSize", "pageToken", all)?;
    let body = json!({ "topics": topics, "nextPageToken": next });
    Ok(Reply::json(&fields::without_nulls(body)))
}

async fn list_subscriptions(state: Arc<State>, call: Call) -> Answer {
    let name = name(&call);
    state
        .pubsub
        .topics
        .get(&name)
        .ok_or_else(|| missing(&name))?;
    let all = state.pubsub.subscriptions.under("");
    let all = all
        .into_iter()
        .filter(|(_, one)| one.topic.as_deref() == Some(&name))
        .map(|(subscription, _)| subscription)
        .collect();
    let (subscriptions, next) = fields::page(&call, "pageSize", "pageToken", all)?;
    let body = json!({ "subscriptions": subscriptions, "nextPageToken": next });
    Ok(Reply::json(&fields::without_nulls(body)))
}

/// Its subscriptions stay, without a topic.
async fn delete(state: Arc<State>, call: Call) -> Answer {
    let name = name(&call);
    let failed = |error: std::io::Error| Refusal::internal(&error);
    state
        .pubsub
        .topics
        .get(&name)
        .ok_or_else(|| missing(&name))?;
    state.pubsub.topics.remove(&name).map_err(failed)?;
    for (key, subscription) in state.pubsub.subscriptions.under("") {
        if subscription.topic.as_deref() == Some(&name) {
            let mut subscription = Subscription::clone(&subscription);
            subscription.topic = None;
            state
                .pubsub
                .subscriptions
                .put(&key, subscription)
                .map_err(failed)?;
        }
    }
    Ok(Reply::json(&json!({})).effect(format!("topic {name} deleted")))
}

async fn publish(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    fields::only(&body, "", &["messages"])?;
    let messages: Vec<Published> = serde_json::from_value(body["messages"].clone())
        .map_err(|error| Refusal::invalid(format!("Invalid value at 'messages': {error}")))?;
    if messages.is_empty() || messages.len() > 1_000 {
        return Err(Refusal::invalid("a publish has from 1 to 1000 messages"));
    }
    for message in &messages {
        if message.data.is_empty() && message.attributes.is_empty() {
            return Err(Refusal::invalid(
                "One or more messages in the publish request is empty. Each message must contain either non-empty data, or at least one attribute.",
            ));
        }
        let engines = [
            base64::engine::general_purpose::STANDARD,
            base64::engine::general_purpose::URL_SAFE,
        ];
        if !engines
            .iter()
            .any(|engine| engine.decode(&message.data).is_ok())
        {
            return Err(Refusal::invalid(
                "Invalid value at 'messages.data' (TYPE_BYTES): Base64 decoding failed",
            ));
        }
    }
    let name = name(&call);
    state
        .pubsub
        .topics
        .get(&name)
        .ok_or_else(|| missing(&name))?;
    let numbers = state
        .pubsub
        .publish(&name, &messages, state.now())
        .map_err(|error| match error {
            PublishError::Full => Refusal::new(
                StatusCode::TOO_MANY_REQUESTS,
                "RESOURCE_EXHAUSTED",
                error.to_string(),
            ),
            PublishError::Io(_) => Refusal::internal(&error),
        })?;
    let ids: Vec<String> = numbers.iter().map(u64::to_string).collect();
    let mut reply = Reply::json(&json!({ "messageIds": ids }));
    for id in ids {
        reply = reply.effect(format!("{name} message {id}"));
    }
    Ok(reply)
}
