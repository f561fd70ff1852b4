//! What pages show of objects, tables, jobs and messages.

use std::sync::Arc;

use serde_json::{Value, json};
use tidemill_sandbox::{ProgramError, ProgramRun};
use tokio::sync::Notify;

use crate::bigquery::{dataset, table};
use crate::dataflow::programs;
use crate::kit::Kit;
use crate::pages::{Browser, HOSTILE, link, read};

/// A sandbox in which everything that can be a text of somebody's is hostile.
pub(crate) async fn hostile() -> Browser {
    let folder = Arc::new(tempfile::tempdir().expect("a folder"));
    let programs = programs(&Arc::new(Notify::new()))
        .with("hostile", |run: ProgramRun| async move {
            run.log(HOSTILE);
            Ok(json!({ HOSTILE: HOSTILE }))
        })
        .with("fails", |_: ProgramRun| async move {
            Err(ProgramError(HOSTILE.into()))
        });
    let kit = Kit::with(folder, programs).await;
    let bucket = json!({ "name": "raw", "versioning": { "enabled": true } });
    kit.good("POST", "/storage/v1/b?project=p", bucket).await;
    dataset(&kit, "US").await;
    table(&kit, "t").await;
    kit.good("PUT", "/v1/projects/p/topics/orders", json!({}))
        .await;
    let topic = json!({ "topic": "projects/p/topics/orders" });
    kit.good("PUT", "/v1/projects/p/subscriptions/orders-1", topic)
        .await;
    Browser::new(kit)
}

async fn upload(kit: &Kit, name: &str, kind: &str, content: impl Into<reqwest::Body>) {
    let path = link(
        "/upload/storage/v1/b/raw/o",
        &[("uploadType", "media"), ("name", name)],
    );
    let request = kit.client.post(format!("{}{path}", kit.base));
    let reply = request.header("content-type", kind).body(content);
    assert_eq!(reply.send().await.expect("a reply").status(), 200, "{name}");
}

pub(crate) fn escaped(page: &str) -> bool {
    page.contains("&#60;img src=x onerror=alert(1)&#62;&#34;&#39;&#38;&#60;/textarea")
}

#[tokio::test]
async fn objects_are_shown_and_are_never_markup() {
    let browser = hostile().await;
    let kit = &browser.kit;
    let csv = format!("id,name\n1,\"{}\"\n", HOSTILE.replace('"', "\"\""));
    let names = [
        HOSTILE,
        "a/b//c.csv",
        "../x",
        "?&#%25 +",
        "ü",
        "dir/",
        "notes.txt",
    ];
    for name in names {
        upload(kit, name, "text/plain", csv.clone()).await;
    }
    upload(kit, "notes.txt", "text/plain", HOSTILE).await;
    upload(
        kit,
        "d.jsonl",
        "text/plain",
        json!({ "x": HOSTILE }).to_string(),
    )
    .await;
    for (name, bytes) in [
        ("bytes", &b"\x00\xff\xfe"[..]),
        ("broken.parquet", b"PAR1\x00\x00\x00\x00PAR1"),
        ("broken.csv", b"\"a\nb,\xff"),
        ("broken.json", b"{\"a\":"),
        ("empty.csv", b""),
        ("packed.csv.gz", b"\x1f\x8b\x08\x00zzzz"),
    ] {
        upload(kit, name, "text/csv", bytes.to_vec()).await;
        browser
            .page("/sandbox/object", &[("bucket", "raw"), ("name", name)])
            .await;
    }
    let list = browser.page("/sandbox/buckets", &[("bucket", "raw")]).await;
    assert!(
        list.contains("&#60;img src=x onerror=alert(1)&#62;"),
        "{list}"
    );
    let folder = [("bucket", "raw"), ("prefix", "a/b/")];
    let folder = browser.page("/sandbox/buckets", &folder).await;
    assert!(
        folder.contains(">a</a>") && folder.contains(">/</a>"),
        "{folder}"
    );
    for name in names {
        let values = [("bucket", "raw"), ("name", name)];
        browser.page("/sandbox/object", &values).await;
        let got = kit.get(&link("/sandbox/download", &values)).await;
        assert_eq!(got.status(), 200, "{name}");
    }
    let csv = [("bucket", "raw"), ("name", "a/b//c.csv")];
    let csv = browser.page("/sandbox/object", &csv).await;
    assert!(csv.contains("The first 1 rows") && escaped(&csv), "{csv}");
    let jsonl = [("bucket", "raw"), ("name", "d.jsonl")];
    assert!(escaped(&browser.page("/sandbox/object", &jsonl).await));
    let notes = [("bucket", "raw"), ("name", "notes.txt")];
    let notes = browser.page("/sandbox/object", &notes).await;
    assert!(escaped(&notes), "{notes}");
    // The older generation is kept, and can be looked at.
    let old = notes.split("&#38;generation=").nth(2).expect("another");
    let old = old.split('"').next().expect("its end");
    let values = [
        ("bucket", "raw"),
        ("name", "notes.txt"),
        ("generation", old),
    ];
    let old = browser.page("/sandbox/object", &values).await;
    assert!(old.contains("id,name"), "{old}");
}

/// Two rows.
async fn days(kit: &Kit) {
    let rows = json!({ "rows": [
        { "json": { "day": "2026-01-30", "name": HOSTILE, "n": 1 } },
        { "json": { "day": "2026-01-31", "name": null, "n": 1_204_512 } },
    ] });
    let insert = "/bigquery/v2/projects/p/datasets/d/tables/t/insertAll";
    kit.good("POST", insert, rows).await;
}

#[tokio::test]
async fn tables_are_shown_and_are_never_markup() {
    let browser = hostile().await;
    let kit = &browser.kit;
    days(kit).await;
    let query = format!("SELECT '''{HOSTILE}''' AS x");
    let view = json!({
        "tableReference": { "tableId": "v" }, "description": HOSTILE, "labels": { "k": "v" },
        "view": { "query": query, "useLegacySql": false },
    });
    kit.good("POST", "/bigquery/v2/projects/p/datasets/d/tables", view)
        .await;
    let all = browser.page("/sandbox/datasets", &[]).await;
    assert!(all.contains("dataset=d"), "{all}");
    let of = [("project", "p"), ("dataset", "d")];
    let list = browser.page("/sandbox/dataset", &of).await;
    assert!(
        list.contains("DAY of day") && list.contains("view"),
        "{list}"
    );
    let t = [of[0], of[1], ("table", "t")];
    let page = browser.page("/sandbox/table", &t).await;
    assert!(escaped(&page), "{page}");
    for words in ["Rows 1 to 2 of 2", "NULL", "20260131", "Clustered by"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let part = [of[0], of[1], ("table", "t"), ("partition", "20260131")];
    let part = browser.page("/sandbox/table", &part).await;
    assert!(part.contains("Rows 1 to 1 of 1"), "{part}");
    let v = [of[0], of[1], ("table", "v")];
    assert!(escaped(&browser.page("/sandbox/table", &v).await));
}

#[tokio::test]
async fn statements_are_jobs_and_are_never_markup() {
    let browser = hostile().await;
    let query = format!("SELECT '''{HOSTILE}''' AS x");
    days(&browser.kit).await;
    // Its rows come in pages.
    let rows =
        "SELECT n, CAST(n AS STRING) AS text FROM UNNEST(GENERATE_ARRAY(1, 120)) AS n ORDER BY n";
    let form = [
        ("project", "p"),
        ("dataset", "d"),
        ("text", rows),
        ("how", "run"),
    ];
    let to = browser.sent("/sandbox/sql", &form).await;
    let done = wait(&browser, &to).await;
    assert!(done.contains("Rows 1 to 50 of 120"), "{done}");
    let last = browser.page(&format!("{to}&from=100"), &[]).await;
    assert!(last.contains("Rows 101 to 120 of 120"), "{last}");
    let jobs = browser
        .page("/sandbox/jobs", &[("service", "bigquery")])
        .await;
    assert!(jobs.contains("GENERATE_ARRAY"), "{jobs}");
    let job = to.replace("/sandbox/sql?", "/sandbox/job?");
    assert!(browser.page(&job, &[]).await.contains("Bytes billed"));
    let journal = browser
        .page("/sandbox/journal", &[("method", "bigquery.jobs.insert")])
        .await;
    assert!(journal.contains("started"), "{journal}");

    let form = [
        ("project", "p"),
        ("dataset", "d"),
        ("text", &query),
        ("how", "run"),
    ];
    let to = browser.sent("/sandbox/sql", &form).await;
    let done = wait(&browser, &to).await;
    assert!(escaped(&done), "{done}");
    let form = [
        ("project", "p"),
        ("text", "SELECT n FROM d.t"),
        ("how", "dry"),
    ];
    let own = [("sec-fetch-site", "same-origin")];
    let (status, dry) = read(browser.send("/sandbox/sql", &form, &own).await).await;
    assert_eq!(status, 200, "{dry}");
    assert!(dry.contains("It would process 16 B"), "{dry}");
    // A script is a job, and ends in what is wrong; one statement is refused before it is one.
    let wrong = format!("SELECT `{HOSTILE}` FROM d.t");
    let script = format!("SELECT 1;\n{wrong}");
    let form = [("project", "p"), ("text", &script), ("how", "run")];
    let to = browser.sent("/sandbox/sql", &form).await;
    let ended = wait(&browser, &to).await;
    assert!(ended.contains("at [2:8]"), "{ended}");
    assert!(!ended.contains("<img"), "{ended}");
    for text in [wrong.as_str(), "SELECT nope FROM d.t", "", "\0", "SELEC"] {
        let form = [("project", "p"), ("text", text), ("how", "run")];
        let (status, page) = read(browser.send("/sandbox/sql", &form, &own).await).await;
        assert!(
            (400..500).contains(&status) || status == 501,
            "{text}: {status}"
        );
        assert!(page.contains("Refused") && !page.contains("<img"), "{page}");
    }
    assert!(browser.page("/sandbox/jobs", &[]).await.contains("nope"));
}

/// The console, when the job has ended.
async fn wait(browser: &Browser, path: &str) -> String {
    for _ in 0..6_000 {
        let page = browser.page(path, &[]).await;
        if !page.contains("Running") && !page.contains("Pending") {
            return page;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{path} did not end within a minute");
}

#[tokio::test]
async fn jobs_of_all_services_are_shown_and_cancelled() {
    let browser = hostile().await;
    let kit = &browser.kit;
    let launch = |name: &str, template: &str| {
        json!({ "launchParameter": { "jobName": name, "containerSpecGcsPath": format!("gs://t/{template}.json"),
            "parameters": { "text": HOSTILE } } })
    };
    let path = "/v1b3/projects/p/locations/eu/flexTemplates:launch";
    let mut ids = Vec::new();
    for (name, template) in [("one", "hostile"), ("two", "fails"), ("three", "slow")] {
        let reply = kit.good("POST", path, launch(name, template)).await;
        ids.push(reply["job"]["id"].as_str().expect("an id").to_owned());
    }
    let state = |id: &str| format!("/v1b3/projects/p/locations/eu/jobs/{id}");
    for id in &ids[..2] {
        let ended = |job: &Value| {
            job["currentState"] == "JOB_STATE_DONE" || job["currentState"] == "JOB_STATE_FAILED"
        };
        kit.until(&state(id), ended).await;
    }
    let key = |id: &str| format!("dataflow/projects/p/locations/eu/jobs/{id}");
    for id in &ids[..2] {
        let page = browser.page("/sandbox/job", &[("key", &key(id))]).await;
        assert!(escaped(&page), "{page}");
    }
    let failed = browser.page("/sandbox/jobs", &[("state", "failed")]).await;
    assert!(failed.contains("two") && escaped(&failed), "{failed}");
    assert!(!failed.contains("three"));
    let overview = browser.page("/sandbox/", &[]).await;
    assert!(
        overview.contains("three") && overview.contains("1 running"),
        "{overview}"
    );

    let slow = key(&ids[2]);
    let to = browser.sent("/sandbox/job", &[("key", &slow)]).await;
    assert!(browser.page(&to, &[]).await.contains("was asked to stop"));
    kit.until(&state(&ids[2]), |job| {
        job["currentState"] == "JOB_STATE_CANCELLED"
    })
    .await;
    let again = browser.sent("/sandbox/job", &[("key", &slow)]).await;
    assert!(
        browser
            .page(&again, &[])
            .await
            .contains("had ended already")
    );
    let journal = [("q", ids[2].as_str()), ("effects", "true")];
    let journal = browser.page("/sandbox/journal", &journal).await;
    assert!(journal.contains("asked to end"), "{journal}");
}

#[tokio::test]
async fn messages_are_published_and_looked_at() {
    let browser = hostile().await;
    let topic = "projects/p/topics/orders";
    for key in ["", "k"] {
        let form = [
            ("name", topic),
            ("data", HOSTILE),
            ("attributes", "kind = order\n\nhtml=<img>"),
            ("key", key),
        ];
        let to = browser.sent("/sandbox/topic", &form).await;
        let page = browser.page(&to, &[]).await;
        assert!(page.contains("The message was published"), "{page}");
    }
    let kit = &browser.kit;
    let pull = "/v1/projects/p/subscriptions/orders-1:pull";
    kit.good("POST", pull, json!({ "maxMessages": 1 })).await;
    let name = ("name", "projects/p/subscriptions/orders-1");
    for _ in 0..2 {
        let page = browser.page("/sandbox/subscription", &[name]).await;
        assert!(escaped(&page), "{page}");
        for words in ["with somebody", "given once", "kind=order", "in order of k"] {
            assert!(page.contains(words), "{words}: {page}");
        }
    }
    let all = browser.page("/sandbox/messages", &[]).await;
    assert!(all.contains("orders-1"), "{all}");
    let own = [("sec-fetch-site", "same-origin")];
    for form in [
        &[("name", "nothing"), ("data", "x")][..],
        &[("name", "projects/p/topics/none"), ("data", "x")],
        &[("name", topic), ("attributes", "no pair")],
        &[("name", topic)],
    ] {
        let reply = browser.send("/sandbox/topic", form, &own).await;
        assert!(
            reply.status().is_client_error(),
            "{form:?}: {}",
            reply.status()
        );
    }
}

#[tokio::test]
async fn received_alerts_are_read_as_people_would() {
    let browser = hostile().await;
    let kit = &browser.kit;
    kit.post("/services/T0/B0/x", &json!({ "text": HOSTILE }))
        .await;
    kit.post("/hooks/x%3Cimg%3E", &json!({ "other": HOSTILE }))
        .await;
    let page = browser.page("/sandbox/received", &[]).await;
    assert!(escaped(&page), "{page}");
    assert!(page.contains("It has no text of its own"), "{page}");
    let slack = browser
        .page("/sandbox/received", &[("channel", "slack")])
        .await;
    assert!(escaped(&slack) && !slack.contains("It has no text of its own"));
    let none = browser
        .page("/sandbox/received", &[("channel", HOSTILE)])
        .await;
    assert!(none.contains("All 2 messages"), "{none}");
}
