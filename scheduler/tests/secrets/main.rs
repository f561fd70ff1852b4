//! Connections and variables: what is sealed stays secret and in its place, and is found where it is.

mod door;
mod gateway;
mod lookup;
mod seal;
