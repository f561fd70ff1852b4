//! The cookie of a session.

use std::borrow::Cow;

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
#[derive(Debug, Clone)]
pub struct Cookie {
    name: Cow<'static, str>,
    attributes: &'static str,
}

/// No cookie of ours has more characters than browsers keep; a longer one is not looked at.
const SECRET_CHARS_MAX: usize = 4_096;

impl Cookie {
    /// Over https the name binds it to this host and path, so that no neighbour can set it. Without, it has the port in its
    /// name: browsers send a cookie to every port of its host, and what one sets there replaces another's of the same name.
    #[must_use]
    pub fn new((https, port): (bool, Option<u16>), same_site: SameSite) -> Self {
        let attributes = match (https, same_site) {
            (true, SameSite::Strict) => "Path=/; HttpOnly; Secure; SameSite=Strict",
            (true, SameSite::Lax) => "Path=/; HttpOnly; Secure; SameSite=Lax",
            (false, SameSite::Strict) => "Path=/; HttpOnly; SameSite=Strict",
            (false, SameSite::Lax) => "Path=/; HttpOnly; SameSite=Lax",
        };
        let name = match (https, port) {
            (true, _) => "__Host-tidemill".into(),
            (false, Some(port)) => format!("tidemill_{port}").into(),
            (false, None) => "tidemill".into(),
        };
        Self { name, attributes }
    }

    /// The cookie of somebody who is on their way to an account elsewhere, for ten minutes. They come back by a link of another
    /// site.
    #[must_use]
    pub(crate) fn away((https, port): (bool, Option<u16>)) -> Self {
        let attributes = if https {
            "Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=600"
        } else {
            "Path=/; HttpOnly; SameSite=Lax; Max-Age=600"
        };
        let name = match (https, port) {
            (true, _) => "__Host-tidemill-away".into(),
            (false, Some(port)) => format!("tidemill-away_{port}").into(),
            (false, None) => "tidemill-away".into(),
        };
        Self { name, attributes }
    }

    /// The secret that a request brings.
    #[must_use]
    pub fn read<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        find(headers, &self.name)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(cookies: &[&Cookie]) -> HeaderMap {
        let pairs: Vec<String> = cookies
            .iter()
            .zip(["first", "second"])
            .map(|(cookie, secret)| format!("{}={secret}", cookie.name))
            .collect();
        let value = HeaderValue::from_str(&pairs.join("; ")).unwrap();
        HeaderMap::from_iter([(header::COOKIE, value)])
    }

    #[test]
    fn neighbours_on_other_ports_have_cookies_of_their_own() {
        let one = Cookie::new((false, Some(8080)), SameSite::Strict);
        let other = Cookie::new((false, Some(8081)), SameSite::Strict);
        let both = sent(&[&one, &other]);
        assert_eq!(one.read(&both), Some("first"));
        assert_eq!(other.read(&both), Some("second"));
        assert_eq!(other.read(&sent(&[&one])), None);
        let away = |port| Cookie::away((false, Some(port)));
        let both = sent(&[&away(8080), &away(8081)]);
        assert_eq!(away(8080).read(&both), Some("first"));
        assert_eq!(away(8081).read(&both), Some("second"));
    }

    #[test]
    fn over_https_the_name_is_bound_to_the_host() {
        let cookie = Cookie::new((true, Some(443)), SameSite::Lax);
        let set = cookie.set("secret").unwrap();
        let set = set.to_str().unwrap();
        assert!(set.starts_with("__Host-tidemill=secret; Path=/;"), "{set}");
        assert!(set.contains("; Secure;"), "{set}");
    }
}
