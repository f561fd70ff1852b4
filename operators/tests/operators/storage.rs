//! Cloud Storage: what arrives, once and whole, whatever fails on the way.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use tidemill::prelude::*;
use tidemill::testing::{Ran, TaskRun, valid};
use tidemill_core::operator::IntoTask;
use tidemill_operators::storage::{Storage, Sum};

use crate::kit::{Kit, client};

const INSERT: &str = "storage.objects.insert";
const GET: &str = "storage.objects.get";
const REWRITE: &str = "storage.objects.rewrite";
const COMPOSE: &str = "storage.objects.compose";
const DELETE: &str = "storage.objects.delete";

fn ran<M>(kit: &Kit, operator: impl IntoTask<M> + Clone) -> Ran {
    let dag = valid(Dag::build("files", |dag| {
        dag.schedule(Cron::daily());
        dag.add("task", operator.clone());
    }));
    let task = TaskRun::of(&dag, "task").day("2025-01-31");
    task.connection(kit.google()).run()
}

fn content(size: usize) -> Vec<u8> {
    (0..size)
        .map(|n| u8::try_from((n * n + n / 251) % 251).expect("small"))
        .collect()
}

fn file(kit: &Kit, name: &str, content: &[u8]) -> PathBuf {
    let path = kit.folder().join(name);
    std::fs::write(&path, content).expect("it works");
    path
}

/// How many objects a method made, not counting sessions.
fn made(kit: &Kit, method: &str) -> usize {
    let effects = kit.effects(method);
    effects
        .iter()
        .filter(|one| one.starts_with("object "))
        .count()
}

#[test]
fn a_file_arrives_once_whatever_happens_to_its_requests() {
    let data = content((17 << 20) + 5);
    for (after, fault) in [
        (0, json!("lost_before")),
        (0, json!("lost_after")),
        (1, json!("lost_before")),
        (2, json!("lost_after")),
        (3, json!("lost_after")),
        (3, json!("truncated")),
        (3, json!("html")),
        (2, json!({"status": {"status": 503, "retry_after": 7}})),
        (3, json!({"status": {"status": 429, "retry_after": 7}})),
    ] {
        let kit = Kit::with_bucket();
        let path = file(&kit, "sales.csv", &data);
        kit.fault_of("storage", INSERT, (after, 1), fault.clone());
        let upload = GcsUpload::file(path.display().to_string()).to("gs://raw/in/{ds}/");
        let ran = ran(&kit, upload);
        let object: GcsObject = ran.output();
        assert_eq!(object.uri.to_string(), "gs://raw/in/2025-01-31/sales.csv");
        assert_eq!(object.size, data.len() as u64, "{fault}");
        let stored = kit.content("in%2F2025-01-31%2Fsales.csv");
        assert!(stored.is_some_and(|stored| stored == data), "{fault}");
        assert_eq!(made(&kit, INSERT), 1, "{after} {fault}");
    }
}

#[test]
fn a_second_upload_changes_nothing_and_other_content_replaces() {
    let kit = Kit::with_bucket();
    let path = file(&kit, "a.csv", b"one");
    let upload = || GcsUpload::file(path.display().to_string()).to("gs://raw/a.csv");
    let first: GcsObject = ran(&kit, upload()).output();
    let second: GcsObject = ran(&kit, upload()).output();
    assert_eq!(second, first);
    assert_eq!(made(&kit, INSERT), 1);
    std::fs::write(&path, b"two").unwrap();
    let refused = ran(&kit, upload().only_if_absent());
    assert_eq!(refused.error().kind, ErrorKind::Permanent);
    assert!(refused.error().message.contains("is there already"));
    let third: GcsObject = ran(&kit, upload()).output();
    assert_ne!(third.generation, first.generation);
    assert_eq!(kit.content("a.csv").unwrap(), b"two");
    std::fs::write(&path, b"").unwrap();
    let empty: GcsObject = ran(&kit, upload()).output();
    assert_eq!(empty.size, 0);
}

#[test]
fn what_is_wrong_with_an_upload_is_named() {
    let kit = Kit::with_bucket();
    let path = file(&kit, "a.csv", b"one").display().to_string();
    for (upload, why) in [
        (
            GcsUpload::file(&path).to("gs://rwa/a.csv"),
            "there is no bucket `rwa`",
        ),
        (
            GcsUpload::file(&path).to("s3://raw/a.csv"),
            "does not begin with `gs://`",
        ),
        (
            GcsUpload::file("/nowhere/a.csv").to("gs://raw/a.csv"),
            "/nowhere/a.csv",
        ),
    ] {
        let ran = ran(&kit, upload);
        assert_eq!(ran.error().kind, ErrorKind::Permanent, "{:?}", ran.result);
        assert!(ran.error().message.contains(why), "{}", ran.error());
        assert!(!ran.error().help.is_empty());
    }
    kit.fault(
        INSERT,
        1,
        json!({"forbidden": {"permission": "storage.objects.create"}}),
    );
    let ran = ran(&kit, GcsUpload::file(&path).to("gs://raw/a.csv"));
    assert!(
        ran.error()
            .message
            .contains("lacks the permission `storage.objects.create`")
    );
}

#[test]
fn a_download_goes_on_where_it_broke_off() {
    let data = content(3 << 20);
    for fault in [
        json!("lost_before"),
        json!("truncated"),
        json!("html"),
        json!({"status": {"status": 503, "retry_after": 7}}),
    ] {
        let kit = Kit::with_bucket();
        kit.put("a.bin", data.clone());
        // The first request looks for the object, the second reads it.
        kit.fault_of("storage", GET, (1, 2), fault.clone());
        let to = kit.folder().join("in/a.bin");
        let download = GcsDownload::object("gs://raw/a.bin").to(to.display().to_string());
        let found: GcsFile = ran(&kit, download.clone()).output();
        assert_eq!(found.path, to);
        assert!(std::fs::read(&to).unwrap() == data, "{fault}");
        let left = std::fs::read_dir(to.parent().unwrap()).unwrap().count();
        assert_eq!(left, 1, "nothing hidden is left: {fault}");
        // A second time nothing is read.
        kit.no_faults();
        let before = kit.asked(GET).len();
        let _: GcsFile = ran(&kit, download).output();
        assert_eq!(kit.asked(GET).len(), before + 1, "{fault}");
    }
}

#[test]
fn content_with_another_sum_never_becomes_the_file() {
    let kit = Kit::with_bucket();
    let data = content(100_000);
    kit.put("a.bin", data.clone());
    let to = kit.folder().join("a.bin");
    let object: GcsObject = ran(&kit, GcsObjectSensor::on("gs://raw/a.bin")).output();
    // What an earlier try left, spoiled on the disk.
    let part = format!(".a.bin.{}.part", object.generation);
    std::fs::write(kit.folder().join(&part), vec![7; 50_000]).unwrap();
    let download = GcsDownload::object("gs://raw/a.bin").to(to.display().to_string());
    let failed = ran(&kit, download.clone());
    assert_eq!(failed.error().kind, ErrorKind::Transient);
    assert!(
        failed.error().message.contains("another sum"),
        "{}",
        failed.error()
    );
    assert!(!to.exists());
    let _: GcsFile = ran(&kit, download).output();
    assert!(std::fs::read(&to).unwrap() == data);
    // What an earlier try left, right, is continued: only the rest is asked for.
    std::fs::remove_file(&to).unwrap();
    std::fs::write(kit.folder().join(&part), &data[..60_000]).unwrap();
    let _: GcsFile = ran(
        &kit,
        GcsDownload::object("gs://raw/a.bin").to(to.display().to_string()),
    )
    .output();
    assert!(std::fs::read(&to).unwrap() == data);
}

#[test]
fn a_missing_object_is_named() {
    let kit = Kit::with_bucket();
    let to = kit.folder().join("x").display().to_string();
    let ran = ran(&kit, GcsDownload::object("gs://raw/none").to(to));
    assert_eq!(ran.error().kind, ErrorKind::Permanent);
    assert_eq!(ran.error().message, "there is no object gs://raw/none");
}

#[test]
fn copies_are_made_once_and_a_move_deletes_last() {
    for fault in [
        json!("lost_after"),
        json!("truncated"),
        json!("html"),
        json!({"status": {"status": 503, "retry_after": 7}}),
    ] {
        let kit = Kit::with_bucket();
        kit.good(
            "POST",
            "/storage/v1/b?project=shop",
            json!({"name": "silver"}),
        );
        for name in ["in/a.csv", "in/b.csv", "in/deep/c.csv", "in/d.txt"] {
            kit.put(name, name);
        }
        kit.fault(REWRITE, 1, fault.clone());
        let copy = || GcsCopy::of("gs://raw/in/**.csv").to("gs://silver/{ds}/");
        let copied: GcsManifest = ran(&kit, copy()).output();
        let names: Vec<_> = copied.objects.iter().map(|one| one.uri.object()).collect();
        assert_eq!(
            names,
            [
                "2025-01-31/a.csv",
                "2025-01-31/b.csv",
                "2025-01-31/deep/c.csv"
            ],
            "{fault}"
        );
        assert_eq!(made(&kit, REWRITE), 3, "{fault}");
        let again: GcsManifest = ran(&kit, copy()).output();
        assert_eq!(again, copied);
        assert_eq!(made(&kit, REWRITE), 3, "{fault}");
        assert_eq!(kit.effects(DELETE).len(), 0);
        kit.fault(DELETE, 1, fault);
        let moved: GcsManifest = ran(&kit, copy().moving()).output();
        assert_eq!(moved, copied);
        assert_eq!(kit.effects(DELETE).len(), 3);
        assert!(kit.content("in%2Fd.txt").is_some());
        // Another attempt finds nothing to move, and that is no error.
        let nothing: GcsManifest = ran(&kit, copy().moving().at_least(3)).output();
        assert_eq!(nothing.count, 0);
    }
}

#[test]
fn a_long_copy_goes_on_by_its_token() {
    for (after, fault) in [
        (9, json!("lost_before")),
        (1, json!("lost_after")),
        (2, json!("lost_after")),
        (2, json!("html")),
    ] {
        let kit = Kit::with_bucket();
        kit.put("a.bin", content(3 << 20));
        let from: GcsObject = ran(&kit, GcsObjectSensor::on("gs://raw/a.bin")).output();
        let (client, _) = client(&kit.google());
        let storage = Storage::of(client).rewriting_at_most(1 << 20);
        kit.fault_of("storage", REWRITE, (after, 1), fault.clone());
        let to = GcsUri::new("raw", "b.bin").unwrap();
        let (copy, is_new) = kit.run(storage.copy(&from, &to, None)).unwrap();
        assert!(is_new);
        assert_eq!((copy.size, &copy.crc32c), (from.size, &from.crc32c));
        assert_eq!(made(&kit, REWRITE), 1, "{after} {fault}");
        assert!(kit.asked(REWRITE).len() >= 3, "{after} {fault}");
    }
}

#[test]
fn one_object_gets_the_name_that_it_is_given() {
    let kit = Kit::with_bucket();
    kit.put("a.csv", "1");
    let copied: GcsManifest =
        ran(&kit, GcsCopy::of("gs://raw/a.csv").to("gs://raw/b.csv")).output();
    assert_eq!(copied.objects[0].uri.to_string(), "gs://raw/b.csv");
    let many = ran(&kit, GcsCopy::of("gs://raw/*.csv").to("gs://raw/c.csv"));
    assert!(many.error().help.contains("slash"), "{}", many.error());
}

#[test]
fn many_objects_become_one_in_their_order() {
    let kit = Kit::with_bucket();
    let mut whole = Vec::new();
    for n in 0..70 {
        let part = format!("line {n}\n");
        whole.extend_from_slice(part.as_bytes());
        kit.put(&format!("parts/{n:03}"), part);
    }
    kit.fault(COMPOSE, 1, json!("lost_after"));
    let compose = || GcsCompose::of("gs://raw/parts/").into("gs://raw/whole.csv");
    let object: GcsObject = ran(&kit, compose()).output();
    let mut sum = Sum::default();
    sum.add(&whole);
    assert!(sum.is_of(&object));
    assert_eq!(kit.content("whole.csv").unwrap(), whole);
    // 70 are three steps and the whole; the steps are gone.
    assert_eq!((made(&kit, COMPOSE), kit.effects(DELETE).len()), (4, 3));
    let again: GcsObject = ran(&kit, compose().deleting_sources()).output();
    assert_eq!(again, object);
    assert_eq!(made(&kit, COMPOSE), 4);
    let third: GcsObject = ran(&kit, compose().deleting_sources()).output();
    assert_eq!(third, object);
    let left: GcsManifest = ran(&kit, GcsList::of("gs://raw/")).output();
    assert_eq!(left.count, 1);
}

#[test]
fn only_what_was_found_is_deleted() {
    let kit = Kit::with_bucket();
    for name in ["tmp/a", "tmp/b", "keep"] {
        kit.put(name, name);
    }
    kit.fault(DELETE, 1, json!("lost_after"));
    let removed: GcsRemoved = ran(&kit, GcsDelete::of("gs://raw/tmp/")).output();
    // One was deleted by a request whose reply was lost.
    assert!(removed.count >= 1);
    assert_eq!(kit.effects(DELETE).len(), 2);
    let removed: GcsRemoved = ran(&kit, GcsDelete::of("gs://raw/tmp/")).output();
    assert_eq!(removed.count, 0);
    let all = ran(&kit, GcsDelete::of("gs://raw/**"));
    assert!(all.error().message.contains("everything in the bucket"));
    assert!(kit.content("keep").is_some());
}

#[test]
fn a_list_has_what_later_tasks_need() {
    let kit = Kit::with_bucket();
    for name in ["d/a.csv", "d/b.csv", "d/c.txt"] {
        kit.put(name, "12345");
    }
    let list: GcsManifest = ran(&kit, GcsList::of("gs://raw/d/*.csv")).output();
    assert_eq!((list.count, list.bytes), (2, 10));
    assert_eq!(list.objects[1].uri.object(), "d/b.csv");
    let few = ran(&kit, GcsList::of("gs://raw/d/*.csv").at_least(3));
    assert_eq!(few.error().kind, ErrorKind::Data);
    let none = ran(&kit, GcsList::of("gs://raw/e/").skip_if_none());
    assert!(
        matches!(none.result, Ok(Outcome::Skipped { .. })),
        "{:?}",
        none.result
    );
    let kept: GcsManifest = ran(
        &kit,
        GcsList::of("gs://raw/d/").into_file("gs://raw/{ds}.jsonl"),
    )
    .output();
    assert_eq!((kept.count, kept.objects.len()), (3, 0));
    let lines = String::from_utf8(kit.content("2025-01-31.jsonl").unwrap()).unwrap();
    assert_eq!(lines.lines().count(), 3);
    let wrong = ran(&kit, GcsList::of("gs://rwa/d/"));
    assert!(
        wrong.error().message.contains("there is no bucket `rwa`"),
        "{}",
        wrong.error()
    );
}

#[test]
fn sensors_wait_without_a_slot_and_a_wrong_bucket_is_no_wait() {
    let kit = Kit::with_bucket();
    kit.put("d/a.csv", "1");
    let there: GcsManifest = ran(&kit, GcsPrefixSensor::on("gs://raw/d/*.csv")).output();
    assert_eq!(there.count, 1);
    let wrong = ran(&kit, GcsObjectSensor::on("gs://rwa/a"));
    assert_eq!(wrong.error().kind, ErrorKind::Permanent);
    assert!(wrong.error().message.contains("there is no bucket `rwa`"));
    // Nothing comes within the test's patience: it is told to stop after an hour of looking every five minutes.
    let dag = valid(Dag::build("files", |dag| {
        dag.schedule(Cron::daily());
        dag.add(
            "task",
            GcsObjectSensor::on("gs://raw/none").every(minutes(5)),
        );
    }));
    let ran = TaskRun::of(&dag, "task").connection(kit.google());
    let ran = ran.cancel_after(hours(1)).run();
    assert_eq!(ran.error().kind, ErrorKind::Cancelled);
    assert!(
        ran.error()
            .message
            .contains("gs://raw/none is not there yet")
    );
    assert_eq!(ran.resumes, 12);
}

#[test]
fn an_upload_is_complete_when_nothing_changed_for_a_while() {
    let kit = Kit::with_bucket();
    kit.put("d/a.csv", "1");
    let sensor = UploadComplete::under("gs://raw/d/")
        .quiet_for(minutes(10))
        .every(minutes(1));
    let dag = valid(Dag::build("files", |dag| {
        dag.schedule(Cron::daily());
        dag.add("task", sensor);
    }));
    // A time before the object was written: that it is old does not count.
    let ran = TaskRun::of(&dag, "task").connection(kit.google()).run();
    let there: GcsManifest = ran.output();
    assert_eq!(there.count, 1);
    assert!(
        ran.took >= minutes(10) && ran.took < minutes(12),
        "{:?}",
        ran.took
    );
    // Long after, nobody waits.
    let late: DateTime<Utc> = "2999-01-01T00:00:00Z".parse().unwrap();
    let ran = TaskRun::of(&dag, "task")
        .connection(kit.google())
        .at(late)
        .run();
    assert_eq!(ran.output::<GcsManifest>(), there);
    assert_eq!(ran.took, Duration::ZERO);
}

#[test]
fn many_objects_are_listed_page_by_page() {
    let kit = Kit::with_bucket();
    for n in 0..2_100 {
        kit.put(&format!("many/part-{n:05}.parquet"), "x");
    }
    let list: GcsManifest = ran(&kit, GcsList::of("gs://raw/many/*.parquet")).output();
    assert_eq!((list.count, list.bytes), (2_100, 2_100));
    assert_eq!(kit.asked("storage.objects.list").len(), 3);
}
