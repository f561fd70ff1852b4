//! The web UI in a process of its own.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use crate::running::Running;

/// The answer to a browser that asks for a page without a cookie; none if nobody is there.
pub(crate) fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let asked = format!(
        "GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\naccept: text/html\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(asked.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// The answer to a name and a password.
fn sign_in(port: u16, name: &str, password: &str) -> String {
    let form = format!("name={name}&password={password}");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it works");
    let asked = format!(
        "POST /sign-in HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    );
    stream.write_all(asked.as_bytes()).expect("it works");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it works");
    answer
}

/// Starts a web process beside a running Tidemill, and says on which port.
pub(crate) fn beside(running: &Running) -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = free.local_addr().expect("it has an address").port();
    drop(free);
    running.beside(&["web", "--web-listen", &format!("127.0.0.1:{port}")]);
    running
        .until(|_| get(port, "/healthz").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")));
    port
}

#[test]
fn a_web_process_answers_beside_a_scheduler_and_lets_in_who_has_a_password() {
    let running = Running::start();
    let port = beside(&running);
    let home = get(port, "/").unwrap();
    assert!(home.starts_with("HTTP/1.1 303"), "{home}");
    assert!(home.contains("location: /sign-in?to="), "{home}");
    let users = running.run(&["users", "list"]);
    assert!(users.stdout.contains("admin"), "{}", users.stdout);
    let given = running.run(&["users", "passwd", "admin"]);
    let password = given.stdout.trim();
    let right = sign_in(port, "admin", password);
    assert!(right.starts_with("HTTP/1.1 303"), "{right}");
    assert!(right.contains("set-cookie: tidemill"), "{right}");
    let wrong = sign_in(port, "admin", "another");
    assert!(wrong.starts_with("HTTP/1.1 401"), "{wrong}");
    assert!(wrong.contains("do not belong together"), "{wrong}");
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
