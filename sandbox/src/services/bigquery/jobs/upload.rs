//! Load jobs that bring their file: in one request of two parts, or in a session that takes it in pieces.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::http::{HeaderName, StatusCode, header};
use serde_json::Value;
use tokio::sync::Mutex as Turn;

use super::super::Bigquery;
use super::super::refusal::blocking;
use super::insert::take;
use crate::call::{Answer, Call, Refusal, Reply};
use crate::services::fields::{object, uuid};
use crate::services::storage::multipart::{Parts, boundary};
use crate::services::storage::range::{Brings, brings};
use crate::services::storage::sink::{Chunks, Whole, drain};
use crate::state::State;

/// The part with the job has to be shorter.
const METADATA: usize = 1 << 20;
/// Sessions that are open at once; the oldest gives way.
const SESSIONS: usize = 1_000;

/// Uploads under way. They do not survive the sandbox: a client is told that there is no such session, and begins anew.
#[derive(Default)]
pub(in super::super) struct Sessions {
    open: Mutex<HashMap<String, Arc<Turn<Session>>>>,
}

/// An upload under way.
struct Session {
    project: String,
    job: Value,
    path: PathBuf,
    size: u64,
    /// What was answered in the end, for a client that did not hear it.
    answered: Option<Value>,
}

/// `POST` and `PUT /upload/…/jobs`
pub(super) async fn insert(state: Arc<State>, mut call: Call) -> Answer {
    let mut body = std::mem::take(&mut call.body);
    let kind = match call.query("upload_id") {
        Some(_) => "session",
        None => call.query("uploadType").unwrap_or(""),
    };
    let kind = kind.to_owned();
    let answer = match kind.as_str() {
        "session" => go_on(state, call, &mut body).await,
        "resumable" => {
            call.body = std::mem::take(&mut body);
            begin(state, call).await
        }
        "multipart" => multipart(state, call, &mut body).await,
        other => Err(Refusal::invalid(format!(
            "Invalid upload request: uploadType is multipart or resumable, not {other:?}"
        ))),
    };
    if answer.is_err() {
        drain(&mut body).await;
    }
    answer
}

fn new_path(bigquery: &Bigquery) -> PathBuf {
    bigquery.uploads.join(uuid(bigquery.number()))
}

/// A part of JSON, then the file.
async fn multipart(state: Arc<State>, call: Call, body: &mut Body) -> Answer {
    let boundary = boundary(call.header("content-type").unwrap_or(""))?;
    let mut parts = Parts::new(body, &boundary);
    let few = || Refusal::invalid("Invalid multipart request with 0 or 1 mime parts.");
    parts.head().await?.ok_or_else(few)?;
    let job = parts.all(METADATA).await?;
    let job: Value = serde_json::from_slice(&job)
        .map_err(|error| Refusal::invalid(format!("Metadata part is not JSON: {error}")))?;
    object(&job)?;
    parts.head().await?.ok_or_else(few)?;
    let path = new_path(&state.bigquery);
    if let Err(refusal) = written(&path, 0, &mut parts).await {
        let _ = std::fs::remove_file(&path);
        return Err(refusal);
    }
    take(state, call.part("projectId"), job, Some(path)).await
}

/// Writes what comes behind the first `from` bytes of a file; gives its size.
async fn written(
    path: &Path,
    from: u64,
    chunks: &mut (impl Chunks + Send),
) -> Result<u64, Refusal> {
    let open = path.to_owned();
    let file = blocking(move || {
        let file = std::fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(open)?;
        file.set_len(from)?;
        Ok::<_, std::io::Error>(file)
    })
    .await?
    .map_err(|error| Refusal::internal(&error))?;
    let mut file = file;
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(from))
        .map_err(|error| Refusal::internal(&error))?;
    let mut size = from;
    while let Some(chunk) = chunks.next().await? {
        size += chunk.len() as u64;
        file = blocking(move || file.write_all(&chunk).map(|()| file))
            .await?
            .map_err(|error| Refusal::internal(&error))?;
    }
    Ok(size)
}

/// `POST` without an id: begins a session.
async fn begin(state: Arc<State>, mut call: Call) -> Answer {
    let job: Value = call.json().await?;
    object(&job)?;
    let bigquery = &state.bigquery;
    let project = call.part("projectId").to_owned();
    let id = uuid(bigquery.number());
    let session = Session {
        project: project.clone(),
        job,
        path: new_path(bigquery),
        size: 0,
        answered: None,
    };
    let mut open = bigquery
        .sessions
        .open
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if open.len() >= SESSIONS {
        let oldest = open.keys().min().cloned();
        if let Some(oldest) = oldest {
            open.remove(&oldest);
        }
    }
    open.insert(id.clone(), Arc::new(Turn::new(session)));
    drop(open);
    // The configured address: a client may leave the port out of its `Host`.
    let location = format!(
        "{}/upload/bigquery/v2/projects/{project}/jobs?uploadType=resumable&upload_id={id}",
        bigquery.public
    );
    Ok(Reply::new(StatusCode::OK, "text/plain; charset=utf-8", "")
        .header(header::LOCATION, &location)
        .header(HeaderName::from_static("x-guploader-uploadid"), &id))
}

/// `PUT` with an id: brings a piece, or asks how far it is.
async fn go_on(state: Arc<State>, call: Call, body: &mut Body) -> Answer {
    let id = call.query("upload_id").unwrap_or("").to_owned();
    let session = state
        .bigquery
        .sessions
        .open
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&id)
        .cloned()
        .ok_or_else(|| Refusal::not_found(format!("Not found: upload {id}")))?;
    let mut session = session.lock().await;
    if let Some(answered) = &session.answered {
        drain(body).await;
        return Ok(Reply::json(answered));
    }
    let total = match brings(call.header("content-range"))? {
        Brings::Question(total) => total,
        Brings::Bytes { from, end, total } => {
            if from > session.size {
                return Err(Refusal::invalid(format!(
                    "The upload has {} bytes so far; these begin at {from}",
                    session.size
                )));
            }
            let size = written(&session.path, from, &mut Whole(body)).await?;
            session.size = size;
            if end.is_some_and(|end| end != size) {
                return Err(Refusal::invalid(format!(
                    "Content-Range says that the piece ends at {}, and it ends at {size}",
                    end.unwrap_or_default()
                )));
            }
            // Without a range the request is all there is.
            match call.header("content-range") {
                None => Some(size),
                Some(_) => total,
            }
        }
    };
    if total != Some(session.size) {
        let reply = Reply::new(
            StatusCode::PERMANENT_REDIRECT,
            "text/plain; charset=utf-8",
            "",
        );
        return Ok(match session.size {
            0 => reply,
            size => reply.header(header::RANGE, &format!("bytes=0-{}", size - 1)),
        });
    }
    if session.size == 0 {
        // Nothing came: the file is empty.
        written(&session.path, 0, &mut Whole(&mut Body::empty())).await?;
    }
    let (project, job, path) = (
        session.project.clone(),
        session.job.clone(),
        session.path.clone(),
    );
    let mut reply = take(state, &project, job, Some(path)).await?;
    let bytes = http_body_util::BodyExt::collect(std::mem::take(&mut reply.body))
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    session.answered = serde_json::from_slice(&bytes).ok();
    reply.body = Body::from(bytes);
    Ok(reply)
}
