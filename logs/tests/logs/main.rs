//! The logs: what a worker writes is what a reader sees, but for secrets.

mod book;
mod captured;
mod masking;
mod page;

#[cfg(feature = "keep")]
mod folder;
#[cfg(feature = "gcp")]
mod google;
#[cfg(feature = "keep")]
mod keeping;
#[cfg(feature = "keep")]
mod merging;
