//! What is known of a request on its way: made before anything else, and still there when everything went wrong.

use std::sync::{Arc, OnceLock};

use axum::http::{Method, Uri};
use ring::rand::SecureRandom;

use crate::access::Principal;
use crate::html::hex;

/// Somebody who is signed in, in this request.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    pub(crate) who: Principal,
    /// The token of the forms of their session; none for a program with a token of its own.
    pub(crate) csrf: Option<String>,
}

/// What is known of a request.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) nonce: String,
    pub(crate) uri: Uri,
    /// Whether the address can be opened once more: it was only looked at.
    pub(crate) looks: bool,
    /// What a page should say first: what became of the last action.
    pub(crate) said: Option<String>,
    signed: OnceLock<Signed>,
}

impl Seat {
    pub(crate) fn new(
        random: &dyn SecureRandom,
        (method, uri): (&Method, &Uri),
        said: Option<String>,
    ) -> Arc<Self> {
        let mut bytes = [0; 16];
        // Without random numbers the nonce is a constant that no page has: scripts of pages are refused then.
        let nonce = match random.fill(&mut bytes) {
            Ok(()) => hex(&bytes),
            Err(_) => "none".to_owned(),
        };
        Arc::new(Self {
            nonce,
            uri: uri.clone(),
            looks: *method == Method::GET,
            said,
            signed: OnceLock::new(),
        })
    }

    pub(crate) fn sit(&self, signed: Signed) {
        // A request is of one person: the first answer stands.
        let _ = self.signed.set(signed);
    }

    pub(crate) fn signed(&self) -> Option<&Signed> {
        self.signed.get()
    }
}
