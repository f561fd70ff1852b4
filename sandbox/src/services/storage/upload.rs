//! Uploads in one request: the content alone, or with what is to be known of it in front.

use std::sync::Arc;

use axum::body::Body;
use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::conditions::Conditions;
use super::disk::Draft;
use super::multipart::{Parts, boundary};
use super::objects::made;
use super::record::{Object, Place};
use super::sink::{Chunks, Sink, Sums, Whole, drain, locked, pour};
use super::{fields, names, resumable};
use crate::call::{Answer, Call, Refusal, Reply};
use crate::state::State;

/// What is to be known of an object has to be shorter.
const METADATA: usize = 1 << 20;

/// What the client says the content is.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Promised {
    crc32c: Option<String>,
    md5: Option<String>,
}

pub(super) async fn insert(state: Arc<State>, mut call: Call) -> Answer {
    let mut body = std::mem::take(&mut call.body);
    let kind = match call.query("upload_id") {
        Some(_) => "session",
        None => call.query("uploadType").unwrap_or(""),
    };
    let kind = kind.to_owned();
    let answer = match kind.as_str() {
        "session" => resumable::go_on(state, call, &mut body).await,
        "resumable" => {
            call.body = std::mem::take(&mut body);
            resumable::begin(state, call).await
        }
        "media" => media(state, call, &mut body).await,
        "multipart" => multipart(state, call, &mut body).await,
        other => Err(Refusal::invalid(format!(
            "Invalid upload request: uploadType is media, multipart or resumable, not {other:?}"
        ))),
    };
    if answer.is_err() {
        drain(&mut body).await;
    }
    answer
}

/// The content is the body.
async fn media(state: Arc<State>, call: Call, body: &mut Body) -> Answer {
    let mut about = Map::new();
    if let Some(content_type) = call.header("content-type") {
        about.insert("contentType".into(), json!(content_type));
    }
    let upload = Upload::of(&call, about)?;
    upload.take(&state, &mut Whole(body)).await
}

/// A part of JSON, then the content.
async fn multipart(state: Arc<State>, call: Call, body: &mut Body) -> Answer {
    let boundary = boundary(call.header("content-type").unwrap_or(""))?;
    let mut parts = Parts::new(body, &boundary);
    let few = || Refusal::invalid("Invalid multipart request with 0 or 1 mime parts.");
    parts.head().await?.ok_or_else(few)?;
    let json = parts.all(METADATA).await?;
    let mut about: Map<String, Value> = match json.trim_ascii() {
        b"" => Map::new(),
        json => serde_json::from_slice(json)
            .map_err(|error| Refusal::invalid(format!("Metadata part is not JSON: {error}")))?,
    };
    let head = parts.head().await?.ok_or_else(few)?;
    if let Some((_, content_type)) = head.iter().find(|(name, _)| name == "content-type") {
        about
            .entry("contentType")
            .or_insert_with(|| json!(content_type));
    }
    let upload = Upload::of(&call, about)?;
    upload.take(&state, &mut parts).await
}

/// All that is known before the content comes.
struct Upload {
    place: Place,
    fields: Map<String, Value>,
    promised: Promised,
    conditions: Conditions,
}

impl Upload {
    fn of(call: &Call, about: Map<String, Value>) -> Result<Self, Refusal> {
        fields::check_call(call)?;
        Ok(Self {
            place: place(call, &about)?,
            fields: asked(call, &about)?,
            promised: Promised::of(call, &about),
            conditions: Conditions::of(call)?,
        })
    }

    async fn take(self, state: &State, chunks: &mut (impl Chunks + Send)) -> Answer {
        let storage = &state.storage;
        storage.bucket(&self.place.bucket)?;
        let scratch = storage.scratch();
        let sink = Sink::create(&scratch.0).map_err(|error| Refusal::internal(&error))?;
        let turn = locked(&sink).take_turn();
        pour(&sink, turn, chunks, None).await?;
        // What comes behind the last boundary is nothing, but has to be read.
        let sums = locked(&sink).sums();
        self.promised.check(&sums)?;
        let draft = Draft {
            file: scratch.0.clone(),
            size: sums.size,
            crc32c: sums.crc32c,
            md5: Some(sums.md5),
            components: None,
            upload: None,
            fields: self.fields,
        };
        let object = storage.commit(&self.place, draft, &self.conditions, state.now())?;
        Ok(created(&self.place, &object, &state.public))
    }
}

/// The reply to an upload that came to its end.
pub(super) fn created(place: &Place, object: &Object, public: &str) -> Reply {
    Reply::json(&object.shown(place, public)).effect(made(place, object))
}

/// The name is a parameter, or stands with what is to be known.
pub(super) fn place(call: &Call, about: &Map<String, Value>) -> Result<Place, Refusal> {
    let named = about.get("name").and_then(Value::as_str);
    let name = call.query("name").or(named).unwrap_or("");
    names::check_object(name)?;
    Ok(Place::new(call.part("bucket"), name))
}

/// What is to be set, from the body and the parameters.
pub(super) fn asked(
    call: &Call,
    about: &Map<String, Value>,
) -> Result<Map<String, Value>, Refusal> {
    let mut fields = fields::of_object(about)?;
    if let Some(encoding) = call.query("contentEncoding") {
        fields.insert("contentEncoding".into(), json!(encoding));
    }
    Ok(fields)
}

impl Promised {
    /// From `x-goog-hash`, `Content-MD5` and what is to be known.
    pub(super) fn of(call: &Call, about: &Map<String, Value>) -> Self {
        let text = |name: &str| about.get(name).and_then(Value::as_str).map(str::to_owned);
        let mut promised = Self {
            crc32c: text("crc32c"),
            md5: text("md5Hash").or_else(|| call.header("content-md5").map(str::to_owned)),
        };
        for value in call.headers.get_all("x-goog-hash") {
            for one in value.to_str().unwrap_or("").split(',') {
                match one.trim().split_once('=') {
                    Some(("crc32c", value)) => promised.crc32c = Some(value.to_owned()),
                    Some(("md5", value)) => promised.md5 = Some(value.to_owned()),
                    _ => {}
                }
            }
        }
        promised
    }

    /// What the other says, where it says something.
    pub(super) fn or(self, other: &Self) -> Self {
        Self {
            crc32c: self.crc32c.or_else(|| other.crc32c.clone()),
            md5: self.md5.or_else(|| other.md5.clone()),
        }
    }

    pub(super) fn check(&self, sums: &Sums) -> Result<(), Refusal> {
        use base64::Engine;
        let crc32c = base64::engine::general_purpose::STANDARD.encode(sums.crc32c.to_be_bytes());
        for (name, promised, found) in [
            ("CRC32C", &self.crc32c, &crc32c),
            ("MD5 hash", &self.md5, &sums.md5),
        ] {
            if let Some(promised) = promised.as_ref().filter(|promised| *promised != found) {
                return Err(Refusal::new(
                    StatusCode::BAD_REQUEST,
                    "invalid",
                    format!(
                        "Provided {name} \"{promised}\" doesn't match calculated {name} \"{found}\"."
                    ),
                ));
            }
        }
        Ok(())
    }
}
