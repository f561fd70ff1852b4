//! The key under which a task's remote work is launched.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::version::hex;

/// What a launch key is made of. The epoch grows only when the last launch is known to have failed, or when a person
/// cleared the task: a retry after a crash has the same epoch, hence the same key, hence finds its own job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaunchPoint<'a> {
    /// Which Tidemill this is: two of them on one cloud project must not meet.
    pub deployment: &'a str,
    /// The DAG.
    pub dag: &'a str,
    /// The run.
    pub run: &'a str,
    /// The task.
    pub task: &'a str,
    /// Which instance of a mapped task.
    pub map_index: Option<u32>,
    /// How many launches were decided before this one.
    pub epoch: u32,
}

/// A letter and 32 hexadecimal digits: fits BigQuery job ids, Dataproc request ids (40), Databricks tokens (64) and
/// Dataflow job names, which begin with a letter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LaunchKey(String);

impl LaunchKey {
    /// The key of this launch.
    #[must_use]
    pub fn of(point: &LaunchPoint<'_>) -> Self {
        let mut hash = Sha256::new();
        // Each part is preceded by its length: ("ab", "c") and ("a", "bc") are different launches.
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        part(point.deployment.as_bytes());
        part(point.dag.as_bytes());
        part(point.run.as_bytes());
        part(point.task.as_bytes());
        part(
            point
                .map_index
                .map(|index| index.to_string())
                .unwrap_or_default()
                .as_bytes(),
        );
        part(&point.epoch.to_be_bytes());
        let digest = hash.finalize();
        Self(format!("t{}", hex(&digest[..16])))
    }

    /// The text of the key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LaunchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINT: LaunchPoint<'_> = LaunchPoint {
        deployment: "prod",
        dag: "crm",
        run: "r1",
        task: "load",
        map_index: None,
        epoch: 1,
    };

    #[test]
    fn every_part_counts_and_parts_do_not_run_together() {
        let key = LaunchKey::of(&POINT);
        assert_eq!(key.as_str().len(), 33);
        for other in [
            LaunchPoint {
                deployment: "test",
                ..POINT
            },
            LaunchPoint {
                dag: "crmr",
                run: "1",
                ..POINT
            },
            LaunchPoint {
                task: "loa",
                ..POINT
            },
            LaunchPoint {
                map_index: Some(0),
                ..POINT
            },
            LaunchPoint { epoch: 2, ..POINT },
        ] {
            assert_ne!(LaunchKey::of(&other), key, "{other:?}");
        }
    }

    #[test]
    fn the_key_of_a_launch_never_changes() {
        // Jobs are found under it after an upgrade, too: this value must stay.
        assert_eq!(
            LaunchKey::of(&POINT),
            LaunchKey("tfdc58e62aeeb4aad6b67c55a43cdb39f".to_owned())
        );
    }
}
