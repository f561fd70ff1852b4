//! What never changes: a token, a user and a password, the key of an API, or nothing.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HeaderName, HeaderValue};
use tidemill_core::operator::{Connection, Secret, TaskError, TaskResult};

use super::{Access, Granted};

/// Nobody in particular.
pub(super) fn anonymous() -> Access {
    Access(Arc::new(Granted {
        who: "an anonymous caller".to_owned(),
        ..Granted::default()
    }))
}

/// A token that is always the same.
pub(super) fn token(connection: &Connection, scheme: &str, token: &Secret) -> TaskResult<Access> {
    let who = format!("the token of connection `{}`", connection.name);
    Granted::with(scheme, token, who).map(|granted| Access(Arc::new(granted)))
}

/// What a connection of a kind of its own has.
pub(super) fn access(connection: &Connection) -> TaskResult<Access> {
    let field = |name: &str| connection.fields.get(name).map(String::as_str);
    if let Some(secret) = connection.secrets.get("token") {
        let usual = if connection.kind == "dbt_cloud" {
            "Token"
        } else {
            "Bearer"
        };
        return token(connection, field("token_scheme").unwrap_or(usual), secret);
    }
    if let Some(password) = connection.secrets.get("password") {
        let user = field("user").unwrap_or_default();
        let pair = STANDARD.encode(format!("{user}:{}", password.reveal()));
        let who = format!("user `{user}`");
        let granted = Granted::with("Basic", &Secret::new(pair), who)?;
        return Ok(Access(Arc::new(granted)));
    }
    if let Some(key) = connection.secrets.get("api_key") {
        let name = field("api_key_header").unwrap_or("x-api-key");
        let wrong = |what: &str| {
            TaskError::permanent(format!(
                "{what} of connection `{}` cannot be sent as a header",
                connection.name
            ))
        };
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| wrong("the field `api_key_header`"))?;
        let value = HeaderValue::from_str(key.reveal().trim());
        let mut value = value.map_err(|_| wrong("the secret `api_key`"))?;
        value.set_sensitive(true);
        return Ok(Access(Arc::new(Granted {
            header: Some((header, value)),
            who: format!("the key of connection `{}`", connection.name),
            ..Granted::default()
        })));
    }
    Ok(anonymous())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(connection: &Connection) -> Option<(String, String)> {
        let (name, value) = access(connection).unwrap().header()?;
        Some((name.to_string(), value.to_str().unwrap().to_owned()))
    }

    #[test]
    fn each_form_is_sent_as_its_header() {
        let http = || Connection::new("crm", "http");
        let header = |name: &str, value: &str| Some((name.to_owned(), value.to_owned()));
        assert_eq!(sent(&http()), None);
        assert_eq!(
            sent(&http().with_secret("token", " abc\n")),
            header("authorization", "Bearer abc")
        );
        assert_eq!(
            sent(&Connection::new("d", "dbt_cloud").with_secret("token", "abc")),
            header("authorization", "Token abc")
        );
        assert_eq!(
            sent(&http().with("user", "etl").with_secret("password", "pw")),
            header("authorization", "Basic ZXRsOnB3")
        );
        let keyed = http()
            .with("api_key_header", "X-Key")
            .with_secret("api_key", "k");
        assert_eq!(sent(&keyed), header("x-key", "k"));
    }
}
