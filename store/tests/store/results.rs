//! What came of checks, and what was loaded, as people see it.

use tidemill_core::protocol::{AttemptNo, RunNo};
use tidemill_store::history::{CheckFilter, CheckHead, Cursor, HeadFilter, LoadFilter};
use tidemill_store::record::{Changes, CheckRow};

use crate::pages::history;
use crate::place::Place;
use crate::round_trip::{lead, put};
use crate::sample::*;

/// Two DAGs with two checks of a table each, ten times; the last of `shop`'s `unique(id)` is bad.
fn checked() -> Changes {
    let mut changes = history();
    for n in 0..10 {
        for (dag, run) in [("crm", 2), ("shop", 3)] {
            for (nth, name) in [(0, "not_null(id)"), (1, "unique(id)")] {
                let attempt = n * 10 + run;
                let mut row = check_row(attempt, nth, instance(run, 0), dag);
                name.clone_into(&mut row.result.name);
                let is_bad = n == 9 && dag == "shop" && nth == 1;
                let status = if is_bad { "failed" } else { "passed" };
                status.clone_into(&mut row.result.status);
                row.result.at = at(n * 60);
                changes.checks.push(row);
            }
        }
    }
    changes
}

pub(crate) async fn checks_are_listed_page_after_page(place: &Place) {
    let leader = lead(&place.store).await;
    let written = checked();
    put(&leader, 1, &written).await;
    let all = async |of: CheckFilter| {
        let (mut found, mut at) = (Vec::<CheckRow>::new(), Cursor::START);
        loop {
            let page = place.store.checks(&of, at, 7).await.expect("it reads");
            let Some(last) = page.last() else {
                return found;
            };
            at = Cursor::from(&last.row);
            found.extend(page.into_iter().map(|named| named.row));
        }
    };
    let any = CheckFilter::default;
    let mut newest = written.checks.clone();
    newest.sort_by_key(|row| (row.result.at, row.attempt, row.nth));
    newest.reverse();
    assert_eq!(all(any()).await, newest);
    let dag = Some(dag_id("crm"));
    let of_dag = all(CheckFilter {
        dag: dag.clone(),
        ..any()
    })
    .await;
    assert_eq!(of_dag.len(), 20);
    let table = Some("crm.tickets".to_owned());
    let of_table = all(CheckFilter {
        table: table.clone(),
        ..any()
    })
    .await;
    assert_eq!(of_table.len(), 40);
    let name = Some("unique(id)".to_owned());
    let of_name = all(CheckFilter {
        name: name.clone(),
        ..any()
    })
    .await;
    assert_eq!(of_name.len(), 20);
    let of_check = all(CheckFilter {
        dag,
        table,
        name,
        ..any()
    })
    .await;
    assert_eq!(of_check.len(), 10);
    let status = Some("failed".to_owned());
    let [bad] = &all(CheckFilter { status, ..any() }).await[..] else {
        panic!("one is bad");
    };
    assert_eq!((bad.dag.as_str(), bad.result.at), ("shop", at(540)));
    let among = Some(vec![dag_id("crm")]);
    assert_eq!(all(CheckFilter { among, ..any() }).await, of_dag);
    let of_run = place.store.checks_of_run(RunNo(2), (2, 0), 2).await;
    let of_run: Vec<_> = of_run.expect("it reads").into_iter().collect();
    let places: Vec<_> = of_run
        .iter()
        .map(|row| (row.row.attempt.0, row.row.nth))
        .collect();
    assert_eq!(places, [(2, 1), (12, 0)]);
}

pub(crate) async fn each_check_comes_once_with_its_last_results(place: &Place) {
    let leader = lead(&place.store).await;
    put(&leader, 1, &checked()).await;
    let heads = async |of: HeadFilter, after: Option<&CheckHead>, rows| {
        let after = after.map(|head| (&head.dag, &*head.table, &*head.name));
        let found = place.store.check_heads(&of, after, (rows, 3)).await;
        found.expect("it reads")
    };
    let names = |heads: &[CheckHead]| -> Vec<String> {
        let name = |head: &CheckHead| format!("{} {}", head.dag, head.name);
        heads.iter().map(name).collect()
    };
    let any = HeadFilter::default;
    let first = heads(any(), None, 3).await;
    let wanted = ["crm not_null(id)", "crm unique(id)", "shop not_null(id)"];
    assert_eq!(names(&first), wanted);
    let seen: Vec<_> = first[0].last.iter().map(|mark| mark.at).collect();
    assert_eq!(seen, [at(540), at(480), at(420)]);
    let rest = heads(any(), first.last(), 3).await;
    assert_eq!(names(&rest), ["shop unique(id)"]);
    let said: Vec<_> = rest[0].last.iter().map(|mark| &*mark.status).collect();
    assert_eq!(said, ["failed", "passed", "passed"]);
    assert_eq!(heads(any(), rest.last(), 3).await, []);
    let bad = heads(HeadFilter { bad: true, ..any() }, None, 9).await;
    assert_eq!(bad, rest);
    let dag = Some(dag_id("crm"));
    let of_dag = heads(HeadFilter { dag, ..any() }, None, 9).await;
    assert_eq!(of_dag, first[..2]);
    let among = Some(vec![dag_id("shop")]);
    assert_eq!(heads(HeadFilter { among, ..any() }, None, 9).await.len(), 2);
    let table = Some("other".to_owned());
    assert_eq!(heads(HeadFilter { table, ..any() }, None, 9).await, []);
}

pub(crate) async fn loads_are_summed_day_by_day(place: &Place) {
    let leader = lead(&place.store).await;
    let mut written = history();
    for (load, n) in written.loads.iter_mut().zip(0..) {
        load.load.started_at = day(n / 10);
        load.load.ended_at = day(n / 10).after(std::time::Duration::from_secs(2));
        load.load.bytes_read = 7;
    }
    put(&leader, 1, &written).await;
    let of = LoadFilter {
        ended: day(1)..day(3),
        ..LoadFilter::default()
    };
    let days = place.store.load_days(&of).await.expect("it reads");
    let first = day(1).micros() / 86_400_000_000;
    let mut sums = std::collections::BTreeMap::new();
    for one in &days {
        assert!([first, first + 1].contains(&one.day), "{one:?}");
        assert_eq!((one.rows, one.bytes), (one.loads * 2, one.loads * 7));
        assert_eq!(one.took, one.loads * 2_000_000);
        *sums.entry(one.day - first).or_insert(0) += one.loads;
    }
    assert_eq!(sums.into_iter().collect::<Vec<_>>(), [(0, 10), (1, 10)]);
    let shop = LoadFilter {
        among: Some(vec![dag_id("shop_eu")]),
        ..of
    };
    assert_eq!(place.store.load_days(&shop).await.expect("it reads"), []);
}

pub(crate) async fn rows_come_with_the_names_of_their_run_and_task(place: &Place) {
    let leader = lead(&place.store).await;
    let written = checked();
    put(&leader, 1, &written).await;
    let load = &written.loads[0];
    let found = place.store.load_of(load.attempt, load.nth).await;
    let found = found.expect("it reads").expect("it is there");
    let run = written.new_runs.iter().find(|run| run.id == load.of.run);
    assert_eq!(found.run.as_deref(), run.map(|run| &*run.name));
    let task = written.new_tasks.iter().find(|task| task.of == load.of);
    assert_eq!(found.task, task.map(|task| task.name.clone()));
    assert_eq!(&found.row, load);
    let check = place.store.check_of(AttemptNo(2), 1).await;
    let check = check.expect("it reads").expect("it is there");
    assert_eq!(check.row, written.checks[1]);
    assert!(check.run.is_some() && check.task.is_some());
    let both = place.store.checks_of_attempt(AttemptNo(2), 9).await;
    let both: Vec<_> = both
        .expect("it reads")
        .into_iter()
        .map(|named| named.row)
        .collect();
    assert_eq!(both, [written.checks[0].clone(), written.checks[1].clone()]);
    let loads = place.store.loads_of_attempt(load.attempt, 1).await;
    assert_eq!(loads.expect("it reads"), [found]);
    let none = place.store.load_of(AttemptNo(2), 99).await;
    assert_eq!(none.expect("it reads"), None);
}
