//! The style sheet, the script and the icon of the pages.

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use bytes::Bytes;

use super::{Oops, Page, STATIC};

/// What makes the pages look like the web UI's, whose crate the sandbox does not know.
#[derive(Debug, Clone, Default)]
pub struct Dress {
    /// The style sheet.
    pub style: String,
    /// The icon, as SVG.
    pub icon: String,
}

/// Something that pages load.
pub(super) struct Asset {
    pub(super) href: String,
    kind: &'static str,
    bytes: Bytes,
}

/// All that pages load.
pub(super) struct Assets {
    pub(super) style: Asset,
    pub(super) script: Asset,
    pub(super) icon: Asset,
}

impl Asset {
    /// Its address has a sum of its contents, so browsers keep it for ever.
    fn new((stem, end): (&str, &str), kind: &'static str, text: String) -> Self {
        let sum = crc32c::crc32c(text.as_bytes());
        Self {
            href: format!("{STATIC}{stem}.{sum:08x}.{end}"),
            kind,
            bytes: text.into(),
        }
    }
}

impl Assets {
    pub(super) fn new(dress: &Dress) -> Self {
        let style = format!(
            "{}{}",
            dress.style,
            include_str!("../../assets/sandbox.css")
        );
        let script = include_str!("../../assets/sandbox.js").to_owned();
        Self {
            style: Asset::new(("sandbox", "css"), "text/css; charset=utf-8", style),
            script: Asset::new(("sandbox", "js"), "text/javascript; charset=utf-8", script),
            icon: Asset::new(("icon", "svg"), "image/svg+xml", dress.icon.clone()),
        }
    }

    pub(super) fn answer(&self, name: &str) -> Page {
        let all = [&self.style, &self.script, &self.icon];
        let found = all
            .into_iter()
            .find(|asset| asset.href.strip_prefix(STATIC) == Some(name));
        let asset =
            found.ok_or_else(|| Oops::missing("There is no such file; load the page again"))?;
        let mut response = Response::new(Body::from(asset.bytes.clone()));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind));
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=31536000, immutable"),
        );
        Ok(response)
    }
}
