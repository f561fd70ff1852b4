//! Tidemill's web UI in a real browser. A [`site`] is `standalone` with DAGs that fail, ask and wait on demand; a [`browser`]
//! is Chromium, told by WebDriver what a person does; a [`story`] is a test in these words. Everything that is started ends
//! with the process that started it ([`keep`]).

pub mod browser;
pub mod demo;
mod history;
pub mod keep;
pub mod large;
mod ledger;
pub mod pictures;
mod session;
pub mod shop;
pub mod site;
mod stage;
mod tickets;
mod wait;
mod watch;
mod wire;

pub use browser::Browser;
pub use site::Site;
pub use stage::{Stage, story, story_of_people};
pub use wait::until;

/// What the wall's clock shows.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the edge: the past is written up to now"
)]
pub(crate) fn wall() -> tidemill_core::time::Timestamp {
    chrono::Utc::now().into()
}
