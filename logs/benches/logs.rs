//! How much the logs cost: lines a second through masker and book, chunks into a folder, a page out of a long log.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidemill_core::id::{DagId, TaskId};
use tidemill_core::operator::Level;
use tidemill_core::protocol::{
    AttemptNo, AttemptRef, InstanceRef, LogChunk, LogPlace, NOT_MAPPED, RunNo, TaskNo,
};
use tidemill_core::time::Timestamp;
use tidemill_logs::{LogBook, LogKeeper, LogLimits, Masker, Search, Start, Wanted};

const LINE: &str = "wrote partition 2025-01-01 of `orders`: 18234 rows, 4 files, 12.4 MiB, 3 s, no row was rejected";
const NOW: Timestamp = Timestamp::from_micros(1_735_689_600_000_000);

fn attempt() -> AttemptRef {
    AttemptRef {
        of: InstanceRef {
            run: RunNo(1),
            task: TaskNo(1),
            map_index: NOT_MAPPED,
        },
        attempt: AttemptNo(1),
        hand: 0,
    }
}

fn place() -> LogPlace {
    LogPlace {
        dag: DagId::parse("orders").expect("a name"),
        run: "scheduled__2025-01-01".into(),
        run_no: RunNo(1),
        task: TaskId::parse("load").expect("a name"),
        map_index: NOT_MAPPED,
        number: 1,
        attempt: AttemptNo(1),
    }
}

fn book() -> LogBook {
    let masker = Masker::new();
    masker.add_all([
        "a-password-of-somebody",
        "ya29.a0AfH6SMBx-7f3k_token-of-40-characters",
        "postgres://loader:s3cr\"et@db/shop",
    ]);
    let limits = LogLimits {
        attempt_bytes_max: usize::MAX,
        ..LogLimits::default()
    };
    LogBook::new(limits, masker)
}

fn chunks(lines: usize) -> Vec<LogChunk> {
    let book = book();
    let log = book.open(NOW, attempt(), place());
    let mut chunks = Vec::new();
    for _ in 0..lines {
        log.write(NOW, Level::Info, LINE);
        if book.held_bytes() > 1_000_000 {
            for chunk in book.due(NOW) {
                book.acked(&chunk.ack());
                chunks.push(chunk);
            }
        }
    }
    log.close();
    chunks.extend(book.due(NOW));
    chunks
}

fn writing(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("book");
    group.throughput(Throughput::Elements(100_000));
    group.bench_function("100k lines, 3 secrets", |b| {
        b.iter(|| black_box(chunks(100_000)));
    });
    let book = book();
    group.throughput(Throughput::Elements(1));
    group.bench_function("an attempt that writes nothing", |b| {
        let place = place();
        b.iter(|| book.open(NOW, attempt(), place.clone()).close());
    });
    group.finish();
}

fn keeping(bench: &mut Criterion) {
    let threads = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let chunks = chunks(700_000);
    let bytes: u64 = chunks.iter().map(|chunk| chunk.lines.len() as u64).sum();
    let keeper = LogKeeper::folder(folder.path()).expect("a keeper");
    let mut group = bench.benchmark_group("keep");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(bytes));
    group.bench_function("100 MB in a folder", |b| {
        b.iter(|| {
            threads.block_on(async {
                keeper.delete_dag("orders").await.expect("it is deleted");
                for chunk in &chunks {
                    keeper.keep(chunk).await.expect("it is kept");
                }
            });
        });
    });
    group.finish();
    let wanted = |start| Wanted {
        start,
        lines: 500,
        level: Level::Debug,
    };
    let search = Search {
        text: "nowhere".to_owned(),
        level: Level::Debug,
        after: 0,
        hits: 10,
    };
    let cold = Arc::new(LogKeeper::folder(folder.path()).expect("a keeper"));
    let mut group = bench.benchmark_group("read 100 MB");
    group.sample_size(10);
    group.bench_function("a page of 500 in the middle", |b| {
        b.iter(|| threads.block_on(cold.read(&place(), wanted(Start::At(350_000)))));
    });
    group.bench_function("search 64 MB of it", |b| {
        b.iter(|| threads.block_on(cold.search(&place(), search.clone())));
    });
    group.finish();
}

criterion_group!(benches, writing, keeping);
criterion_main!(benches);
