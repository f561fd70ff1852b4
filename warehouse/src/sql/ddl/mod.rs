//! Statements that change tables, views and datasets. Each changes something as a whole or not at all.

mod alter;
mod columns;
mod create;
mod drop;
mod files;
mod options;
mod partition;
mod schema;
mod transform;
mod view;

pub(super) use columns::kind_and_mode;

use super::cursor::Cursor;
use super::engine::Engine;
use super::error::SqlError;
use super::piece::Piece;
use super::request::{Operation, Outcome, Request, Target};
use super::scope::Scope;
use crate::tables::{TableError, TableId, Warehouse};

/// What a statement is run with.
struct Run<'a> {
    engine: &'a Engine,
    scope: &'a Scope,
    request: &'a Request,
}

/// Runs one such statement; of a dry run it changes nothing.
pub(super) async fn run(
    engine: &Engine,
    scope: &Scope,
    piece: &Piece,
    request: &Request,
) -> Result<Outcome, SqlError> {
    let run = Run {
        engine,
        scope,
        request,
    };
    let mut cursor = Cursor::new(piece);
    if cursor.take("CREATE") {
        return run.create(&mut cursor).await;
    }
    if cursor.take("DROP") {
        return run.drop(&mut cursor);
    }
    if cursor.take("ALTER") {
        return run.alter(&mut cursor).await;
    }
    if cursor.take("LOAD DATA") {
        return run.load_data(&mut cursor).await;
    }
    if cursor.take("EXPORT DATA") {
        return run.export_data(&mut cursor).await;
    }
    Err(SqlError::unsupported(format!(
        "the statement {} {}",
        piece.word(0),
        piece.word(1)
    )))
}

/// What `CREATE` said before what it makes.
#[derive(Clone, Copy)]
struct Making {
    replace: bool,
    temporary: bool,
}

impl Run<'_> {
    async fn create(&self, cursor: &mut Cursor<'_>) -> Result<Outcome, SqlError> {
        let replace = cursor.take("OR REPLACE");
        let temporary = cursor.take("TEMP") || cursor.take("TEMPORARY");
        let making = Making { replace, temporary };
        if cursor.take("TABLE") {
            if cursor.word() == "FUNCTION" {
                return Err(SqlError::unsupported("CREATE TABLE FUNCTION"));
            }
            return self.create_table(making, cursor).await;
        }
        if !temporary && cursor.take("VIEW") {
            return self.create_view(making, cursor).await;
        }
        if !temporary && !replace && cursor.take("SCHEMA") {
            return self.create_schema(cursor).await;
        }
        Err(uncovered("CREATE", cursor))
    }

    fn target(&self, table: TableId, operation: Operation) -> Target {
        Target { table, operation }
    }

    /// The outcome of a statement about this table.
    fn outcome(
        &self,
        statement_type: &'static str,
        table: &TableId,
        operation: Operation,
    ) -> Outcome {
        let mut outcome = Outcome::of(statement_type);
        outcome.target = Some(self.target(table.clone(), operation));
        outcome
    }

    fn warehouse(&self) -> Result<Warehouse, SqlError> {
        self.engine.warehouse(self.request)
    }

    /// Writes down what will have been done and does it, unless it is a dry run.
    fn change(
        &self,
        outcome: Outcome,
        change: impl FnOnce() -> Result<(), TableError>,
    ) -> Result<Outcome, SqlError> {
        if !self.request.dry_run {
            self.engine.will(self.request, &outcome)?;
            change()?;
        }
        Ok(outcome)
    }
}

/// A statement about something else than tables, views and datasets.
fn uncovered(verb: &str, cursor: &Cursor<'_>) -> SqlError {
    const KNOWN: [&str; 18] = [
        "EXTERNAL",
        "SNAPSHOT",
        "MATERIALIZED",
        "AGGREGATE",
        "FUNCTION",
        "PROCEDURE",
        "MODEL",
        "ROW",
        "SEARCH",
        "VECTOR",
        "CAPACITY",
        "RESERVATION",
        "ASSIGNMENT",
        "BI_CAPACITY",
        "ORGANIZATION",
        "PROJECT",
        "TABLE",
        "ALL",
    ];
    let word = cursor.word();
    if KNOWN.contains(&word.as_str()) {
        SqlError::unsupported(format!("{verb} {word}"))
    } else {
        cursor.unexpected()
    }
}
