//! Buckets and objects on the disk.
//!
//! `storage/<bucket>/…` holds the newest generation of every object as a plain file. `storage/.state` (no bucket's name begins
//! with a dot) holds the rest: what is known of buckets and objects, older generations, uploads under way. A new generation is
//! written beside, then noted, then renamed into its place; opening finishes or undoes what a kill left in the middle, so
//! that content and note always belong together. A file is never written in place: who reads one keeps what was opened.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::conditions::Conditions;
use super::copy::Rewrite;
use super::names;
use super::record::{Bucket, Object, Place, Versions};
use super::resumable::Upload;
use super::sink::Shared;
use crate::call::Refusal;
use crate::shelf::Shelf;

/// All of Cloud Storage.
pub(crate) struct Storage {
    root: PathBuf,
    pub(super) buckets: Shelf<Bucket>,
    pub(super) objects: Shelf<Versions>,
    pub(super) uploads: Shelf<Upload>,
    pub(super) rewrites: Shelf<Rewrite>,
    /// Uploads that were written to since the start.
    pub(super) sinks: Mutex<HashMap<String, Shared>>,
    /// Held to write while notes and files change together, to read while they have to agree.
    switch: RwLock<()>,
    generation: AtomicI64,
    files: AtomicU64,
}

/// Content that is to become an object.
pub(crate) struct Draft {
    /// In the folder of new files; it is moved away.
    pub(crate) file: PathBuf,
    pub(crate) size: u64,
    pub(crate) crc32c: u32,
    pub(crate) md5: Option<String>,
    pub(crate) components: Option<u32>,
    pub(crate) upload: Option<String>,
    pub(crate) fields: Map<String, Value>,
}

/// A file that is gone when nobody made an object of it.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // Mostly it was moved away, and there is nothing to remove.
        let _ = fs::remove_file(&self.0);
    }
}

impl Storage {
    /// Opens the folder and brings in order what a kill left.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        let state = root.join(".state");
        for folder in ["new", "old", "uploads", "held"] {
            fs::create_dir_all(state.join(folder))?;
        }
        let storage = Self {
            root: root.to_owned(),
            buckets: Shelf::open(&state.join("buckets.jsonl"))?,
            objects: Shelf::open(&state.join("objects.jsonl"))?,
            uploads: Shelf::open(&state.join("uploads.jsonl"))?,
            rewrites: Shelf::open(&state.join("rewrites.jsonl"))?,
            sinks: Mutex::default(),
            switch: RwLock::new(()),
            generation: AtomicI64::new(0),
            files: AtomicU64::new(0),
        };
        storage.recover()?;
        Ok(storage)
    }

    fn recover(&self) -> io::Result<()> {
        let mut known = HashMap::new();
        let mut uploaded = HashMap::new();
        let mut newest = 0;
        for (key, versions) in self.objects.under("") {
            for object in versions.all() {
                newest = newest.max(object.generation);
                let live = object.deleted.is_none();
                known.insert(object.generation, (key.clone(), object.path.clone(), live));
                if let Some(upload) = &object.upload {
                    uploaded.insert(upload.clone(), (key.clone(), object.clone()));
                }
            }
        }
        for (id, upload) in self.uploads.under("") {
            newest = newest.max(i64::from_str_radix(&id, 16).unwrap_or(0));
            // The object was made and the kill came before that was noted.
            if let (None, Some((key, object))) = (&upload.done, uploaded.get(&id)) {
                let place = place_of(key);
                let done = Some(object.shown(&place, &upload.public));
                let mut upload = (*upload).clone();
                upload.done = done;
                self.uploads.put(&id, upload)?;
            }
        }
        self.generation.store(newest, Ordering::SeqCst);
        for (path, generation) in files(&self.state("new"))? {
            match generation.and_then(|generation| known.get(&generation)) {
                Some((key, at, true)) => {
                    let to = self.root.join(place_of(key).bucket).join(at);
                    if let Some(folder) = to.parent() {
                        fs::create_dir_all(folder)?;
                    }
                    fs::rename(path, to)?;
                }
                _ => fs::remove_file(path)?,
            }
        }
        for (path, generation) in files(&self.state("old"))? {
            let wanted = generation.and_then(|generation| known.get(&generation));
            if wanted.is_none_or(|(_, _, live)| *live) {
                fs::remove_file(path)?;
            }
        }
        for (path, _) in files(&self.state("uploads"))? {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or("");
            let wanted = match name.strip_prefix('r') {
                Some(token) => self.rewrites.get(token).is_some(),
                None => self.uploads.get(name).is_some(),
            };
            if !wanted {
                fs::remove_file(path)?;
            }
        }
        for (path, _) in files(&self.state("held"))? {
            fs::remove_file(path)?;
        }
        Ok(())
    }

    pub(super) fn state(&self, folder: &str) -> PathBuf {
        self.root.join(".state").join(folder)
    }

    /// A path for a file that is to become an object.
    pub(crate) fn scratch(&self) -> Scratch {
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        Scratch(self.state("new").join(format!("t{number}")))
    }

    /// A path for a link to content that is to stay.
    pub(super) fn held_path(&self) -> PathBuf {
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        self.state("held").join(number.to_string())
    }

    /// Microseconds, and more than any before.
    pub(super) fn next_generation(&self, now: DateTime<Utc>) -> i64 {
        let now = now.timestamp_micros();
        let next = |last: i64| Some(now.max(last + 1));
        self.generation
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, next)
            .map_or(now, |last| now.max(last + 1))
    }

    /// The newest number that was given.
    pub(super) fn last_generation(&self) -> i64 {
        self.generation.load(Ordering::SeqCst)
    }

    pub(super) fn steady(&self) -> RwLockReadGuard<'_, ()> {
        self.switch.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn changing(&self) -> RwLockWriteGuard<'_, ()> {
        self.switch.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn bucket_folder(&self, bucket: &str) -> PathBuf {
        self.root.join(bucket)
    }

    pub(super) fn bucket(&self, name: &str) -> Result<std::sync::Arc<Bucket>, Refusal> {
        self.buckets
            .get(name)
            .ok_or_else(|| Refusal::not_found("The specified bucket does not exist."))
    }

    /// One version of an object, or the refusal that says which it is not.
    pub(super) fn find(&self, place: &Place, generation: Option<i64>) -> Result<Object, Refusal> {
        self.bucket(&place.bucket)?;
        self.objects
            .get(&place.key())
            .and_then(|versions| versions.one(generation).cloned())
            .ok_or_else(|| no_such(place, generation))
    }

    /// Where the content of a version is; only while the switch is held.
    pub(super) fn file(&self, place: &Place, object: &Object) -> PathBuf {
        if object.deleted.is_some() {
            self.state("old").join(object.generation.to_string())
        } else {
            self.bucket_folder(&place.bucket).join(&object.path)
        }
    }

    /// A version with its content opened: it can be read to its end whatever becomes of the object.
    pub(super) fn opened(
        &self,
        place: &Place,
        generation: Option<i64>,
    ) -> Result<(Object, File), Refusal> {
        let _steady = self.steady();
        let object = self.find(place, generation)?;
        let file = File::open(self.file(place, &object)).map_err(|error| {
            Refusal::internal(&format!("the file of {} is gone: {error}", place.uri()))
        })?;
        Ok((object, file))
    }

    /// Makes content the newest generation of an object.
    pub(super) fn commit(
        &self,
        place: &Place,
        draft: Draft,
        conditions: &Conditions,
        now: DateTime<Utc>,
    ) -> Result<Object, Refusal> {
        names::check_object(&place.name)?;
        let _changing = self.changing();
        let bucket = self.bucket(&place.bucket)?;
        let mut versions = self
            .objects
            .get(&place.key())
            .map(|versions| (*versions).clone())
            .unwrap_or_default();
        conditions.allow(versions.live.as_ref())?;
        let internal = |error: io::Error| Refusal::internal(&error);
        let path = match versions.live.take() {
            Some(mut live) => {
                not_on_hold(place, &live)?;
                let path = live.path.clone();
                if bucket.versioning() {
                    self.keep(place, &live).map_err(internal)?;
                    live.deleted = Some(now);
                    versions.old.push(live);
                }
                path
            }
            None => self.path_for(place).map_err(internal)?,
        };
        let mut fields = draft.fields;
        if !fields.contains_key("storageClass") {
            let class = bucket.fields.get("storageClass").cloned();
            fields.insert("storageClass".into(), class.unwrap_or(json!("STANDARD")));
        }
        let object = Object {
            generation: self.next_generation(now),
            metageneration: 1,
            size: draft.size,
            crc32c: draft.crc32c,
            md5: draft.md5,
            components: draft.components,
            created: now,
            updated: now,
            deleted: None,
            upload: draft.upload,
            fields,
            path,
        };
        let beside = self.state("new").join(object.generation.to_string());
        fs::rename(&draft.file, &beside).map_err(internal)?;
        versions.live = Some(object.clone());
        self.objects.put(&place.key(), versions).map_err(internal)?;
        fs::rename(beside, self.file(place, &object)).map_err(internal)?;
        Ok(object)
    }

    /// Links the newest to where older generations are.
    fn keep(&self, place: &Place, live: &Object) -> io::Result<()> {
        let to = self.state("old").join(live.generation.to_string());
        let _ = fs::remove_file(&to);
        link(&self.file(place, live), &to)
    }

    /// Chooses the file of a new object and makes its folder.
    fn path_for(&self, place: &Place) -> io::Result<PathBuf> {
        let folder = self.bucket_folder(&place.bucket);
        if let Some(plain) = names::plain(&place.name) {
            let full = folder.join(&plain);
            let made = full.parent().map_or(Ok(()), fs::create_dir_all);
            // An empty folder is what a deletion may have left.
            if made.is_ok() && (!full.is_dir() || fs::remove_dir(&full).is_ok()) {
                return Ok(plain);
            }
        }
        let path = names::escaped(&place.name);
        if let Some(parent) = folder.join(&path).parent() {
            fs::create_dir_all(parent)?;
        }
        Ok(path)
    }

    /// Changes what is known of a version; its content stays.
    pub(super) fn change(
        &self,
        place: &Place,
        generation: Option<i64>,
        conditions: &Conditions,
        change: impl FnOnce(&mut Object) -> Result<(), Refusal>,
    ) -> Result<Object, Refusal> {
        let _changing = self.changing();
        let found = self.find(place, generation)?;
        conditions.allow(Some(&found))?;
        let mut object = found.clone();
        change(&mut object)?;
        object.metageneration += 1;
        let mut versions = self
            .objects
            .get(&place.key())
            .map(|versions| (*versions).clone())
            .unwrap_or_default();
        let kept = versions.old.iter_mut().chain(&mut versions.live);
        for one in kept.filter(|one| one.generation == found.generation) {
            *one = object.clone();
        }
        self.objects
            .put(&place.key(), versions)
            .map_err(|error| Refusal::internal(&error))?;
        Ok(object)
    }

    /// Deletes the newest, which versioning keeps as an older one, or a generation for good.
    pub(super) fn delete(
        &self,
        place: &Place,
        generation: Option<i64>,
        conditions: &Conditions,
        now: DateTime<Utc>,
    ) -> Result<Object, Refusal> {
        let _changing = self.changing();
        let found = self.find(place, generation)?;
        conditions.allow(Some(&found))?;
        not_on_hold(place, &found)?;
        self.remove(place, found.clone(), generation.is_some(), now)
            .map_err(|error| Refusal::internal(&error))?;
        Ok(found)
    }

    fn remove(
        &self,
        place: &Place,
        mut gone: Object,
        for_good: bool,
        now: DateTime<Utc>,
    ) -> io::Result<()> {
        let Some(versions) = self.objects.get(&place.key()) else {
            return Ok(());
        };
        let mut versions = (*versions).clone();
        let versioned = self
            .buckets
            .get(&place.bucket)
            .is_some_and(|bucket| bucket.versioning());
        let file = self.file(place, &gone);
        let away = self.state("new").join(gone.generation.to_string());
        let live = gone.deleted.is_none();
        versions.old.retain(|old| old.generation != gone.generation);
        if live {
            versions.live = None;
            if versioned && !for_good {
                self.keep(place, &gone)?;
                gone.deleted = Some(now);
                versions.old.push(gone);
            }
            // Opening puts it back if the deletion is not noted below.
            fs::rename(&file, &away)?;
        }
        if versions.live.is_none() && versions.old.is_empty() {
            self.objects.remove(&place.key())?;
        } else {
            self.objects.put(&place.key(), versions)?;
        }
        fs::remove_file(if live { &away } else { &file })?;
        if live {
            self.prune(&self.bucket_folder(&place.bucket), &file);
        }
        Ok(())
    }

    /// Removes the folders that a deletion left empty.
    fn prune(&self, top: &Path, file: &Path) {
        let folders = file.ancestors().skip(1);
        for folder in folders.take_while(|folder| *folder != top && folder.starts_with(top)) {
            if fs::remove_dir(folder).is_err() {
                return;
            }
        }
    }
}

/// A second name for a file; a copy where the file system has none.
pub(super) fn link(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(drop))
}

pub(super) fn place_of(key: &str) -> Place {
    let (bucket, name) = key.split_once('/').unwrap_or((key, ""));
    Place::new(bucket, name)
}

/// Files of a folder, with the number that is their name.
fn files(folder: &Path) -> io::Result<Vec<(PathBuf, Option<i64>)>> {
    fs::read_dir(folder)?
        .map(|entry| {
            let entry = entry?;
            let number = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            Ok((entry.path(), number))
        })
        .collect()
}

pub(super) fn no_such(place: &Place, generation: Option<i64>) -> Refusal {
    let which = generation.map(|generation| format!("#{generation}"));
    Refusal::not_found(format!(
        "No such object: {}/{}{}",
        place.bucket,
        place.name,
        which.unwrap_or_default()
    ))
}

fn not_on_hold(place: &Place, object: &Object) -> Result<(), Refusal> {
    for (field, name) in [
        ("temporaryHold", "Temporary"),
        ("eventBasedHold", "Event-Based"),
    ] {
        if object.fields.get(field) == Some(&Value::Bool(true)) {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "objectUnderActiveHold",
                format!(
                    "Object '{}/{}' is under active {name} hold and cannot be deleted, overwritten or archived until hold is removed.",
                    place.bucket, place.name
                ),
            ));
        }
    }
    Ok(())
}
