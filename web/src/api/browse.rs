//! The API for people: one page that lists its operations, and its document.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::document::{Document, PROBLEMS, explained};
use super::example;
use crate::dress::kind_of;
use crate::frame::Frame;

/// The document.
pub(crate) async fn document(Extension(document): Extension<Arc<Document>>) -> Response {
    let headers = [
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_TYPE, "application/json"),
    ];
    (headers, document.text()).into_response()
}

/// The order in which areas are told of.
const AREAS: [&str; 10] = [
    "Here",
    "DAGs",
    "Runs",
    "Tasks",
    "Logs",
    "Backfills",
    "Pools and assets",
    "Variables and connections",
    "Alerts",
    "Users and tokens",
];

/// A parameter.
struct Taken {
    name: String,
    place: String,
    about: String,
}

/// An answer that is as wished.
struct Given {
    status: String,
    about: String,
    example: String,
}

/// An operation.
struct Shown {
    id: String,
    method: String,
    path: String,
    says: String,
    more: String,
    needs: String,
    takes: Vec<Taken>,
    body: Option<String>,
    gives: Vec<Given>,
    curl: String,
}

/// Operations about the same.
struct Area {
    name: String,
    id: String,
    operations: Vec<Shown>,
}

/// A kind of problem.
struct Kind {
    id: &'static str,
    status: u16,
    about: &'static str,
}

#[derive(Template)]
#[template(path = "api.html")]
pub(crate) struct ApiPage {
    frame: Frame,
    areas: Vec<Area>,
    kinds: Vec<Kind>,
}

impl IntoResponse for ApiPage {
    fn into_response(self) -> Response {
        match self.render() {
            Ok(page) => axum::response::Html(page).into_response(),
            Err(error) => crate::oops::Oops::from(error).into_response(),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

pub(crate) async fn page(frame: Frame, Extension(document): Extension<Arc<Document>>) -> ApiPage {
    let document = &document.tree();
    let mut areas: Vec<Area> = Vec::new();
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let shown = shown(document, (path, method), operation);
            let tag = text(&operation["tags"][0]);
            match areas.iter_mut().find(|area| area.name == tag) {
                Some(area) => area.operations.push(shown),
                None => areas.push(Area {
                    id: tag.to_lowercase().replace(' ', "-"),
                    name: tag,
                    operations: vec![shown],
                }),
            }
        }
    }
    areas.sort_by_key(|area| AREAS.iter().position(|known| *known == area.name));
    let kinds = PROBLEMS.iter().map(|status| Kind {
        id: kind_of(*status),
        status: status.as_u16(),
        about: explained(*status),
    });
    ApiPage {
        kinds: kinds.collect(),
        areas,
        frame,
    }
}

fn shown(document: &Value, (path, method): (&str, &str), operation: &Value) -> Shown {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let takes = parameters.map(|one| Taken {
        name: text(&one["name"]),
        place: text(&one["in"]),
        about: text(&one["description"]).replace('`', ""),
    });
    let body = operation.pointer("/requestBody/content/application~1json/schema");
    let body = body.map(|schema| example::of(document, schema));
    let answers = operation["responses"].as_object().into_iter().flatten();
    let gives = answers.filter(|(status, _)| status.starts_with('2'));
    let gives = gives.map(|(status, answer)| {
        let schema = answer.pointer("/content/application~1json/schema");
        let example = schema.map(|schema| pretty(&example::of(document, schema)));
        Given {
            status: status.clone(),
            about: text(&answer["description"]),
            example: example.filter(|text| text != "null").unwrap_or_default(),
        }
    });
    let method = method.to_uppercase();
    Shown {
        id: text(&operation["operationId"]),
        says: text(&operation["summary"]),
        more: text(&operation["description"]).replace('`', ""),
        needs: needs(&operation["x-needs"]),
        takes: takes.collect(),
        gives: gives.collect(),
        curl: curl(&method, path, body.as_ref()),
        body: body.as_ref().map(pretty),
        path: path.to_owned(),
        method,
    }
}

fn needs(needs: &Value) -> String {
    match needs["on"].as_str() {
        Some(on) if on.starts_with("the") => format!("{} of {on}", text(&needs["role"])),
        _ => text(&needs["role"]),
    }
}

fn curl(method: &str, path: &str, body: Option<&Value>) -> String {
    let mut line = "curl -H \"Authorization: Bearer $TOKEN\"".to_owned();
    if method != "GET" {
        line.push_str(&format!(" -X {method}"));
    }
    if let Some(body) = body {
        let body = body.to_string().replace('\'', "'\\''");
        line.push_str(&format!(" --json '{body}'"));
    }
    let path = path.replace('{', "$").replace('}', "");
    format!("{line} \"$TIDEMILL{path}\"")
}
