//! Workload identity federation: a token of somewhere else, exchanged for one of Google.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::operator::{OrFail as _, TaskError, TaskResult};

use super::Granted;
use super::google::{Google, account_of};
use crate::http::{Line, parsed};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const WITHIN: Duration = Duration::from_secs(30);

/// A configuration of workload identity federation.
#[derive(Deserialize)]
pub(super) struct External {
    audience: String,
    subject_token_type: String,
    token_url: String,
    credential_source: Subject,
    #[serde(default)]
    service_account_impersonation_url: Option<String>,
    #[serde(default)]
    quota_project_id: Option<String>,
}

/// Where the token of somewhere else is.
#[derive(Deserialize)]
struct Subject {
    #[serde(default)]
    file: Option<PathBuf>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    format: Format,
}

#[derive(Deserialize, Default)]
struct Format {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    subject_token_field_name: Option<String>,
}

impl External {
    /// A token; and which account it is to act as, by which address, if it is to.
    pub(super) async fn fetch(
        &self,
        google: &Google,
        line: &Line,
    ) -> TaskResult<(Granted, Option<(String, String)>)> {
        let subject = self.subject(google, line).await?;
        let url = parsed(&self.token_url).map_err(|why| {
            TaskError::permanent(format!(
                "the `token_url` of the federation is no address: {why}"
            ))
        })?;
        let acts_as = self.service_account_impersonation_url.as_ref();
        let scopes = google.scopes(acts_as.is_some());
        let form = [
            ("grant_type", EXCHANGE),
            ("audience", self.audience.as_str()),
            ("scope", &scopes),
            ("requested_token_type", ACCESS_TOKEN),
            ("subject_token", &subject),
            ("subject_token_type", &self.subject_token_type),
        ];
        let who = "this machine, by workload identity federation";
        let granted = google.exchanged(&url, &form, (who, line)).await?;
        let granted = Granted {
            quota_project: self.quota_project_id.clone(),
            ..granted
        };
        Ok((granted, acts_as.map(|url| (account_of(url), url.clone()))))
    }

    async fn subject(&self, google: &Google, line: &Line) -> TaskResult<String> {
        let source = &self.credential_source;
        let text = match (&source.file, &source.url) {
            (Some(file), _) => {
                let path = file.clone();
                let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(path)).await;
                let doing = format!("read the federation's token in {}", file.display());
                read.or_transient(&doing)?.or_permanent(&doing)?
            }
            (None, Some(url)) => self.asked(url, google, line).await?,
            (None, None) => {
                return Err(TaskError::permanent(
                    "the federation's token comes neither from a file nor from an address",
                )
                .help(
                    "programs and AWS as its source are not done here; write the token to a file",
                ));
            }
        };
        source.format.token(&text)
    }

    async fn asked(&self, url: &str, google: &Google, line: &Line) -> TaskResult<String> {
        let address = parsed(url).map_err(|why| {
            TaskError::permanent(format!(
                "the address of the federation's token is none: {why}"
            ))
        })?;
        let mut asked = google
            .client(&address, line)
            .follow(Method::GET, address.as_str())
            .doing("ask for the federation's token")
            .by("this machine")
            .within(WITHIN);
        for (name, value) in &self.credential_source.headers {
            asked = asked.secret_header(name, value);
        }
        let reply = asked.send().await?;
        String::from_utf8(reply.body().to_vec()).or_permanent("read the federation's token")
    }
}

impl Format {
    fn token(&self, text: &str) -> TaskResult<String> {
        if self.kind.as_deref() != Some("json") {
            return Ok(text.trim().to_owned());
        }
        let field = self.subject_token_field_name.as_deref();
        let field = field.unwrap_or("access_token");
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        let token = value.get(field).and_then(Value::as_str);
        token.map(str::to_owned).ok_or_else(|| {
            TaskError::permanent(format!(
                "the federation's token is to be in the field `{field}` of JSON, and is not"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_text_or_a_field_of_json() {
        let text = Format::default();
        assert_eq!(text.token(" abc\n").unwrap(), "abc");
        let json = Format {
            kind: Some("json".to_owned()),
            subject_token_field_name: Some("id".to_owned()),
        };
        assert_eq!(json.token(r#"{"id": "abc"}"#).unwrap(), "abc");
        let error = json.token(r#"{"other": "abc"}"#).unwrap_err();
        assert!(error.message.contains("`id`") && !error.message.contains("abc"));
    }

    #[test]
    fn the_account_is_in_the_address() {
        let url = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@b.iam:generateAccessToken";
        assert_eq!(account_of(url), "a@b.iam");
    }
}
