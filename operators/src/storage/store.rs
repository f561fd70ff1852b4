//! Cloud Storage through a connection: looking, listing, deleting.

use std::ops::ControlFlow;

use futures_util::StreamExt as _;
use serde::Deserialize;
use tidemill_core::operator::{BoxFuture, TaskContext, TaskError, TaskResult};

use super::object::{GcsObject, Resource};
use super::uri::{GcsPattern, GcsUri};
use crate::http::{self, Client, Pace, Reply};

/// What is asked of an object; everything else would only be sent for nothing.
pub(super) const FIELDS: &str = "bucket,name,generation,size,crc32c,updated";
/// Objects on a page.
const PAGE: u32 = 1_000;
/// Names can be long: a page may be.
const PAGE_BYTES_MAX: usize = 16 << 20;
/// Requests in flight where many objects are changed.
const AT_ONCE: usize = 8;

/// Cloud Storage through a connection.
#[derive(Debug, Clone)]
pub struct Storage {
    pub(super) client: Client,
    pub(super) rewrite_bytes_max: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    items: Vec<Resource>,
    #[serde(default)]
    next_page_token: Option<String>,
}

impl Storage {
    /// Through this connection.
    ///
    /// # Errors
    /// There is no such connection, or it leads elsewhere.
    pub async fn open(ctx: &TaskContext, connection: &str) -> TaskResult<Self> {
        http::open(ctx, connection, &super::API).await.map(Self::of)
    }

    /// With a client of [`API`](super::API).
    #[must_use]
    pub const fn of(client: Client) -> Self {
        Self {
            client,
            rewrite_bytes_max: None,
        }
    }

    /// Copies no more than so many bytes with one request, a multiple of a mebibyte; what the service finds right if nothing is
    /// said.
    #[must_use]
    pub const fn rewriting_at_most(mut self, bytes: u64) -> Self {
        self.rewrite_bytes_max = Some(bytes);
        self
    }

    pub(super) fn pace(&self) -> &dyn Pace {
        self.client.pace()
    }

    /// The newest generation of an object; none if there is none.
    ///
    /// # Errors
    /// It cannot be seen. A bucket that is not there is an error, too: nothing will ever be in it.
    pub async fn find(&self, uri: &GcsUri) -> TaskResult<Option<GcsObject>> {
        let reply = self
            .client
            .get("/storage/v1/b/{}/o/{}", &[uri.bucket(), uri.object()])
            .query("fields", FIELDS)
            .doing(format!("look for {uri}"))
            .names(format!("bucket `{}`", uri.bucket()))
            .needs("storage.objects.get")
            .answers(&[404])
            .expects_json()
            .send()
            .await?;
        if reply.status() == 404 {
            self.check_bucket(&reply, uri.bucket()).await?;
            return Ok(None);
        }
        reply.json::<Resource>()?.read().map(Some)
    }

    /// The whole content of a small object, up to 8 MiB.
    pub(crate) async fn text_of(&self, uri: &GcsUri) -> TaskResult<Vec<u8>> {
        let reply = self
            .client
            .get("/storage/v1/b/{}/o/{}", &[uri.bucket(), uri.object()])
            .query("alt", "media")
            .doing(format!("read {uri}"))
            .names(format!("object `{uri}`"))
            .needs("storage.objects.get")
            .send()
            .await?;
        Ok(reply.body().to_vec())
    }

    /// The last bytes of an object, or all of them.
    pub(crate) async fn end_of(&self, object: &GcsObject, bytes: u64) -> TaskResult<Vec<u8>> {
        let uri = &object.uri;
        let from = object.size.saturating_sub(bytes);
        let most = usize::try_from(bytes).unwrap_or(usize::MAX);
        let reply = self
            .client
            .get("/storage/v1/b/{}/o/{}", &[uri.bucket(), uri.object()])
            .query("alt", "media")
            .query("generation", object.generation)
            .header("range", format!("bytes={from}-"))
            .doing(format!("read the end of {uri}"))
            .names(format!("object {uri}"))
            .needs("storage.objects.get")
            .body_max(most.saturating_add(1))
            .send()
            .await?;
        Ok(reply.body().to_vec())
    }

    /// A 404 may say that the whole bucket is not there.
    pub(super) async fn check_bucket(&self, reply: &Reply, bucket: &str) -> TaskResult<()> {
        let said = reply.said();
        if !said.message.contains("bucket does not exist") {
            return Ok(());
        }
        let who = self.client.who().await?;
        Err(TaskError::permanent(format!(
            "there is no bucket `{bucket}`, or {who} may not see it (404: {})",
            said.message
        ))
        .help("check the bucket's name; a bucket is made outside of Tidemill"))
    }

    /// All objects that fit, in the order of their names; an error if there are more than `most`.
    ///
    /// # Errors
    /// They cannot be listed, or there are too many.
    pub async fn list(&self, pattern: &GcsPattern, most: usize) -> TaskResult<Vec<GcsObject>> {
        let mut found = Vec::new();
        self.each(pattern, |object| {
            found.push(object);
            if found.len() > most {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .await?;
        if found.len() > most {
            return Err(TaskError::permanent(format!(
                "{pattern}: there are more than {most} objects"
            ))
            .help("narrow the pattern, or split the task"));
        }
        Ok(found)
    }

    /// Gives the objects that fit one by one, in the order of their names, until it is told to stop. No more than a page is
    /// held at a time.
    ///
    /// # Errors
    /// They cannot be listed.
    pub async fn each(
        &self,
        pattern: &GcsPattern,
        mut see: impl FnMut(GcsObject) -> ControlFlow<()> + Send,
    ) -> TaskResult<()> {
        if let Some(uri) = pattern.one() {
            if let Some(object) = self.find(&uri).await? {
                let _ = see(object);
            }
            return Ok(());
        }
        let mut token: Option<String> = None;
        loop {
            let page = self.page(pattern, token.as_deref()).await?;
            for item in page.items {
                let object = item.read()?;
                if pattern.fits(object.uri.object()) && see(object).is_break() {
                    return Ok(());
                }
            }
            token = page.next_page_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(());
            }
            if self.pace().is_cancelled() {
                return Err(TaskError::cancelled(format!("list {pattern}: cancelled")));
            }
        }
    }

    async fn page(&self, pattern: &GcsPattern, token: Option<&str>) -> TaskResult<Page> {
        let prefix = Some(pattern.prefix()).filter(|prefix| !prefix.is_empty());
        self.client
            .get("/storage/v1/b/{}/o", &[pattern.bucket()])
            .maybe("prefix", prefix)
            .maybe("matchGlob", pattern.glob())
            .maybe("pageToken", token)
            .query("maxResults", PAGE)
            .query("fields", format!("items({FIELDS}),nextPageToken"))
            .doing(format!("list {pattern}"))
            .names(format!("bucket `{}`", pattern.bucket()))
            .needs("storage.objects.list")
            .body_max(PAGE_BYTES_MAX)
            .send_json()
            .await
    }

    /// Deletes an object in this generation. Says whether it was there: one that is gone already is no error.
    ///
    /// # Errors
    /// It cannot be deleted, or another generation is there now.
    pub async fn delete(&self, object: &GcsObject) -> TaskResult<bool> {
        let uri = &object.uri;
        let reply = self
            .client
            .delete("/storage/v1/b/{}/o/{}", &[uri.bucket(), uri.object()])
            .query("ifGenerationMatch", object.generation)
            .doing(format!("delete {uri}"))
            .names(format!("bucket `{}`", uri.bucket()))
            .needs("storage.objects.delete")
            .answers(&[404])
            .send()
            .await?;
        if reply.status() == 404 {
            self.check_bucket(&reply, uri.bucket()).await?;
            return Ok(false);
        }
        Ok(true)
    }

    /// Does something to many objects, some at once. The first error ends it; what is under way then is let go.
    pub(super) async fn with_each<'a, I, T>(
        &'a self,
        items: impl IntoIterator<Item = I>,
        act: impl Fn(I) -> BoxFuture<'a, TaskResult<T>>,
        mut done: impl FnMut(usize, T),
    ) -> TaskResult<()> {
        let all = items.into_iter().map(act);
        let mut running = futures_util::stream::iter(all).buffer_unordered(AT_ONCE);
        let mut count = 0;
        while let Some(result) = running.next().await {
            count += 1;
            done(count, result?);
        }
        Ok(())
    }
}
