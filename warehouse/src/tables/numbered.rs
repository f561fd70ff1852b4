//! The rows of a table with who they are: the number of their file, and of their place in it.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::physical_plan::FileGroup;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning};
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr,
    PlanProperties, ReplaceChildrenOptions,
};
use futures_util::{StreamExt, TryStreamExt};

use super::files::DataFile;
use super::manifest::Snapshot;
use super::partition::Partition;
use super::scan::{Meter, Scan};

/// The column with the number of the file among those of the table.
pub(crate) const FILE: &str = "file$";
/// The column with the number of the row in its file.
pub(crate) const ROW: &str = "row$";

impl Snapshot {
    /// The partition that a file of the table is of.
    pub(crate) fn partition_of(&self, file: &DataFile) -> Partition {
        match (&self.meta.partitioning, &file.partition) {
            (Some(by), Some(name)) => {
                Partition::from_name(name, by).unwrap_or(Partition::Unpartitioned)
            }
            _ => Partition::Whole,
        }
    }
}

/// The rows of a table with their numbers. Clones count on the same meters.
#[derive(Debug, Clone)]
pub(crate) struct Numbered {
    scan: Scan,
    schema: SchemaRef,
    whole: Arc<Meter>,
}

impl Numbered {
    /// The same rows with numbers, counted anew.
    pub(crate) fn new(scan: Scan) -> Self {
        let scan = scan.with_meter(Arc::default());
        let mut fields: Vec<_> = scan.schema().fields().iter().cloned().collect();
        for name in [FILE, ROW] {
            fields.push(Arc::new(Field::new(name, DataType::Int64, false)));
        }
        Self {
            scan,
            schema: Arc::new(Schema::new(fields)),
            whole: Arc::default(),
        }
    }

    /// Bytes of the columns that are read.
    pub(crate) fn read(&self) -> u64 {
        self.scan.meter().bytes()
    }

    /// Bytes of all columns of the partitions that are read.
    pub(crate) fn whole(&self) -> u64 {
        self.whole.bytes()
    }

    fn parts(
        &self,
        files: &[Arc<DataFile>],
        many: usize,
        base: &Vec<usize>,
    ) -> Result<Vec<Vec<One>>> {
        let all = &self.scan.snapshot().files;
        let numbers: HashMap<&Path, i64> = all
            .iter()
            .zip(0..)
            .map(|(file, number)| (file.path.as_path(), number))
            .collect();
        let mut parts: Vec<Vec<One>> = Vec::new();
        parts.resize_with(many.min(files.len()).max(1), Vec::new);
        for (at, file) in files.iter().enumerate() {
            let number = *numbers.get(file.path.as_path()).ok_or_else(|| {
                DataFusionError::Internal("a file that the table does not have".to_owned())
            })?;
            let group = FileGroup::new(vec![self.scan.opened(file)?]);
            let plan = self
                .scan
                .source(vec![group], file.rows, (Some(base), None))?;
            let part = at % parts.len();
            parts[part].push((number, plan));
        }
        Ok(parts)
    }
}

#[async_trait]
impl TableProvider for Numbered {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wanted = match projection {
            Some(some) => some.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        let known = self.scan.schema().fields().len();
        let mut base = Vec::new();
        let mut take = Vec::new();
        for at in &wanted {
            if *at < known {
                take.push(Take::Read(base.len()));
                base.push(*at);
            } else if *at == known {
                take.push(Take::File);
            } else {
                take.push(Take::Row);
            }
        }
        let files = self.scan.needed(state, filters)?;
        self.scan.count(self.scan.meter(), &files, Some(&base));
        self.scan.count(&self.whole, &files, None);
        let schema: SchemaRef = Arc::new(self.schema.project(&wanted)?);
        if files.is_empty() {
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let parts = self.parts(&files, state.config().target_partitions(), &base)?;
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(parts.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Arc::new(NumberedExec {
            parts,
            take: take.into(),
            schema,
            rows: files.iter().map(|file| file.rows).sum(),
            properties: Arc::new(properties),
        }))
    }
}

/// A file's number, and the plan that reads it from its beginning to its end.
type One = (i64, Arc<dyn ExecutionPlan>);

/// Where a column comes from.
#[derive(Debug, Clone, Copy)]
enum Take {
    Read(usize),
    File,
    Row,
}

/// Reads files one after the other and counts their rows. What is below it is nobody's to change: its order is what it counts.
struct NumberedExec {
    parts: Vec<Vec<One>>,
    take: Arc<[Take]>,
    schema: SchemaRef,
    rows: u64,
    properties: Arc<PlanProperties>,
}

impl fmt::Debug for NumberedExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NumberedExec")
    }
}

impl DisplayAs for NumberedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NumberedExec")
    }
}

impl ExecutionPlan for NumberedExec {
    fn name(&self) -> &'static str {
        "NumberedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(
            children,
            ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
        )
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let files = self.parts.get(partition).cloned().unwrap_or_default();
        let (take, schema) = (Arc::clone(&self.take), Arc::clone(&self.schema));
        let rows = futures_util::stream::iter(files).map(move |(file, plan)| {
            let (take, schema) = (Arc::clone(&take), Arc::clone(&schema));
            let mut row = 0_i64;
            plan.execute(0, Arc::clone(&context)).map(|stream| {
                stream.map(move |batch| {
                    let batch = batch?;
                    let first = row;
                    row += i64::try_from(batch.num_rows()).unwrap_or(i64::MAX);
                    numbered(&batch, (file, first), &take, &schema)
                })
            })
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            rows.try_flatten(),
        )))
    }

    fn statistics_from_inputs(
        &self,
        _: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let rows = usize::try_from(self.rows).unwrap_or(usize::MAX);
        let rows = match args.partition() {
            None => Precision::Exact(rows),
            Some(_) => Precision::Inexact(rows / self.parts.len()),
        };
        Ok(Arc::new(
            Statistics::new_unknown(&self.schema).with_num_rows(rows),
        ))
    }
}

fn numbered(
    batch: &RecordBatch,
    (file, first): (i64, i64),
    take: &[Take],
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let rows = batch.num_rows();
    let columns = take
        .iter()
        .map(|take| -> ArrayRef {
            match take {
                Take::Read(at) => Arc::clone(batch.column(*at)),
                Take::File => Arc::new(Int64Array::from(vec![file; rows])),
                Take::Row => Arc::new(Int64Array::from_iter_values((first..).take(rows))),
            }
        })
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns,
        &options,
    )?)
}
