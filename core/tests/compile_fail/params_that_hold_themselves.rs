extern crate tidemill_core as tidemill;
use tidemill_macros::params;

#[params]
struct Node {
    name: String,
    children: Vec<Node>,
}

fn main() {}
