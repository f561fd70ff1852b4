//! `CREATE TABLE`.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use chrono::TimeDelta;
use datafusion::sql::sqlparser::ast::{Query, Statement};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::options::Options;
use super::partition::{By, clustering};
use super::{Making, Run, SqlError};
use crate::copy::Copy;
use crate::load::WriteMode;
use crate::schema::{Mode, Schema};
use crate::sql::coerce::{assignable, unbounded};
use crate::sql::cursor::Cursor;
use crate::sql::parse::Words;
use crate::sql::piece::Piece;
use crate::sql::request::{Operation, Outcome};
use crate::sql::rewrite::make;
use crate::tables::{
    DataFile, DatasetId, Partitioning, Snapshot, TableError, TableId, TableMeta, Target,
};

/// What stands in a CREATE TABLE.
#[derive(Default)]
struct Parts {
    columns: Option<Schema>,
    like: Option<Vec<String>>,
    copied: Option<Vec<String>>,
    by: Option<By>,
    clustering: Option<Vec<String>>,
    options: Options,
    query: Option<Piece>,
}

impl Run<'_> {
    /// Behind `CREATE TABLE`.
    pub(super) async fn create_table(
        &self,
        making: Making,
        cursor: &mut Cursor<'_>,
    ) -> Result<Outcome, SqlError> {
        let unless = cursor.take("IF NOT EXISTS");
        if unless && making.replace {
            return Err(SqlError::invalid(
                "CREATE OR REPLACE and IF NOT EXISTS cannot be used together",
            ));
        }
        let path = cursor.path()?;
        let id = if making.temporary {
            self.temporary(&path)?
        } else {
            self.engine.target(&path, self.scope, self.request)?
        };
        let parts = self.parts(cursor).await?;
        let old = match self.warehouse()?.table(&id) {
            Ok(old) => Some(old),
            Err(TableError::NoTable(_) | TableError::NoDataset(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let statement = if parts.query.is_some() {
            "CREATE_TABLE_AS_SELECT"
        } else {
            "CREATE_TABLE"
        };
        let operation = match &old {
            None => Operation::Create,
            Some(_) if unless => return Ok(self.outcome(statement, &id, Operation::Skip)),
            Some(_) if making.replace => Operation::Replace,
            Some(_) => return Err(TableError::TableExists(id).into()),
        };
        let outcome = self.outcome(statement, &id, operation);
        if let Some(source) = &parts.copied {
            return self
                .copied(source, &parts, (&id, old.as_ref()), outcome)
                .await;
        }
        self.made(parts, (&id, old.as_ref()), outcome).await
    }

    fn temporary(&self, path: &[String]) -> Result<TableId, SqlError> {
        let [name] = path else {
            return Err(SqlError::invalid(
                "CREATE TEMPORARY TABLE must have a name without a dataset",
            ));
        };
        match &self.scope.hidden {
            Some(dataset) => {
                self.hidden(dataset)?;
                Ok(dataset.table(name))
            }
            None => Err(SqlError::invalid(
                "Use of CREATE TEMPORARY TABLE requires a script or session",
            )),
        }
    }

    /// Makes the dataset of temporary tables, if it is not there.
    fn hidden(&self, id: &DatasetId) -> Result<(), SqlError> {
        if self.request.dry_run {
            return Ok(());
        }
        let meta = self.dataset_meta();
        match self.warehouse()?.create_dataset(id, meta) {
            Ok(_) | Err(TableError::DatasetExists(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn parts(&self, cursor: &mut Cursor<'_>) -> Result<Parts, SqlError> {
        let mut parts = Parts::default();
        if cursor.take("LIKE") {
            parts.like = Some(cursor.path()?);
        } else if cursor.take("COPY") || cursor.take("CLONE") {
            parts.copied = Some(cursor.path()?);
            if cursor.take("FOR SYSTEM_TIME") {
                return Err(SqlError::unsupported("FOR SYSTEM_TIME AS OF"));
            }
        } else if cursor.is(&Token::LParen) {
            parts.columns = Some(self.columns(cursor).await?);
        }
        if cursor.take("DEFAULT COLLATE") {
            return Err(SqlError::unsupported("DEFAULT COLLATE"));
        }
        if cursor.take("PARTITION BY") {
            parts.by = Some(By::read(cursor)?);
        }
        if cursor.take("CLUSTER BY") {
            parts.clustering = Some(clustering(cursor)?);
        }
        if cursor.take("WITH CONNECTION") {
            return Err(SqlError::unsupported("WITH CONNECTION"));
        }
        if cursor.word() == "OPTIONS" {
            parts.options = Options::read(cursor)?;
        }
        if cursor.take("AS") {
            parts.query = Some(cursor.rest()?);
        }
        cursor.finish()?;
        Ok(parts)
    }

    /// A table of columns, like another, or with the rows of a query.
    async fn made(
        &self,
        parts: Parts,
        (id, old): (&TableId, Option<&Snapshot>),
        mut outcome: Outcome,
    ) -> Result<Outcome, SqlError> {
        let query = match &parts.query {
            None => None,
            Some(piece) => Some(parsed(piece)?),
        };
        let mut meta = match (&parts.like, &parts.columns) {
            (Some(like), _) => self.like(like)?,
            (None, Some(columns)) => TableMeta::new(columns.clone()),
            (None, None) => TableMeta::default(),
        };
        let rows = match query {
            None if meta.schema.fields.is_empty() => {
                return Err(SqlError::invalid("CREATE TABLE needs columns or a query"));
            }
            None => None,
            Some((query, words)) => {
                let listed = (!meta.schema.fields.is_empty()).then_some(&meta.schema);
                let query = match listed {
                    None => query,
                    Some(columns) => self.as_columns(query, columns, &words).await?,
                };
                let rows = self
                    .engine
                    .rows(query, self.scope, self.request, &words)
                    .await?;
                if listed.is_none() {
                    meta.schema = own_columns(&rows.schema, "CREATE TABLE")?;
                }
                outcome.bytes_processed = rows.bytes;
                Some(rows)
            }
        };
        if let Some(by) = parts.by {
            meta.partitioning = Some(by.of(&meta.schema)?);
            if rows.is_some()
                && meta
                    .partitioning
                    .as_ref()
                    .is_some_and(Partitioning::by_ingestion)
            {
                return Err(SqlError::invalid(
                    "PARTITION BY _PARTITIONTIME and _PARTITIONDATE cannot be used with AS",
                ));
            }
        }
        if let Some(clustering) = parts.clustering {
            meta.clustering = clustering;
        }
        self.of_table(&parts.options, &mut meta).await?;
        self.fleeting(id, &mut meta);
        meta.check()?;
        replaceable(&meta, old)?;
        if self.request.dry_run {
            if rows.is_some() {
                outcome.schema = meta.schema;
            }
            return Ok(outcome);
        }
        let warehouse = self.warehouse()?;
        let files = match rows {
            None => Vec::new(),
            Some(rows) => {
                let writer = warehouse.writer(id, &meta, Target::Rows)?;
                rows.write(writer, &meta.schema).await?
            }
        };
        self.put((id, old), meta, files, outcome)
    }

    /// What a temporary table leaves behind goes after a day.
    fn fleeting(&self, id: &TableId, meta: &mut TableMeta) {
        if self.scope.hidden.as_ref() == Some(&id.of()) {
            meta.expires = self.request.now.checked_add_signed(TimeDelta::days(1));
        }
    }

    fn put(
        &self,
        (id, old): (&TableId, Option<&Snapshot>),
        meta: TableMeta,
        files: Vec<Arc<DataFile>>,
        outcome: Outcome,
    ) -> Result<Outcome, SqlError> {
        let warehouse = self.warehouse()?;
        self.change(outcome, || {
            if old.is_some() {
                warehouse.renew_table(id, meta, files)?;
            } else {
                warehouse.create_table(id, meta, files)?;
            }
            Ok(())
        })
    }

    /// What a table has that is like another.
    fn like(&self, path: &[String]) -> Result<TableMeta, SqlError> {
        let id = self.engine.target(path, self.scope, self.request)?;
        let source = self.warehouse()?.table(&id)?;
        if source.meta.view.is_some() {
            return Err(SqlError::invalid(format!(
                "{id} is not allowed for this operation because it is currently a VIEW."
            )));
        }
        let mut meta = (*source.meta).clone();
        meta.expires = None;
        Ok(meta)
    }

    /// The rows of a query as these columns, one by one.
    async fn as_columns(
        &self,
        query: Query,
        columns: &Schema,
        words: &Words,
    ) -> Result<Query, SqlError> {
        let given = self
            .engine
            .rows(query.clone(), self.scope, self.request, words)
            .await?
            .schema
            .fields;
        if given.len() != columns.fields.len() {
            return Err(SqlError::invalid(format!(
                "The number of columns in the column definition list does not match the number of columns produced by the query: {} and {}",
                columns.fields.len(),
                given.len()
            )));
        }
        let mut items = Vec::new();
        for (at, (from, to)) in given.iter().zip(&columns.fields).enumerate() {
            if !assignable(from, to) {
                return Err(SqlError::invalid(format!(
                    "Column {} in the query has type {} which cannot be coerced to the column type {} of {}",
                    at + 1,
                    from.kind,
                    to.kind,
                    to.name
                )));
            }
            let column = make::column(&format!("c${at}"));
            let plain = from.mode == Mode::Repeated || from.kind == to.kind;
            items.push((
                if plain {
                    column
                } else {
                    make::call("cast_to", vec![column, make::text(to.kind.to_string())])
                },
                to.name.clone(),
            ));
        }
        Ok(make::over(query, items))
    }

    /// `CREATE TABLE … COPY` and `CLONE`.
    async fn copied(
        &self,
        source: &[String],
        parts: &Parts,
        (id, old): (&TableId, Option<&Snapshot>),
        outcome: Outcome,
    ) -> Result<Outcome, SqlError> {
        let mut meta = self.like(source)?;
        self.of_table(&parts.options, &mut meta).await?;
        meta.check()?;
        replaceable(&meta, old)?;
        if self.request.dry_run {
            return Ok(outcome);
        }
        let job = Copy {
            sources: vec![(self.engine.target(source, self.scope, self.request)?, None)],
            destination: id.clone(),
            partition: None,
            create: true,
            write: WriteMode::Truncate,
        };
        let warehouse = self.warehouse()?;
        let written = meta.clone();
        let files = tokio::task::spawn_blocking(move || {
            crate::copy::files(&warehouse, &job, &written, &AtomicBool::new(false))
        })
        .await
        .map_err(|error| SqlError::backend(error.to_string()))??;
        self.put((id, old), meta, files, outcome)
    }
}

/// A query that stands behind `AS`.
pub(super) fn parsed(piece: &Piece) -> Result<(Query, Words), SqlError> {
    match piece.parsed()? {
        (Statement::Query(query), words) => Ok((*query, words)),
        _ => Err(match piece.tokens().first() {
            Some(token) => crate::sql::piece::unexpected(token),
            None => SqlError::invalid("Syntax error: a query is expected"),
        }),
    }
}

/// The columns of a query for a table of its own.
pub(super) fn own_columns(schema: &Schema, statement: &str) -> Result<Schema, SqlError> {
    let mut schema = schema.clone();
    for (at, field) in schema.fields.iter_mut().enumerate() {
        let anonymous = field
            .name
            .strip_prefix('f')
            .and_then(|rest| rest.strip_suffix('_'))
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()));
        if anonymous {
            return Err(SqlError::invalid(format!(
                "{statement} columns must be named, but column {} has no name",
                at + 1
            )));
        }
        field.kind = unbounded(&field.kind);
        field.default = None;
    }
    Ok(schema)
}

/// Whether a table can come into the place of another.
fn replaceable(meta: &TableMeta, old: Option<&Snapshot>) -> Result<(), SqlError> {
    let Some(old) = old else {
        return Ok(());
    };
    if old.meta.view.is_some() {
        return Err(SqlError::invalid(format!(
            "{} is not allowed for this operation because it is currently a VIEW.",
            old.id
        )));
    }
    let by = |meta: &TableMeta| match &meta.partitioning {
        Some(Partitioning::Time { unit, field, .. }) => Some(Partitioning::Time {
            unit: *unit,
            field: field.as_ref().map(|field| field.to_lowercase()),
            expiration_ms: None,
        }),
        other => other.clone(),
    };
    if by(meta) != by(&old.meta) {
        return Err(SqlError::invalid(format!(
            "Cannot replace a table with a different partitioning spec. Instead, DROP the table, and then recreate it. New partitioning spec is {} and existing spec is {}",
            crate::load::said(meta.partitioning.as_ref()),
            crate::load::said(old.meta.partitioning.as_ref())
        )));
    }
    Ok(())
}
