//! A profile of dbt, made out of a connection.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidemill_core::operator::{Connection, OrFail as _, Secret, TaskError, TaskResult};
use tidemill_core::text::Text;

/// dbt masks variables that begin like this, and takes them in profiles alone.
const SECRET: &str = "DBT_ENV_SECRET_TIDEMILL";

/// Where dbt works, made out of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "a profile does nothing until it is given to `Dbt`"]
pub struct DbtProfile {
    kind: Kind,
    connection: String,
    /// A dataset, or a schema.
    schema: Text,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    project: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<Text>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Bigquery,
    Postgres,
}

/// What is written, and what is kept out of it.
pub(super) struct Written {
    pub(super) output: Value,
    pub(super) secret: Option<Secret>,
}

impl DbtProfile {
    fn new(kind: Kind, connection: impl Into<String>, schema: impl Into<Text>) -> Self {
        Self {
            kind,
            connection: connection.into(),
            schema: schema.into(),
            project: None,
            location: None,
        }
    }

    /// A dataset of BigQuery, in the connection's project.
    pub fn bigquery(connection: impl Into<String>, dataset: impl Into<Text>) -> Self {
        Self::new(Kind::Bigquery, connection, dataset)
    }

    /// A schema of PostgreSQL.
    pub fn postgres(connection: impl Into<String>, schema: impl Into<Text>) -> Self {
        Self::new(Kind::Postgres, connection, schema)
    }

    /// Another project than the connection's.
    pub fn project(mut self, project: impl Into<Text>) -> Self {
        self.project = Some(project.into());
        self
    }

    /// Where the dataset is.
    pub fn location(mut self, location: impl Into<Text>) -> Self {
        self.location = Some(location.into());
        self
    }

    pub(super) fn connection(&self) -> &str {
        &self.connection
    }

    /// The variable that the secret comes in.
    pub(super) const fn variable() -> &'static str {
        SECRET
    }

    pub(super) fn written(&self, connection: &Connection, threads: u16) -> TaskResult<Written> {
        let mut written = match self.kind {
            Kind::Bigquery => self.bigquery_of(connection)?,
            Kind::Postgres => self.postgres_of(connection)?,
        };
        written.output["threads"] = threads.into();
        Ok(written)
    }

    fn bigquery_of(&self, connection: &Connection) -> TaskResult<Written> {
        let field = |name: &str| connection.fields.get(name).map(String::as_str);
        let mut output = json!({ "type": "bigquery", "dataset": self.schema.as_str() });
        let mut set = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                output[name] = value.into();
            }
        };
        let project = self.project.as_ref().map(Text::as_str);
        let endpoint = field("bigquery_endpoint").or_else(|| field("endpoint"));
        set("project", project.or_else(|| field("project")));
        set("location", self.location.as_ref().map(Text::as_str));
        set("quota_project", field("quota_project"));
        set("api_endpoint", endpoint);
        let lent = field("impersonate").and_then(|chain| chain.split([',', ' ']).next_back());
        set("impersonate_service_account", lent);
        let secret = |name: &str| connection.secrets.get(name).cloned();
        let masked = format!("{{{{ env_var('{SECRET}') }}}}");
        let secret = if let Some(key) = secret("key") {
            let mut key: Value = serde_json::from_str(key.reveal()).or_permanent(format!(
                "read the key of connection `{}` as JSON",
                self.connection
            ))?;
            let private = key["private_key"].as_str().unwrap_or_default().to_owned();
            key["private_key"] = masked.into();
            output["method"] = "service-account-json".into();
            output["keyfile_json"] = key;
            Some(Secret::new(private))
        } else if let Some(file) = field("key_file") {
            output["method"] = "service-account".into();
            output["keyfile"] = file.into();
            None
        } else if secret("token").is_some() || endpoint.is_some() {
            // A server of one's own asks for no token, but dbt does.
            let token = secret("token").unwrap_or_else(|| Secret::new("anonymous"));
            output["method"] = "oauth-secrets".into();
            output["token"] = masked.into();
            Some(token)
        } else {
            output["method"] = "oauth".into();
            None
        };
        if output.get("project").is_none() {
            let message = format!("connection `{}` has no field `project`", self.connection);
            return Err(
                TaskError::permanent(message).help("set it, or say `.project(…)` of the profile")
            );
        }
        Ok(Written { output, secret })
    }

    fn postgres_of(&self, connection: &Connection) -> TaskResult<Written> {
        let field = |name: &str| connection.fields.get(name).map(String::as_str);
        let port: u16 = field("port")
            .unwrap_or("5432")
            .parse()
            .or_permanent(format!("read the port of connection `{}`", self.connection))?;
        let mut output = json!({
            "type": "postgres", "host": connection.field("host")?, "port": port,
            "user": connection.field("user")?, "dbname": connection.field("database")?,
            "schema": self.schema.as_str(), "password": format!("{{{{ env_var('{SECRET}') }}}}"),
        });
        if let Some(mode) = field("sslmode") {
            output["sslmode"] = mode.into();
        }
        let password = connection.secrets.get("password").cloned();
        Ok(Written {
            output,
            secret: Some(password.unwrap_or_else(|| Secret::new(""))),
        })
    }
}
