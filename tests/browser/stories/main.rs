//! What people achieve in the web UI, told in a real browser. Each story has runs of its own, so they can be told beside each
//! other; what they have in common is one site and two browsers.

mod access;
mod around;
mod failed;
mod grid;
mod log;
mod many;
mod monitor;
mod night;
mod phone;
mod plain;
mod runs;
mod sealed;
mod trigger;

use tidemill_browser::{Browser, story};

/// Tells a story to somebody who is signed in.
fn signed_in(tell: impl FnOnce(&Browser<'_>)) {
    stranger(|browser| {
        browser.sign_in();
        tell(browser);
    });
}

/// Tells a story to somebody who is not.
fn stranger(tell: impl FnOnce(&Browser<'_>)) {
    story(env!("CARGO_BIN_EXE_browser"), tell);
}
