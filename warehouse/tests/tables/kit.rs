//! A warehouse in a folder of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeZone, Utc};
use datafusion::arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray};
use tempfile::TempDir;
use tidemill_warehouse::sql::{Engine, Outcome, Parameter, Request, SqlError};
use tidemill_warehouse::tables::{
    Change, DataFile, DatasetId, DatasetMeta, FoundObject, HeldObject, ObjectError, Objects,
    Partitioning, Snapshot, TableError, TableId, TableMeta, Target, Unit, Warehouse,
};
use tidemill_warehouse::{Field, Kind, Located, Schema};

pub(crate) struct Kit {
    pub(crate) folder: TempDir,
    pub(crate) warehouse: Warehouse,
}

pub(crate) fn noon() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 2, 1, 12, 0, 0)
        .single()
        .expect("it works")
}

pub(crate) fn id() -> TableId {
    TableId::new("p", "d", "t")
}

/// Days since 1970 of a day in January 2026.
pub(crate) fn january(day: i32) -> i32 {
    20_453 + day
}

impl Kit {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("it works");
        let warehouse = open(&folder);
        let meta = DatasetMeta {
            location: "EU".to_owned(),
            friendly_name: None,
            description: None,
            labels: std::collections::BTreeMap::new(),
            table_expiration_ms: None,
            partition_expiration_ms: None,
            access: None,
        };
        warehouse
            .create_dataset(&DatasetId::new("p", "d"), meta)
            .expect("it works");
        Self { folder, warehouse }
    }

    /// The same folder, named from where the process is.
    pub(crate) fn relative(self) -> Self {
        let Self { folder, warehouse } = self;
        drop(warehouse);
        let here = std::env::current_dir().expect("it works");
        let mut root = PathBuf::new();
        for _ in here.components().skip(1) {
            root.push("..");
        }
        let below = folder.path().strip_prefix("/").expect("it is absolute");
        let root = root.join(below).join("warehouse");
        assert!(root.is_relative());
        let storage = Arc::new(Files(folder.path().join("storage")));
        let warehouse = Warehouse::open(&root, storage, Arc::new(noon)).expect("it works");
        Self { folder, warehouse }
    }

    /// The same folder after the process ended without a word.
    pub(crate) fn killed(self) -> Self {
        let Self { folder, warehouse } = self;
        // What a killed process held in memory is not dropped in order.
        std::mem::forget(warehouse);
        let warehouse = open(&folder);
        Self { folder, warehouse }
    }

    pub(crate) fn write(&self, meta: &TableMeta, batch: &RecordBatch) -> Vec<Arc<DataFile>> {
        let mut writer = self
            .warehouse
            .writer(&id(), meta, Target::Rows)
            .expect("it works");
        writer.write(batch).expect("it works");
        writer.finish().expect("it works")
    }

    /// A table of days, names and numbers, partitioned by day.
    pub(crate) fn daily(&self, rows: &[(i32, &str, i64)]) -> Snapshot {
        let meta = by_day();
        let files = self.write(&meta, &batch(rows));
        self.warehouse
            .create_table(&id(), meta, files)
            .expect("it works")
    }

    pub(crate) fn append(&self, rows: &[(i32, &str, i64)]) -> Result<Snapshot, TableError> {
        let table = self.warehouse.table(&id())?;
        let files = self.write(&table.meta, &batch(rows));
        self.warehouse
            .commit(&id(), table.version, Change::Append(files))
    }

    pub(crate) fn query(&self, text: &str) -> Result<Outcome, SqlError> {
        self.query_with(text, Vec::new())
    }

    pub(crate) fn query_with(
        &self,
        text: &str,
        parameters: Vec<Parameter>,
    ) -> Result<Outcome, SqlError> {
        let catalog = Arc::new(Located::new(self.warehouse.clone(), "EU").with_files());
        let spill = self.folder.path().join("spill");
        let engine = Engine::new(catalog, &spill).expect("it works");
        let request = Request {
            text: text.to_owned(),
            parameters,
            project: "p".to_owned(),
            default_dataset: Some("d".to_owned()),
            dry_run: false,
            maximum_bytes_billed: None,
            now: noon(),
            job: None,
            diary: None,
        };
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("it works")
            .block_on(engine.run(&request))
    }

    /// The rows of a query as text, and its bytes.
    pub(crate) fn rows(&self, text: &str) -> (Vec<String>, u64) {
        let outcome = self.query(text).expect("it works");
        let rows = outcome
            .batches
            .iter()
            .flat_map(|batch| {
                (0..batch.num_rows()).map(|row| {
                    let cell = |column: &ArrayRef| {
                        datafusion::arrow::util::display::array_value_to_string(column, row)
                            .expect("it works")
                    };
                    batch
                        .columns()
                        .iter()
                        .map(cell)
                        .collect::<Vec<_>>()
                        .join(",")
                })
            })
            .collect();
        (rows, outcome.bytes_processed)
    }

    /// Makes an object of text.
    pub(crate) fn object(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.folder.path().join("storage").join(name);
        std::fs::create_dir_all(path.parent().expect("it works")).expect("it works");
        std::fs::write(path, content).expect("it works");
    }

    /// The content of an object.
    pub(crate) fn content(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.path().join("storage").join(name)).expect("it works")
    }

    /// Every Parquet file in the folder.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        fn below(folder: &std::path::Path, found: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(folder).expect("it works") {
                let path = entry.expect("it works").path();
                if path.is_dir() {
                    below(&path, found);
                } else if path.extension().is_some_and(|end| end == "parquet") {
                    found.push(path);
                }
            }
        }
        let mut found = Vec::new();
        below(&self.folder.path().join("warehouse"), &mut found);
        found
    }
}

fn open(folder: &TempDir) -> Warehouse {
    let root = folder.path().join("warehouse");
    Warehouse::open(
        &root,
        Arc::new(Files(folder.path().join("storage"))),
        Arc::new(noon),
    )
    .expect("it works")
}

pub(crate) fn schema() -> Schema {
    Schema {
        fields: vec![
            Field::new("day", Kind::Date),
            Field::new("name", Kind::String(None)),
            Field::new("n", Kind::Int64),
        ],
    }
}

pub(crate) fn by_day() -> TableMeta {
    let mut meta = TableMeta::new(schema());
    meta.partitioning = Some(Partitioning::Time {
        unit: Unit::Day,
        field: Some("day".to_owned()),
        expiration_ms: None,
    });
    meta
}

pub(crate) fn batch(rows: &[(i32, &str, i64)]) -> RecordBatch {
    let days: Vec<i32> = rows.iter().map(|row| row.0).collect();
    let names: Vec<&str> = rows.iter().map(|row| row.1).collect();
    let numbers: Vec<i64> = rows.iter().map(|row| row.2).collect();
    RecordBatch::try_new(
        Arc::new(schema().to_arrow()),
        vec![
            Arc::new(Date32Array::from(days)),
            Arc::new(StringArray::from(names)),
            Arc::new(Int64Array::from(numbers)),
        ],
    )
    .expect("it works")
}

/// Objects as plain files: `gs://b/x` is `b/x` in a folder.
pub(crate) struct Files(PathBuf);

struct Held(PathBuf);

impl HeldObject for Held {
    fn path(&self) -> &Path {
        &self.0
    }

    fn size(&self) -> u64 {
        self.0.metadata().expect("it works").len()
    }
}

impl Files {
    fn all(&self, folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("it works").path();
            if path.is_dir() {
                self.all(&path, found);
            } else {
                let name = path.strip_prefix(&self.0).expect("it works");
                found.push(format!("gs://{}", name.to_string_lossy()));
            }
        }
    }

    fn path(&self, uri: &str) -> PathBuf {
        self.0.join(uri.strip_prefix("gs://").expect("it works"))
    }
}

impl Objects for Files {
    fn matching(&self, uri: &str) -> Result<Vec<FoundObject>, ObjectError> {
        let (before, after) = uri.split_once('*').unwrap_or((uri, ""));
        let mut all = Vec::new();
        self.all(&self.0, &mut all);
        all.retain(|one| match uri.contains('*') {
            true => one.starts_with(before) && one.ends_with(after),
            false => one == uri,
        });
        let found = |uri: String| FoundObject {
            size: Held(self.path(&uri)).size(),
            uri,
        };
        Ok(all.into_iter().map(found).collect())
    }

    fn hold(&self, uri: &str) -> Result<Box<dyn HeldObject>, ObjectError> {
        Ok(Box::new(Held(self.path(uri))))
    }

    fn scratch(&self) -> PathBuf {
        self.0.join(".scratch")
    }

    fn adopt(&self, uri: &str, file: &Path, _: &str) -> Result<(), ObjectError> {
        let path = self.path(uri);
        std::fs::create_dir_all(path.parent().expect("it works")).expect("it works");
        std::fs::rename(file, path).expect("it works");
        Ok(())
    }
}
