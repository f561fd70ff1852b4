//! How often somebody may try to sign in.
//!
//! Three things are counted in windows of a quarter of an hour: the name from that address, the name from anywhere, and the
//! address with any name. The first has the lowest limit, so that whoever guesses somebody's password locks out themselves
//! and not them; the second holds against many addresses, the third against many names. Every try is counted before the
//! password is looked at, and a good one is taken back.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use tidemill_core::time::Timestamp;

use crate::secret::hashed;

/// How often, in which window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long tries are counted together.
    pub window: Duration,
    /// For a name from one address.
    pub pair: u64,
    /// For a name from anywhere.
    pub name: u64,
    /// For an address with any name.
    pub address: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(15 * 60),
            pair: 10,
            name: 100,
            address: 50,
        }
    }
}

/// What is counted for one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subjects {
    /// What does not count any more after a good try.
    pub forget: Vec<String>,
    /// From what a good try is taken back.
    pub take_back: Vec<String>,
}

const PAIR: &str = "pair:";
const NAME: &str = "name:";
const ADDRESS: &str = "address:";

impl Subjects {
    /// Those of somebody who tries under this name from this address; none if it is not known. The name is hashed: people
    /// type their passwords into the wrong field.
    #[must_use]
    pub fn of(name: &str, address: Option<IpAddr>) -> Self {
        let name = name.trim().to_ascii_lowercase();
        let by_name = format!("{NAME}{}", hashed(&name));
        let Some(address) = address.map(network) else {
            return Self {
                forget: Vec::new(),
                take_back: vec![by_name],
            };
        };
        Self {
            forget: vec![format!("{PAIR}{}", hashed(&format!("{address} {name}")))],
            take_back: vec![by_name, format!("{ADDRESS}{address}")],
        }
    }

    /// All of them, to be counted.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        [&self.forget[..], &self.take_back[..]].concat()
    }
}

/// One computer of IPv6 has a whole network of addresses, so that network is what counts.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// What was counted for one subject, the present try included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted<'a> {
    /// Which.
    pub subject: &'a str,
    /// How many tries.
    pub attempts: u64,
    /// When the window began.
    pub since: Timestamp,
}

/// Too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many tries to sign in; try again in {} min", .rest.as_secs().div_ceil(60).max(1))]
pub struct Wait {
    /// How long to wait, for a header `Retry-After`.
    pub rest: Duration,
}

impl Limits {
    /// Whether the password of this try is looked at.
    ///
    /// # Errors
    /// Says how long to wait.
    pub fn check<'a>(
        &self,
        counted: impl IntoIterator<Item = Counted<'a>>,
        now: Timestamp,
    ) -> Result<(), Wait> {
        let over = counted
            .into_iter()
            .filter(|one| one.attempts > self.of(one.subject));
        let rest = over
            .map(|one| one.since.after(self.window).since(now))
            .max();
        rest.map_or(Ok(()), |rest| Err(Wait { rest }))
    }

    fn of(&self, subject: &str) -> u64 {
        if subject.starts_with(PAIR) {
            self.pair
        } else if subject.starts_with(ADDRESS) {
            self.address
        } else {
            self.name
        }
    }
}
