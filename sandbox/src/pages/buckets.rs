//! Buckets, and folders in them.

use askama::Template;
use serde_json::Value;

use super::Page;
use super::frame::{Frame, journal_of, link};
use super::inner::segment;
use super::shown::{When, bytes, count, number};

/// Names of a page.
const NAMES: &str = "100";

struct BucketLine {
    name: String,
    href: String,
    project: String,
    location: String,
    versioning: bool,
    created: When,
    objects: String,
    bytes: String,
}

#[derive(Template)]
#[template(path = "buckets.html")]
struct BucketsPage<'a> {
    frame: &'a Frame,
    buckets: Vec<BucketLine>,
    address: &'a str,
}

struct ObjectLine {
    name: String,
    href: String,
    bytes: String,
    kind: String,
    updated: String,
    generation: String,
}

#[derive(Template)]
#[template(path = "folder.html")]
struct FolderPage<'a> {
    frame: &'a Frame,
    bucket: &'a str,
    prefix: &'a str,
    crumbs: Vec<(String, String)>,
    folders: Vec<(String, String)>,
    objects: Vec<ObjectLine>,
    first: Option<String>,
    more: Option<String>,
    journal: String,
}

/// `?bucket=…&prefix=…&page=…`
pub(super) async fn page(frame: &Frame) -> Page {
    let bucket = frame.query("bucket");
    if !bucket.is_empty() {
        return folder(frame, bucket).await;
    }
    let buckets = frame
        .state
        .storage
        .seen()
        .into_iter()
        .map(|one| BucketLine {
            href: link("/sandbox/buckets", &[("bucket", &one.name)]),
            name: one.name,
            project: one.project,
            location: one.location,
            versioning: one.versioning,
            created: When(one.created),
            objects: match one.more {
                true => format!("more than {}", number(one.objects as u64)),
                false => count(one.objects as u64, "object"),
            },
            bytes: bytes(one.bytes),
        });
    Frame::page(&BucketsPage {
        frame,
        buckets: buckets.collect(),
        address: &frame.state.public,
    })
}

async fn folder(frame: &Frame, bucket: &str) -> Page {
    let prefix = frame.query("prefix");
    let path = format!("/storage/v1/b/{}/o", segment(bucket));
    let query = [
        ("prefix", prefix),
        ("delimiter", "/"),
        ("maxResults", NAMES),
        ("pageToken", frame.query("page")),
    ];
    let found = frame.get(&path, &query).await?;
    let list = |name: &str| {
        let list = found.get(name).and_then(Value::as_array);
        list.map_or(&[][..], Vec::as_slice)
    };
    let within = |name: &str| name.strip_prefix(prefix).unwrap_or(name).to_owned();
    let folders = list("prefixes").iter().filter_map(Value::as_str);
    let folders = folders.map(|name| {
        let href = link("/sandbox/buckets", &[("bucket", bucket), ("prefix", name)]);
        (within(name), href)
    });
    let objects = list("items").iter().map(|object| {
        let name = text(object, "name");
        ObjectLine {
            // What a folder is to itself.
            name: Some(within(name))
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| name.to_owned()),
            href: link("/sandbox/object", &[("bucket", bucket), ("name", name)]),
            bytes: bytes(text(object, "size").parse().unwrap_or(0)),
            kind: text(object, "contentType").to_owned(),
            updated: super::object::moment(text(object, "updated")),
            generation: text(object, "generation").to_owned(),
        }
    });
    let next = found.get("nextPageToken").and_then(Value::as_str);
    Frame::page(&FolderPage {
        frame,
        bucket,
        prefix,
        crumbs: crumbs(bucket, prefix),
        folders: folders.collect(),
        objects: objects.collect(),
        first: (!frame.query("page").is_empty()).then(|| frame.here_with(&[("page", "")])),
        more: next.map(|next| frame.here_with(&[("page", next)])),
        journal: journal_of(&format!("gs://{bucket}/{prefix}")),
    })
}

/// The folders that lead to a name, and where they are.
pub(super) fn crumbs(bucket: &str, folder: &str) -> Vec<(String, String)> {
    let mut so_far = String::new();
    let parts = folder.split_inclusive('/').map(|part| {
        so_far.push_str(part);
        let values = [("bucket", bucket), ("prefix", so_far.as_str())];
        let word = Some(part.trim_end_matches('/')).filter(|word| !word.is_empty());
        let href = link("/sandbox/buckets", &values);
        (word.unwrap_or(part).to_owned(), href)
    });
    parts.collect()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or("")
}
