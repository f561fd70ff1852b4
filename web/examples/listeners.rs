//! What it costs to tell a thousand pages every second that something changed: the time that the server's threads take.
//!
//! `cargo run --release -p tidemill-web --example listeners -- [PAGES] [SECONDS]`, on Linux.

use std::fs;
use std::io::{Write as _, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tidemill_core::author::Dag;
use tidemill_core::operator::BoxFuture;
use tidemill_core::time::Timestamp;
use tidemill_scheduler::gateway::{Limits, serve};
use tidemill_store::record::{Changes, DagRow, VersionRow};
use tidemill_store::{Leader, Options, Store};
use tidemill_web::access::AccessError;
use tidemill_web::{Access, Config, LiveSettings, NothingKnown, Principal, Role, Shut, Web, site};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::time::sleep;

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// How many ticks a second has in `/proc`.
const TICKS: f64 = 100.0;

/// Everybody looks.
struct Everybody;

impl Access for Everybody {
    fn session<'a>(
        &'a self,
        secret: &'a str,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Principal>, AccessError>> {
        Box::pin(async move { Ok(Some(Principal::of(secret, Role::Viewer))) })
    }

    fn token<'a>(
        &'a self,
        _: &'a str,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Principal>, AccessError>> {
        Box::pin(async { Ok(None) })
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

/// The seconds that threads have worked which are not the pages'.
fn worked() -> Result<f64, Failed> {
    let mut ticks = 0.0;
    for thread in fs::read_dir("/proc/self/task")? {
        let stat = fs::read_to_string(thread?.path().join("stat"))?;
        let (name, rest) = stat.rsplit_once(')').ok_or("no name")?;
        if !name.contains("pages") {
            let cells = rest.split_whitespace().skip(11).take(2);
            ticks += cells
                .filter_map(|cell| cell.parse::<f64>().ok())
                .sum::<f64>();
        }
    }
    Ok(ticks / TICKS)
}

async fn commits(leader: Leader, version: VersionRow, mut stop: watch::Receiver<bool>) {
    let mut batch = 0;
    while !*stop.borrow_and_update() {
        batch += 1;
        let dag = DagRow {
            id: version.dag.clone(),
            version: Some(version.version.clone()),
            paused: false,
            last_due: None,
            failures_in_row: 0,
            edits: u32::try_from(batch).unwrap_or(u32::MAX),
            touched: None,
        };
        let versions = if batch == 1 {
            vec![version.clone()]
        } else {
            Vec::new()
        };
        let changes = Changes {
            versions,
            dags: vec![dag],
            ..Changes::default()
        };
        if leader.commit(batch, &changes).await.is_err() {
            return;
        }
        sleep(Duration::from_millis(200)).await;
    }
}

async fn page(address: std::net::SocketAddr, heard: Arc<AtomicU64>) -> Result<(), Failed> {
    let mut stream = TcpStream::connect(address).await?;
    let request = "GET /live HTTP/1.1\r\nHost: x\r\nCookie: tidemill=viewer\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = [0; 4_096];
    loop {
        let read = stream.read(&mut bytes).await?;
        if read == 0 {
            return Ok(());
        }
        let events = bytes[..read].windows(6).filter(|six| six == b"event:");
        heard.fetch_add(events.count() as u64, Ordering::Relaxed);
    }
}

fn runtime(name: &str, threads: usize) -> Result<Runtime, Failed> {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder
        .worker_threads(threads)
        .thread_name(name)
        .enable_all();
    Ok(runtime.build()?)
}

fn main() -> Result<(), Failed> {
    let mut words = std::env::args().skip(1);
    let mut number = |otherwise: u64| -> Result<u64, Failed> {
        words.next().map_or(Ok(otherwise), |word| Ok(word.parse()?))
    };
    let (pages, seconds) = (number(1_000)?.min(3_000), number(20)?.min(600));
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}/tidemill.db", folder.path().display());
    let (servers, browsers) = (runtime("server", 2)?, runtime("pages", 1)?);
    let (stop, stops) = watch::channel(false);
    let address = servers.block_on(async {
        let store = Store::open(&url, Options::default()).await?;
        let leader = store.lead("listeners", Duration::from_secs(600)).await?;
        let spec = Dag::build("sales", |dag| drop(dag.empty("load")))
            .spec()
            .clone();
        let version = VersionRow {
            dag: spec.id().clone(),
            version: spec.version(),
            spec: Arc::new(spec),
            deployed_at: Timestamp::from_micros(0),
        };
        tokio::spawn(commits(leader, version, stops.clone()));
        let config = Config {
            deployment: "tidemill".into(),
            https: false,
            proxies: 0,
            changes: 1_000_000,
            port: None,
            live: LiveSettings::default(),
            wall: || Timestamp::from_micros(0),
            about: Arc::new(NothingKnown),
        };
        let web = Web::new(config, store, Arc::new(Shut), Arc::new(Everybody));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let router = site(web).router;
        tokio::spawn(serve(
            listener,
            None,
            router,
            Limits::default(),
            stops.clone(),
        ));
        Ok::<_, Failed>(address)
    })?;
    let heard = Arc::new(AtomicU64::new(0));
    for _ in 0..pages {
        browsers.spawn(page(address, Arc::clone(&heard)));
    }
    let wait = |seconds| browsers.block_on(async { sleep(Duration::from_secs(seconds)).await });
    wait(5);
    let (before, heard_before) = (worked()?, heard.load(Ordering::Relaxed));
    wait(seconds);
    let took = worked()? - before;
    let events = heard.load(Ordering::Relaxed) - heard_before;
    stop.send_replace(true);
    #[expect(clippy::cast_precision_loss, reason = "seconds of a measurement")]
    let share = took / seconds as f64 * 100.0;
    writeln!(
        stdout(),
        "{pages} pages heard {events} events in {seconds} s; the server worked {took:.2} s, {share:.1} % of a core"
    )?;
    Ok(())
}
