//! BigQuery: load jobs that bring their file.

use reqwest::Response;
use serde_json::{Value, json};

use crate::bigquery::{BASE, dataset};
use crate::bigquery_jobs::done;
use crate::kit::{Kit, json as body};

fn load(id: &str) -> Value {
    json!({
        "jobReference": { "projectId": "p", "jobId": id },
        "configuration": { "load": {
            "sourceFormat": "NEWLINE_DELIMITED_JSON", "autodetect": true,
            "destinationTable": { "projectId": "p", "datasetId": "d", "tableId": "t" },
        } },
    })
}

const UPLOAD: &str = "/upload/bigquery/v2/projects/p/jobs";
const ROWS: &str = "{\"n\": 1}\n{\"n\": 2}\n";

async fn send(kit: &Kit, url: String, range: &str, content: &str) -> Response {
    let request = kit.client.put(url).body(content.to_owned());
    let request = match range {
        "" => request,
        range => request.header("content-range", range),
    };
    request
        .send()
        .await
        .unwrap_or_else(|error| panic!("{error}: {}", kit.base))
}

async fn begun(kit: &Kit, id: &str) -> String {
    let reply = kit
        .post(&format!("{UPLOAD}?uploadType=resumable"), &load(id))
        .await;
    assert_eq!(reply.status(), 200);
    reply.headers()["location"]
        .to_str()
        .expect("it works")
        .to_owned()
}

#[tokio::test]
async fn a_file_comes_in_one_request() {
    let kit = Kit::new().await;
    dataset(&kit, "US").await;
    let text = format!(
        "--x\r\ncontent-type: application/json\r\n\r\n{}\r\n--x\r\ncontent-type: */*\r\n\r\n{ROWS}\r\n--x--\r\n",
        load("one")
    );
    let reply = kit
        .client
        .post(format!("{}{UPLOAD}?uploadType=multipart", kit.base))
        .header("content-type", "multipart/related; boundary=x")
        .body(text)
        .send()
        .await
        .unwrap();
    assert_eq!(reply.status(), 200);
    assert_eq!(body(reply).await["jobReference"]["jobId"], "one");
    let found = done(&kit, "one", "US").await;
    assert_eq!(found["statistics"]["load"]["outputRows"], "2");
    assert_eq!(
        found["statistics"]["load"]["inputFileBytes"],
        ROWS.len().to_string()
    );
}

#[tokio::test]
async fn a_file_comes_in_pieces_and_the_reply_again() {
    let kit = Kit::new().await;
    dataset(&kit, "US").await;
    let url = begun(&kit, "one").await;
    let (first, rest) = ROWS.split_at(5);
    let reply = send(&kit, url.clone(), "bytes 0-4/*", first).await;
    assert_eq!(reply.status(), 308);
    assert_eq!(reply.headers()["range"], "bytes=0-4");
    let reply = send(&kit, url.clone(), "bytes */*", "").await;
    assert_eq!(
        (
            reply.status().as_u16(),
            reply.headers()["range"].to_str().unwrap()
        ),
        (308, "bytes=0-4")
    );
    let range = format!("bytes 5-{}/{}", ROWS.len() - 1, ROWS.len());
    let reply = send(&kit, url.clone(), &range, rest).await;
    assert_eq!(reply.status(), 200);
    let job = body(reply).await;
    let again = body(send(&kit, url, &range, rest).await).await;
    assert_eq!(again["jobReference"], job["jobReference"]);
    let found = done(&kit, "one", "US").await;
    assert_eq!(found["statistics"]["load"]["outputRows"], "2");
}

#[tokio::test]
async fn what_is_no_upload_is_refused() {
    let kit = Kit::new().await;
    dataset(&kit, "US").await;
    let url = begun(&kit, "one").await;
    assert_eq!(
        send(&kit, url.clone(), "bytes 9-12/*", "abcd")
            .await
            .status(),
        400
    );
    assert_eq!(
        send(&kit, url.clone(), "bytes 0-9/10", "abcd")
            .await
            .status(),
        400
    );
    assert_eq!(
        send(&kit, url.replace("upload_id=", "upload_id=x"), "", "a")
            .await
            .status(),
        404
    );
    for path in ["?uploadType=media", "?uploadType=multipart", ""] {
        let reply = kit.post(&format!("{UPLOAD}{path}"), &load("two")).await;
        assert_eq!(reply.status(), 400, "{path}");
    }
    let (status, _) = kit
        .ask("GET", &format!("{BASE}/jobs/one"), Value::Null)
        .await;
    assert_eq!(status, 404);
}
