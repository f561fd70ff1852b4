//! Functions that are written for one row, with their signatures as text.
//!
//! A signature is `arguments->result` with one letter for each type, `[…]` around what may be left out, `*` behind a letter
//! that may come any number of times, and `|` between two signatures. `S` STRING, `Y` BYTES, `I` INT64, `F` a number as
//! FLOAT64, `N` NUMERIC, `G` BIGNUMERIC, `B` BOOL, `D` DATE, `M` DATETIME, `T` TIMESTAMP, `O` TIME, `J` JSON, `A` anything,
//! `L` an ARRAY. A result may be `=0` (the type of the first argument), `@S` (an ARRAY of it) and `#0` (the item's type).

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use super::value::{BIG, DATETIME, NUMERIC, V, timestamp};
use crate::schema::{Kind, TYPE_KEY};

/// What a function does with the values of one row.
pub(super) type Eval = fn(&[V]) -> Result<V>;
/// What a function gives for these arguments; for those whose result no letter says.
pub(super) type Gives = fn(&ReturnFieldArgs<'_>) -> Result<FieldRef>;

/// A function of one row.
#[derive(Clone, Copy)]
pub(super) struct RowFunction {
    /// In small letters.
    pub(super) name: &'static str,
    /// See the module.
    pub(super) signature: &'static str,
    /// NULL among the arguments makes NULL.
    pub(super) strict: bool,
    /// Instead of the letter behind the arrow.
    pub(super) gives: Option<Gives>,
    /// For the values of a row.
    pub(super) eval: Eval,
    /// Gives another value each time.
    pub(super) volatile: bool,
}

/// A strict function.
pub(super) const fn row(name: &'static str, signature: &'static str, eval: Eval) -> RowFunction {
    RowFunction {
        name,
        signature,
        strict: true,
        gives: None,
        eval,
        volatile: false,
    }
}

impl RowFunction {
    /// Sees NULL.
    pub(super) const fn lax(mut self) -> Self {
        self.strict = false;
        self
    }

    /// Says itself what it gives.
    pub(super) const fn gives(mut self, gives: Gives) -> Self {
        self.gives = Some(gives);
        self
    }
}

/// A function of one row as `DataFusion` calls it.
pub(super) struct RowUdf {
    function: RowFunction,
    name: String,
    safe: bool,
    signature: Signature,
}

impl RowUdf {
    /// The function; with `safe`, an error is NULL.
    pub(super) fn new(function: RowFunction, safe: bool) -> Self {
        let volatility = if function.volatile {
            Volatility::Volatile
        } else {
            Volatility::Immutable
        };
        Self {
            function,
            name: if safe {
                format!("safe.{}", function.name)
            } else {
                function.name.to_owned()
            },
            safe,
            signature: Signature::user_defined(volatility),
        }
    }

    fn mismatch(&self, fields: &[FieldRef]) -> DataFusionError {
        let types: Vec<_> = fields.iter().map(|field| type_name(field)).collect();
        DataFusionError::Plan(format!(
            "No matching signature for {} for argument types: {}",
            super::shown(&self.name),
            types.join(", ")
        ))
    }

    fn result(&self, args: &ReturnFieldArgs<'_>) -> Result<FieldRef> {
        for one in self.function.signature.split('|') {
            let (pattern, result) = one.split_once("->").unwrap_or((one, "S"));
            if matches(pattern, args) {
                return match self.function.gives {
                    Some(gives) => gives(args),
                    None => result_field(result, args.arg_fields),
                };
            }
        }
        Err(self.mismatch(args.arg_fields))
    }
}

impl std::fmt::Debug for RowUdf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

impl PartialEq for RowUdf {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}
impl Eq for RowUdf {}
impl Hash for RowUdf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for RowUdf {
    fn name(&self) -> &str {
        &self.name
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }
    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Err(DataFusionError::Internal(format!(
            "{} says its type by its arguments' fields",
            self.name
        )))
    }
    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.result(&args)
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = !self.function.volatile
            && args
                .args
                .iter()
                .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let kind = args.return_field.data_type().clone();
        let columns = args
            .args
            .iter()
            .zip(&args.arg_fields)
            .map(|(arg, field)| match arg {
                ColumnarValue::Scalar(value) => {
                    let value = V::from_scalar(value.clone())?;
                    Ok(Column::One(value.json_if(is_json(field))))
                }
                ColumnarValue::Array(array) => Ok(Column::Many(Arc::clone(array), is_json(field))),
            })
            .collect::<Result<Vec<_>>>()?;
        let mut found = Vec::with_capacity(rows);
        let mut values = Vec::with_capacity(columns.len());
        for index in 0..rows {
            values.clear();
            for column in &columns {
                values.push(column.at(index)?);
            }
            let value = if self.function.strict && values.contains(&V::Null) {
                V::Null
            } else {
                match (self.function.eval)(&values) {
                    Err(_) if self.safe => V::Null,
                    other => other?,
                }
            };
            found.push(value.into_scalar(&kind)?);
        }
        if constant && let Some(value) = found.pop() {
            return Ok(ColumnarValue::Scalar(value));
        }
        if found.is_empty() {
            return Ok(ColumnarValue::Array(
                datafusion::arrow::array::new_empty_array(&kind),
            ));
        }
        let array = ScalarValue::iter_to_array(found)?;
        let array = if array.data_type() == &kind {
            array
        } else {
            datafusion::arrow::compute::cast(&array, &kind)?
        };
        Ok(ColumnarValue::Array(array))
    }
}

enum Column {
    One(V),
    Many(ArrayRef, bool),
}

impl Column {
    fn at(&self, row: usize) -> Result<V> {
        match self {
            Self::One(value) => Ok(value.clone()),
            Self::Many(array, json) => Ok(V::at(array, row)?.json_if(*json)),
        }
    }
}

/// Whether the field holds JSON.
pub(super) fn is_json(field: &Field) -> bool {
    field
        .metadata()
        .get(TYPE_KEY)
        .is_some_and(|note| note == "JSON")
}

/// The type as SQL writes it.
pub(crate) fn type_name(field: &Field) -> String {
    match field.data_type() {
        DataType::Null => "INT64".to_owned(),
        DataType::List(item) => format!("ARRAY<{}>", type_name(item)),
        _ => Kind::from_arrow(field)
            .map_or_else(|_| field.data_type().to_string(), |kind| kind.to_string()),
    }
}

/// A field that says its type alone.
pub(super) fn of(kind: DataType) -> FieldRef {
    Arc::new(Field::new("value", kind, true))
}

/// JSON.
pub(super) fn json_field() -> FieldRef {
    Arc::new(
        Field::new("value", DataType::Utf8, true).with_metadata(
            [(TYPE_KEY.to_owned(), "JSON".to_owned())]
                .into_iter()
                .collect(),
        ),
    )
}

/// An ARRAY of it.
pub(super) fn list_of(item: &Field) -> FieldRef {
    let item =
        Field::new("item", item.data_type().clone(), true).with_metadata(item.metadata().clone());
    of(DataType::List(Arc::new(item)))
}

fn result_field(letters: &str, fields: &[FieldRef]) -> Result<FieldRef> {
    let mut chars = letters.chars();
    let number = |text: &str| text.parse::<usize>().unwrap_or(0);
    Ok(match chars.next() {
        Some('@') => list_of(result_field(chars.as_str(), fields)?.as_ref()),
        Some('=') => {
            let field = &fields[number(chars.as_str())];
            match field.data_type() {
                DataType::Null => of(DataType::Int64),
                kind => Arc::new(
                    Field::new("value", kind.clone(), true).with_metadata(field.metadata().clone()),
                ),
            }
        }
        Some('#') => match fields[number(chars.as_str())].data_type() {
            DataType::List(item) => Arc::new(
                Field::new("value", item.data_type().clone(), true)
                    .with_metadata(item.metadata().clone()),
            ),
            _ => of(DataType::Int64),
        },
        Some('J') => json_field(),
        Some(letter) => of(letter_type(letter)),
        None => of(DataType::Utf8),
    })
}

fn letter_type(letter: char) -> DataType {
    match letter {
        'Y' => DataType::Binary,
        'I' => DataType::Int64,
        'F' => DataType::Float64,
        'N' => NUMERIC,
        'G' => BIG,
        'B' => DataType::Boolean,
        'D' => DataType::Date32,
        'M' => DATETIME,
        'T' => timestamp(),
        'O' => DataType::Time64(TimeUnit::Microsecond),
        _ => DataType::Utf8,
    }
}

fn matches(pattern: &str, args: &ReturnFieldArgs<'_>) -> bool {
    let mut index = 0;
    let mut optional = false;
    let letters: Vec<char> = pattern.chars().collect();
    let mut at = 0;
    while at < letters.len() {
        match letters[at] {
            '[' => optional = true,
            ']' => {}
            letter if letters.get(at + 1) == Some(&'*') => {
                while index < args.arg_fields.len() && fits_at(letter, args, index) {
                    index += 1;
                }
                at += 1;
                optional = true;
            }
            letter => match args.arg_fields.get(index) {
                None => {
                    if !optional {
                        return false;
                    }
                }
                Some(_) if fits_at(letter, args, index) => index += 1,
                Some(_) => return false,
            },
        }
        at += 1;
    }
    index == args.arg_fields.len()
}

/// A literal STRING stands for a day or an instant, too.
fn fits_at(letter: char, args: &ReturnFieldArgs<'_>, index: usize) -> bool {
    let field = &args.arg_fields[index];
    let literal = args
        .scalar_arguments
        .get(index)
        .is_some_and(Option::is_some);
    fits(letter, field) || ("DMTO".contains(letter) && literal && fits('S', field))
}

fn fits(letter: char, field: &Field) -> bool {
    let kind = field.data_type();
    if matches!(kind, DataType::Null) {
        return true;
    }
    match letter {
        'A' => true,
        'S' => {
            matches!(
                kind,
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
            ) && !is_json(field)
        }
        'J' => is_json(field),
        'Y' => matches!(
            kind,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView
        ),
        'I' => matches!(kind, DataType::Int64 | DataType::Int32 | DataType::UInt64),
        'F' => {
            matches!(
                kind,
                DataType::Int64 | DataType::UInt64 | DataType::Float64 | DataType::Float32
            ) || kind.is_decimal()
        }
        'N' => matches!(kind, DataType::Int64 | DataType::Decimal128(..)),
        'G' => matches!(kind, DataType::Int64) || kind.is_decimal(),
        'B' => matches!(kind, DataType::Boolean),
        'D' => matches!(kind, DataType::Date32),
        'M' => matches!(kind, DataType::Timestamp(_, None)),
        'T' => matches!(kind, DataType::Timestamp(_, Some(_))),
        'O' => matches!(kind, DataType::Time64(_)),
        'L' => matches!(kind, DataType::List(_)),
        _ => false,
    }
}

/// The type of TIME.
pub(super) fn time_type() -> DataType {
    letter_type('O')
}
