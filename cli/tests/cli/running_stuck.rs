//! A task whose last attempt cannot be stopped, and what people do about it.

use tidemill::prelude::*;

use crate::running::{Running, said};

/// A job that goes on until its second attempt, and that nobody can cancel.
#[derive(Debug, Serialize, Deserialize)]
struct Jam {}

impl RemoteJob for Jam {
    const NAME: &'static str = "test.jam";
    type Handle = String;
    type Output = ();

    async fn look_for(&self, _: &TaskContext, _: &LaunchKey) -> TaskResult<Option<String>> {
        Ok(None)
    }

    async fn submit(&self, _: &TaskContext, _: &LaunchKey) -> TaskResult<String> {
        Ok("j-7".to_owned())
    }

    async fn poll(&self, ctx: &TaskContext, _: &String) -> TaskResult<Poll<()>> {
        if ctx.facts().attempt > 1 {
            return Ok(Poll::Done(()));
        }
        Ok(Poll::Running {
            wait: seconds(1),
            progress: "it runs".to_owned(),
        })
    }

    async fn cancel(&self, _: &TaskContext, _: &String) -> TaskResult<()> {
        Err(TaskError::permanent("the service knows no such job"))
    }
}

/// A job that cannot be cancelled.
pub(crate) fn jams() -> Dag {
    Dag::build("jams", |dag| {
        dag.add("load", Jam {});
    })
}

#[test]
fn a_stop_that_fails_for_ever_is_shown_and_can_be_forgotten() {
    let running = Running::start();
    assert_eq!(running.run(&["runs", "trigger", "jams"]).code, 0);
    let waits = |running: &Running| {
        let tasks = running.json(&["tasks", "list", "jams", "latest", "--json"]);
        tasks[0]["state"] == "deferred"
    };
    running.until(waits);
    let forget = [
        "tasks", "forget", "jams", "latest", "load", "--note", "deleted",
    ];
    let early = running.run(&forget);
    assert_eq!((early.code, early.stdout.as_str()), (2, ""));
    let says = "nothing of `load` is being stopped: it is deferred; cancel its attempt first";
    assert!(early.stderr.contains(says), "{}", early.stderr);

    let cleared = running.run(&["tasks", "clear", "jams", "latest", "load"]);
    assert_eq!(cleared.code, 0, "{}", cleared.stderr);
    running.until(|running| {
        let why = running.run(&["tasks", "why", "jams", "latest", "load"]);
        why.stdout.contains("which cannot cancel what it started")
            && why.stdout.contains("the service knows no such job")
    });

    assert_eq!(running.run(&forget[..5]).code, 2, "why is to be said");
    for (task, index, part) in [
        ("load", "3", "has no task `load[3]`"),
        (
            "load[2]",
            "3",
            "`load[2]` and `--index 3` are two instances",
        ),
    ] {
        let note = ["--index", index, "--note", "deleted"];
        let words = [&["tasks", "forget", "jams", "latest", task], &note[..]].concat();
        let wrong = running.run(&words);
        assert_eq!(wrong.code, 2, "{wrong:?}");
        assert!(wrong.stderr.contains(part), "{}", wrong.stderr);
    }
    let dry = running.run(&[&forget[..], &["--dry-run"]].concat());
    assert!(
        dry.stdout
            .starts_with("would have ended the wait for the stop\n"),
        "{}",
        dry.stdout
    );
    let done = running.run(&forget);
    assert_eq!((done.code, said(&done).2), (0, ""));
    assert!(
        done.stdout.starts_with("ended the wait for the stop\n")
            && done.stdout.contains("may still run, here or outside"),
        "{}",
        done.stdout
    );
    // The worker lets go of it, and the task goes on with a job of its own.
    let shown = running.run(&["runs", "show", "jams", "latest", "--watch"]);
    assert!(shown.stdout.contains("jams  manual__"), "{}", shown.stdout);
    let tasks = running.json(&["tasks", "list", "jams", "latest", "--json"]);
    assert_eq!(
        (&tasks[0]["state"], &tasks[0]["attempt"], &tasks[0]["note"]),
        (&"success".into(), &2.into(), &"deleted".into())
    );
    let again = running.run(&forget);
    assert!(
        again
            .stderr
            .contains("nothing of `load` is being stopped: it is success"),
        "{}",
        again.stderr
    );
}
