//! The cookie of a session.

use axum::http::{HeaderMap, HeaderValue, header};

/// Whether browsers send a cookie when another site leads here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    /// Never.
    Strict,
    /// When a person follows a link, so that links in mails and chats work.
    Lax,
}

/// How the cookie of a session is written.
#[derive(Debug, Clone, Copy)]
pub struct Cookie {
    name: &'static str,
    attributes: &'static str,
}

/// No cookie of ours has more characters than browsers keep; a longer one is not looked at.
const SECRET_CHARS_MAX: usize = 4_096;

impl Cookie {
    /// Over https the name binds it to this host and path, so that no neighbour can set it.
    #[must_use]
    pub const fn new(https: bool, same_site: SameSite) -> Self {
        let (name, attributes) = match (https, same_site) {
            (true, SameSite::Strict) => (
                "__Host-tidemill",
                "Path=/; HttpOnly; Secure; SameSite=Strict",
            ),
            (true, SameSite::Lax) => ("__Host-tidemill", "Path=/; HttpOnly; Secure; SameSite=Lax"),
            (false, SameSite::Strict) => ("tidemill", "Path=/; HttpOnly; SameSite=Strict"),
            (false, SameSite::Lax) => ("tidemill", "Path=/; HttpOnly; SameSite=Lax"),
        };
        Self { name, attributes }
    }

    /// The cookie of somebody who is on their way to an account elsewhere, for ten minutes. They come back by a link of another
    /// site.
    #[must_use]
    pub(crate) const fn away(https: bool) -> Self {
        let (name, attributes) = if https {
            (
                "__Host-tidemill-away",
                "Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=600",
            )
        } else {
            (
                "tidemill-away",
                "Path=/; HttpOnly; SameSite=Lax; Max-Age=600",
            )
        };
        Self { name, attributes }
    }

    /// The secret that a request brings.
    #[must_use]
    pub fn read<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        find(headers, self.name)
            .filter(|secret| !secret.is_empty() && secret.len() <= SECRET_CHARS_MAX)
    }

    /// The header that sets it.
    #[must_use]
    pub fn set(&self, secret: &str) -> Option<HeaderValue> {
        HeaderValue::from_str(&format!("{}={secret}; {}", self.name, self.attributes)).ok()
    }

    /// The header that takes it away.
    #[must_use]
    pub fn clear(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&format!("{}=; {}; Max-Age=0", self.name, self.attributes)).ok()
    }
}

/// A cookie of this name.
pub(crate) fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(found, value)| (found == name).then_some(value))
}
