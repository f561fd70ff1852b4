//! `DROP`.

use super::{Run, SqlError, uncovered};
use crate::sql::cursor::Cursor;
use crate::sql::request::{Operation, Outcome};
use crate::tables::TableError;

impl Run<'_> {
    /// Behind `DROP`.
    pub(super) fn drop(&self, cursor: &mut Cursor<'_>) -> Result<Outcome, SqlError> {
        if cursor.take("SCHEMA") {
            return self.drop_schema(cursor);
        }
        let (statement, view) = if cursor.word_ahead(1) != "FUNCTION" && cursor.take("TABLE") {
            ("DROP_TABLE", false)
        } else if cursor.take("VIEW") {
            ("DROP_VIEW", true)
        } else {
            return Err(uncovered("DROP", cursor));
        };
        let unless = cursor.take("IF EXISTS");
        let path = cursor.path()?;
        cursor.finish()?;
        let id = match self.engine.target(&path, self.scope, self.request) {
            Ok(id) => id,
            Err(error) if unless && error.reason == "notFound" => {
                let name = crate::sql::catalog::full_name(&path, self.request)?;
                let id = crate::tables::TableId::from(&name);
                return Ok(self.outcome(statement, &id, Operation::Skip));
            }
            Err(error) => return Err(error),
        };
        let warehouse = self.warehouse()?;
        match warehouse.table(&id) {
            Err(TableError::NoTable(_)) if unless => {
                return Ok(self.outcome(statement, &id, Operation::Skip));
            }
            Err(error) => return Err(error.into()),
            Ok(old) if old.meta.view.is_some() != view => {
                return Err(SqlError::invalid(format!(
                    "{id} is not allowed for this operation because it is currently a {}.",
                    if view { "TABLE" } else { "VIEW" }
                )));
            }
            Ok(_) => {}
        }
        let outcome = self.outcome(statement, &id, Operation::Drop);
        self.change(outcome, || warehouse.delete_table(&id))
    }
}
