//! `CREATE VIEW`.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::create::{own_columns, parsed};
use super::options::Options;
use super::{Making, Run, SqlError};
use crate::sql::cursor::Cursor;
use crate::sql::piece::Piece;
use crate::sql::request::{Operation, Outcome, Request};
use crate::sql::scope::Scope;
use crate::tables::{TableError, TableMeta};

impl Run<'_> {
    /// Behind `CREATE VIEW`.
    pub(super) async fn create_view(
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
        let id = self.engine.target(&path, self.scope, self.request)?;
        let listed = self.listed(cursor).await?;
        let options = match cursor.word().as_str() {
            "OPTIONS" => Options::read(cursor)?,
            _ => Options::default(),
        };
        cursor.expect("AS")?;
        let piece = cursor.rest()?;
        let old = match self.warehouse()?.table(&id) {
            Ok(old) => Some(old),
            Err(TableError::NoTable(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let operation = match &old {
            None => Operation::Create,
            Some(_) if unless => return Ok(self.outcome("CREATE_VIEW", &id, Operation::Skip)),
            Some(old) if making.replace && old.meta.view.is_none() => {
                return Err(SqlError::invalid(format!(
                    "{id} is not allowed for this operation because it is currently a TABLE."
                )));
            }
            Some(_) if making.replace => Operation::Replace,
            Some(_) => return Err(TableError::TableExists(id).into()),
        };
        let mut meta = self.view(&piece, listed).await?;
        self.of_table(&options, &mut meta).await?;
        meta.check()?;
        let outcome = self.outcome("CREATE_VIEW", &id, operation);
        let warehouse = self.warehouse()?;
        self.change(outcome, || {
            if old.is_some() {
                warehouse.renew_table(&id, meta, Vec::new())?;
            } else {
                warehouse.create_table(&id, meta, Vec::new())?;
            }
            Ok(())
        })
    }

    /// The names that a view gives its columns, with what is said of them.
    async fn listed(
        &self,
        cursor: &mut Cursor<'_>,
    ) -> Result<Vec<(String, Option<String>)>, SqlError> {
        let mut listed = Vec::new();
        if cursor.sign(&Token::LParen) {
            loop {
                let name = cursor.name()?;
                let mut description = None;
                if cursor.word() == "OPTIONS" {
                    for option in &Options::read(cursor)?.list {
                        match option.name.as_str() {
                            "description" => description = self.text_option(option).await?,
                            _ => return Err(option.unknown()),
                        }
                    }
                }
                listed.push((name, description));
                if !cursor.sign(&Token::Comma) {
                    break;
                }
            }
            cursor.need(&Token::RParen)?;
        }
        Ok(listed)
    }

    /// What a view is, by its query.
    async fn view(
        &self,
        piece: &Piece,
        listed: Vec<(String, Option<String>)>,
    ) -> Result<TableMeta, SqlError> {
        let (query, words) = parsed(piece)?;
        // A view knows neither variables nor temporary tables nor a default dataset, and its text is looked at alone.
        let alone = Request {
            parameters: Vec::new(),
            default_dataset: None,
            text: piece.source().to_owned(),
            ..self.request.clone()
        };
        let rows = self
            .engine
            .rows(query, &Scope::default(), &alone, &words)
            .await?;
        let mut schema = rows.schema;
        if listed.is_empty() {
            schema = own_columns(&schema, "CREATE VIEW")?;
        } else if listed.len() != schema.fields.len() {
            return Err(SqlError::invalid(format!(
                "The view has {} columns, but its query has {}",
                listed.len(),
                schema.fields.len()
            )));
        }
        let names = listed.iter().map(|(name, _)| name.clone()).collect();
        for (field, (name, description)) in schema.fields.iter_mut().zip(listed) {
            (field.name, field.description) = (name, description);
        }
        let mut meta = TableMeta::new(schema);
        meta.view = Some(alone.text);
        meta.view_columns = names;
        Ok(meta)
    }
}
