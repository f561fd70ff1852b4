//! Objects: what is known of them, their content, their end.

use std::fs::File;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderName, StatusCode, header};
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use serde_json::{Map, Value};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::conditions::Conditions;
use super::range::{Range, ranged};
use super::record::{Object, Place};
use super::{fields, no_content, not_modified};
use crate::call::{Answer, Call, Refusal, Reply};
use crate::state::State;

/// Bytes that are read at once for a download.
const AT_ONCE: usize = 256 << 10;

impl Place {
    pub(super) fn of(call: &Call) -> Self {
        Self::new(call.part("bucket"), call.part("object"))
    }
}

pub(super) async fn get(state: Arc<State>, call: Call) -> Answer {
    fields::check_call(&call)?;
    let (place, conditions) = (Place::of(&call), Conditions::of(&call)?);
    let generation = call.parsed("generation")?;
    if call.query("alt") == Some("media") {
        let range = call.header("range").map(str::to_owned);
        let (object, file) = state.storage.opened(&place, generation)?;
        return if conditions.modified(&object)? {
            content(&object, file, range.as_deref()).await
        } else {
            Ok(not_modified(&object.etag()))
        };
    }
    let object = state.storage.find(&place, generation)?;
    if !conditions.modified(&object)? {
        return Ok(not_modified(&object.etag()));
    }
    Ok(Reply::json(&object.shown(&place, &state.public)).header(header::ETAG, &object.etag()))
}

async fn content(object: &Object, file: File, range: Option<&str>) -> Answer {
    let size = object.size;
    let (status, from, length) = match ranged(range, size) {
        Range::Whole => (StatusCode::OK, 0, size),
        Range::Part(from, to) => (StatusCode::PARTIAL_CONTENT, from, to - from + 1),
        Range::Nothing => {
            let refused = Reply::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "text/plain; charset=UTF-8",
                "The requested range cannot be satisfied.",
            );
            return Ok(refused.header(header::CONTENT_RANGE, &format!("bytes */{size}")));
        }
    };
    let mut file = tokio::fs::File::from_std(file);
    if from > 0 {
        let to = std::io::SeekFrom::Start(from);
        file.seek(to)
            .await
            .map_err(|error| Refusal::internal(&error))?;
    }
    let mut reply = Reply {
        status,
        headers: axum::http::HeaderMap::new(),
        body: streamed(file, length),
        effects: Vec::new(),
    };
    reply = reply
        .header(header::CONTENT_LENGTH, &length.to_string())
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::ETAG, &object.etag())
        .header(
            header::LAST_MODIFIED,
            &object
                .updated
                .format("%a, %d %b %Y %H:%M:%S GMT")
                .to_string(),
        );
    if status == StatusCode::PARTIAL_CONTENT {
        let to = from + length - 1;
        reply = reply.header(header::CONTENT_RANGE, &format!("bytes {from}-{to}/{size}"));
    }
    let content_type = object.text("contentType");
    reply = reply.header(
        header::CONTENT_TYPE,
        content_type.unwrap_or("application/octet-stream"),
    );
    for (name, field) in [
        (header::CACHE_CONTROL, "cacheControl"),
        (header::CONTENT_DISPOSITION, "contentDisposition"),
        (header::CONTENT_ENCODING, "contentEncoding"),
        (header::CONTENT_LANGUAGE, "contentLanguage"),
    ] {
        if let Some(value) = object.text(field) {
            reply = reply.header(name, value);
        }
    }
    Ok(described(reply, object))
}

/// The headers by which clients check what they got.
fn described(mut reply: Reply, object: &Object) -> Reply {
    let hash = match &object.md5 {
        Some(md5) => format!("crc32c={},md5={md5}", object.crc32c_text()),
        None => format!("crc32c={}", object.crc32c_text()),
    };
    for (name, value) in [
        ("x-goog-hash", hash.as_str()),
        ("x-goog-generation", &object.generation.to_string()),
        ("x-goog-metageneration", &object.metageneration.to_string()),
        ("x-goog-stored-content-length", &object.size.to_string()),
        (
            "x-goog-stored-content-encoding",
            object.text("contentEncoding").unwrap_or("identity"),
        ),
        (
            "x-goog-storage-class",
            object.text("storageClass").unwrap_or("STANDARD"),
        ),
    ] {
        reply = reply.header(HeaderName::from_static(name), value);
    }
    reply
}

/// Reads a file as fast as it is sent.
fn streamed(file: tokio::fs::File, length: u64) -> Body {
    Body::from_stream(stream::try_unfold(
        (file, length),
        |(mut file, left)| async move {
            if left == 0 {
                return Ok::<Option<(Bytes, _)>, std::io::Error>(None);
            }
            let take = usize::try_from(left).map_or(AT_ONCE, |left| left.min(AT_ONCE));
            let mut buffer = BytesMut::zeroed(take);
            let read = file.read(&mut buffer).await?;
            if read == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            buffer.truncate(read);
            Ok(Some((buffer.freeze(), (file, left - read as u64))))
        },
    ))
}

pub(super) async fn patch(state: Arc<State>, call: Call) -> Answer {
    change(state, call, fields::patch_object).await
}

/// What is not given is taken away.
pub(super) async fn update(state: Arc<State>, call: Call) -> Answer {
    change(state, call, |fields, body| {
        let class = fields.get("storageClass").cloned();
        *fields = fields::of_object(body)?;
        if let (Some(class), false) = (class, fields.contains_key("storageClass")) {
            fields.insert("storageClass".into(), class);
        }
        Ok(())
    })
    .await
}

async fn change(state: Arc<State>, mut call: Call, change: fields::Change) -> Answer {
    fields::check_call(&call)?;
    let body: Map<String, Value> = call.json().await?;
    let (place, conditions) = (Place::of(&call), Conditions::of(&call)?);
    let now = state.now();
    let generation = call.parsed("generation")?;
    let object = state
        .storage
        .change(&place, generation, &conditions, |object| {
            let class = object.fields.get("storageClass").cloned();
            change(&mut object.fields, &body)?;
            if object.fields.get("storageClass").cloned() != class {
                return Err(Refusal::invalid(
                    "The storage class of an object is changed by rewriting it.",
                ));
            }
            object.updated = now;
            Ok(())
        })?;
    let effect = format!(
        "object {} generation {} metageneration {}",
        place.uri(),
        object.generation,
        object.metageneration
    );
    Ok(Reply::json(&object.shown(&place, &state.public)).effect(effect))
}

pub(super) async fn delete(state: Arc<State>, call: Call) -> Answer {
    let (place, conditions) = (Place::of(&call), Conditions::of(&call)?);
    let generation = call.parsed("generation")?;
    let now = state.now();
    let gone = state.storage.delete(&place, generation, &conditions, now)?;
    Ok(no_content().effect(deleted(&place, &gone)))
}

/// As the journal has the end of an object.
pub(super) fn deleted(place: &Place, object: &Object) -> String {
    format!(
        "object {} generation {} deleted",
        place.uri(),
        object.generation
    )
}

/// As the journal has a new generation.
pub(super) fn made(place: &Place, object: &Object) -> String {
    format!("object {} generation {}", place.uri(), object.generation)
}
