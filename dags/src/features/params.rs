//! What can be given to a run: a form on its page, checked before the run is made.

use tidemill::prelude::*;

use super::{about, say};

/// A report to be made.
#[params]
struct Report {
    /// Where it was sold.
    #[param(default = "eu", one_of = ["eu", "us"])]
    market: String,
    /// How many days it covers.
    #[param(default = 7, min = 1, max = 90)]
    days: u32,
    /// Its name, in small letters.
    #[param(default = "sales", length_max = 20, pattern = "^[a-z_]+$")]
    title: String,
    /// Which columns it has.
    #[param(default = vec!["orders".to_owned()], one_of = ["orders", "cents"], length_max = 2)]
    columns: Vec<String>,
    /// The day it ends on; the run's own if there is none.
    last_day: Option<NaiveDate>,
}

/// What the report would be.
#[task]
fn describe(report: Report, day: NaiveDate) -> TaskResult<String> {
    let Report {
        market,
        days,
        title,
        columns,
        last_day,
    } = report;
    let last = last_day.unwrap_or(day);
    Ok(format!(
        "{title} of {market}, {days} days until {last}: {}",
        columns.join(" and ")
    ))
}

/// A form with a choice, a number, a text with a pattern, a list and a date.
pub(super) fn with_a_form() -> Dag {
    Dag::build("example_params", |dag| {
        about(dag, "A form, and its values in arguments and in texts.");
        let report = dag.params::<Report>();
        let described = dag.call("describe", describe, (&report, interval::start_date()));
        dag.call("say", say, "{params.market}: {out.describe}")
            .after(&described);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill::testing::{DagRun, valid};

    #[test]
    fn what_is_not_given_has_its_default() {
        let dag = valid(with_a_form());
        let said = DagRun::of(&dag).run().output::<String>("say");
        assert_eq!(said, "eu: sales of eu, 7 days until 2025-01-01: orders");
        let ran = DagRun::of(&dag)
            .param("columns", ["orders", "cents"])
            .param("last_day", "2025-02-28")
            .run();
        let said = ran.output::<String>("say");
        assert_eq!(
            said,
            "eu: sales of eu, 7 days until 2025-02-28: orders and cents"
        );
    }

    #[test]
    #[should_panic(expected = "the most is 90")]
    fn what_breaks_the_rules_makes_no_run() {
        let _ = DagRun::of(&valid(with_a_form())).param("days", 91).run();
    }
}
