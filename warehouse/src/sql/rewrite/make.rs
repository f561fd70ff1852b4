//! Pieces of syntax trees.

use datafusion::sql::sqlparser::ast::{
    CaseWhen, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, GroupByExpr, Ident, ObjectName, ObjectNamePart, Query, Select, SelectFlavor,
    SelectItem, SetExpr, TableAliasColumnDef, TableFactor, TableWithJoins, Value,
    helpers::attached_token::AttachedToken,
};

/// A literal text.
pub(crate) fn text(value: impl Into<String>) -> Expr {
    Expr::Value(Value::SingleQuotedString(value.into()).into())
}

/// A literal number.
pub(crate) fn number(value: impl ToString) -> Expr {
    Expr::Value(Value::Number(value.to_string(), false).into())
}

/// A column.
pub(crate) fn column(value: &str) -> Expr {
    Expr::Identifier(Ident::with_quote('"', value))
}

/// A query of these columns over another, whose own columns are `c$0`, `c$1`, … in it.
pub(crate) fn over(query: Query, items: Vec<(Expr, String)>) -> Query {
    let inner = (0..items.len())
        .map(|at| TableAliasColumnDef {
            name: Ident::with_quote('"', format!("c${at}")),
            data_type: None,
        })
        .collect();
    let projection = items
        .into_iter()
        .map(|(expr, name)| SelectItem::ExprWithAlias {
            expr,
            alias: Ident::with_quote('"', name),
        })
        .collect();
    select(projection, vec![derived(query, inner)])
}

/// An aggregate of a query's rows.
pub(crate) fn counted(query: Query, aggregate: Expr) -> Query {
    let item = SelectItem::ExprWithAlias {
        expr: aggregate,
        alias: Ident::with_quote('"', "counted$"),
    };
    select(vec![item], vec![derived(query, vec![])])
}

fn derived(query: Query, columns: Vec<TableAliasColumnDef>) -> TableWithJoins {
    let mut alias = super::select::alias("rows$");
    alias.columns = columns;
    TableWithJoins {
        relation: TableFactor::Derived {
            lateral: false,
            subquery: Box::new(query),
            alias: Some(alias),
            sample: None,
        },
        joins: vec![],
    }
}

/// No GROUP BY.
pub(crate) fn ungrouped() -> GroupByExpr {
    GroupByExpr::Expressions(vec![], vec![])
}

/// `SELECT … FROM …` and nothing else.
pub(crate) fn select(projection: Vec<SelectItem>, from: Vec<TableWithJoins>) -> Query {
    let select = Select {
        select_token: AttachedToken::empty(),
        optimizer_hints: vec![],
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection,
        exclude: None,
        into: None,
        from,
        lateral_views: vec![],
        prewhere: None,
        selection: None,
        connect_by: vec![],
        group_by: ungrouped(),
        cluster_by: vec![],
        distribute_by: vec![],
        sort_by: vec![],
        having: None,
        named_window: vec![],
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: SelectFlavor::Standard,
    };
    Query {
        with: None,
        body: Box::new(SetExpr::Select(Box::new(select))),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: vec![],
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: vec![],
    }
}

/// An argument.
pub(crate) fn arg(expr: Expr) -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
}

/// A name.
pub(crate) fn name(value: &str) -> ObjectName {
    ObjectName(vec![ObjectNamePart::Identifier(Ident::with_quote(
        '"', value,
    ))])
}

/// A call.
pub(crate) fn call(function: &str, args: Vec<Expr>) -> Expr {
    Expr::Function(Function {
        name: name(function),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: args.into_iter().map(arg).collect(),
            clauses: vec![],
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    })
}

/// `CASE WHEN condition THEN result ELSE other END`.
pub(crate) fn case(condition: Expr, result: Expr, other: Option<Expr>) -> Expr {
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition, result }],
        else_result: other.map(Box::new),
    }
}
