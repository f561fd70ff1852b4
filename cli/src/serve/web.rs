//! The web UI: in a process with a scheduler, or in one of its own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use tidemill_scheduler::gateway::{Limits, serve};
use tidemill_store::Store;
use tidemill_web::{Config, Door, LiveSettings, Web, site};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::warn;

use super::about::Known;
use super::parts;
use super::sign_in::{self, Place};
use crate::config::settings::Settings;
use crate::config::{Environment, Loaded, Origin};
use crate::output::{Output, USAGE};

/// So many changes one person or token may make at once: more than anybody clicks, less than keeps the leader from others.
const CHANGES_AT_ONCE: u32 = 600;

/// What the pages are about.
pub(super) struct Behind {
    /// What is read.
    pub(super) store: Store,
    /// The way to who changes it.
    pub(super) door: Arc<dyn Door>,
    /// Whether the process is to stop.
    pub(super) stops: watch::Receiver<bool>,
    /// Whether everything is in this process.
    pub(super) standalone: bool,
}

/// Answers browsers from now on, until the process stops, and says how somebody comes in.
pub(super) async fn start(
    loaded: &Loaded,
    environment: &Environment,
    Behind {
        store,
        door,
        stops,
        standalone,
    }: Behind,
) -> Result<JoinHandle<()>, Output> {
    let settings = &loaded.settings;
    let listener = listen(loaded).await?;
    let address = listener.local_addr().unwrap_or(settings.web_listen);
    let url = settings
        .web_url
        .as_ref()
        .map_or_else(|| reached_at(address), |url| url.as_str().to_owned());
    let https = url.starts_with("https://");
    let place = Place {
        url: &url,
        address,
        standalone,
    };
    let access = sign_in::access(loaded, environment, &store, place).await?;
    let proxies = settings.web_proxies.map_or(0, |number| number.get());
    let config = Config {
        deployment: settings.deployment.as_str().into(),
        https,
        changes: CHANGES_AT_ONCE,
        proxies: usize::try_from(proxies).unwrap_or(usize::MAX),
        port: Some(address.port()),
        live: live(settings),
        wall: parts::wall,
        about: Arc::new(Known(loaded.clone())),
    };
    let web = Web::new(config, store, door, access);
    let router = site(web.clone()).router;
    let mut stop = stops.clone();
    tokio::spawn(async move {
        let _ = stop.wait_for(|stop| *stop).await;
        web.stop_listening();
    });
    Ok(tokio::spawn(serve(
        listener,
        None,
        router,
        Limits::default(),
        stops,
    )))
}

/// How pages are told of changes.
fn live(settings: &Settings) -> LiveSettings {
    LiveSettings {
        every: settings.live_every,
        listeners: usize::try_from(settings.live_listeners.get()).unwrap_or(usize::MAX),
        lasts: settings.live_lasts,
        ..LiveSettings::default()
    }
}

/// The address that is set, or, if nobody set one and another process is there, one with any free port.
async fn listen(loaded: &Loaded) -> Result<TcpListener, Output> {
    let wanted = loaded.settings.web_listen;
    let origin = loaded.origin("web_listen");
    let error = match TcpListener::bind(wanted).await {
        Ok(listener) => return Ok(listener),
        Err(error) => error,
    };
    if matches!(origin, Origin::Default)
        && let Ok(listener) = TcpListener::bind(SocketAddr::new(wanted.ip(), 0)).await
    {
        warn!("the web UI cannot listen on {wanted} ({error}); it takes another port");
        return Ok(listener);
    }
    let message = format_args!("the web UI cannot listen on {wanted} ({origin}): {error}");
    Err(Output::failed(message, USAGE))
}

/// Where a browser on this machine finds an address: one that means all networks is none that it could open.
fn reached_at(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}
