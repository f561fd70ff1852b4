//! Cloud Storage as the pages show it.

use std::io::Read as _;
use std::ops::ControlFlow;

use chrono::{DateTime, Utc};

use super::disk::Storage;
use super::record::{Object, Place};
use crate::call::Refusal;

/// A bucket in a list.
#[derive(Debug)]
pub(crate) struct BucketSeen {
    pub(crate) name: String,
    pub(crate) project: String,
    pub(crate) location: String,
    pub(crate) versioning: bool,
    pub(crate) created: DateTime<Utc>,
    pub(crate) objects: usize,
    pub(crate) bytes: u64,
    /// There are more objects than were counted.
    pub(crate) more: bool,
}

/// How many objects of a bucket are counted: a list must not hold the others up.
const COUNTED: usize = 100_000;

impl Storage {
    /// All buckets, with what is in them.
    pub(crate) fn seen(&self) -> Vec<BucketSeen> {
        let buckets = self.buckets.under("").into_iter();
        buckets
            .map(|(name, bucket)| {
                let location = bucket.fields.get("location").and_then(|text| text.as_str());
                let mut seen = BucketSeen {
                    location: location.unwrap_or("").to_owned(),
                    project: bucket.project.clone(),
                    versioning: bucket.versioning(),
                    created: bucket.created,
                    objects: 0,
                    bytes: 0,
                    more: false,
                    name,
                };
                self.count(&mut seen);
                seen
            })
            .collect()
    }

    fn count(&self, seen: &mut BucketSeen) {
        let prefix = format!("{}/", seen.name);
        self.objects.visit(&prefix, |key, versions| {
            if !key.starts_with(&prefix) {
                return ControlFlow::Break(());
            }
            if seen.objects == COUNTED {
                seen.more = true;
                return ControlFlow::Break(());
            }
            if let Some(live) = &versions.live {
                seen.objects += 1;
                seen.bytes += live.size;
            }
            ControlFlow::Continue(())
        });
    }

    /// The generations of an object, newest first.
    pub(crate) fn generations(&self, place: &Place) -> Result<Vec<Object>, Refusal> {
        self.bucket(&place.bucket)?;
        let versions = self.objects.get(&place.key());
        let mut all: Vec<Object> = versions
            .iter()
            .flat_map(|versions| versions.all())
            .cloned()
            .collect();
        all.reverse();
        Ok(all)
    }

    /// One generation, and its first bytes. It waits for the disk.
    pub(crate) fn begins(
        &self,
        place: &Place,
        generation: Option<i64>,
        most: u64,
    ) -> Result<(Object, Vec<u8>), Refusal> {
        let (object, file) = self.opened(place, generation)?;
        let mut bytes = Vec::new();
        file.take(most)
            .read_to_end(&mut bytes)
            .map_err(|error| Refusal::internal(&error))?;
        Ok((object, bytes))
    }
}
