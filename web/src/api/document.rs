//! The document of the API: OpenAPI 3.1, made of the operations that are registered and the types that they take and give.

use axum::body::Bytes;
use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use utoipa::PartialSchema as _;
use utoipa::ToSchema as _;

use super::example;
use super::operation::{HEADERS, Operation};
use super::views::ProblemView;
use crate::access::Policy;
use crate::dress::kind_of;
use tidemill_access::Action;

/// The document, made once, and kept as it is sent: as a tree it weighs ten times as much.
#[derive(Debug)]
pub(crate) struct Document(Bytes);

const ABOUT: &str = "Everything that pages and the command line can do. Send `Authorization: Bearer` with an API token.\n\n\
    Lists are read page by page: `next` of a page is the `cursor` of the one after it, and the `Link` header has its address. \
    What the scheduler changes takes `dry_run=true`, which says exactly what would be changed, and `If-Match` with the `ETag` that \
    was seen. Making a run takes an `Idempotency-Key`; nothing else does, and says so. Whatever goes wrong is a problem as in RFC 9457.";

/// What names in paths mean.
const NAMES: [(&str, &str, &str); 13] = [
    ("dag", "The name of the DAG.", "crm_daily"),
    (
        "run",
        "The name of the run within its DAG; also its number, or `latest` for the run that covers the newest time.",
        "latest",
    ),
    (
        "task",
        "The name of the task, with its groups: `load.sales`.",
        "load.sales",
    ),
    ("backfill", "The number of the backfill.", "7"),
    ("pool", "The name of the pool.", "bigquery"),
    ("variable", "The name of the variable.", "region"),
    ("connection", "The name of the connection.", "crm"),
    ("worker", "The name of the worker.", "worker-1"),
    (
        "load",
        "Which load: the number of its attempt, a dot, and which of its loads it is.",
        "1001.0",
    ),
    (
        "check",
        "Which result of a check: the number of its attempt, a dot, and which of its checks it is.",
        "1001.0",
    ),
    ("alert", "The number of the alert.", "12"),
    ("user", "The name of the user.", "ann"),
    (
        "token",
        "The number of the token; not the token itself.",
        "k3v9",
    ),
];

impl Document {
    /// Of these operations.
    pub(crate) fn of(operations: &[Operation]) -> Self {
        let (mut paths, mut schemas) = (Map::new(), Map::new());
        let mut problem = vec![(ProblemView::name().into_owned(), ProblemView::schema())];
        ProblemView::schemas(&mut problem);
        let all = operations.iter().flat_map(|one| one.schemas.clone());
        for (name, schema) in all.chain(problem) {
            schemas.insert(name, serde_json::to_value(schema).unwrap_or_default());
        }
        for operation in operations {
            let path = paths.entry(operation.path).or_insert_with(|| json!({}));
            path[operation.verb()] = described(operation);
        }
        let mut document = json!({
            "openapi": "3.1.0",
            "info": {"title": "Tidemill", "version": "1", "description": ABOUT},
            "security": [{"token": []}, {"session": []}],
            "paths": paths,
            "components": {
                "schemas": schemas,
                "headers": all_headers(),
                "securitySchemes": {
                    "token": {"type": "http", "scheme": "bearer", "description": "An API token: `tokens create` makes one."},
                    "session": {"type": "apiKey", "in": "cookie", "name": "tidemill",
                        "description": "The session of a browser. What changes something also needs the header `x-csrf`."},
                },
            },
        });
        let examples = examples_of(&document);
        for (at, value) in examples {
            if let Some(content) = document.pointer_mut(&at) {
                content["example"] = value;
            }
        }
        Self::from(document)
    }
}

impl From<Value> for Document {
    fn from(tree: Value) -> Self {
        Self(tree.to_string().into())
    }
}

impl Document {
    /// As it is sent.
    pub(crate) fn text(&self) -> Bytes {
        self.0.clone()
    }

    /// To look things up in.
    pub(crate) fn tree(&self) -> Value {
        serde_json::from_slice(&self.0).unwrap_or_default()
    }
}

/// An example of each JSON that is sent or answered, and where in the document it belongs.
fn examples_of(document: &Value) -> Vec<(String, Value)> {
    fn look(document: &Value, value: &Value, at: &str, found: &mut Vec<(String, Value)>) {
        let Some(fields) = value.as_object() else {
            return;
        };
        for (name, value) in fields {
            let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
            match value.get("schema") {
                Some(schema) if name.ends_with("json") => {
                    found.push((at, example::of(document, schema)));
                }
                _ => look(document, value, &at, found),
            }
        }
    }
    let mut found = Vec::new();
    look(document, &document["paths"], "/paths", &mut found);
    found
}

fn described(operation: &Operation) -> Value {
    let names = operation.path.split('/');
    let names = names.filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = names
        .map(|name| {
            let about = NAMES.iter().find(|(known, ..)| *known == name);
            let (about, example) = about.map_or(("", ""), |(_, about, example)| (*about, *example));
            json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}, "description": about, "example": example})
        })
        .collect();
    let query = operation.query.iter();
    parameters.extend(query.filter_map(|one| serde_json::to_value(one).ok()));
    parameters.extend(operation.headers.iter().map(|(name, about)| {
        json!({"name": name, "in": "header", "required": false, "schema": {"type": "string"}, "description": about})
    }));
    let mut described = json!({
        "tags": [operation.tag],
        "summary": operation.says,
        "operationId": id(operation),
        "parameters": parameters,
        "responses": responses(operation),
        "security": [{"token": []}, {"session": []}],
        "x-needs": needs(operation.policy),
    });
    if !operation.more.is_empty() {
        described["description"] = operation.more.into();
    }
    if let Some(schema) = &operation.body {
        described["requestBody"] =
            json!({"required": false, "content": {"application/json": {"schema": schema}}});
    }
    described
}

/// A name by which generated clients call it: `post_dags_dag_runs`.
fn id(operation: &Operation) -> String {
    let path = operation.path.trim_start_matches("/api/v1/");
    let words: String = path
        .chars()
        .filter(|c| !matches!(c, '{' | '}'))
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    format!("{}_{words}", operation.verb())
}

/// Who may use a route with this policy.
pub(crate) fn needs(policy: Policy) -> Value {
    let (of, action) = match policy {
        Policy::Public => return json!({"role": "nobody in particular"}),
        Policy::Signed(action) => ("anything", action),
        Policy::OnDag(action) => ("the DAG in the path", action),
    };
    let word = match action {
        Action::See => "see",
        Action::Own => "own",
        Action::Operate => "operate",
        Action::Share => "share",
        Action::Deploy => "deploy",
        Action::Secrets => "secrets",
        Action::Audit => "audit",
        Action::Access => "access",
        Action::Settings => "settings",
    };
    json!({"role": action.needs().to_string(), "action": word, "on": of})
}

fn responses(operation: &Operation) -> Map<String, Value> {
    let mut responses = Map::new();
    for answer in &operation.answers {
        let mut described = json!({"description": answer.says});
        if let Some((media, schema)) = &answer.body {
            described["content"] = json!({*media: {"schema": schema}});
        }
        if !answer.headers.is_empty() {
            described["headers"] = headers(&answer.headers);
        }
        responses.insert(answer.status.to_string(), described);
    }
    let changes = operation.verb() != "get";
    let mut wrong = vec![401, 403, 404, 422, 503];
    if changes {
        wrong.extend([408, 409, 412, 413, 504]);
    }
    if operation.body.is_some() {
        wrong.extend([400, 415]);
    }
    wrong.sort_unstable();
    for status in wrong {
        responses.insert(status.to_string(), problem(status));
    }
    if changes {
        let mut paced = problem(StatusCode::TOO_MANY_REQUESTS.as_u16());
        paced["headers"] = headers(&["Retry-After"]);
        responses.insert("429".to_owned(), paced);
    }
    responses
}

/// These headers, by reference.
fn headers(names: &[&str]) -> Value {
    let named = names.iter().map(|name| {
        let at = format!("#/components/headers/{name}");
        ((*name).to_owned(), json!({"$ref": at}))
    });
    Value::Object(named.collect())
}

/// What the headers of answers are.
fn all_headers() -> Value {
    let header = |(name, about, example): &(&str, &str, &str)| {
        let described =
            json!({"description": about, "schema": {"type": "string"}, "example": example});
        ((*name).to_owned(), described)
    };
    Value::Object(HEADERS.iter().map(header).collect())
}

fn problem(status: u16) -> Value {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    json!({
        "description": explained(status),
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemView"}}},
    })
}

/// Each kind of problem there is: its status and its kind.
pub(crate) const PROBLEMS: [StatusCode; 15] = [
    StatusCode::BAD_REQUEST,
    StatusCode::UNAUTHORIZED,
    StatusCode::FORBIDDEN,
    StatusCode::NOT_FOUND,
    StatusCode::METHOD_NOT_ALLOWED,
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::CONFLICT,
    StatusCode::PRECONDITION_FAILED,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    StatusCode::UNPROCESSABLE_ENTITY,
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];

/// What a kind of problem means, and what to do.
pub(crate) fn explained(status: StatusCode) -> &'static str {
    match kind_of(status) {
        "malformed" => "The body is not JSON; `line` and `column` say where it stops being.",
        "sign-in" => "There is no token or session, or it has ended.",
        "forbidden" => "You may look at it, but not do this.",
        "not-found" => "There is no such thing, or you may not know of it.",
        "method" => "The address does not take this method; `Allow` says which it takes.",
        "slow" => "The body took too long to arrive. Send it again.",
        "conflict" => "It cannot be done as things stand: somebody was faster.",
        "stale" => {
            "It was changed since you looked; `detail` says by whom. Look again, then decide anew."
        }
        "too-large" => "The body has more than 256 KiB.",
        "media-type" => "A body is sent as `application/json`.",
        "invalid" => "Something makes no sense; `errors` says which field, where it is about one.",
        "too-fast" => {
            "You change more than fifty things a second; `Retry-After` says when to go on."
        }
        "away" => "The scheduler or the database does not answer. Nothing was changed; try again.",
        "open" => "Nobody knows whether it was done. Look before you send it again.",
        _ => "Something went wrong on our side. The log of the web process says what.",
    }
}
