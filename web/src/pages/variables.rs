//! Variables. Their values stay with the scheduler until somebody asks for one, and the audit log says who did.

use askama::Template;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tidemill_core::id::check_name;
use tidemill_scheduler::engine::Command;
use tidemill_scheduler::gateway::{TouchView, VariableBody, VariableView};

use super::page;
use super::sure::SurePage;
use crate::door::DoorError;
use crate::frame::Frame;
use crate::html::When;
use crate::input::{At, Sent};
use crate::oops::{Oops, finished};
use crate::paths;
use crate::said::Done;
use crate::shown::ask;

/// Who changed something last, and when.
pub(super) struct Touched {
    pub(super) says: String,
    pub(super) at: When,
}

impl From<&TouchView> for Touched {
    fn from(touch: &TouchView) -> Self {
        Self {
            says: format!("{} {} it", touch.by, touch.how),
            at: When(touch.at),
        }
    }
}

struct Line {
    name: String,
    href: String,
    note: String,
    touched: Option<Touched>,
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "variables.html")]
pub(crate) struct VariablesPage {
    frame: Frame,
    lines: Vec<Line>,
    /// The form of a new one. Its value is not sent back.
    form: VariableForm,
    refused: Option<String>,
}

page!(VariablesPage);

fn href(name: &str) -> String {
    format!("/variables/{}", paths::part(name))
}

async fn list(
    frame: Frame,
    form: VariableForm,
    refused: Option<String>,
) -> Result<VariablesPage, Oops> {
    let views = frame.web.door().variables().await?;
    let line = |view: VariableView| Line {
        href: href(&view.name),
        note: view.note.unwrap_or_default(),
        touched: view.touched.as_ref().map(Into::into),
        problem: view.problem,
        name: view.name,
    };
    Ok(VariablesPage {
        lines: views.into_iter().map(line).collect(),
        form,
        refused,
        frame,
    })
}

pub(crate) async fn show(frame: Frame) -> Result<VariablesPage, Oops> {
    list(frame, VariableForm::default(), None).await
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct VariableForm {
    name: String,
    value: String,
    note: String,
    seen: Option<u32>,
}

async fn set(frame: &Frame, name: &str, form: &VariableForm) -> Result<(), DoorError> {
    let wrong = |error: tidemill_core::id::NameError| DoorError::Invalid(error.to_string());
    check_name(name).map_err(wrong)?;
    let Some(seen) = form.seen else {
        let says = "this does not say what you saw; send it from its own page";
        return Err(DoorError::Invalid(says.to_owned()));
    };
    let body = VariableBody {
        by: frame.name().to_string(),
        seen: Some(seen),
        dry_run: false,
        // Browsers send lines as they did on a teletype.
        value: form.value.replace("\r\n", "\n"),
        note: Some(form.note.trim().to_owned()),
    };
    frame.web.door().set_variable(name, body).await?;
    Ok(())
}

/// A new variable. One that is there already is not changed.
pub(crate) async fn make(
    frame: Frame,
    Sent(mut form): Sent<VariableForm>,
) -> Result<Response, Oops> {
    form.seen = Some(0);
    let name = form.name.trim().to_owned();
    match set(&frame, &name, &form).await {
        Ok(()) => {
            let says = format!("The variable {name} is there.");
            Ok(Done::at("/variables", says).into_response())
        }
        Err(error @ (DoorError::Invalid(_) | DoorError::Stale(_))) => {
            let page = list(frame, form, Some(error.to_string())).await?;
            Ok(finished(error.into(), page.into_response()))
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Template)]
#[template(path = "variable.html")]
pub(crate) struct VariablePage {
    frame: Frame,
    name: String,
    href: String,
    note: String,
    edits: u32,
    touched: Option<Touched>,
    problem: Option<String>,
    /// Its value, if it was asked for.
    value: Option<String>,
    refused: Option<String>,
}

page!(VariablePage);

async fn find(frame: &Frame, name: &str) -> Result<VariableView, Oops> {
    let views = frame.web.door().variables().await?;
    let found = views.into_iter().find(|view| view.name == name);
    found.ok_or_else(|| Oops::not_found("there is no variable of this name"))
}

async fn one(frame: Frame, name: &str, refused: Option<String>) -> Result<VariablePage, Oops> {
    let view = find(&frame, name).await?;
    Ok(VariablePage {
        href: href(&view.name),
        note: view.note.unwrap_or_default(),
        edits: view.edits,
        touched: view.touched.as_ref().map(Into::into),
        problem: view.problem,
        value: None,
        refused,
        name: view.name,
        frame,
    })
}

pub(crate) async fn show_one(frame: Frame, At(name): At<String>) -> Result<VariablePage, Oops> {
    one(frame, &name, None).await
}

/// Shows the value, once the audit log says so.
pub(crate) async fn reveal(frame: Frame, At(name): At<String>) -> Result<VariablePage, Oops> {
    let mut page = one(frame, &name, None).await?;
    let by = page.frame.name();
    let reply = page.frame.web.door().reveal(&page.name, &by).await?;
    page.value = Some(reply.value);
    page.edits = reply.edits;
    Ok(page)
}

pub(crate) async fn change(
    frame: Frame,
    At(name): At<String>,
    Sent(form): Sent<VariableForm>,
) -> Result<Response, Oops> {
    match set(&frame, &name, &form).await {
        Ok(()) => {
            let says = format!("The variable {name} is set.");
            Ok(Done::at(&href(&name), says).into_response())
        }
        Err(error @ (DoorError::Invalid(_) | DoorError::Stale(_))) => {
            let page = one(frame, &name, Some(error.to_string())).await?;
            Ok(finished(error.into(), page.into_response()))
        }
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn ask_remove(frame: Frame, At(name): At<String>) -> Result<SurePage, Oops> {
    let view = find(&frame, &name).await?;
    Ok(SurePage {
        crumbs: vec![
            ("Variables".to_owned(), "/variables".to_owned()),
            (name.clone(), href(&name)),
        ],
        means: vec![
            format!("The variable {name} goes, with its value. Nobody can bring it back."),
            "Tasks that ask for it fail from then on. Which do, no DAG says beforehand.".to_owned(),
        ],
        action: format!("{}/remove", href(&name)),
        hidden: vec![("seen".to_owned(), view.edits.to_string())],
        is_danger: true,
        ..SurePage::new(frame, format!("Remove the variable {name}"), href(&name))
    })
}

#[derive(Debug, Deserialize)]
pub(crate) struct RemoveForm {
    pub(super) seen: u32,
}

pub(crate) async fn remove(
    frame: Frame,
    At(name): At<String>,
    Sent(form): Sent<RemoveForm>,
) -> Result<Response, Oops> {
    let command = Command::RemoveVariable {
        name: name.as_str().into(),
    };
    match ask(&frame, (Some(form.seen), false), command).await {
        Ok(_) => {
            let says = format!("The variable {name} is removed.");
            Ok(Done::at("/variables", says).into_response())
        }
        Err(error @ (DoorError::Invalid(_) | DoorError::Stale(_))) => {
            Ok(ask_remove(frame, At(name)).await?.refused(error))
        }
        Err(error) => Err(error.into()),
    }
}
