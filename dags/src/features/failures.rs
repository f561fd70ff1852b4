//! What happens when tasks fail, are slow or late: the kind of error decides.

use tidemill::prelude::*;

use super::{about, say};

pub(super) fn all() -> Vec<Dag> {
    vec![
        retries(),
        kinds_of_error(),
        timeouts(),
        alerts(),
        nothing_to_do(),
    ]
}

/// Succeeds at the attempt that is asked for.
#[task]
async fn succeed_at(ctx: &TaskContext, attempt: u32) -> TaskResult<u32> {
    let now = ctx.facts().attempt;
    if now < attempt {
        return Err(TaskError::transient(format!(
            "attempt {now} of {attempt} finds nobody"
        )));
    }
    Ok(now)
}

/// The same wait each time, or waits that double: the DAG says it for all tasks, a task for itself.
fn retries() -> Dag {
    Dag::build("example_retries", |dag| {
        about(dag, "Attempts that fail are made again.");
        dag.retry(Retry::times(2).every(seconds(5)));
        dag.call("steady", succeed_at, 3);
        dag.call("patient", succeed_at, 4)
            .retry(Retry::times(5).exponential(seconds(2)..=minutes(1)));
    })
}

/// Fails in the way it is told to.
#[task]
async fn fail_as(ctx: &TaskContext, kind: String) -> TaskResult<String> {
    if ctx.facts().attempt > 1 {
        return Ok(kind);
    }
    Err(match kind.as_str() {
        "quota" => TaskError::quota("a hundred calls a minute are allowed", Some(seconds(20))),
        "data" => TaskError::data("line 3 has no id").help("ask the shop to mend its export"),
        "permanent" => TaskError::permanent("the table may not be read"),
        _ => TaskError::transient("the other side hung up"),
    })
}

/// What may pass is tried again, after a quota not before the other side said so; wrong data and missing rights are not.
fn kinds_of_error() -> Dag {
    Dag::build("example_errors", |dag| {
        about(dag, "Kinds of error: two are tried again, two are not.");
        dag.retry(Retry::times(3).every(seconds(5)));
        dag.map("fail", fail_as, ["transient", "quota", "data", "permanent"])
            .label("{item}");
    })
}

/// Works for so many seconds.
#[task]
async fn work(ctx: &TaskContext, seconds: u64) -> TaskResult {
    ctx.sleep(tidemill::prelude::seconds(seconds)).await;
    Ok(())
}

/// An attempt that takes too long is stopped and tried again; a run that is late is told of, and goes on.
fn timeouts() -> Dag {
    Dag::build("example_timeouts", |dag| {
        about(dag, "A task that is stopped, and a run that is late.");
        dag.run_timeout(minutes(10)).deadline(seconds(15));
        dag.on_late(Alert::to("example_team").note("it is still running"));
        let stopped = dag
            .call("too_slow", work, 60)
            .timeout(seconds(10))
            .retry(Retry::times(1).every(seconds(5)));
        dag.call("afterwards", say, "it went on without it")
            .after(&stopped)
            .rule(TriggerRule::AllDone);
    })
}

/// Who is told of what: the DAG's alerts count for all its tasks.
fn alerts() -> Dag {
    Dag::build("example_alerts", |dag| {
        about(dag, "Alerts of a DAG and of a task.");
        dag.on_failure(Alert::to("example_team").severity(Severity::Warning));
        dag.call("flaky", succeed_at, 2)
            .retry(Retry::times(1).every(seconds(1)))
            .on_retry(Alert::to("example_team").severity(Severity::Info))
            .on_success(Alert::to("example_team").severity(Severity::Info));
        dag.call("broken", fail_as, "permanent");
    })
}

/// Has nothing to do on odd days.
#[task]
fn even_days(day: NaiveDate) -> TaskResult<String> {
    if day
        .format("%d")
        .to_string()
        .parse::<u32>()
        .or_permanent("read the day")?
        % 2
        == 1
    {
        return Err(TaskError::skip("nothing comes in on odd days"));
    }
    Ok(format!("{day} was loaded"))
}

/// A task that has nothing to do ends as skipped, and so does what follows. Nobody is told.
fn nothing_to_do() -> Dag {
    Dag::build("example_skip", |dag| {
        about(dag, "A task that has nothing to do.");
        dag.on_failure(Alert::to("example_team"));
        let loaded = dag.call("load", even_days, interval::start_date());
        dag.call("report", say, "{out.load}").after(&loaded);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill::testing::{DagRun, TaskState, valid};

    #[test]
    fn attempts_are_made_until_one_succeeds() {
        let ran = DagRun::of(&valid(retries())).run();
        ran.assert_success();
        assert_eq!((ran.attempts("steady"), ran.attempts("patient")), (3, 4));
    }

    #[test]
    fn the_kind_of_error_decides_whether_it_is_tried_again() {
        let ran = DagRun::of(&valid(kinds_of_error())).run();
        let attempts = [0, 1, 2, 3].map(|nth| ran.attempts(&format!("fail[{nth}]")));
        assert_eq!(attempts, [2, 2, 1, 1]);
        assert_eq!(ran.took(), seconds(20));
    }

    #[test]
    fn the_slow_task_is_stopped_twice_and_the_run_is_late() {
        let ran = DagRun::of(&valid(timeouts())).run();
        assert_eq!(
            (ran.attempts("too_slow"), ran.state("afterwards")),
            (2, TaskState::Success)
        );
        assert_eq!(ran.took(), seconds(25));
        assert_eq!(ran.alerts(), ["deadline of run to example_team"]);
    }

    #[test]
    fn people_are_told_once_of_each() {
        let ran = DagRun::of(&valid(alerts())).run();
        let mut alerts = ran.alerts().to_vec();
        alerts.sort();
        assert_eq!(
            alerts,
            [
                "failure of broken to example_team",
                "retry of flaky to example_team",
                "success of flaky to example_team"
            ]
        );
    }

    #[test]
    fn nobody_is_told_that_there_was_nothing_to_do() {
        let dag = valid(nothing_to_do());
        let ran = DagRun::of(&dag).day("2025-01-03").run();
        ran.assert_success();
        assert_eq!(
            (ran.state("load"), ran.state("report")),
            (TaskState::Skipped, TaskState::Skipped)
        );
        assert_eq!(ran.alerts(), Vec::<String>::new());
        let ran = DagRun::of(&dag).day("2025-01-04").run();
        assert_eq!(ran.output::<String>("report"), "2025-01-04 was loaded");
    }
}
