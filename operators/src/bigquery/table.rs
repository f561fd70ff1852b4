//! Tables: their names, partitions of them, and what the service tells of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidemill_core::operator::{TaskError, TaskResult};
use tidemill_core::text::Text;

use super::client::BigQuery;
use super::job::number;
use super::schema::Column;

/// The name of a table: `dataset.table` or `project.dataset.table`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TableName {
    /// Its project; none if it is that of the connection.
    pub project: Option<String>,
    /// Its dataset.
    pub dataset: String,
    /// Its own name.
    pub table: String,
}

/// Why a text names no table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` names no table of BigQuery: {why}")]
pub struct TableNameError {
    text: String,
    why: &'static str,
}

impl TableNameError {
    /// As the error of a task.
    #[must_use]
    pub fn into_task_error(self) -> TaskError {
        TaskError::permanent(self.to_string())
            .help("write it as `dataset.table` or `project.dataset.table`")
    }
}

impl FromStr for TableName {
    type Err = TableNameError;

    fn from_str(text: &str) -> Result<Self, TableNameError> {
        let wrong = |why| TableNameError {
            text: text.to_owned(),
            why,
        };
        let plain = text.trim().trim_matches('`');
        // Projects of a domain have a colon and dots in them.
        let mut parts = plain.rsplitn(3, '.');
        let table = parts.next().unwrap_or_default();
        let dataset = parts.next().ok_or_else(|| wrong("it has no dataset"))?;
        let project = parts.next();
        let (project, dataset) = match (project, dataset.rsplit_once(':')) {
            (None, Some((project, dataset))) => (Some(project), dataset),
            _ => (project, dataset),
        };
        if table.contains('$') {
            return Err(wrong(
                "a partition is named apart, as in `Dedup::partition(\"{ds}\")`",
            ));
        }
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if dataset.is_empty() || !dataset.chars().all(word) {
            return Err(wrong("a dataset has letters, digits and `_` in its name"));
        }
        let odd = |c: char| c.is_control() || matches!(c, '`' | '\\' | '/' | '*' | '\'' | '"');
        if table.is_empty() || table.len() > 1_024 || table.contains(odd) {
            return Err(wrong("the table's own name is none"));
        }
        let odd = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':'));
        if project.is_some_and(|project| project.is_empty() || project.contains(odd)) {
            return Err(wrong("a project has letters, digits and `-` in its name"));
        }
        Ok(Self {
            project: project.map(str::to_owned),
            dataset: dataset.to_owned(),
            table: table.to_owned(),
        })
    }
}

impl TryFrom<String> for TableName {
    type Error = TableNameError;

    fn try_from(text: String) -> Result<Self, TableNameError> {
        text.parse()
    }
}

impl From<TableName> for String {
    fn from(name: TableName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(project) = &self.project {
            write!(f, "{project}.")?;
        }
        write!(f, "{}.{}", self.dataset, self.table)
    }
}

impl TableName {
    /// The name in a text whose placeholders are filled in.
    pub(super) fn of(text: &Text) -> TaskResult<Self> {
        text.as_str()
            .parse()
            .map_err(TableNameError::into_task_error)
    }

    /// With this project if it names none.
    pub(super) fn in_project(mut self, project: &str) -> Self {
        self.project.get_or_insert_with(|| project.to_owned());
        self
    }

    /// Another table of the same dataset.
    pub(super) fn beside(&self, table: String) -> Self {
        Self {
            table,
            ..self.clone()
        }
    }

    /// In quotes, for statements.
    pub(super) fn quoted(&self) -> String {
        format!("`{self}`")
    }

    /// As requests name it, a partition behind a `$`.
    pub(super) fn reference(&self, partition: Option<&str>) -> Value {
        let table = self.decorated(partition);
        json!({ "projectId": self.project, "datasetId": self.dataset, "tableId": table })
    }

    fn decorated(&self, partition: Option<&str>) -> String {
        match partition {
            Some(partition) => format!("{}${partition}", self.table),
            None => self.table.clone(),
        }
    }

    fn parts(&self) -> [&str; 3] {
        [
            self.project.as_deref().unwrap_or_default(),
            &self.dataset,
            &self.table,
        ]
    }
}

/// A partition as the service names it: `2025-01-31` is `20250131`, `2025-01-31T07` is `2025013107`. Numbers of ranges stay.
pub(super) fn partition(text: &str) -> TaskResult<String> {
    let wrong = || {
        TaskError::permanent(format!("`{text}` names no partition"))
            .help("write it as a day `2025-01-31`, an hour `2025-01-31T07`, a month `2025-01`, a year, or a number")
    };
    let text = text.trim();
    if text == "__NULL__" || text == "__UNPARTITIONED__" {
        return Ok(text.to_owned());
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let is_dated = text.get(4..5) == Some("-");
    let odd = |c: char| !(c.is_ascii_digit() || (is_dated && matches!(c, '-' | 'T' | ' ' | ':')));
    if digits.is_empty() || text.contains(odd) {
        return Err(wrong());
    }
    // Of a full time the hour counts.
    Ok(if is_dated {
        digits.chars().take(10).collect()
    } else {
        digits
    })
}

/// A table as the service tells of it.
#[derive(Debug, Clone, PartialEq)]
pub struct TableFacts(Value);

impl TableFacts {
    /// Its rows, without those that still are in a streaming buffer.
    #[must_use]
    pub fn rows(&self) -> Option<i64> {
        number(self.0.get("numRows")?)
    }

    /// Its columns.
    #[must_use]
    pub fn columns(&self) -> Vec<Column> {
        let fields = self.0.pointer("/schema/fields");
        fields.map(Column::all_of).unwrap_or_default()
    }

    /// Its schema as it is.
    pub(super) fn schema(&self) -> Option<&Value> {
        self.0.get("schema")
    }

    /// How it is partitioned and clustered, in the fields of requests.
    pub(super) fn shape(&self) -> Vec<(&'static str, Value)> {
        let names = ["timePartitioning", "rangePartitioning", "clustering"];
        let field = |name: &'static str| Some((name, self.0.get(name)?.clone()));
        names.into_iter().filter_map(field).collect()
    }
}

const TABLE: &str = "/bigquery/v2/projects/{}/datasets/{}/tables/{}";

impl BigQuery {
    /// The location of a dataset, which has to be there.
    pub(super) async fn location(&self, table: &TableName) -> TaskResult<Option<String>> {
        let [project, dataset, _] = table.parts();
        let told: Value = self
            .client
            .get("/bigquery/v2/projects/{}/datasets/{}", &[project, dataset])
            .doing(format!("look for dataset {project}.{dataset}"))
            .names(format!("dataset `{project}.{dataset}`"))
            .needs("bigquery.datasets.get")
            .send_json()
            .await?;
        Ok(told
            .get("location")
            .and_then(Value::as_str)
            .map(str::to_owned))
    }

    /// A table; none if there is none.
    ///
    /// # Errors
    /// It cannot be seen.
    pub async fn table(&self, name: &TableName) -> TaskResult<Option<TableFacts>> {
        let name = name.clone().in_project(self.project());
        let found: Option<Value> = self
            .client
            .get(TABLE, &name.parts())
            .doing(format!("look for table {name}"))
            .names(format!("table `{name}`"))
            .needs("bigquery.tables.get")
            .find_json()
            .await?;
        Ok(found.map(TableFacts))
    }

    /// The rows of a partition, 0 if it is empty; none if there is no such table. Nothing is read or billed.
    ///
    /// # Errors
    /// It cannot be seen, or the table is not partitioned like that.
    pub async fn rows_of(&self, name: &TableName, partition: &str) -> TaskResult<Option<i64>> {
        let name = name.clone().in_project(self.project());
        let [project, dataset, _] = name.parts();
        let table = name.decorated(Some(partition));
        let found: Option<Value> = self
            .client
            .get(
                "/bigquery/v2/projects/{}/datasets/{}/tables/{}/data",
                &[project, dataset, &table],
            )
            .query("maxResults", 1)
            .doing(format!("look for partition {partition} of {name}"))
            .names(format!("table `{name}`"))
            .needs("bigquery.tables.getData")
            .find_json()
            .await?;
        Ok(found.map(|told| told.get("totalRows").and_then(number).unwrap_or(0)))
    }

    /// Makes a table; one that is there stays as it is.
    pub(super) async fn create(&self, name: &TableName, mut body: Value) -> TaskResult<()> {
        body["tableReference"] = name.reference(None);
        let [project, dataset, _] = name.parts();
        self.client
            .post(
                "/bigquery/v2/projects/{}/datasets/{}/tables",
                &[project, dataset],
            )
            .json(&body)
            .repeatable()
            .answers(&[409])
            .doing(format!("make table {name}"))
            .names(format!("dataset `{project}.{dataset}`"))
            .needs("bigquery.tables.create")
            .send()
            .await
            .map(drop)
    }

    /// Changes what is known of a table, and says whether it is there.
    pub(super) async fn change(&self, name: &TableName, body: &Value) -> TaskResult<bool> {
        let reply = self
            .client
            .patch(TABLE, &name.parts())
            .json(body)
            .repeatable()
            .answers(&[404])
            .doing(format!("change table {name}"))
            .names(format!("table `{name}`"))
            .needs("bigquery.tables.update")
            .send()
            .await?;
        Ok(reply.is_success())
    }

    /// Deletes a table. One that is not there is no error.
    pub(super) async fn drop_table(&self, name: &TableName) -> TaskResult<()> {
        self.client
            .delete(TABLE, &name.parts())
            .answers(&[404])
            .doing(format!("delete table {name}"))
            .needs("bigquery.tables.delete")
            .send()
            .await
            .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_all_their_forms() {
        for (text, project, dataset, table) in [
            ("crm.tickets", None, "crm", "tickets"),
            ("shop.crm.tickets", Some("shop"), "crm", "tickets"),
            ("`shop.crm.tickets`", Some("shop"), "crm", "tickets"),
            ("shop:crm.tickets", Some("shop"), "crm", "tickets"),
            ("a.com:shop.crm.t", Some("a.com:shop"), "crm", "t"),
        ] {
            let name: TableName = text.parse().unwrap();
            assert_eq!(name.project.as_deref(), project, "{text}");
            assert_eq!((&*name.dataset, &*name.table), (dataset, table), "{text}");
        }
        for wrong in [
            "tickets",
            "crm.",
            ".t",
            "c-m.t",
            "crm.t$20250131",
            "crm.a`b",
            "p q.crm.t",
        ] {
            assert!(wrong.parse::<TableName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn partitions_are_named_as_people_name_times() {
        for (text, named) in [
            ("2025-01-31", "20250131"),
            ("20250131", "20250131"),
            ("2025-01-31T07:00:00", "2025013107"),
            ("2025-01", "202501"),
            ("2025", "2025"),
            ("42", "42"),
            ("__NULL__", "__NULL__"),
        ] {
            assert_eq!(partition(text).unwrap(), named, "{text}");
        }
        for wrong in ["", "yesterday", "1-2", "2025-01-31Z"] {
            assert!(partition(wrong).is_err(), "{wrong}");
        }
    }
}
