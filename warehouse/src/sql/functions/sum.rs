//! SUM of INT64 goes beyond its range on the way; only the result has to be in it.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

/// What INT64 is summed as.
const WIDE: DataType = DataType::Decimal128(38, 0);

/// What is summed, and what comes of it.
pub(super) fn all() -> impl Iterator<Item = Arc<ScalarUDF>> {
    [false, true]
        .into_iter()
        .map(|out| Arc::new(ScalarUDF::new_from_impl(Edge::new(out))))
}

/// One end of a sum; values of other types it leaves alone.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Edge {
    out: bool,
    signature: Signature,
}

impl Edge {
    fn new(out: bool) -> Self {
        Self {
            out,
            signature: Signature::any(1, Volatility::Immutable),
        }
    }

    fn other(&self, kind: &DataType) -> Option<DataType> {
        match (self.out, kind) {
            (false, DataType::Int64) => Some(WIDE),
            (true, kind) if *kind == WIDE => Some(DataType::Int64),
            _ => None,
        }
    }
}

impl ScalarUDFImpl for Edge {
    fn name(&self) -> &'static str {
        if self.out { "sum_out$" } else { "sum_in$" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        Ok(self.other(&kinds[0]).unwrap_or_else(|| kinds[0].clone()))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let field = &args.arg_fields[0];
        Ok(match self.other(field.data_type()) {
            Some(kind) => Arc::new(Field::new("value", kind, true)),
            None => Arc::clone(field),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let value = &args.args[0];
        if self.other(&value.data_type()).is_none() {
            return Ok(value.clone());
        }
        let array = value.to_array(args.number_rows)?;
        Ok(ColumnarValue::Array(if self.out {
            narrowed(&array)?
        } else {
            cast(&array, &WIDE)?
        }))
    }
}

fn narrowed(array: &ArrayRef) -> Result<ArrayRef> {
    let narrow = array
        .as_primitive::<Decimal128Type>()
        .iter()
        .map(|value| {
            value.map(i64::try_from).transpose().map_err(|_| {
                DataFusionError::Execution("int64 overflow in aggregate SUM".to_owned())
            })
        })
        .collect::<Result<Int64Array>>()?;
    Ok(Arc::new(narrow))
}
