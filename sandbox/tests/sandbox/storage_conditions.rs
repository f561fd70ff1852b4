//! Conditions on every verb, and bytes that no client sends.

use proptest::prelude::*;
use reqwest::Method;
use serde_json::{Value, json};

use crate::storage::{Bucket, generation, reason};

/// Verb, path and conditions that do not hold; NOW is the generation of `a`, OTHER is none.
const REFUSED: &str = "
POST /upload/storage/v1/b/raw/o?uploadType=media&name=a&ifGenerationMatch=0
POST /upload/storage/v1/b/raw/o?uploadType=media&name=a&ifMetagenerationMatch=2
POST /upload/storage/v1/b/raw/o?uploadType=media&name=a&ifGenerationNotMatch=NOW
POST /upload/storage/v1/b/raw/o?uploadType=resumable&name=a&ifGenerationMatch=0
GET /storage/v1/b/raw/o/a?ifGenerationMatch=OTHER
GET /storage/v1/b/raw/o/a?alt=media&ifGenerationMatch=OTHER
GET /storage/v1/b/raw/o/a?ifMetagenerationMatch=7
PATCH /storage/v1/b/raw/o/a?ifGenerationMatch=OTHER
PATCH /storage/v1/b/raw/o/a?ifMetagenerationNotMatch=1
PUT /storage/v1/b/raw/o/a?ifMetagenerationMatch=2
DELETE /storage/v1/b/raw/o/a?ifGenerationMatch=OTHER
DELETE /storage/v1/b/raw/o/a?ifGenerationNotMatch=NOW
DELETE /storage/v1/b/raw/o/a?ifMetagenerationMatch=2
DELETE /storage/v1/b/raw/o/a?ifMetagenerationNotMatch=1
POST /storage/v1/b/raw/o/a/copyTo/b/raw/o/b?ifSourceGenerationMatch=OTHER
POST /storage/v1/b/raw/o/a/copyTo/b/raw/o/b?ifSourceGenerationNotMatch=NOW
POST /storage/v1/b/raw/o/a/copyTo/b/raw/o/b?ifSourceMetagenerationMatch=2
POST /storage/v1/b/raw/o/a/copyTo/b/raw/o/b?ifGenerationMatch=5
POST /storage/v1/b/raw/o/a/copyTo/b/raw/o/a?ifGenerationNotMatch=NOW
POST /storage/v1/b/raw/o/a/rewriteTo/b/raw/o/b?ifSourceMetagenerationNotMatch=1
POST /storage/v1/b/raw/o/a/rewriteTo/b/raw/o/b?ifGenerationMatch=5
POST /storage/v1/b/raw/o/a/rewriteTo/b/raw/o/a?ifMetagenerationMatch=2
POST /storage/v1/b/raw/o/a/compose?ifGenerationMatch=0
POST /storage/v1/b/raw/o/a/compose?ifMetagenerationMatch=2";

#[tokio::test]
async fn conditions_hold_on_every_verb() {
    let b = Bucket::new().await;
    let upload = "/upload/storage/v1/b/raw/o?uploadType=media&name=a&ifGenerationMatch=0";
    let first = b.ask("POST", upload, json!(1)).await;
    assert_eq!(first.0, 200);
    let now = generation(&first.1);
    let other = (now - 1).to_string();
    let sources = json!({ "sourceObjects": [{ "name": "a" }] });
    for case in REFUSED.trim().lines() {
        let case = case
            .replace("NOW", &now.to_string())
            .replace("OTHER", &other);
        let (verb, path) = case.split_once(' ').expect("a verb and a path");
        let body = if path.contains("compose") {
            sources.clone()
        } else {
            json!({})
        };
        let (status, reply) = b.ask(verb, path, body).await;
        assert_eq!((status, reason(&reply)), (412, "conditionNotMet"), "{case}");
    }
    let picky = json!({ "sourceObjects": [{ "name": "a", "objectPreconditions": { "ifGenerationMatch": other } }] });
    let (status, _) = b.ask("POST", "/storage/v1/b/raw/o/a/compose", picky).await;
    assert_eq!(status, 412);
    assert_eq!(b.read("a").await, "1");
    assert_eq!(
        b.ask("GET", "/storage/v1/b/raw/o/b", Value::Null).await.0,
        404
    );
    let path = format!("/storage/v1/b/raw/o/a?ifGenerationMatch={now}&ifMetagenerationMatch=1");
    assert_eq!(b.ask("DELETE", &path, Value::Null).await.0, 204);
    assert_eq!(
        b.ask("DELETE", "/storage/v1/b/raw/o/a", Value::Null)
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn what_was_not_modified_is_not_sent() {
    let b = Bucket::new().await;
    let now = generation(&b.put("a", "x").await);
    for (query, status) in [
        (format!("ifGenerationNotMatch={now}"), 304),
        (format!("alt=media&ifGenerationNotMatch={now}"), 304),
        ("ifMetagenerationNotMatch=1".to_owned(), 304),
        ("ifMetagenerationNotMatch=2".to_owned(), 200),
        ("ifGenerationNotMatch=0".to_owned(), 200),
        ("ifGenerationMatch=x".to_owned(), 400),
    ] {
        let path = format!("/storage/v1/b/raw/o/a?{query}");
        assert_eq!(b.ask("GET", &path, Value::Null).await.0, status, "{query}");
    }
}

#[test]
fn any_bytes_are_answered() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let b = runtime.block_on(Bucket::new());
    let paths = prop::sample::select(vec![
        "/upload/storage/v1/b/raw/o?uploadType=multipart",
        "/upload/storage/v1/b/raw/o?uploadType=resumable",
        "/upload/storage/v1/b/raw/o?upload_id=1",
        "/upload/storage/v1/b/raw/o",
        "/batch/storage/v1",
        "/storage/v1/b?project=p",
        "/storage/v1/b/raw/o/a/compose",
        "/storage/v1/b/raw/o/a/rewriteTo/b/raw/o/b",
        "/storage/v1/b/raw/o/a/%FF",
    ]);
    let body = prop::collection::vec(any::<u8>(), 0..60);
    let kind = prop::sample::select(vec![
        "multipart/mixed; boundary=x",
        "application/json",
        "text/plain",
    ]);
    let config = ProptestConfig::with_cases(200);
    proptest!(config, |(path in paths, body in body, kind in kind, verb in prop::sample::select(vec!["POST", "PUT", "PATCH"]))| {
        let status = runtime.block_on(async {
            let verb: Method = verb.parse().expect("a verb");
            let request = b.kit.client.request(verb, format!("{}{path}", b.kit.base));
            request.header("content-type", kind).body(body).send().await.expect("a reply").status()
        });
        prop_assert!(status.is_client_error(), "{status}");
    });
    proptest!(ProptestConfig::with_cases(200), |(name in "[a-c./%\u{0}ü]{1,9}", query in "(prefix|matchGlob|pageToken|startOffset|delimiter|generation)=[a-c*?\\[{%0-9-]{0,6}")| {
        runtime.block_on(async {
            let status = b.send("GET", &format!("/storage/v1/b/raw/o?{query}"), "").await.status();
            prop_assert!(status.is_success() || status.is_client_error(), "{query} {status}");
            let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let path = format!("/upload/storage/v1/b/raw/o?uploadType=media&name={encoded}");
            let status = b.send("POST", &path, name.clone()).await.status();
            if status != 200 {
                prop_assert!(matches!(name.as_str(), "." | ".."), "{name:?} {status}");
            }
            Ok(())
        })?;
    });
    let (status, list) = runtime.block_on(b.ask("GET", "/storage/v1/b/raw/o", Value::Null));
    assert_eq!(status, 200);
    // Every object has its own content, whatever its name is.
    for object in list["items"].as_array().expect("a list") {
        let name = object["name"].as_str().expect("text");
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        if !matches!(name, "." | "..") {
            assert_eq!(runtime.block_on(b.read(&encoded)), name);
        }
    }
    // Nothing is beside the bucket.
    let entries = std::fs::read_dir(b.folder.path().join("storage")).expect("a folder");
    assert_eq!(entries.count(), 2);
}
