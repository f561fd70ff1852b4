//! What is measured on processes of their own: how long one takes to serve, and how long a standby takes to lead.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tidemill_core::id::DagId;
use tidemill_store::history::{Cursor, RunFilter};
use tidemill_store::{Options, Store};
use tokio::time::{Instant, sleep};

use super::report::Figures;
use super::rig::{folder, memory_of};
use super::work::{Scene, Shape};
use super::{BenchArgs, scenes};
use crate::output::{INVALID, Output, USAGE};
use crate::serve;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a process is left alone before its memory is measured.
const SETTLE: Duration = Duration::from_secs(3);

/// Long enough to outlast a fail-over.
const CHAIN: u32 = 5_000;

fn failed(error: impl std::fmt::Display) -> Output {
    Output::failed(error, INVALID)
}

/// Ends a process that was started, however the bench ends.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(args: &[&str]) -> Result<Started, Output> {
    let program = std::env::current_exe().map_err(failed)?;
    let child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    child.map(Started).map_err(failed)
}

/// An address that nobody listens on.
fn free_address() -> Result<SocketAddr, Output> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
    listener.local_addr().map_err(failed)
}

/// Whether something answers 200 there.
fn answers(address: SocketAddr, path: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else {
        return false;
    };
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    let mut answer = [0; 12];
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && answer.ends_with(b" 200")
}

async fn until(what: &str, mut is: impl AsyncFnMut() -> bool) -> Result<(), Output> {
    let late = Instant::now() + PATIENCE;
    while !is().await {
        if Instant::now() > late {
            return Err(failed(format_args!(
                "{what} took more than {} s",
                PATIENCE.as_secs()
            )));
        }
        sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}

/// `standalone` in an empty folder: how long until it serves, and what it then weighs.
pub(super) fn startup(args: &BenchArgs) -> Result<Figures, Output> {
    let own = serve::runtime("tidemill")?;
    let mut took = Vec::new();
    let mut memory = 0.0;
    for nth in 0..args.times {
        let scene = scenes::scene(args, Shape::Chain { tasks: 1 });
        let place = folder(&format!("{}-{nth}", scene.tag))?;
        let address = free_address()?;
        let began = Instant::now();
        let process = start(&[
            "bench",
            "standalone",
            "--listen",
            &address.to_string(),
            "--data-dir",
            &place.display().to_string(),
            "--scene",
            &serde_json::to_string(&scene).map_err(failed)?,
        ])?;
        own.block_on(until("the start", async || answers(address, "/ready")))?;
        took.push(began.elapsed());
        own.block_on(async { sleep(SETTLE).await });
        memory = memory_of(&process.0.id().to_string());
        drop(process);
        let _ = std::fs::remove_dir_all(&place);
    }
    took.sort_unstable();
    Ok(Figures {
        bench: "startup".to_owned(),
        database: "sqlite".to_owned(),
        fsync: "synchronous full".to_owned(),
        isolation: args.isolation.word().to_owned(),
        seconds_to_serve: took.get(took.len() / 2).map(Duration::as_secs_f64),
        rss_mb: Some(memory),
        totals: took.iter().map(Duration::as_secs_f64).collect(),
        ..Figures::default()
    })
}

/// Two schedulers, workers and a long chain; the leader is killed.
pub(super) fn failover(args: &BenchArgs) -> Result<Figures, Output> {
    let Some(database) = args
        .database
        .as_deref()
        .filter(|url| url.starts_with("postgres"))
    else {
        return Err(Output::usage(
            "a fail-over needs a database that two schedulers share",
            "add `--database postgres://…`",
        ));
    };
    let own = serve::runtime("tidemill")?;
    let scene = Scene {
        isolated: false,
        ..scenes::scene(args, Shape::Once { tasks: CHAIN })
    };
    let place = folder(&scene.tag)?;
    let measured = own.block_on(lose_the_leader(args, database, &scene, &place));
    let _ = std::fs::remove_dir_all(&place);
    let seconds = measured?;
    Ok(Figures {
        bench: "failover".to_owned(),
        database: "postgres".to_owned(),
        workers: args.workers.max(1),
        isolation: args.isolation.word().to_owned(),
        seconds_to_lead: Some(seconds),
        ..Figures::default()
    })
}

async fn lose_the_leader(
    args: &BenchArgs,
    database: &str,
    scene: &Scene,
    place: &Path,
) -> Result<f64, Output> {
    let token = place.join("token");
    std::fs::write(&token, "bench").map_err(failed)?;
    let (token, data) = (token.display().to_string(), place.display().to_string());
    let scheduler = |address: SocketAddr| {
        start(&[
            "scheduler",
            "--database",
            database,
            "--listen",
            &address.to_string(),
            "--token-file",
            &token,
            "--data-dir",
            &data,
            "--log-level",
            "error",
        ])
    };
    let store = Store::open(database, Options::default())
        .await
        .map_err(failed)?;
    let (first, second) = (free_address()?, free_address()?);
    let mut leader = scheduler(first)?;
    until("taking the lead", async || answers(first, "/ready")).await?;
    let _standby = scheduler(second)?;
    until("standing by", async || answers(second, "/health")).await?;
    let held = serde_json::to_string(scene).map_err(failed)?;
    let servers = [format!("http://{first}"), format!("http://{second}")];
    let _workers = (0..args.workers.max(1))
        .map(|nth| {
            start(&[
                "bench",
                "worker",
                "--scene",
                &held,
                "--server",
                &servers[0],
                "--server",
                &servers[1],
                "--token-file",
                &token,
                "--worker-name",
                &format!("bench-{nth}"),
                "--log-level",
                "error",
            ])
        })
        .collect::<Result<Vec<_>, _>>()?;
    await_load(&store, scene).await?;
    let term = store.holder().await.map_err(failed)?.term;
    leader.0.kill().map_err(failed)?;
    let killed = Instant::now();
    until("the fail-over", async || {
        let led = store.holder().await.is_ok_and(|holder| holder.term > term);
        led && store.batches().await.is_ok_and(|batches| batches > 0)
    })
    .await?;
    Ok(killed.elapsed().as_secs_f64())
}

/// Waits until the run is well under way.
async fn await_load(store: &Store, scene: &Scene) -> Result<(), Output> {
    let dag = DagId::parse(&scene.dag()).map_err(failed)?;
    let filter = RunFilter {
        dag: Some(dag),
        ..RunFilter::default()
    };
    until("the first run", async || {
        let runs = store.runs(&filter, Cursor::START, 1).await;
        runs.is_ok_and(|runs| !runs.is_empty())
    })
    .await?;
    let before = store.batches().await.map_err(failed)?;
    until("the load", async || {
        store.batches().await.is_ok_and(|now| now > before + 200)
    })
    .await?;
    Ok(())
}

/// What `startup` starts.
pub(super) fn standalone(scene: &str) -> Result<Scene, Output> {
    serde_json::from_str(scene).map_err(|error| Output::failed(error, USAGE))
}
