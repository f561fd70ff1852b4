//! People who have an account elsewhere: an `OpenID` provider to which they are sent (authorization code with PKCE), or a proxy
//! in front that says who they are with each request (Google's Identity-Aware Proxy).
//!
//! Both say so by a signed token. It is checked here with `ring`, and nothing is taken from it before its signature is good.

mod fetch;
mod keys;
mod provider;
mod proxy;
mod token;

use tidemill_access::Role;

pub use fetch::{Fetch, FetchError};
pub use provider::{Begun, Provider, ProviderConfig};
pub use proxy::Proxy;

/// What becomes of people from elsewhere who have no account here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newcomers {
    /// What they may do.
    pub role: Role,
    /// Only if their address is of one of these domains.
    pub domains: Vec<String>,
}

impl Newcomers {
    /// What whoever has this address may do; none if they get no account.
    #[must_use]
    pub fn role_of(&self, email: &str) -> Option<Role> {
        let (_, domain) = email.rsplit_once('@')?;
        let fits = |one: &String| one.eq_ignore_ascii_case(domain);
        self.domains.iter().any(fits).then_some(self.role)
    }
}
