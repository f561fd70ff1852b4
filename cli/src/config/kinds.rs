//! What a value may be: how it is read, what is said about a wrong one, how it is shown.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tidemill_core::id::check_name;
use tidemill_core::role::Role;
use tidemill_core::span;

mod lists;

pub(crate) use lists::Rates;

/// A type that a setting can have.
pub(crate) trait Readable: Sized {
    /// What it is, for the guide.
    const KIND: &'static str;
    /// Whether it has several items: a list in the file, texts with commas elsewhere, a flag that may be repeated.
    const MANY: bool = false;
    /// Whether a wrong value must not be shown.
    const SECRET: bool = false;

    /// Reads it. Relative names of files start from the folder.
    ///
    /// # Errors
    /// What is wrong, and what to write instead.
    fn read(items: &[String], folder: &Path) -> Result<Self, String>;

    /// How it is shown: as it is written, with secrets masked.
    fn shown(&self) -> String;

    /// What it is without a value, if it may be without one.
    fn absent() -> Option<Self> {
        None
    }
}

const MASK: &str = "***";

fn one(items: &[String]) -> Result<&str, String> {
    match items {
        [text] if !text.is_empty() => Ok(text),
        [] | [_] => Err("it is empty; leave it out instead".to_owned()),
        _ => Err("give it once".to_owned()),
    }
}

impl<T: Readable> Readable for Option<T> {
    const KIND: &'static str = T::KIND;
    const MANY: bool = T::MANY;
    const SECRET: bool = T::SECRET;

    fn read(items: &[String], folder: &Path) -> Result<Self, String> {
        T::read(items, folder).map(Some)
    }

    fn shown(&self) -> String {
        self.as_ref().map(T::shown).unwrap_or_default()
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

/// The address of a database. Its password is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Database(String);

impl Database {
    /// The whole address, password and all.
    pub(crate) fn url(&self) -> &str {
        &self.0
    }

    /// The file, if it is SQLite's.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.0.strip_prefix("sqlite://").map(Path::new)
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl Readable for Database {
    const KIND: &'static str = "address of a database";
    // A wrong one may hold a password in a place where we do not look for it.
    const SECRET: bool = true;

    fn read(items: &[String], folder: &Path) -> Result<Self, String> {
        let text = one(items)?;
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self(text.to_owned()));
        }
        match text.strip_prefix("sqlite://") {
            Some("") | None => {
                Err("write `postgres://user@host/name` or `sqlite://path/to/file.db`".to_owned())
            }
            Some(path) => Ok(Self(format!("sqlite://{}", folder.join(path).display()))),
        }
    }

    fn shown(&self) -> String {
        mask_password(self.url())
    }
}

/// An address without its password: the one between `:` and `@`, and parameters that are called so.
fn mask_password(url: &str) -> String {
    let (before, query) = url
        .split_once('?')
        .map_or((url, None), |(a, b)| (a, Some(b)));
    let mut out = before.to_owned();
    if let Some((scheme, rest)) = before.split_once("://")
        && let Some((person, host)) = rest.rsplit_once('@')
        && let Some((user, _)) = person.split_once(':')
    {
        out = format!("{scheme}://{user}:{MASK}@{host}");
    }
    if let Some(query) = query {
        let shown = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, _)) if name.to_lowercase().contains("password") => {
                format!("{name}={MASK}")
            }
            _ => pair.to_owned(),
        });
        out = format!("{out}?{}", shown.collect::<Vec<_>>().join("&"));
    }
    out
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// The text itself.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Readable for Secret {
    const KIND: &'static str = "secret text";
    const SECRET: bool = true;

    fn read(items: &[String], _: &Path) -> Result<Self, String> {
        one(items).map(|text| Self(text.trim().to_owned()))
    }

    fn shown(&self) -> String {
        MASK.to_owned()
    }
}

/// Keys, each with an id. Only the ids are shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct KeyList(String);

impl KeyList {
    /// The keys themselves, with commas between.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeyList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl Readable for KeyList {
    const KIND: &'static str = "keys";
    const MANY: bool = true;
    const SECRET: bool = true;

    fn read(items: &[String], _: &Path) -> Result<Self, String> {
        let text = items.join(",");
        one(&[text]).map(|text| Self(text.to_owned()))
    }

    fn shown(&self) -> String {
        let ids = self.0.split(',').map(|key| match key.split_once(':') {
            Some((id, _)) => format!("{}:{MASK}", id.trim()),
            None => MASK.to_owned(),
        });
        ids.collect::<Vec<_>>().join(",")
    }
}

/// A name, as DAGs have one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name(String);

impl Name {
    /// Its text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Readable for Name {
    const KIND: &'static str = "name";

    fn read(items: &[String], _: &Path) -> Result<Self, String> {
        let text = one(items)?;
        check_name(text).map_err(|error| error.to_string())?;
        Ok(Self(text.to_owned()))
    }

    fn shown(&self) -> String {
        self.as_str().to_owned()
    }
}

/// A line of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line(String);

impl Line {
    /// Its text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Readable for Line {
    const KIND: &'static str = "text";

    fn read(items: &[String], _: &Path) -> Result<Self, String> {
        let text = one(items)?.trim();
        if text.is_empty() || text.len() > 500 || text.chars().any(char::is_control) {
            return Err("write one line of text, of at most 500 bytes".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    fn shown(&self) -> String {
        self.0.clone()
    }
}

impl Readable for Role {
    const KIND: &'static str = "one of `viewer` `operator` `admin`";

    fn read(items: &[String], _: &Path) -> Result<Self, String> {
        let wrong = |_| "write `viewer`, `operator` or `admin`".to_owned();
        one(items)?.parse().map_err(wrong)
    }

    fn shown(&self) -> String {
        self.word().to_owned()
    }
}

/// The address of an HTTP server, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server(String);

impl Server {
    /// The address, to put a path behind.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Readable for Server {
    const KIND: &'static str = "URL";

    fn read(items: &[String], _: &Path) -> Result<Self, String> {
        let text = one(items)?.trim_end_matches('/');
        let rest = text
            .strip_prefix("http://")
            .or_else(|| text.strip_prefix("https://"));
        match rest {
            Some(rest) if !rest.is_empty() && !rest.contains([' ', '@', '?']) => {
                Ok(Self(text.to_owned()))
            }
            _ => Err("not a URL; write `http://host:8790` or `https://host`".to_owned()),
        }
    }

    fn shown(&self) -> String {
        self.as_str().to_owned()
    }
}

/// Where logs are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a folder.
    Folder(PathBuf),
    /// In a bucket.
    Url(String),
}

impl Readable for Place {
    const KIND: &'static str = "folder, or `gs://` or `s3://` URL";

    fn read(items: &[String], folder: &Path) -> Result<Self, String> {
        let text = one(items)?;
        match text.split_once("://") {
            None => Ok(Self::Folder(folder.join(text))),
            Some(("gs" | "s3", rest)) if !rest.is_empty() => Ok(Self::Url(text.to_owned())),
            Some(_) => Err(
                "not a place for logs; write a folder, `gs://bucket/path` or `s3://bucket/path`"
                    .to_owned(),
            ),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Folder(path) => path.display().to_string(),
            Self::Url(url) => url.clone(),
        }
    }
}

impl Readable for PathBuf {
    const KIND: &'static str = "path";

    fn read(items: &[String], folder: &Path) -> Result<Self, String> {
        one(items).map(|text| folder.join(text))
    }

    fn shown(&self) -> String {
        self.display().to_string()
    }
}

impl Readable for SocketAddr {
    const KIND: &'static str = "address and port";

    fn read(items: &[String], _: &Path) -> Result<Self, String> {
        one(items)?.parse().map_err(|_| {
            "not an address with a port; write `127.0.0.1:8790`, or `0.0.0.0:8790` for all networks"
                .to_owned()
        })
    }

    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Readable for Duration {
    const KIND: &'static str = "length of time";

    fn read(items: &[String], _: &Path) -> Result<Self, String> {
        match span::parse(one(items)?) {
            Ok(length) if !length.is_zero() => Ok(length),
            _ => Err("not a length of time; write `30s`, `5m`".to_owned()),
        }
    }

    fn shown(&self) -> String {
        span::text(*self)
    }
}

impl Readable for NonZeroU32 {
    const KIND: &'static str = "number";

    fn read(items: &[String], _: &Path) -> Result<Self, String> {
        one(items)?
            .parse()
            .map_err(|_| "not a number from 1 up; write `16`".to_owned())
    }

    fn shown(&self) -> String {
        self.to_string()
    }
}

/// An amount of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) u64);

const SIZES: [(&str, u64); 4] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
];

impl Readable for Bytes {
    const KIND: &'static str = "amount of memory";

    fn read(items: &[String], _: &Path) -> Result<Self, String> {
        let text = one(items)?;
        let wrong = || "not an amount of memory; write `512MiB`, `4GiB`".to_owned();
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let unit = text[digits.len()..].trim();
        let (_, size) = SIZES
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(wrong)?;
        let count: u64 = digits.parse().map_err(|_| wrong())?;
        match count.checked_mul(*size) {
            Some(bytes) if bytes > 0 => Ok(Self(bytes)),
            _ => Err(wrong()),
        }
    }

    fn shown(&self) -> String {
        let (unit, size) = SIZES
            .into_iter()
            .find(|(_, size)| self.0.is_multiple_of(*size))
            .unwrap_or(("B", 1));
        format!("{}{unit}", self.0 / size)
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name { $($(#[$of])* $variant,)+ }

        impl Readable for $name {
            const KIND: &'static str = concat!("one of " $(, "`", $word, "` ")+);

            fn read(items: &[String], _: &Path) -> Result<Self, String> {
                match one(items)? {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(concat!("write " $(, "`", $word, "` ")+).trim_end().replace("` `", "`, `")),
                }
            }

            fn shown(&self) -> String {
                match self { $(Self::$variant => $word.to_owned(),)+ }
            }
        }
    };
}

words! {
    /// What keeps an attempt's function apart from its neighbours.
    Isolation {
        /// Nothing: it runs inside the worker.
        None = "none",
        /// A process of its own.
        Process = "process",
    }
}
words! {
    /// How people sign in.
    SignIn {
        /// By a link on the terminal.
        Link = "link",
        /// As users.
        Users = "users",
    }
}
words! {
    /// How much a process says about itself.
    LogLevel {
        /// What failed.
        Error = "error",
        /// And what is odd.
        Warn = "warn",
        /// And what happens.
        Info = "info",
        /// And why.
        Debug = "debug",
        /// And each step.
        Trace = "trace",
    }
}
words! {
    /// How a process writes what it says about itself.
    LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object a line, for Cloud Logging and its like.
        Json = "json",
    }
}
