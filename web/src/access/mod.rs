//! Who is let in, and what they may do.

mod authorise;
mod cookie;
mod csrf;
mod local;
mod policy;
mod principal;

use tidemill_core::operator::BoxFuture;
use tidemill_core::time::Timestamp;

pub use authorise::{Refused, authorise};
pub use cookie::{Cookie, SameSite};
pub use local::Local;
pub use policy::Policy;
pub use principal::{Principal, Tags};
pub use tidemill_core::role::Role;

pub(crate) use cookie::find as find_cookie;
pub(crate) use csrf::{guard, token as csrf_token};

/// Who people and programs are could not be found out.
#[derive(Debug, thiserror::Error)]
#[error("find out who asks: {0}")]
pub struct AccessError(pub String);

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
    fn end<'a>(&'a self, secret: &'a str) -> BoxFuture<'a, Result<(), AccessError>>;

    /// Where people sign in; none if a link on the terminal is the only way.
    fn sign_in(&self) -> Option<&'static str> {
        None
    }

    /// Whether browsers send the cookie when a link on another site leads here.
    fn same_site(&self) -> SameSite {
        SameSite::Lax
    }
}
