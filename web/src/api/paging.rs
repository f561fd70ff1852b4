//! Lists, page by page. Where the next page begins is nobody's business but ours: a cursor is opaque.

use axum::Json;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tidemill_core::time::Timestamp;
use tidemill_store::history::{Cursor, PAGE_ROWS_MAX};

use super::views::Items;
use crate::frame::Frame;
use crate::html::{hex, unhex};
use crate::oops::Oops;

/// Rows of a page if nobody says.
const ROWS: u32 = 50;

/// How many rows are wanted.
pub(crate) fn rows(limit: Option<u32>) -> Result<u32, Oops> {
    match limit {
        None => Ok(ROWS),
        Some(rows) if (1..=PAGE_ROWS_MAX).contains(&rows) => Ok(rows),
        Some(_) => Err(Oops::field("limit", "a page has 1 to 1,000 rows")),
    }
}

/// Where a page of this list begins, in the words of the list; none for its top.
pub(crate) fn place(list: &str, cursor: Option<&str>) -> Result<Option<String>, Oops> {
    let Some(cursor) = cursor else {
        return Ok(None);
    };
    let text = unhex(cursor).and_then(|bytes| String::from_utf8(bytes).ok());
    let place = text.as_deref().and_then(|text| text.split_once(':'));
    match place {
        Some((of, place)) if of == list => Ok(Some(place.to_owned())),
        _ => Err(wrong()),
    }
}

/// A cursor that is not ours.
pub(crate) fn wrong() -> Oops {
    Oops::field(
        "cursor",
        "this is no cursor of this list: take `next` of a page as it is, or begin without one",
    )
}

/// A number as a place in a list.
pub(crate) fn number<T: std::str::FromStr>(
    list: &str,
    cursor: Option<&str>,
    top: T,
) -> Result<T, Oops> {
    match place(list, cursor)? {
        None => Ok(top),
        Some(place) => place.parse().map_err(|_| wrong()),
    }
}

/// The cursor of a place in a list.
pub(crate) fn cursor(list: &str, place: impl std::fmt::Display) -> String {
    hex(format!("{list}:{place}").as_bytes())
}

/// A place among runs or loads.
pub(crate) fn placed(list: &str, cursor: Option<&str>) -> Result<Cursor, Oops> {
    let Some(place) = place(list, cursor)? else {
        return Ok(Cursor::START);
    };
    let mut parts = place.split('.');
    let mut next = || parts.next().and_then(|part| part.parse::<i64>().ok());
    match (next(), next(), next()) {
        (Some(at), Some(id), Some(nth)) => Ok(Cursor {
            at: Timestamp::from_micros(at),
            id,
            nth: u32::try_from(nth).map_err(|_| wrong())?,
        }),
        _ => Err(wrong()),
    }
}

/// The cursor of a place among runs or loads.
pub(crate) fn cursor_at(list: &str, at: Cursor) -> String {
    cursor(
        list,
        format_args!("{}.{}.{}", at.at.micros(), at.id, at.nth),
    )
}

/// A page of a list, with the address of the next.
pub(crate) struct Listed<T> {
    link: Option<String>,
    items: Items<T>,
}

impl<T> Listed<T> {
    /// This page.
    pub(crate) fn new(frame: &Frame, items: Vec<T>, next: Option<String>) -> Self {
        Self {
            link: next.as_deref().map(|next| link(frame.here(), next)),
            items: Items { items, next },
        }
    }
}

/// The same address, with another cursor.
fn link(here: &str, next: &str) -> String {
    let (path, query) = here.split_once('?').unwrap_or((here, ""));
    let kept = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
    let mut query: Vec<&str> = kept.collect();
    let cursor = format!("cursor={next}");
    query.push(&cursor);
    format!("<{path}?{}>; rel=\"next\"", query.join("&"))
}

impl<T: Serialize> IntoResponse for Listed<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.items).into_response();
        if let Some(link) = self.link.and_then(|link| HeaderValue::from_str(&link).ok()) {
            response.headers_mut().insert(header::LINK, link);
        }
        response
    }
}

/// Something that can be changed, with the `ETag` that says how often people did.
pub(crate) struct Tagged<T>(pub(crate) u32, pub(crate) T);

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.1).into_response();
        if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", self.0)) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_of_its_list_and_nothing_else_is_one() {
        let at = Cursor {
            at: Timestamp::from_micros(7),
            id: 3,
            nth: 1,
        };
        let text = cursor_at("runs", at);
        assert_eq!(placed("runs", Some(&text)).unwrap(), at);
        assert!(placed("loads", Some(&text)).is_err());
        for wrong in ["", "0", "zz", "72", &hex(b"runs:1.2"), &hex(b"runs:1.2.-3")] {
            assert!(placed("runs", Some(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_next_page_has_the_filters_of_this_one() {
        assert_eq!(
            link("/api/v1/runs?state=failed&cursor=00&limit=5", "ff"),
            "</api/v1/runs?state=failed&limit=5&cursor=ff>; rel=\"next\""
        );
    }
}
