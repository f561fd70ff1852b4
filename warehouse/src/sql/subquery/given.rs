//! The rows that a call is given, as a table.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalSortExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::memory::MemoryStream;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr,
    PlanProperties, ReplaceChildrenOptions,
};

/// The table whose rows are known when it is called.
#[derive(Debug)]
pub(super) struct Given(pub(super) SchemaRef);

#[async_trait]
impl TableProvider for Given {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.0)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all = (0..self.0.fields().len()).collect();
        let columns: Vec<usize> = projection.cloned().unwrap_or(all);
        let schema: SchemaRef = Arc::new(self.0.project(&columns)?);
        let mut same = EquivalenceProperties::new(Arc::clone(&schema));
        // The rows come in their order.
        if let Some(at) = columns.iter().position(|column| *column == 0) {
            let row = Arc::new(Column::new(schema.field(at).name(), at));
            same.add_ordering([PhysicalSortExpr::new(row, SortOptions::default())]);
        }
        let properties = PlanProperties::new(
            same,
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Arc::new(GivenExec {
            schema,
            columns,
            rows: None,
            properties: Arc::new(properties),
        }))
    }
}

/// The same plan over these rows.
pub(super) fn over(
    plan: Arc<dyn ExecutionPlan>,
    rows: &RecordBatch,
) -> Result<Arc<dyn ExecutionPlan>> {
    let done = plan.transform_up(|node| match node.downcast_ref::<GivenExec>() {
        Some(given) => Ok(Transformed::yes(Arc::new(GivenExec {
            schema: Arc::clone(&given.schema),
            columns: given.columns.clone(),
            rows: Some(rows.project(&given.columns)?),
            properties: Arc::clone(&given.properties),
        }) as _)),
        None => Ok(Transformed::no(node)),
    })?;
    Ok(done.data)
}

struct GivenExec {
    schema: SchemaRef,
    columns: Vec<usize>,
    rows: Option<RecordBatch>,
    properties: Arc<PlanProperties>,
}

impl fmt::Debug for GivenExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GivenExec")
    }
}

impl DisplayAs for GivenExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GivenExec")
    }
}

impl ExecutionPlan for GivenExec {
    fn name(&self) -> &'static str {
        "GivenExec"
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

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(rows) = &self.rows else {
            return Err(DataFusionError::Internal(
                "a subquery is run without the rows around it".to_owned(),
            ));
        };
        let stream = MemoryStream::try_new(vec![rows.clone()], Arc::clone(&self.schema), None)?;
        Ok(Box::pin(stream))
    }
}
