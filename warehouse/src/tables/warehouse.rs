//! All datasets and tables.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::commit::{Change, changed};
use super::error::TableError;
use super::expiry::{alive, inherit, visible};
use super::files::DataFile;
use super::manifest::{MANIFEST, Snapshot};
use super::meta::{DatasetMeta, TableMeta};
use super::names::{DatasetId, TableId};
use super::objects::Objects;
use super::scan::Scan;
use super::writer::{Target, Writer};

/// Asks the time.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// A dataset at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dataset {
    /// Its name.
    pub id: DatasetId,
    /// Counts its changes; those of its tables are not among them.
    pub version: u64,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it was changed.
    pub modified: DateTime<Utc>,
    /// What is known of it.
    pub meta: DatasetMeta,
}

/// All datasets and tables of a folder. Clones are cheap and the same.
#[derive(Clone)]
pub struct Warehouse {
    inner: Arc<Inner>,
    stamp: Option<Arc<str>>,
}

/// Stamps that a table keeps.
const STAMPS: usize = 200;

struct Inner {
    root: PathBuf,
    objects: Arc<dyn Objects>,
    clock: Clock,
    datasets: Mutex<Datasets>,
    /// Makes names of files.
    opened: i64,
    files: AtomicU64,
    /// Who changes rows of a table waits here for who does so already.
    turns: Mutex<BTreeMap<TableId, Weak<tokio::sync::Mutex<()>>>>,
    /// The newest version of any table: a table that was made anew has none of its old ones.
    versions: AtomicU64,
}

type Datasets = BTreeMap<DatasetId, (Dataset, BTreeMap<String, Snapshot>)>;

const DATASET: &str = "dataset.json";

impl Warehouse {
    /// Opens a folder and removes what a kill left in it.
    ///
    /// # Errors
    /// The disk fails, or a file of ours does not read.
    pub fn open(root: &Path, objects: Arc<dyn Objects>, clock: Clock) -> Result<Self, TableError> {
        fs::create_dir_all(root).map_err(TableError::disk(root))?;
        // Queries name files by URLs, which know no folder to start from.
        let root = &root.canonicalize().map_err(TableError::disk(root))?;
        let mut datasets = BTreeMap::new();
        let mut version = 0;
        for project in folders(root)? {
            for folder in folders(&project)? {
                let path = folder.join(DATASET);
                let text = match fs::read(&path) {
                    Ok(text) => text,
                    // It was never made, or its deletion was cut short.
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                        fs::remove_dir_all(&folder).map_err(TableError::disk(&folder))?;
                        continue;
                    }
                    Err(error) => return Err(TableError::disk(&path)(error)),
                };
                let dataset: Dataset =
                    serde_json::from_slice(&text).map_err(TableError::broken(&path))?;
                let mut tables = BTreeMap::new();
                for folder in folders(&folder)? {
                    match Snapshot::open(&folder)? {
                        Some(table) => {
                            version = version.max(table.version);
                            tables.insert(table.id.table.clone(), table);
                        }
                        None => {
                            fs::remove_dir_all(&folder).map_err(TableError::disk(&folder))?;
                        }
                    }
                }
                datasets.insert(dataset.id.clone(), (dataset, tables));
            }
        }
        let opened = clock().timestamp_micros();
        Ok(Self {
            inner: Arc::new(Inner {
                root: root.clone(),
                objects,
                clock,
                datasets: Mutex::new(datasets),
                opened,
                files: AtomicU64::new(0),
                turns: Mutex::default(),
                versions: AtomicU64::new(version),
            }),
            stamp: None,
        })
    }

    /// The same warehouse for one job: whatever table it changes bears the stamp from then on, in the same step as the change.
    #[must_use]
    pub fn stamped(&self, stamp: &str) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            stamp: Some(stamp.into()),
        }
    }

    /// The tables that bear a stamp: what a job had done when it was killed.
    #[must_use]
    pub fn bearing(&self, stamp: &str) -> Vec<TableId> {
        self.lock()
            .values()
            .flat_map(|(_, tables)| tables.values())
            .filter(|table| table.stamps.iter().any(|one| one == stamp))
            .map(|table| table.id.clone())
            .collect()
    }

    fn stamp(&self, table: &mut Snapshot) {
        if let Some(stamp) = &self.stamp {
            table.stamps.push(stamp.to_string());
            let over = table.stamps.len().saturating_sub(STAMPS);
            table.stamps.drain(..over);
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.inner.root
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        (self.inner.clock)()
    }

    /// Cloud Storage.
    #[must_use]
    pub fn objects(&self) -> &Arc<dyn Objects> {
        &self.inner.objects
    }

    fn lock(&self) -> MutexGuard<'_, Datasets> {
        self.inner
            .datasets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a dataset.
    ///
    /// # Errors
    /// It is there, or its name is none.
    pub fn create_dataset(&self, id: &DatasetId, meta: DatasetMeta) -> Result<Dataset, TableError> {
        id.check()?;
        let now = self.now();
        let mut datasets = self.lock();
        if datasets.contains_key(id) {
            return Err(TableError::DatasetExists(id.clone()));
        }
        let dataset = Dataset {
            id: id.clone(),
            version: 1,
            created: now,
            modified: now,
            meta,
        };
        self.write_dataset(&dataset)?;
        datasets.insert(id.clone(), (dataset.clone(), BTreeMap::new()));
        Ok(dataset)
    }

    fn write_dataset(&self, dataset: &Dataset) -> Result<(), TableError> {
        let folder = dataset.id.folder(self.root());
        fs::create_dir_all(&folder).map_err(TableError::disk(&folder))?;
        let (path, beside) = (folder.join(DATASET), folder.join("dataset.new"));
        let text = serde_json::to_vec(dataset).map_err(TableError::broken(&path))?;
        fs::write(&beside, text).map_err(TableError::disk(&beside))?;
        fs::rename(&beside, &path).map_err(TableError::disk(&path))
    }

    /// Looks a dataset up.
    ///
    /// # Errors
    /// It is not there.
    pub fn dataset(&self, id: &DatasetId) -> Result<Dataset, TableError> {
        match self.lock().get(id) {
            Some((dataset, _)) => Ok(dataset.clone()),
            None => Err(TableError::NoDataset(id.clone())),
        }
    }

    /// The datasets of a project, by their names.
    #[must_use]
    pub fn datasets(&self, project: &str) -> Vec<Dataset> {
        self.lock()
            .values()
            .filter(|(dataset, _)| dataset.id.project == project)
            .map(|(dataset, _)| dataset.clone())
            .collect()
    }

    /// The projects that have datasets.
    #[must_use]
    pub fn projects(&self) -> Vec<String> {
        let mut projects: Vec<String> = self.lock().keys().map(|id| id.project.clone()).collect();
        projects.dedup();
        projects
    }

    /// Changes what is known of a dataset, if it still has version `base`; its location stays.
    ///
    /// # Errors
    /// It is not there, or was changed since.
    pub fn change_dataset(
        &self,
        id: &DatasetId,
        base: u64,
        meta: DatasetMeta,
    ) -> Result<Dataset, TableError> {
        let now = self.now();
        let mut datasets = self.lock();
        let (dataset, _) = datasets
            .get_mut(id)
            .ok_or_else(|| TableError::NoDataset(id.clone()))?;
        if dataset.version != base {
            return Err(TableError::Conflict(id.table("")));
        }
        let mut new = dataset.clone();
        new.version += 1;
        new.modified = now;
        new.meta = meta;
        self.write_dataset(&new)?;
        *dataset = new.clone();
        Ok(new)
    }

    /// Deletes a dataset, with its tables if `contents`.
    ///
    /// # Errors
    /// It is not there, or has tables and they are not to go.
    pub fn delete_dataset(&self, id: &DatasetId, contents: bool) -> Result<(), TableError> {
        let now = self.now();
        let mut datasets = self.lock();
        let Some((_, tables)) = datasets.get(id) else {
            return Err(TableError::NoDataset(id.clone()));
        };
        if !contents && tables.values().any(|table| alive(table, now)) {
            return Err(TableError::InUse(id.clone()));
        }
        let folder = id.folder(self.root());
        // Without this file the dataset is not there any more.
        let path = folder.join(DATASET);
        fs::remove_file(&path).map_err(TableError::disk(&path))?;
        if let Some((_, tables)) = datasets.remove(id) {
            for table in tables.values() {
                let path = table.id.folder(self.root()).join(MANIFEST);
                fs::remove_file(&path).map_err(TableError::disk(&path))?;
                doom(table);
            }
        }
        // Somebody may still read a table: what is left goes with the last reader, or when the folder is opened again.
        let _ = fs::remove_dir(&folder);
        Ok(())
    }

    /// Looks a table or view up.
    ///
    /// # Errors
    /// It is not there.
    pub fn table(&self, id: &TableId) -> Result<Snapshot, TableError> {
        let now = self.now();
        let datasets = self.lock();
        let (_, tables) = datasets
            .get(&id.of())
            .ok_or_else(|| TableError::NoDataset(id.of()))?;
        match tables.get(&id.table).filter(|table| alive(table, now)) {
            Some(table) => Ok(visible(table, now)),
            None => Err(TableError::NoTable(id.clone())),
        }
    }

    /// The tables and views of a dataset, by their names.
    ///
    /// # Errors
    /// The dataset is not there.
    pub fn tables(&self, id: &DatasetId) -> Result<Vec<Snapshot>, TableError> {
        let now = self.now();
        let datasets = self.lock();
        let (_, tables) = datasets
            .get(id)
            .ok_or_else(|| TableError::NoDataset(id.clone()))?;
        Ok(tables
            .values()
            .filter(|table| alive(table, now))
            .map(|table| visible(table, now))
            .collect())
    }

    /// Makes a table or view with these rows, which a [`Writer`] wrote for it.
    ///
    /// # Errors
    /// It is there, its dataset is not, or it cannot be such a table.
    pub fn create_table(
        &self,
        id: &TableId,
        mut meta: TableMeta,
        files: Vec<Arc<DataFile>>,
    ) -> Result<Snapshot, TableError> {
        id.check()?;
        meta.check()?;
        let now = self.now();
        let mut datasets = self.lock();
        let (dataset, tables) = datasets
            .get_mut(&id.of())
            .ok_or_else(|| TableError::NoDataset(id.of()))?;
        self.sweep(tables, now)?;
        if tables.contains_key(&id.table) {
            return Err(TableError::TableExists(id.clone()));
        }
        inherit(&mut meta, &dataset.meta, now);
        let version = self.version();
        let mut table = Snapshot {
            id: id.clone(),
            version,
            layout: version,
            created: now,
            modified: now,
            meta: Arc::new(meta),
            files,
            stamps: Vec::new(),
        };
        self.stamp(&mut table);
        self.store(&table)?;
        tables.insert(id.table.clone(), table.clone());
        Ok(table)
    }

    /// Removes the tables of a dataset whose time is over.
    fn sweep(
        &self,
        tables: &mut BTreeMap<String, Snapshot>,
        now: DateTime<Utc>,
    ) -> Result<(), TableError> {
        let over: Vec<String> = tables
            .values()
            .filter(|table| !alive(table, now))
            .map(|table| table.id.table.clone())
            .collect();
        for name in over {
            if let Some(table) = tables.remove(&name) {
                let folder = table.id.folder(self.root());
                let path = folder.join(MANIFEST);
                fs::remove_file(&path).map_err(TableError::disk(&path))?;
                doom(&table);
                drop(table);
                let _ = fs::remove_dir(folder);
            }
        }
        Ok(())
    }

    /// Changes a table whose version `base` was looked at, all at once.
    ///
    /// # Errors
    /// It is not there, something else changed it since, or it cannot become what it would be.
    pub fn commit(&self, id: &TableId, base: u64, change: Change) -> Result<Snapshot, TableError> {
        let now = self.now();
        let mut datasets = self.lock();
        let (_, tables) = datasets
            .get_mut(&id.of())
            .ok_or_else(|| TableError::NoDataset(id.of()))?;
        let table = tables
            .get_mut(&id.table)
            .filter(|table| alive(table, now))
            .ok_or_else(|| TableError::NoTable(id.clone()))?;
        let mut new = changed(&visible(table, now), (base, self.version()), change)?;
        new.modified = now;
        self.stamp(&mut new);
        self.store(&new)?;
        let old = std::mem::replace(table, new.clone());
        drop(datasets);
        release(&old, &new);
        Ok(new)
    }

    /// Deletes a table or view. Who reads it reads on.
    ///
    /// # Errors
    /// It is not there.
    pub fn delete_table(&self, id: &TableId) -> Result<(), TableError> {
        let now = self.now();
        let mut datasets = self.lock();
        let (_, tables) = datasets
            .get_mut(&id.of())
            .ok_or_else(|| TableError::NoDataset(id.of()))?;
        if tables.get(&id.table).is_none_or(|table| !alive(table, now)) {
            return Err(TableError::NoTable(id.clone()));
        }
        let path = id.folder(self.root()).join(MANIFEST);
        fs::remove_file(&path).map_err(TableError::disk(&path))?;
        if let Some(table) = tables.remove(&id.table) {
            doom(&table);
        }
        // A folder with files stays until the last of them goes.
        let _ = fs::remove_dir(id.folder(self.root()));
        Ok(())
    }

    /// A table or view in another's place or in a new one, as a whole, whatever becomes of the old one meanwhile:
    /// `CREATE OR REPLACE`.
    ///
    /// # Errors
    /// Its dataset is not there, or it cannot be such a table.
    pub fn renew_table(
        &self,
        id: &TableId,
        meta: TableMeta,
        files: Vec<Arc<DataFile>>,
    ) -> Result<Snapshot, TableError> {
        loop {
            let mut meta = meta.clone();
            let made = match self.table(id) {
                Err(TableError::NoTable(_)) => self.create_table(id, meta, files.clone()),
                Err(error) => Err(error),
                Ok(old) => {
                    inherit(&mut meta, &self.dataset(&id.of())?.meta, self.now());
                    let change = Change::Replace(Box::new(meta), files.clone());
                    self.commit(id, old.version, change)
                }
            };
            match made {
                Err(TableError::Conflict(_) | TableError::TableExists(_)) => {}
                made => return made,
            }
        }
    }

    /// Writes rows for a table that is like `meta`, whether it is there or not.
    ///
    /// # Errors
    /// The target does not fit the table.
    pub fn writer(
        &self,
        id: &TableId,
        meta: &TableMeta,
        target: Target,
    ) -> Result<Writer, TableError> {
        Writer::new(self, id, meta, target)
    }

    /// The rows of a table, for a query.
    #[must_use]
    pub fn scan(&self, snapshot: &Snapshot) -> Scan {
        Scan::new(snapshot.clone())
    }

    /// A new file in a folder.
    pub(super) fn new_file(&self, folder: &Path) -> Result<(PathBuf, File), TableError> {
        fs::create_dir_all(folder).map_err(TableError::disk(folder))?;
        loop {
            let number = self.inner.files.fetch_add(1, Ordering::SeqCst);
            let path = folder.join(format!("{:x}-{number}.parquet", self.inner.opened));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok((path, file)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                // The last file of a partition went just now, and its folder with it.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    fs::create_dir_all(folder).map_err(TableError::disk(folder))?;
                }
                Err(error) => return Err(TableError::disk(&path)(error)),
            }
        }
    }

    /// Held by whoever changes rows of a table in place: others who do so would only change them in vain.
    pub(crate) fn turn(&self, id: &TableId) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self
            .inner
            .turns
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(id).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        turns.insert(id.clone(), Arc::downgrade(&turn));
        turn
    }

    fn store(&self, table: &Snapshot) -> Result<(), TableError> {
        let folder = table.id.folder(self.root());
        table.prepare(&folder)?;
        Snapshot::switch(&folder)?;
        for file in &table.files {
            file.keep();
        }
        Ok(())
    }

    fn version(&self) -> u64 {
        self.inner.versions.fetch_add(1, Ordering::SeqCst) + 1
    }
}

/// Nothing names the files of a table any more.
fn doom(table: &Snapshot) {
    for file in &table.files {
        file.doom();
    }
}

/// Files of `old` that are not in `new` go when nobody holds them.
fn release(old: &Snapshot, new: &Snapshot) {
    let kept: std::collections::HashSet<&Path> =
        new.files.iter().map(|file| file.path.as_path()).collect();
    for file in &old.files {
        if !kept.contains(file.path.as_path()) {
            file.doom();
        }
    }
}

fn folders(of: &Path) -> Result<Vec<PathBuf>, TableError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(of).map_err(TableError::disk(of))? {
        let path = entry.map_err(TableError::disk(of))?.path();
        if path.is_dir() {
            found.push(path);
        }
    }
    Ok(found)
}
