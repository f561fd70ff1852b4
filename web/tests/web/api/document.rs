//! The document says what there is, and nothing else; what is answered is as it says.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::Value;
use tidemill_web::Policy;

use super::schema::check;
use crate::kit::{Kit, run_path};

/// A path of the document, with something in the place of each name.
pub(super) fn path(route: &str) -> String {
    route
        .replace("/dags/{dag}/runs/{run}", &run_path("open_dag", 1))
        .replace("{dag}", "open_dag")
        .replace("{task}", "load.sales")
        .replace("{backfill}", "1")
        .replace("{load}", "1001.0")
        .replace("{check}", "1001.0")
        .replace("{pool}", "bigquery")
        .replace("{variable}", "region")
        .replace("{connection}", "crm")
        .replace("{worker}", "w1")
        .replace("{token}", "t1")
        .replace("{user}", "kim")
        .replace("{alert}", "1")
}

#[tokio::test]
async fn every_operation_is_in_the_document_with_who_may_and_nothing_else_is() {
    let kit = Kit::new().await;
    let document = kit.look("viewer", "/api/v1/openapi.json").await;
    assert_eq!(document["openapi"], "3.1.0");
    let mut known = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().expect("it works") {
        for method in methods.as_object().expect("it works").keys() {
            known.insert((path.clone(), method.to_uppercase()));
        }
    }
    let api = kit
        .routes
        .iter()
        .filter(|route| route.path.starts_with("/api/"));
    let registered: BTreeSet<(String, String)> = api
        .clone()
        .map(|route| (route.path.to_owned(), route.method.to_string()))
        .collect();
    assert_eq!(known, registered);
    let mut ids = BTreeSet::new();
    for route in api {
        let method = route.method.as_str().to_lowercase();
        let operation = &document["paths"][route.path][&method];
        let (Policy::Signed(action) | Policy::OnDag(action)) = route.policy else {
            panic!("{route:?} is for everybody");
        };
        assert_eq!(
            operation["x-needs"]["role"],
            action.needs().to_string(),
            "{route:?}"
        );
        assert!(
            !operation["summary"].as_str().expect("it works").is_empty(),
            "{route:?}"
        );
        assert!(
            ids.insert(operation["operationId"].to_string()),
            "{route:?}"
        );
        let answers = operation["responses"].as_object().expect("it works");
        for needed in ["401", "403", "404", "422", "503"] {
            assert!(answers.contains_key(needed), "{route:?} {needed}");
        }
        assert!(
            answers.contains_key("200") || answers.contains_key("201"),
            "{route:?}"
        );
        assert!(operation["security"].is_array(), "{route:?}");
        let names = route.path.matches('{').count();
        let parameters = operation["parameters"].as_array().expect("it works");
        let of_path = parameters.iter().filter(|one| one["in"] == "path");
        assert!(
            of_path
                .clone()
                .all(|one| !one["description"].as_str().expect("it works").is_empty()),
            "{route:?}"
        );
        assert_eq!(of_path.count(), names, "{route:?}");
    }
}

#[tokio::test]
async fn every_name_in_the_document_leads_to_a_schema() {
    let kit = Kit::new().await;
    let document = kit.look("viewer", "/api/v1/openapi.json").await;
    fn names(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(name)) = fields.get("$ref") {
                    found.insert(name.clone());
                }
                fields.values().for_each(|value| names(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| names(value, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    names(&document, &mut found);
    assert!(found.len() > 20, "{found:?}");
    for name in found {
        let at = name.strip_prefix('#').expect("it works");
        assert!(document.pointer(at).is_some(), "{name}");
    }
}

/// What is wrong with what an operation says of itself.
fn untold(document: &Value, operation: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for one in operation["parameters"].as_array().into_iter().flatten() {
        if one["description"].as_str().unwrap_or_default().is_empty() || !one["schema"].is_object()
        {
            wrong.push(format!("{} is not explained", one["name"]));
        }
        if one["in"] == "path" && one["example"].as_str().unwrap_or_default().is_empty() {
            wrong.push(format!("{} has no example", one["name"]));
        }
    }
    let answers = operation["responses"].as_object().into_iter().flatten();
    let answers = answers.map(|(_, answer)| &answer["content"]);
    let all = answers.chain([&operation["requestBody"]["content"]]);
    for (kind, content) in all.filter_map(Value::as_object).flatten() {
        let (schema, example) = (&content["schema"], &content["example"]);
        if kind.ends_with("json") {
            wrong.extend(check(document, schema, example));
        }
    }
    wrong
}

#[tokio::test]
async fn parameters_are_explained_and_examples_are_as_their_schemas_say() {
    let kit = Kit::new().await;
    let document = kit.look("viewer", "/api/v1/openapi.json").await;
    for (route, methods) in document["paths"].as_object().expect("it works") {
        for (method, operation) in methods.as_object().expect("it works") {
            let wrong = untold(&document, operation);
            assert_eq!(wrong, Vec::<String>::new(), "{method} {route}");
        }
    }
}

#[tokio::test]
async fn what_is_answered_is_as_the_document_says() {
    let kit = Kit::new().await;
    let document = kit.look("viewer", "/api/v1/openapi.json").await;
    let mut compared = 0;
    for (route, methods) in document["paths"].as_object().expect("it works") {
        for (method, operation) in methods.as_object().expect("it works") {
            let wanted: Method = method.to_uppercase().parse().expect("it works");
            let mut at = path(route);
            if route.ends_with("/search") {
                at.push_str("?text=a");
            }
            let answer = kit.json("admin", (wanted, &at), "{}").await;
            let described = &operation["responses"][answer.status.as_str()];
            assert!(
                !described.is_null(),
                "{method} {route}: {} {}",
                answer.status,
                answer.body
            );
            // Every header of ours is told of; all but `ETag` are there only sometimes.
            for name in ["etag", "link", "location", "retry-after"] {
                let told = described["headers"].as_object().into_iter().flatten();
                let told = told.map(|(name, _)| name.to_lowercase());
                let is_told = told.into_iter().any(|told| told == name);
                let is_there = !answer.header(name).is_empty();
                let sometimes = name != "etag";
                assert!(
                    is_told == is_there || is_told && sometimes,
                    "{method} {route}: {} {name}",
                    answer.status
                );
            }
            let kind = answer
                .header("content-type")
                .split(';')
                .next()
                .expect("it works")
                .to_owned();
            let schema = &described["content"][&kind]["schema"];
            assert!(
                !schema.is_null(),
                "{method} {route}: {} {kind}",
                answer.status
            );
            // The document itself, logs as text and as a stream are no single document of a schema.
            if kind == "text/plain" || kind.ends_with("ndjson") || schema["type"] == "string" {
                continue;
            }
            let wrong = check(&document, schema, &answer.value());
            assert_eq!(
                wrong,
                Vec::<String>::new(),
                "{method} {route}: {}",
                answer.body
            );
            compared += 1;
        }
    }
    assert!(compared > 40, "{compared}");
}

#[tokio::test]
async fn headers_are_told_of_where_they_come_and_go() {
    let kit = Kit::new().await;
    let document = kit.look("viewer", "/api/v1/openapi.json").await;
    let run = &document["paths"]["/api/v1/dags/{dag}/runs/{run}"];
    let runs = &document["paths"]["/api/v1/runs"];
    for (header, at) in [
        ("ETag", &run["get"]["responses"]["200"]),
        ("Link", &runs["get"]["responses"]["200"]),
        ("Retry-After", &run["patch"]["responses"]["429"]),
    ] {
        let named = at["headers"][header]["$ref"].as_str().expect(header);
        let pointer = named.strip_prefix('#').expect("a place");
        let told = document.pointer(pointer).expect("it is there");
        assert!(told["description"].is_string() && told["schema"].is_object());
    }
    // Whatever a change can be refused for was seen in an `ETag`.
    let takes = run["patch"]["parameters"].as_array().expect("some").iter();
    let names: Vec<_> = takes.map(|one| one["name"].clone()).collect();
    assert!(names.contains(&"If-Match".into()), "{names:?}");
    let first = kit.json("admin", (Method::GET, "/api/v1/runs?limit=1"), "");
    assert!(first.await.header("link").ends_with("rel=\"next\""));
}

#[tokio::test]
async fn people_can_browse_it_without_anything_from_elsewhere() {
    let kit = Kit::new().await;
    let page = kit.get("viewer", "/api").await;
    assert_eq!(page.status.as_u16(), 200);
    for part in [
        "<code>/api/v1/dags/{dag}/runs</code>",
        "Trigger a run",
        "Idempotency-Key",
        "operator of the DAG in the path",
        "curl -H",
        "id=\"stale\"",
    ] {
        assert!(page.body.contains(part), "{part}");
    }
    for foreign in ["http://", "style=", "onclick"] {
        assert!(!page.body.contains(foreign), "{foreign}");
    }
}
