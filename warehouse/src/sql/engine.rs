//! Runs statements.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema as ArrowSchema};
use datafusion::catalog::TableProvider;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateDefaults;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext, ident};
use datafusion::sql::parser::Statement as Planned;
use datafusion::sql::sqlparser::ast::{Query, SelectItem, SetExpr, Statement};
use futures_util::future::BoxFuture;

use super::error::SqlError;
use super::functions::SCALARS;
use super::parameter::Parameter;
use super::parse::{self, Words};
use super::planner::Operators;
use super::rewrite::{Rewrite, pseudo};
use crate::Schema;
use crate::tables::{Meter, Scan};

/// Bytes that all queries may hold together before they spill.
const MEMORY: usize = 1 << 30;

/// A table's full name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableName {
    /// Its project.
    pub project: String,
    /// Its dataset.
    pub dataset: String,
    /// The table.
    pub table: String,
}

/// What a name stands for.
pub enum Relation {
    /// Rows, and how many bytes a full scan of them is billed.
    Rows(Arc<dyn TableProvider>, u64),
    /// Rows that say themselves how many bytes were billed.
    Table(Box<Scan>),
    /// The text of a query.
    View(String),
}

/// Where names of tables are looked up.
pub trait Catalog: Send + Sync {
    /// What the name stands for; none if there is no such table.
    fn relation(&self, name: &TableName) -> BoxFuture<'_, Result<Option<Relation>, SqlError>>;
}

/// A statement and what it is run with.
#[derive(Debug, Clone)]
pub struct Request {
    /// The SQL.
    pub text: String,
    /// Values for parameters.
    pub parameters: Vec<Parameter>,
    /// For names without a project.
    pub project: String,
    /// For names without a dataset.
    pub default_dataset: Option<String>,
    /// Plan only.
    pub dry_run: bool,
    /// Refuse a statement that reads more.
    pub maximum_bytes_billed: Option<u64>,
    /// The present.
    pub now: DateTime<Utc>,
}

/// What a statement gave.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The columns.
    pub schema: Schema,
    /// The rows; none of a dry run.
    pub batches: Vec<RecordBatch>,
    /// `SELECT`.
    pub statement_type: &'static str,
    /// Bytes that were read, or would be.
    pub bytes_processed: u64,
}

/// Runs statements over a catalog of tables. Clones are cheap and share one pool of memory.
#[derive(Clone)]
pub struct Engine {
    catalog: Arc<dyn Catalog>,
    runtime: Arc<RuntimeEnv>,
}

/// What a statement needs while it is planned.
struct Session {
    ctx: SessionContext,
    names: HashMap<String, String>,
    bytes: u64,
    meter: Arc<Meter>,
}

impl Engine {
    /// An engine whose queries spill to a folder.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn new(catalog: Arc<dyn Catalog>, spill: &Path) -> Result<Self, SqlError> {
        let disk = DiskManagerBuilder::default()
            .with_mode(DiskManagerMode::Directories(vec![spill.to_owned()]));
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(MEMORY)))
            .with_disk_manager_builder(disk)
            .build_arc()
            .map_err(|error| SqlError::from_engine(&error, &Words::default()))?;
        Ok(Self { catalog, runtime })
    }

    /// The same engine, with its memory, over other tables.
    #[must_use]
    pub fn over(&self, catalog: Arc<dyn Catalog>) -> Self {
        Self {
            catalog,
            runtime: Arc::clone(&self.runtime),
        }
    }

    /// Runs one statement.
    ///
    /// # Errors
    /// With `BigQuery`'s reason and message.
    pub async fn run(&self, request: &Request) -> Result<Outcome, SqlError> {
        let (mut statements, words) = parse::statements(&request.text)?;
        let statement = match (statements.pop(), statements.is_empty()) {
            (Some(statement), true) => statement,
            (None, _) => {
                return Err(SqlError::invalid(
                    "Syntax error: Unexpected end of statement",
                ));
            }
            _ => return Err(SqlError::unsupported("scripts of several statements")),
        };
        match statement {
            Statement::Query(query) => self.query(*query, request, &words).await,
            other => {
                let text = other.to_string();
                let word = text
                    .split_whitespace()
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                Err(SqlError::unsupported(format!("the statement {word}")))
            }
        }
    }

    async fn query(
        &self,
        query: Query,
        request: &Request,
        words: &Words,
    ) -> Result<Outcome, SqlError> {
        let written = written_names(&query);
        let mut session = self.session();
        let plan = self.plan(query, (request, words), &mut session, 0).await?;
        session.names.extend(written);
        let frame = DataFrame::new(session.ctx.state(), plan);
        let schema = shown(frame.schema().as_arrow(), &session.names);
        let failed = |error: DataFusionError| SqlError::from_engine(&error, words);
        let columns = Schema::from_arrow(&schema)
            .map_err(|error| SqlError::unsupported(error.to_string()))?;
        // A dry run finds the errors of a physical plan, too; and which partitions are read is known only from it on.
        let context = Arc::new(frame.task_ctx());
        let physical = frame.create_physical_plan().await.map_err(failed)?;
        let bytes = session.bytes + session.meter.bytes();
        affordable(bytes, request)?;
        let batches = if request.dry_run {
            Vec::new()
        } else {
            datafusion::physical_plan::collect(physical, context)
                .await
                .map_err(failed)?
        };
        let batches = batches
            .into_iter()
            .map(|batch| fitted(&batch, &columns))
            .collect::<Result<_, _>>()
            .map_err(failed)?;
        Ok(Outcome {
            schema: columns,
            batches,
            statement_type: "SELECT",
            bytes_processed: bytes,
        })
    }

    fn session(&self) -> Session {
        let mut config = SessionConfig::new()
            .with_target_partitions(2)
            .with_information_schema(false);
        config.options_mut().sql_parser.default_null_ordering = "nulls_min".to_owned();
        config.options_mut().sql_parser.dialect = datafusion::common::config::Dialect::BigQuery;
        config.options_mut().execution.time_zone = None;
        // It mistakes the columns of a table that are renamed for those below: a field of a STRUCT could not be named.
        config
            .options_mut()
            .optimizer
            .enable_leaf_expression_pushdown = false;
        let mut planners = vec![Arc::new(Operators) as _];
        planners.extend(SessionStateDefaults::default_expr_planners());
        let state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(Arc::clone(&self.runtime))
            .with_default_features()
            .with_expr_planners(planners)
            .build();
        let ctx = SessionContext::new_with_state(state);
        for function in SCALARS.iter() {
            ctx.register_udf(function.as_ref().clone());
        }
        Session {
            ctx,
            names: HashMap::new(),
            bytes: 0,
            meter: Arc::default(),
        }
    }

    /// The plan of a query, with its tables looked up.
    fn plan<'a>(
        &'a self,
        mut query: Query,
        (request, words): (&'a Request, &'a Words),
        session: &'a mut Session,
        depth: usize,
    ) -> BoxFuture<'a, Result<LogicalPlan, SqlError>> {
        Box::pin(async move {
            if depth > 16 {
                return Err(SqlError::invalid("Views are nested more than 16 deep"));
            }
            let context = super::parameter::context(request)?;
            let mut rewrite = Rewrite::new(&context);
            rewrite.run(&mut query)?;
            let mut hidden = HashSet::new();
            for table in rewrite.tables {
                let name = full_name(&table.parts, request)?;
                let pseudo = self
                    .register((&name, &table.planned), request, session, depth)
                    .await
                    .map_err(|mut error| {
                        if error.reason == "notFound" {
                            error.message.push_str(&table.place);
                        }
                        error
                    })?;
                if pseudo {
                    hidden.insert(table.planned);
                }
            }
            pseudo::hide(&mut query, &hidden);
            let plan = session
                .ctx
                .state()
                .statement_to_plan(Planned::Statement(Box::new(Statement::Query(Box::new(
                    query,
                )))))
                .await
                .map_err(|error| SqlError::from_engine(&error, words))?;
            super::agree::check(&plan).map_err(|error| SqlError::from_engine(&error, words))?;
            Ok(plan)
        })
    }

    /// Gives a session a table; says whether it has columns that `*` does not stand for.
    async fn register(
        &self,
        (name, planned): (&TableName, &str),
        request: &Request,
        session: &mut Session,
        depth: usize,
    ) -> Result<bool, SqlError> {
        let mut pseudo = false;
        let failed = |error: DataFusionError| SqlError::from_engine(&error, &Words::default());
        let frame = match self.catalog.relation(name).await? {
            None => {
                return Err(SqlError::not_found(format!(
                    "Not found: Table {}:{}.{} was not found in location US",
                    name.project, name.dataset, name.table
                )));
            }
            Some(Relation::Rows(provider, bytes)) => {
                session.bytes += bytes;
                session.ctx.read_table(provider).map_err(failed)?
            }
            Some(Relation::Table(scan)) => {
                let mut scan = scan.with_meter(Arc::clone(&session.meter));
                // Only a text that names them needs them.
                if request.text.to_lowercase().contains("_partition") {
                    scan = scan.with_partition_columns();
                    pseudo = scan.has_partition_columns();
                }
                session.ctx.read_table(Arc::new(scan)).map_err(failed)?
            }
            Some(Relation::View(text)) => {
                let (mut statements, words) = parse::statements(&text)?;
                let Some(Statement::Query(query)) = statements.pop() else {
                    return Err(SqlError::invalid(format!(
                        "The view {} is no query",
                        name.table
                    )));
                };
                // A session of its own: names while planning are counted anew.
                let mut inner = self.session();
                inner.meter = Arc::clone(&session.meter);
                let mut request = request.clone();
                request.text = text;
                let plan = self
                    .plan(*query, (&request, &words), &mut inner, depth + 1)
                    .await?;
                session.bytes += inner.bytes;
                session.names.extend(inner.names);
                DataFrame::new(session.ctx.state(), plan)
            }
        };
        let mut columns = Vec::new();
        for field in frame.schema().fields() {
            let lower = field.name().to_lowercase();
            session.names.insert(lower.clone(), field.name().clone());
            columns.push(ident(field.name()).alias(lower));
        }
        let view = frame.select(columns).map_err(failed)?.into_view();
        session
            .ctx
            .register_table(datafusion::common::TableReference::bare(planned), view)
            .map_err(failed)?;
        Ok(pseudo)
    }
}

fn affordable(bytes: u64, request: &Request) -> Result<(), SqlError> {
    match request.maximum_bytes_billed {
        Some(most) if bytes > most => Err(SqlError {
            reason: "bytesBilledLimitExceeded",
            message: format!(
                "Query exceeded limit for bytes billed: {most}. {bytes} or higher required."
            ),
        }),
        _ => Ok(()),
    }
}

fn full_name(parts: &[String], request: &Request) -> Result<TableName, SqlError> {
    let named = |project: &str, dataset: &str, table: &str| TableName {
        project: project.to_owned(),
        dataset: dataset.to_owned(),
        table: table.to_owned(),
    };
    match parts {
        [project, dataset, table] => Ok(named(project, dataset, table)),
        [dataset, table] => Ok(named(&request.project, dataset, table)),
        [table] => match &request.default_dataset {
            Some(dataset) => Ok(named(&request.project, dataset, table)),
            None => Err(SqlError::invalid(format!(
                "Table \"{table}\" must be qualified with a dataset (e.g. dataset.table)."
            ))),
        },
        _ => Err(SqlError::invalid(format!(
            "Invalid table name: {}",
            parts.join(".")
        ))),
    }
}

/// Names in the SELECT list as they were written, by what they are while planned.
fn written_names(query: &Query) -> HashMap<String, String> {
    let mut body = query.body.as_ref();
    loop {
        match body {
            SetExpr::SetOperation { left, .. } => body = left,
            SetExpr::Query(inner) => body = &inner.body,
            _ => break,
        }
    }
    let SetExpr::Select(select) = body else {
        return HashMap::new();
    };
    let mut names = HashMap::new();
    for item in &select.projection {
        use datafusion::sql::sqlparser::ast::Expr;
        let name = match item {
            SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
            SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.value.clone()),
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)) => {
                names.last().map(|name| name.value.clone())
            }
            _ => None,
        };
        if let Some(name) = name {
            names.insert(name.to_lowercase(), name);
        }
    }
    names
}

/// The columns with the names that people see.
fn shown(schema: &ArrowSchema, names: &HashMap<String, String>) -> ArrowSchema {
    ArrowSchema::new(
        schema
            .fields()
            .iter()
            .map(|field| {
                let name = names.get(field.name()).unwrap_or(field.name());
                // NULL without a type is INT64.
                let kind = match field.data_type() {
                    DataType::Null => DataType::Int64,
                    other => other.clone(),
                };
                Field::new(name, kind, true).with_metadata(field.metadata().clone())
            })
            .collect::<Vec<_>>(),
    )
}

/// The rows in the types of the columns.
fn fitted(batch: &RecordBatch, columns: &Schema) -> Result<RecordBatch, DataFusionError> {
    let schema = columns.to_arrow();
    let arrays = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(array, field)| datafusion::arrow::compute::cast(array, field.data_type()))
        .collect::<Result<Vec<_>, _>>()?;
    let options =
        datafusion::arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        Arc::new(schema),
        arrays,
        &options,
    )?)
}
