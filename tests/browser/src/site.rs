//! The site under test: `standalone` as a process of its own, with the DAGs of [`crate::shop`].

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::keep::Kept;
use crate::wait::until;
use crate::wire::{Answer, send};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A running site.
#[derive(Debug)]
pub struct Site {
    process: Kept,
    web: SocketAddr,
    gate: SocketAddr,
    /// The name and the secret of a session's cookie.
    cookie: (String, String),
    /// A link is used once, so only one at a time looks for the newest.
    link: Mutex<()>,
}

impl Site {
    /// Starts one in an empty folder. `program` is this package's binary.
    #[must_use]
    pub fn start(program: &Path) -> Self {
        Self::over(program, "shop", &[])
    }

    /// Starts one with these DAGs and more flags.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn over(program: &Path, dags: &str, flags: &[&str]) -> Self {
        let mut site = Self::closed(program, dags, flags);
        site.cookie = site.with_link(|link| {
            let answer = site.get(link, "");
            let cookie = answer.header("set-cookie").expect("a session begins");
            let pair = cookie.split(';').next().expect("it has a value");
            let (name, secret) = pair.split_once('=').expect("it has a secret");
            (name.to_owned(), secret.to_owned())
        });
        site
    }

    /// Starts one where people sign in with a password, and gives the first admin's, which has to be changed.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn of_people(program: &Path) -> (Self, String) {
        let mut site = Self::closed(program, "shop", &["--web-sign-in", "users"]);
        let password = site.process.says("the first password", |said| {
            between(said, "with the password ", &[',']).map(ToOwned::to_owned)
        });
        (site, password)
    }

    fn closed(program: &Path, dags: &str, flags: &[&str]) -> Self {
        let mut command = Command::new(program);
        command
            .args(["site", dags, "standalone", "--data-dir", "data"])
            .args(["--listen", "127.0.0.1:0", "--web-listen", "127.0.0.1:0"])
            .args(flags)
            .env("TIDEMILL_TOKEN", TOKEN)
            .env("USER", "ada");
        let mut process = Kept::start(program, &command);
        std::fs::create_dir_all(process.folder().join("signs")).expect("a folder");
        let (gate, web) = process.says("the site is up", |said| {
            let gate = between(said, "ready: http://", &['\n', ' ', '\u{1b}'])?;
            let web = between(said, "web UI: http://", &['/', ';', '\n', ' '])?;
            Some((gate.parse().ok()?, web.parse().ok()?))
        });
        Self {
            process,
            web,
            gate,
            cookie: <(String, String)>::default(),
            link: Mutex::new(()),
        }
    }

    /// The address of a page.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.web)
    }

    /// The cookie of a session that is open: its name and its secret.
    #[must_use]
    pub fn cookie(&self) -> (&str, &str) {
        (&self.cookie.0, &self.cookie.1)
    }

    fn signed(&self) -> String {
        format!("{}={}", self.cookie.0, self.cookie.1)
    }

    /// Does something with the link that signs in, and waits until it is used.
    ///
    /// # Panics
    /// When there is no link, or it is not used.
    pub fn with_link<T>(&self, what: impl FnOnce(&str) -> T) -> T {
        let _turn = self.link.lock().expect("nobody failed with it");
        let newest = || {
            let said = self.process.said();
            let links = said.rmatch_indices("/enter?key=").next()?.0;
            let link = said[links..].split(' ').next()?.to_owned();
            Some(link)
        };
        let link = until("a link that signs in", newest);
        let done = what(&link);
        until("the next link", || {
            (newest().as_ref() != Some(&link)).then_some(())
        });
        done
    }

    fn get(&self, path: &str, cookie: &str) -> Answer {
        let headers = [("accept", "text/html"), ("cookie", cookie)];
        let answer = send(self.web, &format!("GET {path}"), &headers, "");
        answer.unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// The source of a page.
    #[must_use]
    pub fn page(&self, path: &str) -> String {
        self.get(path, &self.signed()).body
    }

    /// Status and source of a page.
    #[must_use]
    pub(crate) fn read(&self, path: &str) -> (u16, String) {
        let answer = self.get(path, &self.signed());
        (answer.status, answer.body)
    }

    /// The memory that it has, in megabytes.
    #[must_use]
    pub(crate) fn memory(&self) -> f64 {
        self.process.memory()
    }

    /// Tells the leader something.
    ///
    /// # Panics
    /// When it refuses.
    pub fn tell(&self, command: &Value) -> Value {
        let body = json!({"by": "ada", "command": command}).to_string();
        let token = format!("Bearer {TOKEN}");
        let headers = [("authorization", token.as_str())];
        let answer = send(self.gate, "POST /api/v1/commands", &headers, &body);
        let answer = answer.expect("the site answers");
        assert_eq!(answer.status, 200, "{command}: {}", answer.body);
        serde_json::from_str(&answer.body).unwrap_or_default()
    }

    /// Makes a run of this name.
    pub fn trigger(&self, dag: &str, run: &str) {
        self.tell(&json!({"trigger": {"dag": dag, "name": run}}));
    }

    /// Makes a run, and waits until it stands like this: `Failed`.
    pub fn triggered(&self, dag: &str, run: &str, word: &str) {
        self.trigger(dag, run);
        self.stands(dag, run, word);
    }

    /// Waits until a run stands like this.
    pub fn stands(&self, dag: &str, run: &str, word: &str) {
        let path = format!("/dags/{dag}/runs/{run}");
        until(&format!("{path} to be {word}"), || {
            let page = self.page(&path);
            let rest = page.split("</h1>").nth(1)?;
            let chip = between(rest, "<span class=\"st ", &['<'])?;
            chip.ends_with(&format!(">{word}")).then_some(())
        });
    }

    /// Puts a sign up: see [`crate::shop`] for what there are.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn put_up(&self, sign: &str) {
        let path = self.process.folder().join("signs").join(sign);
        std::fs::write(path, "").expect("a sign is written");
    }

    /// The last lines that it has said.
    pub(crate) fn tail(&self) -> String {
        let said = self.process.said();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

/// What stands behind a text, up to the first of these.
fn between<'a>(text: &'a str, before: &str, ends: &[char]) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split(ends).next()
}
