//! Which API is spoken, and where it is.

use std::borrow::Cow;

use reqwest::Url;
use tidemill_core::operator::{Connection, TaskError, TaskResult};

/// Which connections lead to an API: how their credentials are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Google Cloud: connections of kind `google`.
    Google,
    /// Databricks: connections of kind `databricks`.
    Databricks,
    /// Anything else that speaks HTTP: connections of any other kind, with a token, or a user and a password.
    Http,
}

impl Kind {
    /// The kind that a connection is of.
    #[must_use]
    pub fn of(connection: &Connection) -> Self {
        match connection.kind.as_str() {
            "google" | "google_cloud" | "google_cloud_platform" | "gcp" => Self::Google,
            "databricks" => Self::Databricks,
            _ => Self::Http,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Google => "google",
            Self::Databricks => "databricks",
            Self::Http => "http",
        }
    }
}

/// An API that is spoken over HTTP.
#[derive(Debug, Clone)]
pub struct Api {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    base: Cow<'static, str>,
}

impl Api {
    /// An API of Google Cloud. A connection leads elsewhere with its field `endpoint`, for all of them, or with
    /// `NAME_endpoint`, such as `storage_endpoint`, for this one.
    #[must_use]
    pub const fn google(name: &'static str, base: &'static str) -> Self {
        Self::new(name, Kind::Google, base)
    }

    /// An API of a Databricks workspace, whose address is the connection's field `host`.
    #[must_use]
    pub const fn databricks(name: &'static str) -> Self {
        Self::new(name, Kind::Databricks, "")
    }

    /// Any other API; its address is the connection's field `endpoint`, `url` or `host`, else this one.
    #[must_use]
    pub const fn http(name: &'static str, base: &'static str) -> Self {
        Self::new(name, Kind::Http, base)
    }

    const fn new(name: &'static str, kind: Kind, base: &'static str) -> Self {
        Self {
            name,
            kind,
            base: Cow::Borrowed(base),
        }
    }

    /// The same API in a region of its own, where the connection does not say otherwise.
    #[must_use]
    pub fn at(mut self, base: impl Into<String>) -> Self {
        self.base = Cow::Owned(base.into());
        self
    }

    /// Where it is for this connection.
    pub(crate) fn address(&self, connection: &Connection) -> TaskResult<Url> {
        let name = &connection.name;
        let of = Kind::of(connection);
        if self.kind != Kind::Http && of != self.kind {
            let (is, wanted) = (&connection.kind, self.kind.word());
            return Err(TaskError::permanent(format!(
                "connection `{name}` is of kind `{is}`, and {} needs one of kind `{wanted}`",
                self.name
            ))
            .help("name another connection in the operator, or change the kind of this one"));
        }
        let own = format!("{}_endpoint", self.name);
        let fields = [own.as_str(), "endpoint", "url", "host"];
        let given = fields.into_iter().find_map(|field| {
            let value = connection.fields.get(field)?.trim();
            (!value.is_empty()).then_some((field, value))
        });
        match given {
            Some((field, value)) => parsed(value).map_err(|why| {
                TaskError::permanent(format!(
                    "the field `{field}` of connection `{name}` is no address: {why}"
                ))
                .help("write it as `https://host`, with a port if it needs one")
            }),
            None if self.base.is_empty() => Err(TaskError::permanent(format!(
                "connection `{name}` does not say where {} is",
                self.name
            ))
            .help("set its field `endpoint`, such as `https://host`")),
            None => parsed(&self.base).map_err(|why| {
                TaskError::permanent(format!(
                    "the address `{}` of {} is none: {why}",
                    self.base, self.name
                ))
            }),
        }
    }
}

/// An address that begins with a scheme, or is `https` without one.
pub(crate) fn parsed(text: &str) -> Result<Url, String> {
    let url = if text.contains("://") {
        Url::parse(text)
    } else {
        Url::parse(&format!("https://{text}"))
    };
    let url = url.map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("`{}` is neither http nor https", url.scheme()));
    }
    if !url.has_host() {
        return Err("it has no host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it has a user or a password in it, which belong into secrets".to_owned());
    }
    Ok(url)
}

/// Whether an address is this machine.
pub(crate) fn is_local(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host
            .parse::<std::net::Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORAGE: Api = Api::google("storage", "https://storage.googleapis.com");

    fn address(api: &Api, fields: &[(&str, &str)]) -> Result<String, String> {
        let connection = fields.iter().fold(
            Connection::new("c", "google"),
            |connection, (name, value)| connection.with(*name, *value),
        );
        let found = api.address(&connection);
        found
            .map(|url| url.to_string())
            .map_err(|error| error.message)
    }

    #[test]
    fn a_connection_leads_one_service_or_all_elsewhere() {
        assert_eq!(
            address(&STORAGE, &[]).unwrap(),
            "https://storage.googleapis.com/"
        );
        let all = ("endpoint", "http://127.0.0.1:1234/");
        assert_eq!(address(&STORAGE, &[all]).unwrap(), "http://127.0.0.1:1234/");
        let one = ("storage_endpoint", "storage.local:99");
        assert_eq!(
            address(&STORAGE, &[all, one]).unwrap(),
            "https://storage.local:99/"
        );
        let regional = STORAGE.at("https://eu.example/api");
        assert_eq!(address(&regional, &[]).unwrap(), "https://eu.example/api");
    }

    #[test]
    fn what_is_no_address_is_named_without_its_password() {
        for wrong in ["ftp://x", "http://", "http://u:pass@x", "http://a b"] {
            let why = address(&STORAGE, &[("endpoint", wrong)]).unwrap_err();
            assert!(why.contains("`endpoint` of connection `c`"), "{why}");
            assert!(!why.contains("pass@"), "{why}");
        }
    }

    #[test]
    fn a_connection_of_another_kind_is_refused() {
        let other = Connection::new("crm", "http").with("url", "https://crm");
        let why = STORAGE.address(&other).unwrap_err().message;
        assert!(why.contains("needs one of kind `google`"), "{why}");
    }

    #[test]
    fn this_machine_is_known() {
        for (text, local) in [
            ("http://127.0.0.1:80", true),
            ("http://localhost:1", true),
            ("http://[::1]:1", true),
            ("https://storage.googleapis.com", false),
            ("http://127.example.com", false),
        ] {
            assert_eq!(is_local(&parsed(text).unwrap()), local, "{text}");
        }
    }
}
