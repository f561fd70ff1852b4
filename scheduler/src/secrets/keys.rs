//! The key ring, and what a sealed text looks like: `tm1.<id of the key>.<base64 of nonce, encrypted bytes and tag>`.
//!
//! AES-256-GCM under a random nonce of 96 bits for each text: a key is good for some four thousand million of them. What
//! the text belongs to is authenticated with it, so that no row passes for another, nor an old field for a new one.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::SecureRandom;
use tidemill_core::id::check_name;

/// How a sealed text begins. Another way of sealing gets another number.
const VERSION: &str = "tm1";
const KEY_BYTES: usize = 32;

/// Why a list of keys is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// Nothing is in it.
    #[error("there is no key in it; write `id:base64`")]
    Empty,
    /// A key without an id.
    #[error("key number {nth} has no id; write `id:base64`")]
    NoId {
        /// Its place, from 1.
        nth: usize,
    },
    /// An id that is no name.
    #[error("the id of key number {nth} is none: {why}")]
    BadId {
        /// Its place, from 1.
        nth: usize,
        /// What is wrong.
        why: String,
    },
    /// A key that does not read.
    #[error(
        "the key `{id}` is not {KEY_BYTES} bytes in base64; make one with `openssl rand -base64 {KEY_BYTES}`"
    )]
    BadKey {
        /// Its id.
        id: String,
    },
    /// An id that comes twice.
    #[error("the id `{id}` comes twice; give the newer key another id")]
    Twice {
        /// The id.
        id: String,
    },
}

/// Why something was not sealed or unsealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key that it was sealed under is not at hand.
    #[error(
        "{subject} is sealed under the key `{id}`, and the keys in force are {known}; add that key to `keys`"
    )]
    MissingKey {
        /// What is sealed.
        subject: String,
        /// The id of the key.
        id: String,
        /// The ids at hand.
        known: String,
    },
    /// It is not what was sealed, or not where it was sealed.
    #[error(
        "{subject} does not unseal under the key `{id}`: it was changed outside of Tidemill, belongs to something else, or the key is not the one of that id"
    )]
    Broken {
        /// What is sealed.
        subject: String,
        /// The id of the key.
        id: String,
    },
    /// It is no sealed text.
    #[error("{subject} is not sealed in a way that this release knows")]
    Unknown {
        /// What is sealed.
        subject: String,
    },
    /// There is no key to seal with.
    #[error("seal {subject}: there is no key; set `keys`, `config new-key` makes one")]
    NoKey {
        /// What was to be sealed.
        subject: String,
    },
    /// There is no randomness to seal with.
    #[error("seal {subject}: the system gives no random bytes")]
    NoRandom {
        /// What was to be sealed.
        subject: String,
    },
}

/// What a sealed text belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// `connection` or `variable`.
    pub kind: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Which part of it, and what beside it must not be changed.
    pub beside: &'a [&'a str],
}

impl Subject<'_> {
    /// Everything that is authenticated beside the text; lengths before, so that no two of them look the same.
    fn bytes(&self, key: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let parts = [VERSION, key, self.kind, self.name];
        for part in parts.iter().chain(self.beside) {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} `{}`", self.kind, self.name)
    }
}

struct Key {
    id: String,
    key: LessSafeKey,
}

/// The keys at hand: the first one seals, all unseal.
pub struct KeyRing {
    keys: Vec<Key>,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing({})", self.known())
    }
}

impl KeyRing {
    /// Reads `id:base64`, several of them with commas or lines between.
    ///
    /// # Errors
    /// Names the key that is wrong, never its bytes.
    pub fn parse(text: &str) -> Result<Self, KeyRingError> {
        let mut keys: Vec<Key> = Vec::new();
        let items = text.split([',', '\n']).map(str::trim);
        for (at, item) in items.filter(|item| !item.is_empty()).enumerate() {
            let nth = at + 1;
            let (id, key) = item.split_once(':').ok_or(KeyRingError::NoId { nth })?;
            check_name(id).map_err(|error| KeyRingError::BadId {
                nth,
                why: error.to_string(),
            })?;
            if keys.iter().any(|known| known.id == id) {
                return Err(KeyRingError::Twice { id: id.to_owned() });
            }
            let bad = || KeyRingError::BadKey { id: id.to_owned() };
            let bytes = STANDARD.decode(key.trim()).map_err(|_| bad())?;
            let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| bad())?;
            keys.push(Key {
                id: id.to_owned(),
                key: LessSafeKey::new(key),
            });
        }
        if keys.is_empty() {
            return Err(KeyRingError::Empty);
        }
        Ok(Self { keys })
    }

    /// No keys: nothing is sealed or unsealed.
    #[must_use]
    pub const fn empty() -> Self {
        Self { keys: Vec::new() }
    }

    /// The id of the key that seals.
    #[must_use]
    pub fn first(&self) -> &str {
        self.keys.first().map_or("", |key| &key.id)
    }

    /// The ids of all keys.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.id.as_str())
    }

    /// Seals a text under the first key.
    ///
    /// # Errors
    /// If there are no random bytes to be had.
    pub fn seal(
        &self,
        subject: Subject<'_>,
        plain: &str,
        random: &dyn SecureRandom,
    ) -> Result<String, SealError> {
        let failed = || SealError::NoRandom {
            subject: subject.to_string(),
        };
        let key = self.keys.first().ok_or_else(|| SealError::NoKey {
            subject: subject.to_string(),
        })?;
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce).map_err(|_| failed())?;
        let mut bytes = plain.as_bytes().to_vec();
        let beside = Aad::from(subject.bytes(&key.id));
        key.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), beside, &mut bytes)
            .map_err(|_| failed())?;
        let bytes = [nonce.as_slice(), &bytes].concat();
        Ok(format!("{VERSION}.{}.{}", key.id, STANDARD.encode(bytes)))
    }

    /// Unseals a text.
    ///
    /// # Errors
    /// If its key is not at hand, or it is not what was sealed for this.
    pub fn open(&self, subject: Subject<'_>, sealed: &str) -> Result<String, SealError> {
        let unknown = || SealError::Unknown {
            subject: subject.to_string(),
        };
        let (id, bytes) = parts(sealed).ok_or_else(unknown)?;
        let key = self.keys.iter().find(|key| key.id == id);
        let key = key.ok_or_else(|| SealError::MissingKey {
            subject: subject.to_string(),
            id: id.to_owned(),
            known: self.known(),
        })?;
        let broken = || SealError::Broken {
            subject: subject.to_string(),
            id: id.to_owned(),
        };
        let mut bytes = STANDARD.decode(bytes).map_err(|_| broken())?;
        let (nonce, rest) = bytes.split_at_mut_checked(NONCE_LEN).ok_or_else(broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
        let plain = key
            .key
            .open_in_place(nonce, Aad::from(subject.bytes(id)), rest)
            .map_err(|_| broken())?;
        String::from_utf8(plain.to_vec()).map_err(|_| broken())
    }

    /// Whether it is sealed under the first key.
    #[must_use]
    pub fn is_current(&self, sealed: &str) -> bool {
        parts(sealed).is_some_and(|(id, _)| id == self.first())
    }

    fn known(&self) -> String {
        if self.keys.is_empty() {
            return "none".to_owned();
        }
        let ids: Vec<String> = self.ids().map(|id| format!("`{id}`")).collect();
        ids.join(", ")
    }
}

/// The id of the key, and the bytes. An id may have dots, base64 has none.
fn parts(sealed: &str) -> Option<(&str, &str)> {
    sealed
        .strip_prefix(VERSION)?
        .strip_prefix('.')?
        .rsplit_once('.')
}

/// A new key as [`KeyRing::parse`] reads it: an id that no other key has, and random bytes.
#[must_use]
pub fn new_key(random: &dyn SecureRandom) -> Option<String> {
    let (mut id, mut key) = ([0; 4], [0; KEY_BYTES]);
    random.fill(&mut id).ok()?;
    random.fill(&mut key).ok()?;
    let id = u32::from_be_bytes(id);
    Some(format!("k{id:08x}:{}", STANDARD.encode(key)))
}
