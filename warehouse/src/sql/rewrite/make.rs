//! Pieces of syntax trees.

use datafusion::sql::sqlparser::ast::{
    CaseWhen, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, ObjectNamePart, Value,
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
