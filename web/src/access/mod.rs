//! Who is let in, and what they may do.

mod accounts;
mod authorise;
mod cookie;
mod csrf;
mod local;
mod password;
mod policy;
mod principal;
pub mod sso;
mod tags;

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::HeaderMap;
use tidemill_access::{NoRandom, Wait};
use tidemill_core::operator::BoxFuture;
use tidemill_core::time::Timestamp;
use tidemill_store::StoreError;

pub use accounts::{Accounts, Elsewhere};
pub use authorise::{Refused, authorise};
pub use cookie::{Cookie, SameSite};
pub use local::Local;
pub use policy::Policy;
pub use principal::{Principal, Tags};
pub use tidemill_core::role::Role;

pub(crate) use cookie::find as find_cookie;
pub(crate) use csrf::{guard, token as csrf_token};
pub(crate) use password::Hasher;

/// Who people and programs are could not be found out.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
    /// Something of ours.
    #[error("{0}")]
    Broken(String),
}

/// Why somebody is not signed in, for them to read.
#[derive(Debug, thiserror::Error)]
pub enum NotIn {
    /// Nobody signs in this way here.
    #[error("nobody signs in this way here")]
    Closed,
    /// There is no such user, or their password is another. Nobody is told which.
    #[error("this name and this password do not belong together")]
    Wrong,
    /// They tried too often.
    #[error(transparent)]
    Wait(#[from] Wait),
    /// They are who they say, but have no account.
    #[error("{0} has no account here; an admin can make one: `users add {0} --no-password`")]
    Unknown(String),
    /// They are who they say, and may not come in.
    #[error("the account {0} is disabled; an admin can enable it")]
    Disabled(String),
    /// Whoever vouches for them is not believed, or does not answer.
    #[error("{0}")]
    Elsewhere(String),
    /// Who they are could not be found out.
    #[error(transparent)]
    Broken(#[from] AccessError),
}

impl From<StoreError> for NotIn {
    fn from(error: StoreError) -> Self {
        Self::Broken(error.into())
    }
}

/// From where somebody signs in, and when.
#[derive(Debug, Clone, Copy)]
pub struct Browser<'a> {
    /// The address, if it is known.
    pub address: Option<IpAddr>,
    /// What the browser calls itself.
    pub agent: &'a str,
    /// Now.
    pub now: Timestamp,
}

/// By which ways people sign in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ways {
    /// With a name and a password.
    pub password: bool,
    /// With an account elsewhere, and what that is called.
    pub single: Option<Arc<str>>,
    /// A proxy in front says who they are.
    pub proxy: bool,
}

impl Ways {
    /// Whether there is a page for it; a link on the terminal is the only way otherwise.
    #[must_use]
    pub const fn page(&self) -> bool {
        self.password || self.single.is_some() || self.proxy
    }
}

/// Who is behind a cookie or a token. Secrets are given as they came; whoever keeps them keeps their hashes.
pub trait Access: Send + Sync + 'static {
    /// Who has this session; none if it is unknown, has ended, or its owner may not sign in any more.
    fn session<'a>(
        &'a self,
        secret: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Principal>, AccessError>>;

    /// Who has this API token.
    fn token<'a>(
        &'a self,
        secret: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Principal>, AccessError>>;

    /// The key of a one-time link becomes a session, whose secret is returned; none if it is not a valid key.
    fn redeem<'a>(
        &'a self,
        key: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<String>, AccessError>>;

    /// A session ends, here and everywhere.
    fn end<'a>(&'a self, secret: &'a str, now: Timestamp)
    -> BoxFuture<'a, Result<(), AccessError>>;

    /// How people sign in.
    fn ways(&self) -> Ways {
        Ways::default()
    }

    /// A name and a password become a session, whose secret is returned.
    fn password<'a>(
        &'a self,
        _: (&'a str, &'a str),
        _: Browser<'a>,
    ) -> BoxFuture<'a, Result<String, NotIn>> {
        Box::pin(async { Err(NotIn::Closed) })
    }

    /// Whoever an account elsewhere belongs to gets a session, whose secret is returned.
    fn open<'a>(
        &'a self,
        _: &'a Elsewhere,
        _: Browser<'a>,
    ) -> BoxFuture<'a, Result<String, NotIn>> {
        Box::pin(async { Err(NotIn::Closed) })
    }

    /// Where people have accounts elsewhere.
    fn single(&self) -> Option<&sso::Provider> {
        None
    }

    /// Who the proxy in front says that this is; none if it says nothing.
    fn proxied<'a>(
        &'a self,
        _: &'a HeaderMap,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Elsewhere>, NotIn>> {
        Box::pin(async { Ok(None) })
    }

    /// Whether the proxy in front says that this is them. Asked at each request with a cookie if [`Ways::proxy`] is set: a
    /// session is only good together with it, so whoever is locked out there is locked out here.
    fn vouched<'a>(
        &'a self,
        _: &'a Principal,
        _: &'a HeaderMap,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<bool, AccessError>> {
        Box::pin(async { Ok(true) })
    }

    /// Whether browsers send the cookie when a link on another site leads here.
    fn same_site(&self) -> SameSite {
        SameSite::Lax
    }
}
