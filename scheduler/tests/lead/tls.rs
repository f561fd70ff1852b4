//! The accept loop with TLS: who is let in, who is told why not, and who is shed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tidemill_scheduler::gateway::{Limits, serve};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

fn file(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/tls");
    root.join(name)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn certificate(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(file(name)).expect("it works")
}

/// A server that says hello to whoever speaks TLS. It goes when what is given back is dropped.
async fn start(limits: Limits) -> (SocketAddr, watch::Sender<bool>) {
    let key = PrivateKeyDer::from_pem_file(file("server.key")).expect("it works");
    let tls = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("it works")
        .with_no_client_auth()
        .with_single_cert(vec![certificate("server.pem")], key);
    let router = Router::new().route("/", get(|| async { "hello" }));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("it works");
    let address = listener.local_addr().expect("it works");
    let (stop, stops) = watch::channel(false);
    let tls = Some(Arc::new(tls.expect("it works")));
    tokio::spawn(serve(listener, tls, router, limits, stops));
    (address, stop)
}

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> String {
    let request = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.expect("it works");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it works");
    answer
}

async fn ask_by_tls(address: SocketAddr) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(certificate("authority.pem")).expect("it works");
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("it works")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.expect("it works");
    let name = ServerName::try_from("localhost").expect("it works");
    let connector = TlsConnector::from(Arc::new(config));
    ask(connector.connect(name, stream).await.expect("it works")).await
}

#[tokio::test]
async fn by_tls_there_is_an_answer_and_without_it_only_what_is_wrong() {
    let (address, _stop) = start(Limits::default()).await;
    let answer = ask_by_tls(address).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"),
        "{answer}"
    );
    let plain = ask(TcpStream::connect(address).await.unwrap()).await;
    assert!(plain.starts_with("HTTP/1.1 400"), "{plain}");
    assert!(
        plain.contains("`https://`") && !plain.contains("hello"),
        "{plain}"
    );
}

#[tokio::test]
async fn whoever_does_not_finish_the_handshake_holds_a_place_for_a_while_and_is_shed() {
    let beginnings = [&b""[..], &[0x16, 3, 1], b"GET / HT"];
    let (address, _stop) = start(Limits {
        connections: beginnings.len(),
        headers_within: Duration::from_secs(2),
        ..Limits::default()
    })
    .await;
    let mut silent = Vec::new();
    for begun in beginnings {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(begun).await.unwrap();
        silent.push(stream);
    }
    // Every place is taken, and they come free.
    let answer = ask_by_tls(address).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for mut stream in silent {
        // In order or cut off: over it is.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
}
