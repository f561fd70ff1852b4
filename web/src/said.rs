//! What became of an action, said by the page after it: a cookie that lives for one page.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::access::Cookie;

const NAME: &str = "tidemill_said";
/// What is longer is cut.
const CHARS_MAX: usize = 300;

/// The answer to an action that was carried out: go there, and say this.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    to: String,
    says: String,
}

impl Done {
    /// Goes to a page of ours and says what was done. A target that is no path of ours becomes the start page.
    #[must_use]
    pub(crate) fn at(to: &str, says: impl Into<String>) -> Self {
        Self {
            to: own_path(to).to_owned(),
            says: says.into().chars().take(CHARS_MAX).collect(),
        }
    }
}

/// What the next page is to say; the outermost layer, which knows how browsers come here, makes a cookie of it.
#[derive(Debug, Clone)]
struct Says(String);

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        let mut response = see(&self.to);
        response.extensions_mut().insert(Says(self.says));
        response
    }
}

/// Adds the cookie with what the next page is to say, if this answer has it say something.
pub(crate) fn put(response: &mut Response, https: bool) {
    let Some(Says(says)) = response.extensions_mut().remove() else {
        return;
    };
    let says = utf8_percent_encode(&says, NON_ALPHANUMERIC);
    let cookie = format!("{NAME}={says}; {}; Max-Age=30", attributes(https));
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// Takes it away again.
pub(crate) fn take(response: &mut Response, https: bool) {
    let cookie = format!("{NAME}=; {}; Max-Age=0", attributes(https));
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

const fn attributes(https: bool) -> &'static str {
    if https {
        "Path=/; HttpOnly; SameSite=Lax; Secure"
    } else {
        "Path=/; HttpOnly; SameSite=Lax"
    }
}

/// Leads on to another page of ours.
pub(crate) fn see(to: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let to = HeaderValue::from_str(own_path(to)).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(header::LOCATION, to);
    response
}

/// Only paths of ours: nothing that a browser could take for another host.
pub(crate) fn own_path(to: &str) -> &str {
    let plain = to
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if plain && to.starts_with('/') && !to.starts_with("//") {
        to
    } else {
        "/"
    }
}

/// What the last action said, if this request brings it.
pub(crate) fn read(headers: &HeaderMap) -> Option<String> {
    let says = crate::access::find_cookie(headers, NAME)?;
    let says = percent_decode_str(says).decode_utf8().ok()?;
    Some(says.chars().take(CHARS_MAX).collect()).filter(|says: &String| !says.is_empty())
}

/// Leads on, with a session's cookie.
pub(crate) fn signed_in(cookie: &Cookie, secret: &str, to: &str) -> Response {
    let mut response = see(to);
    if let Some(cookie) = cookie.set(secret) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn only_paths_of_ours_are_led_to() {
        for good in ["/", "/dags", "/runs?state=failed&after=3", "/dags/a//b"] {
            assert_eq!(own_path(good), good);
        }
        for bad in [
            "",
            "dags",
            ".",
            "..",
            "./dags",
            "../dags",
            "?to=/",
            "#",
            "*",
            " /",
            "\t/",
            "//evil.example",
            "///evil.example",
            "////evil.example",
            "//evil.example/dags",
            "//[::1]/",
            "//@evil.example",
            "//\\evil.example",
            "/\\evil.example",
            "/\\/evil.example",
            "/dags\\..\\evil",
            "\\\\evil",
            "\\/evil",
            "https://evil.example",
            "HTTPS://evil.example",
            "https:evil.example",
            "https:/evil.example",
            "http://tidemill.test",
            "ftp://evil.example",
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "java\tscript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "blob:x",
            "file:///etc/passwd",
            "mailto:a@evil.example",
            "@evil.example",
            "evil.example",
            "/a b",
            "/a\r\nSet-Cookie: x",
            "/a\nLocation: //evil",
            "/%09\t//evil",
            "/é",
            "/。evil.example",
            "／／evil.example",
            "\t//evil",
            "\r\n//evil",
            "\u{feff}//evil",
            "/\u{0}",
            "/\u{7f}",
            "/\u{202e}",
        ] {
            assert_eq!(own_path(bad), "/", "{bad:?}");
        }
    }
}
