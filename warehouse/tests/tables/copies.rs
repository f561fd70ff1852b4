//! Copies of tables.

use std::sync::atomic::AtomicBool;

use tidemill_warehouse::copy::{Copied, Copy, copy};
use tidemill_warehouse::load::{LoadError, WriteMode};
use tidemill_warehouse::tables::TableId;

use crate::kit::{Kit, by_day, id, january};

fn job() -> Copy {
    Copy {
        sources: vec![(id(), None)],
        destination: TableId::new("p", "d", "u"),
        partition: None,
        create: true,
        write: WriteMode::Empty,
    }
}

fn copied(kit: &Kit, job: &Copy) -> Result<Copied, LoadError> {
    copy(&kit.warehouse, job, &AtomicBool::new(false), |_| Ok(()))
}

const ALL: &str = "SELECT n FROM u ORDER BY n";

#[test]
fn a_copy_is_a_table_like_the_other() {
    let kit = Kit::new();
    kit.daily(&[(january(1), "a", 1), (january(2), "b", 2)]);
    let done = copied(&kit, &job()).unwrap();
    assert_eq!(done, Copied { rows: 2, bytes: 38 });
    let table = kit.warehouse.table(&job().destination).unwrap();
    assert_eq!(table.meta.partitioning, by_day().partitioning);
    assert_eq!(kit.rows(ALL).0, ["1", "2"]);
    assert_eq!(
        copied(&kit, &job()).unwrap_err().message,
        "Already Exists: Table p:d.u"
    );
    let mut more = job();
    more.write = WriteMode::Append;
    copied(&kit, &more).unwrap();
    assert_eq!(kit.rows(ALL).0, ["1", "1", "2", "2"]);
    more.write = WriteMode::Truncate;
    more.sources.push((id(), Some("20260102".to_owned())));
    copied(&kit, &more).unwrap();
    assert_eq!(kit.rows(ALL).0, ["1", "2", "2"]);
}

#[test]
fn one_partition_goes_where_it_belongs() {
    let kit = Kit::new();
    kit.daily(&[(january(1), "a", 1), (january(2), "b", 2)]);
    copied(&kit, &job()).unwrap();
    kit.append(&[(january(2), "c", 3)]).unwrap();
    let mut part = job();
    part.sources[0].1 = Some("20260102".to_owned());
    part.partition = Some("20260102".to_owned());
    part.write = WriteMode::Truncate;
    copied(&kit, &part).unwrap();
    assert_eq!(kit.rows(ALL).0, ["1", "2", "3"]);
    part.partition = Some("20260103".to_owned());
    assert!(
        copied(&kit, &part)
            .unwrap_err()
            .message
            .starts_with("Some rows belong to different partitions")
    );
}
