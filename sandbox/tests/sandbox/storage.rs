//! Cloud Storage over HTTP: buckets, objects, their generations and conditions.

use std::sync::Arc;

use reqwest::{Method, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::kit::{Kit, json};

/// A sandbox with a bucket `raw`.
pub(crate) struct Bucket {
    pub(crate) kit: Kit,
    pub(crate) folder: Arc<TempDir>,
}

impl Bucket {
    pub(crate) async fn new() -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a folder"));
        let kit = Kit::over(Arc::clone(&folder)).await;
        let reply = kit
            .post("/storage/v1/b?project=p", &json!({ "name": "raw" }))
            .await;
        assert_eq!(reply.status(), 200);
        Self { kit, folder }
    }

    pub(crate) async fn send(
        &self,
        verb: &str,
        path: &str,
        body: impl Into<reqwest::Body>,
    ) -> Response {
        let verb: Method = verb.parse().expect("a verb");
        let request = self
            .kit
            .client
            .request(verb, format!("{}{path}", self.kit.base));
        request.body(body).send().await.expect("a reply")
    }

    /// Status, and what was answered.
    pub(crate) async fn ask(&self, verb: &str, path: &str, body: Value) -> (u16, Value) {
        let text = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let reply = self.send(verb, path, text).await;
        let status = reply.status().as_u16();
        let text = reply.text().await.expect("text");
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    pub(crate) async fn put(&self, name: &str, content: impl Into<reqwest::Body>) -> Value {
        let path = format!("/upload/storage/v1/b/raw/o?uploadType=media&name={name}");
        let reply = self.send("POST", &path, content).await;
        assert_eq!(reply.status(), 200, "{name}");
        json(reply).await
    }

    pub(crate) async fn read(&self, name: &str) -> String {
        let path = format!("/storage/v1/b/raw/o/{name}?alt=media");
        let reply = self.send("GET", &path, "").await;
        assert_eq!(reply.status(), 200, "{name}");
        reply.text().await.expect("text")
    }
}

pub(crate) fn reason(body: &Value) -> &str {
    body["error"]["errors"][0]["reason"].as_str().unwrap_or("")
}

pub(crate) fn generation(object: &Value) -> i64 {
    object["generation"]
        .as_str()
        .expect("text")
        .parse()
        .expect("a number")
}

#[tokio::test]
async fn buckets_live_and_end() {
    let b = Bucket::new().await;
    let (status, body) = b
        .ask("POST", "/storage/v1/b?project=p", json!({ "name": "raw" }))
        .await;
    assert_eq!((status, reason(&body)), (409, "conflict"));
    let (status, body) = b
        .ask("POST", "/storage/v1/b?project=p", json!({ "name": "No" }))
        .await;
    assert_eq!((status, reason(&body)), (400, "invalid"));
    b.ask(
        "POST",
        "/storage/v1/b?project=p",
        json!({ "name": "other", "location": "eu" }),
    )
    .await;
    let (_, list) = b
        .ask("GET", "/storage/v1/b?project=p&maxResults=1", Value::Null)
        .await;
    assert_eq!(list["items"][0]["name"], "other");
    let token = list["nextPageToken"].as_str().expect("more");
    let (_, list) = b
        .ask(
            "GET",
            &format!("/storage/v1/b?project=p&pageToken={token}"),
            Value::Null,
        )
        .await;
    assert_eq!(list["items"][0]["name"], "raw");
    assert_eq!(list["nextPageToken"], Value::Null);
    let patch = json!({ "labels": { "team": "ops" }, "versioning": { "enabled": true } });
    let (_, bucket) = b
        .ask(
            "PATCH",
            "/storage/v1/b/raw?ifMetagenerationMatch=1",
            patch.clone(),
        )
        .await;
    assert_eq!(
        (&bucket["metageneration"], &bucket["labels"]["team"]),
        (&json!("2"), &json!("ops"))
    );
    let (status, body) = b
        .ask("PATCH", "/storage/v1/b/raw?ifMetagenerationMatch=1", patch)
        .await;
    assert_eq!((status, reason(&body)), (412, "conditionNotMet"));
    b.put("a", "x").await;
    let (status, body) = b.ask("DELETE", "/storage/v1/b/raw", Value::Null).await;
    assert_eq!((status, reason(&body)), (409, "conflict"));
    assert_eq!(
        b.ask("DELETE", "/storage/v1/b/other", Value::Null).await.0,
        204
    );
    let (status, body) = b.ask("GET", "/storage/v1/b/other", Value::Null).await;
    assert_eq!(
        (status, &body["error"]["message"]),
        (404, &json!("The specified bucket does not exist."))
    );
}

#[tokio::test]
async fn an_object_is_a_plain_file_with_its_sums() {
    let b = Bucket::new().await;
    let object = b.put("sales%2F2026%2Fa.csv", "hello").await;
    assert_eq!(
        (&object["md5Hash"], &object["crc32c"], &object["size"]),
        (
            &json!("XUFAKrxLKna5cZ2REBfFkg=="),
            &json!("mnG7TA=="),
            &json!("5")
        )
    );
    let file = b.folder.path().join("storage/raw/sales/2026/a.csv");
    assert_eq!(std::fs::read_to_string(file).expect("the file"), "hello");
    for path in ["/storage/v1", "/download/storage/v1"] {
        let path = format!("{path}/b/raw/o/sales%2F2026%2Fa.csv?alt=media");
        let reply = b.send("GET", &path, "").await;
        let header = |name: &str| reply.headers()[name].to_str().expect("text").to_owned();
        assert_eq!(
            header("x-goog-hash"),
            "crc32c=mnG7TA==,md5=XUFAKrxLKna5cZ2REBfFkg=="
        );
        assert_eq!(json!(header("x-goog-generation")), object["generation"]);
        assert_eq!(header("content-length"), "5");
        assert_eq!(reply.text().await.expect("text"), "hello");
    }
    let link = object["mediaLink"].as_str().expect("text");
    assert!(link.starts_with(&b.kit.base), "{link}");
    let (status, body) = b
        .ask("GET", "/storage/v1/b/raw/o/none%2Fx?alt=media", Value::Null)
        .await;
    assert_eq!(
        (status, &body["error"]["message"]),
        (404, &json!("No such object: raw/none/x"))
    );
}

#[tokio::test]
async fn wrong_sums_are_refused_and_nothing_is_kept() {
    let b = Bucket::new().await;
    let request = b.kit.client.post(format!(
        "{}/upload/storage/v1/b/raw/o?uploadType=media&name=a",
        b.kit.base
    ));
    let reply = request
        .header("x-goog-hash", "crc32c=AAAAAA==")
        .body("hello")
        .send()
        .await
        .expect("a reply");
    assert_eq!(reply.status(), 400);
    assert_eq!(
        b.ask("GET", "/storage/v1/b/raw/o/a", Value::Null).await.0,
        404
    );
    let new = b.folder.path().join("storage/.state/new");
    assert_eq!(std::fs::read_dir(new).expect("a folder").count(), 0);
}

#[tokio::test]
async fn a_multipart_upload_brings_what_is_to_be_known() {
    let b = Bucket::new().await;
    let about = json!({ "name": "m/a", "contentType": "text/csv", "metadata": { "k": "v" }, "cacheControl": "no-store" });
    let body = format!(
        "--xyz\r\ncontent-type: application/json\r\n\r\n{about}\r\n--xyz\r\ncontent-type: text/plain\r\n\r\na\r\n--xy\r\n--xyz--"
    );
    let send = |kind: &'static str, body: String| {
        let request = b.kit.client.post(format!(
            "{}/upload/storage/v1/b/raw/o?uploadType=multipart",
            b.kit.base
        ));
        request.header("content-type", kind).body(body).send()
    };
    let reply = send("multipart/related; boundary=\"xyz\"", body)
        .await
        .expect("a reply");
    assert_eq!(reply.status(), 200);
    let object = json(reply).await;
    assert_eq!(
        (
            &object["contentType"],
            &object["metadata"]["k"],
            &object["size"]
        ),
        (&json!("text/csv"), &json!("v"), &json!("7"))
    );
    assert_eq!(b.read("m%2Fa").await, "a\r\n--xy");
    for (kind, body) in [
        ("multipart/related", "x"),
        ("multipart/related; boundary=x", "nothing"),
        ("multipart/related; boundary=x", "--x\r\n\r\n{\r\n--x--"),
        (
            "multipart/related; boundary=x",
            "--x\r\n\r\n{\r\n--x\r\n\r\na\r\n--x--",
        ),
    ] {
        let reply = send(kind, body.to_owned()).await.expect("a reply");
        assert_eq!(reply.status(), 400, "{body:?}");
        assert_eq!(reason(&json(reply).await), "invalid");
    }
}

#[tokio::test]
async fn ranges_are_as_http_wants_them() {
    let b = Bucket::new().await;
    b.put("a", "0123456789").await;
    b.put("empty", "").await;
    for (name, range, status, text, content_range) in [
        ("a", "bytes=2-4", 206, "234", "bytes 2-4/10"),
        ("a", "bytes=7-", 206, "789", "bytes 7-9/10"),
        ("a", "bytes=-2", 206, "89", "bytes 8-9/10"),
        ("a", "bytes=2-99", 206, "23456789", "bytes 2-9/10"),
        (
            "a",
            "bytes=10-",
            416,
            "The requested range cannot be satisfied.",
            "bytes */10",
        ),
        (
            "empty",
            "bytes=0-9",
            416,
            "The requested range cannot be satisfied.",
            "bytes */0",
        ),
        ("a", "bytes=z", 200, "0123456789", ""),
    ] {
        let address = format!("{}/storage/v1/b/raw/o/{name}?alt=media", b.kit.base);
        let reply = b
            .kit
            .client
            .get(address)
            .header("range", range)
            .send()
            .await
            .expect("a reply");
        let found = reply
            .headers()
            .get("content-range")
            .map_or("", |value| value.to_str().expect("text"));
        assert_eq!(
            (reply.status().as_u16(), found),
            (status, content_range),
            "{range}"
        );
        assert_eq!(reply.text().await.expect("text"), text, "{range}");
    }
}

#[tokio::test]
async fn a_reader_keeps_what_it_began_to_read() {
    let b = Bucket::new().await;
    let old = vec![b'o'; 8 << 20];
    b.put("a", old.clone()).await;
    let mut reply = b.send("GET", "/storage/v1/b/raw/o/a?alt=media", "").await;
    let mut read = reply
        .chunk()
        .await
        .expect("a chunk")
        .expect("a chunk")
        .to_vec();
    b.put("a", "new").await;
    assert_eq!(
        b.ask("DELETE", "/storage/v1/b/raw/o/a", Value::Null)
            .await
            .0,
        204
    );
    while let Some(chunk) = reply.chunk().await.expect("a chunk") {
        read.extend_from_slice(&chunk);
    }
    assert!(read == old);
}

#[tokio::test]
async fn versioning_keeps_generations() {
    let b = Bucket::new().await;
    b.ask(
        "PATCH",
        "/storage/v1/b/raw",
        json!({ "versioning": { "enabled": true } }),
    )
    .await;
    let first = generation(&b.put("a", "one").await);
    let second = generation(&b.put("a", "two").await);
    assert!(second > first);
    let read = |generation: i64| {
        let path = format!("/storage/v1/b/raw/o/a?alt=media&generation={generation}");
        b.send("GET", Box::leak(path.into_boxed_str()), "")
    };
    assert_eq!(read(first).await.text().await.expect("text"), "one");
    assert_eq!(b.read("a").await, "two");
    assert_eq!(
        b.ask("DELETE", "/storage/v1/b/raw/o/a", Value::Null)
            .await
            .0,
        204
    );
    assert_eq!(
        b.ask("GET", "/storage/v1/b/raw/o/a", Value::Null).await.0,
        404
    );
    let (_, list) = b
        .ask("GET", "/storage/v1/b/raw/o?versions=true", Value::Null)
        .await;
    let found: Vec<i64> = list["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(generation)
        .collect();
    assert_eq!(found, [first, second]);
    assert!(list["items"][1]["timeDeleted"].is_string());
    let path = format!("/storage/v1/b/raw/o/a?generation={first}");
    assert_eq!(b.ask("DELETE", &path, Value::Null).await.0, 204);
    assert_eq!(read(first).await.status(), 404);
    assert_eq!(read(second).await.text().await.expect("text"), "two");
    // An older generation can be made the newest again.
    let path = format!("/storage/v1/b/raw/o/a/copyTo/b/raw/o/a?sourceGeneration={second}");
    assert_eq!(b.ask("POST", &path, json!({})).await.0, 200);
    assert_eq!(b.read("a").await, "two");
}

#[tokio::test]
async fn what_is_known_of_an_object_changes() {
    let b = Bucket::new().await;
    b.put("a", "x").await;
    let object = "/storage/v1/b/raw/o/a";
    let (_, changed) = b
        .ask("PATCH", object, json!({ "metadata": { "a": "1", "b": "2" }, "contentType": "text/csv", "temporaryHold": true }))
        .await;
    assert_eq!(
        (&changed["metageneration"], &changed["contentType"]),
        (&json!("2"), &json!("text/csv"))
    );
    let (status, _) = b.ask("DELETE", object, Value::Null).await;
    assert_eq!(status, 403);
    let (_, changed) = b
        .ask(
            "PATCH",
            object,
            json!({ "metadata": { "a": null }, "temporaryHold": null }),
        )
        .await;
    assert_eq!(changed["metadata"], json!({ "b": "2" }));
    let (_, changed) = b
        .ask("PUT", object, json!({ "contentLanguage": "de" }))
        .await;
    assert_eq!(
        (&changed["metadata"], &changed["contentLanguage"]),
        (&Value::Null, &json!("de"))
    );
    for (body, status) in [
        (json!({ "metadata": { "a": 1 } }), 400),
        (json!({ "storageClass": "COLDLINE" }), 400),
        (json!({ "retention": { "mode": "Locked" } }), 501),
    ] {
        assert_eq!(
            b.ask("PATCH", object, body.clone()).await.0,
            status,
            "{body}"
        );
    }
    assert_eq!(
        b.ask("GET", "/storage/v1/b/raw/iam", Value::Null).await.0,
        501
    );
    assert_eq!(
        b.ask("GET", "/storage/v1/nonsense", Value::Null).await.0,
        404
    );
}

#[tokio::test]
async fn the_journal_has_what_changed() {
    let b = Bucket::new().await;
    let made = generation(&b.put("a", "x").await);
    b.ask("DELETE", "/storage/v1/b/raw/o/a", Value::Null).await;
    let (_, journal) = b
        .ask(
            "GET",
            "/sandbox/journal?service=storage&effects=true",
            Value::Null,
        )
        .await;
    let effects: Vec<&str> = journal["entries"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| entry["effects"][0].as_str().expect("text"))
        .collect();
    assert_eq!(
        effects,
        [
            "bucket gs://raw created".to_owned(),
            format!("object gs://raw/a generation {made}"),
            format!("object gs://raw/a generation {made} deleted"),
        ]
    );
}
