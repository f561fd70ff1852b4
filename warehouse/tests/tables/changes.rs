//! Changes, and those that come at the same time.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use tidemill_warehouse::tables::{
    Change, DatasetId, Partition, Partitioning, TableError, TableMeta, Target,
};
use tidemill_warehouse::{Field, Kind, Mode};

use crate::kit::{Kit, batch, by_day, id, january, schema};

const ALL: &str = "SELECT n FROM t ORDER BY n";

#[test]
fn appends_go_together_and_other_changes_do_not() {
    let kit = Kit::new();
    let old = kit.daily(&[(january(1), "a", 1)]);
    kit.append(&[(january(1), "b", 2)]).unwrap();
    let more = kit.write(&old.meta, &batch(&[(january(2), "c", 3)]));
    kit.warehouse
        .commit(&id(), old.version, Change::Append(more))
        .unwrap();
    assert_eq!(kit.rows(ALL).0, ["1", "2", "3"]);
    let change = Change::Replace(Box::new((*old.meta).clone()), Vec::new());
    let error = kit
        .warehouse
        .commit(&id(), old.version, change)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "Could not serialize access to table p:d.t due to concurrent update"
    );
    assert_eq!(kit.rows(ALL).0, ["1", "2", "3"]);
}

#[test]
fn a_partition_is_replaced_alone() {
    let kit = Kit::new();
    let old = kit.daily(&[
        (january(1), "a", 1),
        (january(2), "b", 2),
        (january(3), "c", 3),
    ]);
    let files = kit.write(&old.meta, &batch(&[(january(2), "x", 20)]));
    let names = HashSet::from(["20260102".to_owned()]);
    kit.warehouse
        .commit(&id(), old.version, Change::ReplacePartitions(names, files))
        .unwrap();
    assert_eq!(kit.rows(ALL).0, ["1", "3", "20"]);
}

#[test]
fn rows_for_one_partition_have_to_be_of_it() {
    let kit = Kit::new();
    kit.daily(&[]);
    let by = by_day().partitioning.unwrap();
    let second = Partition::from_name("20260102", &by).unwrap();
    let mut writer = kit
        .warehouse
        .writer(&id(), &by_day(), Target::Only(second))
        .unwrap();
    writer.write(&batch(&[(january(2), "b", 2)])).unwrap();
    assert_eq!(
        writer
            .write(&batch(&[(january(3), "c", 3)]))
            .unwrap_err()
            .to_string(),
        "Some rows belong to different partitions rather than destination partition 20260102"
    );
}

#[test]
fn old_rows_have_nulls_in_new_columns() {
    let kit = Kit::new();
    let old = kit.daily(&[(january(1), "a", 1)]);
    let mut meta = (*old.meta).clone();
    let inner = Kind::Struct(vec![Field::new("x", Kind::Int64)]);
    meta.schema.fields.push(Field::new("s", inner));
    meta.schema
        .fields
        .push(Field::new("extra", Kind::String(None)));
    let grown = Change::Meta(Box::new(meta.clone()));
    let old = kit.warehouse.commit(&id(), old.version, grown).unwrap();
    assert_eq!(
        kit.rows("SELECT n, extra, s.x FROM t").0,
        ["1,,"],
        "old files are read with NULLs"
    );
    // A field within a column comes the same way.
    let inner = Kind::Struct(vec![
        Field::new("x", Kind::Int64),
        Field::new("y", Kind::Int64),
    ]);
    meta.schema.fields[3] = Field::new("s", inner);
    let grown = Change::Meta(Box::new(meta));
    kit.warehouse.commit(&id(), old.version, grown).unwrap();
    assert_eq!(kit.rows("SELECT n, s.y FROM t").0, ["1,"]);
}

#[test]
fn columns_are_neither_lost_nor_tightened() {
    let kit = Kit::new();
    let old = kit.daily(&[(january(1), "a", 1)]);
    let refused = |meta: TableMeta| {
        let change = Change::Meta(Box::new(meta));
        kit.warehouse
            .commit(&id(), old.version, change)
            .unwrap_err()
            .to_string()
    };
    let mut less = (*old.meta).clone();
    less.schema.fields.pop();
    assert_eq!(
        refused(less),
        "Provided Schema does not match Table p:d.t. Field n is missing in new schema"
    );
    let mut tight = (*old.meta).clone();
    tight.schema.fields[1].mode = Mode::Required;
    assert_eq!(
        refused(tight),
        "Provided Schema does not match Table p:d.t. Field name has changed mode from NULLABLE to REQUIRED"
    );
}

#[test]
fn required_columns_take_no_null() {
    let kit = Kit::new();
    let mut meta = TableMeta::new(schema());
    meta.schema.fields[2].mode = Mode::Required;
    let mut writer = kit.warehouse.writer(&id(), &meta, Target::Rows).unwrap();
    let nulls = RecordBatch::new_empty(Arc::new(schema().to_arrow()));
    writer.write(&nulls).unwrap();
    let columns = schema()
        .to_arrow()
        .fields()
        .iter()
        .map(|field| datafusion::arrow::array::new_null_array(field.data_type(), 1))
        .collect();
    let one = RecordBatch::try_new(Arc::new(schema().to_arrow()), columns).unwrap();
    assert_eq!(
        writer.write(&one).unwrap_err().to_string(),
        "Required field n cannot be null"
    );
}

#[test]
fn datasets_go_when_they_are_empty_or_when_told() {
    let kit = Kit::new();
    kit.daily(&[(january(1), "a", 1)]);
    let dataset = DatasetId::new("p", "d");
    assert_eq!(
        kit.warehouse
            .delete_dataset(&dataset, false)
            .unwrap_err()
            .to_string(),
        "Dataset p:d is still in use"
    );
    kit.warehouse.delete_dataset(&dataset, true).unwrap();
    assert!(matches!(
        kit.warehouse.dataset(&dataset),
        Err(TableError::NoDataset(_))
    ));
    assert_eq!(kit.files().len(), 0);
    let kit = kit.killed();
    assert!(kit.warehouse.datasets("p").is_empty());
}

#[test]
fn partitions_and_tables_end_with_their_time() {
    let kit = Kit::new();
    let mut meta = by_day();
    let day = 24 * 3_600_000;
    if let Some(Partitioning::Time { expiration_ms, .. }) = &mut meta.partitioning {
        *expiration_ms = Some(10 * day);
    }
    let files = kit.write(
        &meta,
        &batch(&[(january(1), "a", 1), (january(30), "b", 30)]),
    );
    let table = kit.warehouse.create_table(&id(), meta, files).unwrap();
    assert_eq!(kit.rows(ALL).0, ["30"], "it is the first of February");
    let mut over = (*table.meta).clone();
    over.expires = Some(crate::kit::noon());
    let change = Change::Meta(Box::new(over));
    kit.warehouse.commit(&id(), table.version, change).unwrap();
    assert!(kit.warehouse.table(&id()).is_err());
    kit.daily(&[(january(1), "a", 5)]);
    assert_eq!(kit.rows(ALL).0, ["5"]);
}

#[test]
fn many_partitions_are_written_at_once() {
    let kit = Kit::new();
    let rows: Vec<(i32, &str, i64)> = (0..3_000).map(|n| (n % 500, "x", i64::from(n))).collect();
    let table = kit.daily(&rows);
    assert_eq!(table.partitions().len(), 500);
    assert_eq!(
        kit.rows("SELECT COUNT(*), SUM(n) FROM t").0,
        ["3000,4498500"]
    );
    let meta = by_day();
    let mut writer = kit.warehouse.writer(&id(), &meta, Target::Rows).unwrap();
    let rows: Vec<(i32, &str, i64)> = (0..4_001).map(|n| (n, "x", 0)).collect();
    assert!(
        writer
            .write(&batch(&rows))
            .unwrap_err()
            .to_string()
            .starts_with("Too many partitions produced by query, allowed 4000")
    );
}

#[test]
fn many_small_files_become_one() {
    let kit = Kit::new();
    kit.daily(&[(january(1), "a", 0)]);
    for n in 1..60 {
        kit.append(&[(january(1 + n % 2), "a", i64::from(n))])
            .unwrap();
    }
    let before = kit.rows("SELECT COUNT(*), SUM(n) FROM t");
    for n in 60..100 {
        kit.append(&[(january(1), "a", n)]).unwrap();
    }
    kit.warehouse.compact(&id()).unwrap();
    assert_eq!(before.0, ["60,1770"]);
    assert_eq!(kit.rows("SELECT COUNT(*), SUM(n) FROM t").0, ["100,4950"]);
    assert_eq!(kit.files().len(), 1 + 30);
}

#[test]
fn a_change_bears_the_stamp_of_its_job() {
    let kit = Kit::new();
    kit.daily(&[(january(1), "a", 1)]);
    let table = kit.warehouse.table(&id()).unwrap();
    let job = kit.warehouse.stamped("p:EU.job");
    assert!(job.bearing("p:EU.job").is_empty());
    let files = kit.write(&table.meta, &batch(&[(january(2), "b", 2)]));
    job.commit(&id(), table.version, Change::Append(files))
        .unwrap();
    kit.append(&[(january(3), "c", 3)]).unwrap();
    let kit = kit.killed();
    assert_eq!(kit.warehouse.bearing("p:EU.job"), [id()]);
    assert!(kit.warehouse.bearing("p:EU.other").is_empty());
}

#[test]
fn rows_for_a_table_that_was_made_anew_are_a_conflict() {
    let kit = Kit::new();
    let old = kit.daily(&[(january(1), "a", 1)]);
    let files = kit.write(&old.meta, &batch(&[(january(2), "b", 2)]));
    kit.warehouse.delete_table(&id()).unwrap();
    kit.daily(&[(january(1), "a", 7)]);
    let change = Change::Append(files);
    kit.warehouse
        .commit(&id(), old.version, change)
        .unwrap_err();
    assert_eq!(kit.rows(ALL).0, ["7"]);
    drop(old);
    assert_eq!(kit.files().len(), 1);
}

#[test]
fn tables_whose_time_is_over_leave_the_disk() {
    let kit = Kit::new();
    let mut meta = by_day();
    meta.expires = Some(crate::kit::noon() + chrono::TimeDelta::hours(1));
    let files = kit.write(&meta, &batch(&[(january(1), "a", 1)]));
    let table = kit.warehouse.create_table(&id(), meta, files).unwrap();
    let mut over = (*table.meta).clone();
    over.expires = Some(crate::kit::noon());
    let change = Change::Meta(Box::new(over));
    kit.warehouse.commit(&id(), table.version, change).unwrap();
    drop(table);
    assert_eq!(kit.files().len(), 1);
    let other = tidemill_warehouse::tables::TableId::new("p", "d", "other");
    kit.warehouse
        .create_table(&other, by_day(), Vec::new())
        .unwrap();
    assert_eq!(kit.files().len(), 0);
}
