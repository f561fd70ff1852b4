//! What a form says.

use axum::body::Body;
use http_body_util::{BodyExt as _, Limited};
use url::form_urlencoded;

use super::Oops;

/// A statement of SQL is the longest that is sent, and BigQuery takes no longer one.
const BYTES: usize = 1 << 20;

/// The names and values of a form, in their order.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) async fn read(body: Body) -> Result<Self, Oops> {
        let bytes = Limited::new(body, BYTES)
            .collect()
            .await
            .map_err(|_| Oops::invalid("The form is too long, or did not come whole"))?
            .to_bytes();
        let pairs = form_urlencoded::parse(&bytes).into_owned().collect();
        Ok(Self(pairs))
    }

    /// The first value of a name; empty if it is not there.
    pub(super) fn text(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// A number, or none if the field is empty.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Oops> {
        let text = self.text(name).trim();
        if text.is_empty() {
            return Ok(None);
        }
        let number = text.parse();
        number
            .map(Some)
            .map_err(|_| Oops::invalid(format!("{name} has to be a number, not {text:?}")))
    }
}
