//! What helps pages to find things: jobs outside, notes.

use tidemill_core::id::DagId;
use tidemill_core::protocol::{NOT_MAPPED, RunNo};

use crate::pages::history;
use crate::place::Place;
use crate::round_trip::{lead, put};
use crate::sample::*;

pub(crate) async fn loads_are_found_by_their_job(place: &Place) {
    let leader = lead(&place.store).await;
    let mut written = history();
    written.loads[3].load.job_id = Some("project:eu.job_7".to_owned());
    put(&leader, 1, &written).await;
    let found = async |job, among: Option<&[DagId]>| {
        let found = place.store.loads_of_job(job, among, 9).await;
        found.expect("it reads")
    };
    let one = found("project:eu.job_7", None).await;
    let [one] = &one[..] else {
        panic!("{one:?}");
    };
    let run = written
        .new_runs
        .iter()
        .find(|run| run.id == written.loads[3].of.run);
    assert_eq!(one.run, *run.expect("its run").name);
    assert_eq!((one.dag.as_str(), one.index), ("crm", NOT_MAPPED));
    assert_eq!(one.destination, written.loads[3].load.destination);
    assert!(
        found("project:eu.job", None).await.is_empty(),
        "by the whole id"
    );
    let others = [dag_id("shop_eu")];
    assert!(found("project:eu.job_7", Some(&others)).await.is_empty());
}

pub(crate) async fn notes_on_tasks_are_found_for_the_grid(place: &Place) {
    let leader = lead(&place.store).await;
    let mut written = history();
    let mut long = detail_row(3, 1);
    long.note = Some("é".repeat(500).into());
    let mut none = detail_row(4, 0);
    none.note = None;
    written.task_details = vec![detail_row(2, 0), long, none, detail_row(9, 0)];
    put(&leader, 1, &written).await;
    let runs = [RunNo(2), RunNo(3), RunNo(4)];
    let mut found = place.store.noted(&runs).await.expect("it reads");
    found.sort_by_key(|noted| noted.run);
    let places: Vec<_> = found
        .iter()
        .map(|noted| (noted.run.0, noted.task.0))
        .collect();
    assert_eq!(places, [(2, 0), (3, 1)]);
    assert_eq!(found[0].note, HOSTILE);
    assert_eq!(found[1].note, "é".repeat(200));
}
