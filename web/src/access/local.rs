//! One person on their own machine: a link on the terminal signs them in.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tidemill_access::{Lifetimes, Secret};
use tidemill_core::operator::BoxFuture;
use tidemill_core::time::Timestamp;

use super::{Access, AccessError, Principal, Role, SameSite};

/// More sessions than this are not kept; the one that was used least recently goes.
const SESSIONS_MAX: usize = 1_000;

/// Hashes are kept and compared, so that the time it takes says nothing about the secret.
type Hash = String;

#[derive(Debug, Clone, Copy)]
struct Session {
    since: Timestamp,
    used: Timestamp,
}

#[derive(Debug)]
struct Kept {
    link: Hash,
    sessions: HashMap<Hash, Session>,
}

/// Everybody who has the link that stands on the terminal is the local user, and may do everything.
pub struct Local {
    principal: Principal,
    lifetimes: Lifetimes,
    /// Shows a new key to whoever sits at the terminal.
    show: Box<dyn Fn(&str) + Send + Sync>,
    kept: Mutex<Kept>,
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local").finish_non_exhaustive()
    }
}

impl Local {
    /// Lets this user in. `show` is given the key of a link now, and the next one whenever a link was used.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn new(
        user: &str,
        show: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<Self, AccessError> {
        let key = Secret::new()?;
        show(&key.text());
        Ok(Self {
            principal: Principal::of(user, Role::Admin),
            kept: Mutex::new(Kept {
                link: key.hash(),
                sessions: HashMap::new(),
            }),
            lifetimes: Lifetimes::default(),
            show: Box::new(show),
        })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, secret: &str, now: Timestamp) -> Option<Principal> {
        let hash = Secret::read(secret)?.hash();
        let mut kept = self.kept();
        let session = kept.sessions.get_mut(&hash)?;
        if now >= self.lifetimes.ends_at(session.since, session.used) {
            kept.sessions.remove(&hash);
            return None;
        }
        session.used = now;
        Some(self.principal.clone())
    }

    fn open(&self, key: &str, now: Timestamp) -> Result<Option<String>, AccessError> {
        let Some(key) = Secret::read(key) else {
            return Ok(None);
        };
        let (next, session) = (Secret::new()?, Secret::new()?);
        {
            let mut kept = self.kept();
            if kept.link != key.hash() {
                return Ok(None);
            }
            kept.link = next.hash();
            if kept.sessions.len() >= SESSIONS_MAX {
                let oldest = kept.sessions.iter().min_by_key(|(_, session)| session.used);
                if let Some(oldest) = oldest.map(|(hash, _)| hash.clone()) {
                    kept.sessions.remove(&oldest);
                }
            }
            let opened = Session {
                since: now,
                used: now,
            };
            kept.sessions.insert(session.hash(), opened);
        }
        (self.show)(&next.text());
        Ok(Some(session.text()))
    }
}

impl Access for Local {
    fn session<'a>(
        &'a self,
        secret: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Principal>, AccessError>> {
        Box::pin(async move { Ok(self.find(secret, now)) })
    }

    fn token<'a>(
        &'a self,
        _: &'a str,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Principal>, AccessError>> {
        Box::pin(async { Ok(None) })
    }

    fn redeem<'a>(
        &'a self,
        key: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<String>, AccessError>> {
        Box::pin(async move { self.open(key, now) })
    }

    fn end<'a>(&'a self, secret: &'a str, _: Timestamp) -> BoxFuture<'a, Result<(), AccessError>> {
        Box::pin(async move {
            if let Some(secret) = Secret::read(secret) {
                self.kept().sessions.remove(&secret.hash());
            }
            Ok(())
        })
    }

    fn same_site(&self) -> SameSite {
        SameSite::Strict
    }
}
