//! Reading of JSON that the job services get, and writing of what they share.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

use crate::call::{Call, Refusal};

/// The text at `pointer`, if there is one that is not empty.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value
        .pointer(pointer)?
        .as_str()
        .filter(|text| !text.is_empty())
}

/// The text at `pointer`, which has to be there.
pub(super) fn need<'a>(value: &'a Value, pointer: &str) -> Result<&'a str, Refusal> {
    text(value, pointer).ok_or_else(|| {
        let name = pointer.trim_start_matches('/').replace('/', ".");
        let mut refusal = Refusal::invalid(format!("{name} is required and has to be text"));
        refusal.location = Some(name);
        refusal
    })
}

/// Fails for what is no object.
pub(super) fn object(value: &Value) -> Result<(), Refusal> {
    if value.is_object() {
        return Ok(());
    }
    Err(Refusal::invalid(
        "Invalid JSON payload received: an object is expected",
    ))
}

/// Fails for a name that the sandbox does not know at `pointer`: it would be left out without a word otherwise.
pub(super) fn only(value: &Value, pointer: &str, known: &[&str]) -> Result<(), Refusal> {
    let Some(value) = value.pointer(pointer).filter(|value| !value.is_null()) else {
        return Ok(());
    };
    let Some(map) = value.as_object() else {
        return Err(Refusal::invalid(format!(
            "Invalid JSON payload received: {pointer:?} has to be an object"
        )));
    };
    match map.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(Refusal::invalid(format!(
            "Invalid JSON payload received. Unknown name \"{name}\" at '{}': Cannot find field that the sandbox knows.",
            pointer.trim_start_matches('/')
        ))),
    }
}

/// A map of text at `pointer`; numbers and booleans are taken as text.
pub(super) fn strings(value: &Value, pointer: &str) -> Result<BTreeMap<String, String>, Refusal> {
    let wrong = || Refusal::invalid(format!("{pointer:?} has to be an object of text"));
    match value.pointer(pointer) {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Object(map)) => map
            .iter()
            .map(|(name, value)| Ok((name.clone(), plain(value).ok_or_else(wrong)?)))
            .collect(),
        Some(_) => Err(wrong()),
    }
}

/// A list of text at `pointer`.
pub(super) fn list(value: &Value, pointer: &str) -> Result<Vec<String>, Refusal> {
    let wrong = || Refusal::invalid(format!("{pointer:?} has to be a list of text"));
    match value.pointer(pointer) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(all)) => all
            .iter()
            .map(|value| plain(value).ok_or_else(wrong))
            .collect(),
        Some(_) => Err(wrong()),
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

pub(super) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// The page that `size` and `token` behind the question mark ask for, and the token of the next.
pub(super) fn page<T>(
    call: &Call,
    size: &str,
    token: &str,
    all: Vec<T>,
) -> Result<(Vec<T>, Option<String>), Refusal> {
    let length = match call.parsed::<usize>(size)? {
        None | Some(0) => 100,
        Some(length) => length.min(1_000),
    };
    let from = match call.query(token) {
        None | Some("") => 0,
        Some(_) => call.parsed::<usize>(token)?.unwrap_or(0),
    };
    let next = from.checked_add(length).filter(|next| *next < all.len());
    Ok((
        all.into_iter().skip(from).take(length).collect(),
        next.map(|next| next.to_string()),
    ))
}

/// A name of 36 characters in the form of a UUID that belongs to a job's number.
pub(super) fn uuid(number: u64) -> String {
    // Multiplication by an odd number and xor of shifts only change the looks: no two numbers give the same.
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = mixed ^ (mixed >> 29);
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        mixed >> 32,
        (mixed >> 16) & 0xffff,
        (mixed >> 4) & 0xfff,
        mixed & 0xf,
        number & 0xffff_ffff_ffff
    )
}

/// Whether `text` has from `least` to `most` characters of those that `fits` takes.
pub(super) fn named(text: &str, least: usize, most: usize, fits: impl Fn(char) -> bool) -> bool {
    (least..=most).contains(&text.len()) && text.chars().all(fits)
}

/// Leaves out what is null.
pub(super) fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_nulls(value)))
            .collect(),
        other => other,
    }
}
