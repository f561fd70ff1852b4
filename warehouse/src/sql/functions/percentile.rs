//! `PERCENTILE_CONT` and `PERCENTILE_DISC`, of all values of a window.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use super::math::compare;
use super::row::is_json;
use super::value::{NANO, NUMERIC, V, fail};

/// Both, each once more for windows whose NULLs count.
pub(crate) fn all() -> impl Iterator<Item = AggregateUDF> {
    [(false, false), (false, true), (true, false), (true, true)]
        .into_iter()
        .map(|(discrete, nulls)| AggregateUDF::new_from_impl(Percentile::new(discrete, nulls)))
}

/// The name of one of them.
pub(crate) fn name(discrete: bool, nulls: bool) -> &'static str {
    match (discrete, nulls) {
        (false, false) => "percentile_cont$",
        (false, true) => "percentile_cont_nulls$",
        (true, false) => "percentile_disc$",
        (true, true) => "percentile_disc_nulls$",
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Percentile {
    discrete: bool,
    nulls: bool,
    signature: Signature,
}

impl Percentile {
    fn new(discrete: bool, nulls: bool) -> Self {
        Self {
            discrete,
            nulls,
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }

    fn gives(&self, kind: &DataType) -> Result<DataType> {
        match kind {
            kind if self.discrete => Ok(kind.clone()),
            DataType::Int64 | DataType::Float64 | DataType::Null => Ok(DataType::Float64),
            kind if *kind == NUMERIC => Ok(NUMERIC),
            other => Err(DataFusionError::Plan(format!(
                "No matching signature for function PERCENTILE_CONT for argument type: {}",
                super::type_name(&Field::new("value", other.clone(), true))
            ))),
        }
    }
}

impl AggregateUDFImpl for Percentile {
    fn name(&self) -> &'static str {
        name(self.discrete, self.nulls)
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let [value, _] = arg_types else {
            return Err(DataFusionError::Plan(
                "PERCENTILE_CONT and PERCENTILE_DISC take a value and a percentile".to_owned(),
            ));
        };
        Ok(vec![value.clone(), DataType::Float64])
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.gives(&arg_types[0])
    }

    fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
        let kind = self.gives(fields[0].data_type())?;
        Ok(Arc::new(
            Field::new(self.name(), kind, true).with_metadata(fields[0].metadata().clone()),
        ))
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if args.expr_fields.first().is_some_and(|field| is_json(field)) {
            return fail("PERCENTILE_DISC is not defined for JSON");
        }
        Ok(Box::new(Values {
            discrete: self.discrete,
            nulls: self.nulls,
            kind: args.return_field.data_type().clone(),
            found: Vec::new(),
            percentile: None,
        }))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let item = Field::new("item", args.input_fields[0].data_type().clone(), true);
        Ok(vec![
            Arc::new(Field::new("found", DataType::List(Arc::new(item)), true)),
            Arc::new(Field::new("percentile", DataType::Float64, true)),
        ])
    }
}

#[derive(Debug)]
struct Values {
    discrete: bool,
    nulls: bool,
    kind: DataType,
    found: Vec<ScalarValue>,
    percentile: Option<f64>,
}

impl Values {
    fn take(&mut self, array: &ArrayRef) -> Result<()> {
        for row in 0..array.len() {
            if self.nulls || array.is_valid(row) {
                self.found.push(ScalarValue::try_from_array(array, row)?);
            }
        }
        Ok(())
    }

    fn part(&mut self, array: &ArrayRef) -> Result<()> {
        if let ScalarValue::Float64(Some(part)) = ScalarValue::try_from_array(array, 0)? {
            if !(0.0..=1.0).contains(&part) {
                return fail(format!("The percentile has to be between 0 and 1: {part}"));
            }
            self.percentile = Some(part);
        }
        Ok(())
    }
}

impl Accumulator for Values {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        if values[0].is_empty() {
            return Ok(());
        }
        self.take(&values[0])?;
        self.part(&values[1])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = states[0].as_list::<i32>();
        for list in lists.iter().flatten() {
            self.take(&list)?;
        }
        if states[1].is_empty() {
            return Ok(());
        }
        self.part(&states[1])
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let found = std::mem::take(&mut self.found);
        let array = if found.is_empty() {
            datafusion::arrow::array::new_empty_array(&self.kind)
        } else {
            ScalarValue::iter_to_array(found)?
        };
        Ok(vec![
            SingleRowListArrayBuilder::new(array).build_list_scalar(),
            ScalarValue::Float64(self.percentile),
        ])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let none = ScalarValue::try_from(&self.kind)?;
        let (Some(part), false) = (self.percentile, self.found.is_empty()) else {
            return Ok(none);
        };
        let mut values = self
            .found
            .iter()
            .map(|value| V::from_scalar(value.clone()))
            .collect::<Result<Vec<_>>>()?;
        let mut failed = None;
        values.sort_by(|a, b| match (a, b) {
            (V::Null, V::Null) => std::cmp::Ordering::Equal,
            (V::Null, _) => std::cmp::Ordering::Less,
            (_, V::Null) => std::cmp::Ordering::Greater,
            (a, b) => compare(a, b).unwrap_or_else(|error| {
                failed = Some(error);
                std::cmp::Ordering::Equal
            }),
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let count = values.len();
        if self.discrete {
            // The first whose place reaches the part.
            let place = (part * count as f64).ceil() as usize;
            let at = place.saturating_sub(1).min(count - 1);
            return values[at].clone().into_scalar(&self.kind);
        }
        let place = part * (count - 1) as f64;
        let below = (place.floor() as usize).min(count - 1);
        let above = (place.ceil() as usize).min(count - 1);
        between(&values[below], &values[above], place - place.floor())?.into_scalar(&self.kind)
    }

    fn size(&self) -> usize {
        size_of_val(self) + ScalarValue::size_of_vec(&self.found)
    }
}

/// What lies between two values. Beside NULL it is the other.
fn between(below: &V, above: &V, part: f64) -> Result<V> {
    match (below, above) {
        (V::Null, other) | (other, V::Null) => Ok(match other {
            V::Int(v) => V::Float(*v as f64),
            other => other.clone(),
        }),
        (V::Numeric(below), V::Numeric(above)) => {
            let part = (part * NANO as f64).round() as i128;
            let step = (above - below)
                .checked_mul(part)
                .map(|step| step / NANO)
                .ok_or_else(|| DataFusionError::Execution("numeric overflow".to_owned()))?;
            Ok(V::Numeric(below + step))
        }
        (below, above) => {
            let (below, above) = (below.float()?, above.float()?);
            Ok(V::Float(below * (1.0 - part) + above * part))
        }
    }
}
