//! Is the database there, ours, of this release, safe, quick, and does it know what time it is?

use std::time::Duration;

use tidemill_core::span;
use tidemill_scheduler::secrets::{KeyRing, open_connection, open_variable};
use tidemill_store::{Schema, Store, StoreError};
use tokio::time::{Instant, timeout};

use super::{Findings, Mark};
use crate::audit::misfit;
use crate::config::Loaded;
use crate::db::{leads, now};
use crate::door;
use crate::output::UNREACHABLE;

/// How many commits the median is of.
const PROBES: usize = 50;
/// All of them end within this time, or there are fewer.
const PROBE_WITHIN: Duration = Duration::from_secs(10);
/// How many lines of each chain of the audit log are looked at.
const AUDIT_NEWEST: u32 = 1_000;
/// A commit that takes longer than this makes every hand-off slow.
const COMMIT_SLOW: Duration = Duration::from_millis(20);
/// Clocks further apart than this make times on pages disagree.
const APART_MAX: Duration = Duration::from_secs(2);

pub(super) async fn look(loaded: &Loaded, keys: Option<&KeyRing>, found: &mut Findings) {
    let store = match door::open(loaded, Schema::Leave).await {
        Ok(store) => store,
        Err(output) => {
            let mark = if output.code == UNREACHABLE {
                Mark::Away
            } else {
                Mark::Bad
            };
            let says = output.stderr.trim_end().trim_start_matches("error: ");
            found.add(mark, "database", says.replace("\n  ", "; "));
            return;
        }
    };
    if let Err(error) = look_at(&store, keys, found).await {
        let mark = if door::code(&error) == UNREACHABLE {
            Mark::Away
        } else {
            Mark::Bad
        };
        found.add(
            mark,
            "database",
            format!("failed to {}", door::chain(&error)),
        );
    }
    store.close().await;
}

async fn look_at(
    store: &Store,
    keys: Option<&KeyRing>,
    found: &mut Findings,
) -> Result<(), StoreError> {
    safety(store, found).await?;
    let steps = store.migrations().await?;
    let behind = steps.iter().filter(|step| step.applied_at.is_none());
    let behind = behind.count();
    if behind > 0 {
        let says = format!(
            "{behind} of {} steps are not taken; run `db migrate`",
            steps.len()
        );
        found.add(Mark::Bad, "schema", says);
        return Ok(());
    }
    let understood = store.prepare_all().await?;
    let says = format!(
        "all {} steps are taken, all {understood} statements are understood",
        steps.len()
    );
    found.add(Mark::Fine, "schema", says);
    let holder = store.holder().await?;
    let mark = if holder.name.is_empty() || holder.rest.is_zero() {
        Mark::Odd
    } else {
        Mark::Fine
    };
    found.add(mark, "leader", leads(&holder));
    audit(store, found).await?;
    commits(store, found).await?;
    if let Some(keys) = keys {
        sealed(store, keys, found).await?;
    }
    Ok(())
}

/// Whether what was committed outlives a power cut, and whether the clock agrees with ours.
async fn safety(store: &Store, found: &mut Findings) -> Result<(), StoreError> {
    let before = now();
    let health = store.health().await?;
    let after = now();
    let version = health.setting("version").unwrap_or("of unknown version");
    let is = |name: &str, wanted: &str| health.setting(name).is_none_or(|value| value == wanted);
    let told: Vec<String> = health
        .settings
        .iter()
        .filter(|(name, _)| name != "version")
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    let is_safe = is("fsync", "on")
        && is("full_page_writes", "on")
        && is("journal_mode", "wal")
        && health.setting("synchronous_commit") != Some("off");
    let says = format!("version {version}, {}", told.join(", "));
    if is_safe {
        found.add(Mark::Fine, "database", says);
    } else {
        let says = format!("{says}: a power cut would lose what was said to be done");
        found.add(Mark::Bad, "database", says);
    }
    let Some(clock) = health.clock else {
        return Ok(());
    };
    // It was read at some time between the two.
    let apart = before.since(clock).max(clock.since(after));
    let says = format!("the database's and ours are {} apart", span::text(apart));
    let mark = if apart > APART_MAX {
        Mark::Odd
    } else {
        Mark::Fine
    };
    found.add(mark, "clock", says);
    Ok(())
}

/// Whether the newest lines of the audit log are as they were written. `audit verify` looks at all of them.
async fn audit(store: &Store, found: &mut Findings) -> Result<(), StoreError> {
    let verified = store.verify_audit(&[], Some(AUDIT_NEWEST)).await?;
    let mut fits = true;
    for fault in verified.iter().filter_map(|one| one.fault.as_ref()) {
        fits = false;
        found.add(Mark::Bad, "audit", misfit(fault));
    }
    if fits {
        let lines: u64 = verified.iter().map(|one| one.lines).sum();
        let says = format!("the newest lines of the audit log fit each other ({lines} looked at)");
        found.add(Mark::Fine, "audit", says);
    }
    Ok(())
}

/// How long a commit takes: what every hand-off from one task to the next has to wait for.
async fn commits(store: &Store, found: &mut Findings) -> Result<(), StoreError> {
    let mut took = Vec::with_capacity(PROBES);
    let begun = Instant::now();
    while took.len() < PROBES && begun.elapsed() < PROBE_WITHIN {
        let one = Instant::now();
        let Ok(probed) = timeout(PROBE_WITHIN, store.probe_commit()).await else {
            let says = format!("one took longer than {}", span::text(PROBE_WITHIN));
            found.add(Mark::Bad, "commit", says);
            return Ok(());
        };
        if !probed? {
            // The disk under SQLite's file is measured with the data folder.
            return Ok(());
        }
        took.push(one.elapsed());
    }
    found.add_speed("commit", "a commit", &mut took);
    Ok(())
}

impl Findings {
    /// Says the median.
    pub(super) fn add_speed(&mut self, what: &'static str, thing: &str, took: &mut [Duration]) {
        took.sort_unstable();
        let Some(median) = took.get(took.len() / 2) else {
            return;
        };
        let mark = if *median > COMMIT_SLOW {
            Mark::Odd
        } else {
            Mark::Fine
        };
        let says = format!("{thing} takes {median:.1?} (median of {})", took.len());
        self.add(mark, what, says);
    }
}

/// Whether the keys at hand open all that is kept.
async fn sealed(store: &Store, keys: &KeyRing, found: &mut Findings) -> Result<(), StoreError> {
    let (connections, variables) = (store.connections().await?, store.variables().await?);
    let wrong = connections
        .iter()
        .filter_map(|row| open_connection(keys, row).err())
        .chain(
            variables
                .iter()
                .filter_map(|row| open_variable(keys, row).err()),
        );
    let mut all_open = true;
    for error in wrong {
        all_open = false;
        found.add(Mark::Bad, "secrets", error.to_string());
    }
    if all_open {
        let (connections, variables) = (connections.len(), variables.len());
        let says = format!("{connections} connections and {variables} variables unseal");
        found.add(Mark::Fine, "secrets", says);
    }
    Ok(())
}
