//! Which of several schedulers is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::config::Environment;
use crate::config::flags::GivenFlags;

/// A server that answers everything with one status, and counts.
struct Fake {
    url: String,
    status: Arc<AtomicU16>,
    asked: Arc<AtomicUsize>,
}

impl Fake {
    async fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            status: Arc::new(status.into()),
            asked: Arc::default(),
        };
        let (status, asked) = (Arc::clone(&fake.status), Arc::clone(&fake.asked));
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                asked.fetch_add(1, Ordering::Relaxed);
                let status = status.load(Ordering::Relaxed);
                let answer = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}"
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        fake
    }

    /// How often it was asked since somebody last asked for that.
    fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::Relaxed)
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }
}

fn leader(servers: &[&Fake]) -> Leader {
    let urls: Vec<&str> = servers.iter().map(|server| server.url.as_str()).collect();
    let urls = urls.join(",");
    let set = [("TIDEMILL_SERVER", urls.as_str()), ("TIDEMILL_TOKEN", "t")];
    let loaded = GivenFlags::default().load(&Environment::new(set, ""));
    Leader::new(loaded.unwrap(), None).unwrap()
}

#[tokio::test]
async fn whoever_answered_last_is_asked_first() {
    let (one, two) = (Fake::start(503).await, Fake::start(200).await);
    let leader = leader(&[&one, &two]);
    leader.look::<Value>("/").await.unwrap();
    assert_eq!((one.asked(), two.asked()), (1, 1));
    leader.look::<Value>("/").await.unwrap();
    assert_eq!((one.asked(), two.asked()), (0, 1));
    // The lead changes hands, and back.
    one.answers(200);
    two.answers(503);
    leader.look::<Value>("/").await.unwrap();
    assert_eq!((one.asked(), two.asked()), (1, 1));
    leader.look::<Value>("/").await.unwrap();
    assert_eq!((one.asked(), two.asked()), (1, 0));
}

#[tokio::test]
async fn with_nobody_that_leads_each_is_asked_once_and_nothing_is_changed() {
    let (one, two) = (Fake::start(200).await, Fake::start(200).await);
    let leader = leader(&[&one, &two]);
    leader.look::<Value>("/").await.unwrap();
    for server in [&one, &two] {
        server.answers(503);
        server.asked();
    }
    let none = leader.look::<Value>("/").await.unwrap_err();
    assert_eq!((one.asked(), two.asked()), (1, 1));
    assert!(none.stderr.contains("Nothing was changed"), "{none:?}");
}
