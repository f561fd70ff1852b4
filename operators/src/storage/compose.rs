//! Many objects into one, on the service's side.

use serde_json::json;
use tidemill_core::operator::{TaskError, TaskResult};

use super::object::{GcsObject, Resource};
use super::store::{FIELDS, Storage};
use super::sum::Sum;
use super::uri::GcsUri;

/// What the service takes in one request.
const SOURCES: usize = 32;

impl Storage {
    /// Composes objects into one, in this order. More than 32 are composed in steps, over hidden objects beside the new one
    /// that are removed in the end. One that has this content already is left as it is. Says whether anything was written.
    ///
    /// # Errors
    /// They cannot be composed, or somebody else writes there at the same time.
    pub async fn compose(
        &self,
        sources: &[GcsObject],
        to: &GcsUri,
        content_type: Option<&str>,
    ) -> TaskResult<(GcsObject, bool)> {
        let sum = joined(sources)?;
        let there = self.find(to).await?;
        if let Some(there) = there.as_ref().filter(|there| sum.is_of(there)) {
            return Ok((there.clone(), false));
        }
        let replaces = there.map_or(0, |there| there.generation);
        let mut steps = Vec::new();
        let mut parts = sources.to_vec();
        let mut level = 0;
        while parts.len() > SOURCES {
            let mut next = Vec::new();
            for (nth, some) in parts.chunks(SOURCES).enumerate() {
                let name = format!("{}.tidemill-{level}-{nth}", to.object());
                let beside = GcsUri::new(to.bucket(), &name).map_err(|e| e.into_task_error())?;
                let sum = joined(some)?;
                let there = self.find(&beside).await?;
                let made = match there {
                    Some(there) if sum.is_of(&there) => there,
                    there => {
                        let replaces = there.map_or(0, |there| there.generation);
                        self.composed(some, &beside, (replaces, None), sum).await?
                    }
                };
                next.push(made);
            }
            steps.extend(next.iter().cloned());
            parts = next;
            level += 1;
        }
        let made = self
            .composed(&parts, to, (replaces, content_type), sum)
            .await?;
        for step in steps {
            self.delete(&step).await?;
        }
        Ok((made, true))
    }

    async fn composed(
        &self,
        sources: &[GcsObject],
        to: &GcsUri,
        (replaces, content_type): (i64, Option<&str>),
        sum: Sum,
    ) -> TaskResult<GcsObject> {
        let listed: Vec<_> = sources
            .iter()
            .map(|source| {
                json!({
                    "name": source.uri.object(),
                    "generation": source.generation.to_string(),
                    "objectPreconditions": { "ifGenerationMatch": source.generation.to_string() },
                })
            })
            .collect();
        let content_type = content_type.unwrap_or("application/octet-stream");
        let reply = self
            .client
            .post("/storage/v1/b/{}/o/{}/compose", &[to.bucket(), to.object()])
            .query("ifGenerationMatch", replaces)
            .query("fields", FIELDS)
            .json(
                &json!({ "sourceObjects": listed, "destination": { "contentType": content_type } }),
            )
            // A second time it meets the condition no more.
            .repeatable()
            .answers(&[412])
            .expects_json()
            .doing(format!("compose {to}"))
            .names(format!(
                "bucket `{}`, or a source was replaced",
                to.bucket()
            ))
            .needs("storage.objects.create")
            .send()
            .await?;
        let made = if reply.status() == 412 {
            // It was done and the reply was lost, or somebody else was there.
            self.find(to).await?
        } else {
            Some(reply.json::<Resource>()?.read()?)
        };
        made.filter(|made| sum.is_of(made)).ok_or_else(|| {
            TaskError::transient(format!(
                "compose {to}: somebody else writes there, or replaced a source, at the same time"
            ))
        })
    }
}

/// What objects are together.
fn joined(sources: &[GcsObject]) -> TaskResult<Sum> {
    let mut all = Sum::default();
    for source in sources {
        let length = usize::try_from(source.size).unwrap_or(usize::MAX);
        all.crc32c = crc32c::crc32c_combine(all.crc32c, source.sum()?, length);
        all.size += source.size;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_objects_is_that_of_their_content_together() {
        let object = |content: &[u8]| {
            let mut sum = Sum::default();
            sum.add(content);
            GcsObject {
                uri: "gs://raw/a".parse().unwrap(),
                generation: 1,
                size: sum.size,
                crc32c: sum.text(),
                updated: chrono::DateTime::UNIX_EPOCH,
            }
        };
        let mut whole = Sum::default();
        whole.add(b"one, two and three");
        let parts = [object(b"one, "), object(b""), object(b"two and three")];
        assert_eq!(joined(&parts).unwrap(), whole);
        assert_eq!(joined(&[]).unwrap(), Sum::default());
    }
}
