//! Arguments of an expectation. What was not asked for is an error at the end.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::super::literal::{Bounds, Literal};
use super::super::rule::{IgnoreRowIf, MatchOn};

/// What says how results are shown, not what is checked.
const SHOWS: [&str; 10] = [
    "batch_id",
    "catch_exceptions",
    "include_config",
    "meta",
    "notes",
    "description",
    "rendered_content",
    "result_format",
    "windows",
    "id",
];

pub(crate) struct Args<'a> {
    map: &'a Map<String, Value>,
    taken: BTreeSet<&'a str>,
}

impl<'a> Args<'a> {
    pub(crate) const fn new(map: &'a Map<String, Value>) -> Self {
        Self {
            map,
            taken: BTreeSet::new(),
        }
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<&'a Value> {
        let (name, value) = self.map.get_key_value(name)?;
        self.taken.insert(name);
        Some(value)
    }

    /// One that is there and is not null.
    fn given(&mut self, name: &str) -> Option<&'a Value> {
        self.take(name).filter(|value| !value.is_null())
    }

    pub(crate) fn done(&self) -> Result<(), String> {
        let left: Vec<String> = self
            .map
            .iter()
            .filter(|(name, value)| {
                !self.taken.contains(name.as_str())
                    && !SHOWS.contains(&name.as_str())
                    && !value.is_null()
            })
            .map(|(name, _)| format!("`{name}`"))
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        Err(format!("its argument {} is not known", left.join(", ")))
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, String> {
        let Some(value) = self.given(name) else {
            return Ok(None);
        };
        let text = value.as_str();
        text.map(|text| Some(text.to_owned()))
            .ok_or_else(|| format!("`{name}` is no text"))
    }

    pub(crate) fn need(&mut self, name: &str) -> Result<String, String> {
        self.text(name)?
            .ok_or_else(|| format!("it has no `{name}`"))
    }

    pub(crate) fn number(&mut self, name: &str) -> Result<Option<f64>, String> {
        let Some(value) = self.given(name) else {
            return Ok(None);
        };
        let number = value.as_f64();
        number
            .map(Some)
            .ok_or_else(|| format!("`{name}` is no number"))
    }

    pub(crate) fn count(&mut self, name: &str) -> Result<Option<u32>, String> {
        let Some(value) = self.given(name) else {
            return Ok(None);
        };
        let count = value.as_u64().and_then(|count| u32::try_from(count).ok());
        count
            .map(Some)
            .ok_or_else(|| format!("`{name}` is no whole number"))
    }

    pub(crate) fn flag(&mut self, name: &str, or: bool) -> Result<bool, String> {
        self.given(name).map_or(Ok(or), |value| {
            value
                .as_bool()
                .ok_or_else(|| format!("`{name}` is not true or false"))
        })
    }

    pub(crate) fn literal(&mut self, name: &str) -> Result<Literal, String> {
        self.take(name)
            .map_or(Ok(Literal::Null), |value| literal(value, name))
    }

    pub(crate) fn bounds(&mut self) -> Result<Bounds, String> {
        Ok(Bounds {
            min: self.literal("min_value")?,
            max: self.literal("max_value")?,
            strict_min: self.flag("strict_min", false)? || self.flag("strictly", false)?,
            strict_max: self.flag("strict_max", false)? || self.flag("strictly", false)?,
        })
    }

    fn list(&mut self, name: &str) -> Result<Option<&'a Vec<Value>>, String> {
        let Some(value) = self.given(name) else {
            return Ok(None);
        };
        let list = value.as_array();
        list.map(Some).ok_or_else(|| format!("`{name}` is no list"))
    }

    pub(crate) fn literals(&mut self, name: &str) -> Result<Option<Vec<Literal>>, String> {
        let Some(list) = self.list(name)? else {
            return Ok(None);
        };
        list.iter()
            .map(|value| literal(value, name))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    pub(crate) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, String> {
        let Some(list) = self.list(name)? else {
            return Ok(None);
        };
        list.iter()
            .map(|value| {
                value
                    .as_str()
                    .map(str::to_owned)
                    .ok_or_else(|| format!("`{name}` has {value} in it, which is no text"))
            })
            .collect::<Result<_, _>>()
            .map(Some)
    }

    pub(crate) fn need_texts(&mut self, name: &str) -> Result<Vec<String>, String> {
        self.texts(name)?
            .ok_or_else(|| format!("it has no `{name}`"))
    }

    pub(crate) fn pairs(&mut self, name: &str) -> Result<Vec<(Literal, Literal)>, String> {
        let list = self
            .list(name)?
            .ok_or_else(|| format!("it has no `{name}`"))?;
        list.iter()
            .map(|pair| match pair.as_array().map(Vec::as_slice) {
                Some([a, b]) => Ok((literal(a, name)?, literal(b, name)?)),
                _ => Err(format!("`{name}` has {pair} in it, which is no pair")),
            })
            .collect()
    }

    pub(crate) fn match_on(&mut self) -> Result<MatchOn, String> {
        match self.text("match_on")?.as_deref() {
            None | Some("any") => Ok(MatchOn::Any),
            Some("all") => Ok(MatchOn::All),
            Some(other) => Err(format!("`match_on` is `any` or `all`, not `{other}`")),
        }
    }

    pub(crate) fn ignore(&mut self) -> Result<IgnoreRowIf, String> {
        match self.text("ignore_row_if")?.as_deref() {
            None | Some("both_values_are_missing" | "all_values_are_missing") => {
                Ok(IgnoreRowIf::AllMissing)
            }
            Some("either_value_is_missing" | "any_value_is_missing") => Ok(IgnoreRowIf::AnyMissing),
            Some("neither" | "never") => Ok(IgnoreRowIf::Never),
            Some(other) => Err(format!("`ignore_row_if` cannot be `{other}`")),
        }
    }
}

fn literal(value: &Value, name: &str) -> Result<Literal, String> {
    Literal::of_json(value).ok_or_else(|| format!("`{name}` has {value}, which is no single value"))
}
