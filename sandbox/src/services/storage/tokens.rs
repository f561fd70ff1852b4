//! Tokens of pages: where the next page begins, in a form that nobody reads.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::call::{Call, Refusal};

/// Cloud Storage's own limit of a page.
const PAGE: usize = 1_000;

pub(super) fn write(value: &impl Serialize) -> String {
    BASE64.encode(serde_json::to_vec(value).unwrap_or_default())
}

pub(super) fn read<T: DeserializeOwned>(token: Option<&str>) -> Result<Option<T>, Refusal> {
    let Some(token) = token.filter(|token| !token.is_empty()) else {
        return Ok(None);
    };
    let value = BASE64
        .decode(token)
        .ok()
        .and_then(|json| serde_json::from_slice(&json).ok());
    value.map(Some).ok_or_else(|| {
        let mut refusal = Refusal::invalid("Invalid argument: pageToken");
        refusal.location = Some("pageToken".to_owned());
        refusal
    })
}

/// `maxResults`.
pub(super) fn limit(call: &Call) -> Result<usize, Refusal> {
    match call.parsed::<u32>("maxResults")? {
        None | Some(0) => Ok(PAGE),
        Some(limit) => Ok(usize::try_from(limit).unwrap_or(PAGE).min(PAGE)),
    }
}
