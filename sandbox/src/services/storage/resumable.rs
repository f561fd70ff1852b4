//! Resumable uploads: a session that takes content in pieces, and survives whatever happens between them.
//!
//! A session is a line on a shelf and a file. How far it is, is the length of the file in whole pieces of 256 KiB. When it has
//! come to its end the session stays, so that a client whose reply was lost is told of the object.

use std::fs;
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError};

use axum::body::Body;
use axum::http::{HeaderName, StatusCode, header};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::conditions::Conditions;
use super::disk::{Draft, Storage};
use super::fields;
use super::range::{Brings, brings};
use super::record::{Place, segment};
use super::sink::{PIECE, Shared, Sink, Whole, locked, pour};
use super::upload::{Promised, asked, created, place};
use crate::call::{Answer, Call, Refusal, Reply};
use crate::state::State;

/// As long as Cloud Storage keeps a session.
const KEPT: TimeDelta = TimeDelta::days(7);

/// A session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Upload {
    place: Place,
    fields: Map<String, Value>,
    promised: Promised,
    conditions: Conditions,
    total: Option<u64>,
    begun: DateTime<Utc>,
    /// What addresses of its object begin with.
    pub(super) public: String,
    /// The object, when it was made.
    pub(super) done: Option<Value>,
}

/// `POST` without an id: begins a session.
pub(super) async fn begin(state: Arc<State>, mut call: Call) -> Answer {
    fields::check_call(&call)?;
    let mut about: Map<String, Value> = call.json().await?;
    if let Some(content_type) = call.header("x-upload-content-type") {
        about
            .entry("contentType")
            .or_insert_with(|| json!(content_type));
    }
    let total = call
        .header("x-upload-content-length")
        .map(str::parse)
        .transpose()
        .map_err(|_| Refusal::invalid("Invalid X-Upload-Content-Length"))?;
    let upload = Upload {
        place: place(&call, &about)?,
        fields: asked(&call, &about)?,
        promised: Promised::of(&call, &about),
        conditions: Conditions::of(&call)?,
        total,
        begun: state.now(),
        public: state.public.clone(),
        done: None,
    };
    let storage = &state.storage;
    storage.bucket(&upload.place.bucket)?;
    let versions = storage.objects.get(&upload.place.key());
    upload.conditions.allow(
        versions
            .as_ref()
            .and_then(|versions| versions.live.as_ref()),
    )?;
    storage.forget_uploads(state.now());
    let id = format!("{:x}", storage.next_generation(state.now()));
    let internal = |error: std::io::Error| Refusal::internal(&error);
    let sink = Sink::create(&storage.upload_file(&id)).map_err(internal)?;
    storage.remember(&id, sink);
    // The configured address: a client may leave the port out of its `Host`.
    let location = format!(
        "{}/upload/storage/v1/b/{}/o?uploadType=resumable&name={}&upload_id={id}",
        state.public,
        segment(&upload.place.bucket),
        segment(&upload.place.name),
    );
    let effect = format!("upload {id} to {} begun", upload.place.uri());
    storage.uploads.put(&id, upload).map_err(internal)?;
    Ok(Reply::new(StatusCode::OK, "text/plain; charset=utf-8", "")
        .header(header::LOCATION, &location)
        .header(HeaderName::from_static("x-guploader-uploadid"), &id)
        .effect(effect))
}

/// `PUT` (or `POST`) with an id: brings content, or asks how far it is.
pub(super) async fn go_on(state: Arc<State>, call: Call, body: &mut Body) -> Answer {
    let id = call.query("upload_id").unwrap_or("").to_owned();
    let storage = &state.storage;
    let upload = storage.upload(&id)?;
    if let Some(done) = &upload.done {
        super::sink::drain(body).await;
        return Ok(Reply::json(done));
    }
    let brings = brings(call.header("content-range"))?;
    let promised = Promised::of(&call, &Map::new()).or(&upload.promised);
    drop(call);
    let sink = storage.sink(&id)?;
    let internal = |error: std::io::Error| Refusal::internal(&error);
    let (turn, size) = {
        let mut sink = locked(&sink);
        sink.settle().map_err(internal)?;
        (sink.take_turn(), sink.size())
    };
    let whole = match brings {
        Brings::Question(total) => {
            upload.fits(total)?;
            total == Some(size)
        }
        Brings::Bytes { from, end, total } => {
            upload.fits(total)?;
            let mut chunks = skipped(body, from, size).await?;
            let limit = end.or(total).or(upload.total);
            let left = limit.map(|limit| limit.saturating_sub(size));
            let last = total.is_some_and(|total| end.is_none_or(|end| end == total))
                || (end.is_none() && total.is_none());
            if let (false, Some(end)) = (last, end)
                && end - from < PIECE
            {
                return Err(Refusal::invalid(format!(
                    "Invalid request. The number of bytes uploaded is required to be equal or greater than {PIECE}, except for the final request (it's recommended to be the exact multiple of {PIECE}). The received request contained {} bytes, which does not meet this requirement.",
                    end - from
                )));
            }
            pour(&sink, turn, &mut chunks, left).await?;
            last
        }
    };
    if whole {
        upload.finish(&state, &id, &sink, &promised)
    } else {
        let mut sink = locked(&sink);
        sink.settle().map_err(internal)?;
        Ok(so_far(sink.size()))
    }
}

/// Drops what the session already has of a body.
async fn skipped(body: &mut Body, from: u64, size: u64) -> Result<Rest<'_>, Refusal> {
    if from > size {
        return Err(Refusal::invalid(format!(
            "Invalid request. According to the Content-Range header, the upload offset is {from} byte(s), which exceeds already uploaded size of {size} byte(s)."
        )));
    }
    Ok(Rest {
        body: Whole(body),
        skip: size - from,
    })
}

/// A body without its beginning.
struct Rest<'a> {
    body: Whole<'a>,
    skip: u64,
}

impl super::sink::Chunks for Rest<'_> {
    async fn next(&mut self) -> Result<Option<bytes::Bytes>, Refusal> {
        while let Some(mut chunk) = self.body.next().await? {
            let skip = usize::try_from(self.skip).map_or(chunk.len(), |skip| skip.min(chunk.len()));
            self.skip -= skip as u64;
            let rest = chunk.split_off(skip);
            if !rest.is_empty() {
                return Ok(Some(rest));
            }
        }
        Ok(None)
    }
}

/// `DELETE`: ends a session.
pub(super) async fn cancel(state: Arc<State>, call: Call) -> Answer {
    let id = call.query("upload_id").unwrap_or("");
    let upload = state.storage.upload(id)?;
    if upload.done.is_none() {
        state.storage.drop_upload(id);
    }
    let status = StatusCode::from_u16(499).unwrap_or(StatusCode::GONE);
    Ok(Reply::new(status, "text/plain; charset=utf-8", "")
        .effect(format!("upload {id} to {} cancelled", upload.place.uri())))
}

/// 308: the upload is not at its end.
fn so_far(size: u64) -> Reply {
    let reply = Reply::new(
        StatusCode::PERMANENT_REDIRECT,
        "text/plain; charset=utf-8",
        "",
    );
    match size.checked_sub(1) {
        None => reply,
        Some(last) => reply.header(header::RANGE, &format!("bytes=0-{last}")),
    }
}

impl Upload {
    /// The length a client names now has to be what it named first.
    fn fits(&self, total: Option<u64>) -> Result<(), Refusal> {
        match (self.total, total) {
            (Some(first), Some(now)) if first != now => Err(Refusal::invalid(format!(
                "Invalid request. The upload was begun for {first} bytes, and Content-Range says {now}."
            ))),
            _ => Ok(()),
        }
    }

    fn finish(&self, state: &State, id: &str, sink: &Shared, promised: &Promised) -> Answer {
        let storage = &state.storage;
        // Held to the end: another request with the same id waits, and is told of the object.
        let mut sink = locked(sink);
        if sink.closed {
            return match &storage.upload(id)?.done {
                Some(done) => Ok(Reply::json(done)),
                None => Err(gone()),
            };
        }
        let sums = sink.sums();
        if let Some(total) = self.total.filter(|total| *total != sums.size) {
            return Err(Refusal::invalid(format!(
                "Invalid request. The upload was begun for {total} bytes and has {}.",
                sums.size
            )));
        }
        sink.closed = true;
        let draft = Draft {
            file: storage.upload_file(id),
            size: sums.size,
            crc32c: sums.crc32c,
            md5: Some(sums.md5.clone()),
            components: None,
            upload: Some(id.to_owned()),
            fields: self.fields.clone(),
        };
        let object = promised
            .check(&sums)
            .and_then(|()| storage.commit(&self.place, draft, &self.conditions, state.now()));
        let object = object.inspect_err(|_| storage.drop_upload(id))?;
        let done = Self {
            done: Some(object.shown(&self.place, &self.public)),
            ..self.clone()
        };
        storage
            .uploads
            .put(id, done)
            .map_err(|error| Refusal::internal(&error))?;
        storage.forget_sink(id);
        Ok(created(&self.place, &object, &self.public))
    }
}

fn gone() -> Refusal {
    Refusal::new(
        StatusCode::GONE,
        "uploadGone",
        "The upload session has ended or was cancelled.",
    )
}

impl Storage {
    fn upload(&self, id: &str) -> Result<Arc<Upload>, Refusal> {
        self.uploads.get(id).ok_or_else(|| {
            let number = i64::from_str_radix(id, 16).ok();
            if number.is_some_and(|number| (1..=self.last_generation()).contains(&number)) {
                gone()
            } else {
                Refusal::not_found(format!("No such upload session: {id:?}"))
            }
        })
    }

    fn upload_file(&self, id: &str) -> std::path::PathBuf {
        self.state("uploads").join(id)
    }

    fn remember(&self, id: &str, sink: Shared) {
        let mut sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        sinks.insert(id.to_owned(), sink);
    }

    fn forget_sink(&self, id: &str) {
        let mut sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        sinks.remove(id);
    }

    /// The file of a session; after a restart it is read once to go on with its sums.
    fn sink(&self, id: &str) -> Result<Shared, Refusal> {
        let mut sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sink) = sinks.get(id) {
            return Ok(Arc::clone(sink));
        }
        let sink = Sink::reopen(&self.upload_file(id)).map_err(|_| gone())?;
        sinks.insert(id.to_owned(), Arc::clone(&sink));
        Ok(sink)
    }

    fn drop_upload(&self, id: &str) {
        if let Err(error) = self.uploads.remove(id) {
            tracing::warn!("the upload {id} cannot be dropped: {error}");
        }
        self.forget_sink(id);
        let _ = fs::remove_file(self.upload_file(id));
    }

    /// Drops sessions that nobody went on with.
    fn forget_uploads(&self, now: DateTime<Utc>) {
        let mut old = Vec::new();
        // The ids grow with time.
        self.uploads.visit("", |id, upload| {
            if now - upload.begun <= KEPT {
                return ControlFlow::Break(());
            }
            old.push(id.to_owned());
            ControlFlow::Continue(())
        });
        old.iter().for_each(|id| self.drop_upload(id));
    }
}
