//! Connections and variables from variables of the environment: `TIDEMILL_CONN_CRM`, `TIDEMILL_VAR_REGION`.

use std::collections::BTreeMap;

use serde::Deserialize;
use tidemill_core::operator::{Connection, Secret};
use url::Url;

/// A variable of the environment that holds no connection. What is in it is not shown: it may be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the variable `{variable}` is no connection: {why}; write JSON such as `{{\"kind\": \"http\", \"fields\": {{\"url\": \"…\"}}, \"secrets\": {{\"token\": \"…\"}}}}`, or `http://user:password@host/path`"
)]
pub struct EnvironmentError {
    /// Its name.
    pub variable: String,
    /// What is wrong.
    pub why: String,
}

/// The variable that a connection is looked for in.
///
/// ```
/// use tidemill_scheduler::secrets::connection_variable;
/// assert_eq!(connection_variable("crm-eu.v2"), "TIDEMILL_CONN_CRM_EU_V2");
/// ```
#[must_use]
pub fn connection_variable(name: &str) -> String {
    format!("TIDEMILL_CONN_{}", in_capitals(name))
}

/// The variable that a variable is looked for in.
#[must_use]
pub fn variable_variable(name: &str) -> String {
    format!("TIDEMILL_VAR_{}", in_capitals(name))
}

fn in_capitals(name: &str) -> String {
    name.to_uppercase().replace(['-', '.'], "_")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    kind: String,
    #[serde(default)]
    fields: BTreeMap<String, String>,
    #[serde(default)]
    secrets: BTreeMap<String, String>,
}

/// A connection that stands in these variables of the environment; none if it does not.
///
/// # Errors
/// The variable holds no connection.
pub fn connection_in(
    variables: &BTreeMap<String, String>,
    name: &str,
) -> Option<Result<Connection, EnvironmentError>> {
    let variable = connection_variable(name);
    let text = variables.get(&variable).filter(|text| !text.is_empty())?;
    Some(connection(name, text).map_err(|why| EnvironmentError { variable, why }))
}

/// Reads a connection from the text of a variable.
pub(super) fn connection(name: &str, text: &str) -> Result<Connection, String> {
    let text = text.trim();
    if text.starts_with('{') {
        return json(name, text);
    }
    // What is wrong with a URL is said without it: `url` does not repeat it.
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    let mut connection = Connection::new(name, url.scheme());
    if matches!(url.scheme(), "http" | "https") {
        "http".clone_into(&mut connection.kind);
        let mut plain = url.clone();
        // Only addresses without a host refuse this, and HTTP has none of those.
        let _ = plain.set_username("");
        let _ = plain.set_password(None);
        plain.set_query(None);
        plain.set_fragment(None);
        connection = connection.with("url", plain.as_str().trim_end_matches('/'));
    }
    if let Some(host) = url.host_str() {
        connection = connection.with("host", host);
    }
    if let Some(port) = url.port() {
        connection = connection.with("port", port.to_string());
    }
    if !matches!(url.path(), "" | "/") {
        connection = connection.with("path", url.path());
    }
    if !url.username().is_empty() {
        connection = connection.with("user", decoded(url.username()));
    }
    if let Some(password) = url.password() {
        connection = connection.with_secret("password", decoded(password));
    }
    for (field, value) in url.query_pairs() {
        connection = if is_secret(&field) {
            connection.with_secret(field, value)
        } else {
            connection.with(field, value)
        };
    }
    Ok(connection)
}

/// JSON as Secret Manager and variables hold it.
pub(super) fn json(name: &str, text: &str) -> Result<Connection, String> {
    // What serde says may quote the text, so only the place is told.
    let written: Written = serde_json::from_str(text).map_err(|error| {
        format!(
            "its JSON is wrong at line {}, column {}",
            error.line(),
            error.column()
        )
    })?;
    let secrets = written.secrets.into_iter();
    Ok(Connection {
        name: name.to_owned(),
        kind: written.kind,
        fields: written.fields,
        secrets: secrets
            .map(|(name, value)| (name, Secret::new(value)))
            .collect(),
    })
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

/// Whether a field of an address is a secret, by its name.
fn is_secret(field: &str) -> bool {
    let field = field.to_lowercase();
    ["password", "secret", "token", "key", "credential"]
        .iter()
        .any(|word| field.contains(word))
}
