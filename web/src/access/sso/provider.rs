//! An `OpenID` provider: people are sent there and come back with a code, for which it says who they are.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{Request, header};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use tidemill_access::Secret;
use tidemill_core::time::Timestamp;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::fetch::{Fetch, FetchError, document, read as read_answer};
use super::keys::Keys;
use super::token::{Expected, read};
use crate::access::{AccessError, Elsewhere, NotIn};

/// What a provider says of itself is read again after this.
const KEPT: Duration = Duration::from_secs(3_600);

/// Which provider, and who we are there.
#[derive(Clone)]
pub struct ProviderConfig {
    /// Its address, under which it describes itself: `https://accounts.google.com`.
    pub issuer: String,
    /// What it calls us.
    pub client_id: String,
    /// How it knows that we are who we say.
    pub client_secret: String,
    /// What the button says: `Google`.
    pub name: Arc<str>,
    /// Where people come back to: `https://tidemill.example.com/sign-in/back`.
    pub back: String,
}

/// What a provider says of itself.
#[derive(Debug, Deserialize)]
struct Described {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

#[derive(Debug)]
struct Known {
    described: Described,
    keys: Keys,
    read_at: Timestamp,
}

/// Somebody who is on their way to the provider. Their browser keeps this until they are back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// What has to come back with them.
    pub state: String,
    nonce: String,
    verifier: String,
    /// Which page they wanted.
    pub to: String,
}

#[derive(Debug, Deserialize)]
struct Tokens {
    id_token: Option<String>,
}

/// An `OpenID` provider.
pub struct Provider {
    config: ProviderConfig,
    fetch: Arc<dyn Fetch>,
    known: Mutex<Option<Arc<Known>>>,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider")
            .field("issuer", &self.config.issuer)
            .finish_non_exhaustive()
    }
}

fn elsewhere(error: &FetchError) -> NotIn {
    NotIn::Elsewhere(format!("{error}; try again in a minute"))
}

impl Provider {
    /// This provider, asked through `fetch`.
    #[must_use]
    pub fn new(config: ProviderConfig, fetch: Arc<dyn Fetch>) -> Self {
        let known = Mutex::default();
        Self {
            config,
            fetch,
            known,
        }
    }

    /// What the button says.
    #[must_use]
    pub fn name(&self) -> Arc<str> {
        Arc::clone(&self.config.name)
    }

    async fn known(&self, now: Timestamp) -> Result<Arc<Known>, NotIn> {
        let kept = self.kept().clone();
        if let Some(known) = kept.filter(|known| now.since(known.read_at) < KEPT) {
            return Ok(known);
        }
        let issuer = self.config.issuer.trim_end_matches('/');
        let url = format!("{issuer}/.well-known/openid-configuration");
        let described: Described = document(&*self.fetch, &url)
            .await
            .map_err(|error| elsewhere(&error))?;
        // Whoever describes somebody else could vouch for their people.
        if described.issuer.trim_end_matches('/') != issuer {
            let says = format!("{url} describes {}, not itself", described.issuer);
            return Err(NotIn::Elsewhere(says));
        }
        let known = Arc::new(Known {
            keys: Keys::at(described.jwks_uri.clone()),
            described,
            read_at: now,
        });
        *self.kept() = Some(Arc::clone(&known));
        Ok(known)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<Arc<Known>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where somebody is to go who wants to see `to`, and what their browser keeps meanwhile.
    ///
    /// # Errors
    /// The provider does not answer, or the system has no random numbers.
    pub async fn begin(&self, to: &str, now: Timestamp) -> Result<(String, Begun), NotIn> {
        let known = self.known(now).await?;
        let secret = || Secret::new().map(|secret| secret.text());
        let begun = Begun {
            state: secret().map_err(AccessError::from)?,
            nonce: secret().map_err(AccessError::from)?,
            verifier: secret().map_err(AccessError::from)?,
            to: to.to_owned(),
        };
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, begun.verifier.as_bytes()));
        let query = Serializer::new(String::new())
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.config.client_id)
            .append_pair("redirect_uri", &self.config.back)
            .append_pair("scope", "openid email profile")
            .append_pair("state", &begun.state)
            .append_pair("nonce", &begun.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            .finish();
        let at = &known.described.authorization_endpoint;
        let sign = if at.contains('?') { '&' } else { '?' };
        Ok((format!("{at}{sign}{query}"), begun))
    }

    /// Who it is that came back with this code.
    ///
    /// # Errors
    /// The provider does not answer, or its token is not good.
    pub async fn finish(
        &self,
        begun: &Begun,
        code: &str,
        now: Timestamp,
    ) -> Result<Elsewhere, NotIn> {
        let known = self.known(now).await?;
        let text = self.exchange(&known.described, begun, code).await?;
        let expected = Expected {
            issuer: &known.described.issuer,
            audience: &self.config.client_id,
            nonce: Some(&begun.nonce),
            vouches: false,
        };
        let said = read(&text, expected, (&known.keys, &*self.fetch), now).await?;
        Ok(Elsewhere {
            subject: format!("{} {}", known.described.issuer, said.subject),
            email: said.email,
            name: said.name,
        })
    }

    async fn exchange(
        &self,
        described: &Described,
        begun: &Begun,
        code: &str,
    ) -> Result<String, NotIn> {
        let url = described.token_endpoint.as_str();
        let request = self.asks(described, begun, code);
        let request = request.map_err(|error| NotIn::Elsewhere(format!("{url}: {error}")))?;
        let answer = self.fetch.fetch(request).await;
        let answer = answer.map_err(|error| elsewhere(&error))?;
        let tokens: Tokens = read_answer(url, &answer).map_err(|error| elsewhere(&error))?;
        let says = || NotIn::Elsewhere(format!("{url} did not say who this is"));
        tokens.id_token.ok_or_else(says)
    }

    /// Asks for a token, for a code.
    fn asks(
        &self,
        described: &Described,
        begun: &Begun,
        code: &str,
    ) -> Result<Request<Vec<u8>>, axum::http::Error> {
        let ProviderConfig {
            client_id,
            client_secret,
            ..
        } = &self.config;
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", &self.config.back)
            .append_pair("code_verifier", &begun.verifier);
        let mut request = Request::post(described.token_endpoint.as_str())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json");
        let methods = &described.token_endpoint_auth_methods_supported;
        let in_form = methods.iter().any(|way| way == "client_secret_post")
            && !methods.iter().any(|way| way == "client_secret_basic");
        if in_form {
            form.append_pair("client_id", client_id)
                .append_pair("client_secret", client_secret);
        } else {
            let coded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
            let pair = format!("{}:{}", coded(client_id), coded(client_secret));
            let basic = format!("Basic {}", STANDARD.encode(pair));
            request = request.header(header::AUTHORIZATION, basic);
        }
        request.body(form.finish().into_bytes())
    }
}
