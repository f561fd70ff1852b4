//! The page before something that cannot be undone, or changes much: what it does, what exactly, and a button.

use askama::Template;

use super::page;
use crate::door::DoorError;
use crate::frame::Frame;
use crate::oops::{Oops, finished};
use axum::response::{IntoResponse as _, Response};

/// Lines under a heading.
#[derive(Debug, Default)]
pub(super) struct Listed {
    pub(super) head: String,
    /// Each with where it leads, if anywhere.
    pub(super) lines: Vec<(String, Option<String>)>,
}

impl Listed {
    /// Lines that lead nowhere.
    pub(super) fn plain(
        head: impl Into<String>,
        lines: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self {
            head: head.into(),
            lines: lines.into_iter().map(|line| (line.into(), None)).collect(),
        }
    }
}

/// Asks whether somebody is sure.
#[derive(Template)]
#[template(path = "sure.html")]
pub(crate) struct SurePage {
    pub(super) frame: Frame,
    /// Words and where they lead.
    pub(super) crumbs: Vec<(String, String)>,
    pub(super) title: String,
    /// What it does, sentence by sentence.
    pub(super) means: Vec<String>,
    pub(super) lists: Vec<Listed>,
    /// Where the form goes, and what it sends.
    pub(super) action: String,
    pub(super) hidden: Vec<(String, String)>,
    /// What was written as a note, if one is asked for, and whether it must be there.
    pub(super) note: Option<(String, bool)>,
    pub(super) button: String,
    pub(super) is_danger: bool,
    /// Where nothing is done.
    pub(super) back: String,
    /// Why it was not done.
    pub(super) refused: Option<String>,
    /// Whether there is anything to do.
    pub(super) can: bool,
}

page!(SurePage);

impl SurePage {
    /// A page without anything on it yet.
    pub(super) fn new(frame: Frame, title: impl Into<String>, back: impl Into<String>) -> Self {
        let title = title.into();
        Self {
            frame,
            crumbs: Vec::new(),
            button: title.clone(),
            title,
            means: Vec::new(),
            lists: Vec::new(),
            action: String::new(),
            hidden: Vec::new(),
            note: None,
            is_danger: false,
            back: back.into(),
            refused: None,
            can: true,
        }
    }

    /// That it was refused: the same page once more, with why.
    pub(super) fn refused(mut self, error: DoorError) -> Response {
        self.refused = Some(error.to_string());
        finished(Oops::from(error), self.into_response())
    }
}

/// So many of something.
pub(super) fn counted(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}
