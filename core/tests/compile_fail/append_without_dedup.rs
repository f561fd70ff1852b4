extern crate tidemill_core as tidemill;
use tidemill_core::prelude::*;

fn main() {
    let _ = Table::named("shop.orders").append();
}
