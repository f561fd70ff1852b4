//! Connections and variables: sealed where they are kept, found where they are.
//!
//! [`KeyRing`] seals and unseals; [`seal_connection`] and its neighbours make rows of values and values of rows; [`Secrets`]
//! looks up: in the environment, then in the store, then in other sources such as Google Secret Manager. Nothing here asks
//! the environment, a clock or a random source by itself: all come in.

mod environment;
mod give;
mod keys;
mod lookup;
mod rows;

pub use environment::{EnvironmentError, connection_in, connection_variable, variable_variable};
pub use give::Giver;
pub use keys::{KeyRing, KeyRingError, SealError, Subject, new_key};
pub use lookup::{SecretSource, Secrets, SecretsError};
pub use rows::{Resealed, open_connection, open_variable, reseal, seal_connection, seal_variable};
