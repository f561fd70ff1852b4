//! Lists of objects.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::glob::Glob;
use super::record::{Object, Place};
use super::{fields, tokens};
use crate::call::{Answer, Call, Refusal, Reply};
use crate::state::State;

/// What is asked for.
struct Query {
    prefix: String,
    delimiter: Option<String>,
    trailing: bool,
    start: String,
    end: Option<String>,
    glob: Option<Glob>,
    versions: bool,
    limit: usize,
    after: Option<After>,
}

/// Where a page ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct After {
    name: String,
    /// The last generation, where all are listed.
    generation: i64,
    /// The last common prefix.
    group: Option<String>,
}

#[derive(Default)]
struct Page {
    items: Vec<Value>,
    prefixes: Vec<String>,
    last: Option<After>,
    more: bool,
}

pub(super) async fn list(state: Arc<State>, call: Call) -> Answer {
    fields::check_call(&call)?;
    let bucket = call.part("bucket");
    state.storage.bucket(bucket)?;
    let query = Query::of(&call)?;
    let mut page = Page::default();
    let from = [query.prefix.as_str(), query.start.as_str()]
        .into_iter()
        .chain(query.after.as_ref().map(|after| after.name.as_str()))
        .max()
        .unwrap_or("");
    let skip = bucket.len() + 1;
    state
        .storage
        .objects
        .visit(&format!("{bucket}/{from}"), |key, versions| {
            let Some(name) = key
                .get(skip..)
                .filter(|_| key.starts_with(&format!("{bucket}/")))
            else {
                return ControlFlow::Break(());
            };
            let over = query.end.as_ref().is_some_and(|end| name >= end.as_str());
            if !name.starts_with(&query.prefix) || over {
                return ControlFlow::Break(());
            }
            let kept = |object: &&Object| query.versions || object.deleted.is_none();
            for object in versions.all().filter(kept) {
                let place = Place::new(bucket, name);
                page.take(&query, &place, object, &state.public)?;
            }
            ControlFlow::Continue(())
        });
    let mut shown = json!({ "kind": "storage#objects" });
    if !page.items.is_empty() {
        shown["items"] = json!(page.items);
    }
    if !page.prefixes.is_empty() {
        shown["prefixes"] = json!(page.prefixes);
    }
    if page.more {
        shown["nextPageToken"] = json!(tokens::write(&page.last));
    }
    Ok(Reply::json(&shown))
}

impl Query {
    fn of(call: &Call) -> Result<Self, Refusal> {
        let text = |name: &str| call.query(name).filter(|text| !text.is_empty());
        let glob = text("matchGlob").map(Glob::new).transpose()?;
        let delimiter = text("delimiter").map(str::to_owned);
        if glob.is_some()
            && delimiter
                .as_deref()
                .is_some_and(|delimiter| delimiter != "/")
        {
            return Err(Refusal::invalid(
                "matchGlob goes only with the delimiter /, or with none.",
            ));
        }
        Ok(Self {
            prefix: text("prefix").unwrap_or("").to_owned(),
            delimiter,
            trailing: flag(call, "includeTrailingDelimiter")?,
            start: text("startOffset").unwrap_or("").to_owned(),
            end: text("endOffset").map(str::to_owned),
            glob,
            versions: flag(call, "versions")?,
            limit: tokens::limit(call)?,
            after: tokens::read(call.query("pageToken"))?,
        })
    }

    /// The common prefix that a name belongs to.
    fn group<'a>(&self, name: &'a str) -> Option<&'a str> {
        let delimiter = self.delimiter.as_deref()?;
        let at = name.get(self.prefix.len()..)?.find(delimiter)?;
        name.get(..self.prefix.len() + at + delimiter.len())
    }

    fn done(&self, name: &str, generation: i64) -> bool {
        self.after.as_ref().is_some_and(|after| {
            name < after.name.as_str() || (name == after.name && generation <= after.generation)
        })
    }
}

/// Google's client for Python writes `True`.
fn flag(call: &Call, name: &str) -> Result<bool, Refusal> {
    match call.query(name) {
        Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Ok(call.parsed(name)?.unwrap_or(false)),
    }
}

impl Page {
    fn take(
        &mut self,
        query: &Query,
        place: &Place,
        object: &Object,
        public: &str,
    ) -> ControlFlow<()> {
        let name = place.name.as_str();
        if query.done(name, object.generation)
            || query.glob.as_ref().is_some_and(|glob| !glob.matches(name))
        {
            return ControlFlow::Continue(());
        }
        let group = query.group(name);
        let known = self.last.as_ref().or(query.after.as_ref());
        let new_group =
            group.filter(|group| known.and_then(|last| last.group.as_deref()) != Some(*group));
        let item = group.is_none() || (query.trailing && group == Some(name));
        if !item && new_group.is_none() {
            return ControlFlow::Continue(());
        }
        if self.items.len() + self.prefixes.len() >= query.limit {
            self.more = true;
            return ControlFlow::Break(());
        }
        if let Some(group) = new_group {
            self.prefixes.push(group.to_owned());
        }
        if item {
            self.items.push(object.shown(place, public));
        }
        self.last = Some(After {
            name: name.to_owned(),
            generation: object.generation,
            group: group.map(str::to_owned),
        });
        ControlFlow::Continue(())
    }
}
