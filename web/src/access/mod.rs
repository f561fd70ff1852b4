//! Who is let in, and what they may do.

mod authorise;
mod cookie;
mod csrf;
mod local;
mod policy;

use std::sync::Arc;

use tidemill_core::id::DagId;
use tidemill_core::operator::BoxFuture;
use tidemill_core::time::Timestamp;

pub use authorise::{Denied, authorise};
pub use cookie::{Cookie, SameSite};
pub use local::Local;
pub use policy::{Policy, Role};

pub(crate) use cookie::find as find_cookie;
pub(crate) use csrf::{guard, token as csrf_token};

/// What somebody may do with a DAG; none if they may not even know of it.
pub type RoleOn = Arc<dyn Fn(&DagId) -> Option<Role> + Send + Sync>;

/// Somebody who is signed in, or a program with a token.
#[derive(Clone)]
pub struct Principal {
    /// Their name, for the audit log.
    pub name: Arc<str>,
    /// What they may do with the installation as a whole.
    pub role: Role,
    /// What they may do with each DAG; their role on all of them if none.
    pub on: Option<RoleOn>,
}

impl std::fmt::Debug for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Principal")
            .field("name", &self.name)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

impl Principal {
    /// What they may do with this DAG.
    #[must_use]
    pub fn role_on(&self, dag: &DagId) -> Option<Role> {
        match &self.on {
            Some(on) => on(dag),
            None => Some(self.role),
        }
    }

    /// Whether they may know of this DAG. Every list is asked this of every row.
    #[must_use]
    pub fn sees(&self, dag: &DagId) -> bool {
        self.role_on(dag).is_some()
    }

    /// Whether they may do what this role may do with a DAG.
    #[must_use]
    pub fn may(&self, role: Role, dag: &DagId) -> bool {
        self.role_on(dag).is_some_and(|has| has >= role)
    }
}

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
