//! The sandbox in a process of its own.

use std::net::TcpListener;

use crate::running::{Running, run_in};
use crate::running_web::get;

#[test]
fn a_sandbox_answers_beside_and_keeps_its_files_where_it_was_told() {
    let running = Running::start();
    let free = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = free.local_addr().expect("it has an address").port();
    drop(free);
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("cloud");
    let listen = format!("127.0.0.1:{port}");
    running.beside(&[
        "sandbox",
        "--sandbox-listen",
        &listen,
        "--sandbox-mail",
        "127.0.0.1:0",
        "--sandbox-dir",
        data.to_str().unwrap(),
    ]);
    running
        .until(|_| get(port, "/healthz").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")));
    assert!(data.join("journal.jsonl").exists());

    // The port is taken now.
    let second = run_in(folder.path(), &["sandbox", "--sandbox-listen", &listen]);
    assert_eq!(second.code, 2, "{}", second.stderr);
    assert!(
        second.stderr.contains("--sandbox-listen"),
        "{}",
        second.stderr
    );
}
