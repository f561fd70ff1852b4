//! Tables and partitions whose time is over.

use chrono::{DateTime, TimeDelta, Utc};

use super::manifest::Snapshot;
use super::meta::{DatasetMeta, Partitioning, TableMeta};
use super::partition::Partition;

/// Whether its time is not over.
pub(super) fn alive(table: &Snapshot, now: DateTime<Utc>) -> bool {
    table.meta.expires.is_none_or(|expires| now < expires)
}

/// The table without partitions whose time is over.
pub(super) fn visible(table: &Snapshot, now: DateTime<Utc>) -> Snapshot {
    let mut seen = table.clone();
    if let Some(
        partitioning @ Partitioning::Time {
            expiration_ms: Some(expiration),
            ..
        },
    ) = &table.meta.partitioning
    {
        let life = TimeDelta::try_milliseconds(*expiration).unwrap_or(TimeDelta::MAX);
        seen.files.retain(|file| {
            let start = file
                .partition
                .as_deref()
                .and_then(|name| Partition::from_name(name, partitioning))
                .and_then(|partition| partition.start(partitioning));
            start
                .and_then(|start| start.checked_add_signed(life))
                .is_none_or(|end| now < end)
        });
    }
    seen
}

/// What a dataset says of new tables.
pub(super) fn inherit(meta: &mut TableMeta, dataset: &DatasetMeta, now: DateTime<Utc>) {
    if let Some(Partitioning::Time { expiration_ms, .. }) = &mut meta.partitioning
        && expiration_ms.is_none()
        && dataset.partition_expiration_ms.is_some()
    {
        *expiration_ms = dataset.partition_expiration_ms;
        return;
    }
    if let (None, None, Some(life)) = (&meta.expires, &meta.view, dataset.table_expiration_ms) {
        meta.expires =
            TimeDelta::try_milliseconds(life).and_then(|life| now.checked_add_signed(life));
    }
}
