//! Connections. What is secret in them comes in by a form and never goes out again: an empty field keeps what is there.

use std::collections::BTreeMap;

use askama::Template;
use axum::response::{IntoResponse as _, Response};
use tidemill_core::id::check_name;
use tidemill_scheduler::engine::Command;
use tidemill_scheduler::gateway::{ConnectionBody, ConnectionView};

use super::field::Given;
use super::page;
use super::sure::{Listed, SurePage};
use super::variables::{RemoveForm, Touched};
use crate::door::DoorError;
use crate::frame::Frame;
use crate::input::{At, Sent};
use crate::oops::{Oops, finished};
use crate::paths;
use crate::said::Done;
use crate::shown::ask;

/// Empty rows of a form, for what is not there yet.
const ROWS_FREE: usize = 3;
/// More rows a form does not have.
const ROWS_MAX: usize = 60;

struct Line {
    name: String,
    href: String,
    kind: String,
    host: String,
    login: String,
    secrets: String,
    dags: usize,
    touched: Option<Touched>,
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "connections.html")]
pub(crate) struct ConnectionsPage {
    frame: Frame,
    lines: Vec<Line>,
    name: String,
    form: Form,
    refused: Option<String>,
}

page!(ConnectionsPage);

fn href(name: &str) -> String {
    format!("/connections/{}", paths::part(name))
}

/// Which DAGs use which connection, as far as they say so.
async fn users(frame: &Frame) -> Result<BTreeMap<String, Vec<String>>, Oops> {
    let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for known in super::rows::known(frame).await? {
        for task in &known.spec.definition.tasks {
            for name in &task.touches.connections {
                let of = users.entry(name.clone()).or_default();
                let dag = known.row.id.to_string();
                if !of.contains(&dag) {
                    of.push(dag);
                }
            }
        }
    }
    Ok(users)
}

async fn list(
    frame: Frame,
    (name, form): (String, Form),
    refused: Option<String>,
) -> Result<ConnectionsPage, Oops> {
    let views = frame.web.door().connections().await?;
    let users = users(&frame).await?;
    let line = |view: ConnectionView| {
        let field = |names: &[&str]| {
            let found = names.iter().find_map(|name| view.fields.get(*name));
            found.cloned().unwrap_or_default()
        };
        Line {
            href: href(&view.name),
            host: field(&["host", "url", "project", "bucket"]),
            login: field(&["login", "user", "username"]),
            secrets: view.secrets.join(", "),
            dags: users.get(&view.name).map_or(0, Vec::len),
            touched: view.touched.as_ref().map(Into::into),
            name: view.name,
            kind: view.kind,
            problem: view.problem,
        }
    };
    Ok(ConnectionsPage {
        lines: views.into_iter().map(line).collect(),
        name,
        form,
        refused,
        frame,
    })
}

pub(crate) async fn show(frame: Frame) -> Result<ConnectionsPage, Oops> {
    list(frame, (String::new(), Form::new("", &[], &[])), None).await
}

/// A row of a form.
struct Row {
    at: usize,
    name: String,
    /// Of a secret there is none: it never goes out.
    value: String,
    /// Whether it is there already, so that its name is fixed.
    is_there: bool,
}

/// The form of a connection.
struct Form {
    kind: String,
    fields: Vec<Row>,
    secrets: Vec<Row>,
}

impl Form {
    fn new(kind: &str, fields: &[(String, String)], secrets: &[String]) -> Self {
        let row = |(at, (name, value)): (usize, (String, String))| Row {
            at,
            is_there: !name.is_empty(),
            name,
            value,
        };
        let free = || std::iter::repeat_n((String::new(), String::new()), ROWS_FREE);
        let named = secrets.iter().map(|name| (name.clone(), String::new()));
        Self {
            kind: kind.to_owned(),
            fields: fields
                .iter()
                .cloned()
                .chain(free())
                .enumerate()
                .map(row)
                .collect(),
            secrets: named.chain(free()).enumerate().map(row).collect(),
        }
    }

    fn of(view: &ConnectionView) -> Self {
        let fields: Vec<(String, String)> = view.fields.clone().into_iter().collect();
        Self::new(&view.kind, &fields, &view.secrets)
    }
}

/// What a form says: what everybody may see, and what is new of what nobody may.
struct Read {
    kind: String,
    fields: BTreeMap<String, String>,
    secrets: BTreeMap<String, Option<String>>,
}

/// Reads the rows: `fn.0` is the name of the first field and `fv.0` its value, `sn.0` and `sv.0` those of a secret, `sx.0` that
/// it goes.
fn read(given: &Given) -> Result<Read, DoorError> {
    let text = |key: String| given.get(&key).map_or("", String::as_str);
    let (mut fields, mut secrets) = (BTreeMap::new(), BTreeMap::new());
    // A row that is left unread would be taken away.
    let beyond = ["fn", "sn"].map(|column| format!("{column}.{ROWS_MAX}"));
    if beyond.iter().any(|key| given.contains_key(key)) {
        let says = format!(
            "a form has at most {ROWS_MAX} rows, and this connection has more; change it by `connections set`"
        );
        return Err(DoorError::Invalid(says));
    }
    for at in 0..ROWS_MAX {
        let name = text(format!("fn.{at}")).trim();
        // A field whose value was taken away goes.
        let value = text(format!("fv.{at}")).trim();
        if !name.is_empty() && !value.is_empty() {
            let twice = fields.insert(name.to_owned(), value.to_owned()).is_some();
            if twice {
                return Err(DoorError::Invalid(format!("`{name}` is there twice")));
            }
        }
        let name = text(format!("sn.{at}")).trim();
        let value = text(format!("sv.{at}")).replace("\r\n", "\n");
        if name.is_empty() {
            continue;
        }
        if given.contains_key(&format!("sx.{at}")) {
            secrets.insert(name.to_owned(), None);
        } else if !value.is_empty() {
            secrets.insert(name.to_owned(), Some(value));
        }
    }
    Ok(Read {
        kind: text("kind".to_owned()).trim().to_owned(),
        fields,
        secrets,
    })
}

/// Writes it. Secrets that the form does not name stay as they are.
async fn set(frame: &Frame, (name, seen): (&str, u32), read: &Read) -> Result<(), DoorError> {
    let wrong = |error: tidemill_core::id::NameError| DoorError::Invalid(error.to_string());
    check_name(name).map_err(wrong)?;
    let body = ConnectionBody {
        by: frame.name().to_string(),
        seen: Some(seen),
        dry_run: false,
        kind: read.kind.clone(),
        fields: read.fields.clone(),
        secrets: read.secrets.clone(),
        replace: false,
    };
    frame.web.door().set_connection(name, body).await?;
    Ok(())
}

/// The form as it was sent, without the secrets in it.
fn sent_form(read: &Read, there: &[String]) -> Form {
    let fields: Vec<(String, String)> = read.fields.clone().into_iter().collect();
    let mut secrets = there.to_vec();
    secrets.extend(
        read.secrets
            .keys()
            .filter(|name| !there.contains(name))
            .cloned(),
    );
    Form::new(&read.kind, &fields, &secrets)
}

/// A new connection. One that is there already is not changed.
pub(crate) async fn make(
    frame: Frame,
    Sent(pairs): Sent<Vec<(String, String)>>,
) -> Result<Response, Oops> {
    let given: Given = pairs.into_iter().collect();
    let name = given.get("name").map_or("", |name| name.trim()).to_owned();
    let read = read(&given)?;
    match set(&frame, (&name, 0), &read).await {
        Ok(()) => {
            let says = format!("The connection {name} is there.");
            Ok(Done::at("/connections", says).into_response())
        }
        Err(error @ (DoorError::Invalid(_) | DoorError::Stale(_))) => {
            let form = sent_form(&read, &[]);
            let page = list(frame, (name, form), Some(error.to_string())).await?;
            Ok(finished(error.into(), page.into_response()))
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Template)]
#[template(path = "connection.html")]
pub(crate) struct ConnectionPage {
    frame: Frame,
    name: String,
    href: String,
    form: Form,
    edits: u32,
    touched: Option<Touched>,
    problem: Option<String>,
    dags: Vec<String>,
    refused: Option<String>,
}

page!(ConnectionPage);

async fn find(frame: &Frame, name: &str) -> Result<ConnectionView, Oops> {
    let views = frame.web.door().connections().await?;
    let found = views.into_iter().find(|view| view.name == name);
    found.ok_or_else(|| Oops::not_found("there is no connection of this name"))
}

async fn one(frame: Frame, name: &str) -> Result<ConnectionPage, Oops> {
    let view = find(&frame, name).await?;
    let mut users = users(&frame).await?;
    Ok(ConnectionPage {
        href: href(&view.name),
        form: Form::of(&view),
        edits: view.edits,
        touched: view.touched.as_ref().map(Into::into),
        problem: view.problem,
        dags: users.remove(&view.name).unwrap_or_default(),
        refused: None,
        name: view.name,
        frame,
    })
}

pub(crate) async fn show_one(frame: Frame, At(name): At<String>) -> Result<ConnectionPage, Oops> {
    one(frame, &name).await
}

pub(crate) async fn change(
    frame: Frame,
    At(name): At<String>,
    Sent(pairs): Sent<Vec<(String, String)>>,
) -> Result<Response, Oops> {
    let given: Given = pairs.into_iter().collect();
    let seen = given.get("seen").and_then(|seen| seen.parse().ok());
    let seen = seen.ok_or_else(|| {
        Oops::invalid("this does not say what you saw; send it from its own page")
    })?;
    let read = read(&given)?;
    match set(&frame, (&name, seen), &read).await {
        Ok(()) => {
            let says = format!("The connection {name} is set.");
            Ok(Done::at(&href(&name), says).into_response())
        }
        Err(error @ DoorError::Stale(_)) => {
            let mut page = one(frame, &name).await?;
            page.refused = Some(error.to_string());
            Ok(finished(error.into(), page.into_response()))
        }
        Err(error @ DoorError::Invalid(_)) => {
            let mut page = one(frame, &name).await?;
            let there: Vec<String> = page
                .form
                .secrets
                .iter()
                .map(|row| row.name.clone())
                .collect();
            let there: Vec<String> = there.into_iter().filter(|name| !name.is_empty()).collect();
            page.form = sent_form(&read, &there);
            page.refused = Some(error.to_string());
            Ok(finished(error.into(), page.into_response()))
        }
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn ask_remove(frame: Frame, At(name): At<String>) -> Result<SurePage, Oops> {
    let view = find(&frame, &name).await?;
    let dags = users(&frame).await?.remove(&name).unwrap_or_default();
    let warning = if dags.is_empty() {
        "No DAG says that it uses it. One that asks for it all the same would fail.".to_owned()
    } else {
        format!(
            "{} DAGs say that they use it: their tasks fail from then on.",
            dags.len()
        )
    };
    Ok(SurePage {
        crumbs: vec![
            ("Connections".to_owned(), "/connections".to_owned()),
            (name.clone(), href(&name)),
        ],
        means: vec![
            format!("The connection {name} goes, with its secrets. Nobody can bring them back."),
            warning,
        ],
        lists: vec![Listed {
            head: "Use it".to_owned(),
            lines: dags
                .into_iter()
                .map(|dag| (dag.clone(), Some(format!("/dags/{dag}"))))
                .collect(),
        }],
        action: format!("{}/remove", href(&name)),
        hidden: vec![("seen".to_owned(), view.edits.to_string())],
        is_danger: true,
        ..SurePage::new(frame, format!("Remove the connection {name}"), href(&name))
    })
}

pub(crate) async fn remove(
    frame: Frame,
    At(name): At<String>,
    Sent(form): Sent<RemoveForm>,
) -> Result<Response, Oops> {
    let command = Command::RemoveConnection {
        name: name.as_str().into(),
    };
    match ask(&frame, (Some(form.seen), false), command).await {
        Ok(_) => {
            let says = format!("The connection {name} is removed.");
            Ok(Done::at("/connections", says).into_response())
        }
        Err(error @ (DoorError::Invalid(_) | DoorError::Stale(_))) => {
            Ok(ask_remove(frame, At(name)).await?.refused(error))
        }
        Err(error) => Err(error.into()),
    }
}
