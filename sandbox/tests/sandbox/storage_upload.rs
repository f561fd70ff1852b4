//! Resumable uploads, composing, copying, lists and batches.

use std::sync::Arc;

use reqwest::Response;
use serde_json::{Value, json};

use crate::kit::{Kit, json};
use crate::storage::Bucket;

const PIECE: usize = 256 << 10;

fn content(size: usize) -> Vec<u8> {
    (0..size)
        .map(|n| u8::try_from(n % 251).expect("small"))
        .collect()
}

async fn begin(b: &Bucket, name: &str) -> String {
    let path = format!("/upload/storage/v1/b/raw/o?uploadType=resumable&name={name}");
    let reply = b.send("POST", &path, "{\"contentType\":\"a/b\"}").await;
    assert_eq!(reply.status(), 200);
    let location = reply.headers()["location"].to_str().expect("text");
    location
        .strip_prefix(&b.kit.base)
        .expect("the configured address")
        .to_owned()
}

async fn piece(b: &Bucket, session: &str, range: &str, body: Vec<u8>) -> Response {
    let request = b.kit.client.put(format!("{}{session}", b.kit.base));
    let request = request.header("content-range", range).body(body);
    request.send().await.expect("a reply")
}

fn so_far(reply: &Response) -> (u16, Option<&str>) {
    let range = reply.headers().get("range");
    (
        reply.status().as_u16(),
        range.map(|range| range.to_str().expect("text")),
    )
}

#[tokio::test]
async fn an_upload_of_known_size_goes_on_where_it_was() {
    let b = Bucket::new().await;
    let data = content(2 * PIECE + 10);
    let total = data.len();
    let session = begin(&b, "big").await;
    let reply = piece(&b, &session, "bytes */*", vec![]).await;
    assert_eq!(so_far(&reply), (308, None));
    let reply = piece(
        &b,
        &session,
        &format!("bytes 0-{}/{total}", PIECE - 1),
        data[..PIECE].to_vec(),
    )
    .await;
    assert_eq!(so_far(&reply), (308, Some("bytes=0-262143")));
    let reply = piece(&b, &session, &format!("bytes */{total}"), vec![]).await;
    assert_eq!(so_far(&reply), (308, Some("bytes=0-262143")));
    // A gap is refused, what is there already is skipped.
    let reply = piece(
        &b,
        &session,
        &format!("bytes {}-{}/{total}", PIECE + 1, total - 1),
        data[PIECE + 1..].to_vec(),
    )
    .await;
    assert_eq!(reply.status(), 400);
    let reply = piece(
        &b,
        &session,
        &format!("bytes 100-{}/{total}", total - 1),
        data[100..].to_vec(),
    )
    .await;
    assert_eq!(reply.status(), 200);
    let object = json(reply).await;
    assert_eq!(
        (&object["size"], &object["contentType"]),
        (&json!(total.to_string()), &json!("a/b"))
    );
    // A reply that was lost can be had again.
    let again = json(piece(&b, &session, "bytes */*", vec![]).await).await;
    assert_eq!(again, object);
    let reply = b.send("GET", "/storage/v1/b/raw/o/big?alt=media", "").await;
    assert!(reply.bytes().await.expect("bytes") == data);
}

#[tokio::test]
async fn an_upload_of_unknown_size_ends_with_its_last_piece() {
    let b = Bucket::new().await;
    let data = content(PIECE + 5);
    let session = begin(&b, "big").await;
    let reply = piece(&b, &session, "bytes 0-9/*", data[..10].to_vec()).await;
    assert_eq!(reply.status(), 400);
    let reply = piece(
        &b,
        &session,
        &format!("bytes 0-{}/*", PIECE + 4),
        data.clone(),
    )
    .await;
    assert_eq!(so_far(&reply), (308, Some("bytes=0-262143")));
    let last = format!("bytes {PIECE}-{}/{}", PIECE + 4, PIECE + 5);
    let reply = piece(&b, &session, &last, data[PIECE..].to_vec()).await;
    assert_eq!(reply.status(), 200);
    // Without Content-Range, all comes at once; an empty one ends with its length.
    let session = begin(&b, "once").await;
    assert_eq!(b.send("PUT", &session, "abc").await.status(), 200);
    assert_eq!(b.read("once").await, "abc");
    let session = begin(&b, "empty").await;
    assert_eq!(piece(&b, &session, "bytes */0", vec![]).await.status(), 200);
    assert_eq!(b.read("empty").await, "");
}

#[tokio::test]
async fn a_session_survives_a_restart() {
    let b = Bucket::new().await;
    let data = content(2 * PIECE);
    let session = begin(&b, "big").await;
    piece(
        &b,
        &session,
        &format!("bytes 0-{}/*", PIECE - 1),
        data[..PIECE].to_vec(),
    )
    .await;
    let Bucket { kit, folder } = b;
    drop(kit);
    let kit = Kit::over(Arc::clone(&folder)).await;
    let b = Bucket { kit, folder };
    let reply = piece(&b, &session, "bytes */*", vec![]).await;
    assert_eq!(so_far(&reply), (308, Some("bytes=0-262143")));
    let last = format!("bytes {PIECE}-{}/{}", data.len() - 1, data.len());
    let object = json(piece(&b, &session, &last, data[PIECE..].to_vec()).await).await;
    let whole = b.put("whole", data).await;
    assert_eq!(
        (&object["md5Hash"], &object["crc32c"]),
        (&whole["md5Hash"], &whole["crc32c"])
    );
}

#[tokio::test]
async fn a_cancelled_session_is_gone() {
    let b = Bucket::new().await;
    let session = begin(&b, "big").await;
    assert_eq!(b.send("DELETE", &session, "").await.status(), 499);
    assert_eq!(piece(&b, &session, "bytes */*", vec![]).await.status(), 410);
    let other = session
        .split("upload_id=")
        .next()
        .expect("an address")
        .to_owned()
        + "upload_id=..%2Fx";
    assert_eq!(piece(&b, &other, "bytes */*", vec![]).await.status(), 404);
    // A condition that fails at the end ends the session.
    let path = "/upload/storage/v1/b/raw/o?uploadType=resumable&name=a&ifGenerationMatch=0";
    let reply = b.send("POST", path, "").await;
    let location = reply.headers()["location"]
        .to_str()
        .expect("text")
        .to_owned();
    b.put("a", "first").await;
    let reply = b
        .kit
        .client
        .put(location)
        .body("second")
        .send()
        .await
        .expect("a reply");
    assert_eq!(reply.status(), 412);
    assert_eq!(b.read("a").await, "first");
}

#[tokio::test]
async fn objects_are_composed() {
    let b = Bucket::new().await;
    for (name, text) in [("a", "one,"), ("b", "two,"), ("c", "three")] {
        b.put(name, text).await;
    }
    let body = json!({ "sourceObjects": [{ "name": "a" }, { "name": "b" }, { "name": "c" }], "destination": { "contentType": "text/csv" }, "deleteSourceObjects": true });
    let (status, object) = b.ask("POST", "/storage/v1/b/raw/o/all/compose", body).await;
    assert_eq!(
        (status, &object["componentCount"], &object["md5Hash"]),
        (200, &json!(3), &Value::Null)
    );
    assert_eq!(b.read("all").await, "one,two,three");
    let whole = b.put("whole", "one,two,three").await;
    assert_eq!(object["crc32c"], whole["crc32c"]);
    assert_eq!(
        b.ask("GET", "/storage/v1/b/raw/o/a", Value::Null).await.0,
        404
    );
    let many: Vec<Value> = (0..33).map(|_| json!({ "name": "all" })).collect();
    for sources in [json!([]), json!(many)] {
        let body = json!({ "sourceObjects": sources });
        assert_eq!(
            b.ask("POST", "/storage/v1/b/raw/o/x/compose", body).await.0,
            400
        );
    }
    let body = json!({ "sourceObjects": [{ "name": "none" }] });
    assert_eq!(
        b.ask("POST", "/storage/v1/b/raw/o/x/compose", body).await.0,
        404
    );
}

#[tokio::test]
async fn objects_are_copied_and_rewritten_in_pieces() {
    let b = Bucket::new().await;
    b.kit
        .post(
            "/storage/v1/b?project=p",
            &json!({ "name": "cold", "storageClass": "COLDLINE" }),
        )
        .await;
    let data = content((2 << 20) + 5);
    b.put("a%2Fb", data.clone()).await;
    b.ask(
        "PATCH",
        "/storage/v1/b/raw/o/a%2Fb",
        json!({ "metadata": { "k": "v" } }),
    )
    .await;
    let (_, copy) = b
        .ask(
            "POST",
            "/storage/v1/b/raw/o/a%2Fb/copyTo/b/cold/o/c%2Fd",
            Value::Null,
        )
        .await;
    assert_eq!(
        (
            &copy["metadata"]["k"],
            &copy["storageClass"],
            &copy["metageneration"]
        ),
        (&json!("v"), &json!("COLDLINE"), &json!("1"))
    );
    let path = "/storage/v1/b/raw/o/a%2Fb/rewriteTo/b/raw/o/r?maxBytesRewrittenPerCall=1048576";
    let mut token = String::new();
    let mut calls = 0;
    let done = loop {
        let (status, reply) = b
            .ask(
                "POST",
                &format!("{path}&rewriteToken={token}"),
                json!({ "contentType": "x/y" }),
            )
            .await;
        assert_eq!(status, 200, "{reply}");
        calls += 1;
        match reply["rewriteToken"].as_str() {
            Some(next) => next.clone_into(&mut token),
            None => break reply,
        }
        assert_eq!(
            b.ask("GET", "/storage/v1/b/raw/o/r", Value::Null).await.0,
            404
        );
    };
    assert_eq!(
        (calls, &done["done"], &done["resource"]["contentType"]),
        (3, &json!(true), &json!("x/y"))
    );
    assert_eq!(done["totalBytesRewritten"], json!(data.len().to_string()));
    let reply = b.send("GET", "/storage/v1/b/raw/o/r?alt=media", "").await;
    assert!(reply.bytes().await.expect("bytes") == data);
    for query in ["maxBytesRewrittenPerCall=5", "rewriteToken=none"] {
        let path = format!("/storage/v1/b/raw/o/a%2Fb/rewriteTo/b/raw/o/r?{query}");
        assert_eq!(b.ask("POST", &path, json!({})).await.0, 400);
    }
}

fn texts(list: &Value, field: &str) -> Vec<String> {
    let all = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |one: &Value| {
        one[field]
            .as_str()
            .or(one.as_str())
            .expect("text")
            .to_owned()
    };
    all.iter().map(text).collect()
}

/// Names and prefixes of a list in pages of one.
async fn paged(b: &Bucket, query: &str) -> (Vec<String>, Vec<String>) {
    let (mut names, mut groups, mut token) = (vec![], vec![], String::new());
    loop {
        let path = format!("/storage/v1/b/raw/o?{query}&maxResults=1&pageToken={token}");
        let (_, list) = b.ask("GET", &path, Value::Null).await;
        names.extend(texts(&list["items"], "name"));
        groups.extend(texts(&list["prefixes"], ""));
        match list["nextPageToken"].as_str() {
            Some(next) => next.clone_into(&mut token),
            None => return (names, groups),
        }
    }
}

#[tokio::test]
async fn lists_are_narrowed_and_paged() {
    let b = Bucket::new().await;
    for name in [
        "a%2F",
        "a%2F1.csv",
        "a%2Fb%2F2.csv",
        "a%2Fb%2F3.txt",
        "ab",
        "c%2F4.csv",
        "d",
    ] {
        b.put(name, "x").await;
    }
    for (query, names, prefixes) in [
        (
            "",
            vec![
                "a/",
                "a/1.csv",
                "a/b/2.csv",
                "a/b/3.txt",
                "ab",
                "c/4.csv",
                "d",
            ],
            vec![],
        ),
        (
            "prefix=a%2F",
            vec!["a/", "a/1.csv", "a/b/2.csv", "a/b/3.txt"],
            vec![],
        ),
        ("delimiter=%2F", vec!["ab", "d"], vec!["a/", "c/"]),
        (
            "delimiter=%2F&includeTrailingDelimiter=true",
            vec!["a/", "ab", "d"],
            vec!["a/", "c/"],
        ),
        (
            "prefix=a%2F&delimiter=%2F",
            vec!["a/", "a/1.csv"],
            vec!["a/b/"],
        ),
        (
            "matchGlob=**.csv",
            vec!["a/1.csv", "a/b/2.csv", "c/4.csv"],
            vec![],
        ),
        ("matchGlob=*%2F*.csv", vec!["a/1.csv", "c/4.csv"], vec![]),
        (
            "startOffset=a%2Fb%2F3.txt&endOffset=d",
            vec!["a/b/3.txt", "ab", "c/4.csv"],
            vec![],
        ),
    ] {
        let (status, list) = b
            .ask("GET", &format!("/storage/v1/b/raw/o?{query}"), Value::Null)
            .await;
        assert_eq!(status, 200);
        assert_eq!(texts(&list["items"], "name"), names, "{query}");
        assert_eq!(texts(&list["prefixes"], ""), prefixes, "{query}");
        let (names, groups) = paged(&b, query).await;
        assert_eq!(names, texts(&list["items"], "name"), "{query}");
        assert_eq!(groups, texts(&list["prefixes"], ""), "{query}");
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_is_refused() {
    let b = Bucket::new().await;
    for query in [
        "pageToken=x",
        "matchGlob=%7Ba",
        "maxResults=x",
        "softDeleted=true",
    ] {
        let (status, _) = b
            .ask("GET", &format!("/storage/v1/b/raw/o?{query}"), Value::Null)
            .await;
        assert!(matches!(status, 400 | 501), "{query}");
    }
}

#[tokio::test]
async fn a_batch_answers_each_request() {
    let b = Bucket::new().await;
    b.put("a", "x").await;
    b.put("b", "x").await;
    b.kit.fault(&json!({ "service": "storage", "method": "storage.objects.patch", "count": 1, "kind": { "status": { "status": 503 } } })).await;
    let parts = [
        "DELETE /storage/v1/b/raw/o/a HTTP/1.1\r\n\r\n",
        "DELETE /storage/v1/b/raw/o/none HTTP/1.1\r\n\r\n",
        "PATCH /storage/v1/b/raw/o/b HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
        "PATCH /storage/v1/b/raw/o/b HTTP/1.1\r\n\r\n{\"contentType\":\"x/y\"}",
        "GET /storage/v1/b/raw/o/b?alt=media HTTP/1.1\r\n\r\n",
    ];
    let mut body = String::new();
    for (number, part) in parts.iter().enumerate() {
        body += &format!(
            "--q\r\nContent-Type: application/http\r\nContent-ID: <n+{number}>\r\n\r\n{part}\r\n"
        );
    }
    body += "--q--\r\n";
    let request = b
        .kit
        .client
        .post(format!("{}/batch/storage/v1", b.kit.base));
    let reply = request
        .header("content-type", "multipart/mixed; boundary=q")
        .body(body)
        .send()
        .await
        .expect("a reply");
    assert_eq!(reply.status(), 200);
    let text = reply.text().await.expect("text");
    let statuses: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("HTTP/1.1 "))
        .map(|line| &line[..3])
        .collect();
    assert_eq!(statuses, ["204", "404", "503", "200", "400"], "{text}");
    assert!(
        text.contains("Content-ID: <response-n+3>") && text.contains("x/y"),
        "{text}"
    );
    let (_, journal) = b
        .ask("GET", "/sandbox/journal?method=storage.batch", Value::Null)
        .await;
    assert_eq!(
        journal["entries"][0]["effects"].as_array().map(Vec::len),
        Some(2)
    );
}
