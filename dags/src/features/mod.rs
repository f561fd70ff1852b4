//! Examples: one short file a topic, one DAG a feature. None needs anything outside its process, and none runs for longer
//! than a moment, so that each can be tried at once: `runs trigger example_retries`, or the button on its page.

mod cleanup;
mod failures;
mod limits;
mod loads;
mod mapping;
mod params;
mod places;
mod remote;
mod schedules;
mod waiting;
mod ways;

use std::sync::Arc;

use tidemill::prelude::*;

/// Adds all examples and the names they use to a project.
pub(crate) fn add_to(project: Dags) -> Dags {
    project
        .pool("example_narrow", 2)
        .alert_route("example_team")
        .family(schedules::all)
        .dag(params::with_a_form)
        .family(failures::all)
        .family(ways::all)
        .family(mapping::all)
        .family(waiting::all)
        .dag(cleanup::setup_and_teardown)
        .family(limits::all)
        .family(places::all)
        .dag(loads::loads)
        .service(Arc::new(remote::PrintShop::default()))
        .dag(remote::remote_job)
}

/// What all examples have in common.
fn about(dag: &DagBuilder, doc: &str) {
    dag.owner("examples").tag("example").doc(doc);
}

/// Says something, for examples in which it does not matter what is done.
#[task]
async fn say(ctx: &TaskContext, words: String) -> TaskResult<String> {
    ctx.info(&words);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use tidemill::prelude::*;
    use tidemill::testing::valid_project;

    #[test]
    fn every_example_is_valid_found_by_its_tag_and_explained() {
        let project = valid_project(&super::add_to(Dags::new()));
        assert!(project.dags.len() >= 25, "{}", project.dags.len());
        for dag in &project.dags {
            let (id, notes) = (dag.spec().id(), &dag.spec().notes);
            assert!(id.as_str().starts_with("example_"), "{id}");
            assert_eq!(notes.tags, ["example"], "{id}");
            assert!(!notes.doc.is_empty(), "{id} says nothing about itself");
        }
    }
}
