//! What holds for every place in which logs are kept: each test runs on a folder and on an object store in memory.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use object_store::memory::InMemory;
use serde_json::json;
use tidemill_core::operator::Level;
use tidemill_core::protocol::{LogChunk, LogPlace, RunNo};
use tidemill_logs::{
    Entry, Form, Kept, LogBook, LogError, LogKeeper, LogLimits, Masker, Page, Search, Start, Wanted,
};

use crate::page::{at, attempt, place};

/// A keeper, and another one that looks at the same place as another process would.
struct Case {
    keeper: LogKeeper,
    other: LogKeeper,
    _folder: Option<tempfile::TempDir>,
}

fn cases() -> Vec<Case> {
    let folder = tempfile::tempdir().expect("it works");
    let store = Arc::new(InMemory::new());
    let bucket = || LogKeeper::bucket(store.clone(), "logs/of/us".into());
    vec![
        Case {
            keeper: LogKeeper::folder(folder.path()).expect("it works"),
            other: LogKeeper::folder(folder.path()).expect("it works"),
            _folder: Some(folder),
        },
        Case {
            keeper: bucket(),
            other: bucket(),
            _folder: None,
        },
    ]
}

/// Chunks of ten lines; every seventh line is a warning, line 42 an error.
pub(crate) fn chunks(number: i64, lines: usize) -> Vec<LogChunk> {
    let limits = LogLimits::default();
    let book = LogBook::new(limits, Masker::new());
    let log = book.open(at(0), attempt(number), place(number));
    let mut chunks = Vec::new();
    for line in 1..=lines {
        let level = match line {
            42 => Level::Error,
            line if line % 7 == 0 => Level::Warn,
            _ => Level::Info,
        };
        log.write(at(0), level, &format!("Line {line}"));
        if line % 10 == 0 {
            chunks.extend(book.due(at(1000)));
        }
    }
    log.close();
    chunks.extend(book.due(at(1000)));
    chunks
}

pub(crate) async fn keep_all(keeper: &LogKeeper, chunks: &[LogChunk]) {
    for chunk in chunks {
        assert_eq!(keeper.keep(chunk).await.expect("it works"), Kept::New);
    }
}

pub(crate) async fn page(keeper: &LogKeeper, start: Start, lines: usize, level: Level) -> Page {
    let wanted = Wanted {
        start,
        lines,
        level,
    };
    keeper.read(&place(1), wanted).await.expect("it works")
}

pub(crate) async fn all(keeper: &LogKeeper) -> Vec<String> {
    let page = page(keeper, Start::At(0), 5000, Level::Debug).await;
    assert_eq!(page.total as usize, page.lines.len());
    for (at, line) in page.lines.iter().enumerate() {
        assert_eq!(line.number, at as u64 + 1);
    }
    page.lines.into_iter().map(|line| line.line.text).collect()
}

pub(crate) fn expected(lines: usize) -> Vec<String> {
    (1..=lines).map(|line| format!("Line {line}")).collect()
}

fn numbers(page: &Page) -> Vec<u64> {
    page.lines.iter().map(|line| line.number).collect()
}

#[tokio::test]
async fn a_chunk_that_comes_again_is_kept_once() {
    for case in cases() {
        let chunks = chunks(1, 95);
        keep_all(&case.keeper, &chunks).await;
        for chunk in &chunks {
            assert_eq!(case.keeper.keep(chunk).await.unwrap(), Kept::Again);
            // Also by a process that came after it.
            assert_eq!(case.other.keep(chunk).await.unwrap(), Kept::Again);
        }
        assert_eq!(all(&case.keeper).await, expected(95));
        assert_eq!(all(&case.other).await, expected(95));
        case.keeper.finish(&place(1)).await.unwrap();
        case.keeper.finish(&place(1)).await.unwrap();
        assert_eq!(case.other.keep(&chunks[3]).await.unwrap(), Kept::Again);
        assert_eq!(all(&case.other).await, expected(95));
        assert!(
            page(&case.other, Start::At(0), 1, Level::Debug)
                .await
                .finished
        );
    }
}

#[tokio::test]
async fn a_chunk_that_comes_after_the_end_is_kept_too() {
    for case in cases() {
        let chunks = chunks(1, 30);
        keep_all(&case.keeper, &chunks[..1]).await;
        case.keeper.finish(&place(1)).await.unwrap();
        keep_all(&case.keeper, &chunks[1..2]).await;
        assert_eq!(all(&case.other).await, expected(20));
        keep_all(&case.other, &chunks[2..]).await;
        case.other.finish(&place(1)).await.unwrap();
        assert_eq!(all(&case.other).await, expected(30));
        case.keeper.finish(&place(1)).await.unwrap();
        assert_eq!(all(&case.keeper).await, expected(30));
    }
}

#[tokio::test]
async fn an_attempt_that_moves_to_another_worker_has_one_log() {
    for case in cases() {
        let mut first = chunks(1, 10);
        let mut second = chunks(1, 10);
        for chunk in &mut second {
            chunk.attempt.hand = 1;
        }
        keep_all(&case.keeper, &second).await;
        keep_all(&case.keeper, &first).await;
        first[0].opened = at(7);
        keep_all(&case.other, &first[..1]).await;
        let once = expected(10);
        assert_eq!(all(&case.other).await, [&*once, &once, &once].concat());
    }
}

#[tokio::test]
async fn a_page_has_the_lines_of_its_range_and_level() {
    for (finish, case) in cases()
        .into_iter()
        .zip([false, true])
        .map(|(c, f)| (f, c))
        .chain(cases().into_iter().zip([true, false]).map(|(c, f)| (f, c)))
    {
        keep_all(&case.keeper, &chunks(1, 1000)).await;
        if finish {
            case.keeper.finish(&place(1)).await.unwrap();
        }
        for keeper in [&case.keeper, &case.other] {
            let middle = page(keeper, Start::At(495), 10, Level::Debug).await;
            assert_eq!(numbers(&middle), (496..=505).collect::<Vec<_>>());
            assert_eq!((middle.total, middle.first_error), (1000, Some(42)));
            assert_eq!(middle.lines[0].line.text, "Line 496");

            let warnings = page(keeper, Start::At(4), 4, Level::Warn).await;
            assert_eq!(numbers(&warnings), [35, 42, 49, 56]);
            assert_eq!((warnings.total, warnings.total_of_all), (142, 1000));
            let rest = page(keeper, Start::At(140), 100, Level::Warn).await;
            assert_eq!(numbers(&rest), [987, 994]);
            let error = page(keeper, Start::At(0), 100, Level::Error).await;
            assert_eq!(numbers(&error), [42]);

            let link = page(keeper, Start::Line(500), 2, Level::Warn).await;
            assert_eq!((numbers(&link), link.from), (vec![504, 511], 71));
            let trouble = page(keeper, Start::Trouble, 3, Level::Debug).await;
            assert_eq!((numbers(&trouble), trouble.from), (vec![42, 43, 44], 41));
            let beyond = page(keeper, Start::At(1000), 3, Level::Debug).await;
            assert!(beyond.lines.is_empty() && beyond.total == 1000);
            let beyond = page(keeper, Start::Line(u64::MAX), 3, Level::Debug).await;
            assert!(beyond.lines.is_empty() && beyond.from == 1000);
        }
    }
}

#[tokio::test]
async fn a_log_without_errors_opens_at_its_end_and_one_that_is_not_there_is_empty() {
    for case in cases() {
        let none = page(&case.keeper, Start::Trouble, 5, Level::Debug).await;
        assert_eq!(
            (none.total, none.first_error, none.finished),
            (0, None, false)
        );
        case.keeper.finish(&place(1)).await.unwrap();
        keep_all(&case.keeper, &chunks(1, 41)).await;
        let end = page(&case.keeper, Start::Trouble, 3, Level::Debug).await;
        assert_eq!(numbers(&end), [39, 40, 41]);
    }
}

#[tokio::test]
async fn a_search_finds_texts_and_fields_and_goes_on_where_it_stopped() {
    for case in cases() {
        keep_all(&case.keeper, &chunks(1, 300)).await;
        let search = |text: &str, after, hits| Search {
            text: text.to_owned(),
            level: Level::Debug,
            after,
            hits,
        };
        let find = |search| {
            let keeper = case.keeper.clone();
            async move {
                let found = keeper.search(&place(1), search).await.unwrap();
                let numbers = found.lines.iter().map(|line| line.number);
                (numbers.collect::<Vec<_>>(), found.next)
            }
        };
        assert_eq!(
            find(search("line 29", 0, 3)).await,
            (vec![29, 290, 291], Some(291))
        );
        assert_eq!(find(search("LINE 29", 298, 3)).await, (vec![299], None));
        let warnings = Search {
            level: Level::Warn,
            ..search("e 4", 0, 99)
        };
        assert_eq!(find(warnings).await, (vec![42, 49], None));
        // What is only in the form of a line is not found.
        assert_eq!(find(search("info", 0, 9)).await, (vec![], None));
        assert_eq!(find(search("", 0, 2)).await, (vec![1, 2], Some(2)));

        let book = LogBook::new(LogLimits::default(), Masker::new());
        let log = book.open(at(9), attempt(1), place(1));
        let fields = json!({"file": ["C:\\\"new\"\\", 7]});
        log.write_entry(&Entry {
            fields: fields.as_object(),
            ..Entry::new(at(9), Level::Info, "größer \"so\"\t")
        });
        log.close();
        keep_all(&case.keeper, &book.due(at(9))).await;
        for text in ["C:\\\"new\"\\", "\\", "\"so\"\t", "größer", "\""] {
            assert_eq!(find(search(text, 0, 9)).await.0, [301], "{text}");
        }
    }
}

#[tokio::test]
async fn a_tail_gives_every_line_once_and_ends_with_the_attempt() {
    for case in cases() {
        let chunks = chunks(1, 200);
        keep_all(&case.keeper, &chunks[..3]).await;
        let mut tail = case.keeper.tail(&place(1), 5);
        let reader = tokio::spawn(async move {
            let mut numbers = Vec::new();
            while let Some(lines) = tail.next().await.unwrap() {
                numbers.extend(lines.into_iter().map(|line| line.number));
            }
            numbers
        });
        for chunk in &chunks[3..] {
            case.keeper.keep(chunk).await.unwrap();
            tokio::task::yield_now().await;
        }
        case.keeper.finish(&place(1)).await.unwrap();
        assert_eq!(reader.await.unwrap(), (6..=200).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_tail_sees_what_another_process_keeps() {
    for case in cases() {
        let mut tail = case.other.tail(&place(1), 0);
        let reader = tokio::spawn(async move { tail.next().await.unwrap().unwrap().len() });
        tokio::task::yield_now().await;
        keep_all(&case.keeper, &chunks(1, 7)).await;
        assert_eq!(reader.await.unwrap(), 7);
    }
}

#[tokio::test]
async fn a_download_is_the_whole_log() {
    for case in cases() {
        let chunks = chunks(1, 100);
        keep_all(&case.keeper, &chunks).await;
        let download = |form| case.other.download(&place(1), form).try_collect::<Vec<_>>();
        let json = download(Form::JsonLines).await.unwrap().concat();
        let sent: String = chunks.iter().map(|chunk| &*chunk.lines).collect();
        assert_eq!(String::from_utf8(json).unwrap(), sent);
        let text = String::from_utf8(download(Form::Text).await.unwrap().concat()).unwrap();
        assert_eq!(text.lines().count(), 100);
        assert!(
            text.starts_with("2025-01-01T00:00:00Z INFO  Line 1\n"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn what_is_deleted_is_gone_and_nothing_else() {
    for case in cases() {
        // One of another name, one of another DAG, and one that was made again under the name of the first.
        let places: Vec<LogPlace> = [
            ("a", "1", 1),
            ("a", "10", 1),
            ("ab", "1", 1),
            ("a", "1", 11),
        ]
        .into_iter()
        .map(|(dag, run, no)| LogPlace {
            dag: tidemill_core::id::DagId::parse(dag).unwrap(),
            run: run.into(),
            run_no: RunNo(no),
            ..place(1)
        })
        .collect();
        for place in &places {
            for mut chunk in chunks(1, 20) {
                chunk.place = place.clone();
                case.keeper.keep(&chunk).await.unwrap();
            }
        }
        let wanted = Wanted {
            start: Start::At(0),
            lines: 1,
            level: Level::Debug,
        };
        let there = || async {
            let mut there = Vec::new();
            for place in &places {
                there.push(case.keeper.read(place, wanted).await.unwrap().total);
            }
            there
        };
        assert_eq!(there().await, [20, 20, 20, 20]);
        case.keeper.delete_run("a", "1.1").await.unwrap();
        case.keeper.delete_run("a", "1.1").await.unwrap();
        assert_eq!(there().await, [0, 20, 20, 20]);
        case.keeper.delete_dag("a").await.unwrap();
        assert_eq!(there().await, [0, 0, 20, 0]);
        // A chunk that comes late begins the log anew.
        let mut late = chunks(1, 20).remove(0);
        late.place = places[0].clone();
        assert_eq!(case.keeper.keep(&late).await.unwrap(), Kept::New);
    }
}

#[tokio::test]
async fn hostile_names_and_chunks_harm_nothing() {
    for case in cases() {
        let mut chunk = chunks(1, 3).remove(0);
        let long = "x".repeat(5000);
        for run in [
            "../../../../tmp/out",
            "..",
            "",
            "/etc/passwd",
            "a\0b",
            "a%2e%2e/b",
            &long,
        ] {
            chunk.place.run = run.into();
            assert_eq!(
                case.keeper.keep(&chunk).await.unwrap(),
                Kept::New,
                "{run:?}"
            );
            let wanted = Wanted {
                start: Start::At(0),
                lines: 9,
                level: Level::Debug,
            };
            let page = case.other.read(&chunk.place, wanted).await.unwrap();
            assert_eq!(page.total, 3, "{run:?}");
        }
        let mut strange = chunks(1, 3).remove(0);
        strange.lines =
            "not JSON\n\n{\"t\":1,\"l\":\"error\"\n{\"t\":1,\"l\":\"error\",\"m\":\"torn".into();
        case.keeper.keep(&strange).await.unwrap();
        let lines = all(&case.keeper).await;
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[0], "not JSON");
        strange.lines = "x".repeat(2 * 1024 * 1024).into();
        let refused = case.keeper.keep(&strange).await;
        assert!(matches!(refused, Err(LogError::TooLarge { .. })));
    }
}

#[tokio::test]
async fn many_attempts_at_once_keep_few_of_them_open() {
    for case in cases() {
        for round in 0..2 {
            for number in 1..=300 {
                let chunk = &chunks(number, 20)[round];
                assert_eq!(case.keeper.keep(chunk).await.unwrap(), Kept::New);
            }
        }
        assert_eq!(all(&case.keeper).await, expected(20));
    }
}

#[test]
fn a_place_that_is_none_is_refused_in_words() {
    let refused = LogKeeper::open("ftp://somewhere", []).unwrap_err();
    assert!(
        refused.to_string().contains("`ftp://somewhere`"),
        "{refused}"
    );
}

#[test]
fn a_bucket_of_a_kind_that_was_left_out_names_the_feature_to_build_with() {
    for (place, feature, has) in [
        ("gs://bucket/logs", "gcp", cfg!(feature = "gcp")),
        ("s3://bucket/logs", "aws", cfg!(feature = "aws")),
    ] {
        if has {
            continue;
        }
        let refused = LogKeeper::open(place, []).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("the feature `{feature}`")),
            "{refused}"
        );
    }
}
