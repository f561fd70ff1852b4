//! A kill at any step leaves the old table or the new one.

use tidemill_warehouse::tables::{Change, TableError};

use crate::kit::{Kit, batch, id, january};

const ALL: &str = "SELECT n FROM t ORDER BY n";

#[test]
fn rows_that_were_not_committed_are_gone() {
    let kit = Kit::new();
    let table = kit.daily(&[(january(1), "a", 1)]);
    let files = kit.write(&table.meta, &batch(&[(january(2), "b", 2)]));
    assert_eq!(kit.files().len(), 2);
    std::mem::forget((table, files));
    let kit = kit.killed();
    assert_eq!(kit.rows(ALL).0, ["1"]);
    assert_eq!(kit.files().len(), 1);
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing() {
    let kit = Kit::new();
    let table = kit.daily(&[(january(1), "a", 1)]);
    drop(kit.write(&table.meta, &batch(&[(january(2), "b", 2)])));
    assert_eq!(kit.files().len(), 1);
}

#[test]
fn a_manifest_that_was_not_renamed_does_not_count() {
    let kit = Kit::new();
    let table = kit.daily(&[(january(1), "a", 1)]);
    let folder = kit.folder.path().join("warehouse/p/d/t");
    let old = std::fs::read(folder.join("manifest.json")).unwrap();
    let new = kit.append(&[(january(2), "b", 2)]).unwrap();
    // As it was the moment before the rename.
    std::fs::rename(folder.join("manifest.json"), folder.join("manifest.new")).unwrap();
    std::fs::write(folder.join("manifest.json"), old).unwrap();
    std::mem::forget((table, new));
    let kit = kit.killed();
    assert_eq!(kit.rows(ALL).0, ["1"]);
    assert_eq!(kit.files().len(), 1);
    kit.append(&[(january(3), "c", 3)]).unwrap();
    assert_eq!(kit.rows(ALL).0, ["1", "3"]);
}

#[test]
fn files_of_the_old_table_go_when_nobody_reads_them() {
    let kit = Kit::new();
    let held = kit.daily(&[(january(1), "a", 1)]);
    let files = kit.write(&held.meta, &batch(&[(january(2), "b", 2)]));
    let change = Change::Replace(Box::new((*held.meta).clone()), files);
    kit.warehouse.commit(&id(), held.version, change).unwrap();
    assert_eq!(kit.files().len(), 2, "a snapshot still has the old file");
    drop(held);
    assert_eq!(kit.files().len(), 1);
    assert_eq!(kit.rows(ALL).0, ["2"]);
}

#[test]
fn files_that_were_still_read_go_with_a_restart() {
    let kit = Kit::new();
    let held = kit.daily(&[(january(1), "a", 1)]);
    let files = kit.write(&held.meta, &batch(&[(january(2), "b", 2)]));
    let change = Change::Replace(Box::new((*held.meta).clone()), files);
    kit.warehouse.commit(&id(), held.version, change).unwrap();
    std::mem::forget(held);
    let kit = kit.killed();
    assert_eq!(kit.files().len(), 1);
    assert_eq!(kit.rows(ALL).0, ["2"]);
}

#[test]
fn a_table_that_was_deleted_stays_deleted() {
    let kit = Kit::new();
    let held = kit.daily(&[(january(1), "a", 1)]);
    kit.warehouse.delete_table(&id()).unwrap();
    std::mem::forget(held);
    let kit = kit.killed();
    assert!(matches!(
        kit.warehouse.table(&id()),
        Err(TableError::NoTable(_))
    ));
    assert_eq!(kit.files().len(), 0);
    kit.daily(&[(january(1), "a", 7)]);
    assert_eq!(kit.rows(ALL).0, ["7"]);
}

#[test]
fn what_is_known_of_a_table_survives() {
    let kit = Kit::new();
    let mut meta = (*kit.daily(&[(january(1), "a", 1)]).meta).clone();
    let version = kit.warehouse.table(&id()).unwrap().version;
    meta.description = Some("days".to_owned());
    meta.labels.insert("team".to_owned(), "ops".to_owned());
    let changed = Change::Meta(Box::new(meta.clone()));
    let new = kit.warehouse.commit(&id(), version, changed).unwrap();
    let kit = kit.killed();
    let found = kit.warehouse.table(&id()).unwrap();
    assert_eq!((*found.meta).clone(), meta);
    assert_eq!(found.version, new.version);
    assert_eq!(found.rows(), 1);
}
