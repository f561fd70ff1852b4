//! Connections and variables: what is sealed stays secret and in its place, and is found where it is.

mod lookup;
mod seal;
