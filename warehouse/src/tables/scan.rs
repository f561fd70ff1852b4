//! The rows of a table for a query, and how many bytes it is billed for them.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use datafusion::arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::object_store::{ObjectMeta, path::Path};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use super::files::DataFile;
use super::manifest::Snapshot;
use super::meta::Partitioning;
use super::partition::Partition;
use super::prune::{decides, deciding, scalar, wanted};
use crate::schema::Kind;

/// The column of a table by ingestion time that says when its partition begins.
pub const PARTITION_TIME: &str = "_PARTITIONTIME";
/// The same as a day.
pub const PARTITION_DATE: &str = "_PARTITIONDATE";

/// What scans of a query have cost: the logical bytes of the columns that were read, of the partitions that were read.
#[derive(Debug, Default)]
pub struct Meter {
    bytes: AtomicU64,
    partitions: AtomicU64,
}

impl Meter {
    /// Bytes so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::SeqCst)
    }

    /// Partitions so far.
    #[must_use]
    pub fn partitions(&self) -> u64 {
        self.partitions.load(Ordering::SeqCst)
    }
}

/// The rows of a table at one moment. What it reads is known when its plan is made; the meter has it from then on.
#[derive(Debug, Clone)]
pub struct Scan {
    snapshot: Snapshot,
    schema: TableSchema,
    meter: Arc<Meter>,
    free: bool,
}

impl Scan {
    pub(super) fn new(snapshot: Snapshot) -> Self {
        let schema = TableSchema::from(Arc::new(snapshot.meta.schema.to_arrow()) as SchemaRef);
        Self {
            snapshot,
            schema,
            meter: Arc::default(),
            free: false,
        }
    }

    /// With `_PARTITIONTIME` and `_PARTITIONDATE` behind the other columns, if it is a table by ingestion time.
    #[must_use]
    pub fn with_partition_columns(mut self) -> Self {
        let by = self.snapshot.meta.partitioning.as_ref();
        if by.is_some_and(Partitioning::by_ingestion) {
            let columns: Vec<FieldRef> = vec![
                Arc::new(Field::new(PARTITION_TIME, Kind::Timestamp.to_arrow(), true)),
                Arc::new(Field::new(PARTITION_DATE, Kind::Date.to_arrow(), true)),
            ];
            self.schema = TableSchema::builder(Arc::clone(self.schema.file_schema()))
                .with_table_partition_cols(columns)
                .build();
        }
        self
    }

    /// Whether they are there.
    #[must_use]
    pub fn has_partition_columns(&self) -> bool {
        !self.schema.table_partition_cols().is_empty()
    }

    /// Counts on a meter that others count on, too.
    #[must_use]
    pub fn with_meter(mut self, meter: Arc<Meter>) -> Self {
        self.meter = meter;
        self
    }

    /// For reading that is no query: a copy, an extract, a change of all rows. No filter is required.
    #[must_use]
    pub fn without_rules(mut self) -> Self {
        self.free = true;
        self
    }

    /// What it has cost.
    #[must_use]
    pub fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    fn by(&self, file: &DataFile) -> Partition {
        self.snapshot.partition_of(file)
    }

    /// The files that a query with these conditions can need.
    pub(super) fn files(
        &self,
        state: &dyn Session,
        filters: &[Expr],
    ) -> Result<Vec<Arc<DataFile>>> {
        let meta = &self.snapshot.meta;
        if meta.partitioning.is_none() {
            return Ok(self.snapshot.files.clone());
        }
        let mut partitions: Vec<Partition> = self
            .snapshot
            .files
            .iter()
            .map(|file| self.by(file))
            .collect();
        partitions.sort_unstable();
        partitions.dedup();
        let wanted = wanted(state, meta, &partitions, filters)?;
        let left: HashSet<Partition> = partitions
            .into_iter()
            .zip(wanted)
            .filter_map(|(partition, wanted)| wanted.then_some(partition))
            .collect();
        Ok(self
            .snapshot
            .files
            .iter()
            .filter(|file| left.contains(&self.by(file)))
            .cloned()
            .collect())
    }

    /// Counts what reading these columns of these files is billed.
    pub(super) fn count(
        &self,
        meter: &Meter,
        files: &[Arc<DataFile>],
        projection: Option<&Vec<usize>>,
    ) {
        let columns = &self.snapshot.meta.schema.fields;
        let read: Vec<&str> = match projection {
            None => columns.iter().map(|field| field.name.as_str()).collect(),
            Some(some) => some
                .iter()
                .filter_map(|at| columns.get(*at))
                .map(|field| field.name.as_str())
                .collect(),
        };
        let bytes: u64 = files
            .iter()
            .flat_map(|file| read.iter().map(|name| file.columns.get(*name).copied()))
            .flatten()
            .sum();
        let partitions: HashSet<_> = files.iter().map(|file| &file.partition).collect();
        meter.bytes.fetch_add(bytes, Ordering::SeqCst);
        meter
            .partitions
            .fetch_add(partitions.len() as u64, Ordering::SeqCst);
    }
}

/// Keeps a file while a plan reads it.
struct Held(#[expect(dead_code, reason = "it is only held")] Arc<DataFile>);

#[async_trait]
impl TableProvider for Scan {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.schema.table_schema())
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
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.needed(state, filters)?;
        self.count(&self.meter, &files, projection);
        let schema = self.schema();
        if files.is_empty() {
            let projected: SchemaRef = match projection {
                None => schema,
                Some(some) => Arc::new(Schema::project(&schema, some)?),
            };
            return Ok(Arc::new(EmptyExec::new(projected)));
        }
        let opened = files
            .iter()
            .map(|file| self.opened(file))
            .collect::<Result<Vec<_>>>()?;
        let rows: u64 = files.iter().map(|file| file.rows).sum();
        let groups = FileGroup::new(opened).split_files(state.config().target_partitions());
        self.source(groups, rows, (projection, limit))
    }
}

impl Scan {
    /// The table at the moment that is read.
    pub(super) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The files that a query with these conditions can need, if it may be run with them.
    pub(super) fn needed(
        &self,
        state: &dyn Session,
        filters: &[Expr],
    ) -> Result<Vec<Arc<DataFile>>> {
        let meta = &self.snapshot.meta;
        if meta.require_partition_filter && !self.free && !decides(meta, filters) {
            let id = &self.snapshot.id;
            return Err(DataFusionError::Plan(format!(
                "Cannot query over table '{}.{}.{}' without a filter over column(s) {} that can be used for partition elimination",
                id.project,
                id.dataset,
                id.table,
                deciding(meta)
                    .iter()
                    .map(|name| format!("'{name}'"))
                    .collect::<Vec<_>>()
                    .join(", ")
            )));
        }
        self.files(state, filters)
    }

    /// A plan that reads groups of files.
    pub(super) fn source(
        &self,
        groups: Vec<FileGroup>,
        rows: u64,
        (projection, limit): (Option<&Vec<usize>>, Option<usize>),
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let statistics = Statistics::new_unknown(&self.schema()).with_num_rows(Precision::Exact(
            usize::try_from(rows).unwrap_or(usize::MAX),
        ));
        let source = Arc::new(ParquetSource::new(self.schema.clone()));
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), source)
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    /// A file as a plan reads it.
    pub(super) fn opened(&self, file: &Arc<DataFile>) -> Result<PartitionedFile> {
        let found = PartitionedFile::new_from_meta(ObjectMeta {
            location: Path::from_absolute_path(&file.path)?,
            last_modified: self.snapshot.modified,
            size: file.bytes,
            e_tag: None,
            version: None,
        });
        let start = match &self.snapshot.meta.partitioning {
            Some(by) => self.by(file).start(by),
            None => None,
        };
        let values = self
            .schema
            .table_partition_cols()
            .iter()
            .map(|column| {
                let kind = column.data_type();
                let micros = start.map(|start| start.timestamp_micros());
                scalar(
                    kind,
                    micros.map(|micros| {
                        if kind.is_temporal() && column.name() == PARTITION_DATE {
                            super::meta::Unit::Day.of_micros(micros)
                        } else {
                            micros
                        }
                    }),
                )
            })
            .collect();
        // The file stays while the plan does.
        Ok(found
            .with_partition_values(values)
            .with_extension(Held(Arc::clone(file))))
    }
}
