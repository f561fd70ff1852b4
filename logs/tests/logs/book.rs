use std::time::Duration;

use serde_json::json;
use tidemill_core::operator::Level;
use tidemill_logs::{Entry, LogBook, LogLimits, Masker};

use crate::page::{at, attempt, lines, place, texts};

fn book(limits: LogLimits) -> LogBook {
    LogBook::new(limits, Masker::new())
}

#[test]
fn a_line_is_due_after_a_second_and_a_full_chunk_at_once() {
    let book = book(LogLimits::default());
    let log = book.open(at(0), attempt(1), place(1));
    assert_eq!(book.next_due(), None);
    log.write(at(100), Level::Info, "read 5 files");
    assert_eq!(book.next_due(), Some(at(1100)));
    assert!(book.due(at(1099)).is_empty());
    let chunks = book.due(at(1100));
    assert_eq!(texts(&chunks), ["read 5 files"]);
    assert_eq!((chunks[0].nth, chunks[0].last), (0, false));
    assert!(book.due(at(9000)).is_empty(), "each chunk is given once");

    for _ in 0..70 {
        log.write(at(2000), Level::Info, &"x".repeat(1000));
    }
    assert!(book.next_due().unwrap() < at(2000));
    assert_eq!(book.due(at(2000)).len(), 1);
}

#[test]
fn an_attempt_that_writes_nothing_leaves_nothing() {
    let book = book(LogLimits::default());
    book.open(at(0), attempt(1), place(1)).close();
    drop(book.open(at(0), attempt(2), place(2)));
    assert_eq!(book.next_due(), None);
    assert!(book.due(at(9000)).is_empty());
    assert_eq!(book.held_bytes(), 0);
}

#[test]
fn what_is_not_acknowledged_comes_again_in_its_order() {
    let book = book(LogLimits::default());
    let one = book.open(at(0), attempt(1), place(1));
    let two = book.open(at(0), attempt(2), place(2));
    one.write(at(0), Level::Info, "a");
    let first = book.due(at(1000));
    two.write(at(1000), Level::Info, "b");
    one.write(at(1001), Level::Info, "c");
    one.close();
    two.close();
    assert_eq!(book.due(at(1001)).len(), 2);
    assert_eq!(texts(&book.unacked()), ["a", "c", "b"]);
    book.acked(&first[0].ack());
    let again = book.unacked();
    assert_eq!(texts(&again), ["c", "b"]);
    assert_eq!((again[0].nth, again[0].last), (1, true));
    for chunk in &again {
        book.acked(&chunk.ack());
    }
    assert!(book.unacked().is_empty());
    assert_eq!(book.held_bytes(), 0);
    one.write(at(2000), Level::Info, "after the end");
    assert_eq!(book.next_due(), None);
}

#[test]
fn two_logs_of_one_attempt_are_never_taken_for_one() {
    let book = book(LogLimits::default());
    for now in [at(5), at(5), at(0)] {
        book.open(now, attempt(1), place(1))
            .write(now, Level::Info, "resumed");
    }
    let chunks = book.due(at(5));
    let mut opened: Vec<_> = chunks.iter().map(|chunk| chunk.opened).collect();
    opened.dedup();
    assert_eq!(opened.len(), 3);
}

#[test]
fn a_clock_that_goes_back_delays_no_line() {
    let book = book(LogLimits::default());
    let log = book.open(at(3_600_000), attempt(1), place(1));
    log.write(at(3_600_000), Level::Info, "before");
    assert_eq!(texts(&book.due(at(0))), ["before"]);
}

#[test]
fn long_lines_and_several_lines_are_cut() {
    let book = book(LogLimits {
        line_bytes_max: 10,
        ..LogLimits::default()
    });
    let log = book.open(at(0), attempt(1), place(1));
    log.write(at(0), Level::Warn, "one\r\ntwo\n");
    log.write(at(0), Level::Info, "12345678 größer");
    log.close();
    let chunks = book.due(at(0));
    assert_eq!(texts(&chunks), ["one", "two", "12345678 g … (7 bytes cut)"]);
    assert_eq!(lines(&chunks)[1].level, Level::Warn);
}

#[test]
fn fields_and_sources_travel_and_are_masked() {
    let masker = Masker::new();
    masker.add("hunter22");
    masker.add("90210");
    let book = LogBook::new(LogLimits::default(), masker);
    let log = book.open(at(0), attempt(1), place(1));
    let fields = json!({"rows": 7, "zip": 90210, "deep": {"hunter22": ["x hunter22 y", null]}});
    let entry = Entry {
        source: Some("dbt"),
        fields: fields.as_object(),
        ..Entry::new(at(1), Level::Error, "failed")
    };
    log.write_entry(&entry);
    log.close();
    let line = lines(&book.due(at(1))).remove(0);
    assert_eq!((line.at, line.source.as_deref()), (at(1), Some("dbt")));
    let masked = json!({"rows": 7, "zip": "***", "deep": {"***": ["x *** y", null]}});
    assert_eq!(serde_json::Value::from(line.fields), masked);
}

#[test]
fn of_a_log_that_is_too_long_beginning_and_end_are_kept() {
    let book = book(LogLimits {
        attempt_bytes_max: 10_000,
        tail_bytes_max: 2_000,
        ..LogLimits::default()
    });
    let log = book.open(at(0), attempt(1), place(1));
    for n in 0..1000 {
        log.write(at(n), Level::Info, &format!("line {n}"));
    }
    assert!(book.held_bytes() < 11_000);
    log.close();
    let chunks = book.due(at(1000));
    let texts = texts(&chunks);
    assert_eq!(texts[0], "line 0");
    assert_eq!(texts.last().unwrap(), "line 999");
    let bytes: usize = chunks.iter().map(|chunk| chunk.lines.len()).sum();
    assert!(bytes < 10_500, "{bytes}");
    let missing = texts
        .iter()
        .find_map(|text| text.split_once(" lines (")?.0.parse::<usize>().ok());
    let kept = texts
        .iter()
        .filter(|text| text.starts_with("line "))
        .count();
    assert_eq!(missing.unwrap() + kept, 1000);
}

#[test]
fn while_the_gateway_is_away_the_oldest_is_dropped_and_said_to_be() {
    let book = book(LogLimits {
        chunk_bytes: 1_000,
        memory_bytes_max: 5_000,
        ..LogLimits::default()
    });
    let quiet = book.open(at(0), attempt(1), place(1));
    quiet.write(at(0), Level::Info, "quiet");
    quiet.close();
    let log = book.open(at(0), attempt(2), place(2));
    for n in 0..1000 {
        log.write(at(n), Level::Info, &format!("line {n}"));
        assert!(book.held_bytes() <= 5_000);
    }
    log.close();
    let chunks = book.unacked();
    let (quiet, loud): (Vec<_>, Vec<_>) = chunks
        .into_iter()
        .partition(|chunk| chunk.attempt == attempt(1));
    assert!(quiet.len() == 1 && quiet[0].last);
    assert!(texts(&quiet)[0].starts_with("up to 1 lines ("), "{quiet:?}");
    let texts = texts(&loud);
    assert_eq!(texts.last().unwrap(), "line 999");
    assert_eq!(lines(&loud)[0].level, Level::Warn);
    let missing = texts[0].strip_prefix("up to ").unwrap();
    let missing: usize = missing.split(' ').next().unwrap().parse().unwrap();
    assert_eq!(missing + texts.len() - 1, 1000);
}

#[tokio::test]
async fn a_session_that_waits_is_woken_by_the_first_line_and_by_the_end() {
    let book = book(LogLimits::default());
    let log = book.open(at(0), attempt(1), place(1));
    let soon = |book: LogBook| async move {
        tokio::time::timeout(Duration::from_secs(60), book.changed()).await
    };
    log.write(at(0), Level::Info, "first");
    soon(book.clone()).await.unwrap();
    log.close();
    soon(book.clone()).await.unwrap();
    assert_eq!(book.due(at(0)).len(), 1);
}

#[test]
fn a_panic_while_others_write_harms_no_log() {
    let book = book(LogLimits::default());
    let log = book.open(at(0), attempt(1), place(1));
    let writer = log.clone();
    let panicked = std::thread::spawn(move || {
        struct Last(tidemill_logs::AttemptLog);
        impl Drop for Last {
            fn drop(&mut self) {
                self.0.write(at(1), Level::Error, "panicked");
            }
        }
        let _last = Last(writer);
        panic!("as planned");
    });
    assert!(panicked.join().is_err());
    drop(log);
    assert_eq!(texts(&book.due(at(1))), ["panicked"]);
}
