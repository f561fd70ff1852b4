//! Secrets that are made here: of sessions, of tokens, passwords for one use. 256 bits from the system; what is stored is
//! their SHA-256. A slow hash would add nothing: nobody guesses 256 bits.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};

/// What every token begins with, so that whoever finds one knows what it is.
pub const TOKEN_PREFIX: &str = "tm_";

/// No letter that can be taken for another.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz123456789";

/// The system gives no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes; without them no secret can be made")]
pub struct NoRandom;

/// So many random bytes.
///
/// # Errors
/// If the system gives none.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], NoRandom> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandom)?;
    Ok(bytes)
}

/// A secret of 256 bits.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

/// Nobody sees it by accident.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn new() -> Result<Self, NoRandom> {
        random().map(Self)
    }

    /// Reads what [`Self::text`] wrote, as it comes in a cookie. None if it is no secret at all: nothing needs to be looked up
    /// then.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        // 32 bytes are 43 letters. Anything longer is not even decoded.
        if text.len() != 43 {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// Reads a token, as it comes in a header.
    #[must_use]
    pub fn read_token(text: &str) -> Option<Self> {
        text.strip_prefix(TOKEN_PREFIX).and_then(Self::read)
    }

    /// For a cookie: letters, digits, `-` and `_`.
    #[must_use]
    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// For a program: the same behind [`TOKEN_PREFIX`].
    #[must_use]
    pub fn token(&self) -> String {
        format!("{TOKEN_PREFIX}{}", self.text())
    }

    /// What is stored: SHA-256, as 64 hexadecimal digits.
    #[must_use]
    pub fn hash(&self) -> String {
        hex(digest(&SHA256, &self.0).as_ref())
    }

    /// What the secret is called where it must not be seen.
    #[must_use]
    pub fn id(&self) -> String {
        self.hash()[..12].to_owned()
    }
}

/// A password for one use: 120 bits in groups that can be read aloud, `k7fa-92xb-…`.
///
/// # Errors
/// If the system gives no random bytes.
pub fn one_time_password() -> Result<String, NoRandom> {
    let bytes: [u8; 24] = random()?;
    let mut text = String::with_capacity(29);
    for (at, byte) in bytes.iter().enumerate() {
        if at > 0 && at % 4 == 0 {
            text.push('-');
        }
        // 256 is a multiple of 32, so each letter is as likely as any other.
        text.push(char::from(LETTERS[usize::from(byte % 32)]));
    }
    Ok(text)
}

/// SHA-256 of a text, as hexadecimal digits.
pub(crate) fn hashed(text: &str) -> String {
    hex(digest(&SHA256, text.as_bytes()).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
