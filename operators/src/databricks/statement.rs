//! SQL on a warehouse.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidemill_core::operator::{LaunchKey, Poll, RemoteJob, TaskContext, TaskError, TaskResult};
use tidemill_core::spec::Touches;
use tidemill_core::text::Text;

use super::run::is_missing;
use super::{Workspace, workspace_settings};
use crate::http::Client;
use crate::remote::{self, Body, Stamp};

/// Rows that are returned if nothing is said.
const ROWS: u32 = 1_000;
/// A statement of ours is looked for among those of the last so many hours.
const LOOK_BACK_HOURS: i64 = 48;
/// Statements on a page of the history, and pages that are looked through.
const PAGE: u32 = 200;
const PAGES_MAX: u32 = 50;

/// Executes a statement on a warehouse, and returns its first rows. A comment before the statement bears the key of the launch,
/// under which it is found again in the history of queries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "an operator does nothing until it is added to a DAG"]
pub struct DatabricksStatement {
    at: Workspace,
    sql: Text,
    warehouse: Text,
    request: Body,
}

/// What a statement gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabricksRows {
    /// The statement's identifier.
    pub statement_id: String,
    /// The names of its columns.
    pub columns: Vec<String>,
    /// Its first rows as text; none is NULL.
    pub rows: Vec<Vec<Option<String>>>,
    /// How many rows there were, as far as they were counted.
    pub row_count: u64,
    /// Whether there were more than it returned.
    pub truncated: bool,
}

/// What is needed to find a statement again.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[doc(hidden)]
pub struct Executed {
    statement_id: String,
}

#[derive(Deserialize)]
struct Seen {
    statement_id: String,
    #[serde(default)]
    status: Status,
    #[serde(default)]
    manifest: Manifest,
    #[serde(default)]
    result: Piece,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    state: String,
    #[serde(default)]
    error: Wrong,
}

#[derive(Default, Deserialize)]
struct Wrong {
    #[serde(default)]
    error_code: String,
    #[serde(default)]
    message: String,
}

#[derive(Default, Deserialize)]
struct Manifest {
    #[serde(default)]
    schema: Schema,
    #[serde(default)]
    total_row_count: u64,
    #[serde(default)]
    truncated: bool,
}

#[derive(Default, Deserialize)]
struct Schema {
    #[serde(default)]
    columns: Vec<Column>,
}

#[derive(Deserialize)]
struct Column {
    #[serde(default)]
    name: String,
}

#[derive(Default, Deserialize)]
struct Piece {
    #[serde(default)]
    data_array: Vec<Vec<Option<String>>>,
    #[serde(default)]
    next_chunk_index: Option<u64>,
}

#[derive(Deserialize)]
struct History {
    #[serde(default)]
    res: Vec<Query>,
    #[serde(default)]
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct Query {
    query_id: String,
    #[serde(default)]
    query_text: String,
}

impl DatabricksStatement {
    /// This statement: `DatabricksStatement::of("SELECT COUNT(*) FROM shop.orders").on("0123abcd")`.
    pub fn of(sql: impl Into<Text>) -> Self {
        let mut request = Body::default();
        request.put("row_limit", ROWS);
        Self {
            at: Workspace::default(),
            sql: sql.into(),
            warehouse: Text::default(),
            request,
        }
    }

    /// The warehouse that executes it, by its identifier.
    pub fn on(mut self, warehouse: impl Into<Text>) -> Self {
        self.warehouse = warehouse.into();
        self
    }

    workspace_settings!();

    /// The catalog of names without one.
    pub fn catalog(mut self, catalog: impl Into<Text>) -> Self {
        self.request.text("catalog", catalog);
        self
    }

    /// The schema of names without one.
    pub fn schema(mut self, schema: impl Into<Text>) -> Self {
        self.request.text("schema", schema);
        self
    }

    /// A value for `:name` in the statement, as text.
    pub fn param(mut self, name: impl Into<String>, value: impl Into<Text>) -> Self {
        let value: Text = value.into();
        self.request.push(
            "parameters",
            json!({ "name": name.into(), "value": value.as_str() }),
        );
        self
    }

    /// Returns at most so many rows; a thousand if nothing is said.
    pub fn rows(mut self, most: u32) -> Self {
        self.request.put("row_limit", most);
        self
    }

    fn request(&self, ctx: &TaskContext, key: &LaunchKey) -> TaskResult<(Value, Stamp)> {
        if self.warehouse.as_str().is_empty() {
            return Err(TaskError::permanent("the statement names no warehouse")
                .help("write `.on(\"identifier of the warehouse\")`"));
        }
        let mut body = self.request.value().clone();
        body["warehouse_id"] = json!(self.warehouse.as_str());
        let sql = self.sql.as_str();
        body["statement"] = json!(sql);
        let stamp = Stamp::of(ctx, key, &body);
        body["statement"] = json!(format!("{}\n{sql}", comment(&stamp)));
        // The answer is not waited for: no slot is held meanwhile.
        body["wait_timeout"] = json!("0s");
        body["disposition"] = json!("INLINE");
        body["format"] = json!("JSON_ARRAY");
        Ok((body, stamp))
    }

    async fn seen(client: &Client, id: &str) -> TaskResult<Option<Seen>> {
        let reply = client
            .get("/api/2.0/sql/statements/{}", &[id])
            .answers(&[400, 404])
            .doing(format!("look at Databricks statement {id}"))
            .expects_json()
            .send()
            .await?;
        if reply.is_success() {
            return reply.json().map(Some);
        }
        if is_missing(&reply) {
            return Ok(None);
        }
        Err(TaskError::permanent(format!(
            "look at Databricks statement {id}: {}",
            reply.said().message
        )))
    }

    async fn rest(client: &Client, seen: &mut Seen) -> TaskResult<()> {
        let id = seen.statement_id.clone();
        let mut next = seen.result.next_chunk_index;
        while let Some(index) = next {
            let piece: Piece = client
                .get(
                    "/api/2.0/sql/statements/{}/result/chunks/{}",
                    &[&id, &index.to_string()],
                )
                .doing(format!("read rows of Databricks statement {id}"))
                .body_max(32 << 20)
                .send_json()
                .await?;
            seen.result.data_array.extend(piece.data_array);
            next = piece.next_chunk_index;
        }
        Ok(())
    }
}

/// The comment before a statement.
fn comment(stamp: &Stamp) -> String {
    format!("/* tidemill {} {} */", stamp.key, stamp.print)
}

fn failed(id: &str, seen: &Seen) -> TaskError {
    let (state, wrong) = (&seen.status.state, &seen.status.error);
    let message = format!("Databricks statement {id} is {state}: {}", wrong.message);
    match (state.as_str(), wrong.error_code.as_str()) {
        ("CANCELED", _) => TaskError::cancelled(message),
        (_, "BAD_REQUEST" | "NOT_FOUND" | "ALREADY_EXISTS" | "UNAUTHENTICATED") => {
            TaskError::permanent(message).help("correct the statement, or what it names")
        }
        (_, "RESOURCE_EXHAUSTED") => TaskError::quota(message, None),
        _ => TaskError::transient(message),
    }
}

impl RemoteJob for DatabricksStatement {
    const NAME: &'static str = "databricks_statement";
    type Handle = Executed;
    type Output = DatabricksRows;

    fn touches(&self) -> Touches {
        Touches::nothing().connection(&self.at.connection)
    }

    async fn look_for(&self, ctx: &TaskContext, key: &LaunchKey) -> TaskResult<Option<Executed>> {
        let client = self.at.open(ctx).await?;
        let (_, stamp) = self.request(ctx, key)?;
        let since = ctx.now() - TimeDelta::hours(LOOK_BACK_HOURS);
        let begins = format!("/* tidemill {key} ");
        let mut token: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let request = client
                .get("/api/2.0/sql/history/queries", &[])
                .query("filter_by.warehouse_ids", &self.warehouse)
                .query(
                    "filter_by.query_start_time_range.start_time_ms",
                    since.timestamp_millis(),
                )
                .query("max_results", PAGE)
                .maybe("page_token", token.as_deref());
            let page: History = request
                .doing("look for the statement in Databricks' history of queries")
                .body_max(64 << 20)
                .send_json()
                .await?;
            if let Some(query) = page
                .res
                .iter()
                .find(|one| one.query_text.starts_with(&begins))
            {
                let id = query.query_id.clone();
                let print = query.query_text[begins.len()..].split(' ').next();
                stamp.same(&format!("Databricks statement {id}"), print)?;
                return Ok(Some(Executed { statement_id: id }));
            }
            token = page.next_page_token.filter(|token| !token.is_empty());
            if token.is_none() {
                break;
            }
        }
        Ok(None)
    }

    async fn submit(&self, ctx: &TaskContext, key: &LaunchKey) -> TaskResult<Executed> {
        let client = self.at.open(ctx).await?;
        let (body, _) = self.request(ctx, key)?;
        // Sent twice it would be executed twice.
        let seen: Seen = client
            .post("/api/2.0/sql/statements", &[])
            .json(&body)
            .doing(format!("execute a statement on Databricks as {key}"))
            .names(format!("warehouse `{}`", self.warehouse))
            .send_json()
            .await?;
        ctx.info(format!("Databricks statement {}", seen.statement_id));
        Ok(Executed {
            statement_id: seen.statement_id,
        })
    }

    async fn poll(&self, ctx: &TaskContext, at: &Executed) -> TaskResult<Poll<DatabricksRows>> {
        let client = self.at.open(ctx).await?;
        let id = &at.statement_id;
        let Some(mut seen) = remote::look(ctx, || Self::seen(&client, id)).await? else {
            let message = format!("Databricks statement {id} is not there any more");
            return Ok(Poll::Failed(TaskError::lost(message)));
        };
        let state = seen.status.state.as_str();
        Ok(match state {
            // Closed: it was done, and its rows are not kept any more.
            "SUCCEEDED" | "CLOSED" => {
                let closed = state == "CLOSED";
                Self::rest(&client, &mut seen).await?;
                let columns = seen.manifest.schema.columns;
                Poll::Done(DatabricksRows {
                    statement_id: id.clone(),
                    columns: columns.into_iter().map(|column| column.name).collect(),
                    rows: seen.result.data_array,
                    row_count: seen.manifest.total_row_count,
                    truncated: seen.manifest.truncated || closed,
                })
            }
            "FAILED" | "CANCELED" => Poll::Failed(failed(id, &seen)),
            _ => {
                ctx.progress(0.0, state);
                Poll::Running {
                    wait: self.at.every,
                    progress: format!("Databricks statement {id} is {state}"),
                }
            }
        })
    }

    async fn cancel(&self, ctx: &TaskContext, at: &Executed) -> TaskResult<()> {
        let client = self.at.open(ctx).await?;
        client
            .post("/api/2.0/sql/statements/{}/cancel", &[&at.statement_id])
            .json(&json!({}))
            .repeatable()
            // It has ended, or is not there.
            .answers(&[400, 404])
            .doing(format!("cancel Databricks statement {}", at.statement_id))
            .send()
            .await
            .map(drop)
    }
}
