//! The process that leads, on a database of its own: what only shows when the engine does not have everything at hand.

mod bulk;
mod house;
mod slow;
mod tls;
