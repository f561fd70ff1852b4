//! A job that another system runs: looked for, submitted, watched, cancelled. The system is a print shop that lives in
//! this process.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tidemill::prelude::*;

use super::{about, say};

/// The print shop: jobs by their keys, with the pages that are left.
#[derive(Debug, Default)]
pub(super) struct PrintShop(Mutex<BTreeMap<String, u32>>);

impl PrintShop {
    fn jobs(&self) -> MutexGuard<'_, BTreeMap<String, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Prints so many pages.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Print {
    title: Text,
    pages: u32,
}

impl RemoteJob for Print {
    const NAME: &'static str = "example.print";
    type Handle = String;
    type Output = String;

    async fn look_for(&self, ctx: &TaskContext, key: &LaunchKey) -> TaskResult<Option<String>> {
        let known = ctx
            .service::<PrintShop>()?
            .jobs()
            .contains_key(key.as_str());
        Ok(known.then(|| key.to_string()))
    }

    async fn submit(&self, ctx: &TaskContext, key: &LaunchKey) -> TaskResult<String> {
        ctx.service::<PrintShop>()?
            .jobs()
            .insert(key.to_string(), self.pages);
        Ok(key.to_string())
    }

    async fn poll(&self, ctx: &TaskContext, job: &String) -> TaskResult<Poll<String>> {
        let shop = ctx.service::<PrintShop>()?;
        let mut jobs = shop.jobs();
        let Some(left) = jobs.get_mut(job) else {
            return Ok(Poll::Failed(TaskError::lost("the print shop lost the job")));
        };
        if *left == 0 {
            return Ok(Poll::Done(format!("{} is printed", self.title.as_str())));
        }
        *left -= 1;
        Ok(Poll::Running {
            wait: seconds(2),
            progress: format!("{left} of {} pages to go", self.pages),
        })
    }

    async fn cancel(&self, ctx: &TaskContext, job: &String) -> TaskResult<()> {
        ctx.service::<PrintShop>()?.jobs().remove(job);
        Ok(())
    }
}

/// While the job runs, the task holds no slot. One that takes too long is cancelled before it is tried again.
pub(super) fn remote_job() -> Dag {
    Dag::build("example_remote_job", |dag| {
        about(dag, "Two jobs in another system: one is done in time.");
        let leaflet = Print {
            title: "leaflet {ds}".into(),
            pages: 3,
        };
        let printed = dag.add("leaflet", leaflet);
        dag.call("say", say, "{out.leaflet}").after(&printed);
        let book = Print {
            title: "book".into(),
            pages: 300,
        };
        dag.add("book", book)
            .timeout(minutes(1))
            .retry(Retry::times(1).every(seconds(5)));
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use tidemill::testing::{DagRun, valid};

    #[test]
    fn a_job_is_watched_to_its_end_and_one_that_takes_too_long_is_cancelled() {
        let shop = Arc::new(PrintShop::default());
        let ran = DagRun::of(&valid(remote_job()))
            .service(Arc::clone(&shop))
            .run();
        assert_eq!(ran.output::<String>("say"), "leaflet 2025-01-01 is printed");
        assert_eq!(ran.began("say"), Some(seconds(6)));
        assert_eq!(ran.attempts("book"), 2);
        assert_eq!(ran.error("book").message, "it took longer than 1m");
        // The book was cancelled both times; only the leaflet is left.
        assert_eq!(shop.jobs().len(), 1);
    }

    #[test]
    fn a_job_that_is_there_already_is_adopted() {
        let shop = Arc::new(PrintShop::default());
        let dag = valid(remote_job());
        let run = || {
            DagRun::of(&dag)
                .service(Arc::clone(&shop))
                .output_of("book", "not today")
                .run()
        };
        run().assert_success();
        let again = run();
        assert!(again.logged("leaflet", "adopted"), "{}", again.picture());
        assert_eq!(shop.jobs().len(), 1);
    }
}
