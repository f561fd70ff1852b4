//! Conditions on every verb, and bytes that no client sends.

use proptest::prelude::*;
use reqwest::Method;
use serde_json::{Value, json};

use crate::storage::{Bucket, generation, reason};

#[tokio::test]
async fn conditions_hold_on_every_verb() {
    let b = Bucket::new().await;
    let upload = "/upload/storage/v1/b/raw/o?uploadType=media&name=a";
    let first = b
        .ask("POST", &format!("{upload}&ifGenerationMatch=0"), json!(1))
        .await;
    assert_eq!(first.0, 200);
    let now = generation(&first.1);
    let other = now - 1;
    let object = "/storage/v1/b/raw/o/a";
    let copy = "/storage/v1/b/raw/o/a/copyTo/b/raw/o/b";
    let rewrite = "/storage/v1/b/raw/o/a/rewriteTo/b/raw/o/b";
    let compose = "/storage/v1/b/raw/o/a/compose";
    let sources = json!({ "sourceObjects": [{ "name": "a" }] });
    let picky = json!({ "sourceObjects": [{ "name": "a", "objectPreconditions": { "ifGenerationMatch": other.to_string() } }] });
    let cases = [
        ("POST", upload.to_owned() + "&ifGenerationMatch=0", json!(2)),
        (
            "POST",
            upload.to_owned() + "&ifMetagenerationMatch=2",
            json!(2),
        ),
        (
            "POST",
            format!("{upload}&ifGenerationNotMatch={now}"),
            json!(2),
        ),
        (
            "POST",
            upload.replace("media", "resumable") + "&ifGenerationMatch=0",
            json!({}),
        ),
        (
            "GET",
            format!("{object}?ifGenerationMatch={other}"),
            Value::Null,
        ),
        (
            "GET",
            format!("{object}?alt=media&ifGenerationMatch={other}"),
            Value::Null,
        ),
        (
            "GET",
            format!("{object}?ifMetagenerationMatch=7"),
            Value::Null,
        ),
        (
            "PATCH",
            format!("{object}?ifGenerationMatch={other}"),
            json!({}),
        ),
        (
            "PATCH",
            format!("{object}?ifMetagenerationNotMatch=1"),
            json!({}),
        ),
        (
            "PUT",
            format!("{object}?ifMetagenerationMatch=2"),
            json!({}),
        ),
        (
            "DELETE",
            format!("{object}?ifGenerationMatch={other}"),
            Value::Null,
        ),
        (
            "DELETE",
            format!("{object}?ifGenerationNotMatch={now}"),
            Value::Null,
        ),
        (
            "DELETE",
            format!("{object}?ifMetagenerationMatch=2"),
            Value::Null,
        ),
        (
            "DELETE",
            format!("{object}?ifMetagenerationNotMatch=1"),
            Value::Null,
        ),
        (
            "POST",
            format!("{copy}?ifSourceGenerationMatch={other}"),
            json!({}),
        ),
        (
            "POST",
            format!("{copy}?ifSourceGenerationNotMatch={now}"),
            json!({}),
        ),
        (
            "POST",
            format!("{copy}?ifSourceMetagenerationMatch=2"),
            json!({}),
        ),
        ("POST", format!("{copy}?ifGenerationMatch=5"), json!({})),
        (
            "POST",
            format!("{rewrite}?ifSourceMetagenerationNotMatch=1"),
            json!({}),
        ),
        ("POST", format!("{rewrite}?ifGenerationMatch=5"), json!({})),
        (
            "POST",
            format!("{compose}?ifGenerationMatch=0"),
            sources.clone(),
        ),
        (
            "POST",
            format!("{compose}?ifMetagenerationMatch=2"),
            sources,
        ),
        ("POST", compose.to_owned(), picky),
    ];
    for (verb, path, body) in cases {
        let (status, reply) = b.ask(verb, &path, body).await;
        assert_eq!(
            (status, reason(&reply)),
            (412, "conditionNotMet"),
            "{verb} {path}"
        );
    }
    for name in ["ifGenerationNotMatch", "alt=media&ifGenerationNotMatch"] {
        let (status, _) = b
            .ask("GET", &format!("{object}?{name}={now}"), Value::Null)
            .await;
        assert_eq!(status, 304);
    }
    assert_eq!(
        b.ask(
            "GET",
            &format!("{object}?ifMetagenerationNotMatch=1"),
            Value::Null
        )
        .await
        .0,
        304
    );
    assert_eq!(
        b.ask("GET", &format!("{object}?ifGenerationMatch=x"), Value::Null)
            .await
            .0,
        400
    );
    assert_eq!(b.read("a").await, "1");
    assert_eq!(
        b.ask("GET", "/storage/v1/b/raw/o/b", Value::Null).await.0,
        404
    );
    let path = format!("{object}?ifGenerationMatch={now}&ifMetagenerationMatch=1");
    assert_eq!(b.ask("DELETE", &path, Value::Null).await.0, 204);
    assert_eq!(b.ask("DELETE", object, Value::Null).await.0, 404);
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
