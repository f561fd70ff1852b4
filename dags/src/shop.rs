//! A shop without a server: its orders and products follow from the day alone, so that every run of a day sees the same.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidemill::prelude::*;

/// Where the shop sells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Choice)]
pub(crate) enum Market {
    Eu,
    Us,
}

impl Market {
    pub(crate) const ALL: [Self; 2] = [Self::Eu, Self::Us];
}

impl fmt::Display for Market {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// An order of one product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) id: u64,
    pub(crate) market: Market,
    pub(crate) product: u32,
    pub(crate) pieces: u32,
    pub(crate) cents: u64,
}

/// A product and its price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Product {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) cents: u64,
}

/// The assets that DAGs of the shop make and wait for.
pub(crate) fn orders_table() -> Asset {
    Asset::new("bigquery://shop/orders")
}

pub(crate) fn products_table(market: Market) -> Asset {
    Asset::new(format!("bigquery://shop/products_{market}"))
}

/// How many orders the shop's API gives on one page.
pub(crate) const PAGE_ORDERS: u64 = 25;

/// How many orders came in on a day: more at the end of the month.
pub(crate) fn orders_on(day: NaiveDate) -> u64 {
    60 + 3 * u64::from(day_of_month(day))
}

/// One page of a day's orders; the last one may be short, those after it are empty.
pub(crate) fn order_page(day: NaiveDate, page: u64) -> Vec<Order> {
    let ids = (page * PAGE_ORDERS)..((page + 1) * PAGE_ORDERS).min(orders_on(day));
    ids.map(|nth| order(day, nth)).collect()
}

fn order(day: NaiveDate, nth: u64) -> Order {
    let id = u64::from(
        day.to_string()
            .replace('-', "")
            .parse::<u32>()
            .unwrap_or_default(),
    ) * 10_000
        + nth;
    let dice = scatter(id);
    let product = u32::try_from(dice % 40).unwrap_or_default();
    let pieces = 1 + u32::try_from(dice / 97 % 3).unwrap_or_default();
    // Every fiftieth order comes without pieces: there is dirt in every shop's data.
    let pieces = if nth % 50 == 49 { 0 } else { pieces };
    Order {
        id,
        market: Market::ALL[usize::from((dice / 7).is_multiple_of(3))],
        product,
        pieces,
        cents: price(product) * u64::from(pieces),
    }
}

/// The products that a market sells.
pub(crate) fn products(market: Market) -> Vec<Product> {
    let every = match market {
        Market::Eu => 1,
        Market::Us => 2,
    };
    (0..40)
        .step_by(every)
        .map(|id| Product {
            id,
            name: format!("product {id}"),
            cents: price(id),
        })
        .collect()
}

fn price(product: u32) -> u64 {
    199 + scatter(u64::from(product)) % 9_000
}

pub(crate) fn day_of_month(day: NaiveDate) -> u32 {
    day.format("%d").to_string().parse().unwrap_or(1)
}

/// Scatters numbers that lie close together; the same number always lands in the same place.
const fn scatter(number: u64) -> u64 {
    let mixed = (number ^ (number >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}
