//! `ALTER`.

use std::sync::atomic::AtomicBool;

use super::options::Options;
use super::transform::{Column, rewritten};
use super::{Run, SqlError, uncovered};
use crate::copy::Copy;
use crate::load::WriteMode;
use crate::schema::{Digits, Kind, Mode, Schema};
use crate::sql::coerce::{alike, assignable};
use crate::sql::cursor::Cursor;
use crate::sql::request::{Operation, Outcome};
use crate::tables::{Change, Snapshot, TableError, TableId, TableMeta};
use datafusion::sql::sqlparser::tokenizer::Token;

/// A table on its way to what it will be.
struct Altered {
    old: Snapshot,
    meta: TableMeta,
    /// Its columns, with where they come from.
    columns: Vec<Column>,
    /// Rows have to be written anew.
    rewrite: bool,
}

impl Run<'_> {
    /// Behind `ALTER`.
    pub(super) async fn alter(&self, cursor: &mut Cursor<'_>) -> Result<Outcome, SqlError> {
        if cursor.take("SCHEMA") {
            return self.alter_schema(cursor).await;
        }
        let (statement, view) = if cursor.take("TABLE") {
            ("ALTER_TABLE", false)
        } else if cursor.take("VIEW") {
            ("ALTER_VIEW", true)
        } else {
            return Err(uncovered("ALTER", cursor));
        };
        let unless = cursor.take("IF EXISTS");
        let path = cursor.path()?;
        let id = self.engine.target(&path, self.scope, self.request)?;
        let old = match self.warehouse()?.table(&id) {
            Ok(old) => old,
            Err(TableError::NoTable(_)) if self.renamed(&id) => {
                return Ok(self.outcome(statement, &id, Operation::Alter));
            }
            Err(TableError::NoTable(_)) if unless => {
                return Ok(self.outcome(statement, &id, Operation::Skip));
            }
            Err(error) => return Err(error.into()),
        };
        if old.meta.view.is_some() != view {
            return Err(SqlError::invalid(format!(
                "{id} is not allowed for this operation because it is currently a {}.",
                if view { "TABLE" } else { "VIEW" }
            )));
        }
        if !view && cursor.take("RENAME TO") {
            return self.rename(&old, cursor).await;
        }
        let mut altered = Altered::new(old);
        loop {
            if cursor.take("SET") {
                let options = Options::read(cursor)?;
                self.of_table(&options, &mut altered.meta).await?;
            } else if view {
                return Err(cursor.unexpected());
            } else {
                self.action(&mut altered, cursor).await?;
            }
            if !cursor.sign(&Token::Comma) {
                break;
            }
        }
        cursor.finish()?;
        self.altered(altered, self.outcome(statement, &id, Operation::Alter))
            .await
    }

    async fn action(&self, altered: &mut Altered, cursor: &mut Cursor<'_>) -> Result<(), SqlError> {
        if cursor.take("ADD COLUMN") {
            let unless = cursor.take("IF NOT EXISTS");
            let field = self.column(cursor).await?;
            if altered.old.meta.schema.field(&field.name).is_some() && unless {
                return Ok(());
            }
            return altered.add(field);
        }
        if cursor.take("DROP COLUMN") {
            let unless = cursor.take("IF EXISTS");
            let name = cursor.name()?;
            return altered.leave_out(&name, unless);
        }
        if cursor.take("RENAME COLUMN") {
            let unless = cursor.take("IF EXISTS");
            let name = cursor.name()?;
            cursor.expect("TO")?;
            let new = cursor.name()?;
            return altered.rename(&name, new, unless);
        }
        if cursor.take("ALTER COLUMN") {
            let unless = cursor.take("IF EXISTS");
            let name = cursor.name()?;
            return self.alter_column(altered, (&name, unless), cursor).await;
        }
        let words = (cursor.word(), cursor.word_ahead(1));
        match (words.0.as_str(), words.1.as_str()) {
            ("ADD", "CONSTRAINT" | "PRIMARY" | "FOREIGN")
            | ("DROP", "CONSTRAINT" | "PRIMARY" | "FOREIGN") => Err(SqlError::unsupported(
                format!("ALTER TABLE {} {}", words.0, words.1),
            )),
            _ => Err(cursor.unexpected()),
        }
    }

    async fn alter_column(
        &self,
        altered: &mut Altered,
        (name, unless): (&str, bool),
        cursor: &mut Cursor<'_>,
    ) -> Result<(), SqlError> {
        let Some(at) = altered.position(name, unless)? else {
            // What would be done with it is read all the same.
            cursor.rest()?;
            return Ok(());
        };
        if cursor.take("DROP NOT NULL") {
            let field = &mut altered.columns[at].field;
            if field.mode != Mode::Required {
                return Err(SqlError::invalid(format!(
                    "ALTER TABLE ALTER COLUMN DROP NOT NULL requires that the column {name} has a NOT NULL constraint"
                )));
            }
            field.mode = Mode::Nullable;
            return Ok(());
        }
        if cursor.take("DROP DEFAULT") {
            altered.columns[at].field.default = None;
            return Ok(());
        }
        if cursor.take("SET DEFAULT") {
            let value = cursor.expression(&[])?;
            let (found, _) = self
                .engine
                .evaluate(&value, self.scope, self.request)
                .await?;
            let field = &mut altered.columns[at].field;
            if !assignable(&found, field) {
                return Err(SqlError::invalid(format!(
                    "Invalid default value expression for column {name}: it has the type {}",
                    found.kind
                )));
            }
            field.default = Some(value.source().to_owned());
            return Ok(());
        }
        if cursor.take("SET DATA TYPE") {
            let (kind, mode) = super::kind_and_mode(cursor)?;
            return altered.retype(at, kind, mode);
        }
        cursor.expect("SET")?;
        for option in &Options::read(cursor)?.list {
            match option.name.as_str() {
                "description" => {
                    altered.columns[at].field.description = self.text_option(option).await?;
                }
                _ => return Err(option.unknown()),
            }
        }
        Ok(())
    }

    async fn altered(&self, altered: Altered, outcome: Outcome) -> Result<Outcome, SqlError> {
        let Altered {
            old,
            mut meta,
            columns,
            rewrite,
        } = altered;
        if meta.view.is_none() {
            meta.schema = Schema {
                fields: columns.iter().map(|column| column.field.clone()).collect(),
            };
        }
        meta.check()?;
        if self.request.dry_run {
            return Ok(outcome);
        }
        let warehouse = self.warehouse()?;
        let (id, base) = (old.id.clone(), old.version);
        let change = if rewrite {
            let (inner, new) = (warehouse.clone(), meta.clone());
            let files =
                tokio::task::spawn_blocking(move || rewritten(&inner, &old, &new, &columns))
                    .await
                    .map_err(|error| SqlError::backend(error.to_string()))??;
            Change::Replace(Box::new(meta), files)
        } else {
            Change::Meta(Box::new(meta))
        };
        self.change(outcome, || warehouse.commit(&id, base, change).map(|_| ()))
    }

    /// Whether this statement already gave the table another name, before a kill.
    fn renamed(&self, _: &TableId) -> bool {
        self.request.job.as_ref().is_some_and(|stamp| {
            self.warehouse()
                .is_ok_and(|warehouse| !warehouse.bearing(stamp).is_empty())
        })
    }

    /// Behind `RENAME TO`: a copy with the new name, then the old one goes. After a kill in between it goes on there.
    async fn rename(&self, old: &Snapshot, cursor: &mut Cursor<'_>) -> Result<Outcome, SqlError> {
        let name = cursor.name()?;
        cursor.finish()?;
        let id = &old.id;
        if self.scope.hidden.as_ref() == Some(&id.of()) {
            return Err(SqlError::unsupported("RENAME of temporary tables"));
        }
        let new = id.of().table(name);
        let warehouse = self.warehouse()?;
        let outcome = self.outcome("ALTER_TABLE", id, Operation::Alter);
        let there = warehouse.table(&new).is_ok();
        if there && !self.renamed(id) {
            return Err(TableError::TableExists(new).into());
        }
        if self.request.dry_run {
            return Ok(outcome);
        }
        self.engine.will(self.request, &outcome)?;
        if !there {
            let job = Copy {
                sources: vec![(id.clone(), None)],
                destination: new.clone(),
                partition: None,
                create: true,
                write: WriteMode::Empty,
            };
            let (inner, meta) = (warehouse.clone(), (*old.meta).clone());
            let files = tokio::task::spawn_blocking(move || {
                crate::copy::files(&inner, &job, &meta, &AtomicBool::new(false))
            })
            .await
            .map_err(|error| SqlError::backend(error.to_string()))??;
            if warehouse.table(id)?.version != old.version {
                return Err(TableError::Conflict(id.clone()).into());
            }
            warehouse.create_table(&new, (*old.meta).clone(), files)?;
        }
        warehouse.delete_table(id)?;
        Ok(outcome)
    }
}

impl Altered {
    fn new(old: Snapshot) -> Self {
        let columns = old
            .meta
            .schema
            .fields
            .iter()
            .enumerate()
            .map(|(at, field)| Column {
                from: Some(at),
                field: field.clone(),
            })
            .collect();
        Self {
            meta: (*old.meta).clone(),
            old,
            columns,
            rewrite: false,
        }
    }

    fn position(&self, name: &str, unless: bool) -> Result<Option<usize>, SqlError> {
        let found = self
            .columns
            .iter()
            .position(|column| column.field.name.eq_ignore_ascii_case(name));
        if found.is_none() && !unless {
            return Err(SqlError::invalid(format!("Column not found: {name}")));
        }
        Ok(found)
    }

    /// The place of a column that rows are not cut or kept by.
    fn free(&self, name: &str, unless: bool, verb: &str) -> Result<Option<usize>, SqlError> {
        let by = self.meta.partitioning.as_ref().and_then(|by| by.field());
        let what = if by.is_some_and(|by| by.eq_ignore_ascii_case(name)) {
            "a partitioning"
        } else if self
            .meta
            .clustering
            .iter()
            .any(|one| one.eq_ignore_ascii_case(name))
        {
            "a clustering"
        } else {
            return self.position(name, unless);
        };
        Err(SqlError::invalid(format!(
            "Cannot {verb} {what} column: {name}"
        )))
    }

    fn add(&mut self, field: crate::schema::Field) -> Result<(), SqlError> {
        if self.position(&field.name, true)?.is_some() {
            return Err(SqlError::invalid(format!(
                "Column already exists: {}",
                field.name
            )));
        }
        if field.mode == Mode::Required {
            return Err(SqlError::invalid(format!(
                "Cannot add required column {}: only columns that may be NULL can be added to a table",
                field.name
            )));
        }
        if field.default.is_some() {
            return Err(SqlError::invalid(
                "ADD COLUMN does not take DEFAULT; use ALTER COLUMN SET DEFAULT afterwards",
            ));
        }
        // An ARRAY is never NULL in a table: rows that are there get an empty one.
        self.rewrite |= field.mode == Mode::Repeated && !self.old.files.is_empty();
        self.columns.push(Column { from: None, field });
        Ok(())
    }

    fn leave_out(&mut self, name: &str, unless: bool) -> Result<(), SqlError> {
        let Some(at) = self.free(name, unless, "drop")? else {
            return Ok(());
        };
        if self.columns.len() == 1 {
            return Err(SqlError::invalid(format!(
                "Cannot drop {name}: it is the only column of the table"
            )));
        }
        self.columns.remove(at);
        self.rewrite = true;
        Ok(())
    }

    fn rename(&mut self, name: &str, new: String, unless: bool) -> Result<(), SqlError> {
        let Some(at) = self.free(name, unless, "rename")? else {
            return Ok(());
        };
        if !name.eq_ignore_ascii_case(&new) && self.position(&new, true)?.is_some() {
            return Err(SqlError::invalid(format!("Column already exists: {new}")));
        }
        self.columns[at].field.name = new;
        self.rewrite = true;
        Ok(())
    }

    fn retype(&mut self, at: usize, kind: Kind, mode: Mode) -> Result<(), SqlError> {
        let field = &self.columns[at].field;
        let repeated = (field.mode == Mode::Repeated, mode == Mode::Repeated);
        if repeated.0 != repeated.1 || !widens(&field.kind, &kind, repeated.0) {
            return Err(SqlError::invalid(format!(
                "ALTER TABLE ALTER COLUMN SET DATA TYPE requires that the existing column type ({}) is assignable to the new type ({kind})",
                field.kind
            )));
        }
        let name = field.name.clone();
        if !alike(&field.kind, &kind) {
            self.free(&name, false, "change the type of")?;
            self.rewrite = true;
        }
        self.columns[at].field.kind = kind;
        Ok(())
    }
}

/// Whether every value of one type is one of the other.
fn widens(from: &Kind, to: &Kind, repeated: bool) -> bool {
    use Kind as K;
    let holds = |from: &Option<Digits>, to: &Option<Digits>| match (from, to) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(from), Some(to)) => {
            to.scale >= from.scale
                && i32::from(to.precision) - i32::from(to.scale)
                    >= i32::from(from.precision) - i32::from(from.scale)
        }
    };
    match (from, to) {
        (K::String(from), K::String(to)) | (K::Bytes(from), K::Bytes(to)) => match (from, to) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(from), Some(to)) => to >= from,
        },
        (K::Numeric(from), K::Numeric(to)) | (K::BigNumeric(from), K::BigNumeric(to)) => {
            holds(from, to)
        }
        (K::Int64, K::Numeric(None) | K::BigNumeric(None) | K::Float64)
        | (K::Numeric(_), K::BigNumeric(None) | K::Float64)
        | (K::BigNumeric(_), K::Float64) => !repeated,
        (from, to) => from == to,
    }
}
