//! Waiting costs no slot: sensors that look again and again, and questions to people.

use tidemill::prelude::*;

use super::{about, say};

pub(super) fn all() -> Vec<Dag> {
    vec![sensors(), approvals()]
}

/// Looks whether so many seconds have passed since the end of the interval.
#[task]
async fn have_passed(ctx: &TaskContext, seconds: u64) -> TaskResult<Sense<DateTime<Utc>>> {
    let until = ctx.interval().end + tidemill::prelude::seconds(seconds);
    Ok(if ctx.now() < until {
        Sense::NotYet
    } else {
        Sense::Ready(until)
    })
}

/// Never sees anything.
#[task]
async fn never() -> TaskResult<Sense<()>> {
    Ok(Sense::NotYet)
}

/// A sensor gives what it saw to the next task; one that waits too long fails, or is skipped.
fn sensors() -> Dag {
    Dag::build("example_sensors", |dag| {
        about(
            dag,
            "One sensor that sees something, and one that does not.",
        );
        let seen = dag
            .sensor("half_a_minute", have_passed, 30)
            .every(seconds(10))
            .timeout(hours(1));
        dag.call("go_on", say, "it is {out.half_a_minute}")
            .after(&seen);
        dag.sensor("in_vain", never, ())
            .every(seconds(10))
            .timeout(minutes(1))
            .skip_on_timeout();
    })
}

/// A person is asked, with what was found out; what they answer is an output like any other.
fn approvals() -> Dag {
    Dag::build("example_approval", |dag| {
        about(dag, "Two questions, and what follows from the answers.");
        let cost = dag.call("cost", say, "120 euros");
        let spend = Approval::ask("Spend {out.cost} on {ds}?").default_to("reject");
        let spent = dag.approval("spend", spend).after(&cost).timeout(hours(4));
        let colour = Approval::ask("Which colour?")
            .choices(["red", "green", "none"])
            .fails_on("none");
        let colour = dag.approval("colour", colour).after(&spent);
        dag.call("paint", say, colour.pick::<String>("choice"));
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill::testing::{DagRun, TaskState, valid};

    #[test]
    fn the_sensor_sees_it_on_its_third_look() {
        let ran = DagRun::of(&valid(sensors())).run();
        ran.assert_success();
        assert_eq!(ran.began("go_on"), Some(seconds(30)));
        assert_eq!(
            (ran.state("in_vain"), ran.took()),
            (TaskState::Skipped, minutes(1))
        );
    }

    #[test]
    fn the_answer_is_an_output_and_silence_is_one_as_well() {
        let dag = valid(approvals());
        let answered = || DagRun::of(&dag).answer("spend", "approve");
        assert_eq!(
            answered()
                .answer("colour", "green")
                .run()
                .output::<String>("paint"),
            "green"
        );
        let ran = answered().answer("colour", "none").run();
        assert_eq!(ran.state("paint"), TaskState::UpstreamFailed);
        let ran = DagRun::of(&dag).run();
        assert_eq!(
            (ran.state("spend"), ran.took()),
            (TaskState::Failed, hours(4))
        );
    }
}
