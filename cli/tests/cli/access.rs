//! `users …` and `tokens …`: what they print, and what they refuse.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use tidemill::{Environment, Output};

use crate::project::good;

fn run(line: &[&str], folder: &Path) -> Output {
    let line = ["tidemill"].iter().chain(line);
    let environment = Environment::new([("USER", "root")], folder);
    tidemill::run_in(&good(), line.map(Into::into), &environment)
}

/// What it printed, having worked.
fn done(line: &[&str], folder: &Path) -> String {
    let output = run(line, folder);
    assert_eq!(output.code, 0, "{line:?}: {}", output.stderr);
    output.stdout
}

fn json(line: &[&str], folder: &Path) -> Value {
    serde_json::from_str(&done(line, folder)).expect("JSON")
}

/// How it ended, and what it said.
fn refused(line: &[&str], folder: &Path) -> (u8, String) {
    let output = run(line, folder);
    assert_eq!(output.stdout, "", "{line:?}");
    (output.code, output.stderr)
}

fn migrated() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    done(&["db", "migrate"], folder.path());
    folder
}

#[test]
fn users_are_made_with_a_password_that_is_shown_once() {
    let folder = migrated();
    let folder = folder.path();
    let none = run(&["users", "list"], folder);
    assert_eq!((none.code, none.stdout.as_str()), (0, ""));
    assert!(none.stderr.contains("users add NAME --role admin"));
    let made = run(&["users", "add", "Root", "--role", "admin"], folder);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let password = made.stdout.trim_end();
    assert_eq!(password.len(), 29);
    assert!(
        made.stderr
            .starts_with("made user root, admin; the password is shown this once")
    );
    assert!(!made.stderr.contains(password));
    let no = done(&["users", "add", "ann", "--no-password"], folder);
    assert_eq!(no, "made user ann, viewer\n");
    done(&["users", "grant", "ann", "crm_*"], folder);
    let all = json(&["users", "list", "--json"], folder);
    assert_eq!(all[0]["name"], "ann");
    assert_eq!(all[0]["has_password"], false);
    assert_eq!(all[0]["grants"][0]["dags"], "crm_*");
    assert_eq!(all[0]["grants"][0]["role"], "operator");
    assert_eq!(all[1]["must_change_password"], true);
    let table = done(&["users", "list"], folder);
    assert!(
        table.contains("ann   viewer  active  never      crm_*=operator\n"),
        "{table}"
    );
    assert_eq!(
        done(&["users", "ungrant", "ann", "crm_*"], folder),
        "took crm_* away from ann\n"
    );
    let again = refused(&["users", "ungrant", "ann", "crm_*"], folder);
    assert_eq!(again.0, 1);
}

#[test]
fn what_cannot_be_is_refused_with_a_way_on() {
    let folder = migrated();
    let folder = folder.path();
    done(&["users", "add", "root", "--role", "admin"], folder);
    for (line, code, says) in [
        (&["users", "add", "root"][..], 1, "`users passwd root`"),
        (
            &["users", "set", "root", "--role", "viewer"],
            1,
            "is the last admin",
        ),
        (&["users", "disable", "root"], 1, "is the last admin"),
        (
            &["users", "disable", "nobody"],
            1,
            "there is no user `nobody`",
        ),
        (
            &["users", "grant", "nobody", "*"],
            1,
            "there is no user `nobody`",
        ),
        (
            &["users", "passwd", "nobody"],
            1,
            "there is no user `nobody`",
        ),
        (&["users", "add", "a b"], 2, "letters, digits"),
        (
            &["users", "add", "ann", "--role", "king"],
            2,
            "viewer, operator or admin",
        ),
        (&["users", "grant", "root", "crm daily"], 2, "no DAG has"),
        (&["users", "set", "root"], 2, "--role"),
        (
            &["users", "passwd", "root", "--password", "hunter2"],
            2,
            "seen by everybody",
        ),
        (
            &["tokens", "make", "ci", "--user", "nobody"],
            1,
            "there is no user `nobody`",
        ),
        (&["tokens", "revoke", "none"], 1, "`tokens list`"),
    ] {
        let (was, said) = refused(line, folder);
        assert_eq!(was, code, "{line:?}: {said}");
        assert!(said.contains(says), "{line:?}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let empty = tempfile::tempdir().expect("a folder");
    let (code, said) = refused(&["users", "list"], empty.path());
    assert_eq!(code, 1);
    assert!(said.contains("`db migrate` makes it"), "{said}");
}

#[test]
fn a_password_comes_from_a_file_or_is_made() {
    let folder = migrated();
    let folder = folder.path();
    done(&["users", "add", "root", "--role", "admin"], folder);
    std::fs::write(folder.join("good"), "a few words for root\n").expect("it writes");
    std::fs::write(folder.join("bad"), "short\n").expect("it writes");
    let passwd = |from| run(&["users", "passwd", "root", "--password", from], folder);
    assert_eq!(
        passwd("@good").stdout,
        "root has another password and is signed out\n"
    );
    let bad = passwd("@bad");
    assert_eq!(bad.code, 2);
    assert!(
        bad.stderr.contains("at least 12 characters"),
        "{}",
        bad.stderr
    );
    let all = json(&["users", "list", "--json"], folder);
    assert_eq!(all[0]["must_change_password"], false);
    let made = json(&["users", "passwd", "root", "--json"], folder);
    assert_eq!(made["password"].as_str().map(str::len), Some(29));
    let all = json(&["users", "list", "--json"], folder);
    assert_eq!(all[0]["must_change_password"], true);
}

#[test]
fn a_token_is_shown_once_and_listed_without_its_secret() {
    let folder = migrated();
    let folder = folder.path();
    done(&["users", "add", "root", "--role", "admin"], folder);
    done(&["users", "add", "ann", "--role", "operator"], folder);
    let made = json(
        &[
            "tokens", "make", "ci", "--user", "ann", "--role", "operator", "--dag", "crm_*",
            "--json",
        ],
        folder,
    );
    let token = made["token"].as_str().expect("a token");
    let id = made["id"].as_str().expect("an id");
    assert!(token.starts_with("tm_") && token.len() == 46, "{token}");
    let plain = run(
        &["tokens", "make", "all", "--user", "ann", "--endless"],
        folder,
    );
    assert!(plain.stdout.starts_with("tm_"), "{}", plain.stdout);
    assert!(
        plain.stderr.contains("does not end by itself"),
        "{}",
        plain.stderr
    );
    let listed = done(&["tokens", "list", "--user", "ann", "--json"], folder);
    assert!(!listed.contains(token));
    let state = || {
        let all = json(&["tokens", "list", "--json"], folder);
        let all = all.as_array().expect("a list").clone();
        let one = all
            .into_iter()
            .find(|one| one["id"] == id)
            .expect("it is there");
        one["state"].as_str().expect("a word").to_owned()
    };
    assert_eq!(state(), "active");
    assert_eq!(
        done(&["tokens", "revoke", id], folder),
        format!("revoked token {id} of ann\n")
    );
    assert_eq!(state(), "revoked");
    assert_eq!(refused(&["tokens", "revoke", id], folder).0, 1);
    done(&["users", "disable", "ann"], folder);
    let (code, said) = refused(&["tokens", "make", "no", "--user", "ann"], folder);
    assert_eq!(code, 1);
    assert!(said.contains("users enable ann"), "{said}");
}
