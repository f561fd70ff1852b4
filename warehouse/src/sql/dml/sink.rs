//! Rows on their way to the files of a changed table.

use std::sync::Arc;

use datafusion::arrow::array::{BooleanArray, RecordBatch};
use datafusion::arrow::compute::filter_record_batch;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

use crate::rows::whole;
use crate::schema::Schema;
use crate::sql::error::SqlError;
use crate::tables::{DataFile, Partition, TableError, Writer};

/// Batches that wait for the disk.
const WAITING: usize = 2;

/// Which rows of a file go.
#[derive(Debug, Default)]
pub(super) struct Rows(Vec<u64>);

impl Rows {
    /// One more; says whether it was not there yet.
    pub(super) fn add(&mut self, row: usize) -> bool {
        let (word, bit) = (row / 64, 1 << (row % 64));
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        new
    }

    fn has(&self, row: usize) -> bool {
        self.0
            .get(row / 64)
            .is_some_and(|word| word & (1 << (row % 64)) != 0)
    }

    /// How many.
    pub(super) fn count(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }
}

/// A file that is written anew without some of its rows.
pub(super) struct Kept {
    pub(super) file: Arc<DataFile>,
    pub(super) partition: Partition,
    pub(super) gone: Rows,
}

enum Message {
    /// Rows, and the partition that they are of if they do not say so themselves.
    Rows(Option<Partition>, RecordBatch),
    /// There are no more; what stays of the files that had some.
    End(Vec<Kept>),
}

/// Takes rows to files that belong to nobody. Whoever drops it before its end leaves nothing behind.
pub(super) struct Sink {
    send: Sender<Message>,
    writing: JoinHandle<Result<Option<Vec<Arc<DataFile>>>, TableError>>,
}

impl Sink {
    pub(super) fn new(writer: Writer, schema: Schema) -> Self {
        let (send, take) = channel(WAITING);
        let writing = tokio::task::spawn_blocking(move || write(writer, &schema, take));
        Self { send, writing }
    }

    /// Takes rows. Where the disk fails they are let go: the end says why.
    pub(super) async fn take(&self, partition: Option<Partition>, batch: RecordBatch) {
        let _ = self.send.send(Message::Rows(partition, batch)).await;
    }

    /// The files, when all is written.
    pub(super) async fn end(self, kept: Vec<Kept>) -> Result<Vec<Arc<DataFile>>, SqlError> {
        let _ = self.send.send(Message::End(kept)).await;
        let backend = |message: String| SqlError {
            reason: "backendError",
            message,
        };
        // The sender stays until then: without it the writing stops.
        let files = self
            .writing
            .await
            .map_err(|error| backend(error.to_string()))?
            .map_err(SqlError::from)?;
        drop(self.send);
        files.ok_or_else(|| backend("the rows were not written to their end".to_owned()))
    }
}

fn write(
    mut writer: Writer,
    schema: &Schema,
    mut take: Receiver<Message>,
) -> Result<Option<Vec<Arc<DataFile>>>, TableError> {
    let kept = loop {
        match take.blocking_recv() {
            Some(Message::Rows(None, batch)) => writer.write(&batch)?,
            Some(Message::Rows(Some(partition), batch)) => writer.write_at(partition, &batch)?,
            Some(Message::End(kept)) => break kept,
            None => return Ok(None),
        }
    };
    for Kept {
        file,
        partition,
        gone,
    } in kept
    {
        if gone.count() == file.rows {
            continue;
        }
        let mut row = 0;
        for batch in whole(&file, schema)? {
            let batch = batch?;
            if take.is_closed() || take.sender_strong_count() == 0 {
                return Ok(None);
            }
            let stays: BooleanArray = (row..row + batch.num_rows())
                .map(|row| Some(!gone.has(row)))
                .collect();
            row += batch.num_rows();
            let batch = filter_record_batch(&batch, &stays)
                .map_err(|error| TableError::invalid(error.to_string()))?;
            writer.write_at(partition, &batch)?;
        }
    }
    writer.finish().map(Some)
}
