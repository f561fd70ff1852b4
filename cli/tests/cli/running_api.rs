//! A laptop that has a user's token and the address of a web server, and nothing else: no database, no scheduler's token.

use serde_json::{Value, json};
use tempfile::TempDir;
use tidemill::Output;

use crate::running::{Running, run_in};
use crate::running_web::beside;

/// A web process beside a running Tidemill, and tokens for two users of it.
pub(crate) struct Server {
    url: String,
    operator: String,
    viewer: String,
    laptop: TempDir,
}

/// A user with this role, and a token that may as much.
fn token(running: &Running, role: &str) -> String {
    let made = running.run(&["users", "add", role, "--role", role, "--no-password"]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let words = ["tokens", "make", "laptop", "--user", role, "--role", role];
    let token = running.run(&words).stdout.trim().to_owned();
    assert!(token.starts_with("tm_"), "{token}");
    token
}

pub(crate) fn start(running: &Running) -> Server {
    Server {
        url: format!("http://127.0.0.1:{}", beside(running)),
        operator: token(running, "operator"),
        viewer: token(running, "viewer"),
        laptop: tempfile::tempdir().expect("it works"),
    }
}

impl Server {
    fn run_as(&self, who: &str, words: &str) -> Output {
        let token = match who {
            "operator" => self.operator.as_str(),
            "viewer" => &self.viewer,
            _ => "tm_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        };
        let words: Vec<&str> = words.split(' ').collect();
        let place = ["--server", self.url.as_str(), "--token", token];
        run_in(self.laptop.path(), &[&words[..], &place].concat())
    }

    pub(crate) fn run(&self, words: &str) -> Output {
        let output = self.run_as("operator", words);
        assert_eq!(
            output.code, 0,
            "{words}: {} {}",
            output.stdout, output.stderr
        );
        output
    }

    pub(crate) fn json(&self, words: &str) -> Value {
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
}

#[test]
fn what_failed_is_told_alike_here_and_on_a_laptop() {
    let running = Running::start();
    let server = start(&running);
    assert_eq!(
        running.run(&["runs", "trigger", "broken", "--wait"]).code,
        1
    );
    let told = server.json("runs diagnose broken latest");
    let failed = &told["failed"][0];
    assert_eq!(
        (&failed["task"], &failed["kind"]),
        (&json!("first"), &json!("permanent"))
    );
    assert_eq!(failed["message"], "the source is gone");
    assert!(
        failed["meaning"]
            .as_str()
            .is_some_and(|says| says.starts_with("Permanent: "))
    );
    assert_eq!(told["upstream_failed"], json!(["second"]));
    let here = running.json(&["runs", "diagnose", "broken", "latest", "--json"]);
    assert_eq!(
        (&here["run"], &here["upstream_failed"]),
        (&told["run"], &told["upstream_failed"])
    );
    let text = server.run("runs diagnose broken latest --lines 0").stdout;
    for part in [
        "first is failed, attempt 1",
        "the source is gone",
        "Permanent: ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // The last lines of a log come a moment after the end of its attempt.
    running.until(|_| {
        let log = server.run("runs show broken latest --log-failed").stdout;
        log.starts_with("==> first, attempt 1\n") && log.contains("the source is gone")
    });
    let _ = server.run("runs trigger fine --name well --wait");
    let well = server.run("runs diagnose fine well").stdout;
    assert!(well.contains("nothing of it failed"), "{well}");
    let _ = server.run("runs trigger asks");
    running.until(|_| {
        let told = server.json("runs diagnose asks latest");
        told["waiting"][0]["task"] == "sign_off" && told["failed"] == json!([])
    });
}

#[test]
fn what_a_users_token_cannot_do_is_said() {
    let running = Running::start();
    let server = start(&running);
    let _ = server.run("pools set warehouse --slots 8");
    let pools = server.json("pools list");
    let mut pools = pools.as_array().expect("it works").iter();
    let pool = pools.find(|pool| pool["name"] == "warehouse");
    assert_eq!(pool.expect("it works")["used"], 0, "what is taken is known");
    for (words, says) in [
        ("variables list", "with a user's token"),
        ("variables get region", "with a user's token"),
        ("connections list", "with a user's token"),
        ("keys reseal", "with a user's token"),
        ("dags deploy", "a web server takes no DAGs"),
        ("users list", "--server"),
        ("tokens list", "--server"),
        ("db status", "--server"),
    ] {
        let refused = server.run_as("operator", words);
        assert_eq!(refused.code, 2, "{words}: {}", refused.stderr);
        assert!(refused.stderr.contains(says), "{words}: {}", refused.stderr);
    }
}
