//! Google's Identity-Aware Proxy: who comes through it has a header that says who they are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderMap;
use ring::digest::{SHA256, digest};
use tidemill_core::time::Timestamp;

use super::fetch::Fetch;
use super::keys::Keys;
use super::token::{Expected, read};
use crate::access::{Elsewhere, NotIn};

const HEADER: &str = "x-goog-iap-jwt-assertion";
const ISSUER: &str = "https://cloud.google.com/iap";
const KEYS: &str = "https://www.gstatic.com/iap/verify/public_key-jwk";
/// So many that were read are kept; then all are let go of.
const KEPT_MAX: usize = 1_000;

type Hash = [u8; 32];

/// The proxy in front.
pub struct Proxy {
    audience: String,
    fetch: Arc<dyn Fetch>,
    keys: Keys,
    /// What was read before, until when it is good, in seconds.
    read: Mutex<HashMap<Hash, (f64, Elsewhere)>>,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").finish_non_exhaustive()
    }
}

impl Proxy {
    /// The proxy in front of this backend: `/projects/NUMBER/global/backendServices/ID`.
    #[must_use]
    pub fn new(audience: impl Into<String>, fetch: Arc<dyn Fetch>) -> Self {
        Self {
            audience: audience.into(),
            fetch,
            keys: Keys::at(KEYS.to_owned()),
            read: Mutex::default(),
        }
    }

    /// Who it says that this is; none if the request did not come through it.
    pub(in crate::access) async fn identity(
        &self,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Option<Elsewhere>, NotIn> {
        let Some(text) = headers.get(HEADER) else {
            return Ok(None);
        };
        let text = text.to_str().unwrap_or_default();
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        #[expect(clippy::cast_precision_loss, reason = "seconds of this age are exact")]
        let seconds = (now.micros() / 1_000_000) as f64;
        if let Some((ends, known)) = self.kept().get(&hash)
            && *ends > seconds
        {
            return Ok(Some(known.clone()));
        }
        let expected = Expected {
            issuer: ISSUER,
            audience: &self.audience,
            nonce: None,
            vouches: true,
        };
        let said = read(text, expected, (&self.keys, &*self.fetch), now).await?;
        let known = Elsewhere {
            subject: format!("{ISSUER} {}", said.subject),
            email: said.email,
            name: said.name,
        };
        let mut kept = self.kept();
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(hash, (said.ends, known.clone()));
        Ok(Some(known))
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<Hash, (f64, Elsewhere)>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
