//! What only a bucket does: putting the objects of a log together.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use object_store::memory::InMemory;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use tidemill_core::protocol::LogChunk;
use tidemill_logs::LogKeeper;

use crate::keeping::{all, chunks, expected, keep_all};
use crate::page::place;

async fn objects(store: &InMemory) -> Vec<String> {
    let objects: Vec<_> = store.list(None).try_collect().await.expect("it works");
    let mut names: Vec<String> = objects
        .iter()
        .map(|object| object.location.filename().expect("it works").to_owned())
        .collect();
    names.sort();
    names
}

fn keeper(store: &Arc<InMemory>) -> LogKeeper {
    LogKeeper::bucket(store.clone(), "".into())
}

#[tokio::test]
async fn a_finished_log_is_one_object_and_its_index() {
    let store = Arc::new(InMemory::new());
    keep_all(&keeper(&store), &chunks(1, 95)).await;
    assert_eq!(objects(&store).await.len(), 10);
    keeper(&store).finish(&place(1)).await.unwrap();
    let names = objects(&store).await;
    assert_eq!(names.len(), 2);
    assert!(
        names[0].starts_with("log-10-") && names[1] == "log.index",
        "{names:?}"
    );
    assert_eq!(all(&keeper(&store)).await, expected(95));
}

#[tokio::test]
async fn a_log_of_one_chunk_is_not_written_twice() {
    let store = Arc::new(InMemory::new());
    keep_all(&keeper(&store), &chunks(1, 5)).await;
    let before = objects(&store).await;
    keeper(&store).finish(&place(1)).await.unwrap();
    assert_eq!(
        objects(&store).await,
        [before, vec!["log.index".to_owned()]].concat()
    );
    assert_eq!(all(&keeper(&store)).await, expected(5));
}

#[tokio::test]
async fn a_long_log_of_small_chunks_is_merged_while_it_grows() {
    let store = Arc::new(InMemory::new());
    let keeper_of_it = keeper(&store);
    keep_all(&keeper_of_it, &chunks(1, 4000)).await;
    let names = objects(&store).await;
    assert!(names.len() < 150, "{}", names.len());
    assert_eq!(all(&keeper(&store)).await, expected(4000));
    keeper_of_it.finish(&place(1)).await.unwrap();
    assert_eq!(objects(&store).await.len(), 2);
    assert_eq!(all(&keeper(&store)).await, expected(4000));
}

#[tokio::test]
async fn what_a_crash_leaves_between_the_steps_of_a_merge_is_not_read_twice() {
    let store = Arc::new(InMemory::new());
    keep_all(&keeper(&store), &chunks(1, 50)).await;
    let parts: Vec<_> = store.list(None).try_collect().await.unwrap();
    let mut texts = Vec::new();
    for part in &parts {
        let text = store
            .get(&part.location)
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap();
        texts.push(text);
    }
    keeper(&store).finish(&place(1)).await.unwrap();
    // As if it had died before it deleted them.
    for (part, text) in parts.iter().zip(texts) {
        store.put(&part.location, text.into()).await.unwrap();
    }
    assert_eq!(all(&keeper(&store)).await, expected(50));
    // As if it had died before the index was there.
    let index = parts[0].location.to_string().replace(
        &format!("parts/{}", parts[0].location.filename().unwrap()),
        "log.index",
    );
    store.delete(&index.into()).await.unwrap();
    assert_eq!(all(&keeper(&store)).await, expected(50));
    keeper(&store).finish(&place(1)).await.unwrap();
    assert_eq!(all(&keeper(&store)).await, expected(50));
}

#[tokio::test]
async fn two_processes_that_merge_lose_nothing() {
    let store = Arc::new(InMemory::new());
    let (old, new) = (keeper(&store), keeper(&store));
    let mut chunks: Vec<LogChunk> = chunks(1, 60);
    let late = chunks.split_off(3);
    keep_all(&old, &chunks).await;
    // The other one takes over, and the first does not know.
    keep_all(&new, &late).await;
    new.finish(&place(1)).await.unwrap();
    old.finish(&place(1)).await.unwrap();
    assert_eq!(all(&keeper(&store)).await, expected(60));
    assert_eq!(objects(&store).await.len(), 2);
}
