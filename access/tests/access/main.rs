//! What the rules promise.

mod may;
mod names;
mod passwords;
mod secrets;
mod times;
