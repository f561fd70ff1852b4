//! Runs statements.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::ArrayRef;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateDefaults;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext, ident};
use datafusion::sql::sqlparser::ast::{Query, Statement};
use futures_util::future::BoxFuture;

use super::catalog::{Catalog, Relation, TableName, full_name};
use super::error::SqlError;
use super::functions::{SCALARS, percentile};
use super::limits::{Limits, PARTITIONS, Turns};
use super::parse::{self, Words};
use super::piece::{Kind, Piece};
use super::planner::Operators;
use super::request::{Operation, Outcome, Request};
use super::rewrite::{Rewrite, pseudo};
use super::rows::Rows;
use super::scope::Scope;
use super::session::Session;
use super::shown::{shown, written_names};
use super::{ddl, dml, information, script, wildcard};
use crate::tables::{PARTITION_DATE, PARTITION_TIME, TableId, Warehouse};
use crate::{Field, Schema};

/// Runs statements over a catalog of tables. Clones are cheap and share one pool of memory.
#[derive(Clone)]
pub struct Engine {
    catalog: Arc<dyn Catalog>,
    runtime: Arc<RuntimeEnv>,
    limits: Limits,
    turns: Turns,
}

impl Engine {
    /// An engine whose queries spill to a folder.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn new(catalog: Arc<dyn Catalog>, spill: &Path) -> Result<Self, SqlError> {
        Self::with_limits(catalog, spill, Limits::default())
    }

    /// The same with limits of one's own.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn with_limits(
        catalog: Arc<dyn Catalog>,
        spill: &Path,
        limits: Limits,
    ) -> Result<Self, SqlError> {
        Ok(Self {
            catalog,
            runtime: limits.runtime(spill)?,
            limits,
            turns: limits.turns(),
        })
    }

    /// The same engine, with its memory, over other tables.
    #[must_use]
    pub fn over(&self, catalog: Arc<dyn Catalog>) -> Self {
        Self {
            catalog,
            runtime: Arc::clone(&self.runtime),
            limits: self.limits,
            turns: self.turns.clone(),
        }
    }

    /// Runs a statement, or a script of several.
    ///
    /// # Errors
    /// With `BigQuery`'s reason and message.
    pub async fn run(&self, request: &Request) -> Result<Outcome, SqlError> {
        match script::read(&request.text)? {
            script::Text::Statement(piece) => {
                self.statement(&piece, &Scope::default(), request).await
            }
            script::Text::Script(block) => Box::pin(script::run(self, &block, request)).await,
        }
    }

    /// Runs one statement.
    pub(super) async fn statement(
        &self,
        piece: &Piece,
        scope: &Scope,
        request: &Request,
    ) -> Result<Outcome, SqlError> {
        let kind = piece.kind()?;
        if matches!(kind, Kind::Ddl | Kind::Dml)
            && !request.dry_run
            && let Some(outcome) = self.already(request)
        {
            return Ok(outcome);
        }
        match kind {
            // What waits for all of this is large: it is not to lie on the stack of who asks.
            Kind::Query => Box::pin(self.query(piece, scope, request)).await,
            Kind::Ddl => Box::pin(ddl::run(self, scope, piece, request)).await,
            Kind::Dml => Box::pin(dml::run(self, scope, piece, request)).await,
            Kind::Script => Err(SqlError::unsupported(format!(
                "the statement {}",
                piece.word(0)
            ))),
        }
    }

    async fn query(
        &self,
        piece: &Piece,
        scope: &Scope,
        request: &Request,
    ) -> Result<Outcome, SqlError> {
        let (statement, words) = piece.parsed()?;
        let Statement::Query(query) = statement else {
            return Err(SqlError::invalid("Syntax error: a query is expected"));
        };
        let rows = self.rows(*query, scope, request, &words).await?;
        let mut outcome = Outcome::of("SELECT");
        outcome.schema = rows.schema.clone();
        outcome.bytes_processed = rows.bytes;
        if !request.dry_run {
            outcome.batches = rows.collect().await?;
        }
        Ok(outcome)
    }

    /// The rows of a query, which are made as they are taken. Errors of planning are found here, also for a dry run; what
    /// it reads is known from then on.
    pub(super) async fn rows(
        &self,
        query: Query,
        scope: &Scope,
        request: &Request,
        words: &Words,
    ) -> Result<Rows, SqlError> {
        let written = written_names(&query);
        let mut session = self.session();
        let given = (request, words, scope);
        let plan = self.plan(query, given, &mut session, 0).await?;
        session.names.extend(written);
        let frame = DataFrame::new(session.ctx.state(), plan);
        let schema = shown(frame.schema().as_arrow(), &session.names);
        let schema = Schema::from_arrow(&schema)
            .map_err(|error| SqlError::unsupported(error.to_string()))?;
        let context = Arc::new(frame.task_ctx());
        let physical = frame
            .create_physical_plan()
            .await
            .map_err(|error| SqlError::from_engine(&error, words))?;
        let bytes = session.bytes + session.meter.bytes();
        affordable(bytes, request)?;
        let plan = (physical, context, self.turns.clone());
        Ok(Rows::new(schema, bytes, plan, words.clone()))
    }

    /// The value of an expression: one row.
    pub(super) async fn evaluate(
        &self,
        expression: &Piece,
        scope: &Scope,
        request: &Request,
    ) -> Result<(Field, ArrayRef), SqlError> {
        let (statement, words) = expression.selected()?.parsed()?;
        let Statement::Query(query) = statement else {
            return Err(SqlError::invalid("Syntax error: an expression is expected"));
        };
        let rows = self.rows(*query, scope, request, &words).await?;
        let [field] = rows.schema.fields.as_slice() else {
            return Err(SqlError::invalid(format!(
                "Syntax error: a single expression is expected: {}",
                expression.source()
            )));
        };
        let field = field.clone();
        let batches = rows.collect().await?;
        match batches.iter().find(|batch| batch.num_rows() > 0) {
            Some(batch) => Ok((field, batch.column(0).slice(0, 1))),
            None => Err(SqlError::invalid("Syntax error: an expression is expected")),
        }
    }

    /// The tables, for a statement that changes some of them: those bear the stamp of its job.
    pub(super) fn warehouse(&self, request: &Request) -> Result<Warehouse, SqlError> {
        let warehouse = self.catalog.warehouse().ok_or_else(|| {
            SqlError::unsupported("changes of tables: they cannot be changed here")
        })?;
        Ok(match &request.job {
            Some(job) => warehouse.stamped(job),
            None => warehouse.clone(),
        })
    }

    /// The table that a statement is to change, by the parts of its name as they were written; whether it is there is
    /// another question, but its dataset is, and is where the statement is run.
    pub(super) fn target(
        &self,
        parts: &[String],
        scope: &Scope,
        request: &Request,
    ) -> Result<TableId, SqlError> {
        let parts: Vec<String> = parts
            .iter()
            .flat_map(|part| part.split('.').map(str::to_owned))
            .collect();
        if let [table] = parts.as_slice()
            && let Some(id) = scope.temporary.get(&table.to_lowercase())
        {
            return Ok(id.clone());
        }
        let id = TableId::from(&full_name(&parts, request)?);
        self.catalog.touch(&id.of())?;
        Ok(id)
    }

    /// Whether the statement of a request had begun to change something before a kill.
    pub(super) fn announced(&self, request: &Request) -> bool {
        match (&request.diary, &request.job) {
            (Some(diary), Some(stamp)) => diary.did(stamp).is_some(),
            _ => false,
        }
    }

    /// What the statement of a request did, if it was done before a kill.
    fn already(&self, request: &Request) -> Option<Outcome> {
        let stamp = request.job.as_ref()?;
        let (outcome, over) = request.diary.as_ref()?.did(stamp)?;
        if over {
            return Some(outcome);
        }
        let warehouse = self.catalog.warehouse()?;
        let target = outcome.target.as_ref();
        let bearing = warehouse.bearing(stamp);
        let done = match target {
            None => !bearing.is_empty(),
            Some(target) => {
                // What is gone bears no stamp, nor does a dataset.
                let dataset = target.table.table.is_empty();
                let there = if dataset {
                    warehouse.dataset(&target.table.of()).is_ok()
                } else {
                    warehouse.table(&target.table).is_ok()
                };
                match target.operation {
                    Operation::Drop => !there,
                    Operation::Create if dataset => there,
                    // A table that got another name is gone when all of it is done.
                    Operation::Alter if !there => !bearing.is_empty(),
                    _ => bearing.contains(&target.table),
                }
            }
        };
        done.then_some(outcome)
    }

    /// The present.
    pub(super) fn now(&self, request: &Request) -> DateTime<Utc> {
        self.catalog.warehouse().map_or(request.now, Warehouse::now)
    }

    /// Where statements are run and looked up.
    pub(super) fn catalog(&self) -> &Arc<dyn Catalog> {
        &self.catalog
    }

    /// Tells the diary of a request what will have been done. To be called right before the change itself.
    pub(super) fn will(&self, request: &Request, outcome: &Outcome) -> Result<(), SqlError> {
        match (&request.diary, &request.job) {
            (Some(diary), Some(stamp)) => diary.will(stamp, outcome),
            _ => Ok(()),
        }
    }

    fn session(&self) -> Session {
        let mut config = SessionConfig::new()
            .with_target_partitions(PARTITIONS)
            .with_information_schema(false);
        config.options_mut().sql_parser.default_null_ordering = "nulls_min".to_owned();
        config.options_mut().sql_parser.dialect = datafusion::common::config::Dialect::BigQuery;
        config.options_mut().execution.time_zone = None;
        config.options_mut().execution.sort_spill_reservation_bytes = self.limits.merging();
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
        for function in percentile::all() {
            ctx.register_udaf(function);
        }
        Session::new(ctx)
    }

    /// The plan of a query, with its tables looked up.
    fn plan<'a>(
        &'a self,
        mut query: Query,
        (request, words, scope): (&'a Request, &'a Words, &'a Scope),
        session: &'a mut Session,
        depth: usize,
    ) -> BoxFuture<'a, Result<LogicalPlan, SqlError>> {
        Box::pin(async move {
            if depth > 16 {
                return Err(SqlError::invalid("Views are nested more than 16 deep"));
            }
            let context = super::parameter::context(request, scope)?;
            for function in super::variable::functions(scope)
                .map_err(|error| SqlError::from_engine(&error, words))?
            {
                session.ctx.register_udf(function);
            }
            let mut rewrite = Rewrite::new(&context);
            rewrite.run(&mut query)?;
            let mut hidden = HashMap::new();
            for table in rewrite.tables {
                if let Some(files) = &table.files {
                    self.register_files(files, &table.planned, session).await?;
                    continue;
                }
                if let Some(view) = information::view(&table.parts, request) {
                    let rows = information::rows(self.catalog.as_ref(), &view)?;
                    let frame = session
                        .ctx
                        .read_batch(rows)
                        .map_err(|error| SqlError::from_engine(&error, words))?;
                    session.add(frame, &table.planned)?;
                    continue;
                }
                let name = match table.parts.as_slice() {
                    [one] if scope.temporary.contains_key(&one.to_lowercase()) => {
                        TableName::from(&scope.temporary[&one.to_lowercase()])
                    }
                    parts => full_name(parts, request)?,
                };
                let pseudo = self
                    .register((&name, &table.planned), request, session, depth)
                    .await
                    .map_err(|mut error| {
                        if error.reason == "notFound" {
                            error.message.push_str(&table.place);
                        }
                        error
                    })?;
                if !pseudo.is_empty() {
                    hidden.insert(table.planned, pseudo);
                }
            }
            pseudo::hide(&mut query, &hidden);
            session
                .planned(&query, scope)
                .await
                .map_err(|error| SqlError::from_engine(&error, words))
        })
    }

    /// Gives a session a table; says which of its columns `*` does not stand for.
    async fn register(
        &self,
        (name, planned): (&TableName, &str),
        request: &Request,
        session: &mut Session,
        depth: usize,
    ) -> Result<HashSet<String>, SqlError> {
        let mut pseudo = HashSet::new();
        let failed = |error: DataFusionError| SqlError::from_engine(&error, &Words::default());
        if name.table.ends_with('*') {
            let rows = wildcard::rows(self.catalog.as_ref(), name, session).await?;
            session.add(rows, planned)?;
            return Ok(wildcard::hidden());
        }
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
                    if scan.has_partition_columns() {
                        pseudo.extend([PARTITION_TIME, PARTITION_DATE].map(str::to_lowercase));
                    }
                }
                session.ctx.read_table(Arc::new(scan)).map_err(failed)?
            }
            Some(Relation::View(text)) => self.view((name, text), request, session, depth).await?,
            Some(Relation::NamedView(text, names)) => {
                let frame = self.view((name, text), request, session, depth).await?;
                let columns: Vec<_> = frame
                    .schema()
                    .fields()
                    .iter()
                    .zip(&names)
                    .map(|(field, name)| ident(field.name()).alias(name))
                    .collect();
                frame.select(columns).map_err(failed)?
            }
        };
        session.add(frame, planned)?;
        Ok(pseudo)
    }

    /// The rows of a view.
    async fn view(
        &self,
        (name, text): (&TableName, String),
        request: &Request,
        session: &mut Session,
        depth: usize,
    ) -> Result<DataFrame, SqlError> {
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
        // Names without a dataset are those of the view's own; what a script knows, it does not.
        request.project.clone_from(&name.project);
        request.default_dataset = Some(name.dataset.clone());
        let scope = Scope::default();
        let given = (&request, &words, &scope);
        let written = written_names(&query);
        let plan = self.plan(*query, given, &mut inner, depth + 1).await?;
        session.bytes += inner.bytes;
        inner.names.extend(written);
        let frame = DataFrame::new(session.ctx.state(), plan);
        let names = shown(frame.schema().as_arrow(), &inner.names);
        let columns: Vec<_> = frame
            .schema()
            .fields()
            .iter()
            .zip(names.fields())
            .map(|(field, named)| ident(field.name()).alias(named.name()))
            .collect();
        frame
            .select(columns)
            .map_err(|error| SqlError::from_engine(&error, &words))
    }
}

/// Refuses a statement that reads more than it may.
pub(super) fn affordable(bytes: u64, request: &Request) -> Result<(), SqlError> {
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
