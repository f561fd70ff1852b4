//! One object into another, on the service's side.

use serde::Deserialize;
use tidemill_core::operator::{ErrorKind, TaskError, TaskResult};

use super::object::{GcsObject, Resource};
use super::store::{FIELDS, Storage};
use super::uri::GcsUri;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rewritten {
    done: bool,
    #[serde(default)]
    rewrite_token: Option<String>,
    #[serde(default)]
    resource: Option<Resource>,
}

/// How often it is begun anew when the token of a long rewrite is not known any more.
const BEGINNINGS: u32 = 3;

impl Storage {
    /// Copies an object in its generation. `there` is what is at the other place now: one with the same content is left as it
    /// is, any other is replaced. Says whether anything was written.
    ///
    /// # Errors
    /// It cannot be copied, or somebody else writes there at the same time.
    pub async fn copy(
        &self,
        from: &GcsObject,
        to: &GcsUri,
        there: Option<&GcsObject>,
    ) -> TaskResult<(GcsObject, bool)> {
        if let Some(there) = there.filter(|there| has_content_of(there, from)) {
            return Ok((there.clone(), false));
        }
        let replaces = there.map_or(0, |there| there.generation);
        for _ in 0..BEGINNINGS {
            match self.rewritten(from, to, replaces).await {
                Ok(Some(object)) => return Ok((object, true)),
                Ok(None) => {}
                Err(error) if error.kind == ErrorKind::Permanent => {
                    // The token of a rewrite whose last reply was lost is not known any more.
                    match self.find(to).await? {
                        Some(object) if has_content_of(&object, from) => return Ok((object, true)),
                        _ => return Err(error),
                    }
                }
                Err(error) => return Err(error),
            }
            // It was written meanwhile: by this very copy, whose reply was lost, or by somebody else.
            if let Some(object) = self.find(to).await?
                && has_content_of(&object, from)
            {
                return Ok((object, true));
            }
        }
        Err(TaskError::transient(format!(
            "copy {} to {to}: somebody else writes there at the same time",
            from.uri
        )))
    }

    /// The copy; none if what was to be replaced is not there any more.
    async fn rewritten(
        &self,
        from: &GcsObject,
        to: &GcsUri,
        replaces: i64,
    ) -> TaskResult<Option<GcsObject>> {
        let mut token: Option<String> = None;
        let parts = [
            from.uri.bucket(),
            from.uri.object(),
            to.bucket(),
            to.object(),
        ];
        loop {
            let reply = self
                .client
                .post("/storage/v1/b/{}/o/{}/rewriteTo/b/{}/o/{}", &parts)
                .query("sourceGeneration", from.generation)
                .query("ifGenerationMatch", replaces)
                .query("fields", format!("done,rewriteToken,resource({FIELDS})"))
                .maybe("rewriteToken", token.as_ref())
                .maybe("maxBytesRewrittenPerCall", self.rewrite_bytes_max)
                // A second copy of the same generation meets the condition no more.
                .repeatable()
                .answers(&[412])
                .expects_json()
                .doing(format!("copy {} to {to}", from.uri))
                .names(format!("object {} or bucket `{}`", from.uri, to.bucket()))
                .needs("storage.objects.create")
                .send()
                .await?;
            if reply.status() == 412 {
                return Ok(None);
            }
            let rewritten: Rewritten = reply.json()?;
            if let Some(resource) = rewritten.resource.filter(|_| rewritten.done) {
                return resource.read().map(Some);
            }
            if rewritten.done || rewritten.rewrite_token.is_none() {
                return Err(TaskError::transient(format!(
                    "copy {} to {to}: the service says neither that it is done nor how to go on",
                    from.uri
                )));
            }
            token = rewritten.rewrite_token;
            if self.pace().is_cancelled() {
                return Err(TaskError::cancelled(format!("copy to {to}: cancelled")));
            }
        }
    }
}

/// Whether two objects have the same content.
pub(super) fn has_content_of(one: &GcsObject, other: &GcsObject) -> bool {
    one.size == other.size && !one.crc32c.is_empty() && one.crc32c == other.crc32c
}
