//! The DAGs of an online shop: a project exactly like a user's own, and the model to copy. Each DAG is one file with its
//! tests. Beside them, `features` has an example of everything the authoring API has.

mod catalog;
mod features;
mod orders;
mod sales_report;
mod shop;

use std::process::ExitCode;

use tidemill::prelude::*;

/// The DAGs, and the names they may use: CI refuses a name that is not on this list.
fn project() -> Dags {
    let shop = Dags::new()
        .pool("warehouse", 8)
        .queue("reports")
        .connection("shop_api", "http")
        .variable("report_folder")
        .alert_route("data_team")
        .alert_route("oncall")
        .dag(orders::orders_daily)
        .family(catalog::catalogs)
        .dag(sales_report::sales_report);
    features::add_to(shop)
}

fn main() -> ExitCode {
    tidemill::main(project())
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_dag_is_valid() {
        let project = tidemill::testing::valid_project(&super::project());
        let names: Vec<&str> = project
            .dags
            .iter()
            .map(|dag| dag.spec().id().as_str())
            .filter(|name| !name.starts_with("example_"))
            .collect();
        assert_eq!(
            names,
            ["catalog_eu", "catalog_us", "orders_daily", "sales_report"]
        );
    }
}
