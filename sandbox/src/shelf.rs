//! State of a service that survives a kill: a map in memory, and a file with one line for each change.
//!
//! A line is written before the change is answered. A kill can only leave the last line torn, and a torn line is a change
//! that nobody was told of: it is dropped when the shelf is opened. When a file has grown to many lines more than it has
//! values it is written anew beside itself and switched by a rename.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Lines beyond the values before a file is written anew.
const SLACK: usize = 4_096;

/// A map from names to values.
pub(crate) struct Shelf<T> {
    inner: Mutex<Inner<T>>,
}

struct Inner<T> {
    values: BTreeMap<String, Arc<T>>,
    file: File,
    path: PathBuf,
    lines: usize,
}

impl<T: Serialize + DeserializeOwned> Shelf<T> {
    /// Opens the file at `path`, or makes it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut values = BTreeMap::new();
        let mut lines = 0;
        if path.exists() {
            for line in BufReader::new(File::open(path)?).split(b'\n') {
                let Ok(Value::Object(mut line)) = serde_json::from_slice(&line?) else {
                    continue;
                };
                let Some(Value::String(name)) = line.remove("k") else {
                    continue;
                };
                lines += 1;
                match line.remove("v") {
                    None => {
                        values.remove(&name);
                    }
                    Some(value) => match serde_json::from_value(value) {
                        Ok(value) => {
                            values.insert(name, Arc::new(value));
                        }
                        Err(error) => {
                            tracing::warn!("{}: {name} cannot be read: {error}", path.display())
                        }
                    },
                }
            }
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let mut inner = Inner {
            values,
            file,
            path: path.to_owned(),
            lines,
        };
        // Whatever was torn is gone after this, so that the next line does not run into it.
        inner.rewrite()?;
        Ok(Self {
            inner: Mutex::new(inner),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<T>> {
        self.lock().values.get(name).cloned()
    }

    /// The value with the greatest name.
    pub(crate) fn last(&self) -> Option<Arc<T>> {
        self.lock()
            .values
            .last_key_value()
            .map(|(_, value)| Arc::clone(value))
    }

    /// Every value whose name begins with `prefix`, in the order of names.
    pub(crate) fn under(&self, prefix: &str) -> Vec<(String, Arc<T>)> {
        let inner = self.lock();
        inner
            .values
            .range(prefix.to_owned()..)
            .take_while(|(name, _)| name.starts_with(prefix))
            .map(|(name, value)| (name.clone(), Arc::clone(value)))
            .collect()
    }

    /// Shows values to `look` in the order of names, beginning at `from`, until it has seen enough.
    pub(crate) fn visit(&self, from: &str, mut look: impl FnMut(&str, &T) -> ControlFlow<()>) {
        let inner = self.lock();
        for (name, value) in inner.values.range(from.to_owned()..) {
            if look(name, value).is_break() {
                return;
            }
        }
    }

    /// Whether any name begins with `prefix`.
    pub(crate) fn any_under(&self, prefix: &str) -> bool {
        let mut any = false;
        self.visit(prefix, |name, _| {
            any = name.starts_with(prefix);
            ControlFlow::Break(())
        });
        any
    }

    pub(crate) fn put(&self, name: &str, value: T) -> io::Result<Arc<T>> {
        self.change(name, |_| Ok::<_, io::Error>((Some(value), ())))
            .map(|(value, ())| value)?
            .ok_or_else(|| io::Error::other("a value that was put is not there"))
    }

    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        self.change(name, |_| Ok::<_, io::Error>((None, ())))
            .map(drop)
    }

    /// Looks at a value and sets or removes it, with nobody in between. An error of `change` leaves all as it was.
    pub(crate) fn change<R, E: From<io::Error>>(
        &self,
        name: &str,
        change: impl FnOnce(Option<&Arc<T>>) -> Result<(Option<T>, R), E>,
    ) -> Result<(Option<Arc<T>>, R), E> {
        let mut inner = self.lock();
        let (value, result) = change(inner.values.get(name))?;
        let line = match &value {
            Some(value) => json!({ "k": name, "v": value }),
            None if inner.values.contains_key(name) => json!({ "k": name }),
            None => return Ok((None, result)),
        };
        inner.file.write_all(format!("{line}\n").as_bytes())?;
        inner.lines += 1;
        let value = value.map(Arc::new);
        match &value {
            Some(value) => inner.values.insert(name.to_owned(), Arc::clone(value)),
            None => inner.values.remove(name),
        };
        if inner.lines > inner.values.len() * 2 + SLACK {
            inner.rewrite()?;
        }
        Ok((value, result))
    }
}

impl<T: Serialize> Inner<T> {
    fn rewrite(&mut self) -> io::Result<()> {
        let beside = self.path.with_extension("new");
        let mut file = BufWriter::new(File::create(&beside)?);
        for (name, value) in &self.values {
            writeln!(file, "{}", json!({ "k": name, "v": &**value }))?;
        }
        file.into_inner().map_err(io::IntoInnerError::into_error)?;
        fs::rename(&beside, &self.path)?;
        self.file = OpenOptions::new().append(true).open(&self.path)?;
        self.lines = self.values.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_there_after_a_torn_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jobs.jsonl");
        let shelf = Shelf::<u32>::open(&path).unwrap();
        shelf.put("a", 1).unwrap();
        shelf.put("b", 2).unwrap();
        shelf.remove("a").unwrap();
        drop(shelf);
        OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(b"{\"k\":\"c\",\"v")
            .unwrap();
        let shelf = Shelf::<u32>::open(&path).unwrap();
        assert_eq!(
            shelf
                .under("")
                .iter()
                .map(|(name, _)| name.as_str())
                .collect::<Vec<_>>(),
            ["b"]
        );
        shelf.put("d", 4).unwrap();
        drop(shelf);
        assert_eq!(
            Shelf::<u32>::open(&path).unwrap().get("d").as_deref(),
            Some(&4)
        );
    }

    #[test]
    fn an_old_file_is_made_short() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.jsonl");
        let shelf = Shelf::<usize>::open(&path).unwrap();
        for n in 0..SLACK + 10 {
            shelf.put("a", n).unwrap();
        }
        assert!(fs::read_to_string(&path).unwrap().lines().count() < 20);
        assert_eq!(shelf.get("a").as_deref(), Some(&(SLACK + 9)));
    }
}
