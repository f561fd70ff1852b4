//! Whatever changes something is on record: each route that does is one order to the leader, who writes one line for it, or
//! one line that is written here.

use axum::http::{Method, StatusCode};
use tidemill_core::time::Timestamp;
use tidemill_scheduler::engine::Changed;
use tidemill_store::history::AuditOf;
use tidemill_store::outbox::Next;
use tidemill_store::record::TokenRow;
use tidemill_web::{Role, Route};

use crate::access::path;
use crate::backfills::date;
use crate::kit::{Answer, Kit, at};
use crate::shared::change;

/// What is about oneself needs an account, and is tried in `sign_in.rs` and in the store's `accesses.rs`.
const OWN: [&str; 6] = [
    "/leave",
    "/sign-in",
    "/account/password",
    "/account/sign-out",
    "/account/tokens",
    "/account/tokens/revoke",
];

/// What a route takes.
fn takes(route: &Route, seen: u32) -> String {
    let says = match route.path {
        "/dags" => "pause=true&sure=7+open_dag",
        "/dags/{dag}/backfill" => "from=2025-01-02&to=2025-01-03&active=2",
        "/dags/{dag}/runs/{run}/restart" => "from=load.sales&version=newest&note=again&seen=0",
        "/dags/{dag}/runs/{run}/do/{deed}" => "seen=0&note=why",
        "/dags/{dag}/runs/{run}/tasks/{task}/clear" => "seen=1&note=why",
        "/dags/{dag}/runs/{run}/tasks/{task}/mark" => "seen=1&state=success&note=why",
        "/runs/all/{deed}" => "state=failed&note=why",
        "/pools" => "name=new&slots=2",
        "/pools/{pool}" => "slots=16&seen=7",
        "/workers/{worker}/drain" => "drain=true",
        "/alerts/{alert}/again" => "seen=1",
        "/variables" => "name=new&value=x",
        "/variables/{variable}" => "value=x&seen=3",
        "/variables/{variable}/remove" | "/connections/{connection}/remove" => "seen=3",
        "/connections" => "name=new&kind=http&fn.0=host&fv.0=crm.example",
        "/connections/{connection}" => "seen=3&kind=http",
        "/users" => "name=eve&role=viewer",
        "/users/{user}/change" => return format!("role=operator&display=Kim&seen={seen}"),
        "/users/{user}/disable" => return format!("disabled=true&seen={seen}"),
        "/users/{user}/password" => return format!("seen={seen}"),
        "/users/{user}/grant" => "dags=crm_%2A&role=operator",
        "/users/{user}/ungrant" => "dags=old&role=operator",
        "/tokens/revoke" => "id=id1",
        "/api/v1/dags/{dag}/runs/{run}" => "{\"note\":\"why\"}",
        "/api/v1/dags/{dag}/runs/{run}/mark" => "{\"state\":\"success\",\"note\":\"why\"}",
        "/api/v1/dags/{dag}/runs/{run}/tasks/{task}/mark" => {
            "{\"state\":\"success\",\"note\":\"why\"}"
        }
        "/api/v1/dags/{dag}/runs/{run}/tasks/{task}" => "{\"note\":\"why\"}",
        "/api/v1/dags/{dag}/runs/{run}/tasks/{task}/forget" => "{\"note\":\"why\"}",
        "/api/v1/dags/{dag}/runs/{run}/tasks/{task}/answer" => "{\"choice\":\"approve\"}",
        "/api/v1/dags/{dag}/backfills" => {
            "{\"from\":\"2025-01-01T00:00:00Z\",\"to\":\"2025-01-02T00:00:00Z\"}"
        }
        "/api/v1/dags/{dag}" | "/api/v1/dags/{dag}/backfills/{backfill}" => "{\"paused\":true}",
        "/api/v1/pools/{pool}" if route.method == Method::PUT => "{\"slots\":3}",
        "/api/v1/pools/{pool}" if route.method == Method::PATCH => "{\"paused\":true}",
        "/api/v1/assets/changed" => "{\"asset\":\"gs://a\"}",
        "/api/v1/variables/{variable}" if route.method == Method::PUT => "{\"value\":\"x\"}",
        "/api/v1/connections/{connection}" if route.method == Method::PUT => "{\"kind\":\"http\"}",
        "/api/v1/runs/bulk" => "{\"action\":\"retry\",\"dag\":\"open_dag\"}",
        "/api/v1/commands" => "{\"by\":\"a\",\"command\":{\"cancel_run\":{\"run\":1}}}",
        "/dags/{dag}/runs/{run}/priority" => "priority=5",
        "/api/v1/users" => "{\"name\":\"eve\"}",
        "/api/v1/users/{user}" => "{\"role\":\"operator\"}",
        "/api/v1/users/{user}/grants" => "{\"dags\":\"crm_*\",\"role\":\"operator\"}",
        "/api/v1/workers/{worker}" => "{\"draining\":true}",
        path if path.starts_with("/api/") => "{}",
        _ => "pause=true&seen=7",
    };
    says.to_owned()
}

/// What a page that asks once more has in its form.
fn hidden(page: &str) -> String {
    let fields = page.split("<input type=\"hidden\" name=\"").skip(1);
    let pair = |field: &str| {
        let (name, rest) = field.split_once("\" value=\"")?;
        let value = rest.split('"').next()?;
        (name != "csrf").then(|| {
            let coded =
                percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
            format!("{name}={coded}")
        })
    };
    let mut pairs: Vec<String> = fields.filter_map(pair).collect();
    pairs.dedup();
    let asks_why = page.contains("name=\"note\"");
    if asks_why && !pairs.iter().any(|pair| pair.starts_with("note=")) {
        pairs.push("note=why".to_owned());
    }
    pairs.join("&")
}

/// What the button says that does it.
fn step(page: &str) -> String {
    let value = page.split("name=\"step\" value=\"").nth(1);
    let value = value.and_then(|rest| rest.split('"').next());
    value.map_or_else(String::new, |value| format!("&step={value}"))
}

/// How many things a route does: a DAG that goes on and runs at once was paused and had no run.
fn things(route: &Route) -> usize {
    if route.path == "/dags/{dag}/resume" {
        2
    } else {
        1
    }
}

/// Orders and lines so far.
async fn count(kit: &Kit) -> usize {
    let asked = kit.door.asked.lock().expect("it works").clone();
    let orders = asked.iter().filter(|asked| !asked.dry_run).count();
    let sealed = &kit.door.sealed;
    let set = sealed.variables.lock().expect("it works").len()
        + sealed.connections.lock().expect("it works").len()
        + sealed.revealed.lock().expect("it works").len();
    let lines = kit.store.audits(&AuditOf::All, i64::MAX, 1_000).await;
    let lines = lines.expect("it reads").len();
    orders + set + lines
}

async fn send(kit: &Kit, route: &Route, form: &str) -> Answer {
    let mut at = path(route.path, "open_dag").replace("/tokens/t1", "/tokens/id1");
    if route.method == Method::DELETE && at.ends_with("/grants") {
        at.push_str("?dags=old");
    }
    if route.path.starts_with("/api/") {
        return kit.json("admin", (route.method.clone(), &at), form).await;
    }
    let mut shown = kit.post("admin", &at, form).await;
    // What is asked about on a page of its own is sent from there.
    if shown.status.is_client_error() {
        let page = kit.get("admin", &format!("{at}?{form}")).await;
        let again = hidden(&page.body);
        shown = kit.post("admin", &at, &again).await;
    }
    // A page that only showed what would be done asks once more.
    if shown.status == StatusCode::OK && shown.body.contains("name=\"shown\"") {
        let again = format!("{}{}", hidden(&shown.body), step(&shown.body));
        return kit.post("admin", &at, &again).await;
    }
    shown
}

async fn ready(kit: &Kit) {
    let by = tidemill_store::access::By {
        who: "the test",
        at: at(0),
    };
    let put = kit.store.put_grant("kim", "old", Role::Operator, by).await;
    assert!(put.expect("it writes"));
    let token = TokenRow {
        id: "id1".into(),
        hash: "hash1".into(),
        name: "ci".into(),
        user: "kim".into(),
        role: Role::Viewer,
        dags: Vec::new(),
        created_at: at(0),
        ends_at: None,
        used_at: None,
        revoked: None,
    };
    assert!(kit.store.make_token(&token, by).await.expect("it writes"));
    let now = Timestamp::from_micros(at(10 * 86_400).micros());
    let due = kit.store.outbox_due(now, 10).await.expect("it reads");
    for due in &due {
        let dead = kit.store.outbox_failed(due, "gone", Next::Dead).await;
        assert!(dead.expect("it writes"));
    }
}

#[tokio::test]
async fn each_route_that_changes_something_is_on_record_once() {
    let routes = Kit::new().await.routes;
    let changing = routes
        .iter()
        .filter(|route| route.method != Method::GET && !OWN.contains(&route.path));
    let mut wrong = Vec::new();
    for route in changing {
        let kit = Kit::new().await;
        ready(&kit).await;
        *kit.door.answers.lock().expect("it works") = Changed {
            tasks: vec![change(1, "load.sales")],
            ..Changed::default()
        };
        if route.path.ends_with("/backfill") {
            *kit.door.answers.lock().expect("it works") = Changed {
                dates: vec![date(2, None, None)],
                remarks: vec!["backfill 9".to_owned()],
                ..Changed::default()
            };
        }
        let kim = kit.store.user("kim").await.expect("it reads").expect("kim");
        let before = count(&kit).await;
        let answer = send(&kit, route, &takes(route, kim.edits)).await;
        let now = count(&kit).await;
        if now != before + things(route) || answer.status.as_u16() >= 400 {
            let body: String = answer.body.chars().take(300).collect();
            wrong.push(format!(
                "{} {}: {} lines, {} {body}",
                route.method,
                route.path,
                now - before,
                answer.status
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
