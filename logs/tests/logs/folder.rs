//! What only a folder can suffer: torn files, links, and people who look into it.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use tidemill_logs::{Kept, LogError, LogKeeper, Start};

use crate::keeping::{all, chunks, expected, keep_all, page};
use crate::page::place;

const LOG: &str = "orders/scheduled__2025-01-01T00:00:00+00:00.1/load.stock/1-1";

fn append(path: &Path, bytes: &[u8]) {
    let mut file = OpenOptions::new()
        .append(true)
        .open(path)
        .expect("it works");
    file.write_all(bytes).expect("it works");
}

#[tokio::test]
async fn a_log_lies_where_people_look_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let keeper = LogKeeper::open(&format!("file://{}", folder.path().display()), []).unwrap();
    keep_all(&keeper, &chunks(1, 20)).await;
    let text = fs::read_to_string(folder.path().join(LOG).join("log.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 20);
    assert_eq!(
        text.lines().next().unwrap(),
        r#"{"t":1735689600000000,"l":"info","m":"Line 1"}"#
    );
}

#[tokio::test]
async fn what_was_torn_by_a_crash_is_repaired_at_any_byte() {
    let chunks = chunks(1, 30);
    let whole = tempfile::tempdir().unwrap();
    keep_all(&LogKeeper::folder(whole.path()).unwrap(), &chunks[..2]).await;
    let lines = fs::read(whole.path().join(LOG).join("log.jsonl")).unwrap();
    let notes = fs::read(whole.path().join(LOG).join("log.index")).unwrap();
    let one = notes.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let written = |lines: &[u8], notes: &[u8]| {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join(LOG)).unwrap();
        fs::write(folder.path().join(LOG).join("log.jsonl"), lines).unwrap();
        fs::write(folder.path().join(LOG).join("log.index"), notes).unwrap();
        folder
    };
    // The second chunk's lines are there, its note is not whole; or the lines are not, though the note is.
    let torn = (one..notes.len()).step_by(9).map(|at| (lines.len(), at));
    let lost = (lines.len() / 2..lines.len())
        .step_by(31)
        .map(|at| (at, notes.len()));
    for (lines_end, notes_end) in torn.chain(lost) {
        let folder = written(&lines[..lines_end], &notes[..notes_end]);
        let keeper = LogKeeper::folder(folder.path()).unwrap();
        assert_eq!(all(&keeper).await, expected(10), "{lines_end} {notes_end}");
        assert_eq!(keeper.keep(&chunks[0]).await.unwrap(), Kept::Again);
        keep_all(&keeper, &chunks[1..]).await;
        assert_eq!(all(&keeper).await, expected(30));
    }
    let folder = written(&lines, &notes);
    append(&folder.path().join(LOG).join("log.jsonl"), b"{\"t\":17");
    append(&folder.path().join(LOG).join("log.index"), &[0; 100]);
    let keeper = LogKeeper::folder(folder.path()).unwrap();
    keep_all(&keeper, &chunks[2..]).await;
    assert_eq!(
        all(&LogKeeper::folder(folder.path()).unwrap()).await,
        expected(30)
    );
}

#[tokio::test]
async fn a_link_out_of_the_folder_is_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("orders")).unwrap();
    let run = folder
        .path()
        .join("orders/scheduled__2025-01-01T00:00:00+00:00.1");
    std::os::unix::fs::symlink(outside.path(), run).unwrap();
    let keeper = LogKeeper::folder(folder.path()).unwrap();
    let refused = keeper.keep(&chunks(1, 1)[0]).await;
    assert!(matches!(refused, Err(LogError::Outside { .. })));
    let files = walk(outside.path());
    assert!(files.iter().all(|file| file.is_dir()), "{files:?}");
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder)
        .expect("it works")
        .map(|entry| entry.expect("it works").path());
    entries
        .flat_map(|path| {
            let below = if path.is_dir() {
                walk(&path)
            } else {
                Vec::new()
            };
            [vec![path], below].concat()
        })
        .collect()
}

#[tokio::test]
async fn a_log_that_somebody_deleted_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let keeper = LogKeeper::folder(folder.path()).unwrap();
    let chunks = chunks(1, 20);
    keep_all(&keeper, &chunks[..1]).await;
    fs::remove_dir_all(folder.path().join("orders")).unwrap();
    keep_all(&keeper, &chunks[1..]).await;
    let page = page(
        &keeper,
        Start::At(0),
        1,
        tidemill_core::operator::Level::Debug,
    )
    .await;
    assert_eq!(page.lines[0].line.text, "Line 11");
    keeper.sync().await.unwrap();
    keeper.finish(&place(1)).await.unwrap();
}
