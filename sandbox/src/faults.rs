//! Faults on demand: for a service, a method and a number of requests.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::services::Service;

/// A rule. It is gone when it was used `count` times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct Fault {
    /// Set by the sandbox.
    #[serde(default)]
    pub id: u64,
    /// Which service.
    pub service: Service,
    /// A method's identifier or the beginning of one that ends in `*`; none: every method.
    #[serde(default)]
    pub method: Option<String>,
    /// How many more times; none: until it is taken away.
    #[serde(default)]
    pub count: Option<u32>,
    /// So many requests go by first.
    #[serde(default)]
    pub after: u32,
    /// What happens.
    pub kind: FaultKind,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// The answer waits.
    Latency {
        /// Milliseconds.
        ms: u64,
    },
    /// Nothing is done; the service answers with this status.
    Status {
        /// 429, 500, 503 and the like.
        status: u16,
        /// Seconds for the header `Retry-After`.
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// Nothing is done and the connection is closed.
    LostBefore,
    /// It is done, and the connection is closed without a word.
    LostAfter,
    /// It is done; the body ends in its middle.
    Truncated,
    /// It is done; the body is an HTML page with status 200.
    Html,
    /// 401: the token has expired.
    ExpiredToken,
    /// 403 that names a permission.
    Forbidden {
        /// Such as `bigquery.jobs.create`.
        permission: String,
    },
    /// The service's own words for a quota that is spent.
    Quota,
    /// Jobs started from now on fail.
    JobFails {
        /// What the job says.
        message: String,
    },
    /// Jobs started from now on never end.
    JobStuck,
    /// Jobs started from now on cannot be found any more.
    JobVanishes,
}

impl FaultKind {
    /// Whether it is about a job rather than about a request.
    pub(crate) fn of_job(&self) -> bool {
        matches!(
            self,
            Self::JobFails { .. } | Self::JobStuck | Self::JobVanishes
        )
    }

    /// As the journal names it.
    pub(crate) fn name(&self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(map)) => map.keys().next().cloned().unwrap_or_default(),
            Ok(serde_json::Value::String(name)) => name,
            _ => String::new(),
        }
    }
}

/// The rules that are set.
#[derive(Default)]
pub struct Faults {
    inner: Mutex<(u64, Vec<Fault>)>,
}

impl Faults {
    /// Adds a rule and gives its number.
    pub fn add(&self, mut fault: Fault) -> u64 {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.0 += 1;
        fault.id = inner.0;
        inner.1.push(fault);
        inner.0
    }

    /// The rules in the order in which they were set.
    pub fn all(&self) -> Vec<Fault> {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .1
            .clone()
    }

    /// Takes one rule away, or all.
    pub fn clear(&self, id: Option<u64>) -> usize {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let before = inner.1.len();
        inner.1.retain(|fault| id.is_some_and(|id| fault.id != id));
        before - inner.1.len()
    }

    /// The faults of this request: each rule that fits is used once.
    pub(crate) fn of_request(&self, service: Service, method: &str) -> Vec<FaultKind> {
        self.used(service, method, false)
    }

    /// The fault of a job that is started by this method.
    pub(crate) fn of_job(&self, service: Service, method: &str) -> Option<FaultKind> {
        self.used(service, method, true).into_iter().next()
    }

    fn used(&self, service: Service, method: &str, of_job: bool) -> Vec<FaultKind> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kinds = Vec::new();
        for fault in &mut inner.1 {
            if fault.service != service || fault.kind.of_job() != of_job || !fault.fits(method) {
                continue;
            }
            if fault.after > 0 {
                fault.after -= 1;
                continue;
            }
            if let Some(count) = &mut fault.count {
                if *count == 0 {
                    continue;
                }
                *count -= 1;
            }
            kinds.push(fault.kind.clone());
        }
        inner.1.retain(|fault| fault.count != Some(0));
        kinds
    }
}

impl Fault {
    fn fits(&self, method: &str) -> bool {
        match self.method.as_deref() {
            None => true,
            Some(wanted) => match wanted.strip_suffix('*') {
                Some(beginning) => method.starts_with(beginning),
                None => method == wanted,
            },
        }
    }
}
