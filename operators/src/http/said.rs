//! What a service says went wrong, read from any of the forms that errors have.

use serde_json::Value;

/// The longest message that is kept of a reply.
const MESSAGE_CHARS_MAX: usize = 600;

/// A service's own words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// Its word for the error, such as `notFound`, `rateLimitExceeded` or `RESOURCE_DOES_NOT_EXIST`; empty if it has none.
    pub reason: String,
    /// Its sentence about it.
    pub message: String,
    /// The permission that is missing, if it names one.
    pub permission: String,
    /// Whether it is an error in a form of the service's own, and not a proxy's page, a fragment or nothing.
    pub is_own: bool,
}

impl Said {
    /// Reads the body of an error.
    #[must_use]
    pub fn read(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let text = text.trim();
        let mut said = match serde_json::from_str::<Value>(text) {
            Ok(value) => of_json(&value),
            Err(_) if text.is_empty() => Self::odd("an empty reply"),
            Err(_) if is_page(text) => Self::odd(&page(text)),
            Err(_) => Self::odd(text),
        };
        said.message = shortened(&said.message);
        if said.permission.is_empty() {
            said.permission = permission(&said.message).unwrap_or_default().to_owned();
        }
        said
    }

    fn odd(message: &str) -> Self {
        Self {
            message: message.to_owned(),
            ..Self::default()
        }
    }

    /// Whether this is one of its reasons.
    pub(crate) fn is_one_of(&self, reasons: &[&str]) -> bool {
        reasons.contains(&self.reason.as_str())
    }
}

/// Whether a body is a page for people.
pub(super) fn is_page(text: &str) -> bool {
    let start: String = text.trim_start().chars().take(15).collect();
    let start = start.to_ascii_lowercase();
    start.starts_with("<!doctype html") || start.starts_with("<html")
}

fn page(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let title = lower
        .find("<title>")
        .and_then(|at| {
            let from = at + "<title>".len();
            let to = lower[from..].find("</title>")? + from;
            text.get(from..to)
        })
        .map(str::trim)
        .filter(|title| !title.is_empty());
    match title {
        Some(title) => format!("a web page: {title}"),
        None => "a web page".to_owned(),
    }
}

fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

fn first(value: &Value, pointers: &[&str]) -> String {
    let mut found = pointers.iter().map(|pointer| text(value, pointer));
    found.find(|text| !text.is_empty()).unwrap_or_default()
}

fn of_json(value: &Value) -> Said {
    // Some services answer with a list of one error.
    let value = value.get(0).unwrap_or(value);
    let details = value.pointer("/error/details").and_then(Value::as_array);
    let infos = || details.into_iter().flatten();
    let permission = infos().find_map(|detail| {
        let named = detail.pointer("/metadata/permission")?.as_str()?;
        Some(named.to_owned())
    });
    let detailed = infos().map(|detail| text(detail, "/reason"));
    let detailed = detailed.into_iter().find(|reason| !reason.is_empty());
    let mut reason = first(
        value,
        &["/error/errors/0/reason", "/error_code", "/error/status"],
    );
    if reason.is_empty() || (reason == "PERMISSION_DENIED" && detailed.is_some()) {
        reason = detailed.unwrap_or(reason);
    }
    if reason.is_empty() && value.get("error").is_some_and(Value::is_string) {
        reason = text(value, "/error");
    }
    let message = first(
        value,
        &[
            "/error/message",
            "/error/errors/0/message",
            "/error_description",
            "/message",
            "/status/user_message",
            "/detail",
            "/error_message",
            "/title",
            "/error",
            "/errors/0/message",
            "/errors/0",
        ],
    );
    if reason.is_empty() && message.is_empty() {
        return Said::odd(&value.to_string());
    }
    Said {
        reason,
        message,
        permission: permission.unwrap_or_default(),
        is_own: true,
    }
}

/// The error that is in a reply which claims to be a good one. A long-running operation of Google has an `error` as well,
/// whose code is one of gRPC and therefore small: that is no error of the request.
pub(super) fn status_within(body: &[u8]) -> Option<u16> {
    // Cheap to rule out: nearly every reply is a good one, and may be large.
    let head = &body[..body.len().min(64)];
    let head = std::str::from_utf8(head)
        .ok()?
        .trim_start()
        .strip_prefix('{')?;
    if !head.trim_start().starts_with("\"error\"") {
        return None;
    }
    let value: Value = serde_json::from_slice(body).ok()?;
    let code = value.pointer("/error/code")?.as_u64()?;
    u16::try_from(code)
        .ok()
        .filter(|code| (400..600).contains(code))
}

/// Finds `service.things.verb` in a sentence.
fn permission(message: &str) -> Option<&str> {
    let words =
        message.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '@' || c == '_'));
    words.map(|word| word.trim_matches('.')).find(|word| {
        let parts: Vec<&str> = word.split('.').collect();
        let is_word =
            |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphabetic());
        // Not the name of a machine, such as storage.googleapis.com.
        parts.len() == 3
            && parts.iter().all(is_word)
            && !matches!(parts[2], "com" | "org" | "net" | "io" | "dev" | "json")
    })
}

fn shortened(text: &str) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match flat.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &flat[..end]),
        None => flat,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> (String, String) {
        let said = Said::read(body.as_bytes());
        (said.reason, said.message)
    }

    #[test]
    fn errors_are_read_in_the_forms_of_all_services() {
        for (body, reason, message) in [
            (
                r#"{"error":{"code":404,"message":"Not found: Table p:d.t","errors":[{"reason":"notFound"}],"status":"NOT_FOUND"}}"#,
                "notFound",
                "Not found: Table p:d.t",
            ),
            (
                r#"{"error":{"code":409,"message":"Already exists","status":"ALREADY_EXISTS"}}"#,
                "ALREADY_EXISTS",
                "Already exists",
            ),
            (
                r#"[{"error":{"code":403,"message":"no","status":"PERMISSION_DENIED","details":[{"reason":"SERVICE_DISABLED"}]}}]"#,
                "SERVICE_DISABLED",
                "no",
            ),
            (
                r#"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Job 5 does not exist."}"#,
                "RESOURCE_DOES_NOT_EXIST",
                "Job 5 does not exist.",
            ),
            (
                r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#,
                "invalid_grant",
                "Token has been expired or revoked.",
            ),
            (
                r#"{"status":{"code":404,"user_message":"The requested resource was not found"},"data":null}"#,
                "",
                "The requested resource was not found",
            ),
            (
                r#"{"type":"https://x#try-again","title":"try-again","status":409,"detail":"A sync is running"}"#,
                "",
                "A sync is running",
            ),
            (r#"{"message":"slow down"}"#, "", "slow down"),
            (r#"{"error":"gone"}"#, "gone", "gone"),
        ] {
            assert_eq!(
                read(body),
                (reason.to_owned(), message.to_owned()),
                "{body}"
            );
            assert!(Said::read(body.as_bytes()).is_own, "{body}");
        }
    }

    #[test]
    fn what_is_no_error_of_the_service_is_said_to_be_none() {
        for (body, message) in [
            ("", "an empty reply"),
            (
                "<!DOCTYPE html><html><title>502 Bad\n Gateway</title>",
                "a web page: 502 Bad Gateway",
            ),
            ("<html><body>oops</body></html>", "a web page"),
            ("{\"error\": {\"mess", "{\"error\": {\"mess"),
            ("upstream connect error", "upstream connect error"),
        ] {
            let said = Said::read(body.as_bytes());
            assert_eq!(
                (said.message.as_str(), said.is_own),
                (message, false),
                "{body}"
            );
        }
        let long = "word ".repeat(100_000);
        assert!(Said::read(long.as_bytes()).message.chars().count() <= MESSAGE_CHARS_MAX + 1);
        assert_eq!(Said::read(&[0xff, 0xfe]).message.chars().count(), 2);
    }

    #[test]
    fn a_missing_permission_is_found_in_words_and_in_details() {
        for (message, wanted) in [
            (
                "etl@p.iam.gserviceaccount.com does not have storage.objects.get access to the object.",
                "storage.objects.get",
            ),
            (
                "Access Denied: the caller does not have permission bigquery.jobs.create",
                "bigquery.jobs.create",
            ),
            (
                "Permission 'dataproc.jobs.create' denied on resource '//dataproc.googleapis.com/x'",
                "dataproc.jobs.create",
            ),
            (
                "Access Denied: Table p:d.t: User does not have permission",
                "",
            ),
            ("see https://console.cloud.google.com", ""),
        ] {
            let body = serde_json::json!({"error": {"message": message}}).to_string();
            assert_eq!(Said::read(body.as_bytes()).permission, wanted, "{message}");
        }
        let detailed = r#"{"error":{"code":403,"message":"denied","details":[{"reason":"IAM_PERMISSION_DENIED","metadata":{"permission":"run.jobs.run"}}]}}"#;
        assert_eq!(Said::read(detailed.as_bytes()).permission, "run.jobs.run");
    }

    #[test]
    fn an_error_within_a_good_reply_is_seen_and_a_failed_operation_is_none() {
        let status = |body: &str| status_within(body.as_bytes());
        assert_eq!(status(r#"{"error":{"code":503,"message":"x"}}"#), Some(503));
        assert_eq!(status(r#"{ "error" : {"code":429}}"#), Some(429));
        assert_eq!(
            status(r#"{"error":{"code":3,"message":"bad arguments"}}"#),
            None
        );
        assert_eq!(
            status(r#"{"name":"operations/1","done":true,"error":{"code":404}}"#),
            None
        );
        assert_eq!(status(r#"{"errors":[]}"#), None);
        assert_eq!(status(""), None);
    }
}
