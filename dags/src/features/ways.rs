//! Which tasks of a run do their work: branches, short circuits, trigger rules, groups.

use tidemill::prelude::*;

use super::{about, say};

pub(super) fn all() -> Vec<Dag> {
    vec![
        branches(),
        several_ways(),
        short_circuits(),
        trigger_rules(),
        groups(),
    ]
}

/// How much is loaded.
#[derive(Choice)]
enum Amount {
    Day,
    Month,
    Nothing,
}

/// The month on its first day, nothing on its last days, the day otherwise.
#[task]
fn how_much(day: NaiveDate) -> TaskResult<Amount> {
    let of_month: u32 = day
        .format("%d")
        .to_string()
        .parse()
        .or_permanent("read the day")?;
    Ok(match of_month {
        1 => Amount::Month,
        2..29 => Amount::Day,
        _ => Amount::Nothing,
    })
}

/// One of several ways; what joins them has a rule that does without the others.
fn branches() -> Dag {
    Dag::build("example_branch", |dag| {
        about(dag, "A branch with three ways, one of which leads nowhere.");
        let day = dag.call("load_day", say, "{ds}");
        let month = dag.call("load_month", say, "{interval_start:%Y-%m}");
        dag.branch("how_much", how_much, interval::start_date())
            .when(Amount::Day, &day)
            .when(Amount::Month, &month)
            .when(Amount::Nothing, ());
        dag.empty("loaded")
            .after((&day, &month))
            .rule(TriggerRule::NoneFailedMinOneSuccess);
    })
}

/// Who is told.
#[derive(Choice)]
enum Channel {
    Mail,
    Chat,
}

/// Everybody in the first half of the year, the chat alone in the second.
#[task]
fn whom(month: String) -> TaskResult<Vec<Channel>> {
    Ok(if month.as_str() < "07" {
        vec![Channel::Mail, Channel::Chat]
    } else {
        vec![Channel::Chat]
    })
}

/// A branch that takes several ways at once.
fn several_ways() -> Dag {
    Dag::build("example_branches", |dag| {
        about(dag, "A branch that takes several ways at once.");
        let mail = dag.call("mail", say, "a mail about {ds}");
        let chat = dag.call("chat", say, "a message about {ds}");
        dag.branch("whom", whom, "{interval_start:%m}")
            .when(Channel::Mail, &mail)
            .when(Channel::Chat, &chat);
    })
}

/// Whether the day is a weekday.
#[task]
fn is_weekday(day: NaiveDate) -> TaskResult<bool> {
    Ok(!["Sat", "Sun"].contains(&day.format("%a").to_string().as_str()))
}

/// A closed gate skips all that follows, or only what follows directly.
fn short_circuits() -> Dag {
    Dag::build("example_short_circuit", |dag| {
        about(dag, "Two gates that close at weekends.");
        let gate = dag.short_circuit("all_of_it", is_weekday, interval::start_date());
        let load = dag.call("load", say, "{ds}").after(&gate);
        dag.call("report", say, "{out.load}").after(&load);
        let gate = dag
            .short_circuit("only_next", is_weekday, interval::start_date())
            .only_direct();
        let mail = dag.call("mail", say, "{ds}").after(&gate);
        dag.call("tidy_up", say, "{ds}")
            .after(&mail)
            .rule(TriggerRule::AllDone);
    })
}

/// Succeeds, fails or has nothing to do.
#[task]
fn end_as(how: String) -> TaskResult<String> {
    match how.as_str() {
        "failed" => Err(TaskError::permanent("it was told to fail")),
        "skipped" => Err(TaskError::skip("it was told to skip")),
        _ => Ok(how),
    }
}

/// Three tasks end in three ways, and each rule makes something else of it.
fn trigger_rules() -> Dag {
    Dag::build("example_rules", |dag| {
        about(
            dag,
            "What trigger rules make of a success, a failure and a skip.",
        );
        let good = dag.call("good", end_as, "success");
        let bad = dag.call("bad", end_as, "failed");
        let none = dag.call("none", end_as, "skipped");
        let rules = [
            ("all_success", TriggerRule::AllSuccess),
            ("all_done", TriggerRule::AllDone),
            ("one_success", TriggerRule::OneSuccess),
            ("one_failed", TriggerRule::OneFailed),
            ("none_failed", TriggerRule::NoneFailed),
            ("none_skipped", TriggerRule::NoneSkipped),
        ];
        for (name, rule) in rules {
            dag.empty(name).after((&good, &bad, &none)).rule(rule);
        }
    })
}

/// Groups keep names short, share settings, and are waited for as one.
fn groups() -> Dag {
    Dag::build("example_groups", |dag| {
        about(dag, "Groups, one inside the other.");
        let load = dag.group("load", |load| {
            load.retry(Retry::times(2).every(seconds(5)))
                .timeout(minutes(5));
            let orders = load.call("orders", say, "orders of {ds}");
            load.group("checks", |checks| {
                checks.call("rows", say, "{out.load.orders}").after(&orders);
                checks.call("ids", say, "{out.load.orders}").after(&orders);
            });
        });
        dag.call("report", say, "all of {ds} is there").after(&load);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use TaskState::{Failed, Skipped, Success, UpstreamFailed};
    use tidemill::testing::{DagRun, TaskState, valid};

    #[test]
    fn one_way_is_taken_or_none() {
        let dag = valid(branches());
        let states = |day| {
            let ran = DagRun::of(&dag).day(day).run();
            ran.assert_success();
            ["load_day", "load_month", "loaded"].map(|task| ran.state(task))
        };
        assert_eq!(states("2025-02-01"), [Skipped, Success, Success]);
        assert_eq!(states("2025-02-02"), [Success, Skipped, Success]);
        assert_eq!(states("2025-03-30"), [Skipped, Skipped, Skipped]);
    }

    #[test]
    fn several_ways_are_taken_at_once() {
        let dag = valid(several_ways());
        let states = |day| {
            let ran = DagRun::of(&dag).day(day).run();
            ["mail", "chat"].map(|task| ran.state(task))
        };
        assert_eq!(states("2025-06-30"), [Success, Success]);
        assert_eq!(states("2025-07-01"), [Skipped, Success]);
    }

    #[test]
    fn a_closed_gate_skips_all_or_what_comes_next() {
        let ran = DagRun::of(&valid(short_circuits())).day("2025-02-01").run();
        let states = ["load", "report", "mail", "tidy_up"].map(|task| ran.state(task));
        assert_eq!(states, [Skipped, Skipped, Skipped, Success]);
    }

    #[test]
    fn each_rule_makes_something_else_of_it() {
        let ran = DagRun::of(&valid(trigger_rules())).run();
        let states = ["good", "bad", "none"].map(|task| ran.state(task));
        assert_eq!(states, [Success, Failed, Skipped]);
        let states = ["all_done", "one_success", "one_failed"].map(|task| ran.state(task));
        assert_eq!(states, [Success; 3]);
        let states = ["none_failed", "none_skipped"].map(|task| ran.state(task));
        assert_eq!(states, [UpstreamFailed, Skipped]);
    }

    #[test]
    fn a_group_is_waited_for_as_one() {
        let ran = DagRun::of(&valid(groups())).run();
        assert_eq!(ran.order().last(), Some(&"report"));
        assert_eq!(
            ran.output::<String>("load.checks.ids"),
            "orders of 2025-01-01"
        );
    }
}
