//! The sandbox in a process of its own.

use std::net::TcpListener;

use crate::running::{Running, run_in};
use crate::running_web::get;

fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    free.local_addr().expect("it has an address").port()
}

#[test]
fn a_sandbox_answers_beside_and_keeps_its_files_where_it_was_told() {
    let running = Running::start();
    let port = free_port();
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

    let page = get(port, "/sandbox/").expect("it answers");
    assert!(page.contains("Nobody asked for anything since"), "{page}");
    let style = page
        .split("href=\"")
        .filter_map(|rest| rest.split('"').next());
    let style = style
        .filter(|href| href.ends_with(".css"))
        .find_map(|href| get(port, href));
    // It looks like the web UI, whose style sheet it was given.
    assert!(style.expect("it answers").contains("--accent-soft"));
    from_the_terminal(&listen);

    // The port is taken now.
    let second = run_in(folder.path(), &["sandbox", "--sandbox-listen", &listen]);
    assert_eq!(second.code, 2, "{}", second.stderr);
    assert!(
        second.stderr.contains("--sandbox-listen"),
        "{}",
        second.stderr
    );
}

/// Asks a sandbox that runs.
fn ask(listen: &str, words: &[&str]) -> tidemill::Output {
    let folder = tempfile::tempdir().expect("a folder is made");
    let words = [&["sandbox"], words, &["--sandbox-listen", listen]].concat();
    run_in(folder.path(), &words)
}

fn from_the_terminal(listen: &str) {
    let ask = |words: &[&str]| ask(listen, words);
    let none = ask(&["faults", "list"]);
    assert_eq!((none.code, none.stderr.as_str()), (0, "no fault is set\n"));
    let where_ = ["faults", "add", "crm", "status", "--method", "crm.*"];
    let what = ["--status", "429", "--retry-after", "7", "--count", "2"];
    let set = ask(&[&where_[..], &what].concat());
    assert!(set.stdout.contains("fault 1 is set"), "{set:?}");
    every_service_and_kind(listen);
    let list = ask(&["faults", "list"]).stdout;
    assert!(
        list.contains("status=429") && list.contains("retry_after=7"),
        "{list}"
    );
    assert!(list.contains("crm.*") && !list.contains('\u{1b}'), "{list}");
    let gone = ask(&["faults", "remove", "2"]);
    assert_eq!(gone.stdout, "fault 2 is gone\n");
    let again = ask(&["faults", "remove", "2"]);
    assert_eq!(again.code, 1, "{}", again.stderr);
    let port = listen.rsplit(':').next().and_then(|port| port.parse().ok());
    let port = port.expect("it has a port");
    get(port, "/crm/v1/tickets?date=2026-01-31").expect("it answers");
    assert_eq!(ask(&["faults", "clear"]).stdout, "26 faults gone\n");
    get(port, "/storage/v1/b?project=p").expect("it answers");
    let journal = ask(&["journal", "--service", "crm"]).stdout;
    assert!(
        journal.contains("429") && journal.contains("[status]"),
        "{journal}"
    );
    assert!(!journal.contains("storage"), "{journal}");
    let method = [
        "journal",
        "--method",
        "storage.buckets.list",
        "--json",
        "--follow",
    ];
    let method = ask(&method).stdout;
    let method: serde_json::Value = serde_json::from_str(&method).expect("JSON");
    assert_eq!(
        method["entries"][0]["request"],
        "GET /storage/v1/b?project=p"
    );
    let effects = ask(&["journal", "--effects"]);
    assert_eq!(effects.stderr, "no request is like this\n");
    let received = ask(&["received", "--channel", "google_chat"]);
    assert_eq!(
        (received.code, received.stderr.as_str()),
        (0, "nothing came\n")
    );
    assert_eq!(ask(&["faults", "add", "nothing", "quota"]).code, 2);
    assert_eq!(
        ask(&["faults", "add", "crm", "quota", "--count", "0"]).code,
        2
    );
}

/// Names of services and kinds are those of the sandbox.
fn every_service_and_kind(listen: &str) {
    let services = "storage bigquery dataflow dataproc databricks dbt_cloud airbyte cloud_sql cloud_run functions vertex \
        secrets pubsub receivers tokens sandbox";
    for service in services.split_whitespace() {
        let message = "a\u{1b}[2J";
        let set = ["faults", "add", service, "job_fails", "--message", message];
        let set = ask(listen, &set);
        assert_eq!(set.code, 0, "{service}: {}", set.stderr);
    }
    let kinds = "latency lost_before lost_after truncated html expired_token forbidden quota job_stuck job_vanishes";
    for kind in kinds.split_whitespace() {
        let set = ask(listen, &["faults", "add", "vertex", kind, "--json"]);
        assert!(set.stdout.contains("\"id\""), "{kind}: {}", set.stderr);
    }
}

#[test]
fn where_no_sandbox_runs_it_is_said_how_to_start_one() {
    let folder = tempfile::tempdir().unwrap();
    let listen = format!("127.0.0.1:{}", free_port());
    for words in [
        &["sandbox", "faults", "list"][..],
        &["sandbox", "journal"],
        &["sandbox", "received"],
    ] {
        let asked = run_in(
            folder.path(),
            &[words, &["--sandbox-listen", &listen]].concat(),
        );
        assert_eq!(asked.code, 3, "{asked:?}");
        for says in [listen.as_str(), "--sandbox-listen", "standalone --sandbox"] {
            assert!(asked.stderr.contains(says), "{says}: {}", asked.stderr);
        }
    }
    let url = format!("http://{listen}");
    let asked = run_in(
        folder.path(),
        &["sandbox", "received", "--sandbox-url", &url],
    );
    assert!(asked.stderr.contains("--sandbox-url"), "{}", asked.stderr);
}
