extern crate tidemill_core as tidemill;
use tidemill_core::prelude::*;

fn main() {
    Dag::build("d", |dag| dag.empty("a").writes(Table::named("shop.orders")));
}
