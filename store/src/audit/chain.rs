//! How a line is bound to the one before it.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};
use tidemill_core::id::DagId;
use tidemill_core::time::Timestamp;

use crate::bind::fit;
use crate::record::AuditRow;

/// Goes into every hash before anything else: another way of hashing gets another.
const WAY: &str = "tidemill audit 1";

/// All that a line says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'a> {
    pub(crate) id: i64,
    pub(crate) at: Timestamp,
    pub(crate) actor: &'a str,
    pub(crate) action: &'a str,
    pub(crate) target: &'a str,
    pub(crate) dag: Option<&'a str>,
    pub(crate) run: Option<i64>,
    pub(crate) details: &'a str,
}

impl Said<'_> {
    /// The hash of this line after one with the hash `before`; empty if it is the first. It is over what a database keeps of
    /// the line, which is not always what was said.
    pub(crate) fn hash(&self, before: &str) -> String {
        let mut hash = Sha256::new();
        // Each part is preceded by its length: ("ab", "c") and ("a", "bc") are different lines.
        let mut part = |bytes: Option<&[u8]>| {
            let length = bytes.map_or(u64::MAX, |bytes| bytes.len() as u64);
            hash.update(length.to_be_bytes());
            hash.update(bytes.unwrap_or_default());
        };
        part(Some(WAY.as_bytes()));
        part(Some(before.as_bytes()));
        part(Some(&self.id.to_be_bytes()));
        part(Some(&fit::time(self.at).to_be_bytes()));
        for text in [self.actor, self.action, self.target] {
            part(Some(fit::text(text).as_bytes()));
        }
        part(self.dag.map(fit::text).as_ref().map(|dag| dag.as_bytes()));
        part(self.run.map(i64::to_be_bytes).as_ref().map(|run| &run[..]));
        part(Some(fit::text(self.details).as_bytes()));
        let mut text = String::with_capacity(64);
        for byte in hash.finalize() {
            // Writing into a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

/// A line with its hash.
#[derive(Debug)]
pub(crate) struct Bound<'a> {
    pub(crate) row: &'a AuditRow,
    pub(crate) hash: String,
}

/// Binds these lines to the one before them and to each other, in the order of their numbers.
pub(crate) fn bind<'a>(before: &str, rows: &'a [AuditRow]) -> Vec<Bound<'a>> {
    let mut rows: Vec<&AuditRow> = rows.iter().collect();
    rows.sort_by_key(|row| row.id);
    let mut bound: Vec<Bound<'a>> = Vec::with_capacity(rows.len());
    for row in rows {
        let said = Said {
            id: row.id,
            at: row.at,
            actor: &row.actor,
            action: &row.action,
            target: &row.target,
            dag: row.dag.as_ref().map(DagId::as_str),
            run: row.run.map(|run| run.0),
            details: &row.details,
        };
        let hash = said.hash(bound.last().map_or(before, |last| &last.hash));
        bound.push(Bound { row, hash });
    }
    bound
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: Said<'_> = Said {
        id: 7,
        at: Timestamp::from_micros(1_000_000),
        actor: "ann",
        action: "task.clear",
        target: "crm / load",
        dag: Some("crm"),
        run: Some(3),
        details: "{}",
    };

    #[test]
    fn every_part_counts_and_parts_do_not_run_together() {
        let hash = LINE.hash("x");
        assert_eq!(hash.len(), 64);
        assert_ne!(LINE.hash(""), hash);
        for other in [
            Said { id: -7, ..LINE },
            Said {
                at: Timestamp::from_micros(1_000_001),
                ..LINE
            },
            Said {
                actor: "an",
                action: "ntask.clear",
                ..LINE
            },
            Said {
                target: "crm / loa",
                ..LINE
            },
            Said { dag: None, ..LINE },
            Said {
                dag: Some(""),
                ..LINE
            },
            Said { run: None, ..LINE },
            Said {
                details: "",
                ..LINE
            },
        ] {
            assert_ne!(other.hash("x"), hash, "{other:?}");
        }
        let (none, empty) = (
            Said { dag: None, ..LINE },
            Said {
                dag: Some(""),
                ..LINE
            },
        );
        assert_ne!(none.hash("x"), empty.hash("x"));
    }

    #[test]
    fn the_hash_of_a_line_never_changes() {
        // Lines that were written are checked after an upgrade, too: this value must stay.
        assert_eq!(
            LINE.hash(""),
            "d03afd36c867752a6253b02cc28b236484d342d28dac1ebef5e77e82c226a36f"
        );
    }

    #[test]
    fn what_a_database_cannot_hold_is_hashed_as_it_is_kept() {
        let (said, kept) = (
            Said {
                actor: "a\0b",
                ..LINE
            },
            Said {
                actor: "a\u{fffd}b",
                ..LINE
            },
        );
        assert_eq!(said.hash(""), kept.hash(""));
    }
}
