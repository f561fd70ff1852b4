//! `MERGE`.

use datafusion::sql::sqlparser::ast::{
    Expr, Join, JoinConstraint, JoinOperator, Merge, MergeAction, MergeClause, MergeClauseKind,
    MergeInsertExpr, MergeInsertKind, SelectItem, TableFactor, TableWithJoins, Value,
    WildcardAdditionalOptions,
};

use super::insert::{Goes, defaults, goes};
use super::part::{Clause, Part, Values, What, part, when};
use super::side::Side;
use super::target::Target;
use super::tree::{alone, bared, column, derived, item, select};
use super::update::set;
use super::work::{self, Statement, Wording};
use super::{Run, Undone, values};
use crate::sql::error::SqlError;
use crate::sql::request::Outcome;
use crate::tables::ROW;

/// The column of the source that is there wherever a row of it is.
const HERE: &str = "here$";

pub(super) async fn run(run: &Run<'_>, merge: Merge) -> Result<Outcome, Undone> {
    let target = Target::of_factor(run, &merge.table)?;
    let turn = target.warehouse.turn(&target.id);
    let _turn = (!run.request.dry_run).then_some(turn.lock().await);
    let target = Target::of_factor(run, &merge.table)?;
    if merge.output.is_some() || merge.clauses.is_empty() {
        return Err(SqlError::invalid("Syntax error: MERGE needs WHEN clauses").into());
    }
    let parts = Merging {
        run,
        target: &target,
        alias: source_alias(&merge.source)?,
        source: merge.source,
    }
    .parts(bared(*merge.on), merge.clauses)
    .await?;
    let statement = Statement {
        kind: "MERGE",
        parts,
        wording: Wording::Value,
    };
    work::run(run, &target, statement).await
}

/// How a source is called.
fn source_alias(source: &TableFactor) -> Result<String, SqlError> {
    let alias = match source {
        TableFactor::Table { alias, .. }
        | TableFactor::Derived { alias, .. }
        | TableFactor::UNNEST { alias, .. } => alias,
        other => {
            return Err(SqlError::unsupported(format!(
                "MERGE with the source {other}"
            )));
        }
    };
    Ok(match (alias, source) {
        (Some(alias), _) => alias.name.value.to_lowercase(),
        (None, TableFactor::Table { name, .. }) => {
            let last = name.0.last().and_then(|part| part.as_ident());
            let last = last
                .map(|ident| ident.value.to_lowercase())
                .unwrap_or_default();
            last.rsplit('.').next().unwrap_or_default().to_owned()
        }
        _ => "source$".to_owned(),
    })
}

/// A MERGE while it is made queries.
struct Merging<'a> {
    run: &'a Run<'a>,
    target: &'a Target,
    source: TableFactor,
    alias: String,
}

impl Merging<'_> {
    async fn parts(&self, on: Expr, clauses: Vec<MergeClause>) -> Result<Vec<Part>, SqlError> {
        use MergeClauseKind as Is;
        let never = matches!(&on, Expr::Value(value) if value.value == Value::Boolean(false));
        let insert = |clause: &MergeClause| matches!(clause.action, MergeAction::Insert(_));
        let columns = if clauses.iter().any(insert) {
            self.columns().await?
        } else {
            Vec::new()
        };
        let target = || column(&self.target.alias, &[ROW]);
        let source = || column(&self.alias, &[HERE]);
        let any = |kinds: &[Is]| clauses.iter().any(|one| kinds.contains(&one.clause_kind));
        let (matched, comes, stays) = (
            any(&[Is::Matched]),
            any(&[Is::NotMatched, Is::NotMatchedByTarget]),
            any(&[Is::NotMatchedBySource]),
        );
        let (mut of_target, mut of_source, mut all) = (Vec::new(), Vec::new(), Vec::new());
        for mut clause in clauses {
            let kind = clause.clause_kind;
            if kind != Is::Matched {
                self.of_one_side(kind == Is::NotMatchedBySource, &columns, &mut clause)?;
            }
            // A row that is not there is known by a column that is never NULL.
            let there = match kind {
                _ if never => None,
                Is::Matched => super::tree::and(
                    comes
                        .then(|| Expr::IsNotNull(Box::new(target())))
                        .into_iter()
                        .chain(stays.then(|| Expr::IsNotNull(Box::new(source())))),
                ),
                Is::NotMatchedBySource => Some(Expr::IsNull(Box::new(source()))),
                _ => Some(Expr::IsNull(Box::new(target()))),
            };
            let made = Clause {
                when: when(there, clause.predicate),
                what: self.what(clause.action, &columns)?,
            };
            match kind {
                Is::Matched if never => {}
                Is::NotMatchedBySource if never => of_target.push(made),
                _ if never => of_source.push(made),
                _ => all.push(made),
            }
        }
        let mut parts = Vec::new();
        if !of_target.is_empty() {
            let from = vec![alone(self.target.factor())];
            parts.push(part(self.target, from, true, of_target)?);
        }
        if !of_source.is_empty() {
            let from = vec![alone(self.named())];
            parts.push(part(self.target, from, false, of_source)?);
        }
        if !all.is_empty() {
            let from = vec![self.joined(on, (matched, comes, stays))?];
            parts.push(part(self.target, from, true, all)?);
        }
        Ok(parts)
    }

    /// Both sides, with those rows of each that some clause is about.
    fn joined(
        &self,
        on: Expr,
        (_, comes, stays): (bool, bool, bool),
    ) -> Result<TableWithJoins, SqlError> {
        let on = JoinConstraint::On(on);
        let join = |relation, join_operator| Join {
            relation,
            global: false,
            join_operator,
        };
        Ok(match (comes, stays) {
            (false, false) => TableWithJoins {
                relation: self.target.factor(),
                joins: vec![join(self.named(), JoinOperator::Inner(on))],
            },
            (true, false) => TableWithJoins {
                relation: self.named(),
                joins: vec![join(self.target.factor(), JoinOperator::LeftOuter(on))],
            },
            (false, true) => TableWithJoins {
                relation: self.target.factor(),
                joins: vec![join(self.marked()?, JoinOperator::LeftOuter(on))],
            },
            (true, true) => TableWithJoins {
                relation: self.target.factor(),
                joins: vec![join(self.marked()?, JoinOperator::FullOuter(on))],
            },
        })
    }

    /// The source with an alias.
    fn named(&self) -> TableFactor {
        let mut source = self.source.clone();
        if let TableFactor::Table { alias, .. } | TableFactor::Derived { alias, .. } = &mut source
            && alias.is_none()
        {
            *alias = Some(super::tree::alias(&self.alias));
        }
        source
    }

    /// The source with a column that says that its row is there.
    fn marked(&self) -> Result<TableFactor, SqlError> {
        let here = Expr::Value(Value::Boolean(true).into());
        let items = vec![
            SelectItem::Wildcard(WildcardAdditionalOptions::default()),
            item(here, HERE),
        ];
        let rows = select(items, vec![alone(self.named())], None)?;
        Ok(derived(rows, &self.alias))
    }

    /// A clause about rows that only one side has knows no other names.
    fn of_one_side(
        &self,
        target: bool,
        columns: &[String],
        clause: &mut MergeClause,
    ) -> Result<(), SqlError> {
        let fields = self.target.fields().iter();
        let side = if target {
            Side {
                alias: &self.target.alias,
                columns: fields.map(|field| field.name.to_lowercase()).collect(),
                other: &self.alias,
            }
        } else {
            Side {
                alias: &self.alias,
                columns: columns.iter().cloned().collect(),
                other: &self.target.alias,
            }
        };
        if let Some(predicate) = &mut clause.predicate {
            side.expr(predicate)?;
        }
        side.action(&mut clause.action)
    }

    /// The names of the source's columns.
    async fn columns(&self) -> Result<Vec<String>, SqlError> {
        let all = vec![SelectItem::Wildcard(WildcardAdditionalOptions::default())];
        let query = select(all, vec![alone(self.named())], None)?;
        let Run {
            engine,
            scope,
            request,
            words,
        } = self.run;
        let rows = engine.rows(query, scope, request, words).await?;
        Ok(rows
            .schema
            .fields
            .iter()
            .map(|field| field.name.to_lowercase())
            .collect())
    }

    fn what(&self, action: MergeAction, columns: &[String]) -> Result<What, SqlError> {
        Ok(match action {
            MergeAction::Delete { .. } => What::Delete,
            MergeAction::Update(update) => {
                if update.update_predicate.is_some() || update.delete_predicate.is_some() {
                    return Err(SqlError::invalid("Syntax error: Unexpected keyword WHERE"));
                }
                What::Update(set(self.target, update.assignments)?)
            }
            MergeAction::Insert(insert) => What::Insert(self.row(insert, columns)?),
        })
    }

    fn row(&self, insert: MergeInsertExpr, columns: &[String]) -> Result<Values, SqlError> {
        if insert.insert_predicate.is_some() {
            return Err(SqlError::invalid("Syntax error: Unexpected keyword WHERE"));
        }
        let goes = goes(self.target, &insert.columns)?;
        let row = match insert.kind {
            MergeInsertKind::Row => columns
                .iter()
                .map(|name| column(&self.alias, &[name]))
                .collect(),
            MergeInsertKind::Values(values) => match <[_; 1]>::try_from(values.rows) {
                Ok([row]) => row.content,
                Err(_) => return Err(SqlError::invalid("Syntax error: INSERT of several rows")),
            },
        };
        if row.len() != goes.len() {
            return Err(SqlError::invalid(format!(
                "Inserted row has wrong column count; Has {}, expected {}",
                row.len(),
                goes.len()
            )));
        }
        let mut made = Values::default();
        for (value, goes) in row.into_iter().zip(&goes) {
            match goes {
                Goes::Place => made.place = Some(value),
                Goes::Column(at) => {
                    let field = &self.target.fields()[*at];
                    made.columns.insert(*at, values::given(value, field)?);
                }
            }
        }
        for (at, expr) in defaults(self.target, &goes)? {
            made.columns.insert(at, Some(expr));
        }
        Ok(made)
    }
}
