//! Sums of content.

use std::io::Read;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tidemill_core::operator::{OrFail as _, TaskError, TaskResult};

use super::object::GcsObject;

/// Bytes that are read at once.
const AT_ONCE: usize = 1 << 20;

/// How long content is and what it sums up to, by CRC32C.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many bytes.
    pub size: u64,
    /// Their CRC32C.
    pub crc32c: u32,
}

impl Sum {
    /// With more content.
    pub fn add(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, bytes);
    }

    /// The sum as Google writes it.
    #[must_use]
    pub fn text(&self) -> String {
        STANDARD.encode(self.crc32c.to_be_bytes())
    }

    /// Whether an object has this content.
    #[must_use]
    pub fn is_of(&self, object: &GcsObject) -> bool {
        object.size == self.size && object.crc32c == self.text()
    }

    /// Sums a file up to its end, or up to so many bytes.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn of_file(path: &Path, most: u64) -> TaskResult<Self> {
        let (file, shown) = (path.to_owned(), path.display().to_string());
        let summed = tokio::task::spawn_blocking(move || {
            let mut file = std::fs::File::open(file)?.take(most);
            let mut bytes = vec![0; AT_ONCE];
            let mut sum = Self::default();
            loop {
                match file.read(&mut bytes)? {
                    0 => return Ok(sum),
                    read => sum.add(&bytes[..read]),
                }
            }
        });
        let summed = summed.await.or_transient(format_args!("read {shown}"))?;
        summed.map_err(|error| unread(&shown, &error))
    }
}

/// A file of the worker that cannot be used.
pub(super) fn unread(path: &str, error: &std::io::Error) -> TaskError {
    use std::io::ErrorKind::{IsADirectory, NotADirectory, NotFound, PermissionDenied};
    let message = format!("{path}: {error}");
    match error.kind() {
        NotFound | NotADirectory | IsADirectory => TaskError::permanent(message)
            .help("the path is that of the worker the task runs on; name a file that is there"),
        PermissionDenied => TaskError::permanent(message)
            .help("the user that the worker runs as has to be allowed to use it"),
        _ => TaskError::transient(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_written_as_google_writes_them() {
        let mut sum = Sum::default();
        sum.add(b"12345");
        sum.add(b"6789");
        assert_eq!((sum.size, sum.crc32c), (9, 0xe306_9283));
        assert_eq!(sum.text(), "4waSgw==");
        assert_eq!(Sum::default().text(), "AAAAAA==");
    }
}
