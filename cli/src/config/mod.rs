//! Settings: from flags, `TIDEMILL_*` variables and `tidemill.toml`, in this order of precedence.
//!
//! [`settings`](self::settings) is the one table: a setting is a line there, and has its flag, its variable, its key in
//! the file, its check and its place in the guide from it. A command flattens [`Flags`] into its arguments and asks them
//! for [`Settings`]. Each value knows where it came from, and each error says it.

mod environment;
mod error;
mod file;
pub(crate) mod flags;
mod guide;
pub(crate) mod kinds;
mod load;
mod origin;
pub(crate) mod settings;
mod show;

pub use environment::Environment;
pub(crate) use error::ConfigError;
pub(crate) use flags::Flags;
pub(crate) use guide::guide;
pub(crate) use load::Loaded;
pub(crate) use origin::Origin;
pub(crate) use show::{ShowArgs, as_text, settings_json, show};
