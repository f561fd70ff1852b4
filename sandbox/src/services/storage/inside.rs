//! Cloud Storage for the services beside it: the same objects, without HTTP.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde_json::{Map, json};

use super::conditions::Conditions;
use super::disk::{Draft, Storage, link};
use super::objects::{deleted, made};
use super::record::{Object, Place};
use super::sink::summed;
use crate::call::Refusal;

/// An object that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) place: Place,
    pub(crate) size: u64,
    pub(crate) generation: i64,
    pub(crate) updated: DateTime<Utc>,
}

/// Content that stays as it is while this is held, whatever becomes of the object.
#[derive(Debug)]
pub(crate) struct Held {
    /// A file with the content; not to be written to.
    pub(crate) path: PathBuf,
    pub(crate) object: Object,
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!("{} cannot be removed: {error}", self.path.display());
        }
    }
}

impl Storage {
    /// Takes `gs://bucket/name` apart.
    pub(crate) fn place(uri: &str) -> Result<Place, Refusal> {
        let found = uri
            .strip_prefix("gs://")
            .and_then(|rest| rest.split_once('/'))
            .filter(|(bucket, name)| !bucket.is_empty() && !name.is_empty());
        let (bucket, name) =
            found.ok_or_else(|| Refusal::invalid(format!("{uri:?} is not gs://bucket/name")))?;
        Ok(Place::new(bucket, name))
    }

    /// Makes a bucket that a service keeps things in; one that is there stays.
    pub(crate) fn make_bucket(
        &self,
        name: &str,
        project: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let _changing = self.changing();
        if self.buckets.get(name).is_some() {
            return Ok(());
        }
        fs::create_dir_all(self.bucket_folder(name)).map_err(|error| Refusal::internal(&error))?;
        let bucket = super::record::Bucket {
            project: project.to_owned(),
            metageneration: 1,
            created: now,
            updated: now,
            fields: super::fields::of_bucket(&Map::new())?,
        };
        self.buckets
            .put(name, bucket)
            .map(drop)
            .map_err(|error| Refusal::internal(&error))
    }

    /// Objects whose names begin with the name of `place`, in the order of names.
    pub(crate) fn under(&self, place: &Place) -> Result<Vec<Listed>, Refusal> {
        self.bucket(&place.bucket)?;
        let mut found = Vec::new();
        let key = place.key();
        self.objects.visit(&key, |name, versions| {
            if !name.starts_with(&key) {
                return ControlFlow::Break(());
            }
            if let Some(live) = &versions.live {
                found.push(Listed {
                    place: super::disk::place_of(name),
                    size: live.size,
                    generation: live.generation,
                    updated: live.updated,
                });
            }
            ControlFlow::Continue(())
        });
        Ok(found)
    }

    /// The objects that a `gs://` address of `BigQuery` names: every `*` stands for anything, slashes too.
    pub(crate) fn matching(&self, uri: &str) -> Result<Vec<Listed>, Refusal> {
        let mut place = Self::place(uri)?;
        if !place.name.contains('*') {
            let mut found = self.under(&place)?;
            found.retain(|one| one.place == place);
            return Ok(found);
        }
        let pattern = place.name.clone();
        let (first, rest) = pattern.split_once('*').unwrap_or((&pattern, ""));
        place.name = first.to_owned();
        let mut found = self.under(&place)?;
        found.retain(|one| fits(one.place.name.get(first.len()..).unwrap_or(""), rest));
        Ok(found)
    }

    /// The content of an object as a file that stays.
    pub(crate) fn hold(&self, place: &Place) -> Result<Held, Refusal> {
        let _steady = self.steady();
        let object = self.find(place, None)?;
        let path = self.held_path();
        link(&self.file(place, &object), &path).map_err(|error| Refusal::internal(&error))?;
        Ok(Held { path, object })
    }

    /// Makes an object of a file that was written to a path of [`Storage::scratch`], and says what changed. It reads the
    /// file once for its sums: call it where a thread may wait.
    pub(crate) fn adopt(
        &self,
        place: &Place,
        file: &Path,
        content_type: &str,
        now: DateTime<Utc>,
    ) -> Result<(Object, String), Refusal> {
        let sums = summed(file).map_err(|error| {
            Refusal::internal(&format!("{} cannot be read: {error}", file.display()))
        })?;
        let mut fields = Map::new();
        fields.insert("contentType".into(), json!(content_type));
        let draft = Draft {
            file: file.to_owned(),
            size: sums.size,
            crc32c: sums.crc32c,
            md5: Some(sums.md5),
            components: None,
            upload: None,
            fields,
        };
        let object = self.commit(place, draft, &Conditions::default(), now)?;
        let effect = made(place, &object);
        Ok((object, effect))
    }

    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the jobs of other services are to ask it")
    )]
    /// Deletes every object whose name begins with the name of `place`, and says what changed.
    pub(crate) fn delete_under(
        &self,
        place: &Place,
        now: DateTime<Utc>,
    ) -> Result<Vec<String>, Refusal> {
        let mut effects = Vec::new();
        for one in self.under(place)? {
            let only = Conditions::generation(Some(one.generation));
            let gone = self.delete(&one.place, None, &only, now)?;
            effects.push(deleted(&one.place, &gone));
        }
        Ok(effects)
    }
}

/// Whether a name is what `rest` says behind its first `*`.
fn fits(name: &str, rest: &str) -> bool {
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or("");
    let Some(mut name) = name.strip_suffix(last) else {
        return false;
    };
    for piece in pieces {
        match name.find(piece) {
            Some(at) => name = &name[at + piece.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storage(root: &Path) -> Storage {
        Storage::open(&root.join("storage")).unwrap()
    }

    fn bucket(storage: &Storage, name: &str) {
        let fields = super::super::fields::of_bucket(&Map::new()).unwrap();
        let time = DateTime::UNIX_EPOCH;
        let bucket = super::super::record::Bucket {
            project: "p".into(),
            metageneration: 1,
            created: time,
            updated: time,
            fields,
        };
        storage.buckets.put(name, bucket).unwrap();
    }

    fn write(storage: &Storage, name: &str, text: &str) -> Object {
        let scratch = storage.scratch();
        fs::write(&scratch.0, text).unwrap();
        let place = Place::new("raw", name);
        let now = DateTime::UNIX_EPOCH;
        storage
            .adopt(&place, &scratch.0, "text/plain", now)
            .unwrap()
            .0
    }

    fn names(found: &[Listed]) -> Vec<&str> {
        found.iter().map(|one| one.place.name.as_str()).collect()
    }

    #[test]
    fn stars_stand_for_anything() {
        let folder = tempfile::tempdir().unwrap();
        let storage = storage(folder.path());
        bucket(&storage, "raw");
        for name in ["a/1.csv", "a/b/2.csv", "a/3.txt", "b.csv"] {
            write(&storage, name, name);
        }
        for (uri, found) in [
            ("gs://raw/a/*.csv", vec!["a/1.csv", "a/b/2.csv"]),
            (
                "gs://raw/*",
                vec!["a/1.csv", "a/3.txt", "a/b/2.csv", "b.csv"],
            ),
            ("gs://raw/a/*/*.csv", vec!["a/b/2.csv"]),
            ("gs://raw/b.csv", vec!["b.csv"]),
            ("gs://raw/b", vec![]),
            ("gs://raw/*1.csv*1.csv", vec![]),
        ] {
            assert_eq!(names(&storage.matching(uri).unwrap()), found, "{uri}");
        }
        assert_eq!(
            storage.matching("gs://none/*").unwrap_err().message,
            "The specified bucket does not exist."
        );
        storage.matching("/a/b").unwrap_err();
    }

    #[test]
    fn held_content_stays_when_the_object_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let storage = storage(folder.path());
        bucket(&storage, "raw");
        write(&storage, "a", "old");
        let held = storage.hold(&Place::new("raw", "a")).unwrap();
        write(&storage, "a", "new");
        let effects = storage
            .delete_under(&Place::new("raw", "a"), DateTime::UNIX_EPOCH)
            .unwrap();
        assert_eq!(effects.len(), 1);
        assert_eq!(fs::read_to_string(&held.path).unwrap(), "old");
        assert_eq!(held.object.size, 3);
        let path = held.path.clone();
        drop(held);
        assert!(!path.exists());
    }

    #[test]
    fn names_that_are_in_each_others_way_are_both_kept() {
        let folder = tempfile::tempdir().unwrap();
        let storage = storage(folder.path());
        bucket(&storage, "raw");
        let given = ["a", "a/b", "c/d", "c", "c/", "../x", "e//f", "%", "g\0"];
        for name in given {
            write(&storage, name, name);
        }
        for name in given {
            let (object, mut file) = storage.opened(&Place::new("raw", name), None).unwrap();
            let mut text = String::new();
            std::io::Read::read_to_string(&mut file, &mut text).unwrap();
            assert_eq!((text.as_str(), object.size), (name, name.len() as u64));
        }
        let at = |path: &str| folder.path().join("storage/raw").join(path);
        assert_eq!(fs::read_to_string(at("a")).unwrap(), "a");
        assert_eq!(fs::read_to_string(at("c/d")).unwrap(), "c/d");
        assert_eq!(fs::read_to_string(at("%/a%2Fb")).unwrap(), "a/b");
        assert!(!folder.path().join("storage/x").exists());
        // When what was in the way is gone, a new object has the plain path again.
        storage
            .delete_under(&Place::new("raw", "c/d"), DateTime::UNIX_EPOCH)
            .unwrap();
        storage
            .delete_under(&Place::new("raw", "c"), DateTime::UNIX_EPOCH)
            .unwrap();
        write(&storage, "c", "c");
        assert!(at("c").is_file());
    }

    #[test]
    fn a_kill_leaves_old_or_new() {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("storage/.state/new");
        let file = folder.path().join("storage/raw/x/a");
        let first = storage(folder.path());
        bucket(&first, "raw");
        let object = write(&first, "x/a", "noted");
        drop(first);
        // Noted, and not yet in its place.
        fs::rename(&file, new.join(object.generation.to_string())).unwrap();
        fs::remove_dir(file.parent().unwrap()).unwrap();
        // Written, and not yet noted.
        fs::write(new.join((object.generation + 1).to_string()), "lost").unwrap();
        fs::write(new.join("t7"), "half").unwrap();
        let second = storage(folder.path());
        assert_eq!(fs::read_to_string(&file).unwrap(), "noted");
        assert_eq!(fs::read_dir(&new).unwrap().count(), 0);
        let later = write(&second, "x/a", "later");
        assert!(later.generation > object.generation);
    }
}
