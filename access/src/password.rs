//! Passwords: what they must be, and their hashes. Hashing costs 19 MiB of memory and tens of milliseconds by intent:
//! whoever serves pages does it on a thread that may block, and only so many at once.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::secret::{NoRandom, random};

/// The shortest password, in characters.
pub const CHARS_MIN: usize = 12;

/// The longest, in bytes: more would only cost time.
pub const BYTES_MAX: usize = 1_024;

/// Memory in KiB, passes, lanes: what OWASP's Password Storage Cheat Sheet names first for Argon2id.
const COST: (u32, u32, u32) = (19 * 1_024, 2, 1);

/// A hash from elsewhere may cost at most this much memory in KiB, and this many passes: nobody makes a login expensive by a
/// row in the database.
const COST_MAX: (u32, u32) = (256 * 1_024, 16);

/// Nobody's hash, with the cost of any: what a password of an unknown user is compared with.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The most used passwords that are long enough, and the like.
const COMMON: [&str; 16] = [
    "123456789012",
    "1234567890123",
    "12345678901234",
    "123456789012345",
    "1234567890123456",
    "administrator",
    "changeme1234",
    "correct horse battery staple",
    "correcthorsebatterystaple",
    "letmeinletmein",
    "password1234",
    "password12345",
    "passwordpassword",
    "qwertyuiop12",
    "qwertyuiop123",
    "tidemilltidemill",
];

/// Why a password is refused, or not hashed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// It is too short.
    #[error(
        "a password has at least {CHARS_MIN} characters; a few words that belong to nothing are good"
    )]
    TooShort,
    /// It is too long.
    #[error("a password has at most {BYTES_MAX} bytes")]
    TooLong,
    /// It is the first that anybody would try.
    #[error("this password is one of the first that anybody would try; take another")]
    Common,
    /// It has the name of its user in it, and little else.
    #[error("a password is not the name of its user; take another")]
    Name,
    /// The system gives no random bytes.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
    /// The hash could not be made.
    #[error("cannot hash the password: {0}")]
    Hash(String),
}

/// Whether a password is the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// It is not.
    Wrong,
    /// It is.
    Right,
    /// It is, and its hash was made with other costs than today's: hash it again.
    RightButOld,
}

impl Verdict {
    /// Whether it is the right one.
    #[must_use]
    pub const fn is_right(self) -> bool {
        matches!(self, Self::Right | Self::RightButOld)
    }
}

/// Checks a password that somebody chose.
///
/// # Errors
/// Says why it is refused.
pub fn check(password: &str, user: &str) -> Result<(), PasswordError> {
    if password.len() > BYTES_MAX {
        return Err(PasswordError::TooLong);
    }
    if password.chars().count() < CHARS_MIN {
        return Err(PasswordError::TooShort);
    }
    let small = password.to_lowercase();
    let first = small.chars().next();
    if COMMON.contains(&&*small) || small.chars().all(|c| Some(c) == first) {
        return Err(PasswordError::Common);
    }
    let rest = small.replace(&user.to_lowercase(), "");
    if !user.is_empty() && rest.chars().count() < 4 {
        return Err(PasswordError::Name);
    }
    Ok(())
}

/// Hashes a password, with its parameters and a salt of its own.
///
/// # Errors
/// If it is too long, or the system gives no random bytes.
pub fn hash(password: &str) -> Result<String, PasswordError> {
    if password.len() > BYTES_MAX {
        return Err(PasswordError::TooLong);
    }
    let salt: [u8; 16] = random()?;
    let hashed = hasher()
        .and_then(|hasher| hasher.hash_password_with_salt(password.as_bytes(), &salt))
        .map_err(|error| PasswordError::Hash(error.to_string()))?;
    Ok(hashed.to_string())
}

/// Compares a password with the hash of a user's; none if there is no such user, or they have no password. It takes as
/// long in either case, so that nobody learns who there is.
pub fn verify(password: &str, stored: Option<&str>) -> Verdict {
    // Too long: it is compared all the same, cut, for the time that it takes.
    let (bytes, whole) = match password.as_bytes().get(..BYTES_MAX) {
        Some(cut) => (cut, password.len() == BYTES_MAX),
        None => (password.as_bytes(), true),
    };
    let known = stored.and_then(affordable);
    let is_known = known.is_some();
    let Some(hash) = known.or_else(|| affordable(NOBODY)) else {
        return Verdict::Wrong;
    };
    let same = Argon2::default().verify_password(bytes, &hash).is_ok();
    match (same && is_known && whole, is_current(&hash)) {
        (false, _) => Verdict::Wrong,
        (true, true) => Verdict::Right,
        (true, false) => Verdict::RightButOld,
    }
}

fn hasher() -> argon2::password_hash::Result<Argon2<'static>> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// A hash that reads, and does not cost more than any of ours ever will.
fn affordable(text: &str) -> Option<PasswordHash> {
    let hash = PasswordHash::new(text).ok()?;
    let params = Params::try_from(&hash).ok()?;
    let (memory, passes) = COST_MAX;
    (params.m_cost() <= memory && params.t_cost() <= passes && params.p_cost() <= 16)
        .then_some(hash)
}

fn is_current(hash: &PasswordHash) -> bool {
    let cost = |params: Params| (params.m_cost(), params.t_cost(), params.p_cost());
    Params::try_from(hash).is_ok_and(|params| cost(params) == COST)
        && hash.algorithm == Algorithm::Argon2id.ident()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_user_costs_what_a_known_one_does() {
        let hash = affordable(NOBODY).expect("it reads");
        assert!(is_current(&hash));
        let ours = super::hash("a password of ours").expect("it hashes");
        let ours = PasswordHash::new(&ours).expect("it reads");
        assert_eq!(hash.params, ours.params);
        assert_eq!(
            hash.hash.map(|hash| hash.len()),
            ours.hash.map(|hash| hash.len())
        );
    }
}
