//! Loads and results of checks, as commands read them: rows of the database, or what a web server says of them. Both are the
//! same views.

use std::fmt::Write as _;

use tidemill_core::protocol::AttemptNo;
use tidemill_core::time::Timestamp;
use tidemill_store::history::{CheckFilter, Cursor, HeadFilter, LoadFilter};
use tidemill_web::api::views::{CheckHeadView, CheckResultView, LoadView};

use super::reads::{Reads, failed, part};
use crate::output::{Output, UNREACHABLE};

/// Adds what is given to a query.
struct Query(String);

impl Query {
    fn of(path: &str) -> Self {
        Self(format!("{path}?"))
    }

    fn with(mut self, name: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            let _ = write!(self.0, "{name}={}&", part(value));
        }
        self
    }

    fn path(&self) -> &str {
        self.0.trim_end_matches(['&', '?'])
    }
}

/// What of a span is really given.
fn ends(span: &std::ops::Range<Timestamp>) -> (Option<String>, Option<String>) {
    let ever = LoadFilter::default().ended;
    let given = |end: Timestamp, never: Timestamp| (end != never).then(|| end.to_string());
    (given(span.start, ever.start), given(span.end, ever.end))
}

impl Reads {
    /// The last loads that a filter finds.
    pub(crate) async fn loads(&self, of: &LoadFilter, most: u32) -> Result<Vec<LoadView>, Output> {
        match self {
            Self::Store(store) => {
                let rows = failed(store.loads_named(of, Cursor::START, most).await)?;
                Ok(rows.into_iter().map(Into::into).collect())
            }
            Self::Web(web) => {
                let (from, to) = ends(&of.ended);
                let query = Query::of("/api/v1/loads")
                    .with("dag", of.dag.as_ref().map(|dag| dag.as_str()))
                    .with("destination", of.destination.as_deref())
                    .with("status", of.status.as_deref())
                    .with("from", from.as_deref())
                    .with("to", to.as_deref());
                web.list(query.path(), most as usize).await
            }
        }
    }

    /// One load of an attempt.
    pub(crate) async fn load(
        &self,
        dag: &str,
        (attempt, nth): (AttemptNo, u32),
    ) -> Result<Option<LoadView>, Output> {
        match self {
            Self::Store(store) => {
                let found = failed(store.load_of(attempt, nth).await)?;
                let found = found.filter(|load| load.row.dag.as_str() == dag);
                Ok(found.map(Into::into))
            }
            Self::Web(web) => {
                let path = format!("/api/v1/dags/{}/loads/{attempt}.{nth}", part(dag));
                web.look(&path).await
            }
        }
    }

    /// The last results of checks that a filter finds.
    pub(crate) async fn checks(
        &self,
        of: &CheckFilter,
        most: u32,
    ) -> Result<Vec<CheckResultView>, Output> {
        match self {
            Self::Store(store) => {
                let rows = failed(store.checks(of, Cursor::START, most).await)?;
                Ok(rows.into_iter().map(Into::into).collect())
            }
            Self::Web(web) => {
                let (from, to) = ends(&of.at);
                let query = Query::of("/api/v1/checks")
                    .with("dag", of.dag.as_ref().map(|dag| dag.as_str()))
                    .with("table", of.table.as_deref())
                    .with("name", of.name.as_deref())
                    .with("status", of.status.as_deref())
                    .with("from", from.as_deref())
                    .with("to", to.as_deref());
                web.list(query.path(), most as usize).await
            }
        }
    }

    /// What came of one check.
    pub(crate) async fn check(
        &self,
        dag: &str,
        (attempt, nth): (AttemptNo, u32),
    ) -> Result<Option<CheckResultView>, Output> {
        match self {
            Self::Store(store) => {
                let found = failed(store.check_of(attempt, nth).await)?;
                let found = found.filter(|check| check.row.dag.as_str() == dag);
                Ok(found.map(Into::into))
            }
            Self::Web(web) => {
                let path = format!("/api/v1/dags/{}/checks/{attempt}.{nth}", part(dag));
                web.look(&path).await
            }
        }
    }

    /// Each check once, with its last results.
    pub(crate) async fn check_heads(
        &self,
        of: &HeadFilter,
        most: u32,
    ) -> Result<Vec<CheckHeadView>, Output> {
        const LAST: u32 = 10;
        match self {
            Self::Store(store) => {
                let rows = failed(store.check_heads(of, None, (most, LAST)).await)?;
                Ok(rows.into_iter().map(Into::into).collect())
            }
            Self::Web(web) => {
                let query = Query::of("/api/v1/checks/last")
                    .with("dag", of.dag.as_ref().map(|dag| dag.as_str()))
                    .with("table", of.table.as_deref())
                    .with("bad", of.bad.then_some("true"))
                    .with("last", Some(&LAST.to_string()));
                web.list(query.path(), most as usize).await
            }
        }
    }
}

/// Which load or check of which attempt: `1001.0`.
///
/// # Errors
/// What a command prints about what does not read.
pub(crate) fn place(text: &str) -> Result<(AttemptNo, u32), String> {
    let parts = text.split_once('.').unwrap_or((text, "0"));
    match (parts.0.parse(), parts.1.parse()) {
        (Ok(attempt), Ok(nth)) => Ok((AttemptNo(attempt), nth)),
        _ => Err("it is the number of an attempt, a dot, and which one of it: 1001.0".to_owned()),
    }
}

/// What a command prints about something that is not there.
pub(crate) fn gone(what: &str, dag: &str) -> Output {
    Output::failed(
        format_args!("`{dag}` has no such {what}; `{what}s list` shows them with their numbers"),
        UNREACHABLE,
    )
}
