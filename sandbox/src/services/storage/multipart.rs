//! Bodies of several parts, read as they come: nothing but the head of a part is held in memory.

use axum::body::Body;
use bytes::{Bytes, BytesMut};

use super::sink::{Chunks, Whole};
use crate::call::Refusal;

/// More is no head of a part.
const HEAD: usize = 16 << 10;

/// Reads parts one after the other.
pub(crate) struct Parts<'a> {
    body: Whole<'a>,
    buffer: BytesMut,
    /// The line end and the boundary that follow each part.
    delimiter: Vec<u8>,
    ended: bool,
}

/// What a `Content-Type` says of the boundary.
pub(crate) fn boundary(content_type: &str) -> Result<String, Refusal> {
    let parameters = content_type.split(';').skip(1);
    let found = parameters
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))
        .map(|(_, value)| value.trim().trim_matches('"'));
    match found {
        Some(boundary) if (1..=200).contains(&boundary.len()) => Ok(boundary.to_owned()),
        _ => Err(Refusal::invalid(format!(
            "Invalid multipart request: {content_type:?} names no boundary"
        ))),
    }
}

impl<'a> Parts<'a> {
    pub(crate) fn new(body: &'a mut Body, boundary: &str) -> Self {
        Self {
            body: Whole(body),
            // So that the first boundary looks like the others.
            buffer: BytesMut::from("\r\n"),
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            ended: false,
        }
    }

    /// Skips what is left of the part before, and gives the head of the next: names in lower case, and values.
    pub(crate) async fn head(&mut self) -> Result<Option<Vec<(String, String)>>, Refusal> {
        while self.next().await?.is_some() {}
        // Now the buffer begins with the boundary, or is empty.
        if self.ended {
            return Ok(None);
        }
        let _ = self.buffer.split_to(self.delimiter.len());
        self.fill(2).await?;
        if self.buffer.starts_with(b"--") {
            self.ended = true;
            return Ok(None);
        }
        let head = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                let head = self.buffer.split_to(at);
                // The last line end stays: a boundary may follow at once.
                let _ = self.buffer.split_to(2);
                break head;
            }
            if self.buffer.len() > HEAD || !self.more().await? {
                return Err(early());
            }
        };
        // The line end after the head is no content, unless it begins a boundary.
        self.fill(self.delimiter.len()).await.ok();
        if !self.buffer.starts_with(&self.delimiter) {
            let _ = self.buffer.split_to(2);
        }
        let text = String::from_utf8_lossy(&head);
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        Ok(Some(
            lines
                .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
                .collect(),
        ))
    }

    /// A whole part that is small.
    pub(crate) async fn all(&mut self, limit: usize) -> Result<Bytes, Refusal> {
        let mut all = BytesMut::new();
        while let Some(chunk) = self.next().await? {
            if all.len() + chunk.len() > limit {
                return Err(Refusal::invalid(format!(
                    "Invalid multipart request: a part has more than {limit} bytes"
                )));
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }

    async fn fill(&mut self, size: usize) -> Result<(), Refusal> {
        while self.buffer.len() < size {
            if !self.more().await? {
                return Err(early());
            }
        }
        Ok(())
    }

    async fn more(&mut self) -> Result<bool, Refusal> {
        let next = self.body.next().await?;
        if let Some(data) = &next {
            self.buffer.extend_from_slice(data);
        }
        Ok(next.is_some())
    }
}

impl Chunks for Parts<'_> {
    async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        if self.ended {
            return Ok(None);
        }
        loop {
            match find(&self.buffer, &self.delimiter) {
                Some(0) => return Ok(None),
                Some(at) => return Ok(Some(self.buffer.split_to(at).freeze())),
                None => {}
            }
            // The end of what is here may be the beginning of a boundary.
            let sure = self.buffer.len().saturating_sub(self.delimiter.len() - 1);
            if sure > 0 {
                return Ok(Some(self.buffer.split_to(sure).freeze()));
            }
            if !self.more().await? {
                return Err(early());
            }
        }
    }
}

fn early() -> Refusal {
    Refusal::invalid("Invalid multipart request: the body ended before its last boundary")
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.iter().position(|byte| *byte == first)?;
        if text[at..].starts_with(wanted) {
            return Some(at);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use proptest::prelude::*;

    use super::*;

    fn body(bytes: &[u8], size: usize) -> Body {
        let chunks: Vec<_> = bytes
            .chunks(size)
            .map(|chunk| Ok::<_, std::io::Error>(Bytes::copy_from_slice(chunk)))
            .collect();
        Body::from_stream(stream::iter(chunks))
    }

    async fn parts(bytes: &[u8], size: usize, boundary: &str) -> Result<Vec<Bytes>, Refusal> {
        let mut body = body(bytes, size);
        let mut parts = Parts::new(&mut body, boundary);
        let mut all = Vec::new();
        while parts.head().await?.is_some() {
            all.push(parts.all(1 << 20).await?);
        }
        Ok(all)
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(future)
    }

    proptest! {
        #[test]
        fn parts_come_back(given in prop::collection::vec("[a-c\r\n-]{0,40}", 1..4), size in 1_usize..50) {
            let mut text = String::new();
            for part in &given {
                text += &format!("--xx\r\ncontent-type: a/b\r\n\r\n{part}\r\n");
            }
            text += "--xx--\r\n";
            let found = run(parts(text.as_bytes(), size, "xx")).unwrap();
            prop_assert_eq!(found, given.into_iter().map(Bytes::from).collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(prop::sample::select(b"-x\r\n: a".to_vec()), 0..200), size in 1_usize..20) {
            let _ = run(parts(&bytes, size, "x"));
        }
    }

    #[test]
    fn a_part_that_breaks_off_is_an_error() {
        let error = run(parts(b"--x\r\n\r\nabc", 3, "x")).unwrap_err();
        assert!(error.message.contains("ended before"), "{error:?}");
        run(parts(b"", 3, "x")).unwrap_err();
        assert_eq!(
            boundary("multipart/related; boundary=\"a=b\"").unwrap(),
            "a=b"
        );
        boundary("multipart/related").unwrap_err();
    }
}
