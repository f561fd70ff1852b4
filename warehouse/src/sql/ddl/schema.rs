//! Datasets, which SQL calls schemas.

use std::collections::BTreeMap;

use super::options::Options;
use super::{Run, SqlError};
use crate::sql::cursor::Cursor;
use crate::sql::request::{Operation, Outcome};
use crate::tables::{DatasetId, DatasetMeta, TableError};

impl Run<'_> {
    /// The dataset of a name.
    pub(super) fn dataset(&self, path: &[String]) -> Result<DatasetId, SqlError> {
        match path {
            [project, dataset] => Ok(DatasetId::new(project, dataset)),
            [dataset] => Ok(DatasetId::new(&self.request.project, dataset)),
            _ => Err(SqlError::invalid(format!(
                "Invalid dataset name: {}",
                path.join(".")
            ))),
        }
    }

    /// A new dataset where statements are run.
    pub(super) fn dataset_meta(&self) -> DatasetMeta {
        DatasetMeta {
            location: self
                .engine
                .catalog()
                .location()
                .unwrap_or_else(|| "US".to_owned()),
            friendly_name: None,
            description: None,
            labels: BTreeMap::new(),
            table_expiration_ms: None,
            partition_expiration_ms: None,
            access: None,
        }
    }

    /// Behind `CREATE SCHEMA`.
    pub(super) async fn create_schema(&self, cursor: &mut Cursor<'_>) -> Result<Outcome, SqlError> {
        let unless = cursor.take("IF NOT EXISTS");
        let id = self.dataset(&cursor.path()?)?;
        if cursor.take("DEFAULT COLLATE") {
            return Err(SqlError::unsupported("DEFAULT COLLATE"));
        }
        let mut meta = self.dataset_meta();
        if cursor.word() == "OPTIONS" {
            self.of_dataset(&Options::read(cursor)?, &mut meta, true)
                .await?;
        }
        cursor.finish()?;
        let warehouse = self.warehouse()?;
        let mut operation = Operation::Create;
        if warehouse.dataset(&id).is_ok() {
            self.engine.catalog().touch(&id)?;
            if !unless {
                return Err(TableError::DatasetExists(id).into());
            }
            operation = Operation::Skip;
        } else {
            // It is run where it makes the dataset.
            self.engine.catalog().settle(&meta.location)?;
        }
        let outcome = self.outcome("CREATE_SCHEMA", &id.table(""), operation);
        if operation == Operation::Skip {
            return Ok(outcome);
        }
        self.change(outcome, || warehouse.create_dataset(&id, meta).map(|_| ()))
    }

    /// Behind `DROP SCHEMA`.
    pub(super) fn drop_schema(&self, cursor: &mut Cursor<'_>) -> Result<Outcome, SqlError> {
        let unless = cursor.take("IF EXISTS");
        let id = self.dataset(&cursor.path()?)?;
        let contents = cursor.take("CASCADE");
        if !contents {
            cursor.take("RESTRICT");
        }
        cursor.finish()?;
        let warehouse = self.warehouse()?;
        if warehouse.dataset(&id).is_err() && unless {
            return Ok(self.outcome("DROP_SCHEMA", &id.table(""), Operation::Skip));
        }
        self.engine.catalog().touch(&id)?;
        let now = warehouse.tables(&id)?;
        if !contents && !now.is_empty() {
            return Err(TableError::InUse(id).into());
        }
        let outcome = self.outcome("DROP_SCHEMA", &id.table(""), Operation::Drop);
        self.change(outcome, || warehouse.delete_dataset(&id, contents))
    }

    /// Behind `ALTER SCHEMA`.
    pub(super) async fn alter_schema(&self, cursor: &mut Cursor<'_>) -> Result<Outcome, SqlError> {
        let unless = cursor.take("IF EXISTS");
        let id = self.dataset(&cursor.path()?)?;
        if cursor.take("SET DEFAULT COLLATE") || cursor.take("ADD REPLICA") {
            return Err(SqlError::unsupported("this ALTER SCHEMA"));
        }
        cursor.expect("SET")?;
        let options = Options::read(cursor)?;
        cursor.finish()?;
        let warehouse = self.warehouse()?;
        let old = match warehouse.dataset(&id) {
            Ok(old) => old,
            Err(TableError::NoDataset(_)) if unless => {
                return Ok(self.outcome("ALTER_SCHEMA", &id.table(""), Operation::Skip));
            }
            Err(error) => return Err(error.into()),
        };
        self.engine.catalog().touch(&id)?;
        let mut meta = old.meta;
        self.of_dataset(&options, &mut meta, false).await?;
        let outcome = self.outcome("ALTER_SCHEMA", &id.table(""), Operation::Alter);
        self.change(outcome, || {
            warehouse.change_dataset(&id, old.version, meta).map(|_| ())
        })
    }
}
