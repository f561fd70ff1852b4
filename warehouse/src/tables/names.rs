//! Names of datasets and tables, and the folders that belong to them.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::TableError;
use crate::sql::TableName;

/// More bytes than this are not kept as they are in the name of a folder.
const FOLDER_BYTES: usize = 180;

/// A dataset's full name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatasetId {
    /// Its project.
    #[serde(rename = "projectId")]
    pub project: String,
    /// Its name.
    #[serde(rename = "datasetId")]
    pub dataset: String,
}

/// A table's full name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableId {
    /// Its project.
    #[serde(rename = "projectId")]
    pub project: String,
    /// Its dataset.
    #[serde(rename = "datasetId")]
    pub dataset: String,
    /// Its name.
    #[serde(rename = "tableId")]
    pub table: String,
}

impl DatasetId {
    /// A dataset of a project.
    pub fn new(project: impl Into<String>, dataset: impl Into<String>) -> Self {
        Self {
            project: project.into(),
            dataset: dataset.into(),
        }
    }

    /// A table in it.
    #[must_use]
    pub fn table(&self, table: impl Into<String>) -> TableId {
        TableId {
            project: self.project.clone(),
            dataset: self.dataset.clone(),
            table: table.into(),
        }
    }

    pub(crate) fn folder(&self, root: &Path) -> PathBuf {
        root.join(folder_name(&self.project))
            .join(folder_name(&self.dataset))
    }

    pub(crate) fn check(&self) -> Result<(), TableError> {
        let name = &self.dataset;
        let fits = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if name.is_empty() || name.len() > 1_024 || !fits {
            return Err(TableError::invalid(format!(
                "Invalid dataset ID \"{name}\". Dataset IDs must be alphanumeric (plus underscores) and must be at most 1024 characters long."
            )));
        }
        Ok(())
    }
}

impl TableId {
    /// A table's name from its parts.
    pub fn new(
        project: impl Into<String>,
        dataset: impl Into<String>,
        table: impl Into<String>,
    ) -> Self {
        DatasetId::new(project, dataset).table(table)
    }

    /// The dataset that the table is in.
    #[must_use]
    pub fn of(&self) -> DatasetId {
        DatasetId::new(&self.project, &self.dataset)
    }

    pub(crate) fn folder(&self, root: &Path) -> PathBuf {
        self.of().folder(root).join(folder_name(&self.table))
    }

    pub(crate) fn check(&self) -> Result<(), TableError> {
        let name = &self.table;
        let fits = name
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | ' '));
        if name.is_empty() || name.len() > 1_024 || !fits {
            return Err(TableError::invalid(format!(
                "Invalid table ID \"{name}\". Table IDs must be alphanumeric (plus underscores, dashes and spaces) and must be at most 1024 bytes long. Also, Table decorators cannot be used."
            )));
        }
        Ok(())
    }
}

impl fmt::Display for DatasetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.project, self.dataset)
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}.{}", self.project, self.dataset, self.table)
    }
}

impl From<&TableName> for TableId {
    fn from(name: &TableName) -> Self {
        Self::new(&name.project, &name.dataset, &name.table)
    }
}

impl From<&TableId> for TableName {
    fn from(id: &TableId) -> Self {
        Self {
            project: id.project.clone(),
            dataset: id.dataset.clone(),
            table: id.table.clone(),
        }
    }
}

/// The folder of a name: the name itself where it is plain, otherwise with `+` and two hexadecimal digits for each other byte.
/// What is too long for a file system is cut and gets a sum of the whole.
pub(super) fn folder_name(name: &str) -> String {
    let mut folder = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' {
            folder.push(char::from(byte));
        } else {
            folder.push_str(&format!("+{byte:02x}"));
        }
    }
    if folder.len() > FOLDER_BYTES {
        let sum = name.bytes().fold(0xcbf2_9ce4_8422_2325_u128, |sum, byte| {
            (sum ^ u128::from(byte)).wrapping_mul(0x0000_0001_0000_0000_0000_0000_0000_013b)
        });
        folder.truncate(FOLDER_BYTES);
        folder.push_str(&format!("+{sum:032x}"));
    }
    folder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_its_folder() {
        assert_eq!(folder_name("orders_2026"), "orders_2026");
        assert_eq!(folder_name("../x"), "+2e+2e+2fx");
        assert_eq!(folder_name("example.com:p"), "example+2ecom+3ap");
        let long = folder_name(&"ä".repeat(500));
        assert!(long.len() < 255, "{long}");
        assert_ne!(long, folder_name(&"ä".repeat(501)));
    }

    #[test]
    fn names_are_checked() {
        let table = |name: &str| TableId::new("p", "d", name).check();
        table("tä-b_1 x").unwrap();
        for name in ["", "a.b", "a$20260101", "a/b", "a`"] {
            table(name).unwrap_err();
        }
        DatasetId::new("p", "a-b").check().unwrap_err();
    }
}
