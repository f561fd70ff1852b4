//! What somebody who does not see a page, or has no mouse, is told of it: checked over the source of every kind of page.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;

use crate::kit::{Kit, fleet, run_path};

/// Every style sheet that pages have.
const STYLES: [&str; 5] = [
    include_str!("../../assets/monitor.css"),
    include_str!("../../assets/tidemill.css"),
    include_str!("../../assets/task.css"),
    include_str!("../../assets/dag.css"),
    include_str!("../../assets/api.css"),
];

/// A tag: its name, its attributes, and where its text begins.
#[derive(Debug)]
struct Tag {
    name: String,
    attributes: BTreeMap<String, String>,
    end: usize,
}

impl Tag {
    fn has(&self, name: &str) -> bool {
        self.attributes.contains_key(name)
    }

    fn get(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

/// The tags of a page that begin something. Scripts have none.
fn tags(page: &str) -> Vec<Tag> {
    let mut tags = Vec::new();
    let mut at = 0;
    while let Some(found) = page[at..].find('<') {
        let start = at + found + 1;
        let rest = &page[start..];
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            at = start;
            continue;
        }
        let (mut quoted, mut end) = (false, rest.len());
        for (place, c) in rest.char_indices() {
            match c {
                '"' => quoted = !quoted,
                '>' if !quoted => {
                    end = place;
                    break;
                }
                _ => {}
            }
        }
        tags.push(tag(&rest[..end], start + end + 1));
        at = start + end;
    }
    tags
}

fn tag(text: &str, end: usize) -> Tag {
    let (name, mut rest) = text.split_once([' ', '\n']).unwrap_or((text, ""));
    let mut attributes = BTreeMap::new();
    while let Some(word) = rest.split([' ', '=', '\n', '/']).next() {
        let after = &rest[word.len()..];
        let (value, after) = match after.strip_prefix("=\"") {
            Some(value) => value.split_once('"').unwrap_or((value, "")),
            None => ("", after),
        };
        if !word.is_empty() {
            attributes.insert(word.to_owned(), value.to_owned());
        }
        let next = after.trim_start_matches([' ', '\n', '/']);
        // Whatever cannot be read is passed over.
        rest = if next.len() < rest.len() {
            next
        } else {
            next.get(1..).unwrap_or_default()
        };
        if rest.is_empty() {
            break;
        }
    }
    Tag {
        name: name.trim_end_matches('/').to_owned(),
        attributes,
        end,
    }
}

/// The words inside an element, without those of tags.
fn words(page: &str, from: usize, name: &str) -> String {
    let close = format!("</{name}>");
    let inside = page[from..].split(&close).next().unwrap_or_default();
    let mut words = String::new();
    let mut is_tag = false;
    for c in inside.chars() {
        match c {
            '<' => is_tag = true,
            '>' => is_tag = false,
            c if !is_tag => words.push(c),
            _ => {}
        }
    }
    words.trim().to_owned()
}

/// Whether a field lies inside a label.
fn is_wrapped(page: &str, at: usize) -> bool {
    let before = &page[..at];
    let opened = before.rfind("<label").unwrap_or(0);
    before.contains("<label")
        && before
            .rfind("</label>")
            .is_none_or(|closed| closed < opened)
}

fn wrong(page: &str) -> Vec<String> {
    let tags = tags(page);
    let mut wrong = Vec::new();
    let labelled: BTreeSet<&str> = tags
        .iter()
        .filter(|tag| tag.name == "label")
        .map(|tag| tag.get("for"))
        .collect();
    let mut ids = BTreeSet::new();
    for tag in &tags {
        let name = tag.name.as_str();
        let is_named = tag.has("aria-label") || tag.has("aria-labelledby") || tag.has("title");
        if tag.has("id") && !ids.insert(tag.get("id")) {
            wrong.push(format!("two elements with the id {}", tag.get("id")));
        }
        if tag.get("tabindex").parse::<i32>().is_ok_and(|at| at > 0) {
            wrong.push(format!("an order of focus of its own: {tag:?}"));
        }
        let is_field = matches!(name, "input" | "select" | "textarea");
        if is_field && tag.get("type") != "hidden" {
            let by_id = tag.has("id") && labelled.contains(tag.get("id"));
            if !is_named && !by_id && !is_wrapped(page, tag.end) {
                wrong.push(format!("a field without a label: {tag:?}"));
            }
        }
        let is_link = name == "button" || (name == "a" && tag.has("href"));
        let inside = || {
            page[tag.end..]
                .split(&format!("</{name}>"))
                .next()
                .unwrap_or_default()
        };
        if is_link
            && !is_named
            && words(page, tag.end, name).is_empty()
            && !inside().contains("<title>")
        {
            wrong.push(format!("a {name} without words: {tag:?}"));
        }
        if name == "svg" && !tag.has("aria-hidden") && !is_named && !inside().contains("<title>") {
            wrong.push(format!("a drawing without words: {tag:?}"));
        }
        if name == "img" && !tag.has("alt") {
            wrong.push(format!("a picture without words: {tag:?}"));
        }
        if name == "th"
            && words(page, tag.end, "th").is_empty()
            && !is_named
            && !inside().contains("<title>")
        {
            wrong.push(format!("a head of a table without words: {tag:?}"));
        }
    }
    let count = |name: &str| tags.iter().filter(|tag| tag.name == name).count();
    if (count("h1"), count("main")) != (1, 1) {
        wrong.push(format!("{} h1, {} main", count("h1"), count("main")));
    }
    if !tags
        .iter()
        .any(|tag| tag.name == "html" && tag.get("lang") == "en")
    {
        wrong.push("no language".to_owned());
    }
    wrong
}

/// Loads and checks.
const MONITOR: [&str; 4] = [
    "/loads",
    "/checks",
    "/dags/open_dag/loads/1001.0",
    "/dags/open_dag/checks/1001.0",
];

#[tokio::test]
async fn every_page_can_be_read_aloud_and_walked_by_keys() {
    let kit = Kit::new().await;
    *kit.door.fleet.lock().expect("it works") = fleet();
    let (failed, on) = (run_path("open_dag", 1), run_path("open_dag", 3));
    let of_task = format!("{failed}/tasks/load.sales");
    let mut pages: Vec<String> = [
        "/",
        "/dags",
        "/dags?choose=all",
        "/runs",
        "/runs/all/retry?dag=open_dag&state=failed",
        "/search?q=run",
        "/workers",
        "/backfills",
        "/backfills/1",
        "/pools",
        "/pools/bigquery",
        "/alerts",
        "/variables",
        "/variables/region",
        "/connections",
        "/connections/crm",
        "/audit",
        "/users",
        "/settings",
        "/api",
        "/account",
        "/dags/open_dag",
        "/dags/open_dag/graph",
        "/dags/open_dag/runs",
        "/dags/open_dag/calendar",
        "/dags/open_dag/durations",
        "/dags/open_dag/definition",
        "/dags/open_dag/diff",
        "/dags/open_dag/details",
        "/dags/open_dag/audit",
        "/dags/open_dag/trigger",
        "/dags/open_dag/backfill",
        "/nothing",
    ]
    .map(ToOwned::to_owned)
    .to_vec();
    pages.extend(MONITOR.map(ToOwned::to_owned));
    pages.extend(
        ["", "?tab=graph", "?tab=gantt", "?tab=params", "?tab=events"]
            .map(|tab| format!("{failed}{tab}")),
    );
    pages.extend(["/do/retry", "/do/note", "/restart"].map(|deed| format!("{failed}{deed}")));
    pages.extend(["", "/do/cancel", "/priority"].map(|deed| format!("{on}{deed}")));
    pages.extend(["", "/clear", "/mark", "/alike", "?find=x"].map(|sub| format!("{of_task}{sub}")));
    let mut all = Vec::new();
    for page in pages {
        let answer = kit.get("admin", &page).await;
        let is_page = answer.status == StatusCode::OK || page == "/nothing";
        if !is_page {
            // Some of these need users in the store; what they answer is a page all the same.
            assert!(
                answer.status.is_client_error() || answer.status.is_redirection(),
                "{page}: {}",
                answer.status
            );
        }
        if answer.header("content-type").starts_with("text/html") {
            all.extend(
                wrong(&answer.body)
                    .into_iter()
                    .map(|wrong| format!("{page}: {wrong}")),
            );
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn nothing_moves_for_who_asked_for_less_motion() {
    for style in STYLES {
        for (at, _) in style
            .match_indices("animation:")
            .chain(style.match_indices("transition:"))
        {
            let media = style[..at]
                .rfind("@media")
                .map_or("", |from| &style[from..at]);
            let closed = media.matches('}').count() > media.matches('{').count().saturating_sub(1);
            let asked = media.starts_with("@media (prefers-reduced-motion:no-preference)");
            assert!(
                asked && !closed,
                "{}",
                &style[at..(at + 60).min(style.len())]
            );
        }
        let smooth = style.contains("scroll-behavior:smooth");
        assert!(!smooth, "a page that scrolls by itself");
    }
}

#[test]
fn what_is_wrong_with_a_page_is_found() {
    let page = "<html lang=\"en\"><main><h1>x</h1><input name=\"a\"><label>B <input name=\"b\"></label><label for=\"c\">C</label>\
                <select id=\"c\"></select><button><svg aria-hidden=\"true\"></svg></button><a href=\"/x\" title=\"to x\"></a></main>";
    let found = wrong(page);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("without a label") && found[1].contains("button without words"));
}
