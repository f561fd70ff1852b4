//! `orders_daily`: yesterday's orders from the shop's API, page by page, cleaned and loaded exactly once.

use serde::{Deserialize, Serialize};
use tidemill::prelude::*;

use crate::shop::{self, Order};

/// What can be given to a run.
#[params]
pub(crate) struct OrdersParams {
    /// How the day is loaded: `daily` replaces the day, `monthly` rebuilds the month on its first day.
    #[param(default = "auto", one_of = ["auto", "daily", "monthly"])]
    pub(crate) mode: String,
    /// Orders below this many cents are left out.
    #[param(default = 0, min = 0, max = 1_000_000)]
    pub(crate) cents_min: u64,
}

/// Looks whether the shop has closed the day's books.
#[task]
async fn books_are_closed(ctx: &TaskContext, day: NaiveDate) -> TaskResult<Sense<u64>> {
    // The shop closes its books two hours after the interval's end.
    if ctx.now() < ctx.interval().end + hours(2) {
        return Ok(Sense::NotYet);
    }
    Ok(Sense::Ready(shop::orders_on(day)))
}

/// The pages of the API that hold the day's orders.
#[task]
async fn list_pages(orders: u64) -> TaskResult<Vec<u64>> {
    Ok((0..orders.div_ceil(shop::PAGE_ORDERS)).collect())
}

/// Fetches one page.
#[task]
async fn fetch_page(ctx: &TaskContext, page: u64, day: NaiveDate) -> TaskResult<Vec<Order>> {
    let orders = shop::order_page(day, page);
    ctx.info(format!("page {page} has {} orders", orders.len()));
    Ok(orders)
}

/// The orders of a page, and how many of them were dirt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cleaned {
    orders: Vec<Order>,
    dropped: usize,
}

/// Drops orders without pieces and orders that are too small.
#[task]
fn clean_page(orders: Vec<Order>, params: OrdersParams) -> TaskResult<Cleaned> {
    let before = orders.len();
    let orders: Vec<Order> = orders
        .into_iter()
        .filter(|order| order.pieces > 0 && order.cents >= params.cents_min)
        .collect();
    let dropped = before - orders.len();
    Ok(Cleaned { orders, dropped })
}

/// How many orders are left, which one may load.
#[task]
fn count(pages: Vec<Cleaned>) -> TaskResult<u64> {
    let left: usize = pages.iter().map(|page| page.orders.len()).sum();
    let dropped: usize = pages.iter().map(|page| page.dropped).sum();
    if dropped * 10 > left {
        return Err(
            TaskError::data(format!("{dropped} of {} orders are dirt", left + dropped))
                .help("look at the shop's export before it is loaded"),
        );
    }
    Ok(left as u64)
}

/// The ways to load a day.
#[derive(Choice)]
pub(crate) enum Load {
    Day,
    Month,
}

/// Rebuilds the month on its first day, loads the day alone otherwise.
#[task]
fn choose_load(day: NaiveDate, mode: String) -> TaskResult<Load> {
    Ok(match mode.as_str() {
        "monthly" => Load::Month,
        "daily" => Load::Day,
        _ if shop::day_of_month(day) == 1 => Load::Month,
        _ => Load::Day,
    })
}

/// Loads the day's orders; the partition is replaced, so a second try cannot double them.
#[task]
async fn load_day(ctx: &TaskContext, pages: Vec<Cleaned>, partition: String) -> TaskResult<u64> {
    let rows = pages.iter().map(|page| page.orders.len() as u64).sum();
    ctx.info(format!(
        "loading {rows} orders into {partition} as {}",
        ctx.launch_key()
    ));
    Ok(rows)
}

/// Rebuilds the orders of a whole month.
#[task]
async fn rebuild_month(ctx: &TaskContext, day: NaiveDate) -> TaskResult<u64> {
    let days = (1..=31).filter_map(|nth| {
        format!("{}-{nth:02}", day.format("%Y-%m"))
            .parse::<NaiveDate>()
            .ok()
    });
    let mut rows = 0;
    for (done, day) in (0_u32..).zip(days) {
        rows += shop::orders_on(day);
        ctx.progress(f64::from(done) / 31.0, format!("{day} is rebuilt"));
    }
    Ok(rows)
}

pub(crate) fn orders_daily() -> Dag {
    Dag::build("orders_daily", |dag| {
        dag.schedule(Cron::daily_at("01:30").tz("Europe/Berlin"))
            .start("2025-01-01")
            .catchup(true);
        dag.max_active_runs(3)
            .run_timeout(hours(8))
            .deadline(hours(6));
        dag.retry(Retry::times(3).exponential(minutes(1)..=minutes(30)));
        dag.on_failure(Alert::to("oncall").note("see the runbook `orders`"))
            .on_late(Alert::to("data_team"));
        dag.owner("data")
            .tag("orders")
            .doc("Yesterday's orders from the shop's API, loaded exactly once.");
        let params = dag.params::<OrdersParams>();
        let day = interval::start_date;

        let closed = dag
            .sensor("books_are_closed", books_are_closed, day())
            .every(minutes(5))
            .timeout(hours(6))
            .connection("shop_api");
        let pages = dag.call("list_pages", list_pages, &closed);
        let cleaned = dag.map_group("page", &pages, |page, number: In<u64>| {
            let fetched = page
                .call("fetch", fetch_page, (&number, day()))
                .connection("shop_api")
                .concurrency_key("shop_api", 4);
            page.call("clean", clean_page, (&fetched, &params))
        });
        let left = dag.call("count", count, &cleaned.out).timeout(minutes(10));

        let load = dag
            .call(
                "load_day",
                load_day,
                (&cleaned.out, "shop.orders${ds_nodash}"),
            )
            .pool("warehouse")
            .slots(2)
            .writes(Table::named("shop.orders").append(Dedup::partition("{ds}")));
        let rebuild = dag
            .call("rebuild_month", rebuild_month, day())
            .pool("warehouse")
            .writes(Table::named("shop.orders").merge(["id"]));
        dag.branch(
            "choose_load",
            choose_load,
            (day(), params.pick::<String>("mode")),
        )
        .after(&left)
        .when(Load::Day, &load)
        .when(Load::Month, &rebuild);

        dag.empty("loaded")
            .after((&load, &rebuild))
            .rule(TriggerRule::NoneFailedMinOneSuccess)
            .outlet(&shop::orders_table());
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill::testing::{DagRun, TaskRun, TaskState, ValidDag, valid};

    fn dag() -> ValidDag {
        valid(orders_daily())
    }

    #[test]
    fn nothing_is_loaded_before_it_was_counted() {
        let dag = dag();
        assert!(dag.is_after("load_day", "count") && dag.is_after("rebuild_month", "count"));
        assert_eq!(dag.upstream_of("page.clean"), ["page.fetch"]);
    }

    #[test]
    fn the_sensor_waits_until_the_books_are_closed() {
        let dag = dag();
        let ran = TaskRun::of(&dag, "books_are_closed")
            .day("2025-01-15")
            .run();
        assert_eq!(
            ran.output::<u64>(),
            shop::orders_on("2025-01-15".parse().unwrap())
        );
        assert_eq!((ran.took, ran.resumes), (hours(2), 24));
    }

    #[test]
    fn dirt_is_dropped_and_too_much_of_it_is_a_fault_of_the_data() {
        let dag = dag();
        let orders = shop::order_page("2025-01-15".parse().unwrap(), 1);
        let cleaned: Cleaned = TaskRun::of(&dag, "page.clean")
            .item(1)
            .output_of("page.fetch", &orders)
            .run()
            .output();
        assert_eq!((cleaned.orders.len(), cleaned.dropped), (24, 1));
        let dirt = Cleaned {
            orders: cleaned.orders[..5].to_vec(),
            dropped: 1,
        };
        let ran = TaskRun::of(&dag, "count")
            .output_of("page.clean", [dirt])
            .run();
        assert_eq!(ran.error().kind, ErrorKind::Data);
    }

    #[test]
    fn the_first_of_the_month_rebuilds_it_unless_somebody_says_otherwise() {
        let dag = dag();
        let chosen = |day: &str, mode: &str| {
            TaskRun::of(&dag, "choose_load")
                .day(day)
                .param("mode", mode)
                .run()
                .chosen()
        };
        assert_eq!(chosen("2025-02-01", "auto"), ["month"]);
        assert_eq!(chosen("2025-02-02", "auto"), ["day"]);
        assert_eq!(chosen("2025-02-01", "daily"), ["day"]);
    }

    #[test]
    fn the_load_names_the_partition_of_the_day() {
        let dag = dag();
        let ran = TaskRun::of(&dag, "load_day")
            .day("2025-01-15")
            .output_of("page.clean", Vec::<Cleaned>::new())
            .run();
        assert_eq!(ran.output::<u64>(), 0);
        assert!(ran.logged("shop.orders$20250115"), "{:?}", ran.log);
    }

    #[test]
    fn a_day_is_loaded_two_hours_after_its_end_and_a_month_on_its_first_day() {
        let dag = dag();
        let ran = DagRun::of(&dag).day("2025-01-15").run();
        ran.assert_success();
        assert_eq!((ran.took(), ran.output::<u64>("load_day")), (hours(2), 103));
        assert_eq!(ran.state("rebuild_month"), TaskState::Skipped);
        assert_eq!(ran.assets(), [shop::orders_table().uri()]);
        let ran = DagRun::of(&dag).day("2025-02-01").run();
        assert_eq!(ran.state("load_day"), TaskState::Skipped);
        assert_eq!(ran.state("loaded"), TaskState::Success);
    }
}
