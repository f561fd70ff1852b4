//! A laptop that has a user's token and the address of a web server, and nothing else: no database, no scheduler's token.

use std::sync::Arc;

use axum::body::Body;
use futures_util::stream;
use serde_json::{Value, json};
use tidemill::Output;
use tidemill_core::operator::BoxFuture;
use tidemill_core::protocol::{InstanceRef, LogPlace, RunNo};
use tidemill_core::time::Timestamp;
use tidemill_logs::{Found, Page, Search, Wanted};
use tidemill_scheduler::engine::{Changed, Fleet, Held, Why};
use tidemill_scheduler::gateway::{Limits, serve};
use tidemill_store::{Options, Schema, Store};
use tidemill_web::access::AccessError;
use tidemill_web::{Access, Asked, Config, Door, DoorError, Principal, Role, Tail, Web, site};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::running::{Running, run_in};

/// The way to the scheduler, as far as this story goes.
struct Gateway {
    address: String,
    token: String,
    client: reqwest::Client,
}

impl Gateway {
    async fn send(&self, path: &str, body: Option<Value>) -> Result<Option<Value>, DoorError> {
        let url = format!("{}{path}", self.address);
        let sent = match body {
            None => self.client.get(url),
            Some(body) => self
                .client
                .post(url)
                .header("content-type", "application/json")
                .body(body.to_string()),
        };
        let answer = sent.bearer_auth(&self.token).send().await;
        let answer = answer.map_err(|error| DoorError::Away(error.to_string()))?;
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        if status.is_success() {
            return Ok(Some(value));
        }
        let says = value["detail"].as_str().unwrap_or_default().to_owned();
        match status.as_u16() {
            404 if value["title"].is_string() && says.contains("does not hold") => Ok(None),
            status => Err(DoorError::of_status(status, says)),
        }
    }

    async fn look<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
    ) -> Result<Option<T>, DoorError> {
        let value = self.send(path, None).await?;
        Ok(value.map(|value| serde_json::from_value(value).expect("it reads")))
    }
}

impl Door for Gateway {
    fn ask(&self, asked: Asked) -> BoxFuture<'_, Result<Changed, DoorError>> {
        let body = json!({
            "by": asked.by, "seen": asked.seen, "dry_run": asked.dry_run, "command": asked.command,
        });
        Box::pin(async move {
            let reply = self.send("/api/v1/commands", Some(body)).await?;
            let reply = reply.unwrap_or_default();
            Ok(serde_json::from_value(reply["changed"].clone()).expect("it reads"))
        })
    }

    fn why(&self, of: InstanceRef) -> BoxFuture<'_, Result<Option<Why>, DoorError>> {
        let InstanceRef {
            run,
            task,
            map_index,
        } = of;
        let path = format!("/api/v1/why?run={run}&task={task}&index={map_index}");
        Box::pin(async move { self.look(&path).await })
    }

    fn why_run(&self, run: RunNo) -> BoxFuture<'_, Result<Option<Vec<Held>>, DoorError>> {
        Box::pin(async move { self.look(&format!("/api/v1/why?run={run}")).await })
    }

    fn fleet(&self) -> BoxFuture<'_, Result<Fleet, DoorError>> {
        Box::pin(async { Ok(self.look("/api/v1/fleet").await?.unwrap_or_default()) })
    }

    fn log<'a>(&'a self, of: &'a LogPlace, _: Wanted) -> BoxFuture<'a, Result<Page, DoorError>> {
        let path = format!(
            "/api/v1/logs?dag={}&run={}&run_no={}&task={}&index={}&number={}&attempt={}",
            of.dag, of.run, of.run_no, of.task, of.map_index, of.number, of.attempt
        );
        Box::pin(async move {
            let page = self.look(&path).await?;
            page.ok_or_else(|| DoorError::Unknown("no log".to_owned()))
        })
    }

    fn search<'a>(&'a self, _: &'a LogPlace, _: Search) -> BoxFuture<'a, Result<Found, DoorError>> {
        Box::pin(async { Err(DoorError::Away("not in this story".to_owned())) })
    }

    fn download<'a>(&'a self, _: &'a LogPlace) -> BoxFuture<'a, Result<Body, DoorError>> {
        Box::pin(async { Err(DoorError::Away("not in this story".to_owned())) })
    }

    fn tail(&self, _: &LogPlace, _: u64) -> Tail {
        Box::pin(stream::empty())
    }
}

/// `tm_operator` and `tm_viewer` are tokens.
struct Tokens;

impl Access for Tokens {
    fn session<'a>(
        &'a self,
        _: &'a str,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Principal>, AccessError>> {
        Box::pin(async { Ok(None) })
    }

    fn token<'a>(
        &'a self,
        secret: &'a str,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Principal>, AccessError>> {
        let role = match secret {
            "tm_operator_operator_operator_operator" => Some(Role::Operator),
            "tm_viewer_viewer_viewer_viewer_viewer" => Some(Role::Viewer),
            _ => None,
        };
        Box::pin(async move { Ok(role.map(|role| Principal::of("ann", role))) })
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

/// A web server beside a running Tidemill.
struct Server {
    runtime: Runtime,
    stop: watch::Sender<bool>,
    url: String,
    laptop: tempfile::TempDir,
}

fn start(running: &Running) -> Server {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = Runtime::new().expect("it works");
    let data = running.folder.path().join("data");
    let database = format!("sqlite://{}", data.join("tidemill.db").display());
    let token = std::fs::read_to_string(data.join("token")).expect("it works");
    let (stop, stops) = watch::channel(false);
    let url = runtime.block_on(async {
        let options = Options {
            schema: Schema::Require,
            ..Options::default()
        };
        let store = Store::open(&database, options).await.expect("it works");
        let holder = store.holder().await.expect("it works").name;
        let address = holder.rsplit(' ').next().expect("it works").to_owned();
        let door = Gateway {
            address,
            token: token.trim().to_owned(),
            client: reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("it works"),
        };
        let config = Config {
            deployment: "tidemill".into(),
            https: false,
            wall: || Timestamp::from_micros(1_900_000_000_000_000),
            proxies: Default::default(),
        };
        let web = Web::new(config, store, Arc::new(door), Arc::new(Tokens));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("it works");
        let port = listener.local_addr().expect("it works").port();
        tokio::spawn(serve(
            listener,
            None,
            site(web).router,
            Limits::default(),
            stops,
        ));
        format!("http://127.0.0.1:{port}")
    });
    Server {
        runtime,
        stop,
        url,
        laptop: tempfile::tempdir().expect("it works"),
    }
}

impl Server {
    fn run_as(&self, who: &str, words: &str) -> Output {
        let token = format!("tm_{}", [who; 4].join("_"));
        let token = if who == "viewer" {
            format!("{token}_viewer")
        } else {
            token
        };
        let words: Vec<&str> = words.split(' ').collect();
        let place = ["--server", self.url.as_str(), "--token", token.as_str()];
        run_in(self.laptop.path(), &[&words[..], &place].concat())
    }

    fn run(&self, words: &str) -> Output {
        let output = self.run_as("operator", words);
        assert_eq!(
            output.code, 0,
            "{words}: {} {}",
            output.stdout, output.stderr
        );
        output
    }

    fn json(&self, words: &str) -> Value {
        let output = self.run(&format!("{words} --json"));
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {words}"))
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story, told to its end")]
fn a_laptop_with_an_address_and_a_token_does_all_of_it() {
    let running = Running::start();
    let server = start(&running);
    let made = server.json("runs trigger fine --name one --param region=eu --note try --wait");
    assert_eq!(
        (&made["state"], &made["note"]),
        (&json!("success"), &json!("try"))
    );
    let here = running.json(&["runs", "show", "fine", "one", "--json"]);
    assert_eq!(here["touched"], Value::Null);
    for name in ["one", "latest", &made["no"].to_string()] {
        let there = server.json(&format!("runs show fine {name}"));
        assert_eq!(there, here, "{name}");
    }
    let listed = server.json("runs list fine --state success");
    assert_eq!(listed[0]["name"], "one");
    assert_eq!(
        server.json("tasks list fine one").as_array().map(Vec::len),
        Some(2)
    );
    let clear = server.run("tasks clear fine one words --downstream --dry-run");
    assert!(clear.stdout.contains("writes again: "), "{}", clear.stdout);

    assert_eq!(
        server.run_as("operator", "runs trigger broken --wait").code,
        1
    );
    let log = server.run("tasks logs broken latest first --follow");
    assert!(log.stdout.contains("the source is gone"), "{}", log.stdout);
    let why = server.run("tasks why broken latest first");
    assert!(
        why.stdout.contains("first is failed since"),
        "{}",
        why.stdout
    );
    let _ = server.run("runs retry broken latest");
    let stale = server.run_as("operator", "runs clear broken latest --seen 0");
    assert_eq!(stale.code, 1, "{}", stale.stderr);

    let _ = server.run("runs trigger asks");
    running.until(|_| {
        let why = server.json("tasks why asks latest publish");
        why["gates"]
            .as_array()
            .is_some_and(|gates| !gates.is_empty())
    });
    let _ = server.run("pools set warehouse --slots 8");
    let pools = server.json("pools list");
    let mut pools = pools.as_array().expect("it works").iter();
    let pool = pools.find(|pool| pool["name"] == "warehouse");
    assert_eq!(pool.expect("it works")["slots"], 8);
    assert_eq!(
        server.json("workers list")["workers"][0]["labels"]["team"],
        "crm"
    );
    let _ = server.run("backfill create daily --from 2025-01-01 --to 2025-01-03 --yes");
    let backfill = server.json("backfill show 1");
    assert_eq!(backfill["dates"].as_array().map(Vec::len), Some(3));
    assert_eq!(
        server.json("backfill list").as_array().map(Vec::len),
        Some(1)
    );
    let _ = server.run("dags pause fine");

    let viewer = server.run_as("viewer", "runs trigger fine");
    assert_eq!(viewer.code, 2);
    assert!(viewer.stderr.contains("may not"), "{}", viewer.stderr);
    assert_eq!(server.run_as("viewer", "runs list fine").code, 0);
    assert_eq!(server.run_as("nobody", "runs list fine").code, 2);
    let none = server.run_as("operator", "runs show fine nope");
    assert!(
        none.stderr.contains("`fine` has no run `nope`"),
        "{}",
        none.stderr
    );
    let near = server.run_as("operator", "runs show fien latest");
    assert!(
        near.stderr.contains("did you mean `fine`?"),
        "{}",
        near.stderr
    );
    server.stop.send_replace(true);
    server.runtime.shutdown_background();
}
