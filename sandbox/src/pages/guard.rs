//! Who a page is shown to, and whose forms are taken. Nobody signs in to the sandbox, so every page of the web that its
//! owner looks at could send it forms, and one whose name is made to mean this machine could read it.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, header};
use url::{Host, Url};

/// The names under which pages are shown.
pub(super) struct Hosts {
    listen: IpAddr,
    /// The host of the address that clients use.
    public: Option<Host>,
}

impl Hosts {
    pub(super) fn new(listen: SocketAddr, public: &str) -> Self {
        let public = Url::parse(public).ok();
        Self {
            listen: listen.ip(),
            public: public.and_then(|url| url.host().map(|host| host.to_owned())),
        }
    }

    /// Whether the request names this machine, or the address that is set. A name of somebody else's that was made to lead
    /// here is none of them.
    pub(super) fn know(&self, headers: &HeaderMap) -> bool {
        let Some(host) = host(headers).and_then(parsed) else {
            return false;
        };
        if self.public.as_ref() == Some(&host) {
            return true;
        }
        match host {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(ip) => self.is_own(ip.into()),
            Host::Ipv6(ip) => self.is_own(ip.into()),
        }
    }

    /// A number is never somebody else's name; it is this machine's if this machine listens to it.
    fn is_own(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || ip == self.listen || self.listen.is_unspecified()
    }
}

/// The one host that a request names.
fn host(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::HOST).iter();
    match (all.next(), all.next()) {
        (Some(one), None) => one.to_str().ok(),
        _ => None,
    }
}

/// Without its port.
fn parsed(authority: &str) -> Option<Host> {
    if authority.contains(['/', '?', '#', '@', '\\']) {
        return None;
    }
    let url = Url::parse(&format!("http://{authority}/")).ok()?;
    url.host().map(|host| host.to_owned())
}

/// Whether a form comes from one of the sandbox's own pages: the browser says so, and where from.
pub(super) fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or(""));
    let site = text("sec-fetch-site");
    if site.is_some_and(|site| site != "same-origin") {
        return false;
    }
    match text("origin") {
        None => site.is_some(),
        Some(origin) => {
            let from = origin
                .strip_prefix("http://")
                .or_else(|| origin.strip_prefix("https://"));
            let own = host(headers);
            from.zip(own)
                .is_some_and(|(from, own)| from.eq_ignore_ascii_case(own))
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn hosts(listen: &str, public: &str) -> Hosts {
        Hosts::new(listen.parse().unwrap(), public)
    }

    #[test]
    fn only_own_names_are_known() {
        let local = hosts("127.0.0.1:8792", "http://127.0.0.1:8792");
        let knows = |host: &str| local.know(&headers(&[("host", host)]));
        for own in [
            "127.0.0.1:8792",
            "localhost:8792",
            "LOCALHOST",
            "[::1]:8792",
        ] {
            assert!(knows(own), "{own}");
        }
        for foreign in [
            "evil.example",
            "127.0.0.1.evil.example:8792",
            "localhost.evil.example",
            "evil.example@localhost",
            "localhost/evil",
            "10.0.0.7",
            "",
            ":8792",
            "\u{e9}",
        ] {
            assert!(!knows(foreign), "{foreign}");
        }
        assert!(!local.know(&headers(&[])));
        assert!(!local.know(&headers(&[("host", "localhost"), ("host", "localhost")])));
    }

    #[test]
    fn what_is_set_is_known() {
        let open = hosts("0.0.0.0:8792", "https://cloud.acme.example");
        assert!(open.know(&headers(&[("host", "cloud.acme.example")])));
        assert!(open.know(&headers(&[("host", "10.0.0.7:8792")])));
        assert!(!open.know(&headers(&[("host", "acme.example")])));
        let one = hosts("10.0.0.7:8792", "http://10.0.0.7:8792");
        assert!(one.know(&headers(&[("host", "10.0.0.7:8792")])));
        assert!(!one.know(&headers(&[("host", "10.0.0.8:8792")])));
    }

    #[test]
    fn forms_come_from_own_pages() {
        let own = ("host", "localhost:8792");
        let from =
            |more: &[(&'static str, &str)]| is_same_origin(&headers(&[&[own], more].concat()));
        assert!(from(&[("sec-fetch-site", "same-origin")]));
        assert!(from(&[("origin", "http://localhost:8792")]));
        assert!(from(&[
            ("origin", "https://LOCALHOST:8792"),
            ("sec-fetch-site", "same-origin")
        ]));
        for foreign in [
            &[][..],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[("origin", "null")],
            &[("origin", "http://localhost:8790")],
            &[("origin", "http://evil.example")],
            &[
                ("origin", "http://evil.example"),
                ("sec-fetch-site", "same-origin"),
            ],
        ] {
            assert!(!from(foreign), "{foreign:?}");
        }
    }
}
