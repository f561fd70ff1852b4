//! What this installation runs with, as the process that was set up knows it.

use tidemill_core::operator::BoxFuture;

/// A setting in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingLine {
    /// Its key.
    pub key: String,
    /// Its value, masked if it is secret; empty if it has none.
    pub value: String,
    /// Where it came from.
    pub from: String,
}

/// How it is with something that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// As it should be.
    Fine,
    /// Worth a look.
    Odd,
    /// Wrong.
    Bad,
    /// Cannot be reached.
    Away,
}

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckLine {
    /// How it is.
    pub mark: Mark,
    /// What.
    pub what: String,
    /// In words.
    pub says: String,
}

/// Tells about the installation. The web shows it and changes none of it.
pub trait About: Send + Sync + 'static {
    /// Every setting in force in this process.
    fn settings(&self) -> Vec<SettingLine>;

    /// Looks at what is within reach: it asks, and may take seconds.
    fn checks(&self) -> BoxFuture<'_, Vec<CheckLine>>;
}

/// Knows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NothingKnown;

impl About for NothingKnown {
    fn settings(&self) -> Vec<SettingLine> {
        Vec::new()
    }

    fn checks(&self) -> BoxFuture<'_, Vec<CheckLine>> {
        Box::pin(async { Vec::new() })
    }
}
