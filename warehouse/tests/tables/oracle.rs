//! Random tables and changes of them, against what plain Rust makes of them.

use proptest::prelude::*;
use tidemill_warehouse::tables::{Partitioning, RangeBounds, TableId, TableMeta};
use tidemill_warehouse::{Field, Kind, Schema};

use crate::kit::Kit;

type Row = (Option<i64>, Option<i64>);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let value = || prop::option::weighted(0.9, 0..6_i64);
    prop::collection::vec((value(), value()), 0..8)
}

#[derive(Debug, Clone)]
enum Step {
    Insert(Vec<Row>),
    Update(i64),
    Delete(i64),
    Merge(Vec<Row>, [Option<i64>; 4], bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let clause = || prop::option::weighted(0.7, 0..6_i64);
    let step = prop_oneof![
        rows().prop_map(Step::Insert),
        (0..6_i64).prop_map(Step::Update),
        (0..6_i64).prop_map(Step::Delete),
        (
            rows(),
            [clause(), clause(), clause(), clause()],
            prop::bool::weighted(0.2)
        )
            .prop_map(|(rows, clauses, never)| Step::Merge(rows, clauses, never)),
    ];
    prop::collection::vec(step, 1..5)
}

fn literal(value: Option<i64>) -> String {
    value.map_or("CAST(NULL AS INT64)".to_owned(), |value| value.to_string())
}

fn source(rows: &[Row]) -> String {
    let mut all = vec!["SELECT 0 AS a, 0 AS b LIMIT 0".to_owned()];
    all[0] = "SELECT a, b FROM (SELECT 0 AS a, 0 AS b) WHERE FALSE".to_owned();
    for (a, b) in rows {
        all.push(format!("SELECT {}, {}", literal(*a), literal(*b)));
    }
    all.join(" UNION ALL ")
}

impl Step {
    fn text(&self) -> String {
        match self {
            Self::Insert(rows) => format!("INSERT d.t {}", source(rows)),
            Self::Update(b) => format!("UPDATE d.t SET a = a + 1 WHERE b >= {b}"),
            Self::Delete(a) => format!("DELETE d.t WHERE a = {a}"),
            Self::Merge(rows, [gone, changed, comes, alone], never) => {
                let on = if *never { "FALSE" } else { "t.a = s.a" };
                let mut text = format!("MERGE d.t USING ({}) AS s ON {on}", source(rows));
                if let Some(at) = gone {
                    text += &format!(" WHEN MATCHED AND s.b = {at} THEN DELETE");
                }
                if let Some(at) = changed {
                    text += &format!(" WHEN MATCHED AND t.b < {at} THEN UPDATE SET b = s.b + 1");
                }
                if let Some(at) = comes {
                    text += &format!(
                        " WHEN NOT MATCHED AND s.b <= {at} THEN INSERT (b, a) VALUES (s.b, s.a)"
                    );
                }
                if let Some(at) = alone {
                    text += &format!(
                        " WHEN NOT MATCHED BY SOURCE AND t.b = {at} THEN UPDATE SET a = 5"
                    );
                }
                text + " WHEN NOT MATCHED BY SOURCE AND t.a = 99 THEN DELETE"
            }
        }
    }

    /// The rows after it, and how many came, were changed and went; none if it fails.
    fn done(&self, table: &[Row]) -> Option<(Vec<Row>, (u64, u64, u64))> {
        let mut next = Vec::new();
        let mut count = (0, 0, 0);
        match self {
            Self::Insert(rows) => {
                next = [table, rows.as_slice()].concat();
                count.0 = rows.len() as u64;
            }
            Self::Update(b) => {
                for (a, own) in table {
                    let changed = own.is_some_and(|own| own >= *b);
                    count.1 += u64::from(changed);
                    next.push((if changed { a.map(|a| a + 1) } else { *a }, *own));
                }
            }
            Self::Delete(a) => {
                next = table
                    .iter()
                    .filter(|row| row.0 != Some(*a))
                    .copied()
                    .collect();
                count.2 = (table.len() - next.len()) as u64;
            }
            Self::Merge(rows, [gone, changed, comes, alone], never) => {
                let on = |t: &Row, s: &Row| !never && t.0.is_some() && t.0 == s.0;
                for t in table {
                    let found: Vec<&Row> = rows.iter().filter(|s| on(t, s)).collect();
                    let mut results = Vec::new();
                    for s in &found {
                        if gone.is_some() && s.1 == *gone {
                            results.push(None);
                        } else if changed.zip(t.1).is_some_and(|(at, b)| b < at) {
                            results.push(Some((t.0, s.1.map(|b| b + 1))));
                        }
                    }
                    if found.is_empty() && alone.is_some() && t.1 == *alone {
                        results.push(Some((Some(5), t.1)));
                    }
                    match results.as_slice() {
                        [] => next.push(*t),
                        [None] => count.2 += 1,
                        [Some(row)] => {
                            count.1 += 1;
                            next.push(*row);
                        }
                        _ => return None,
                    }
                }
                for s in rows {
                    let matched = table.iter().any(|t| on(t, s));
                    if !matched && comes.zip(s.1).is_some_and(|(at, b)| b <= at) {
                        next.push(*s);
                        count.0 += 1;
                    }
                }
            }
        }
        Some((next, count))
    }
}

fn table(kit: &Kit, partitioned: bool) {
    let mut meta = TableMeta::new(Schema {
        fields: vec![Field::new("a", Kind::Int64), Field::new("b", Kind::Int64)],
    });
    if partitioned {
        meta.partitioning = Some(Partitioning::Range {
            field: "a".to_owned(),
            range: RangeBounds {
                start: 0,
                end: 4,
                interval: 2,
            },
        });
    }
    kit.warehouse
        .create_table(&TableId::new("p", "d", "t"), meta, Vec::new())
        .expect("it works");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changes_are_what_they_should_be(start in rows(), steps in steps(), partitioned: bool) {
        let kit = Kit::new();
        table(&kit, partitioned);
        let mut wanted: Vec<Row> = Vec::new();
        for step in std::iter::once(Step::Insert(start)).chain(steps) {
            let text = step.text();
            let found = kit.query(&text);
            match step.done(&wanted) {
                None => {
                    let error = found.expect_err(&text);
                    prop_assert!(error.message.contains("at most one source row"), "{}: {}", text, error);
                }
                Some((rows, count)) => {
                    let affected = found.map_err(|error| format!("{text}: {error}")).unwrap().affected.unwrap();
                    prop_assert_eq!((affected.inserted, affected.updated, affected.deleted), count, "{}", text);
                    wanted = rows;
                }
            }
            wanted.sort_unstable();
            let shown: Vec<String> = wanted.iter().map(|(a, b)| {
                let text = |v: &Option<i64>| v.map(|v| v.to_string()).unwrap_or_default();
                format!("{},{}", text(a), text(b))
            }).collect();
            prop_assert_eq!(kit.rows("SELECT a, b FROM d.t ORDER BY a, b").0, shown, "{}", text);
        }
    }
}
