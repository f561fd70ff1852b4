//! Looks whether the lines of the audit log fit each other.

use std::fmt;
use std::sync::Arc;

use tidemill_core::time::Timestamp;

use super::Said;
use crate::bind::Args;
use crate::db::{Snapshot, apart};
use crate::read::{BadCell, Read, Reader};
use crate::{Store, StoreError, sql};

/// How many lines are read at once.
const PAGE: i64 = 2_000;

/// One of the two chains of the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    /// Lines of whoever schedules. Their numbers go up.
    Leader,
    /// Lines about who may come in and what they may do. Their numbers go down.
    Access,
}

impl Chain {
    /// How it is called in the database.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Leader => "leader",
            Self::Access => "access",
        }
    }

    /// The place of a line: how many were written before it, and itself.
    const fn place(self, id: i64) -> i64 {
        match self {
            Self::Leader => id,
            Self::Access => id.saturating_neg(),
        }
    }
}

/// A line that somebody noted elsewhere: its number, and the hash that it had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its number.
    pub line: i64,
    /// Its hash.
    pub hash: String,
}

/// What was found out about one chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Which.
    pub chain: Chain,
    /// How many lines fit.
    pub lines: u64,
    /// How many lines are older than the chain, and say nothing of themselves.
    pub older: u64,
    /// The last line on record, with its hash: to be noted elsewhere. Empty if there never was one with a hash.
    pub last: Known,
    /// The first that does not fit, if one does not.
    pub fault: Option<Fault>,
}

/// A line that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Its number.
    pub line: i64,
    /// When it was written and by whom, as it says itself; none for one that is not there.
    pub by: Option<(Timestamp, Arc<str>)>,
    /// What is wrong with it.
    pub found: Found,
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// It has another hash than it should.
    Unfit,
    /// It has none.
    Unbound,
    /// It stands before the place where the chain begins.
    Early,
    /// It has a number that was not given yet.
    Beyond,
    /// It was written, and is not there.
    Gone,
    /// It is not the line that was written last under this number.
    NotTheLast,
    /// It is not the line that somebody noted.
    NotTheKnown,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unfit => {
                "does not fit the line before it: it was changed, or a line before it was changed, added, moved or taken away"
            }
            Self::Unbound => "is not bound to the line before it: it was not written by Tidemill",
            Self::Early => "is older than the beginning of the log: it was added later",
            Self::Beyond => "has a number that was not given yet: it was not written by Tidemill",
            Self::Gone => "was written and is not there: it was taken away",
            Self::NotTheLast => "is not the line that was written under this number",
            Self::NotTheKnown => "is not the line whose hash was noted",
        })
    }
}

/// Where a chain begins and ends.
struct Ends {
    chain: Chain,
    start: Known,
    last: Known,
}

impl Read for Ends {
    const TABLE: &'static str = "audit_start";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            chain: match &*from.string()? {
                "leader" => Chain::Leader,
                "access" => Chain::Access,
                other => {
                    return Err(BadCell::new(format!(
                        "does not fit: there is no chain `{other}`"
                    )));
                }
            },
            start: known(from)?,
            last: known(from)?,
        })
    }
}

fn known(from: &mut Reader<'_>) -> Result<Known, BadCell> {
    Ok(Known {
        line: from.int()?,
        hash: from.string()?,
    })
}

/// A line as it lies in the database, which somebody may have spoilt.
struct Line {
    id: i64,
    at: Timestamp,
    actor: Arc<str>,
    action: String,
    target: String,
    dag: Option<String>,
    run: Option<i64>,
    details: String,
    hash: Option<String>,
}

impl Read for Line {
    const TABLE: &'static str = "audit";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            id: from.int()?,
            at: from.time()?,
            actor: from.text()?,
            action: from.string()?,
            target: from.string()?,
            dag: from.opt_string()?,
            run: from.opt_int()?,
            details: from.string()?,
            hash: from.opt_string()?,
        })
    }
}

impl Line {
    fn said(&self) -> Said<'_> {
        Said {
            id: self.id,
            at: self.at,
            actor: &self.actor,
            action: &self.action,
            target: &self.target,
            dag: self.dag.as_deref(),
            run: self.run,
            details: &self.details,
        }
    }
}

impl Store {
    /// Looks whether every line of the audit log fits the one before it, and whether these lines are as somebody noted them:
    /// the leader's chain first. With `newest`, at about so many of the newest lines of each chain only.
    ///
    /// # Errors
    /// If the database cannot be read, or a row does not read.
    pub async fn verify_audit(
        &self,
        noted: &[Known],
        newest: Option<u32>,
    ) -> Result<Vec<Verified>, StoreError> {
        let (db, noted) = (self.db().clone(), noted.to_vec());
        apart(async move {
            let mut view = db.snapshot().await?;
            let all: Vec<Ends> = view.rows(&sql::AUDIT_CHAINS, Args::NONE).await?;
            let mut verified = Vec::with_capacity(all.len());
            for chain in [Chain::Leader, Chain::Access] {
                let ends = all.iter().find(|ends| ends.chain == chain);
                let ends = ends.ok_or(StoreError::NoAuditStart)?;
                let mut walk = Walk::new(ends, &noted, newest);
                walk.on(&mut view).await?;
                verified.push(walk.done);
            }
            view.end().await?;
            Ok(verified)
        })
        .await
    }
}

/// Along one chain, from its beginning to the first line that does not fit.
struct Walk<'a> {
    ends: &'a Ends,
    /// Lines of this chain that somebody noted.
    noted: Vec<&'a Known>,
    /// Where to begin, if not at the beginning: the line there is taken as it is.
    from: Option<i64>,
    /// The hash of the line before; none if the next is to be taken as it is.
    before: Option<String>,
    /// The place of the line before.
    place: i64,
    done: Verified,
}

impl<'a> Walk<'a> {
    fn new(ends: &'a Ends, noted: &'a [Known], newest: Option<u32>) -> Self {
        let chain = ends.chain;
        let (start, last) = (chain.place(ends.start.line), chain.place(ends.last.line));
        let from = newest.map(|newest| last.saturating_sub(i64::from(newest)));
        let from = from.filter(|from| *from > start);
        let ours = |known: &&Known| (known.line > 0) == (chain == Chain::Leader);
        Self {
            ends,
            noted: noted.iter().filter(ours).collect(),
            from,
            before: from.is_none().then(|| ends.start.hash.clone()),
            place: start,
            done: Verified {
                chain,
                lines: 0,
                older: 0,
                last: ends.last.clone(),
                fault: None,
            },
        }
    }

    async fn on(&mut self, view: &mut Snapshot) -> Result<(), StoreError> {
        let (statement, first) = match self.ends.chain {
            // No line has number 0: one that does is seen here.
            Chain::Leader => (&sql::AUDIT_UPWARDS, self.from.map_or(-1, |from| from - 1)),
            Chain::Access => (&sql::AUDIT_DOWNWARDS, self.from.map_or(0, |from| 1 - from)),
        };
        let mut after = first;
        loop {
            let args = Args::NONE.int(after).int(PAGE);
            let page: Vec<Line> = view.rows(statement, args).await?;
            for line in &page {
                if let Err(found) = self.line(line) {
                    self.done.fault = Some(Fault {
                        line: line.id,
                        by: Some((line.at, line.actor.clone())),
                        found,
                    });
                    return Ok(());
                }
            }
            match page.last() {
                Some(last) if page.len() as i64 == PAGE => after = last.id,
                _ => break,
            }
        }
        self.done.fault = self.end();
        Ok(())
    }

    fn line(&mut self, line: &Line) -> Result<(), Found> {
        let (chain, start) = (self.ends.chain, &self.ends.start);
        let place = chain.place(line.id);
        if place <= chain.place(start.line) {
            // A line from before there was a chain has no hash, and none of a chain was cleaned away before it.
            if place > 0 && start.hash.is_empty() && line.hash.is_none() {
                self.done.older += 1;
                return Ok(());
            }
            return Err(Found::Early);
        }
        if place > chain.place(self.ends.last.line) {
            return Err(Found::Beyond);
        }
        let Some(hash) = &line.hash else {
            // A process of an older release wrote on for a moment: the first line that has a hash is bound to none.
            if start.hash.is_empty() && self.before.as_deref() == Some("") {
                self.done.older += 1;
                self.place = place;
                return Ok(());
            }
            return Err(Found::Unbound);
        };
        let fits = |before: &String| line.said().hash(before) == *hash;
        if !self.before.as_ref().is_none_or(fits) {
            return Err(Found::Unfit);
        }
        if self
            .noted
            .iter()
            .any(|known| known.line == line.id && known.hash != *hash)
        {
            return Err(Found::NotTheKnown);
        }
        self.before = Some(hash.clone());
        self.place = place;
        self.done.lines += 1;
        Ok(())
    }

    /// What is wrong where the chain ends.
    fn end(&self) -> Option<Fault> {
        let Ends { chain, start, last } = self.ends;
        let fault = |line, found| {
            Some(Fault {
                line,
                by: None,
                found,
            })
        };
        if self.place != chain.place(last.line) {
            return fault(last.line, Found::Gone);
        }
        if self.before.as_ref() != Some(&last.hash) {
            return fault(last.line, Found::NotTheLast);
        }
        // A line that was noted and then cleaned away is not missed; the last of those that went is known still.
        let beyond = |known: &&&Known| chain.place(known.line) > chain.place(last.line);
        if let Some(known) = self.noted.iter().find(beyond) {
            return fault(known.line, Found::Gone);
        }
        let other = |known: &&&Known| known.line == start.line && known.hash != start.hash;
        let known = self.noted.iter().find(other)?;
        fault(known.line, Found::NotTheKnown)
    }
}
