//! Whatever is stored comes back as text: no page has an element, an attribute or an address that it would not have with
//! harmless words in the same places, and every answer for programs reads.

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::corpus::texts;
use super::dom::Dom;
use super::stored::{harmless, name, site};
use crate::kit::{Answer, Kit};

/// What a description in Markdown may be made of, beyond the rest.
const MARKDOWN: [&str; 14] = [
    "a href",
    "a rel",
    "a target",
    "blockquote",
    "br",
    "code",
    "em",
    "hr",
    "li",
    "ol",
    "p",
    "strong",
    // A param with a description, in a form.
    "textarea aria-describedby",
    "ul",
];

fn path(route: &str, run: &str) -> String {
    let run = utf8_percent_encode(&name(run), NON_ALPHANUMERIC).to_string();
    route
        .replace("{run}", &run)
        .replace("{dag}", "open_dag")
        .replace("{task}", "load.sales")
        .replace("{backfill}", "1")
        .replace("{load}", "1001.0")
        .replace("{check}", "1001.0")
        .replace("{user}", "kim")
        .replace("{deed}", "clear")
        .replace("{pool}", "bigquery")
        .replace("{variable}", "region")
        .replace("{connection}", "crm")
}

/// The paths of all pages and of all answers for programs: with one run everything, with each run what is about it.
fn paths(kit: &Kit, texts: &[String]) -> Vec<String> {
    let never = [
        "/live",
        "/static/{name}",
        "/enter",
        "/sign-in/away",
        "/sign-in/back",
    ];
    let gets = kit.routes.iter().filter(|route| {
        route.method == Method::GET
            && !never.contains(&route.path)
            && !route.path.ends_with("/follow")
    });
    let mut paths: Vec<String> = gets.map(|route| path(route.path, &texts[0])).collect();
    let more = [
        "tab=params",
        "tab=events",
        "tab=gantt",
        "tab=graph",
        "tab=list",
    ];
    let run = path("/dags/{dag}/runs/{run}", &texts[0]);
    paths.extend(more.map(|tab| format!("{run}?{tab}")));
    for text in texts {
        let query = utf8_percent_encode(text, NON_ALPHANUMERIC);
        paths.push(path("/dags/{dag}/runs/{run}", text));
        paths.push(path("/dags/{dag}/runs/{run}/tasks/{task}", text));
        paths.push(path("/api/v1/dags/{dag}/runs/{run}", text));
        paths.push(format!("/search?q={query}"));
    }
    for text in texts.iter().step_by(4) {
        let query = utf8_percent_encode(text, NON_ALPHANUMERIC);
        paths.push(path("/api/v1/dags/{dag}/runs/{run}/tasks/{task}", text));
        paths.push(format!("/dags?q={query}"));
        paths.push(format!("/find?q={query}"));
        paths.push(format!("/runs?name={query}"));
        paths.push(format!("/audit?who={query}"));
        paths.push(format!("/runs?dag={query}"));
        paths.push(format!("/{query}"));
    }
    paths
}

/// The next page of a list.
fn older(body: &str) -> Option<String> {
    let link = body
        .split("class=\"pages\"><a class=\"btn\" href=\"")
        .nth(1)?;
    let href = link.split('"').next()?;
    Some(href.replace("&#38;", "&").replace("&amp;", "&"))
}

fn is_page(answer: &Answer) -> bool {
    answer.header("content-type").starts_with("text/html")
}

/// Looks at everything, and gives each page to `page`.
async fn look(kit: &Kit, texts: &[String], mut page: impl FnMut(&str, &Answer)) {
    for path in paths(kit, texts) {
        let mut next = Some(path);
        for _ in 0..6 {
            let Some(path) = next.take() else { break };
            let answer = if path.starts_with("/api/v1") {
                kit.json("admin", (Method::GET, &path), "").await
            } else {
                kit.get("admin", &path).await
            };
            assert!(!answer.status.is_server_error(), "{path}: {}", answer.body);
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            for (header, value) in &answer.headers {
                assert!(!value.as_bytes().contains(&b'\n'), "{path}: {header}");
            }
            next = older(&answer.body).filter(|_| is_page(&answer));
            page(&path, &answer);
        }
    }
}

#[tokio::test]
async fn two_hundred_texts_in_every_field_come_back_as_text() {
    let (words, bad) = (harmless(), texts());
    assert_eq!(bad.len(), 200);
    let mut known: BTreeSet<String> = MARKDOWN.iter().map(|&part| part.to_owned()).collect();
    let kit = site(&words, false).await;
    look(&kit, &words, |_, answer| {
        if is_page(answer) {
            known.extend(Dom::of(&answer.body).parts);
        }
    })
    .await;
    let kit = site(&bad, true).await;
    let mut pages = 0;
    look(&kit, &bad, |path, answer| {
        let kind = answer.header("content-type");
        if is_page(answer) {
            pages += 1;
            let dom = Dom::of(&answer.body);
            let new: Vec<&String> = dom.parts.difference(&known).collect();
            assert!(new.is_empty(), "{path} has {new:?}");
            for href in &dom.leads {
                let here = href.starts_with(['/', '#', '?']) && !href.starts_with("//");
                let away = href.starts_with("https://");
                assert!(here || away || href.is_empty(), "{path} leads to {href}");
            }
        } else if kind.contains("json") {
            let read = serde_json::from_str::<serde_json::Value>(&answer.body);
            assert!(read.is_ok(), "{path}: {}", answer.body);
        } else {
            assert!(
                kind.starts_with("text/") || kind.is_empty(),
                "{path} is {kind}"
            );
        }
    })
    .await;
    assert!(pages > 600, "{pages}");
}

#[tokio::test]
async fn programs_get_each_text_back_as_it_was() {
    let bad = texts();
    let kit = site(&bad, true).await;
    let look = async |path: String| {
        let answer = kit.json("admin", (Method::GET, &path), "").await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        answer.value()
    };
    for text in &bad {
        let run = look(path("/api/v1/dags/{dag}/runs/{run}", text)).await;
        assert_eq!(run["name"], name(text));
        assert_eq!(run["note"], text.as_str());
    }
    let audits = look("/api/v1/audit?limit=1000".to_owned()).await;
    let audits = audits["items"].as_array().expect("a list").iter();
    let targets: Vec<&str> = audits.filter_map(|line| line["target"].as_str()).collect();
    for text in &bad {
        assert!(targets.contains(&text.as_str()), "{text}");
    }
}
