//! Lists of values: given more than once, or with commas between them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tidemill_core::id::check_name;

use super::{Name, Readable, Server};

/// The items of a list: those of the file as they are, texts cut at commas.
fn split(items: &[String]) -> impl Iterator<Item = &str> {
    items
        .iter()
        .flat_map(|item| item.split(','))
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

impl Readable for Vec<Name> {
    const KIND: &'static str = "names";
    const MANY: bool = true;

    fn read(items: &[String], folder: &Path) -> Result<Self, String> {
        let names = split(items).map(|item| Name::read(&[item.to_owned()], folder));
        let names: Self = names.collect::<Result<_, _>>()?;
        if names.is_empty() {
            return Err("it is empty; leave it out instead".to_owned());
        }
        Ok(names)
    }

    fn shown(&self) -> String {
        let names: Vec<&str> = self.iter().map(Name::as_str).collect();
        names.join(",")
    }
}

impl Readable for Vec<PathBuf> {
    const KIND: &'static str = "paths";
    const MANY: bool = true;

    fn read(items: &[String], folder: &Path) -> Result<Self, String> {
        let paths: Self = split(items).map(|item| folder.join(item)).collect();
        if paths.is_empty() {
            return Err("it is empty; leave it out instead".to_owned());
        }
        Ok(paths)
    }

    fn shown(&self) -> String {
        let paths: Vec<String> = self.iter().map(|path| path.display().to_string()).collect();
        paths.join(",")
    }
}

impl Readable for Vec<Server> {
    const KIND: &'static str = "URLs";
    const MANY: bool = true;

    fn read(items: &[String], folder: &Path) -> Result<Self, String> {
        let servers = split(items).map(|item| Server::read(&[item.to_owned()], folder));
        let servers: Self = servers.collect::<Result<_, _>>()?;
        if servers.is_empty() {
            return Err("it is empty; leave it out instead".to_owned());
        }
        Ok(servers)
    }

    fn shown(&self) -> String {
        let servers: Vec<&str> = self.iter().map(Server::as_str).collect();
        servers.join(",")
    }
}

impl Readable for BTreeMap<String, String> {
    const KIND: &'static str = "names and texts";
    const MANY: bool = true;

    fn read(items: &[String], _: &Path) -> Result<Self, String> {
        let pairs = split(items).map(|item| match item.split_once('=') {
            Some((name, text)) if check_name(name).is_ok() => {
                Ok((name.to_owned(), text.to_owned()))
            }
            _ => Err(format!(
                "`{item}` is no label; write `team=crm,zone=europe-west3`"
            )),
        });
        pairs.collect()
    }

    fn shown(&self) -> String {
        let pairs: Vec<String> = self.iter().map(|(a, b)| format!("{a}={b}")).collect();
        pairs.join(",")
    }
}

/// How many a second, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Rates(pub(crate) BTreeMap<String, u32>);

impl Readable for Rates {
    const KIND: &'static str = "names and numbers";
    const MANY: bool = true;

    fn read(items: &[String], _: &Path) -> Result<Self, String> {
        let rate = |item: &str| {
            let (name, number) = item.split_once('=')?;
            let number = number.parse().ok().filter(|number| *number > 0)?;
            Some((name.to_owned(), number))
        };
        let rates = split(items).map(|item| {
            rate(item).ok_or_else(|| {
                format!("`{item}` is no rate; write `bigquery.load=50,dataproc.batch=10`")
            })
        });
        rates.collect::<Result<_, _>>().map(Self)
    }

    fn shown(&self) -> String {
        let rates = self
            .0
            .iter()
            .map(|(name, number)| format!("{name}={number}"));
        rates.collect::<Vec<_>>().join(",")
    }
}
