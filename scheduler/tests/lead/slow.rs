//! Connections have limits: of time for headers, of time to take what they are sent, and of how many there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use futures_util::stream;
use tidemill_scheduler::gateway::{Limits, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

/// Long enough for a machine that does other things.
const LONG: Duration = Duration::from_secs(120);

/// A server with these limits; it goes on until the sender goes.
async fn server(router: Router, limits: Limits) -> (std::net::SocketAddr, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("it works");
    let address = listener.local_addr().expect("it works");
    let (stop, stops) = watch::channel(false);
    tokio::spawn(serve(listener, None, router, limits, stops));
    (address, stop)
}

/// All that comes until the other side ends it.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // Whoever is cut off may be told so by a reset.
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Sends that it is gone when it goes.
struct Gone(mpsc::UnboundedSender<()>);

impl Drop for Gone {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[tokio::test]
async fn whoever_never_reads_is_cut_off() {
    let (told, mut gone) = mpsc::unbounded_channel();
    // An answer without an end, which is let go of when the connection is.
    let endless = move || {
        let gone = Gone(told.clone());
        async move {
            let parts = stream::unfold(gone, |gone| async {
                let part = Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 65_536]));
                Some((part, gone))
            });
            Body::from_stream(parts)
        }
    };
    let router = Router::new().route("/", get(endless));
    let limits = Limits {
        read_within: Duration::from_millis(300),
        ..Limits::default()
    };
    let (address, _stop) = server(router, limits).await;
    let mut stream = TcpStream::connect(address).await.expect("it works");
    let request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(request).await.expect("it works");
    let cut = tokio::time::timeout(LONG, gone.recv()).await;
    assert_eq!(cut.expect("it is cut off"), Some(()));
}

#[tokio::test]
async fn whoever_reads_slowly_gets_all_of_it() {
    let large = || async { vec![b'x'; 24 << 20] };
    let router = Router::new().route("/", get(large));
    let limits = Limits {
        read_within: Duration::from_secs(20),
        ..Limits::default()
    };
    let (address, _stop) = server(router, limits).await;
    let mut stream = TcpStream::connect(address).await.expect("it works");
    let request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.expect("it works");
    let (mut part, mut sum) = (vec![0; 256 << 10], 0);
    loop {
        let read = stream.read(&mut part).await.expect("it works");
        if read == 0 {
            break;
        }
        sum += read;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(sum > 24 << 20, "{sum}");
}

#[tokio::test]
async fn whoever_does_not_finish_their_headers_is_cut_off() {
    let router = Router::new().route("/", get(|| async { "here" }));
    let limits = Limits {
        headers_within: Duration::from_millis(300),
        ..Limits::default()
    };
    let (address, _stop) = server(router, limits).await;
    let mut silent = TcpStream::connect(address).await.expect("it works");
    let mut half = TcpStream::connect(address).await.expect("it works");
    half.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n")
        .await
        .expect("it works");
    for stream in [&mut silent, &mut half] {
        let said = tokio::time::timeout(LONG, rest(stream)).await;
        assert!(!said.expect("it is cut off").contains("here"));
    }
}

#[tokio::test]
async fn those_beyond_the_limit_wait_for_their_turn() {
    let count = Arc::new(AtomicU32::new(0));
    let counted = move || {
        let nth = count.fetch_add(1, Ordering::SeqCst) + 1;
        async move { format!("turn {nth}") }
    };
    let router = Router::new().route("/", get(counted));
    let limits = Limits {
        connections: 1,
        ..Limits::default()
    };
    let (address, _stop) = server(router, limits).await;
    let request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let mut first = TcpStream::connect(address).await.expect("it works");
    // It is taken, because it is answered that it may go on.
    first
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("it works");
    let mut byte = [0];
    first.read_exact(&mut byte).await.expect("it works");
    let mut second = TcpStream::connect(address).await.expect("it works");
    second.write_all(request).await.expect("it works");
    first.write_all(request).await.expect("it works");
    let said = rest(&mut first).await;
    assert!(said.contains("turn 1") && said.contains("turn 2"), "{said}");
    assert!(rest(&mut second).await.contains("turn 3"));
}
