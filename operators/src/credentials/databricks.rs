//! Databricks: a personal access token, or the OAuth login of a service principal.

use std::time::Duration;

use reqwest::{Method, Url};
use tidemill_core::operator::{Connection, Secret, TaskError, TaskResult};

use super::{Granted, Source, TokenReply, plain};
use crate::http::{Api, Line, parsed};

const WITHIN: Duration = Duration::from_secs(60);

/// A machine that logs in.
pub(super) struct ServicePrincipal {
    connection: String,
    token_url: Url,
    client_id: String,
    client_secret: Secret,
}

pub(super) fn source(connection: &Connection, local: bool) -> TaskResult<Source> {
    if let Some(token) = connection.secrets.get("token") {
        return plain::token(connection, "Bearer", token).map(Source::Fixed);
    }
    let id = connection.fields.get("client_id");
    let secret = connection.secrets.get("client_secret");
    let (Some(id), Some(secret)) = (id, secret) else {
        if local && id.is_none() && secret.is_none() {
            return Ok(Source::Fixed(plain::anonymous()));
        }
        let name = &connection.name;
        return Err(TaskError::permanent(format!(
            "connection `{name}` has no credentials for Databricks"
        ))
        .help("set the secret `token`, or the field `client_id` and the secret `client_secret`"));
    };
    let token_url = match connection.fields.get("token_endpoint") {
        Some(text) => parsed(text).map_err(|why| {
            TaskError::permanent(format!(
                "the field `token_endpoint` of connection `{}` is no address: {why}",
                connection.name
            ))
        })?,
        None => {
            let mut url = Api::databricks("databricks").address(connection)?;
            url.set_path("/oidc/v1/token");
            url
        }
    };
    Ok(Source::Databricks(ServicePrincipal {
        connection: connection.name.clone(),
        token_url,
        client_id: id.clone(),
        client_secret: secret.clone(),
    }))
}

impl ServicePrincipal {
    pub(super) async fn fetch(&self, line: &Line) -> TaskResult<Granted> {
        let who = format!("service principal `{}`", self.client_id);
        let client = line.bare("token", self.token_url.clone(), &self.connection);
        let reply: TokenReply = client
            .follow(Method::POST, self.token_url.as_str())
            .form(&[
                ("grant_type", "client_credentials"),
                ("scope", "all-apis"),
                ("client_id", &self.client_id),
                ("client_secret", self.client_secret.reveal()),
            ])
            .repeatable()
            .doing(format!("log in as {who}"))
            .by(&who)
            .within(WITHIN)
            .send_json()
            .await?;
        Granted::of(&reply, &who, line.pace().now())
    }
}
