//! An operation of the API, as it is registered and as the document tells of it: both are one thing.

use axum::http::Method;
use serde_json::{Map, Value, json};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{Ref, RefOr};
use utoipa::{IntoParams, ToSchema};

use super::views::{ChangedView, Items};
use crate::access::Policy;

/// Schemas by their names.
type Schemas = Vec<(String, RefOr<Schema>)>;

/// An answer that is as wished.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) says: &'static str,
    /// Its media type and its schema.
    pub(crate) body: Option<(&'static str, Value)>,
    /// The headers that it has, by their names among [`HEADERS`].
    pub(crate) headers: Vec<&'static str>,
}

/// An operation.
#[derive(Clone)]
pub(crate) struct Operation {
    verb: &'static str,
    pub(crate) path: &'static str,
    pub(crate) policy: Policy,
    /// What it is about: a heading of the page.
    pub(crate) tag: &'static str,
    pub(crate) says: &'static str,
    pub(crate) more: &'static str,
    pub(crate) query: Vec<Parameter>,
    /// The names of headers that it reads.
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) body: Option<Value>,
    pub(crate) answers: Vec<Answer>,
    pub(crate) schemas: Schemas,
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operation")
            .field("verb", &self.verb)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// The header with which a change says what its author saw.
pub(crate) const IF_MATCH: (&str, &str) = (
    "If-Match",
    "The `ETag` that you saw. If it was changed since, nothing is done, and you are told who changed what.",
);

/// The header with which a request may be sent again.
pub(crate) const KEY: (&str, &str) = (
    "Idempotency-Key",
    "Any text of up to 255 characters. The same request with the same key is carried out once, however often it is sent.",
);

/// The headers of answers: the name, what it is, an example.
pub(crate) const HEADERS: [(&str, &str, &str); 4] = [
    (
        "ETag",
        "How often people changed it: send it as `If-Match` with a change, and nothing is done if somebody else was faster.",
        "\"7\"",
    ),
    (
        "Link",
        "The address of the next page, with `rel=\"next\"`; not there on the last one.",
        "</api/v1/runs?cursor=cnVucw>; rel=\"next\"",
    ),
    (
        "Location",
        "The address of what was made.",
        "/api/v1/dags/crm_daily/runs/manual__1",
    ),
    ("Retry-After", "After how many seconds to go on.", "1"),
];

const JSON: &str = "application/json";

impl Operation {
    /// An operation that is registered with this method.
    pub(crate) const fn new(verb: &'static str, path: &'static str, policy: Policy) -> Self {
        Self {
            verb,
            path,
            policy,
            tag: "",
            says: "",
            more: "",
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            answers: Vec::new(),
            schemas: Vec::new(),
        }
    }

    /// Its method.
    pub(crate) fn method(&self) -> Method {
        Method::from_bytes(self.verb.to_uppercase().as_bytes()).unwrap_or(Method::GET)
    }

    /// Whether it can be sent again with the same key.
    pub(crate) fn takes_key(&self) -> bool {
        self.headers.iter().any(|(name, _)| *name == KEY.0)
    }

    /// As the document has it.
    pub(crate) const fn verb(&self) -> &'static str {
        self.verb
    }

    /// What it is about, and what it does.
    pub(crate) const fn says(mut self, tag: &'static str, says: &'static str) -> Self {
        self.tag = tag;
        self.says = says;
        self
    }

    /// What else there is to know.
    pub(crate) const fn more(mut self, more: &'static str) -> Self {
        self.more = more;
        self
    }

    /// The query that it takes.
    pub(crate) fn query<Q: IntoParams>(mut self) -> Self {
        self.query
            .extend(Q::into_params(|| Some(ParameterIn::Query)));
        self
    }

    /// The body that it takes.
    pub(crate) fn takes<B: ToSchema>(mut self) -> Self {
        self.body = Some(self.named::<B>());
        self
    }

    /// Its answer.
    pub(crate) fn gives<T: ToSchema>(self) -> Self {
        self.answers_with::<T>(200, "As it is now.")
    }

    /// Its answer, a page of these.
    pub(crate) fn lists<T: ToSchema>(mut self) -> Self {
        // A type tells of those within it, but not of its parameter.
        self.named::<T>();
        self.answers_with::<Items<T>>(200, "A page of them.")
            .with("Link")
    }

    /// One of its answers.
    pub(crate) fn answers_with<T: ToSchema>(mut self, status: u16, says: &'static str) -> Self {
        let schema = self.named::<T>();
        self.answers.push(Answer {
            status,
            says,
            body: Some((JSON, schema)),
            headers: Vec::new(),
        });
        self
    }

    /// Its answer, which is no single JSON document.
    pub(crate) fn streams(mut self, media: &'static str, says: &'static str) -> Self {
        self.answers.push(Answer {
            status: 200,
            says,
            body: Some((media, json!({"type": "string"}))),
            headers: Vec::new(),
        });
        self
    }

    /// Its answer, which has an `ETag`.
    pub(crate) fn gives_tagged<T: ToSchema>(self) -> Self {
        self.gives::<T>().with("ETag")
    }

    /// The last of its answers has this header.
    pub(crate) fn with(mut self, header: &'static str) -> Self {
        if let Some(last) = self.answers.last_mut() {
            last.headers.push(header);
        }
        self
    }

    /// Reads this header.
    pub(crate) fn header(mut self, header: (&'static str, &'static str)) -> Self {
        self.headers.push(header);
        self
    }

    /// It changes something: it can be tried out, and refused if the caller has not seen the newest.
    pub(crate) fn changes(self) -> Self {
        self.query::<super::given::ChangeQuery>()
            .header(IF_MATCH)
            .answers_with::<ChangedView>(200, "What was changed, or would be.")
    }

    /// The schema of a type, by its name.
    fn named<T: ToSchema>(&mut self) -> Value {
        T::schemas(&mut self.schemas);
        let name = name_of::<T>();
        self.schemas.push((name.clone(), T::schema()));
        let named = Ref::from_schema_name(name);
        serde_json::to_value(named).unwrap_or(Value::Object(Map::new()))
    }
}

/// The name of a type with those of its parameters, which its own name leaves out: `Items_RunView`.
fn name_of<T: ?Sized>() -> String {
    let parts = std::any::type_name::<T>().split(['<', '>', ',']);
    let parts = parts.filter_map(|part| part.trim().rsplit("::").next());
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    parts.join("_")
}

/// Looks at something.
pub(crate) const fn get(path: &'static str, policy: Policy) -> Operation {
    Operation::new("get", path, policy)
}

/// Does something.
pub(crate) const fn post(path: &'static str, policy: Policy) -> Operation {
    Operation::new("post", path, policy)
}

/// Sets something.
pub(crate) const fn put(path: &'static str, policy: Policy) -> Operation {
    Operation::new("put", path, policy)
}

/// Changes a part of something.
pub(crate) const fn patch(path: &'static str, policy: Policy) -> Operation {
    Operation::new("patch", path, policy)
}

/// Takes something away.
pub(crate) const fn delete(path: &'static str, policy: Policy) -> Operation {
    Operation::new("delete", path, policy)
}
