//! What a failed request means: the one place in which a status, a body or a lost connection becomes a kind of error.
//!
//! | What came back | Kind | Sent again |
//! | --- | --- | --- |
//! | no connection, and nothing was sent | transient | always |
//! | a certificate that is not trusted | permanent | never |
//! | the connection broke, no reply in time, a reply that cannot be read | transient; ambiguous if it may not be repeated | if it may be repeated |
//! | 408, 425, 500, 502, 503, 504 and other 5xx | likewise; a 503 in the service's own words says that nothing was done | if it may be repeated |
//! | 429, and 403 with a reason such as `rateLimitExceeded` | quota | always, when the service says |
//! | 403 with `quotaExceeded` | quota | never: it lasts longer than a request |
//! | 401, also with a new token | permanent | once, with a new token |
//! | 403, 404, 409, 412, 400 and other 4xx, 501 | permanent | never |

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;
use tidemill_core::operator::{ErrorKind, TaskError};

use super::retry;
use super::said::Said;

/// Reasons of Google for too many requests in a short time.
const TOO_FAST: [&str; 8] = [
    "rateLimitExceeded",
    "userRateLimitExceeded",
    "jobRateLimitExceeded",
    "concurrentLimitExceeded",
    "RATE_LIMIT_EXCEEDED",
    "RESOURCE_EXHAUSTED",
    "REQUEST_LIMIT_EXCEEDED",
    "slowDown",
];

/// Reasons for a quota that is spent for hours.
const SPENT: [&str; 7] = [
    "quotaExceeded",
    "dailyLimitExceeded",
    "dailyLimitExceededUnreg",
    "limitExceeded",
    "QUOTA_EXCEEDED",
    "responseTooLargeForQuota",
    "quota",
];

/// Reasons for an API that nobody switched on.
const SWITCHED_OFF: [&str; 4] = [
    "accessNotConfigured",
    "SERVICE_DISABLED",
    "API_DISABLED",
    "FEATURE_DISABLED",
];

/// Whether sending a request again is safe and of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// It would fail again.
    Never,
    /// If doing it twice does no harm.
    IfRepeatable,
    /// It is certain that nothing was done.
    Always,
}

/// A request that failed.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) error: TaskError,
    pub(crate) again: Again,
}

/// What is known of the request beside its reply.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'a> {
    /// What was being done: `list gs://raw/x`.
    pub(crate) doing: &'a str,
    /// What it names, such as "bucket `raw`"; empty if nothing that could be missing.
    pub(crate) names: &'a str,
    /// The permission it needs, if that is known; a service's own word goes first.
    pub(crate) needs: &'a str,
    /// Whose credentials they were, and which connection.
    pub(crate) who: &'a str,
    pub(crate) connection: &'a str,
    /// Whether it may be done twice.
    pub(crate) repeatable: bool,
    pub(crate) now: DateTime<Utc>,
}

impl About<'_> {
    /// An error of a request of which it is open whether it was done.
    fn open(&self, message: String) -> TaskError {
        if self.repeatable {
            TaskError::transient(message)
        } else {
            TaskError::ambiguous(message)
                .help("whether it was done is looked up before it is sent again")
        }
    }

    fn said(&self, text: impl std::fmt::Display) -> String {
        format!("{}: {text}", self.doing)
    }

    /// There was no connection: nothing was sent.
    pub(crate) fn unreached(&self, error: &reqwest::Error, host: &str) -> Failure {
        let why = causes(error);
        let message = self.said(format_args!("{host} cannot be reached: {why}"));
        if why.contains("certificate") {
            return Failure {
                error: TaskError::permanent(message).help(
                    "the certificate of the server is not trusted by this machine; check the address in the connection, or install the authority",
                ),
                again: Again::Never,
            };
        }
        Failure {
            error: TaskError::transient(message).help(format!(
                "check the address in connection `{}` and the network, if it lasts",
                self.connection
            )),
            again: Again::Always,
        }
    }

    /// It was sent, and what became of it is open.
    pub(crate) fn lost(&self, why: impl std::fmt::Display) -> Failure {
        Failure {
            error: self.open(self.said(format_args!("the reply was lost: {why}"))),
            again: Again::IfRepeatable,
        }
    }

    /// It says it was done, in a form that is none.
    pub(crate) fn unreadable(&self, status: u16, body: &[u8]) -> Failure {
        let found = match Said::read(body) {
            Said { is_own: true, .. } => "it is no complete JSON".to_owned(),
            odd => format!("it is {}", quoted(&odd.message)),
        };
        let text = format_args!("the reply ({status}) cannot be read: {found}");
        Failure {
            error: self.open(self.said(text)),
            again: Again::IfRepeatable,
        }
    }

    /// It is longer than any reply should be.
    pub(crate) fn too_long(&self, most: usize) -> Failure {
        let text = self.said(format_args!("the reply has more than {most} bytes"));
        let error = if self.repeatable {
            TaskError::permanent(text).help("ask for less at once, such as smaller pages")
        } else {
            TaskError::ambiguous(text)
        };
        Failure {
            error,
            again: Again::Never,
        }
    }

    /// The service answered with an error.
    pub(crate) fn status(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Failure {
        let said = Said::read(body);
        let after = retry::after(headers, self.now);
        let mut failure = self.by_status(status, &said);
        if matches!(
            failure.error.kind,
            ErrorKind::Quota | ErrorKind::Transient | ErrorKind::Ambiguous
        ) {
            failure.error.retry_after = after;
        }
        failure
    }

    fn by_status(&self, status: u16, said: &Said) -> Failure {
        match status {
            _ if status == 429 || (status == 403 && said.is_one_of(&TOO_FAST)) => Failure {
                error: self.quota(status, said),
                again: Again::Always,
            },
            403 if said.is_one_of(&SPENT) => Failure {
                error: self
                    .quota(status, said)
                    .help("a quota of the project is spent: wait, or have it raised"),
                again: Again::Never,
            },
            401 => self.never(self.unauthorized(status, said)),
            403 => self.never(self.forbidden(status, said)),
            404 | 410 => self.never(self.missing(status, said)),
            408 | 425 | 500 | 502 | 504 | 505..=599 => Failure {
                error: self.open(self.worded("the service failed", status, said)),
                again: Again::IfRepeatable,
            },
            503 => {
                let words = self.worded("the service is not available", status, said);
                // A proxy's page says nothing about what the service behind it did.
                let error = if said.is_own {
                    TaskError::transient(words)
                } else {
                    self.open(words)
                };
                Failure {
                    error,
                    again: Again::IfRepeatable,
                }
            }
            _ => self.never(self.refused(status, said)),
        }
    }

    fn never(&self, error: TaskError) -> Failure {
        Failure {
            error,
            again: Again::Never,
        }
    }

    fn worded(&self, what: &str, status: u16, said: &Said) -> String {
        self.said(format_args!("{what} ({})", words(status, said)))
    }

    fn quota(&self, status: u16, said: &Said) -> TaskError {
        TaskError::quota(self.worded("too much was asked for", status, said), None)
    }

    fn unauthorized(&self, status: u16, said: &Said) -> TaskError {
        let who = self.who;
        TaskError::permanent(self.worded(
            &format!("the credentials of {who} are not accepted"),
            status,
            said,
        ))
        .help(format!(
            "renew the key or token of connection `{0}`; `connections test {0}` says whether it works",
            self.connection
        ))
    }

    fn forbidden(&self, status: u16, said: &Said) -> TaskError {
        if said.is_one_of(&SWITCHED_OFF) {
            return TaskError::permanent(self.worded("the API is switched off", status, said))
                .help("switch the API on in the project, or check the project in the connection");
        }
        if said.is_one_of(&["billingNotEnabled", "BILLING_DISABLED"]) {
            return TaskError::permanent(self.worded("the project has no billing", status, said))
                .help("link the project to a billing account");
        }
        let permission = if said.permission.is_empty() {
            self.needs
        } else {
            &said.permission
        };
        let (who, names) = (self.who, self.names);
        let mut what = format!("{who} may not do this");
        if !permission.is_empty() {
            what = format!("{who} lacks the permission `{permission}`");
        }
        if !names.is_empty() {
            // Writing to a text does not fail.
            let _ = write!(what, " on {names}");
        }
        let give = if permission.is_empty() {
            format!("give {who} a role that allows it")
        } else {
            format!("give {who} a role that has `{permission}`")
        };
        TaskError::permanent(self.worded(&what, status, said)).help(format!(
            "{give}, or use another connection than `{}`",
            self.connection
        ))
    }

    fn missing(&self, status: u16, said: &Said) -> TaskError {
        let (who, names) = (self.who, self.names);
        let what = if names.is_empty() {
            "there is no such thing".to_owned()
        } else {
            format!("there is no {names}, or {who} may not see it")
        };
        let mut help = "check the name and the project".to_owned();
        if said.message.to_ascii_lowercase().contains("location") {
            help.push_str(", and the location: it is looked for in that one only");
        }
        TaskError::permanent(self.worded(&what, status, said)).help(help)
    }

    fn refused(&self, status: u16, said: &Said) -> TaskError {
        let what = match status {
            300..=399 => "the address leads elsewhere",
            409 => "it clashes with what is there",
            412 => "it was changed by somebody else meanwhile",
            501 => "the service does not do this",
            _ => "the request is refused",
        };
        let error = TaskError::permanent(self.worded(what, status, said));
        let lower = said.message.to_ascii_lowercase();
        let help = if lower.contains("location") || lower.contains("region") {
            "check the location: everything a job uses has to be in one"
        } else if lower.contains("uri") || lower.contains("url") {
            "check how the address is written, such as `gs://bucket/path`"
        } else if (300..400).contains(&status) {
            "write the address in the connection as it is after the redirection"
        } else {
            ""
        };
        error.help(help)
    }
}

/// `404 notFound: The specified bucket does not exist.`
fn words(status: u16, said: &Said) -> String {
    match (said.reason.as_str(), said.message.as_str()) {
        ("", "") => status.to_string(),
        ("", message) => format!("{status}: {message}"),
        (reason, "") => format!("{status} {reason}"),
        (reason, message) if reason == message => format!("{status}: {message}"),
        (reason, message) => format!("{status} {reason}: {message}"),
    }
}

fn quoted(text: &str) -> String {
    let is_ours = text.starts_with("a web page") || text == "an empty reply";
    let short: String = text.chars().take(120).collect();
    if is_ours { short } else { format!("`{short}`") }
}

/// An error with its causes, without the address: it may have secrets in it.
pub(crate) fn causes(error: &reqwest::Error) -> String {
    let mut source = std::error::Error::source(error);
    let mut text = String::new();
    while let Some(error) = source {
        let says = error.to_string();
        if !text.contains(&says) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&says);
        }
        source = error.source();
    }
    if text.is_empty() {
        "the connection broke".clone_into(&mut text);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn about(repeatable: bool) -> About<'static> {
        About {
            doing: "list gs://raw/x",
            names: "bucket `raw`",
            needs: "storage.objects.list",
            who: "etl@shop",
            connection: "google",
            repeatable,
            now: DateTime::UNIX_EPOCH,
        }
    }

    fn google(status: u16, reason: &str, message: &str) -> Vec<u8> {
        json!({"error": {"code": status, "message": message, "errors": [{"reason": reason}]}})
            .to_string()
            .into_bytes()
    }

    fn of(status: u16, body: &[u8], repeatable: bool) -> (ErrorKind, Again) {
        let failure = about(repeatable).status(status, &HeaderMap::new(), body);
        (failure.error.kind, failure.again)
    }

    /// Status, reason (or a page, or nothing), kind if it may be repeated, kind if not, whether it is sent again.
    const TABLE: &str = "
        400 invalid            permanent permanent Never
        401 authError          permanent permanent Never
        403 forbidden          permanent permanent Never
        403 rateLimitExceeded  quota     quota     Always
        403 quotaExceeded      quota     quota     Never
        404 notFound           permanent permanent Never
        408 nothing            transient ambiguous IfRepeatable
        409 duplicate          permanent permanent Never
        412 conditionNotMet    permanent permanent Never
        429 page               quota     quota     Always
        500 internalError      transient ambiguous IfRepeatable
        501 notImplemented     permanent permanent Never
        502 page               transient ambiguous IfRepeatable
        503 backendError       transient transient IfRepeatable
        503 page               transient ambiguous IfRepeatable
        504 nothing            transient ambiguous IfRepeatable
        520 nothing            transient ambiguous IfRepeatable
        302 nothing            permanent permanent Never";

    #[test]
    fn every_status_has_its_kind() {
        for line in TABLE.trim().lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [status, reason, repeatable, once, again] = words[..] else {
                panic!("{line}");
            };
            let status = status.parse().unwrap();
            let body = match reason {
                "page" => b"<html><title>502</title></html>".to_vec(),
                "nothing" => vec![],
                reason => google(status, reason, "a sentence"),
            };
            for (may, kind) in [(true, repeatable), (false, once)] {
                let found = of(status, &body, may);
                let found = (found.0.word(), format!("{:?}", found.1));
                assert_eq!(found, (kind, again.to_owned()), "{line}");
            }
        }
    }

    #[test]
    fn the_message_names_what_to_fix() {
        let told = |status: u16, reason: &str, message: &str| {
            let failure =
                about(true).status(status, &HeaderMap::new(), &google(status, reason, message));
            format!("{} | {}", failure.error.message, failure.error.help)
        };
        assert_eq!(
            told(404, "notFound", "The specified bucket does not exist."),
            "list gs://raw/x: there is no bucket `raw`, or etl@shop may not see it (404 notFound: The specified bucket \
             does not exist.) | check the name and the project"
        );
        assert_eq!(
            told(
                403,
                "forbidden",
                "etl@shop does not have storage.objects.get access"
            ),
            "list gs://raw/x: etl@shop lacks the permission `storage.objects.get` on bucket `raw` (403 forbidden: \
             etl@shop does not have storage.objects.get access) | give etl@shop a role that has `storage.objects.get`, \
             or use another connection than `google`"
        );
        assert!(told(403, "forbidden", "no").contains("`storage.objects.list`"));
        assert!(told(403, "accessNotConfigured", "x").contains("switch the API on"));
        assert!(told(401, "authError", "x").contains("connections test google"));
        assert!(told(404, "notFound", "Not found: Job in location US").contains("the location"));
        assert!(
            told(400, "invalid", "Cannot read in different locations: US, EU")
                .contains("has to be in one")
        );
        assert!(told(400, "invalid", "Invalid GCS URI").contains("gs://bucket/path"));
    }

    #[test]
    fn what_the_server_says_about_waiting_is_kept() {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "7".parse().unwrap());
        for status in [429, 503] {
            let failure = about(true).status(status, &headers, b"");
            assert_eq!(failure.error.retry_after, Some(Duration::from_secs(7)));
        }
        let failure = about(true).status(400, &headers, b"");
        assert_eq!(failure.error.retry_after, None);
    }

    #[test]
    fn an_unclear_end_is_ambiguous_only_for_what_may_not_be_repeated() {
        for (repeatable, kind) in [(true, ErrorKind::Transient), (false, ErrorKind::Ambiguous)] {
            let lost = about(repeatable).lost("the connection broke").error;
            assert_eq!(lost.kind, kind);
            let odd = about(repeatable).unreadable(200, b"<html>").error;
            assert_eq!(odd.kind, kind);
            assert!(odd.message.contains("a web page"), "{}", odd.message);
            let half = about(repeatable).unreadable(200, b"{\"a\": ").error;
            assert!(half.message.contains("`{\"a\":`"), "{}", half.message);
        }
        assert_eq!(about(true).too_long(5).error.kind, ErrorKind::Permanent);
        assert_eq!(about(false).too_long(5).error.kind, ErrorKind::Ambiguous);
    }
}
