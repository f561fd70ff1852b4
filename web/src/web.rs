//! What all pages share.

use std::sync::Arc;

use ring::rand::SystemRandom;
use tidemill_core::time::Timestamp;
use tidemill_store::Store;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::about::About;
use crate::access::{Access, Cookie, Hasher};
use crate::assets::Assets;
use crate::door::Door;
use crate::live::{Live, LiveSettings};
use crate::pace::Pace;
use crate::specs::Specs;

/// How a web process is set up.
#[derive(Clone)]
pub struct Config {
    /// The name of the installation, shown where it is not the usual one.
    pub deployment: Arc<str>,
    /// Whether browsers come by https: cookies are `Secure` then, and bound to the host by their name.
    pub https: bool,
    /// How many proxies of ours are in front: each says from where it was asked.
    pub proxies: usize,
    /// The port that browsers find it at. Cookies do not know ports: without https the session's has it in its name, so that
    /// two of these on one machine do not sign each other out.
    pub port: Option<u16>,
    /// How many changes one person or token may make at once; they come back at fifty a second.
    pub changes: u32,
    /// How pages are told of changes.
    pub live: LiveSettings,
    /// The wall's clock.
    pub wall: fn() -> Timestamp,
    /// Knows what this installation runs with.
    pub about: Arc<dyn About>,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("deployment", &self.deployment)
            .field("https", &self.https)
            .finish_non_exhaustive()
    }
}

/// What all pages share. Cheap to clone.
#[derive(Clone)]
pub struct Web(Arc<Shared>);

struct Shared {
    config: Config,
    store: Store,
    door: Arc<dyn Door>,
    access: Arc<dyn Access>,
    cookie: Cookie,
    assets: Assets,
    specs: Specs,
    live: Live,
    random: SystemRandom,
    hasher: Hasher,
    waits: Arc<Semaphore>,
    pace: Pace,
}

/// So many requests may wait for something at once; the others are answered at once.
const WAITS_MAX: usize = 256;

impl std::fmt::Debug for Web {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Web").finish_non_exhaustive()
    }
}

impl Web {
    /// A web over this store, which asks through this door and lets in whom `access` knows.
    #[must_use]
    pub fn new(config: Config, store: Store, door: Arc<dyn Door>, access: Arc<dyn Access>) -> Self {
        let cookie = Cookie::new((config.https, config.port), access.same_site());
        Self(Arc::new(Shared {
            live: Live::new(store.clone(), config.live),
            pace: Pace::new(config.changes),
            config,
            store,
            door,
            access,
            cookie,
            assets: Assets::embedded(),
            specs: Specs::default(),
            random: SystemRandom::new(),
            hasher: Hasher::default(),
            waits: Arc::new(Semaphore::new(WAITS_MAX)),
        }))
    }

    /// Where pages read.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The way to the leader.
    #[must_use]
    pub fn door(&self) -> &dyn Door {
        &*self.0.door
    }

    /// Who is let in.
    #[must_use]
    pub fn access(&self) -> &dyn Access {
        &*self.0.access
    }

    /// What the wall's clock shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.0.config.wall)()
    }

    /// Ends the lines of all pages that listen for changes, and opens no more: the process stops.
    pub fn stop_listening(&self) {
        self.0.live.close();
    }

    pub(crate) fn live(&self) -> &Live {
        &self.0.live
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    pub(crate) fn about(&self) -> &dyn About {
        &*self.0.config.about
    }

    pub(crate) fn cookie(&self) -> &Cookie {
        &self.0.cookie
    }

    pub(crate) fn assets(&self) -> &Assets {
        &self.0.assets
    }

    pub(crate) fn specs(&self) -> &Specs {
        &self.0.specs
    }

    pub(crate) fn random(&self) -> &SystemRandom {
        &self.0.random
    }

    pub(crate) fn hasher(&self) -> &Hasher {
        &self.0.hasher
    }

    pub(crate) fn pace(&self) -> &Pace {
        &self.0.pace
    }

    /// A place among the requests that wait; none if there are too many.
    pub(crate) fn wait(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.waits).try_acquire_owned().ok()
    }
}
