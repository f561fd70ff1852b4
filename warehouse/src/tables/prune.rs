//! Which partitions a query can need.
//!
//! Of each partition the least and the greatest value of the column that decides are known, and so are those of functions of it
//! that never fall, such as `DATE(at)`. A condition that is false for all values between them needs nothing of the partition.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, UInt64Array,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, expr::ScalarFunction};
use datafusion::physical_expr::expressions::Column as PhysicalColumn;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;

use super::meta::{Partitioning, TableMeta, Unit};
use super::partition::Partition;
use super::scan::{PARTITION_DATE, PARTITION_TIME};
use crate::schema::Kind;

/// Functions that do not fall while their first argument rises.
const RISING: [&str; 8] = [
    "cast_to",
    "date",
    "date_trunc",
    "datetime",
    "datetime_trunc",
    "timestamp",
    "timestamp_trunc",
    "extract_date",
];

/// Values that are known of partitions, one row for each.
struct Known {
    names: Vec<String>,
    least: Vec<ArrayRef>,
    greatest: Vec<ArrayRef>,
    nulls: ArrayRef,
    rows: ArrayRef,
    /// Whether anything is known of the partition.
    sure: Vec<bool>,
}

impl PruningStatistics for Known {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.at(&column.name).map(|at| Arc::clone(&self.least[at]))
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.at(&column.name)
            .map(|at| Arc::clone(&self.greatest[at]))
    }

    fn num_containers(&self) -> usize {
        self.sure.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        self.at(&column.name).map(|_| Arc::clone(&self.nulls))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::clone(&self.rows))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

impl Known {
    fn at(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|one| one == name)
    }

    fn schema(&self) -> SchemaRef {
        let field =
            |(name, array): (&String, &ArrayRef)| Field::new(name, array.data_type().clone(), true);
        Arc::new(Schema::new(
            self.names
                .iter()
                .zip(&self.least)
                .map(field)
                .collect::<Vec<_>>(),
        ))
    }

    fn batch(&self, of: &[ArrayRef]) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(self.sure.len()));
        Ok(RecordBatch::try_new_with_options(
            self.schema(),
            of.to_vec(),
            &options,
        )?)
    }
}

/// The columns of a table that decide on partitions.
pub(super) fn deciding(meta: &TableMeta) -> Vec<&str> {
    match meta.partitioning.as_ref() {
        None => Vec::new(),
        Some(partitioning) => match partitioning.field() {
            Some(field) => vec![field],
            None => vec![PARTITION_TIME, PARTITION_DATE],
        },
    }
}

/// Whether a condition of a query can say anything of partitions.
pub(super) fn decides(meta: &TableMeta, filters: &[Expr]) -> bool {
    let deciding = deciding(meta);
    filters.iter().flat_map(split_conjunction).any(|filter| {
        filter.column_refs().iter().any(|column| {
            deciding
                .iter()
                .any(|one| one.eq_ignore_ascii_case(&column.name))
        })
    })
}

/// For each partition whether a query with these conditions can need it.
pub(super) fn wanted(
    state: &dyn Session,
    meta: &TableMeta,
    partitions: &[Partition],
    filters: &[Expr],
) -> Result<Vec<bool>> {
    let mut wanted = vec![true; partitions.len()];
    let (Some(partitioning), false) = (&meta.partitioning, partitions.is_empty()) else {
        return Ok(wanted);
    };
    let Some(base) = known(meta, partitioning, partitions)? else {
        return Ok(wanted);
    };
    for filter in filters.iter().flat_map(split_conjunction) {
        // A condition of which nothing can be said leaves all partitions in.
        if let Ok(found) = by_one(state, &base, filter) {
            for (wanted, found) in wanted.iter_mut().zip(found) {
                *wanted &= found;
            }
        }
    }
    Ok(wanted)
}

fn by_one(state: &dyn Session, base: &Known, filter: &Expr) -> Result<Vec<bool>> {
    let mut known = Known {
        names: base.names.clone(),
        least: base.least.clone(),
        greatest: base.greatest.clone(),
        nulls: Arc::clone(&base.nulls),
        rows: Arc::clone(&base.rows),
        sure: base.sure.clone(),
    };
    let filter = filter.clone().transform_up(|expr| {
        if !rising(&expr, &known) {
            return Ok(Transformed::no(expr));
        }
        let schema = DFSchema::try_from(known.schema())?;
        let physical = state.create_physical_expr(expr, &schema)?;
        let ends = [&known.least, &known.greatest].map(|ends| {
            physical
                .evaluate(&known.batch(ends)?)?
                .into_array(known.sure.len())
        });
        let [least, greatest] = ends;
        let name = format!("{}$", known.names.len());
        known.names.push(name.clone());
        known.least.push(least?);
        known.greatest.push(greatest?);
        Ok(Transformed::yes(Expr::Column(Column::from_name(name))))
    })?;
    let schema = known.schema();
    let physical =
        state.create_physical_expr(filter.data, &DFSchema::try_from(Arc::clone(&schema))?)?;
    let mut wanted = PruningPredicateBuilder::new()
        .with_file_schema(schema)
        .try_build(Arc::clone(&physical))
        .and_then(|predicate| predicate.prune(&known))
        .unwrap_or_else(|_| vec![true; known.sure.len()]);
    // Where all that the condition looks at has one value, the condition itself says it.
    let mut single = known.sure.clone();
    datafusion::physical_expr::utils::collect_columns(&physical)
        .iter()
        .map(PhysicalColumn::index)
        .for_each(|at| {
            let (least, greatest) = (&known.least[at], &known.greatest[at]);
            for (row, single) in single.iter_mut().enumerate() {
                *single &= least.slice(row, 1).to_data() == greatest.slice(row, 1).to_data();
            }
        });
    if single.contains(&true)
        && let Ok(value) = physical.evaluate(&known.batch(&known.least)?)
        && let Some(truth) = value
            .into_array(known.sure.len())?
            .as_any()
            .downcast_ref::<BooleanArray>()
    {
        for (row, wanted) in wanted.iter_mut().enumerate() {
            *wanted &= !single[row] || (truth.is_valid(row) && truth.value(row));
        }
    }
    Ok(wanted)
}

/// Whether it is such a function of a known column, with literals beside it.
fn rising(expr: &Expr, known: &Known) -> bool {
    let argument = match expr {
        Expr::ScalarFunction(ScalarFunction { func, args }) => {
            if !RISING.contains(&func.name())
                || !args
                    .iter()
                    .skip(1)
                    .all(|arg| matches!(arg, Expr::Literal(..)))
            {
                return false;
            }
            // As text, days and instants rise no more in years of other lengths; only times do here.
            let to_time = func.name() != "cast_to"
                || args.get(1).is_some_and(|arg| {
                    let text = arg.to_string().to_uppercase();
                    ["DATE", "TIMESTAMP"].iter().any(|time| text.contains(time))
                });
            match args.first() {
                Some(first) if to_time => first,
                _ => return false,
            }
        }
        Expr::Cast(cast) if cast.field.data_type().is_temporal() => cast.expr.as_ref(),
        _ => return false,
    };
    matches!(argument, Expr::Column(column) if known.at(&column.name).is_some())
}

fn known(
    meta: &TableMeta,
    partitioning: &Partitioning,
    partitions: &[Partition],
) -> Result<Option<Known>> {
    let columns: Vec<(String, DataType)> = match partitioning.field() {
        None => vec![
            (PARTITION_TIME.to_owned(), Kind::Timestamp.to_arrow()),
            (PARTITION_DATE.to_owned(), Kind::Date.to_arrow()),
        ],
        Some(name) => match meta.schema.field(name) {
            Some(field) => vec![(field.name.clone(), field.kind.to_arrow())],
            None => return Ok(None),
        },
    };
    let (mut least, mut greatest) = (Vec::new(), Vec::new());
    for (_, kind) in &columns {
        let ends: Vec<_> = partitions
            .iter()
            .map(|partition| ends(*partition, partitioning, kind))
            .collect();
        let array = |pick: fn(&(i64, i64)) -> i64| {
            ScalarValue::iter_to_array(
                ends.iter()
                    .map(|ends| scalar(kind, ends.as_ref().map(pick))),
            )
        };
        least.push(array(|ends| ends.0)?);
        greatest.push(array(|ends| ends.1)?);
    }
    let nulls = partitions.iter().map(|partition| match partition {
        Partition::Null => Some(1),
        Partition::At(_) => Some(0),
        _ => None,
    });
    Ok(Some(Known {
        names: columns.into_iter().map(|(name, _)| name).collect(),
        least,
        greatest,
        nulls: Arc::new(nulls.collect::<UInt64Array>()),
        rows: Arc::new(UInt64Array::from(vec![1; partitions.len()])),
        sure: partitions
            .iter()
            .map(|partition| matches!(partition, Partition::Null | Partition::At(_)))
            .collect(),
    }))
}

/// The least and the greatest value of a partition, as the column counts.
fn ends(partition: Partition, partitioning: &Partitioning, kind: &DataType) -> Option<(i64, i64)> {
    let Partition::At(at) = partition else {
        return None;
    };
    let unit = match partitioning {
        Partitioning::Range { range, .. } => {
            let last = at.saturating_add(range.interval - 1).min(range.end - 1);
            return Some((at, last));
        }
        Partitioning::Time { unit, .. } => *unit,
    };
    let (from, to) = (unit.start(at)?, unit.start(at + 1)?);
    let one = partitioning.by_ingestion();
    Some(match kind {
        DataType::Date32 => {
            let day = |micros: i64| Unit::Day.of_micros(micros);
            let from = day(from.timestamp_micros());
            (
                from,
                if one {
                    from
                } else {
                    day(to.timestamp_micros()) - 1
                },
            )
        }
        _ => {
            let from = from.timestamp_micros();
            (from, if one { from } else { to.timestamp_micros() - 1 })
        }
    })
}

pub(super) fn scalar(kind: &DataType, value: Option<i64>) -> ScalarValue {
    match kind {
        DataType::Date32 => ScalarValue::Date32(value.and_then(|days| i32::try_from(days).ok())),
        DataType::Timestamp(_, zone) => ScalarValue::TimestampMicrosecond(value, zone.clone()),
        _ => ScalarValue::Int64(value),
    }
}
