//! The public keys of whoever signs tokens, and whether a signature is theirs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use tidemill_core::time::Timestamp;

use super::fetch::{Fetch, FetchError, document};

/// Keys are read again after this …
const KEPT: Duration = Duration::from_secs(3_600);
/// … and at a token with a key that is not among them, but no sooner than this after the last time.
const AGAIN: Duration = Duration::from_secs(30);

/// A key, as RFC 7517 writes it. What it says beyond this is not needed.
#[derive(Debug, Clone, Deserialize)]
struct Key {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    for_use: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Debug, Deserialize)]
struct KeySet {
    keys: Vec<Key>,
}

/// How a token is signed. There are no others: in particular not `none`, and none with a shared secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Algorithm {
    #[serde(rename = "RS256")]
    Rs256,
    #[serde(rename = "ES256")]
    Es256,
}

/// The keys at an address.
#[derive(Debug)]
pub(super) struct Keys {
    url: String,
    read: Mutex<Option<(Timestamp, Arc<KeySet>)>>,
}

impl Keys {
    pub(super) fn at(url: String) -> Self {
        let read = Mutex::default();
        Self { url, read }
    }

    /// Whether these bytes were signed by one of them.
    pub(super) async fn signed(
        &self,
        fetch: &dyn Fetch,
        (algorithm, kid): (Algorithm, Option<&str>),
        (bytes, signature): (&[u8], &[u8]),
        now: Timestamp,
    ) -> Result<bool, FetchError> {
        for longest in [KEPT, AGAIN] {
            let set = self.set(fetch, longest, now).await?;
            let named = |key: &&Key| kid.is_none() || key.kid.as_deref() == kid;
            let keys: Vec<&Key> = set.keys.iter().filter(named).collect();
            if keys
                .iter()
                .any(|key| key.signed(algorithm, bytes, signature))
            {
                return Ok(true);
            }
            // A key of this name is there and did not sign it: no newer one will have.
            if kid.is_some() && !keys.is_empty() {
                return Ok(false);
            }
        }
        Ok(false)
    }

    async fn set(
        &self,
        fetch: &dyn Fetch,
        longest: Duration,
        now: Timestamp,
    ) -> Result<Arc<KeySet>, FetchError> {
        let kept = self.kept().clone();
        if let Some((at, set)) = kept
            && at <= now
            && now.since(at) < longest
        {
            return Ok(set);
        }
        let set: Arc<KeySet> = Arc::new(document(fetch, &self.url).await?);
        *self.kept() = Some((now, Arc::clone(&set)));
        Ok(set)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<(Timestamp, Arc<KeySet>)>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Key {
    fn signed(&self, algorithm: Algorithm, bytes: &[u8], signature: &[u8]) -> bool {
        if self
            .for_use
            .as_deref()
            .is_some_and(|for_use| for_use != "sig")
        {
            return false;
        }
        let part = |text: &Option<String>| {
            let text = text.as_deref()?.trim_end_matches('=');
            URL_SAFE_NO_PAD.decode(text).ok()
        };
        match (algorithm, self.kty.as_str()) {
            (Algorithm::Rs256, "RSA") => {
                let (Some(n), Some(e)) = (part(&self.n), part(&self.e)) else {
                    return false;
                };
                let key = RsaPublicKeyComponents { n, e };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, bytes, signature)
                    .is_ok()
            }
            (Algorithm::Es256, "EC") if self.crv.as_deref() == Some("P-256") => {
                let (Some(x), Some(y)) = (part(&self.x), part(&self.y)) else {
                    return false;
                };
                // A point as it is, not compressed.
                let point = [&[4][..], &x, &y].concat();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                    .verify(bytes, signature)
                    .is_ok()
            }
            _ => false,
        }
    }
}
