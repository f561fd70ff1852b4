//! Values that are known before a statement is planned, as functions without arguments.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast::Expr;

use super::rewrite::make;
use super::scope::{Scope, Variable};

/// The name of the function that gives a variable.
pub(super) fn function(name: &str) -> String {
    format!("variable${name}")
}

/// A call of it.
pub(super) fn call(name: &str) -> Expr {
    make::call(&function(name), vec![])
}

/// All functions of a scope.
pub(super) fn functions(scope: &Scope) -> Result<Vec<ScalarUDF>> {
    let system = scope
        .system
        .iter()
        .map(|(name, value)| (format!("@@{name}"), value));
    let variables = scope
        .variables
        .iter()
        .map(|(name, value)| (name.clone(), value));
    let parameters = scope
        .parameters
        .iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value));
    variables
        .chain(system)
        .chain(parameters)
        .map(|(name, value)| Given::new(&name, value).map(ScalarUDF::new_from_impl))
        .collect()
}

#[derive(Debug)]
struct Given {
    name: String,
    signature: Signature,
    field: FieldRef,
    value: ScalarValue,
}

impl Given {
    fn new(name: &str, variable: &Variable) -> Result<Self> {
        Ok(Self {
            name: function(name),
            signature: Signature::nullary(Volatility::Immutable),
            field: Arc::new(
                variable
                    .field
                    .to_arrow()
                    .with_name(name)
                    .with_nullable(true),
            ),
            value: ScalarValue::try_from_array(&variable.value, 0)?,
        })
    }
}

impl PartialEq for Given {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.value == other.value
    }
}

impl Eq for Given {}

impl Hash for Given {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Given {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.field.data_type().clone())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::clone(&self.field))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(self.value.clone()))
    }
}
