//! A subquery as a function of the columns that it names.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, UInt32Array, new_empty_array,
};
use datafusion::arrow::compute::{cast, concat_batches, take};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int64Type, SchemaRef};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::execution::{SessionState, TaskContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_plan::{ExecutionPlan, collect};
use futures_util::FutureExt;

use super::given::over;
use super::spread::Spread;

/// What is asked of a subquery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Asked {
    /// The value of its one row.
    Value,
    /// Whether it has a row.
    Exists,
    /// Whether a value is among its own.
    Within,
}

/// Makes calls of subqueries.
pub(super) struct Calls<'a> {
    state: &'a SessionState,
    alone: Option<SessionState>,
    count: usize,
}

impl<'a> Calls<'a> {
    /// Without any yet.
    pub(super) fn new(state: &'a SessionState) -> Self {
        Self {
            state,
            alone: None,
            count: 0,
        }
    }

    /// What plans a subquery that is run at one go: it waits for nothing, and its rows are those of one batch.
    fn alone(&mut self) -> &SessionState {
        let state = self.state;
        self.alone.get_or_insert_with(|| {
            // Its catalog would take the place of that with the tables.
            let mut config = state
                .config()
                .clone()
                .with_target_partitions(1)
                .with_create_default_catalog_and_schema(false);
            let options = &mut config.options_mut().execution;
            options.sort_in_place_threshold_bytes = usize::MAX;
            SessionStateBuilder::new_from_existing(state.clone())
                .with_config(config)
                .with_runtime_env(Arc::new(RuntimeEnv::default()))
                .build()
        })
    }

    /// A call.
    pub(super) fn call(
        &mut self,
        spread: &Spread,
        subquery: &LogicalPlan,
        asked: Asked,
        args: Vec<Expr>,
    ) -> Result<Expr> {
        let plan = spread.asked(subquery, asked)?;
        let gives = match asked {
            Asked::Value => Arc::clone(&plan.schema().fields()[0]),
            Asked::Exists | Asked::Within => Arc::new(Field::new("value", DataType::Boolean, true)),
        };
        let gives = Arc::new(gives.as_ref().clone().with_nullable(true));
        let alone = self.alone();
        let physical = at_once(alone.create_physical_plan(&plan))??;
        let context = alone.task_ctx();
        // NULL without a type has one when it is planned.
        let kind = physical.schema().field(0).data_type().clone();
        let gives = match asked {
            Asked::Value => Arc::new(gives.as_ref().clone().with_data_type(kind)),
            _ => gives,
        };
        self.count += 1;
        let function = Called {
            name: format!("subquery${}", self.count),
            plan,
            physical,
            context,
            given: spread.given(),
            asked,
            gives,
            signature: Signature::user_defined(Volatility::Immutable),
        };
        Ok(ScalarUDF::new_from_impl(function).call(args))
    }
}

/// What waits for nothing.
fn at_once<T>(future: impl Future<Output = T>) -> Result<T> {
    tokio::task::coop::unconstrained(future)
        .now_or_never()
        .ok_or_else(|| DataFusionError::Internal("a subquery waits for something".to_owned()))
}

struct Called {
    name: String,
    plan: LogicalPlan,
    physical: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    given: SchemaRef,
    asked: Asked,
    gives: FieldRef,
    signature: Signature,
}

impl std::fmt::Debug for Called {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

impl PartialEq for Called {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.asked == other.asked && self.plan == other.plan
    }
}
impl Eq for Called {}
impl Hash for Called {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        self.asked.hash(state);
    }
}

impl ScalarUDFImpl for Called {
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
        Ok(self.gives.data_type().clone())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::clone(&self.gives))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let count = args.number_rows;
        let kind = self.gives.data_type();
        if count == 0 {
            return Ok(ColumnarValue::Array(new_empty_array(kind)));
        }
        let last = i64::try_from(count).unwrap_or(i64::MAX);
        let mut columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from_iter_values(0..last))];
        for (arg, field) in args.args.iter().zip(self.given.fields().iter().skip(1)) {
            let array = arg.to_array(count)?;
            columns.push(if array.data_type() == field.data_type() {
                array
            } else {
                cast(&array, field.data_type())?
            });
        }
        let given = RecordBatch::try_new(Arc::clone(&self.given), columns)?;
        let plan = over(Arc::clone(&self.physical), &given)?;
        let schema = plan.schema();
        let found = at_once(collect(plan, Arc::clone(&self.context)))??;
        let found = concat_batches(&schema, &found)?;
        let rows = found.column(1).as_primitive::<Int64Type>().values();
        let rows = rows
            .iter()
            .map(|row| usize::try_from(*row).unwrap_or(usize::MAX));
        let array = match self.asked {
            Asked::Value => values(rows, found.column(0), count)?,
            Asked::Exists => {
                let mut there = vec![false; count];
                for row in rows {
                    there[row] = true;
                }
                Arc::new(BooleanArray::from(there))
            }
            Asked::Within => within(rows, found.column(0).as_boolean(), count),
        };
        Ok(ColumnarValue::Array(if array.data_type() == kind {
            array
        } else {
            cast(&array, kind)?
        }))
    }
}

/// For each row, its value; NULL where there is none.
fn values(rows: impl Iterator<Item = usize>, found: &ArrayRef, count: usize) -> Result<ArrayRef> {
    let mut at: Vec<Option<u32>> = vec![None; count];
    for (index, row) in rows.enumerate() {
        let index = u32::try_from(index)
            .map_err(|_| DataFusionError::Execution("a subquery has too many rows".to_owned()))?;
        if at[row].replace(index).is_some() {
            return Err(DataFusionError::Execution(
                "Scalar subquery produced more than one element".to_owned(),
            ));
        }
    }
    Ok(take(found, &UInt32Array::from(at), None)?)
}

/// For each row, whether a value was the same; NULL where none was and one is not known.
fn within(rows: impl Iterator<Item = usize>, same: &BooleanArray, count: usize) -> ArrayRef {
    let mut found: Vec<Option<bool>> = vec![Some(false); count];
    for (index, row) in rows.enumerate() {
        if same.is_null(index) {
            if found[row] == Some(false) {
                found[row] = None;
            }
        } else if same.value(index) {
            found[row] = Some(true);
        }
    }
    Arc::new(BooleanArray::from(found))
}
