//! A site over a real store with two DAGs in it, and a door that writes down what it is asked.

mod about;
mod api;
mod monitor;
mod past;
mod runs;
mod shared;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use futures_util::{StreamExt as _, stream};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tempfile::TempDir;
use tidemill_access::{Grant, Limit, Who};
use tidemill_core::operator::{BoxFuture, Level};
use tidemill_core::protocol::{InstanceRef, LogPlace, RunNo};
use tidemill_core::time::Timestamp;
use tidemill_logs::{Found, Numbered, Page, Search, Start, Wanted};
use tidemill_scheduler::engine::{Changed, Fleet, Held, PoolView, Why};
use tidemill_scheduler::gateway::{
    ConnectionBody, ConnectionView, RevealReply, VariableBody, VariableView,
};
use tidemill_store::access::{By, NewUser};
use tidemill_store::record::Changes;
use tidemill_store::{CommitOutcome, Leader, Options, Store};
use tidemill_web::access::AccessError;
use tidemill_web::{
    Access, Accounts, Asked, Config, Door, DoorError, LiveSettings, Principal, Role, Route, Tail,
    Web, site,
};
use tower::ServiceExt as _;

pub(crate) use api::fresh_run;
pub(crate) use monitor::{check, load};
pub(crate) use past::{attempt, dag_row, history, run, task, version, wide};
pub(crate) use runs::run_path;
pub(crate) use shared::{SECRET, Sealed, fleet};

/// Text that somebody may try.
pub(crate) const HOSTILE: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}&lt;\u{202e}</title>javascript:";

/// The name of a run, as an address has it.
pub(crate) fn run_name(id: i64) -> String {
    utf8_percent_encode(&format!("run_{id}{HOSTILE}"), NON_ALPHANUMERIC).to_string()
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_735_689_600_000_000 + seconds * 1_000_000)
}

/// Five days after the first run.
fn now() -> Timestamp {
    at(5 * 86_400)
}

/// What the door is asked, and how it answers.
#[derive(Debug, Default)]
pub(crate) struct TestDoor {
    pub(crate) asked: Mutex<Vec<Asked>>,
    pub(crate) refuses: Mutex<Option<DoorError>>,
    pub(crate) panics: Mutex<bool>,
    /// What a command changes, or would change.
    pub(crate) answers: Mutex<Changed>,
    pub(crate) why: Mutex<Option<Why>>,
    /// The log of every attempt.
    pub(crate) lines: Mutex<Vec<Numbered>>,
    /// Whether they still come.
    pub(crate) is_live: Mutex<bool>,
    /// Whose logs were asked for.
    pub(crate) read: Mutex<Vec<LogPlace>>,
    /// What is sealed, and what was to be sealed.
    pub(crate) sealed: Sealed,
    /// The workers.
    pub(crate) fleet: Mutex<Fleet>,
    /// Pools, variables and connections with these texts in them, in place of the usual ones.
    pub(crate) texts: Mutex<Vec<String>>,
    /// Why nothing is done that is no dry run.
    stale: Mutex<Option<DoorError>>,
}

impl TestDoor {
    /// From now on what is really to be done is refused, and what is only tried is not.
    pub(crate) fn only_asks_refused(&self, says: &str) {
        *self.stale.lock().expect("it works") = Some(DoorError::Stale(says.to_owned()));
    }

    fn alive(&self) {
        assert!(
            !*self.panics.lock().expect("it works"),
            "secret words of a panic"
        );
    }

    fn of_level(&self, level: Level) -> Vec<Numbered> {
        let mut lines = self.lines.lock().expect("it works").clone();
        lines.retain(|line| line.line.level >= level);
        lines
    }

    fn page(&self, of: &LogPlace, wanted: Wanted) -> Page {
        self.read.lock().expect("it works").push(of.clone());
        let (all, lines) = (self.of_level(Level::Debug), self.of_level(wanted.level));
        let errors = self.of_level(Level::Error);
        let first_error = errors.first().map(|line| line.number);
        let before = |number| lines.iter().filter(|line| line.number < number).count();
        let from = match (wanted.start, first_error) {
            (Start::At(at), _) => usize::try_from(at).unwrap_or(usize::MAX),
            (Start::Line(number), _) | (Start::Trouble, Some(number)) => before(number),
            (Start::Trouble, None) => lines.len().saturating_sub(wanted.lines),
        };
        Page {
            from: from as u64,
            total: lines.len() as u64,
            total_of_all: all.len() as u64,
            first_error,
            finished: !*self.is_live.lock().expect("it works"),
            lines: lines.into_iter().skip(from).take(wanted.lines).collect(),
        }
    }
}

impl Door for TestDoor {
    fn ask(&self, asked: Asked) -> BoxFuture<'_, Result<Changed, DoorError>> {
        self.alive();
        let stale = self.stale.lock().expect("it works").clone();
        let stale = stale.filter(|_| !asked.dry_run);
        self.asked.lock().expect("it works").push(asked);
        let refused = self.refuses.lock().expect("it works").clone();
        let changed = self.answers.lock().expect("it works").clone();
        Box::pin(async move { refused.or(stale).map_or(Ok(changed), Err) })
    }

    fn why(&self, _: InstanceRef) -> BoxFuture<'_, Result<Option<Why>, DoorError>> {
        self.alive();
        let refused = self.refuses.lock().expect("it works").clone();
        let why = self.why.lock().expect("it works").clone();
        Box::pin(async move { refused.map_or(Ok(why), Err) })
    }

    fn why_run(&self, _: RunNo) -> BoxFuture<'_, Result<Option<Vec<Held>>, DoorError>> {
        self.alive();
        Box::pin(async { Ok(None) })
    }

    fn fleet(&self) -> BoxFuture<'_, Result<Fleet, DoorError>> {
        self.alive();
        let fleet = self.fleet.lock().expect("it works").clone();
        Box::pin(async move { Ok(fleet) })
    }

    fn pools(&self) -> BoxFuture<'_, Result<Vec<PoolView>, DoorError>> {
        self.alive();
        let refused = self.refuses.lock().expect("it works").clone();
        let pools = self.texts.lock().expect("it works");
        let pools = if pools.is_empty() {
            shared::pools()
        } else {
            shared::pools_of(&pools)
        };
        Box::pin(async move { refused.map_or_else(|| Ok(pools), Err) })
    }

    fn variables(&self) -> BoxFuture<'_, Result<Vec<VariableView>, DoorError>> {
        self.alive();
        let mut all = vec![shared::variable()];
        all.extend(shared::variables_of(&self.texts.lock().expect("it works")));
        Box::pin(async { Ok(all) })
    }

    fn reveal<'a>(
        &'a self,
        name: &'a str,
        by: &'a str,
    ) -> BoxFuture<'a, Result<RevealReply, DoorError>> {
        self.alive();
        let asked = format!("{by} asked for {name}");
        self.sealed.revealed.lock().expect("it works").push(asked);
        let value = format!("{SECRET}{HOSTILE}");
        Box::pin(async { Ok(RevealReply { value, edits: 3 }) })
    }

    fn set_variable<'a>(
        &'a self,
        name: &'a str,
        body: VariableBody,
    ) -> BoxFuture<'a, Result<Changed, DoorError>> {
        let refused = self.refuses.lock().expect("it works").clone();
        self.alive();
        let set = (name.to_owned(), body);
        self.sealed.variables.lock().expect("it works").push(set);
        Box::pin(async move { refused.map_or_else(|| Ok(Changed::default()), Err) })
    }

    fn connections(&self) -> BoxFuture<'_, Result<Vec<ConnectionView>, DoorError>> {
        self.alive();
        let mut all = vec![shared::connection()];
        all.extend(shared::connections_of(
            &self.texts.lock().expect("it works"),
        ));
        Box::pin(async { Ok(all) })
    }

    fn set_connection<'a>(
        &'a self,
        name: &'a str,
        body: ConnectionBody,
    ) -> BoxFuture<'a, Result<Changed, DoorError>> {
        let refused = self.refuses.lock().expect("it works").clone();
        self.alive();
        let set = (name.to_owned(), body);
        self.sealed.connections.lock().expect("it works").push(set);
        Box::pin(async move { refused.map_or_else(|| Ok(Changed::default()), Err) })
    }

    fn log<'a>(
        &'a self,
        of: &'a LogPlace,
        wanted: Wanted,
    ) -> BoxFuture<'a, Result<Page, DoorError>> {
        let refused = self.refuses.lock().expect("it works").clone();
        self.alive();
        let page = self.page(of, wanted);
        Box::pin(async move { refused.map_or(Ok(page), Err) })
    }

    fn search<'a>(
        &'a self,
        _: &'a LogPlace,
        search: Search,
    ) -> BoxFuture<'a, Result<Found, DoorError>> {
        self.alive();
        let mut lines = self.of_level(search.level);
        lines.retain(|line| line.number > search.after && line.line.text.contains(&search.text));
        let more = lines.len() > search.hits;
        lines.truncate(search.hits);
        let next = lines.last().map(|line| line.number).filter(|_| more);
        Box::pin(async move { Ok(Found { lines, next }) })
    }

    fn download<'a>(&'a self, _: &'a LogPlace) -> BoxFuture<'a, Result<Body, DoorError>> {
        self.alive();
        let lines = self.of_level(Level::Debug).into_iter();
        let text: String = lines.map(|line| line.line.text + "\n").collect();
        Box::pin(async move { Ok(Body::from(text)) })
    }

    fn tail(&self, _: &LogPlace, after: u64) -> Tail {
        let mut lines = self.of_level(Level::Debug);
        lines.retain(|line| line.number > after);
        let come = stream::iter((!lines.is_empty()).then_some(Ok(lines)));
        let rest = if *self.is_live.lock().expect("it works") {
            stream::pending().left_stream()
        } else {
            stream::empty().right_stream()
        };
        Box::pin(come.chain(rest))
    }
}

/// A session's secret is the name of who has it.
#[derive(Debug)]
struct TestAccess;

/// `viewer`, `operator` and `admin` on everything; `limited` looks at nothing but `open_dag`; `given` looks at everything and
/// operates `open_dag`; `new` has to change their password first.
fn principal(name: &str) -> Option<Principal> {
    let open = || "open_dag".parse().expect("a pattern");
    let mut who = match name {
        "limited" | "given" | "new" => Who::of(Role::Viewer),
        "bot" => Who::of(Role::Admin),
        name => Who::of(name.parse().ok()?),
    };
    match name {
        "limited" => {
            who.limit = Some(Limit {
                role: Role::Viewer,
                dags: vec![open()],
            });
        }
        "given" => who.grants.push(Grant {
            pattern: open(),
            role: Role::Operator,
        }),
        "new" => who.must_change = true,
        "bot" => {
            who.limit = Some(Limit {
                role: Role::Admin,
                dags: Vec::new(),
            });
        }
        _ => {}
    }
    Some(Principal {
        who: Arc::new(who),
        ..Principal::of(name, Role::Viewer)
    })
}

impl Access for TestAccess {
    fn session<'a>(
        &'a self,
        secret: &'a str,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Principal>, AccessError>> {
        Box::pin(async move { Ok(principal(secret)) })
    }

    fn token<'a>(
        &'a self,
        secret: &'a str,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Principal>, AccessError>> {
        Box::pin(async move { Ok(secret.strip_prefix("token-").and_then(principal)) })
    }

    fn redeem<'a>(
        &'a self,
        _: &'a str,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Option<String>, AccessError>> {
        Box::pin(async { Ok(None) })
    }

    fn end<'a>(&'a self, _: &'a str, _: Timestamp) -> BoxFuture<'a, Result<(), AccessError>> {
        Box::pin(async { Ok(()) })
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }
}

pub(crate) struct Kit {
    _folder: TempDir,
    /// Who commits what happens meanwhile; batch 1 is there already.
    pub(crate) leader: Leader,
    pub(crate) web: Web,
    pub(crate) store: Store,
    pub(crate) router: Router,
    pub(crate) routes: Vec<Route>,
    pub(crate) door: Arc<TestDoor>,
}

impl Kit {
    pub(crate) async fn new() -> Self {
        Self::with(Arc::new(TestAccess), false).await
    }

    pub(crate) async fn with(access: Arc<dyn Access>, https: bool) -> Self {
        Self::of(|_| access, https, &history()).await
    }

    /// With users in the store.
    pub(crate) async fn with_users(make: impl FnOnce(Accounts) -> Accounts) -> Self {
        let access = |store: &Store| Arc::new(make(Accounts::new(store.clone()))) as _;
        Self::of(access, true, &history()).await
    }

    /// One DAG, `wide_dag`, with so many tasks and runs.
    pub(crate) async fn wide(tasks: u32, runs: i64) -> Self {
        Self::of(|_| Arc::new(TestAccess), false, &wide(tasks, runs)).await
    }

    /// A store with these in it.
    pub(crate) async fn holding(changes: &Changes) -> Self {
        Self::of(|_| Arc::new(TestAccess), false, changes).await
    }

    async fn of(
        access: impl FnOnce(&Store) -> Arc<dyn Access>,
        https: bool,
        changes: &Changes,
    ) -> Self {
        let folder = tempfile::tempdir().expect("it works");
        let url = format!("sqlite://{}/tidemill.db", folder.path().display());
        let store = Store::open(&url, Options::default())
            .await
            .expect("it works");
        let leader = store
            .lead("the test", Duration::from_secs(600))
            .await
            .expect("it works");
        let outcome = leader.commit(1, changes).await;
        assert!(matches!(outcome, Ok(CommitOutcome::Done)), "{outcome:?}");
        let door = Arc::new(TestDoor::default());
        let config = Config {
            deployment: "tidemill".into(),
            https,
            proxies: 0,
            changes: 1_000_000,
            port: None,
            live: LiveSettings {
                every: Duration::from_millis(20),
                check_every: Duration::from_millis(200),
                ..LiveSettings::default()
            },
            wall: now,
            about: Arc::new(about::TestAbout),
        };
        add_user(&store, "kim", None).await;
        let access = access(&store);
        let web = Web::new(config, store.clone(), Arc::clone(&door) as _, access);
        let site = site(web.clone());
        Self {
            _folder: folder,
            leader,
            store,
            web,
            router: site.router,
            routes: site.routes,
            door,
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("it works");
        let (parts, mut body) = response.into_parts();
        // A page that listens would be listened to for ever.
        if parts
            .headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind == "text/event-stream")
        {
            body = Body::empty();
        }
        let body = to_bytes(body, 64 << 20).await.expect("it works");
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).expect("it works"),
        }
    }

    /// Looks, as somebody; nobody if the name is empty.
    pub(crate) async fn get(&self, who: &str, path: &str) -> Answer {
        self.send(
            request(Method::GET, who, path)
                .body(Body::empty())
                .expect("it works"),
        )
        .await
    }

    /// Sends a form, with everything that a browser sends with it.
    pub(crate) async fn post(&self, who: &str, path: &str, form: &str) -> Answer {
        let form_page = if who == "new" { "/account" } else { "/dags" };
        let page = self.get(who, form_page).await.body;
        let token = page
            .split("name=\"csrf\" value=\"")
            .nth(1)
            .unwrap_or_default();
        let token = token.split('"').next().unwrap_or_default();
        let request = request(Method::POST, who, path)
            .header(header::HOST, "tidemill.test")
            .header(header::ORIGIN, "http://tidemill.test")
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let form = format!("csrf={token}&{form}");
        self.send(request.body(Body::from(form)).expect("it works"))
            .await
    }
}

/// A viewer of this name; with a password they need not change it.
pub(crate) async fn add_user(store: &Store, name: &str, password: Option<&str>) {
    let hash =
        password.map(|password| tidemill_access::password::hash(password).expect("it works"));
    let new = NewUser {
        name: name.into(),
        display: name.into(),
        password: hash.map(Into::into),
        sso: None,
        role: Role::Viewer,
        must_change: false,
    };
    let by = By {
        who: "the test",
        at: at(0),
    };
    assert!(store.make_user(&new, by).await.expect("it works"));
}

pub(crate) fn request(method: Method, who: &str, path: &str) -> axum::http::request::Builder {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::ACCEPT, "text/html");
    if who.is_empty() {
        request
    } else {
        request.header(header::COOKIE, format!("other=1; tidemill={who}"))
    }
}
