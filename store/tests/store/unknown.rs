//! Commits whose answer is lost, with a real PostgreSQL behind a proxy that cuts the line.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tidemill_store::record::Changes;
use tidemill_store::{CommitOutcome, Leader, Resolved, Settled};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::chains::fit;
use crate::cluster;
use crate::place::{Place, open};
use crate::round_trip::{everything, lead, put};
use crate::sample::*;

/// What the proxy does to the next commit.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Cut {
    Nothing = 0,
    /// The server never sees it.
    Before = 1,
    /// The server gets all of it, and its answer goes nowhere.
    After = 2,
    /// The same, of a commit that ends with the word.
    BeforeWord = 3,
    /// The same.
    AfterWord = 4,
}

#[derive(Clone)]
struct Proxy(Arc<AtomicU8>);

impl Proxy {
    /// Starts one, and says at which port.
    async fn start() -> (Self, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let proxy = Self(Arc::default());
        let this = proxy.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", cluster::here().port())).await;
                let server = server.expect("PostgreSQL listens");
                tokio::spawn(this.clone().carry(client, server));
            }
        });
        (proxy, port)
    }

    fn next(&self, cut: Cut) {
        self.0.store(cut as u8, Ordering::SeqCst);
    }

    /// Whether this is to be done, which is then over.
    fn now_is(&self, cut: Cut) -> bool {
        let done = Cut::Nothing as u8;
        let (is, relaxed) = (cut as u8, Ordering::SeqCst);
        cut != Cut::Nothing && self.0.compare_exchange(is, done, relaxed, relaxed).is_ok()
    }

    /// Carries bytes both ways until either side ends, or the line is cut.
    async fn carry(self, client: TcpStream, server: TcpStream) {
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let (hold, held) = tokio::sync::watch::channel(false);
        tokio::select! {
            () = self.forth(from_client, to_server, hold) => {}
            () = back(from_server, to_client, held) => {}
        }
    }

    async fn forth(
        self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        hold: tokio::sync::watch::Sender<bool>,
    ) {
        let mut bytes = vec![0; 1 << 20];
        loop {
            let count = match from.read(&mut bytes).await {
                Ok(0) | Err(_) => return,
                Ok(count) => count,
            };
            let said = &bytes[..count];
            // A statement with its arguments ("bind"), or the word.
            let (before, after) = if said.first() == Some(&b'B') {
                (Cut::Before, Cut::After)
            } else if said.starts_with(b"Q\0\0\0\x0bCOMMIT") {
                (Cut::BeforeWord, Cut::AfterWord)
            } else {
                (Cut::Nothing, Cut::Nothing)
            };
            if self.now_is(before) {
                return;
            }
            if self.now_is(after) {
                hold.send_replace(true);
            }
            if to.write_all(said).await.is_err() {
                return;
            }
        }
    }
}

/// Carries answers; the first one that is held back cuts the line: by then the commit is on disk.
async fn back(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    held: tokio::sync::watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 1 << 20];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if *held.borrow() || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

async fn start() -> (Place, Proxy, Leader) {
    let place = Place::postgres().await;
    let (proxy, port) = Proxy::start().await;
    let path = place
        .url
        .split('/')
        .nth(3)
        .expect("the address names a database");
    let name = path.split('?').next().unwrap_or(path);
    let store = open(&format!("postgres://tidemill@127.0.0.1:{port}/{name}")).await;
    let leader = lead(&store).await;
    // The first commit also opens its connection.
    put(&leader, 1, &everything()).await;
    (place, proxy, leader)
}

fn small() -> Changes {
    Changes {
        tasks: vec![task_new(1, 0)],
        audits: vec![audit_row(7)],
        ..Changes::default()
    }
}

/// What comes after either.
fn later() -> Changes {
    Changes {
        audits: vec![audit_row(8)],
        ..Changes::default()
    }
}

/// Too big for one statement, so that it ends with a COMMIT of its own.
fn big() -> Changes {
    Changes {
        new_tasks: (10..9_000).map(|task| task_new(1, task)).collect(),
        ..small()
    }
}

async fn lost(leader: &Leader, changes: &Changes) {
    let outcome = leader.commit(2, changes).await;
    assert!(
        matches!(outcome, Ok(CommitOutcome::Unknown(_))),
        "{outcome:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_cut_before_it_arrives_is_not_done() {
    let (place, proxy, leader) = start().await;
    let before = place.picture().await;
    proxy.next(Cut::Before);
    lost(&leader, &small()).await;
    assert_eq!(
        leader.resolve(2).await.expect("it answers"),
        Resolved::NotDone
    );
    assert_eq!(place.picture().await, before);
    put(&leader, 2, &small()).await;
    assert_eq!(
        place.ask("SELECT count(*) FROM audit WHERE id = 7").await,
        1
    );
    assert_eq!(fit(&place.store).await, [2, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_cut_after_it_arrived_is_done_once() {
    let (place, proxy, leader) = start().await;
    proxy.next(Cut::After);
    lost(&leader, &small()).await;
    assert_eq!(leader.resolve(2).await.expect("it answers"), Resolved::Done);
    let after = place.picture().await;
    assert_eq!(
        place.ask("SELECT count(*) FROM audit WHERE id = 7").await,
        1
    );
    // Sent again it changes nothing.
    put(&leader, 2, &small()).await;
    assert_eq!(place.picture().await, after);
    // What comes after it fits it, however late it was known to be on record.
    put(&leader, 3, &later()).await;
    assert_eq!(fit(&place.store).await, [3, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_big_commit_that_is_cut_at_its_last_word_is_resolved() {
    let (place, proxy, leader) = start().await;
    for (cut, resolved) in [
        (Cut::BeforeWord, Resolved::NotDone),
        (Cut::AfterWord, Resolved::Done),
    ] {
        proxy.next(cut);
        lost(&leader, &big()).await;
        assert_eq!(leader.resolve(2).await.expect("it answers"), resolved);
    }
    assert_eq!(place.ask("SELECT count(*) FROM task").await, 8_993);
    put(&leader, 3, &later()).await;
    assert_eq!(fit(&place.store).await, [3, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_wants_to_be_sure_is() {
    for cut in [Cut::Before, Cut::After] {
        let (place, proxy, leader) = start().await;
        proxy.next(cut);
        let settled = leader
            .commit_surely(2, &small(), Duration::from_secs(30))
            .await;
        assert_eq!(settled.expect("it is clear in the end"), Settled::Done);
        assert_eq!(
            place.ask("SELECT count(*) FROM audit WHERE id = 7").await,
            1
        );
        assert_eq!(place.ask("SELECT batch FROM leader").await, 2);
        put(&leader, 3, &later()).await;
        assert_eq!(fit(&place.store).await, [3, 0]);
    }
}
