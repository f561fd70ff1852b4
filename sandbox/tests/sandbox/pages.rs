//! The pages, as a browser asks for them.

use reqwest::{Client, Response, redirect::Policy};
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use crate::kit::Kit;
use crate::pages_shown::{escaped, hostile};

/// What nobody may read as markup.
pub(crate) const HOSTILE: &str = "<img src=x onerror=alert(1)>\"'&</textarea></pre>";

/// A browser that looks at a sandbox.
pub(crate) struct Browser {
    pub(crate) kit: Kit,
    client: Client,
}

/// An address with values in it.
pub(crate) fn link(path: &str, values: &[(&str, &str)]) -> String {
    let query = Serializer::new(String::new()).extend_pairs(values).finish();
    format!("{path}?{query}")
}

impl Browser {
    pub(crate) fn new(kit: Kit) -> Self {
        let client = Client::builder().redirect(Policy::none());
        let client = client.build().expect("it works");
        Self { kit, client }
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let reply = self
            .client
            .get(format!("{}{path}", self.kit.base))
            .header("accept", "text/html,*/*");
        read(reply.send().await.expect("a reply")).await
    }

    /// A page that is there.
    pub(crate) async fn page(&self, path: &str, values: &[(&str, &str)]) -> String {
        let path = if values.is_empty() {
            path.to_owned()
        } else {
            link(path, values)
        };
        let (status, page) = self.get(&path).await;
        assert_eq!(status, 200, "{path}: {page}");
        assert!(!page.contains("<img"), "{path}: {page}");
        page
    }

    /// Sends a form with these headers.
    pub(crate) async fn send(
        &self,
        path: &str,
        values: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Response {
        let body = Serializer::new(String::new()).extend_pairs(values).finish();
        self.send_text(path, body, headers).await
    }

    /// The same with a form that is written already.
    pub(crate) async fn send_text(
        &self,
        path: &str,
        body: String,
        headers: &[(&str, &str)],
    ) -> Response {
        let mut request = self.client.post(format!("{}{path}", self.kit.base));
        request = request.header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(body).send().await.expect("a reply")
    }

    /// Sends a form from one of the pages, and gives where it leads.
    pub(crate) async fn sent(&self, path: &str, values: &[(&str, &str)]) -> String {
        let own = [("sec-fetch-site", "same-origin")];
        let reply = self.send(path, values, &own).await;
        let status = reply.status();
        let to = reply.headers().get("location").cloned();
        let to = to.unwrap_or_else(|| panic!("{path} was answered with {status}"));
        assert_eq!(status, 303);
        to.to_str().expect("text").to_owned()
    }
}

pub(crate) async fn read(reply: Response) -> (u16, String) {
    let status = reply.status().as_u16();
    (status, reply.text().await.expect("text"))
}

/// Pages that need no name of anything.
const PLAIN: [&str; 9] = [
    "/sandbox/",
    "/sandbox/buckets",
    "/sandbox/datasets",
    "/sandbox/sql",
    "/sandbox/jobs",
    "/sandbox/messages",
    "/sandbox/received",
    "/sandbox/faults",
    "/sandbox/journal",
];

#[tokio::test]
async fn empty_pages_say_what_to_do() {
    let browser = Browser::new(Kit::new().await);
    for (path, says) in [
        (PLAIN[0], "Nobody asked for anything since"),
        (PLAIN[1], "There is no bucket. A client makes one"),
        (PLAIN[2], "There is no dataset. A client makes one"),
        (PLAIN[3], "Write a statement above"),
        (PLAIN[4], "There was no job yet"),
        (PLAIN[5], "There is no topic. A client makes one"),
        (PLAIN[6], "Nothing came yet"),
        (PLAIN[7], "No fault is set"),
        (PLAIN[8], "Nobody asked for anything yet"),
    ] {
        let page = browser.page(path, &[]).await;
        assert!(page.contains(says), "{path}: {page}");
        assert!(page.contains("aria-current=\"page\""), "{path}");
    }
}

#[tokio::test]
async fn programs_get_json_where_people_get_pages() {
    let browser = Browser::new(Kit::new().await);
    // Pages are no requests to services.
    for path in PLAIN {
        browser.page(path, &[]).await;
    }
    let journal = browser
        .kit
        .good("GET", "/sandbox/journal", Value::Null)
        .await;
    assert_eq!(journal["entries"], json!([]));
    for path in ["/sandbox/faults", "/sandbox/journal", "/sandbox/received"] {
        let reply = browser.kit.get(path).await;
        assert!(
            reply.headers()["content-type"]
                .to_str()
                .unwrap()
                .contains("json")
        );
    }
    assert_eq!(browser.kit.get("/").await.status(), 404);
    let reply = browser
        .client
        .get(&browser.kit.base)
        .header("accept", "text/html")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (reply.status().as_u16(), &reply.headers()["location"]),
        (303, &"/sandbox/".parse().unwrap())
    );
}

#[tokio::test]
async fn what_is_not_there_is_a_page_that_says_so() {
    let browser = Browser::new(Kit::new().await);
    for path in [
        "/sandbox/nothing",
        "/sandbox/static/nothing.css",
        "/sandbox/buckets?bucket=none",
        "/sandbox/object",
        "/sandbox/object?bucket=none&name=a",
        "/sandbox/download?bucket=none&name=a",
        "/sandbox/dataset?project=p&dataset=none",
        "/sandbox/table?project=p&dataset=none&table=t",
        "/sandbox/table",
        "/sandbox/job?key=none",
        "/sandbox/job",
        "/sandbox/job?project=p&job=none",
        "/sandbox/sql?project=p&job=none",
        "/sandbox/topic?name=none",
        "/sandbox/subscription?name=none",
    ] {
        let (status, page) = browser.get(path).await;
        assert_eq!(status, 404, "{path}: {page}");
        assert!(page.contains("Not here"), "{path}: {page}");
        assert!(page.contains("<nav"), "{path}");
    }
}

#[tokio::test]
async fn pages_let_nothing_in_that_is_not_theirs() {
    let browser = Browser::new(Kit::new().await);
    for path in PLAIN.iter().chain(&["/sandbox/nothing"]) {
        let reply = browser
            .client
            .get(format!("{}{path}", browser.kit.base))
            .header("accept", "text/html")
            .send()
            .await
            .unwrap();
        let header = |name: &str| reply.headers()[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("x-frame-options"), "DENY");
        let page = reply.text().await.unwrap();
        for inline in [" style=", "<style", " onclick", "<script>", "javascript:"] {
            assert!(!page.contains(inline), "{path}: {inline}");
        }
        for asset in page.split("/sandbox/static/").skip(1) {
            let name = asset.split('"').next().unwrap();
            let got = browser.kit.get(&format!("/sandbox/static/{name}")).await;
            assert_eq!(got.status(), 200, "{name}");
        }
    }
    // An object that is a page cannot run scripts where the sandbox's pages are.
    let kit = &browser.kit;
    kit.good("POST", "/storage/v1/b?project=p", json!({ "name": "raw" }))
        .await;
    let evil = "/upload/storage/v1/b/raw/o?uploadType=media&name=evil.html";
    kit.client
        .post(format!("{}{evil}", kit.base))
        .header("content-type", "text/html")
        .body("<script>alert(1)</script>")
        .send()
        .await
        .unwrap();
    let served = kit.get("/storage/v1/b/raw/o/evil.html?alt=media").await;
    assert_eq!(served.headers()["content-type"], "text/html");
    assert_eq!(served.headers()["content-security-policy"], "sandbox");
    let kept = kit.get("/sandbox/download?bucket=raw&name=evil.html").await;
    assert_eq!(kept.headers()["content-type"], "application/octet-stream");
    assert_eq!(
        kept.headers()["content-disposition"],
        "attachment; filename*=UTF-8''evil%2Ehtml"
    );
    assert_eq!(kept.text().await.unwrap(), "<script>alert(1)</script>");
}

#[tokio::test]
async fn forms_of_other_pages_change_nothing() {
    let browser = Browser::new(Kit::new().await);
    let fault = [("what", "storage"), ("kind", "quota")];
    let origin = browser.kit.base.clone();
    let port = origin.rsplit(':').next().unwrap();
    let local = format!("http://localhost:{port}");
    for headers in [
        &[][..],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("origin", "http://evil.example")],
        &[("origin", "null")],
        // This machine under another name is another origin.
        &[("origin", local.as_str())],
        &[
            ("sec-fetch-site", "same-origin"),
            ("origin", "http://evil.example"),
        ],
        &[("sec-fetch-site", "same-origin"), ("host", "evil.example")],
    ] {
        for path in [
            "/sandbox/faults/add",
            "/sandbox/faults/remove",
            "/sandbox/sql",
            "/sandbox/job",
            "/sandbox/topic",
        ] {
            let reply = browser.send(path, &fault, headers).await;
            assert_eq!(reply.status(), 403, "{path} {headers:?}");
        }
    }
    let faults = browser
        .kit
        .good("GET", "/sandbox/faults", Value::Null)
        .await;
    assert_eq!(faults["faults"], json!([]));
    let journal = browser
        .kit
        .good("GET", "/sandbox/journal", Value::Null)
        .await;
    assert_eq!(journal["entries"], json!([]));
    for headers in [
        [("sec-fetch-site", "same-origin")],
        [("origin", origin.as_str())],
    ] {
        let reply = browser.send("/sandbox/faults/add", &fault, &headers).await;
        assert_eq!(reply.status(), 303, "{headers:?}");
    }
    // A name of somebody else's that leads here is not shown anything.
    let foreign = browser
        .client
        .get(format!("{origin}/sandbox/"))
        .header("host", "evil.example")
        .send()
        .await
        .unwrap();
    assert_eq!(foreign.status(), 403);
    let own = browser
        .client
        .get(format!("{origin}/sandbox/"))
        .header("host", "localhost")
        .send()
        .await
        .unwrap();
    assert_eq!(own.status(), 200);
}

#[tokio::test]
async fn faults_are_set_and_taken_away() {
    let browser = Browser::new(Kit::new().await);
    let kit = &browser.kit;
    let form = [
        ("what", "storage storage.buckets.list"),
        ("kind", "status"),
        ("status", "429"),
        ("retry_after", "7"),
        ("count", "1"),
        ("after", "1"),
    ];
    browser.sent("/sandbox/faults/add", &form).await;
    let list = "/storage/v1/b?project=p";
    // What a page reads uses nothing up.
    browser.page("/sandbox/", &[]).await;
    browser.page("/sandbox/buckets", &[]).await;
    assert_eq!(kit.get(list).await.status(), 200);
    let reply = kit.get(list).await;
    assert_eq!(
        (reply.status().as_u16(), &reply.headers()["retry-after"]),
        (429, &"7".parse().unwrap())
    );
    let fault = [("fault", "true")];
    let journal = browser.page("/sandbox/journal", &fault).await;
    assert!(
        journal.contains("429") && journal.contains("/storage/v1/b"),
        "{journal}"
    );
}

#[tokio::test]
async fn every_kind_of_fault_is_set_and_taken_away() {
    let browser = Browser::new(Kit::new().await);
    let kit = &browser.kit;
    for kind in [
        "latency",
        "lost_before",
        "lost_after",
        "truncated",
        "html",
        "expired_token",
        "forbidden",
        "quota",
        "job_fails",
        "job_stuck",
        "job_vanishes",
    ] {
        let form = [
            ("what", "dataproc"),
            ("kind", kind),
            ("permission", HOSTILE),
            ("message", HOSTILE),
        ];
        let to = browser.sent("/sandbox/faults/add", &form).await;
        assert!(browser.page(&to, &[]).await.contains("The fault is set"));
    }
    let page = browser.page("/sandbox/faults", &[]).await;
    assert!(escaped(&page) && page.contains("every request"), "{page}");
    assert!(escaped(&browser.page("/sandbox/", &[]).await));
    let own = [("sec-fetch-site", "same-origin")];
    for form in [
        &[][..],
        &[("what", "nothing"), ("kind", "quota")],
        &[("what", "storage nothing"), ("kind", "quota")],
        &[("what", "storage"), ("kind", "explodes")],
        &[("what", "storage"), ("kind", "status"), ("status", "200")],
        &[("what", "storage"), ("kind", "quota"), ("count", "-1")],
        &[("what", "storage"), ("kind", "quota"), ("count", "0")],
    ] {
        let reply = browser.send("/sandbox/faults/add", form, &own).await;
        assert_eq!(reply.status(), 400, "{form:?}");
    }
    let all = kit.good("GET", "/sandbox/faults", Value::Null).await;
    let all = all["faults"].as_array().expect("a list").clone();
    assert_eq!(all.len(), 11);
    let id = all[0]["id"].to_string();
    browser.sent("/sandbox/faults/remove", &[("id", &id)]).await;
    browser
        .sent("/sandbox/faults/remove", &[("id", "all")])
        .await;
    let page = browser.page("/sandbox/faults", &[]).await;
    assert!(page.contains("No fault is set"), "{page}");
}

#[tokio::test]
async fn the_journal_is_narrowed_and_comes_in_pages() {
    let browser = hostile().await;
    let kit = &browser.kit;
    for number in 0..130 {
        kit.get(&format!("/crm/v1/tickets?date=x{number}<img>"))
            .await;
    }
    let crm = browser
        .page("/sandbox/journal", &[("service", "crm")])
        .await;
    assert!(
        crm.contains("x129") && !crm.contains("x29%") && !crm.contains("GET /storage"),
        "{crm}"
    );
    let older = crm.split("before=").nth(1).expect("more");
    let older = older.split(['"', '&']).next().expect("its end");
    let older = browser
        .page("/sandbox/journal", &[("service", "crm"), ("before", older)])
        .await;
    assert!(
        older.contains("x29") && older.contains("x0%") && !older.contains("x30%"),
        "{older}"
    );
    let method = browser
        .page("/sandbox/journal", &[("method", "storage.buckets.*")])
        .await;
    assert!(
        method.contains("bucket raw") || method.contains("raw"),
        "{method}"
    );
    let none = browser.page("/sandbox/journal", &[("q", HOSTILE)]).await;
    assert!(
        none.contains("No request is like this") && escaped(&none),
        "{none}"
    );
}
