//! A subquery of one row, for many rows at once: each of its rows bears the number of the row around it, and what it does with
//! all of its rows it does with those of each number.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema};
use datafusion::datasource::provider_as_source;
use datafusion::error::{DataFusionError, Result};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::expr::{Alias, WindowFunction};
use datafusion::logical_expr::logical_plan::{FetchType, SkipType};
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, ExprFunctionExt, Join, JoinType, Limit, LogicalPlan,
    LogicalPlanBuilder, SortExpr, Union, Unnest, Window, lit, when,
};

use super::call::Asked;
use super::given::Given;
use super::same;

/// The number of the row around.
const ROW: &str = "given$row";
/// The same, on the other side of a join.
const RIGHT: &str = "given$right";

/// The rows of a subquery, and the column with their order.
type Rows = (LogicalPlan, Option<String>);

/// Spreads subqueries over rows.
pub(super) struct Spread {
    columns: Vec<Column>,
    given: SchemaRef,
    leaf: LogicalPlan,
}

fn at(place: usize) -> String {
    format!("given${place}")
}

fn named(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

fn refused(what: &str) -> DataFusionError {
    DataFusionError::NotImplemented(format!(
        "The sandbox does not cover {what} in a subquery over UNNEST of another query's column"
    ))
}

/// The columns of a plan as they are.
fn own(schema: &DFSchema) -> Vec<Expr> {
    schema
        .iter()
        .map(|(qualifier, field)| Expr::Column(Column::from((qualifier, field))))
        .collect()
}

impl Spread {
    /// Over rows with these columns of queries around, whose fields may be more than they are.
    pub(super) fn new(columns: Vec<Column>, fields: Vec<FieldRef>) -> Result<Self> {
        let rest = fields.iter().enumerate().map(|(place, field)| {
            Field::new(at(place), field.data_type().clone(), true)
                .with_metadata(field.metadata().clone())
        });
        let row = Field::new(ROW, DataType::Int64, false);
        let given: SchemaRef = Arc::new(Schema::new(
            std::iter::once(row).chain(rest).collect::<Vec<_>>(),
        ));
        let table = provider_as_source(Arc::new(Given(Arc::clone(&given))));
        let scan = LogicalPlanBuilder::scan("given$", table, None)?;
        let all = own(scan.schema())
            .into_iter()
            .zip(given.fields())
            .map(|(column, field)| column.alias(field.name()));
        let leaf = scan.project(all)?.build()?;
        Ok(Self {
            columns,
            given,
            leaf,
        })
    }

    /// The columns of the rows around.
    pub(super) fn given(&self) -> SchemaRef {
        Arc::clone(&self.given)
    }

    /// What is asked of a subquery beside the number of the row around.
    pub(super) fn asked(&self, subquery: &LogicalPlan, asked: Asked) -> Result<LogicalPlan> {
        let (rows, _) = self.rows(subquery, false)?;
        let columns = own(subquery.schema());
        let first = columns
            .first()
            .cloned()
            .ok_or_else(|| refused("no column"))?;
        if asked != Asked::Exists && columns.len() != 1 {
            return Err(DataFusionError::Plan(
                "Scalar subquery cannot have more than one column unless using SELECT AS STRUCT to build STRUCT values"
                    .to_owned(),
            ));
        }
        let value = match asked {
            Asked::Value => first,
            Asked::Exists => lit(true),
            Asked::Within => same(named(&at(self.columns.len())), first),
        };
        LogicalPlanBuilder::from(rows)
            .project([value.alias("value"), named(ROW)])?
            .build()
    }

    /// The columns that every plan hands on.
    fn carried(&self, order: Option<&String>) -> Vec<Expr> {
        let names = self.given.fields().iter().map(|field| named(field.name()));
        names.chain(order.map(|name| named(name))).collect()
    }

    /// Columns of the row around are columns here.
    fn here(&self, expr: &Expr) -> Result<Expr> {
        let place = |column: &Column| self.columns.iter().position(|known| known == column);
        let done = expr.clone().transform(|expr| match &expr {
            Expr::OuterReferenceColumn(_, column) => match place(column) {
                Some(place) => Ok(Transformed::yes(named(&at(place)))),
                None => Ok(Transformed::no(expr)),
            },
            _ => Ok(Transformed::no(expr)),
        })?;
        Ok(done.data)
    }

    /// Expressions with the names that a schema has for them.
    fn all(&self, exprs: &[Expr], schema: &DFSchema) -> Result<Vec<Expr>> {
        exprs
            .iter()
            .zip(schema.iter())
            .map(|(expr, (qualifier, field))| {
                let metadata = match expr {
                    Expr::Alias(Alias { metadata, .. }) => metadata.clone(),
                    _ => None,
                };
                Ok(self
                    .here(&expr.clone().unalias())?
                    .alias_qualified_with_metadata(qualifier.cloned(), field.name(), metadata))
            })
            .collect()
    }

    fn rows(&self, plan: &LogicalPlan, ordered: bool) -> Result<Rows> {
        match plan {
            LogicalPlan::Subquery(subquery) => self.rows(&subquery.subquery, ordered),
            LogicalPlan::EmptyRelation(empty) if empty.produce_one_row => {
                Ok((self.leaf.clone(), None))
            }
            LogicalPlan::Projection(projection) => {
                let (rows, order) = self.rows(&projection.input, ordered)?;
                let mut columns = self.all(&projection.expr, &projection.schema)?;
                columns.extend(self.carried(order.as_ref()));
                Ok((project(rows, columns)?, order))
            }
            LogicalPlan::Filter(filter) => {
                let (rows, order) = self.rows(&filter.input, ordered)?;
                let rows = LogicalPlanBuilder::from(rows).filter(self.here(&filter.predicate)?)?;
                Ok((rows.build()?, order))
            }
            LogicalPlan::SubqueryAlias(alias) => {
                let (rows, order) = self.rows(&alias.input, ordered)?;
                let mut columns = self.all(&own(alias.input.schema()), &alias.schema)?;
                columns.extend(self.carried(order.as_ref()));
                Ok((project(rows, columns)?, order))
            }
            LogicalPlan::Unnest(unnest) => {
                let (rows, _) = self.rows(&unnest.input, false)?;
                let columns = unnest.exec_columns.clone();
                let items = Unnest::try_new(Arc::new(rows), columns, unnest.options.clone())?;
                Ok((LogicalPlan::Unnest(items), None))
            }
            LogicalPlan::Aggregate(aggregate) => Ok((self.aggregate(aggregate)?, None)),
            LogicalPlan::Distinct(Distinct::All(input)) => Ok((self.distinct(input)?, None)),
            LogicalPlan::Sort(sort) if ordered => {
                let (rows, _) = self.rows(&sort.input, false)?;
                let by = sort
                    .expr
                    .iter()
                    .map(|by| Ok(by.with_expr(self.here(&by.expr)?)))
                    .collect::<Result<Vec<_>>>()?;
                let order = "given$order".to_owned();
                Ok((self.counted(rows, &sort.input, by, &order)?, Some(order)))
            }
            LogicalPlan::Sort(sort) => self.rows(&sort.input, false),
            LogicalPlan::Limit(limit) => Ok((self.limit(limit)?, None)),
            LogicalPlan::Window(window) => Ok((self.window(window)?, None)),
            LogicalPlan::Join(join) => Ok((self.join(join)?, None)),
            LogicalPlan::Union(union) => Ok((self.union(union)?, None)),
            other => Err(refused(&format!("{}", other.display()))),
        }
    }

    /// Rows of some of the numbers beside the rows around. Their own number is `RIGHT`.
    fn beside(
        &self,
        right: LogicalPlan,
        kind: JoinType,
        columns: Vec<Expr>,
    ) -> Result<LogicalPlan> {
        let rows = LogicalPlanBuilder::from(self.leaf.clone())
            .join_on(right, kind, [named(ROW).eq(named(RIGHT))])?
            .build()?;
        project(
            rows,
            columns.into_iter().chain(self.carried(None)).collect(),
        )
    }

    fn aggregate(&self, aggregate: &Aggregate) -> Result<LogicalPlan> {
        let (rows, _) = self.rows(&aggregate.input, false)?;
        if matches!(aggregate.group_expr.as_slice(), [Expr::GroupingSet(_)]) {
            return Err(refused("GROUPING SETS"));
        }
        let here = |exprs: &[Expr]| exprs.iter().map(|expr| self.here(expr)).collect();
        let mut groups: Vec<Expr> = Result::from_iter::<Vec<_>>(here(&aggregate.group_expr))?;
        let count = groups.len();
        groups.push(named(ROW));
        let found: Vec<Expr> = Result::from_iter::<Vec<_>>(here(&aggregate.aggr_expr))?;
        let made = Aggregate::try_new(Arc::new(rows), groups, found.clone())?;
        let mut columns = own(&made.schema);
        let row = columns.remove(count);
        let named_so = |(column, (qualifier, field)): (Expr, (Option<&_>, &FieldRef))| {
            column.alias_qualified(qualifier.cloned(), field.name())
        };
        let mut right: Vec<Expr> = columns
            .into_iter()
            .zip(aggregate.schema.iter())
            .map(named_so)
            .collect();
        right.push(row.alias(RIGHT));
        let right = project(LogicalPlan::Aggregate(made), right)?;
        if count > 0 {
            return self.beside(right, JoinType::Inner, own(&aggregate.schema));
        }
        // There is a row also where nothing was aggregated.
        let columns = own(&aggregate.schema)
            .into_iter()
            .zip(found)
            .zip(aggregate.schema.iter())
            .map(|((column, expr), (qualifier, field))| {
                let empty = match expr.unalias() {
                    Expr::AggregateFunction(call) => call.func.default_value(field.data_type())?,
                    _ => field.data_type().try_into()?,
                };
                if empty.is_null() {
                    return Ok(column);
                }
                Ok(when(named(RIGHT).is_null(), lit(empty))
                    .otherwise(column)?
                    .alias_qualified(qualifier.cloned(), field.name()))
            })
            .collect::<Result<Vec<_>>>()?;
        self.beside(right, JoinType::Left, columns)
    }

    fn distinct(&self, input: &LogicalPlan) -> Result<LogicalPlan> {
        let (rows, _) = self.rows(input, false)?;
        let mut columns = own(input.schema());
        columns.push(named(ROW).alias(RIGHT));
        let right = LogicalPlanBuilder::from(rows)
            .project(columns)?
            .distinct()?
            .build()?;
        self.beside(right, JoinType::Inner, own(input.schema()))
    }

    /// The place of each row among those of its number.
    fn counted(
        &self,
        rows: LogicalPlan,
        shown: &LogicalPlan,
        by: Vec<SortExpr>,
        name: &str,
    ) -> Result<LogicalPlan> {
        let place = row_number()
            .partition_by(vec![named(ROW)])
            .order_by(by)
            .build()?;
        let rows = LogicalPlanBuilder::from(rows).window([place])?.build()?;
        let last = own(rows.schema()).pop().ok_or_else(|| refused("LIMIT"))?;
        let mut columns = own(shown.schema());
        columns.extend(self.carried(None));
        columns.push(last.alias(name));
        project(rows, columns)
    }

    fn limit(&self, limit: &Limit) -> Result<LogicalPlan> {
        let (SkipType::Literal(skip), FetchType::Literal(fetch)) =
            (limit.get_skip_type()?, limit.get_fetch_type()?)
        else {
            return Err(refused("LIMIT of an expression"));
        };
        let (mut rows, order) = self.rows(&limit.input, true)?;
        let place = match order {
            Some(order) => order,
            None => {
                let order = "given$place".to_owned();
                rows = self.counted(rows, &limit.input, vec![], &order)?;
                order
            }
        };
        let number = |count: usize| lit(u64::try_from(count).unwrap_or(u64::MAX));
        let mut condition = named(&place).gt(number(skip));
        if let Some(fetch) = fetch {
            condition = condition.and(named(&place).lt_eq(number(skip.saturating_add(fetch))));
        }
        let rows = LogicalPlanBuilder::from(rows).filter(condition)?.build()?;
        let mut columns = own(limit.input.schema());
        columns.extend(self.carried(None));
        project(rows, columns)
    }

    fn window(&self, window: &Window) -> Result<LogicalPlan> {
        let (rows, _) = self.rows(&window.input, false)?;
        let within = window
            .window_expr
            .iter()
            .map(|expr| {
                let done = self.here(expr)?.transform(|expr| match expr {
                    Expr::WindowFunction(call) => {
                        let WindowFunction { fun, mut params } = *call;
                        params.partition_by.push(named(ROW));
                        Ok(Transformed::yes(Expr::from(WindowFunction { fun, params })))
                    }
                    expr => Ok(Transformed::no(expr)),
                })?;
                Ok(done.data)
            })
            .collect::<Result<Vec<_>>>()?;
        let count = within.len();
        let made = Window::try_new(within, Arc::new(rows))?;
        let all = own(&made.schema);
        let columns = own(window.input.schema());
        let shown = window.schema.iter().skip(columns.len());
        let found = all[all.len() - count..].iter().cloned().zip(shown).map(
            |(column, (qualifier, field))| column.alias_qualified(qualifier.cloned(), field.name()),
        );
        let columns: Vec<Expr> = columns
            .into_iter()
            .chain(found)
            .chain(self.carried(None))
            .collect();
        project(LogicalPlan::Window(made), columns)
    }

    fn join(&self, join: &Join) -> Result<LogicalPlan> {
        if !matches!(join.join_type, JoinType::Inner | JoinType::Left) {
            return Err(refused("this join"));
        }
        let (left, _) = self.rows(&join.left, false)?;
        let (right, _) = self.rows(&join.right, false)?;
        let mut columns = own(join.right.schema());
        columns.push(named(ROW).alias(RIGHT));
        let right = project(right, columns)?;
        let mut on = vec![named(ROW).eq(named(RIGHT))];
        for (left, right) in &join.on {
            on.push(same(self.here(left)?, self.here(right)?));
        }
        if let Some(filter) = &join.filter {
            on.push(self.here(filter)?);
        }
        let rows = LogicalPlanBuilder::from(left)
            .join_on(right, join.join_type, on)?
            .build()?;
        let mut columns = own(&join.schema);
        columns.extend(self.carried(None));
        project(rows, columns)
    }

    fn union(&self, union: &Union) -> Result<LogicalPlan> {
        let inputs = union
            .inputs
            .iter()
            .map(|input| {
                let (rows, _) = self.rows(input, false)?;
                let mut columns = self.all(&own(input.schema()), &union.schema)?;
                columns.extend(self.carried(None));
                project(rows, columns).map(Arc::new)
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?))
    }
}

fn project(rows: LogicalPlan, columns: Vec<Expr>) -> Result<LogicalPlan> {
    LogicalPlanBuilder::from(rows).project(columns)?.build()
}
