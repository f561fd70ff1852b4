//! The web UI in a process of its own.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use crate::running::Running;

/// The answer to a browser that asks for a page without a cookie; none if nobody is there.
fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let asked =
        format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n");
    stream.write_all(asked.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

#[test]
fn a_web_process_answers_beside_a_scheduler_and_lets_nobody_in_without_its_link() {
    let running = Running::start();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    running.beside(&["web", "--web-listen", &format!("127.0.0.1:{port}")]);
    running
        .until(|_| get(port, "/healthz").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")));
    let home = get(port, "/").unwrap();
    assert!(home.starts_with("HTTP/1.1 401"), "{home}");
    assert!(home.contains("content-security-policy"), "{home}");
}

#[test]
fn a_web_process_without_a_database_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let none = crate::running::run_in(folder.path(), &["web"]);
    assert_eq!(none.code, 1, "{}", none.stderr);
    assert!(
        none.stderr.contains("there is no database at"),
        "{}",
        none.stderr
    );
}
