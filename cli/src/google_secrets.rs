//! Google Secret Manager, as another source of connections and variables. The token is that of the machine, from its
//! metadata server.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::operator::{BoxFuture, Secret};
use tidemill_scheduler::secrets::SecretSource;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::config::settings::Settings;

const WITHIN: Duration = Duration::from_secs(10);
/// A token is not used in its last minute.
const TOKEN_MARGIN: Duration = Duration::from_secs(60);

/// Secret Manager of one project.
pub(crate) struct GoogleSecrets {
    client: Client,
    project: String,
    endpoint: String,
    metadata: String,
    token: Mutex<Option<(Instant, String)>>,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    expires_in: u64,
}

impl GoogleSecrets {
    /// That of the project in the settings, if one is there.
    pub(crate) fn of(settings: &Settings, client: &Client) -> Option<Self> {
        let project = settings.secrets_project.as_ref()?;
        Some(Self {
            client: client.clone(),
            project: project.as_str().to_owned(),
            endpoint: settings.secrets_endpoint.as_str().to_owned(),
            metadata: settings.secrets_metadata.as_str().to_owned(),
            token: Mutex::default(),
        })
    }

    async fn token(&self) -> Result<String, String> {
        let mut kept = self.token.lock().await;
        if let Some((until, token)) = kept.as_ref()
            && *until > Instant::now()
        {
            return Ok(token.clone());
        }
        let url = format!(
            "{}/computeMetadata/v1/instance/service-accounts/default/token",
            self.metadata
        );
        let request = self.client.get(&url).header("Metadata-Flavor", "Google");
        let answer = request.timeout(WITHIN).send().await;
        let answer = answer.map_err(|error| format!("no token: {}", told(&error)))?;
        if !answer.status().is_success() {
            return Err(format!("no token: {url} answers {}", answer.status()));
        }
        let bytes = answer.bytes().await.map_err(|error| told(&error))?;
        let token: Token = serde_json::from_slice(&bytes)
            .map_err(|_| format!("no token: {url} answers something else"))?;
        let lasts = Duration::from_secs(token.expires_in).saturating_sub(TOKEN_MARGIN);
        *kept = Some((Instant::now() + lasts, token.access_token.clone()));
        Ok(token.access_token)
    }

    async fn look(&self, secret: &str) -> Result<Option<Secret>, String> {
        let (endpoint, project) = (&self.endpoint, &self.project);
        let url =
            format!("{endpoint}/v1/projects/{project}/secrets/{secret}/versions/latest:access");
        let request = self.client.get(&url).bearer_auth(self.token().await?);
        let answer = request.timeout(WITHIN).send().await;
        let answer = answer.map_err(|error| told(&error))?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            StatusCode::UNAUTHORIZED => {
                // It was taken back before its time: the next try gets another.
                *self.token.lock().await = None;
                return Err("it does not take our token".to_owned());
            }
            StatusCode::FORBIDDEN => {
                return Err(format!(
                    "it forbids it; give the service account the role Secret Manager Secret Accessor in `{project}` ({})",
                    why(answer).await
                ));
            }
            status => return Err(format!("it answers {status}: {}", why(answer).await)),
        }
        let bytes = answer.bytes().await.map_err(|error| told(&error))?;
        let odd = || "its answer has no payload that reads as text".to_owned();
        let answer: Value = serde_json::from_slice(&bytes).map_err(|_| odd())?;
        let data = answer["payload"]["data"].as_str().ok_or_else(odd)?;
        let data = STANDARD.decode(data).map_err(|_| odd())?;
        let text = String::from_utf8(data).map_err(|_| odd())?;
        Ok(Some(Secret::new(text)))
    }
}

impl SecretSource for GoogleSecrets {
    fn place(&self) -> String {
        format!("Secret Manager of `{}`", self.project)
    }

    fn fetch<'a>(&'a self, secret: &'a str) -> BoxFuture<'a, Result<Option<Secret>, String>> {
        Box::pin(self.look(secret))
    }
}

/// An error of the client, without the address: that is said already, or has secrets in it.
pub(crate) fn told(error: &reqwest::Error) -> String {
    let mut source = std::error::Error::source(error);
    let mut text = if error.is_timeout() {
        "it does not answer in time".to_owned()
    } else {
        "it cannot be reached".to_owned()
    };
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// What Google says went wrong, shortened.
async fn why(answer: Response) -> String {
    let bytes = answer.bytes().await.unwrap_or_default();
    let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let message = value["error"]["message"].as_str().unwrap_or("no reason");
    message.chars().take(300).collect()
}

/// The client of this process.
///
/// # Errors
/// If TLS cannot be set up.
pub(crate) fn client() -> Result<Client, String> {
    // Somebody may have installed it before us; there is only this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .connect_timeout(WITHIN)
        .build()
        .map_err(|error| format!("cannot set up TLS: {}", told(&error)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex as Lock};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::config::Environment;
    use crate::config::flags::GivenFlags;

    const ACCESS: &str = "/v1/projects/shop/secrets/tidemill-connection-crm/versions/latest:access";
    const TOKEN: &str = "/computeMetadata/v1/instance/service-accounts/default/token";

    /// A server that answers each path with a status and a body, and remembers what it was asked.
    async fn server(
        answers: BTreeMap<&'static str, (u16, String)>,
    ) -> (String, Arc<Lock<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Lock::new(Vec::new()));
        let seen = Arc::clone(&asked);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap().to_lowercase();
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                seen.lock().unwrap().push(head);
                let known = answers
                    .iter()
                    .find(|(known, _)| known.to_lowercase() == path);
                let (status, body) =
                    known.map_or((404, String::new()), |(_, answer)| answer.clone());
                let answer = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        (format!("http://{address}"), asked)
    }

    fn source(url: &str) -> GoogleSecrets {
        let variables = [
            ("TIDEMILL_SECRETS_PROJECT", "shop"),
            ("TIDEMILL_SECRETS_ENDPOINT", url),
            ("TIDEMILL_SECRETS_METADATA", url),
        ];
        let environment = Environment::new(variables, "");
        let loaded = GivenFlags::default().load(&environment).unwrap();
        GoogleSecrets::of(&loaded.settings, &client().unwrap()).unwrap()
    }

    fn token() -> (u16, String) {
        (
            200,
            r#"{"access_token": "abc", "expires_in": 3599}"#.to_owned(),
        )
    }

    #[tokio::test]
    async fn a_secret_is_fetched_with_the_token_of_the_machine() {
        let body = format!(
            r#"{{"payload": {{"data": "{}"}}}}"#,
            STANDARD.encode("http://crm")
        );
        let answers = BTreeMap::from([(TOKEN, token()), (ACCESS, (200, body))]);
        let (url, asked) = server(answers).await;
        let source = source(&url);
        for _ in 0..2 {
            let found = source.fetch("tidemill-connection-crm").await.unwrap();
            assert_eq!(found.unwrap().reveal(), "http://crm");
        }
        let asked = asked.lock().unwrap().clone();
        assert_eq!(asked.len(), 3, "the token is asked for once: {asked:?}");
        assert!(asked[0].contains("metadata-flavor: google"), "{}", asked[0]);
        assert!(
            asked[1].contains("authorization: bearer abc"),
            "{}",
            asked[1]
        );
    }

    #[tokio::test]
    async fn what_is_not_there_is_none_and_what_is_forbidden_says_which_role_is_missing() {
        let body = r#"{"error": {"message": "denied for the account"}}"#.to_owned();
        let answers = BTreeMap::from([(TOKEN, token()), (ACCESS, (403, body))]);
        let (url, _) = server(answers).await;
        let source = source(&url);
        assert_eq!(source.fetch("tidemill-variable-x").await, Ok(None));
        let why = source.fetch("tidemill-connection-crm").await.unwrap_err();
        assert!(why.contains("Secret Accessor"), "{why}");
        assert!(why.contains("denied for the account"), "{why}");
    }

    #[tokio::test]
    async fn an_outage_is_an_error() {
        let answers = BTreeMap::from([(TOKEN, token()), (ACCESS, (503, String::new()))]);
        let (url, _) = server(answers).await;
        let why = source(&url).fetch("tidemill-connection-crm").await;
        assert!(
            why.as_ref().is_err_and(|why| why.contains("503")),
            "{why:?}"
        );
        let nowhere = source("http://127.0.0.1:1");
        let why = nowhere.fetch("x").await.unwrap_err();
        assert!(why.starts_with("no token: it cannot be reached"), "{why}");
    }
}
