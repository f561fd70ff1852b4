//! The web UI: pages, actions and an API for people and programs. It reads the store, asks the leader through a [`Door`], and
//! decides nothing.
//!
//! [`site`] makes the router of a [`Web`]. Every route is registered with its [`Policy`] (`routes.rs`), and the same function
//! decides for pages, actions and the API. A page is a struct with a template; its handler reads and returns it.

mod about;
pub mod access;
pub mod api;
mod assets;
mod browser;
mod door;
mod dress;
mod frame;
mod fuzzy;
mod headers;
mod html;
mod input;
mod live;
mod oops;
mod pace;
mod pages;
mod paths;
mod routes;
mod said;
mod seat;
mod shown;
mod specs;
mod web;

pub use about::{About, CheckLine, Mark, NothingKnown, SettingLine};
pub use access::{Access, Accounts, Local, Policy, Principal, Role};
pub use assets::{icon, style};
pub use door::{Asked, Door, DoorError, LocalDoor, Shut, Tail};
pub use live::LiveSettings;
pub use pages::site;
pub use routes::{Route, Site};
pub use tidemill_access::Action;
pub use web::{Config, Web};
