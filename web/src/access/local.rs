//! One person on their own machine: a link on the terminal signs them in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use ring::rand::SecureRandom;
use tidemill_core::operator::BoxFuture;
use tidemill_core::time::Timestamp;

use super::{Access, AccessError, Principal, Role, SameSite};
use crate::html::hex;

/// A session ends when it was not used for so long …
const IDLE_MAX: Duration = Duration::from_secs(12 * 3600);
/// … and in any case after this.
const AGE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// More sessions than this are not kept; the one that was used least recently goes.
const SESSIONS_MAX: usize = 1_000;

type Hash = [u8; SHA256_OUTPUT_LEN];

/// Hashes are kept and compared, so that the time it takes says nothing about the secret.
fn hash(secret: &str) -> Hash {
    let mut hash = [0; SHA256_OUTPUT_LEN];
    hash.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
    hash
}

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
    random: Arc<dyn SecureRandom + Send + Sync>,
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
        random: Arc<dyn SecureRandom + Send + Sync>,
        show: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<Self, AccessError> {
        let key = secret(&*random)?;
        show(&key);
        Ok(Self {
            principal: Principal::of(user, Role::Admin),
            kept: Mutex::new(Kept {
                link: hash(&key),
                sessions: HashMap::new(),
            }),
            random,
            show: Box::new(show),
        })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, secret: &str, now: Timestamp) -> Option<Principal> {
        let hash = hash(secret);
        let mut kept = self.kept();
        let session = kept.sessions.get_mut(&hash)?;
        if now.since(session.used) > IDLE_MAX || now.since(session.since) > AGE_MAX {
            kept.sessions.remove(&hash);
            return None;
        }
        session.used = now;
        Some(self.principal.clone())
    }

    fn open(&self, key: &str, now: Timestamp) -> Result<Option<String>, AccessError> {
        let (next, session) = (secret(&*self.random)?, secret(&*self.random)?);
        {
            let mut kept = self.kept();
            if kept.link != hash(key) {
                return Ok(None);
            }
            kept.link = hash(&next);
            if kept.sessions.len() >= SESSIONS_MAX {
                let oldest = kept.sessions.iter().min_by_key(|(_, session)| session.used);
                if let Some(oldest) = oldest.map(|(hash, _)| *hash) {
                    kept.sessions.remove(&oldest);
                }
            }
            let opened = Session {
                since: now,
                used: now,
            };
            kept.sessions.insert(hash(&session), opened);
        }
        (self.show)(&next);
        Ok(Some(session))
    }
}

/// 256 random bits.
fn secret(random: &dyn SecureRandom) -> Result<String, AccessError> {
    let mut bytes = [0; 32];
    let filled = random.fill(&mut bytes);
    filled.map_err(|_| AccessError("the system has no random numbers".to_owned()))?;
    Ok(hex(&bytes))
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

    fn end<'a>(&'a self, secret: &'a str) -> BoxFuture<'a, Result<(), AccessError>> {
        Box::pin(async move {
            self.kept().sessions.remove(&hash(secret));
            Ok(())
        })
    }

    fn same_site(&self) -> SameSite {
        SameSite::Strict
    }
}
