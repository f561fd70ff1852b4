//! The driver's log of a job or batch, which is in Cloud Storage.

use std::time::Duration;

use tidemill_core::operator::{TaskContext, TaskResult};

use crate::http;
use crate::remote;
use crate::storage::{self, GcsPattern, Storage};

/// Pieces of a log that are looked at; a piece is a few MiB at most.
const PIECES_MAX: usize = 1_000;
/// So much of the last piece is read.
const TAIL_BYTES: u64 = 256 << 10;

/// Writes the end of the log into the task's. A job that ended well has not failed because its log cannot be read.
pub(super) async fn tell(ctx: &TaskContext, connection: &str, log: &str) {
    if log.is_empty() {
        return;
    }
    match read(ctx, connection, log).await {
        Ok(text) => {
            ctx.info(format!("the driver's log is in {log}"));
            remote::tell(ctx, "driver", &text);
        }
        Err(error) => ctx.warn(format!("the driver's log {log} cannot be read: {error}")),
    }
}

async fn read(ctx: &TaskContext, connection: &str, log: &str) -> TaskResult<String> {
    let client = http::open(ctx, connection, &storage::API).await?;
    let pattern: GcsPattern = format!("{log}*").parse()?;
    let pieces = Storage::of(client.clone())
        .list(&pattern, PIECES_MAX)
        .await?;
    let Some(last) = pieces.iter().rev().find(|piece| piece.size > 0) else {
        return Ok(String::new());
    };
    let from = last.size.saturating_sub(TAIL_BYTES);
    let reply = client
        .get(
            "/storage/v1/b/{}/o/{}",
            &[last.uri.bucket(), last.uri.object()],
        )
        .query("alt", "media")
        .header("range", format!("bytes={from}-{}", last.size - 1))
        .doing(format!("read {}", last.uri))
        .needs("storage.objects.get")
        .within(Duration::from_secs(60))
        .send()
        .await?;
    Ok(String::from_utf8_lossy(reply.body()).into_owned())
}
