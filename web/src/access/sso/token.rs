//! A signed token (RFC 7519) that says who somebody is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use tidemill_core::time::Timestamp;

use super::fetch::Fetch;
use super::keys::{Algorithm, Keys};
use crate::access::NotIn;

/// Nobody's token is longer.
const BYTES_MAX: usize = 16 << 10;
/// Clocks of two machines differ by this much at the most.
const SKEW_SECONDS: i64 = 60;

#[derive(Debug, Deserialize)]
struct Header {
    alg: Algorithm,
    kid: Option<String>,
}

/// One or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Yes, or "true": not everybody writes it alike.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Yes {
    Flag(bool),
    Word(String),
}

/// What a token says.
#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: f64,
    nbf: Option<f64>,
    nonce: Option<String>,
    email: Option<String>,
    email_verified: Option<Yes>,
    name: Option<String>,
}

/// Whom a token is from and for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) audience: &'a str,
    /// What was sent along when it was asked for; none if it was not asked for.
    pub(super) nonce: Option<&'a str>,
    /// Whether its address is theirs, also if it does not say so.
    pub(super) vouches: bool,
}

/// Who a token says that somebody is.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) subject: String,
    pub(super) email: Option<String>,
    pub(super) name: Option<String>,
    /// When it is over, in seconds.
    pub(super) ends: f64,
}

/// Reads a token, if it is signed, for us, and of now.
///
/// # Errors
/// [`NotIn::Elsewhere`] says what is wrong with it.
pub(super) async fn read(
    text: &str,
    expected: Expected<'_>,
    (keys, fetch): (&Keys, &dyn Fetch),
    now: Timestamp,
) -> Result<Said, NotIn> {
    let wrong = |says: &str| NotIn::Elsewhere(format!("the token of {} {says}", expected.issuer));
    let unreadable = || wrong("does not read");
    if text.len() > BYTES_MAX {
        return Err(unreadable());
    }
    let (signed, signature) = text.rsplit_once('.').ok_or_else(unreadable)?;
    let (header, claims) = signed.split_once('.').ok_or_else(unreadable)?;
    let part = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| unreadable());
    let header: Header = serde_json::from_slice(&part(header)?)
        .map_err(|_| wrong("is signed in a way that is not taken here (RS256 and ES256 are)"))?;
    let by = (header.alg, header.kid.as_deref());
    let what = (signed.as_bytes(), &*part(signature)?);
    let good = keys.signed(fetch, by, what, now).await;
    if !good.map_err(|error| NotIn::Elsewhere(error.to_string()))? {
        return Err(wrong("is not signed by them"));
    }
    let claims: Claims = serde_json::from_slice(&part(claims)?).map_err(|_| unreadable())?;
    check(&claims, expected, now).map_err(wrong)?;
    let verified = match &claims.email_verified {
        Some(Yes::Flag(flag)) => *flag,
        Some(Yes::Word(word)) => word == "true",
        None => expected.vouches,
    };
    Ok(Said {
        email: claims.email.filter(|_| verified),
        name: claims.name,
        ends: claims.exp,
        subject: claims.sub,
    })
}

fn check(claims: &Claims, expected: Expected<'_>, now: Timestamp) -> Result<(), &'static str> {
    #[expect(clippy::cast_precision_loss, reason = "seconds of this age are exact")]
    let seconds = |by: i64| (now.micros() / 1_000_000 + by) as f64;
    let ours = match &claims.aud {
        Audience::One(one) => one == expected.audience,
        Audience::Several(all) => {
            let party = claims.azp.as_deref();
            all.iter().any(|one| one == expected.audience)
                && (all.len() == 1 || party == Some(expected.audience))
        }
    };
    if claims.iss != expected.issuer {
        return Err("is of another issuer");
    }
    if !ours {
        return Err("is for somebody else than this Tidemill; is the client id right?");
    }
    if claims.exp <= seconds(-SKEW_SECONDS) {
        return Err("is over; try again, and see that the clocks are right");
    }
    if claims.nbf.is_some_and(|from| from > seconds(SKEW_SECONDS)) {
        return Err("is not good yet; see that the clocks are right");
    }
    if expected.nonce.is_some() && claims.nonce.as_deref() != expected.nonce {
        return Err("is of another time somebody signed in; try again");
    }
    if claims.sub.is_empty() || claims.sub.len() > 255 {
        return Err("does not say who this is");
    }
    Ok(())
}
