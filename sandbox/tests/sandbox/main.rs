//! The sandbox over HTTP, as its clients see it.

mod crm;
mod faults;
mod kit;
mod receivers;
