//! How values are shown: times, sizes, states.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use askama::filters::HtmlSafe;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::faults::{Fault, FaultKind};
use crate::jobs::Phase;
use crate::services::Service;

/// An instant, in UTC.
#[derive(Debug, Clone, Copy)]
pub(super) struct When(pub(super) DateTime<Utc>);

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = self.0.format("%Y-%m-%dT%H:%M:%S%.3fZ");
        let people = self.0.format("%-d %b %H:%M:%S");
        write!(
            f,
            "<time datetime=\"{machine}\" title=\"{machine}\">{people}</time>"
        )
    }
}

// Digits and names of months.
impl HtmlSafe for When {}

/// A state: a shape, a word, and a colour third.
#[derive(Debug, Clone)]
pub(super) struct Chip {
    tone: &'static str,
    word: Cow<'static, str>,
}

impl Chip {
    pub(super) fn new(tone: &'static str, word: impl Into<Cow<'static, str>>) -> Self {
        Self {
            tone,
            word: word.into(),
        }
    }
}

impl fmt::Display for Chip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<span class=\"st {}\">", self.tone)?;
        for c in self.word.chars() {
            match c {
                '<' => f.write_str("&#60;")?,
                '>' => f.write_str("&#62;")?,
                '&' => f.write_str("&#38;")?,
                '"' => f.write_str("&#34;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        f.write_str("</span>")
    }
}

// It escapes its word.
impl HtmlSafe for Chip {}

/// The state of a job.
pub(super) fn phase(phase: Phase) -> Chip {
    let (tone, word) = match phase {
        Phase::Queued => ("queue", "Queued"),
        Phase::Pending => ("queue", "Pending"),
        Phase::Running => ("run", "Running"),
        Phase::Stopping => ("retry", "Stopping"),
        Phase::Draining => ("wait", "Draining"),
        Phase::Succeeded => ("ok", "Succeeded"),
        Phase::Failed => ("fail", "Failed"),
        Phase::Cancelled => ("skip", "Cancelled"),
        Phase::Drained => ("ok", "Drained"),
        Phase::Replaced => ("skip", "Replaced"),
        Phase::Skipped => ("skip", "Skipped"),
    };
    Chip::new(tone, word)
}

/// The status of a reply; none if a fault took it away.
pub(super) fn status(status: Option<u16>) -> Chip {
    match status {
        None => Chip::new("up", "no reply"),
        Some(status) => {
            let tone = match status {
                0..400 => "ok",
                400..500 => "retry",
                _ => "fail",
            };
            Chip::new(tone, status.to_string())
        }
    }
}

/// The name of a service, for people.
pub(super) const fn service(service: Service) -> &'static str {
    match service {
        Service::Storage => "Cloud Storage",
        Service::Bigquery => "BigQuery",
        Service::Dataflow => "Dataflow",
        Service::Dataproc => "Dataproc",
        Service::Databricks => "Databricks",
        Service::DbtCloud => "dbt Cloud",
        Service::Airbyte => "Airbyte",
        Service::CloudSql => "Cloud SQL",
        Service::CloudRun => "Cloud Run",
        Service::Functions => "Cloud Functions",
        Service::Vertex => "Vertex AI",
        Service::Secrets => "Secret Manager",
        Service::Pubsub => "Pub/Sub",
        Service::Crm => "CRM",
        Service::Receivers => "Receivers",
        Service::Tokens => "Tokens",
        Service::Sandbox => "Sandbox",
    }
}

/// All services that can be asked for.
pub(super) const SERVICES: [Service; 16] = [
    Service::Storage,
    Service::Bigquery,
    Service::Dataflow,
    Service::Dataproc,
    Service::Databricks,
    Service::DbtCloud,
    Service::Airbyte,
    Service::CloudSql,
    Service::CloudRun,
    Service::Functions,
    Service::Vertex,
    Service::Secrets,
    Service::Pubsub,
    Service::Crm,
    Service::Receivers,
    Service::Tokens,
];

/// The name of a service in addresses and in JSON.
pub(super) fn key(service: Service) -> String {
    match serde_json::to_value(service) {
        Ok(Value::String(name)) => name,
        _ => String::new(),
    }
}

/// A service by that name.
pub(super) fn by_key(name: &str) -> Option<Service> {
    SERVICES.into_iter().find(|service| key(*service) == name)
}

/// `1 204 512`.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            // A thin space that does not break.
            shown.push('\u{202f}');
        }
        shown.push(digit);
    }
    shown
}

/// `3.4 MiB`.
#[expect(
    clippy::cast_precision_loss,
    reason = "one digit behind the point is shown"
)]
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1_024 {
        return format!("{bytes} B");
    }
    let (mut size, mut unit) = (bytes as f64 / 1_024.0, 0);
    while size >= 1_023.95 && unit + 1 < UNITS.len() {
        size /= 1_024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

/// A number and what it counts: `1 row`, `2 rows`.
pub(super) fn count(many: u64, word: &str) -> String {
    match many {
        1 => format!("1 {word}"),
        many => format!("{} {word}s", number(many)),
    }
}

/// A length of time in two units at the most.
pub(super) fn took(span: TimeDelta) -> String {
    let millis = span.num_milliseconds().max(0);
    let seconds = millis / 1_000;
    match seconds {
        0 => format!("{millis} ms"),
        1..60 => format!("{seconds}.{} s", millis % 1_000 / 100),
        60..3_600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {:02} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// The beginning of a text.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

/// JSON to be read by people.
pub(super) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// What a fault does.
pub(super) fn fault(kind: &FaultKind) -> String {
    match kind {
        FaultKind::Latency { ms } => format!("The answer waits {ms} ms"),
        FaultKind::Status {
            status,
            retry_after: None,
        } => format!("Answers {status}"),
        FaultKind::Status {
            status,
            retry_after: Some(seconds),
        } => format!("Answers {status}, Retry-After {seconds} s"),
        FaultKind::LostBefore => "Nothing is done, and no reply".into(),
        FaultKind::LostAfter => "It is done, and no reply".into(),
        FaultKind::Truncated => "It is done; the body ends in its middle".into(),
        FaultKind::Html => "It is done; the body is a page of HTML".into(),
        FaultKind::ExpiredToken => "401: the token has expired".into(),
        FaultKind::Forbidden { permission } => format!("403: without {permission}"),
        FaultKind::Quota => "The quota is spent".into(),
        FaultKind::JobFails { message } => format!("Jobs fail: {message}"),
        FaultKind::JobStuck => "Jobs never end".into(),
        FaultKind::JobVanishes => "Jobs cannot be found any more".into(),
    }
}

/// How often it still does that.
pub(super) fn times(fault: &Fault) -> String {
    let what = if fault.kind.of_job() {
        "job"
    } else {
        "request"
    };
    let count = match fault.count {
        None => format!("every {what}"),
        Some(1) => format!("the next {what}"),
        Some(many) => format!("the next {many} {what}s"),
    };
    match fault.after {
        0 => count,
        1 => format!("{count}, after one goes by"),
        after => format!("{count}, after {after} go by"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_said_in_the_units_that_matter() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1_023), "1023 B");
        assert_eq!(bytes(1_536), "1.5 KiB");
        assert_eq!(bytes(1_048_575), "1.0 MiB");
        assert_eq!(bytes(u64::MAX), "16384.0 PiB");
        assert_eq!(number(1_204_512), "1\u{202f}204\u{202f}512");
        assert_eq!(cut("äöü", 2), "äö…");
        assert_eq!(took(TimeDelta::milliseconds(62_140)), "1 min 02 s");
        assert_eq!(took(TimeDelta::MIN), "0 ms");
    }

    #[test]
    fn a_word_of_a_state_is_escaped() {
        let chip = Chip::new("ok", "<b>&'\"".to_owned());
        assert_eq!(
            chip.to_string(),
            "<span class=\"st ok\">&#60;b&#62;&#38;&#39;&#34;</span>"
        );
    }

    #[test]
    fn every_service_has_a_name() {
        for service in SERVICES {
            assert_eq!(by_key(&key(service)), Some(service));
        }
        assert_eq!(by_key("sandbox"), None);
    }
}
