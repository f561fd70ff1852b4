//! Statements that change rows as jobs run them: stamps, limits, parameters, many at once, and an end in the middle.

use std::sync::Arc;

use tidemill_warehouse::sql::{Engine, Outcome, Parameter, ParameterValue, Request, SqlError};
use tidemill_warehouse::tables::{TableId, TableMeta, Warehouse};
use tidemill_warehouse::{Field, Kind, Located, Schema};

use crate::dml::{block, changed, make, pairs, refused, rows, two};
use crate::kit::{Kit, noon};

#[test]
fn a_change_bears_the_stamp_of_its_job() {
    let kit = two();
    let spill = kit.folder.path().join("spill");
    let catalog = Arc::new(Located::new(kit.warehouse.clone(), "EU"));
    let engine = Engine::new(catalog, &spill).expect("it works");
    let mut request = Request::new("DELETE d.t WHERE k = 1", "p", noon());
    request.job = Some("p:EU.j".to_owned());
    block(engine.run(&request)).expect("it works");
    assert_eq!(
        kit.warehouse.bearing("p:EU.j"),
        [TableId::new("p", "d", "t")]
    );
}

#[test]
fn names_in_a_view_are_those_of_its_dataset() {
    let kit = two();
    let mut view = TableMeta::new(Schema::default());
    view.view = Some("SELECT k FROM t WHERE k = 3".to_owned());
    make(&kit, "shown", view);
    let spill = kit.folder.path().join("spill");
    let catalog = Arc::new(Located::new(kit.warehouse.clone(), "EU"));
    let engine = Engine::new(catalog, &spill).expect("it works");
    let request = Request::new("SELECT k FROM `p.d.shown`", "elsewhere", noon());
    let outcome = block(engine.run(&request)).expect("it works");
    assert_eq!(
        outcome
            .batches
            .iter()
            .map(|batch| batch.num_rows())
            .sum::<usize>(),
        1
    );
    assert!(refused(&kit, "DELETE d.shown WHERE TRUE").contains("is a view"));
}

#[test]
fn parameters_without_names_count_as_they_are_written() {
    let kit = two();
    let spill = kit.folder.path().join("spill");
    let catalog = Arc::new(Located::new(kit.warehouse.clone(), "EU"));
    let engine = Engine::new(catalog, &spill).expect("it works");
    let given = |text: &str, values: &[&str]| {
        let mut request = Request::new(text, "p", noon());
        request.parameters = values
            .iter()
            .map(|value| Parameter {
                name: None,
                field: Field::new("", Kind::Int64),
                value: ParameterValue::Text((*value).to_owned()),
            })
            .collect();
        block(engine.run(&request)).expect(text)
    };
    given(
        "MERGE d.t USING (SELECT ? AS x) AS s ON t.k = s.x WHEN MATCHED THEN UPDATE SET k = ? WHEN NOT MATCHED THEN INSERT (k) VALUES (?)",
        &["1", "11", "12"],
    );
    given("UPDATE d.t SET k = ? WHERE k = ?", &["33", "3"]);
    assert_eq!(
        rows(&kit, "SELECT k FROM d.t ORDER BY k"),
        ["2", "11", "33"]
    );
    let outcome = given(
        "SELECT x * 100 + o * 10 + ? FROM UNNEST([?, ?]) AS x WITH OFFSET AS o WHERE o = ?",
        &["7", "5", "6", "1"],
    );
    let shown = format!("{:?}", outcome.batches[0].column(0));
    assert!(shown.contains("617"), "{shown}");
}

#[test]
fn a_change_that_reads_more_than_it_may_changes_nothing() {
    let kit = two();
    let spill = kit.folder.path().join("spill");
    let catalog = Arc::new(Located::new(kit.warehouse.clone(), "EU"));
    let engine = Engine::new(catalog, &spill).expect("it works");
    let mut request = Request::new("DELETE d.t WHERE k = 1", "p", noon());
    // The column, and all columns: 3 numbers and 3 texts of one letter.
    request.maximum_bytes_billed = Some(24 + 24 + 9 - 1);
    let error = block(engine.run(&request)).expect_err("it reads more");
    assert_eq!(error.reason, "bytesBilledLimitExceeded");
    assert_eq!(rows(&kit, "SELECT COUNT(*) FROM d.t"), ["3"]);
    request.maximum_bytes_billed = Some(24 + 24 + 9);
    block(engine.run(&request)).expect("it may");
    assert_eq!(rows(&kit, "SELECT COUNT(*) FROM d.t"), ["2"]);
}

#[test]
fn a_merge_that_is_dropped_leaves_the_old_table() {
    let kit = Kit::new();
    make(&kit, "t", pairs());
    changed(
        &kit,
        "INSERT d.t SELECT x, 'old' FROM UNNEST(GENERATE_ARRAY(1, 20000)) AS x",
    );
    let before = kit.files();
    let merge = "MERGE d.t USING UNNEST(GENERATE_ARRAY(1, 40000)) AS x ON t.k = x \
                 WHEN MATCHED THEN UPDATE SET v = 'new' WHEN NOT MATCHED THEN INSERT VALUES (x, 'new')";
    let spill = kit.folder.path().join("spill");
    let catalog = Arc::new(Located::new(kit.warehouse.clone(), "EU"));
    let engine = Engine::new(catalog, &spill).expect("it works");
    let request = Request::new(merge, "p", noon());
    for polls in [1, 2, 5, 20, 60] {
        let done = block(async {
            let mut run = Box::pin(engine.run(&request));
            let mut left = polls;
            std::future::poll_fn(|context| {
                left -= 1;
                match run.as_mut().poll(context) {
                    std::task::Poll::Ready(_) => std::task::Poll::Ready(true),
                    std::task::Poll::Pending if left == 0 => std::task::Poll::Ready(false),
                    std::task::Poll::Pending => std::task::Poll::Pending,
                }
            })
            .await
        });
        if done {
            break;
        }
        assert_eq!(
            rows(&kit, "SELECT COUNT(*), MAX(v) FROM d.t"),
            ["20000,old"]
        );
    }
    let kit = kit.killed();
    if rows(&kit, "SELECT MAX(v) FROM d.t") == ["old"] {
        assert_eq!(kit.files(), before);
    }
}

async fn started(
    warehouse: Warehouse,
    spill: std::path::PathBuf,
    text: String,
) -> Result<Outcome, SqlError> {
    let engine = Engine::new(Arc::new(Located::new(warehouse, "EU")), &spill)?;
    engine.run(&Request::new(text, "p", noon())).await
}

#[test]
fn changes_at_once_are_all_there() {
    let kit = two();
    let spill = kit.folder.path().join("spill");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("it works");
    runtime.block_on(async {
        let mut all = Vec::new();
        for at in 0..50 {
            let text = match at % 3 {
                0 => "UPDATE d.t SET k = k + 1 WHERE v = 'c'".to_owned(),
                1 => format!("INSERT d.t VALUES ({}, 'more')", 1000 + at),
                _ => format!("MERGE d.t USING (SELECT {at} AS x) ON k = x + 2000 WHEN NOT MATCHED THEN INSERT VALUES (x + 2000, 'merged')"),
            };
            all.push(tokio::spawn(started(kit.warehouse.clone(), spill.clone(), text)));
        }
        for one in all {
            one.await.expect("it ends").expect("it works");
        }
    });
    assert_eq!(
        rows(
            &kit,
            "SELECT v, COUNT(*), MAX(k) FROM d.t WHERE v IN ('c', 'more', 'merged') GROUP BY v ORDER BY v"
        ),
        ["c,1,20", "merged,16,2047", "more,17,1049"]
    );
}
