//! Cloud Storage: its JSON API over plain files.
//!
//! [`disk`] owns the files and what is known of them; everything that changes an object goes through it, with its conditions.
//! The other modules read requests and write replies. [`inside`] is what the services beside it use.

use std::sync::Arc;

use axum::http::{Method as Verb, StatusCode, header};

use crate::call::{Answer, Call, Refusal, Reply};
use crate::route::Method;
use crate::services::Service;
use crate::state::State;

mod batch;
mod buckets;
mod conditions;
mod copy;
mod disk;
mod fields;
mod glob;
mod inside;
mod list;
pub(crate) mod multipart;
mod names;
mod objects;
pub(crate) mod range;
mod record;
mod resumable;
mod seen;
pub(crate) mod sink;
mod tokens;
mod upload;

pub(crate) use disk::Storage;
pub(crate) use inside::Held;
pub(crate) use record::{Object, Place};

/// Words in paths that the real service has and the sandbox does not.
const NOT_HERE: [&str; 19] = [
    "acl",
    "advanceRelocateBucket",
    "anywhereCaches",
    "bulkRestore",
    "defaultObjectAcl",
    "folders",
    "hmacKeys",
    "iam",
    "lockRetentionPolicy",
    "managedFolders",
    "moveTo",
    "notificationConfigs",
    "operations",
    "rapidCaches",
    "relocate",
    "restore",
    "serviceAccount",
    "storageLayout",
    "viewFullContext",
];

pub(crate) fn methods() -> Vec<Method> {
    let mut methods = in_batches();
    let upload = [
        "/upload/storage/v1/b/{bucket}/o",
        "/resumable/upload/storage/v1/b/{bucket}/o",
    ];
    for path in upload {
        let insert = "storage.objects.insert";
        methods.push(method(insert, Verb::POST, path, upload::insert));
        methods.push(method(insert, Verb::PUT, path, upload::insert));
        methods.push(method(insert, Verb::DELETE, path, resumable::cancel));
    }
    methods.push(method(
        "storage.objects.get",
        Verb::GET,
        "/download/storage/v1/b/{bucket}/o/{object}",
        objects::get,
    ));
    for path in ["/batch/storage/v1", "/batch"] {
        methods.push(method("storage.batch", Verb::POST, path, batch::batch));
    }
    for verb in [Verb::GET, Verb::POST, Verb::PUT, Verb::PATCH, Verb::DELETE] {
        methods.push(method("storage.other", verb, "/storage/v1/{+rest}", other));
    }
    methods
}

/// What can be asked for alone and within a batch.
fn in_batches() -> Vec<Method> {
    let bucket = "/storage/v1/b/{bucket}";
    let object = "/storage/v1/b/{bucket}/o/{object}";
    let mut methods = vec![
        method(
            "storage.buckets.insert",
            Verb::POST,
            "/storage/v1/b",
            buckets::insert,
        ),
        method(
            "storage.buckets.list",
            Verb::GET,
            "/storage/v1/b",
            buckets::list,
        ),
        method("storage.buckets.get", Verb::GET, bucket, buckets::get),
        method("storage.buckets.patch", Verb::PATCH, bucket, buckets::patch),
        method("storage.buckets.update", Verb::PUT, bucket, buckets::update),
        method(
            "storage.buckets.delete",
            Verb::DELETE,
            bucket,
            buckets::delete,
        ),
        method("storage.objects.get", Verb::GET, object, objects::get),
        method("storage.objects.patch", Verb::PATCH, object, objects::patch),
        method("storage.objects.update", Verb::PUT, object, objects::update),
        method(
            "storage.objects.delete",
            Verb::DELETE,
            object,
            objects::delete,
        ),
    ];
    methods.push(method(
        "storage.objects.list",
        Verb::GET,
        "/storage/v1/b/{bucket}/o",
        list::list,
    ));
    methods.push(method(
        "storage.objects.compose",
        Verb::POST,
        "/storage/v1/b/{destinationBucket}/o/{destinationObject}/compose",
        copy::compose,
    ));
    methods.push(method(
        "storage.objects.copy",
        Verb::POST,
        "/storage/v1/b/{sourceBucket}/o/{sourceObject}/copyTo/b/{destinationBucket}/o/{destinationObject}",
        copy::copy,
    ));
    methods.push(method(
        "storage.objects.rewrite",
        Verb::POST,
        "/storage/v1/b/{sourceBucket}/o/{sourceObject}/rewriteTo/b/{destinationBucket}/o/{destinationObject}",
        copy::rewrite,
    ));
    methods
}

fn method<F, R>(id: &'static str, verb: Verb, path: &'static str, handler: F) -> Method
where
    F: Fn(Arc<State>, Call) -> R + Send + Sync + 'static,
    R: Future<Output = Answer> + Send + 'static,
{
    Method::new(Service::Storage, id, verb, path, handler)
}

/// What is none of the methods: one that the sandbox does not do, or none at all.
async fn other(_: Arc<State>, call: Call) -> Answer {
    let rest = call.part("rest");
    // A bucket or an object may have such a name, and stands where no word does.
    let mut words = rest
        .split('/')
        .enumerate()
        .filter(|(at, _)| *at != 1 && *at != 3);
    match words.find(|(_, word)| NOT_HERE.contains(word)) {
        Some((_, word)) => Err(Refusal::unsupported(&format!("{word} of Cloud Storage"))),
        None => Err(Refusal::not_found(format!(
            "Cloud Storage has no method at /storage/v1/{rest}"
        ))),
    }
}

fn no_content() -> Reply {
    Reply::new(
        StatusCode::NO_CONTENT,
        "application/json; charset=UTF-8",
        "",
    )
}

/// 304.
fn not_modified(etag: &str) -> Reply {
    Reply::new(StatusCode::NOT_MODIFIED, "text/plain; charset=UTF-8", "").header(header::ETAG, etag)
}
