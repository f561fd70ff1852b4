//! Tables, and what stands in their place.

use datafusion::sql::sqlparser::ast::{
    Ident, ObjectName, TableAlias, TableFactor, TableFunctionArgs,
};

use super::{Named, Rewrite, make, select};
use crate::sql::error::SqlError;

impl Rewrite<'_> {
    /// A table gets the name that it has while it is planned.
    pub(super) fn table(&mut self, factor: &mut TableFactor) -> Result<(), SqlError> {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                version: None,
                sample: None,
                ..
            } => self.table_named(name, alias),
            TableFactor::Table {
                name,
                alias,
                args: args @ Some(_),
                version: None,
                sample: None,
                ..
            } => self.files(name, alias, args.take()),
            TableFactor::Table {
                version: Some(_), ..
            } => Err(SqlError::unsupported("FOR SYSTEM_TIME AS OF")),
            TableFactor::Table { name, .. } => Err(SqlError::unsupported(format!(
                "TABLESAMPLE of {name}; WHERE RAND() < 0.1 takes a tenth of the rows"
            ))),
            TableFactor::Pivot { .. } | TableFactor::Unpivot { .. } => Ok(()),
            TableFactor::UNNEST { .. } => {
                self.arrays += 1;
                select::unnest(factor, self.arrays)
            }
            TableFactor::Derived { alias, .. } => {
                // Columns of two of them may have one name.
                if alias.is_none() {
                    self.derived += 1;
                    *alias = Some(select::alias(&format!("derived${}", self.derived)));
                }
                Ok(())
            }
            TableFactor::NestedJoin { .. } => Ok(()),
            other => Err(SqlError::unsupported(format!("{other}"))),
        }
    }

    /// A function that stands for files becomes a table.
    fn files(
        &mut self,
        name: &mut ObjectName,
        alias: &mut Option<TableAlias>,
        args: Option<TableFunctionArgs>,
    ) -> Result<(), SqlError> {
        let Some(args) = args else {
            return Ok(());
        };
        let files = crate::sql::files::files(name, &args, self.context)?;
        if alias.is_none() {
            *alias = Some(select::alias(&name.to_string().to_lowercase()));
        }
        let planned = format!("bq${}", self.tables.len());
        *name = make::name(&planned);
        self.tables.push(Named {
            parts: Vec::new(),
            planned,
            place: String::new(),
            files: Some(files),
        });
        Ok(())
    }

    fn table_named(
        &mut self,
        name: &mut ObjectName,
        alias: &mut Option<TableAlias>,
    ) -> Result<(), SqlError> {
        let idents: Vec<&Ident> = name.0.iter().filter_map(|part| part.as_ident()).collect();
        let Some(first) = idents.first() else {
            return Err(SqlError::unsupported(format!("the table name {name}")));
        };
        if idents.len() == 1 && self.ctes.contains(&first.value.to_lowercase()) {
            let lower = first.value.to_lowercase();
            *name = make::name(&lower);
            return Ok(());
        }
        let start = first.span.start;
        let place = if start.line == 0 {
            String::new()
        } else {
            format!(" at [{}:{}]", start.line, start.column)
        };
        let parts: Vec<String> = idents
            .iter()
            .flat_map(|ident| ident.value.split('.').map(str::to_owned))
            .collect();
        let planned = format!("bq${}", self.tables.len());
        if alias.is_none() {
            let last = parts
                .last()
                .map(|part| part.to_lowercase())
                .unwrap_or_default();
            *alias = Some(select::alias(&last));
        }
        *name = make::name(&planned);
        self.tables.push(Named {
            parts,
            planned,
            place,
            files: None,
        });
        Ok(())
    }
}
