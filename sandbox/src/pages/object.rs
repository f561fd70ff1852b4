//! One object: what is known of it, its generations, and how it begins.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use chrono::{DateTime, Utc};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tidemill_warehouse::load::{CsvOptions, Format, preview};

use super::frame::{Frame, journal_of, link};
use super::inner::segment;
use super::rows::Grid;
use super::shown::{bytes, number, pretty};
use super::{Oops, Page};
use crate::call::Refusal;
use crate::services::bigquery::seen::schema_shown;
use crate::services::storage::{Object, Place, Storage};

/// Bytes of a text that are shown.
const BEGINNING: u64 = 64 << 10;
/// Rows of a file that are shown.
const ROWS: usize = 50;

struct Generation {
    number: i64,
    href: String,
    bytes: String,
    updated: String,
    live: bool,
    shown: bool,
}

/// How an object begins.
#[derive(Default)]
struct Beginning {
    grid: Option<Grid>,
    total: Option<String>,
    text: Option<String>,
    more: bool,
    /// Why there is no more to be seen.
    note: Option<String>,
}

#[derive(Template)]
#[template(path = "object.html")]
struct ObjectPage<'a> {
    frame: &'a Frame,
    bucket: &'a str,
    crumbs: Vec<(String, String)>,
    last: String,
    facts: Vec<(&'static str, String)>,
    generations: Vec<Generation>,
    beginning: Beginning,
    download: String,
    raw: String,
    journal: String,
}

/// `?bucket=…&name=…&generation=…`
pub(super) async fn page(frame: &Frame) -> Page {
    let (bucket, name) = (frame.query("bucket"), frame.query("name"));
    let generation: Option<i64> = frame.number("generation");
    let place = Place::new(bucket, name);
    let storage = Arc::clone(&frame.state.storage);
    let (at, here) = (place.clone(), Arc::clone(&storage));
    let read = blocking(move || look(&here, &at, generation)).await?;
    let (object, beginning) = read?;
    let wanted = object.generation.to_string();
    let meta = frame
        .get(&address(&place), &[("generation", &wanted)])
        .await?;
    let text = |name: &str| {
        meta.get(name)
            .and_then(Value::as_str)
            .unwrap_or("")
            .to_owned()
    };
    let mut facts = vec![
        ("Size", bytes(object.size)),
        ("Type", text("contentType")),
        ("Made", moment(&text("timeCreated"))),
        ("Generation", wanted.clone()),
        ("Metageneration", text("metageneration")),
        ("CRC32C", text("crc32c")),
        ("MD5", text("md5Hash")),
        ("Encoding", text("contentEncoding")),
        ("Class", text("storageClass")),
    ];
    facts.retain(|(_, value)| !value.is_empty());
    let this = |generation: i64| {
        let generation = generation.to_string();
        let values = [
            ("bucket", bucket),
            ("name", name),
            ("generation", &generation),
        ];
        link("/sandbox/object", &values)
    };
    let generations = storage.generations(&place)?;
    let generations = generations.iter().map(|one| Generation {
        number: one.generation,
        href: this(one.generation),
        bytes: bytes(one.size),
        updated: moment(&one.updated.to_rfc3339()),
        live: one.deleted.is_none(),
        shown: one.generation == object.generation,
    });
    let (folder, last) = match name.trim_end_matches('/').rfind('/') {
        Some(at) => name.split_at(at + 1),
        None => ("", name),
    };
    let values = [("bucket", bucket), ("name", name), ("generation", &wanted)];
    Frame::page(&ObjectPage {
        frame,
        bucket,
        crumbs: super::buckets::crumbs(bucket, folder),
        last: last.to_owned(),
        facts,
        generations: generations.collect(),
        beginning,
        download: link("/sandbox/download", &values),
        raw: pretty(&meta),
        journal: journal_of(&place.uri()),
    })
}

/// A moment of a resource, for people.
pub(super) fn moment(text: &str) -> String {
    let at = text.parse::<DateTime<Utc>>();
    at.map_or_else(
        |_| text.to_owned(),
        |at| format!("{} UTC", at.format("%-d %b %Y %H:%M:%S")),
    )
}

fn address(place: &Place) -> String {
    format!(
        "/storage/v1/b/{}/o/{}",
        segment(&place.bucket),
        segment(&place.name)
    )
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Refusal::internal(&error))
}

fn look(
    storage: &Storage,
    place: &Place,
    generation: Option<i64>,
) -> Result<(Object, Beginning), Refusal> {
    let (object, first) = storage.begins(place, generation, BEGINNING)?;
    let mut beginning = Beginning::default();
    let format = format(&place.name, &first);
    // Only the newest can be held as a file that stays.
    if let Some(format) = format.filter(|_| object.deleted.is_none() && object.size > 0) {
        let held = storage.hold(place)?;
        if held.object.generation == object.generation {
            match preview(&held.path, &format, ROWS) {
                Ok(found) => {
                    let schema = schema_shown(&found.schema);
                    let rows = Value::Array(found.rows);
                    beginning.grid = Some(Grid::of(Some(&schema), Some(&rows)));
                    beginning.total = found.total.map(number);
                }
                Err(error) => {
                    let here = " File: the upload";
                    beginning.note = Some(error.message.trim_end_matches(here).to_owned());
                }
            }
        }
    }
    beginning.more = object.size > first.len() as u64;
    beginning.text = text(first);
    if beginning.text.is_none() && beginning.grid.is_none() && beginning.note.is_none() {
        beginning.note = Some("These are no text, CSV, JSON or Parquet.".to_owned());
    }
    Ok((object, beginning))
}

/// What a file is, by how it begins and how it is called.
fn format(name: &str, first: &[u8]) -> Option<Format> {
    if first.starts_with(b"PAR1") {
        let list_inference = true;
        return Some(Format::Parquet { list_inference });
    }
    let name = name.to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    match name.rsplit_once('.')?.1 {
        "csv" => Some(Format::Csv(CsvOptions::default())),
        "tsv" => Some(Format::Csv(CsvOptions {
            delimiter: '\t',
            ..CsvOptions::default()
        })),
        "jsonl" | "ndjson" | "json" => Some(Format::Json),
        _ => None,
    }
}

/// The bytes as text, if they are some.
fn text(mut bytes: Vec<u8>) -> Option<String> {
    if let Err(error) = std::str::from_utf8(&bytes) {
        // The last character may have been cut through.
        let good = error.valid_up_to();
        if error.error_len().is_some() || bytes.len() - good > 3 {
            return None;
        }
        bytes.truncate(good);
    }
    let text = String::from_utf8(bytes).ok()?;
    let control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    (!text.contains(control)).then_some(text)
}

/// The content, as a file to be kept: never as a page.
pub(super) async fn download(frame: &Frame) -> Page {
    let place = Place::new(frame.query("bucket"), frame.query("name"));
    let query = [("alt", "media"), ("generation", frame.query("generation"))];
    let reply = frame.asked(&address(&place), &query).await?;
    if !reply.status.is_success() {
        return Err(Oops::missing("There is no such object"));
    }
    let last = place.name.trim_end_matches('/').rsplit('/').next();
    let last = last.filter(|last| !last.is_empty()).unwrap_or("object");
    let mut response = Response::new(Body::new(reply.body));
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, kind);
    if let Some(length) = reply.headers.get(header::CONTENT_LENGTH) {
        headers.insert(header::CONTENT_LENGTH, length.clone());
    }
    let name = utf8_percent_encode(last, NON_ALPHANUMERIC);
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename*=UTF-8''{name}")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_bytes() {
        assert_eq!(text("äö".as_bytes().to_vec()).as_deref(), Some("äö"));
        assert_eq!(text("äö".as_bytes()[..3].to_vec()).as_deref(), Some("ä"));
        assert_eq!(text(vec![0x89, b'P', b'N', b'G']), None);
        assert_eq!(text(b"a\0b".to_vec()), None);
        assert_eq!(text(b"a\xffb".to_vec()), None);
    }
}
