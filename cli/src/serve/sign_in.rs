//! Who the web UI lets in, by the settings.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Request, Response};
use reqwest::Client;
use reqwest::redirect::Policy;
use tidemill_access::{Role, password, secret};
use tidemill_core::operator::BoxFuture;
use tidemill_store::Store;
use tidemill_store::access::{By, NewUser};
use tidemill_web::access::sso::{Fetch, FetchError, Newcomers, Provider, ProviderConfig, Proxy};
use tidemill_web::{Access, Accounts, Local};
use tracing::info;

use crate::config::kinds::{Name, SignIn};
use crate::config::settings::Settings;
use crate::config::{Environment, Loaded};
use crate::db::now;
use crate::door::failed;
use crate::google_secrets::told;
use crate::output::{INVALID, Output, UNREACHABLE, USAGE};

/// How long another host may take, and how much it may say.
const WITHIN: Duration = Duration::from_secs(10);
const BYTES_MAX: usize = 1 << 20;

/// The first user's name.
const FIRST: &str = "admin";

/// Where the web UI is.
pub(super) struct Place<'a> {
    /// Where browsers find it.
    pub(super) url: &'a str,
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// Whether it is in a process with everything else.
    pub(super) standalone: bool,
}

/// Who is let in.
pub(super) async fn access(
    loaded: &Loaded,
    environment: &Environment,
    store: &Store,
    place: Place<'_>,
) -> Result<Arc<dyn Access>, Output> {
    let settings = &loaded.settings;
    // A link that whoever has it comes in by is for one's own machine.
    let alone = place.standalone && place.address.ip().is_loopback();
    let way = settings
        .web_sign_in
        .unwrap_or(if alone { SignIn::Link } else { SignIn::Users });
    if way == SignIn::Link {
        return link(environment, place.url);
    }
    let mut accounts = Accounts::new(store.clone());
    if settings.oidc_issuer.is_some() || settings.iap_audience.is_some() {
        let fetch: Arc<dyn Fetch> = Arc::new(Asks::new()?);
        if let Some(config) = provider(settings, place.url)? {
            accounts = accounts.single(Provider::new(config, Arc::clone(&fetch)));
        }
        if let Some(audience) = &settings.iap_audience {
            accounts = accounts.behind(Proxy::new(audience.as_str(), fetch));
        }
    }
    if let Some(newcomers) = newcomers(settings)? {
        accounts = accounts.with_newcomers(newcomers);
    }
    first(store, settings, place.url).await?;
    Ok(Arc::new(accounts))
}

fn link(environment: &Environment, url: &str) -> Result<Arc<dyn Access>, Output> {
    let user = ["USER", "LOGNAME"]
        .iter()
        .find_map(|name| environment.variable(name));
    let url = url.to_owned();
    let show = move |key: &str| info!("web UI: {url}/enter?key={key} signs you in, once");
    let local = Local::new(user.unwrap_or("local"), show);
    Ok(Arc::new(
        local.map_err(|error| Output::failed(error, INVALID))?,
    ))
}

fn provider(settings: &Settings, url: &str) -> Result<Option<ProviderConfig>, Output> {
    let Some(issuer) = &settings.oidc_issuer else {
        return Ok(None);
    };
    let (Some(id), Some(secret)) = (&settings.oidc_client_id, &settings.oidc_client_secret) else {
        return Err(Output::usage(
            "`oidc_issuer` is set, but not who this Tidemill is there",
            "set `oidc_client_id` and `oidc_client_secret` too, as the provider shows them",
        ));
    };
    Ok(Some(ProviderConfig {
        issuer: issuer.as_str().to_owned(),
        client_id: id.as_str().to_owned(),
        client_secret: secret.reveal().to_owned(),
        name: settings.oidc_name.as_str().into(),
        back: format!("{url}/sign-in/back"),
    }))
}

fn newcomers(settings: &Settings) -> Result<Option<Newcomers>, Output> {
    let Some(role) = settings.newcomer_role else {
        return Ok(None);
    };
    // Without it everybody in the world who has an account at the provider would get one here.
    let Some(domains) = &settings.newcomer_domains else {
        return Err(Output::usage(
            "`newcomer_role` is set, but not who gets an account by it",
            "set `newcomer_domains` too, such as `example.com`",
        ));
    };
    let domains = domains.iter().map(Name::as_str).map(str::to_owned);
    Ok(Some(Newcomers {
        role,
        domains: domains.collect(),
    }))
}

/// Makes the first user, if there is none, and says how they come in.
async fn first(store: &Store, settings: &Settings, url: &str) -> Result<(), Output> {
    let users = store.users().await.map_err(|error| failed(&error))?;
    if !users.is_empty() {
        info!("web UI: {url}");
        return Ok(());
    }
    if settings.iap_audience.is_some() {
        info!(
            "web UI: {url}; nobody has an account yet: `users add you@example.com --role admin --no-password` makes yours"
        );
        return Ok(());
    }
    let broken = |error: &dyn std::fmt::Display| Output::failed(error, UNREACHABLE);
    let shown = secret::one_time_password().map_err(|error| broken(&error))?;
    let hash = password::hash(&shown).map_err(|error| broken(&error))?;
    let new = NewUser {
        name: FIRST.into(),
        display: FIRST.into(),
        password: Some(hash.into()),
        sso: None,
        role: Role::Admin,
        must_change: true,
    };
    let by = By {
        who: "the first start",
        at: now(),
    };
    let made = store.make_first_user(&new, by).await;
    if made.map_err(|error| failed(&error))? {
        info!(
            "web UI: {url}; sign in as {FIRST} with the password {shown}, which is shown this once and has to be changed then"
        );
    } else {
        info!("web UI: {url}");
    }
    Ok(())
}

/// Asks other hosts.
struct Asks(Client);

impl Asks {
    fn new() -> Result<Self, Output> {
        // Somebody may have installed it before us; there is only this one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(WITHIN)
            .timeout(WITHIN)
            .redirect(Policy::none())
            .build();
        let client = client.map_err(|error| Output::failed(told(&error), USAGE))?;
        Ok(Self(client))
    }

    async fn ask(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, FetchError> {
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string();
        let wrong = |error: &reqwest::Error| FetchError(format!("{url}: {}", told(error)));
        let asked = self.0.request(parts.method, &url).headers(parts.headers);
        let answer = asked.body(body).send().await;
        let mut answer = answer.map_err(|error| wrong(&error))?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| wrong(&error))? {
            if body.len() + chunk.len() > BYTES_MAX {
                return Err(FetchError(format!("{url} answered with more than 1 MiB")));
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = Response::new(body);
        *response.status_mut() = status;
        Ok(response)
    }
}

impl Fetch for Asks {
    fn fetch(
        &self,
        request: Request<Vec<u8>>,
    ) -> BoxFuture<'_, Result<Response<Vec<u8>>, FetchError>> {
        Box::pin(self.ask(request))
    }
}
