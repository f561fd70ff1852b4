//! Rows of a query, page by page.

use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tidemill_core::operator::{TaskError, TaskResult};

use super::client::BigQuery;
use super::job::{JobAt, number};
use super::schema::{Column, ColumnMode};
use crate::http::Request;

/// Rows on a page; a page is at most 10 MB as the service makes it.
const PAGE: usize = 10_000;
const PAGE_BYTES_MAX: usize = 24 << 20;
/// How long the service is to wait for the end of a query before it answers.
const PATIENCE_MS: u32 = 10_000;

/// Rows of a query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rows {
    /// The columns, in their order.
    pub columns: Vec<Column>,
    /// The rows: a value for each column.
    pub rows: Vec<Vec<Value>>,
    /// How many there are, of which these may be the first.
    pub total: i64,
}

impl Rows {
    /// The first value of the first row, if there is one.
    #[must_use]
    pub fn first(&self) -> Option<&Value> {
        self.rows.first()?.first()
    }

    /// The rows as objects, by the names of columns.
    #[must_use]
    pub fn objects(&self) -> Vec<Value> {
        let object = |row: &Vec<Value>| {
            let names = self.columns.iter().map(|column| column.name.clone());
            Value::Object(names.zip(row.iter().cloned()).collect::<Map<_, _>>())
        };
        self.rows.iter().map(object).collect()
    }

    fn take(&mut self, page: &Value) {
        if let Some(fields) = page.pointer("/schema/fields") {
            self.columns = Column::all_of(fields);
        }
        if let Some(total) = page.get("totalRows").and_then(number) {
            self.total = total;
        }
        let rows = page.get("rows").and_then(Value::as_array);
        for row in rows.into_iter().flatten() {
            self.rows.push(cells(&self.columns, row));
        }
    }
}

fn cells(columns: &[Column], row: &Value) -> Vec<Value> {
    let cells = row.get("f").and_then(Value::as_array);
    let cells = cells.into_iter().flatten();
    let cell = |(column, cell): (&Column, &Value)| read(column, cell.get("v").unwrap_or(cell));
    columns.iter().zip(cells).map(cell).collect()
}

/// A cell as JSON. Numbers beyond what JSON holds exactly stay text.
fn read(column: &Column, cell: &Value) -> Value {
    if column.mode == ColumnMode::Repeated {
        let one = Column {
            mode: ColumnMode::Nullable,
            ..column.clone()
        };
        let items = cell.as_array().into_iter().flatten();
        return items
            .map(|item| read(&one, item.get("v").unwrap_or(item)))
            .collect();
    }
    let Some(text) = cell.as_str() else {
        if cell.is_object() {
            let names = column.fields.iter().map(|field| field.name.clone());
            let values = cells(&column.fields, cell);
            return Value::Object(names.zip(values).collect::<Map<_, _>>());
        }
        return cell.clone();
    };
    match column.kind.to_ascii_uppercase().as_str() {
        "INTEGER" | "INT64" => text
            .parse::<i64>()
            .map_or_else(|_| json!(text), |n| json!(n)),
        "FLOAT" | "FLOAT64" => match text.parse::<f64>() {
            Ok(n) if n.is_finite() => json!(n),
            _ => json!(text),
        },
        "BOOLEAN" | "BOOL" => json!(text == "true"),
        "TIMESTAMP" => {
            let micros = text.parse().ok().and_then(DateTime::from_timestamp_micros);
            micros.map_or_else(
                || json!(text),
                |time| json!(time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            )
        }
        _ => json!(text),
    }
}

/// A value as text, as statements give it.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

impl BigQuery {
    /// The rows of a query that has ended, at most so many.
    ///
    /// # Errors
    /// They cannot be read, or the job was no query.
    pub async fn rows(&self, at: &JobAt, most: usize) -> TaskResult<Rows> {
        let rows = Rows {
            columns: Vec::new(),
            rows: Vec::new(),
            total: 0,
        };
        self.rest(at, (rows, None), most).await
    }

    fn page(&self, at: &JobAt, token: Option<&str>, most: usize) -> Request {
        self.client
            .get(
                "/bigquery/v2/projects/{}/queries/{}",
                &[&at.project, &at.id],
            )
            .maybe("location", at.location.as_deref())
            .maybe("pageToken", token)
            .query("maxResults", most.clamp(1, PAGE))
            .query("timeoutMs", PATIENCE_MS)
            .query("formatOptions.useInt64Timestamp", true)
            .doing(format!("read the rows of job {at}"))
            .names(format!("job `{at}`"))
            .needs("bigquery.jobs.create")
            .body_max(PAGE_BYTES_MAX)
    }

    async fn rest(
        &self,
        at: &JobAt,
        (mut rows, mut token): (Rows, Option<String>),
        most: usize,
    ) -> TaskResult<Rows> {
        while rows.rows.len() < most || rows.columns.is_empty() {
            let left = most.saturating_sub(rows.rows.len());
            let page: Value = self.page(at, token.as_deref(), left).send_json().await?;
            if page.get("jobComplete") == Some(&json!(false)) {
                if self.client.pace().is_cancelled() {
                    return Err(TaskError::cancelled(format!("job {at}: cancelled")));
                }
                continue;
            }
            rows.take(&page);
            token = next(&page);
            if token.is_none() {
                break;
            }
        }
        Ok(rows)
    }

    /// Runs a query that only reads, and waits for it. For checks and sensors: a query that changes something is an operator of
    /// its own.
    ///
    /// # Errors
    /// It is wrong, or cannot be run now.
    pub async fn ask(
        &self,
        sql: &str,
        (location, max_bytes): (Option<&str>, Option<u64>),
        most: usize,
    ) -> TaskResult<Rows> {
        let mut body = json!({
            "query": sql, "useLegacySql": false, "timeoutMs": PATIENCE_MS,
            "maxResults": most.min(PAGE), "requestId": request_id()?,
            "formatOptions": { "useInt64Timestamp": true },
        });
        if let Some(location) = location {
            body["location"] = json!(location);
        }
        if let Some(bytes) = max_bytes {
            body["maximumBytesBilled"] = json!(bytes.to_string());
        }
        let told: Value = self
            .client
            .post("/bigquery/v2/projects/{}/queries", &[self.project()])
            .json(&body)
            // The identifier of the request is its key for fifteen minutes.
            .repeatable()
            .doing("run a query")
            .names("what the query names")
            .needs("bigquery.jobs.create")
            .body_max(PAGE_BYTES_MAX)
            .send_json()
            .await?;
        let mut rows = Rows {
            columns: Vec::new(),
            rows: Vec::new(),
            total: 0,
        };
        let id = told.pointer("/jobReference/jobId").and_then(Value::as_str);
        let mut at = self.at(id.unwrap_or_default(), location);
        if let Some(location) = told
            .pointer("/jobReference/location")
            .and_then(Value::as_str)
        {
            at.location = Some(location.to_owned());
        }
        if told.get("jobComplete") == Some(&json!(false)) {
            return self.rest(&at, (rows, None), most).await;
        }
        rows.take(&told);
        match next(&told) {
            Some(token) => self.rest(&at, (rows, Some(token)), most).await,
            None => Ok(rows),
        }
    }
}

fn next(page: &Value) -> Option<String> {
    let token = page.get("pageToken").and_then(Value::as_str);
    token.filter(|token| !token.is_empty()).map(str::to_owned)
}

fn request_id() -> TaskResult<String> {
    use ring::rand::{SecureRandom as _, SystemRandom};
    let mut bytes = [0; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| TaskError::transient("the system gives no random numbers"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_become_json() {
        let columns = [
            Column::nullable("n", "INTEGER"),
            Column::nullable("f", "FLOAT"),
            Column::nullable("at", "TIMESTAMP"),
            Column::repeated("tags", "STRING"),
            Column::nullable("who", "RECORD").with([Column::nullable("ok", "BOOLEAN")]),
            Column::nullable("none", "STRING"),
        ];
        let row = json!({ "f": [
            { "v": "7" }, { "v": "NaN" }, { "v": "1738281600000000" },
            { "v": [{ "v": "a" }, { "v": "b" }] }, { "v": { "f": [{ "v": "true" }] } }, { "v": null },
        ] });
        let read = json!(cells(&columns, &row));
        let expected = json!([7, "NaN", "2025-01-31T00:00:00Z", ["a", "b"], { "ok": true }, null]);
        assert_eq!(read, expected);
    }
}
