//! What has to be true of an object for a request to be done.

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::record::Object;
use crate::call::{Call, Refusal};

/// The conditions of one request. A generation of 0 stands for "there is none".
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Conditions {
    pub(super) generation: Option<i64>,
    not_generation: Option<i64>,
    metageneration: Option<i64>,
    not_metageneration: Option<i64>,
    /// `If-Match` and `If-None-Match`.
    etags: Option<Vec<String>>,
    not_etags: Option<Vec<String>>,
}

impl Conditions {
    /// `ifGenerationMatch` and the others, for what a request reads or changes.
    pub(super) fn of(call: &Call) -> Result<Self, Refusal> {
        let etags = |name: &str| {
            let one = |etag: &str| etag.trim().trim_matches('"').to_owned();
            call.header(name)
                .map(|all| all.split(',').map(one).collect())
        };
        Ok(Self {
            generation: call.parsed("ifGenerationMatch")?,
            not_generation: call.parsed("ifGenerationNotMatch")?,
            metageneration: call.parsed("ifMetagenerationMatch")?,
            not_metageneration: call.parsed("ifMetagenerationNotMatch")?,
            etags: etags("if-match"),
            not_etags: etags("if-none-match"),
        })
    }

    /// `ifSourceGenerationMatch` and the others, for what is copied.
    pub(super) fn of_source(call: &Call) -> Result<Self, Refusal> {
        Ok(Self {
            generation: call.parsed("ifSourceGenerationMatch")?,
            not_generation: call.parsed("ifSourceGenerationNotMatch")?,
            metageneration: call.parsed("ifSourceMetagenerationMatch")?,
            not_metageneration: call.parsed("ifSourceMetagenerationNotMatch")?,
            ..Self::default()
        })
    }

    /// Only this generation will do.
    pub(super) fn generation(generation: Option<i64>) -> Self {
        Self {
            generation,
            ..Self::default()
        }
    }

    /// Whether a change may be made.
    pub(super) fn allow(&self, found: Option<&Object>) -> Result<(), Refusal> {
        if self.matched(found) && self.not_matched(found) {
            Ok(())
        } else {
            Err(not_met())
        }
    }

    /// Whether there is something to send: false is 304.
    pub(super) fn modified(&self, found: &Object) -> Result<bool, Refusal> {
        if self.matched(Some(found)) {
            Ok(self.not_matched(Some(found)))
        } else {
            Err(not_met())
        }
    }

    /// The same for a bucket, which has no generation.
    pub(super) fn of_bucket(&self, metageneration: i64, etag: &str) -> Result<bool, Refusal> {
        let yes = self
            .metageneration
            .is_none_or(|wanted| wanted == metageneration)
            && has(self.etags.as_ref(), etag).unwrap_or(true);
        if !yes {
            return Err(not_met());
        }
        Ok(self.not_metageneration != Some(metageneration)
            && !has(self.not_etags.as_ref(), etag).unwrap_or(false))
    }

    fn matched(&self, found: Option<&Object>) -> bool {
        let generation = found.map_or(0, |object| object.generation);
        self.generation.is_none_or(|wanted| wanted == generation)
            && self
                .metageneration
                .is_none_or(|wanted| found.is_some_and(|object| object.metageneration == wanted))
            && has(self.etags.as_ref(), &etag(found)).unwrap_or(true)
    }

    fn not_matched(&self, found: Option<&Object>) -> bool {
        let generation = found.map_or(0, |object| object.generation);
        self.not_generation != Some(generation)
            && self
                .not_metageneration
                .is_none_or(|other| found.is_none_or(|object| object.metageneration != other))
            && !has(self.not_etags.as_ref(), &etag(found)).unwrap_or(false)
    }
}

fn etag(found: Option<&Object>) -> String {
    found.map(Object::etag).unwrap_or_default()
}

/// Whether an etag is among some; `*` is any that there is.
fn has(etags: Option<&Vec<String>>, etag: &str) -> Option<bool> {
    etags.map(|etags| {
        etags
            .iter()
            .any(|one| one == etag || (one == "*" && !etag.is_empty()))
    })
}

pub(super) fn not_met() -> Refusal {
    Refusal::new(
        StatusCode::PRECONDITION_FAILED,
        "conditionNotMet",
        "At least one of the pre-conditions you specified did not hold.",
    )
}
