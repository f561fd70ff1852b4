//! `catalog_<market>`: one DAG a market, from one function. A scratch table is set up and torn down around the work, and
//! a person approves when many prices change.

use tidemill::prelude::*;

use crate::shop::{self, Market, Product};

/// Makes a scratch table for the work between.
#[task]
async fn make_scratch(ctx: &TaskContext) -> TaskResult<String> {
    Ok(format!("scratch_{}", ctx.launch_key()))
}

/// Removes the scratch table, whatever happened.
#[task]
async fn drop_scratch(ctx: &TaskContext, table: String) -> TaskResult {
    ctx.info(format!("dropping {table}"));
    Ok(())
}

/// The products of a market.
#[task]
async fn export_products(market: Market) -> TaskResult<Vec<Product>> {
    Ok(shop::products(market))
}

/// Whether any product is sold at all.
#[task]
fn has_products(products: Vec<Product>) -> TaskResult<bool> {
    Ok(!products.is_empty())
}

/// Products must be unique and cost something.
#[task]
fn check_products(products: Vec<Product>) -> TaskResult<usize> {
    let mut ids: Vec<u32> = products.iter().map(|product| product.id).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.len() < products.len() {
        return Err(TaskError::data(format!(
            "{} products are there twice",
            products.len() - ids.len()
        )));
    }
    match products.iter().find(|product| product.cents == 0) {
        Some(free) => Err(TaskError::data(format!("{} costs nothing", free.name))),
        None => Ok(products.len()),
    }
}

/// Switches the checked products live in one step.
#[task]
async fn publish(ctx: &TaskContext, products: usize, answer: String) -> TaskResult<usize> {
    ctx.info(format!("{answer}: {products} products go live"));
    Ok(products)
}

/// One DAG a market.
pub(crate) fn catalogs() -> Vec<Dag> {
    Market::ALL.into_iter().map(catalog).collect()
}

fn catalog(market: Market) -> Dag {
    Dag::build(&format!("catalog_{market}"), |dag| {
        dag.schedule(
            Cron::any(["0 6 * * MON-FRI", "0 9 * * SAT"])
                .tz("Europe/Berlin")
                .ticks(),
        );
        dag.overlap(Overlap::Skip)
            .max_active_runs(1)
            .on_failure(Alert::to("data_team").severity(Severity::Warning));
        dag.owner("data")
            .tag("catalog")
            .doc(format!("The products of the market {market}."));

        let scratch = dag.call("make_scratch", make_scratch, ()).setup();
        let dropped = dag
            .call("drop_scratch", drop_scratch, &scratch)
            .teardown(&scratch);
        let checked = dag.between(&scratch, &dropped, |dag| {
            let products = dag
                .call("export_products", export_products, value(market))
                .isolated();
            let any = dag.short_circuit("has_products", has_products, &products);
            dag.call("check_products", check_products, &products)
                .after(&any)
                .retry(Retry::never())
        });
        let approved = dag
            .approval(
                "approve",
                Approval::ask("Put {out.check_products} products of {dag_id} live?")
                    .default_to("reject"),
            )
            .timeout(hours(4));
        dag.call(
            "publish",
            publish,
            (&checked, approved.pick::<String>("by")),
        )
        .pool("warehouse")
        .depends_on_past()
        .writes(Table::named(format!("shop.products_{market}")).truncate())
        .outlet(&shop::products_table(market));
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill::testing::{DagRun, RunState, TaskRun, valid};

    #[test]
    fn the_scratch_table_is_dropped_after_all_work() {
        let dag = valid(catalog(Market::Eu));
        assert_eq!(
            dag.upstream_of("drop_scratch"),
            ["check_products", "make_scratch"]
        );
        assert!(dag.is_after("export_products", "make_scratch"));
    }

    #[test]
    fn a_product_that_is_there_twice_is_found_and_not_retried() {
        let dag = valid(catalog(Market::Us));
        let mut products: Vec<Product> = TaskRun::of(&dag, "export_products").run().output();
        assert_eq!(
            TaskRun::of(&dag, "check_products")
                .output_of("export_products", &products)
                .run()
                .output::<usize>(),
            20
        );
        products.push(products[0].clone());
        let ran = TaskRun::of(&dag, "check_products")
            .output_of("export_products", &products)
            .run();
        assert_eq!(
            (ran.error().kind, ran.error().message.as_str()),
            (ErrorKind::Data, "1 products are there twice")
        );
    }

    #[test]
    fn a_catalog_goes_live_when_a_person_approves_and_not_by_itself() {
        let dag = valid(catalog(Market::Eu));
        let ran = DagRun::of(&dag).answer("approve", "approve").run();
        ran.assert_success();
        assert_eq!(ran.output::<usize>("publish"), 40);
        assert!(ran.order().contains(&"drop_scratch"));
        let ran = DagRun::of(&dag).run();
        assert_eq!((ran.state, ran.took()), (RunState::Failed, hours(4)));
    }
}
