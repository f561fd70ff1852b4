//! Why a job failed: the service's reasons as kinds of errors, with what to fix.
//!
//! A job that was accepted and failed has ended: another try is another job. So what may pass is `transient` or `quota`, and
//! everything else is not tried again.

use serde_json::Value;
use tidemill_core::operator::{ErrorKind, TaskError};

/// Messages of single rows that are shown.
const ROWS_SHOWN: usize = 5;

/// The error of a job from its `errorResult` and its `errors`.
pub(super) fn of_job(error: &Value, all: &[Value], kind: &str) -> TaskError {
    let text = |value: &Value, name: &str| {
        let text = value.get(name).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let (reason, said) = (text(error, "reason"), text(error, "message"));
    let mut message = format!("{reason}: {said}");
    if let place @ 1.. = text(error, "location").len() {
        let location = text(error, "location");
        if place < 300 && location != "query" {
            message = format!("{message} (at {location})");
        }
    }
    let others = all.iter().map(|other| text(other, "message"));
    let others: Vec<String> = others.filter(|other| *other != said).collect();
    for other in others.iter().take(ROWS_SHOWN) {
        message = format!("{message}\n  {other}");
    }
    if others.len() > ROWS_SHOWN {
        message = format!("{message}\n  and {} more", others.len() - ROWS_SHOWN);
    }
    let (error_kind, help) = judged(&reason, &said, kind);
    TaskError {
        kind: error_kind,
        message,
        help: help.to_owned(),
        retry_after: None,
    }
}

/// The kind of error that a reason means, and what to do about it.
fn judged(reason: &str, said: &str, kind: &str) -> (ErrorKind, &'static str) {
    match reason {
        "backendError" | "internalError" | "jobBackendError" | "jobInternalError"
        | "tableUnavailable" | "timeout" => (ErrorKind::Transient, ""),
        "resourceInUse" => (
            ErrorKind::Transient,
            "somebody else changes the table at the same time; give both tasks one concurrency key",
        ),
        "rateLimitExceeded" | "jobRateLimitExceeded" | "userRateLimitExceeded" => (
            ErrorKind::Quota,
            "too many jobs change one table or run at once: put the tasks into a pool",
        ),
        "quotaExceeded" => (
            ErrorKind::Quota,
            "a quota of the project is spent: wait, have it raised, or load fewer times a day into one table",
        ),
        "accessDenied" => (ErrorKind::Permanent, ACCESS),
        "billingNotEnabled" | "billingTierLimitExceeded" => (
            ErrorKind::Permanent,
            "link the project to a billing account, or raise its limit",
        ),
        "bytesBilledLimitExceeded" => (
            ErrorKind::Permanent,
            "the query reads more than it may: narrow it to partitions, or raise `.bill_at_most(…)`",
        ),
        "notFound" => (ErrorKind::Permanent, missing(said)),
        "duplicate" => (
            ErrorKind::Permanent,
            "the table is there and not empty; say whether to append or to truncate",
        ),
        "resourcesExceeded" => (
            ErrorKind::Permanent,
            "the query needs more than one job has: filter earlier, join less, or split it",
        ),
        "responseTooLarge" => (
            ErrorKind::Permanent,
            "write the result into a table: `.into(\"dataset.table\")`",
        ),
        "stopped" => (
            ErrorKind::Cancelled,
            "somebody cancelled the job, or its time was over; clear the task to run it again",
        ),
        _ => invalid(said, kind),
    }
}

const ACCESS: &str = "give the connection's account the role `roles/bigquery.dataEditor` on the dataset, `roles/bigquery.jobUser` on the project and, for files, `roles/storage.objectViewer` on the bucket";

fn missing(said: &str) -> &'static str {
    let lower = said.to_ascii_lowercase();
    if lower.contains("location") {
        return "check the location: dataset, files and job have to be in one";
    }
    if lower.contains("uri") || lower.contains("file") {
        return "the files are not there any more, or were never: check the bucket and the path";
    }
    if lower.contains("dataset") {
        return "check the name of the dataset and its project; a dataset is made outside of Tidemill or with `CREATE SCHEMA`";
    }
    "check the name of the table and its project"
}

/// `invalid`, `invalidQuery` and what is like them: the data, or the request.
fn invalid(said: &str, kind: &str) -> (ErrorKind, &'static str) {
    let lower = said.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if has(&[
        "schema does not match",
        "schema mismatch",
        "cannot add fields",
        "has changed type",
        "has changed mode",
    ]) {
        return (
            ErrorKind::Data,
            "the files have other columns than the table: change the table, or allow it with `.allow_new_columns()` or `.allow_nulls()`",
        );
    }
    if has(&["at most one source row", "more than one row"]) {
        return (
            ErrorKind::Data,
            "the same key is there twice; say which row counts with `.latest_by(\"column\")`",
        );
    }
    if has(&[
        "reading data",
        "too many errors",
        "bad character",
        "could not parse",
        "could not convert",
        "partition",
    ]) && kind != "query"
    {
        return (
            ErrorKind::Data,
            "look at the rows that are named; `.max_bad_records(n)` leaves so many out",
        );
    }
    if has(&["could not serialize access", "due to concurrent update"]) {
        return (ErrorKind::Transient, "");
    }
    if has(&[
        "assertion failed",
        "user-defined error",
        "division by zero",
        "bad value",
        "out of range",
    ]) && kind == "query"
    {
        return (ErrorKind::Data, "look at the rows that the statement reads");
    }
    if has(&["region", "location"]) {
        return (
            ErrorKind::Permanent,
            "check the location: everything a job uses has to be in one",
        );
    }
    (ErrorKind::Permanent, "")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reasons_mean_kinds() {
        for (reason, said, kind, expected) in [
            ("backendError", "", "load", ErrorKind::Transient),
            ("jobInternalError", "", "load", ErrorKind::Transient),
            ("rateLimitExceeded", "", "load", ErrorKind::Quota),
            ("quotaExceeded", "", "load", ErrorKind::Quota),
            ("accessDenied", "", "load", ErrorKind::Permanent),
            (
                "notFound",
                "Not found: Dataset x",
                "load",
                ErrorKind::Permanent,
            ),
            (
                "invalidQuery",
                "Syntax error",
                "query",
                ErrorKind::Permanent,
            ),
            ("invalidQuery", "Assertion failed", "query", ErrorKind::Data),
            (
                "invalid",
                "Error while reading data",
                "load",
                ErrorKind::Data,
            ),
            (
                "invalid",
                "Provided Schema does not match Table",
                "load",
                ErrorKind::Data,
            ),
            ("invalid", "Unknown field", "load", ErrorKind::Permanent),
            ("stopped", "", "query", ErrorKind::Cancelled),
            (
                "bytesBilledLimitExceeded",
                "",
                "query",
                ErrorKind::Permanent,
            ),
        ] {
            let error = json!({ "reason": reason, "message": said });
            let judged = of_job(&error, &[], kind);
            assert_eq!(judged.kind, expected, "{reason} {said}");
        }
    }

    #[test]
    fn rows_that_were_wrong_are_shown_but_not_all() {
        let error = json!({ "reason": "invalid", "message": "too many errors" });
        let mut rows = vec![error.clone()];
        rows.extend((0..9).map(|n| json!({ "message": format!("row {n}") })));
        let message = of_job(&error, &rows, "load").message;
        assert!(
            message.contains("row 4") && !message.contains("row 5"),
            "{message}"
        );
        assert!(message.contains("and 4 more"), "{message}");
    }
}
