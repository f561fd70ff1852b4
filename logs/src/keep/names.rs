//! Names of folders and objects. They are made of what came over the wire, and of nothing but harmless characters.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use tidemill_core::protocol::{LogPlace, NOT_MAPPED};

/// Longer names are cut; file systems take 255 bytes.
const NAME_BYTES_MAX: usize = 180;

/// The log's folder: `dag/run.17/task/number-attempt`, with the map index before the number if there is one. A run's folder
/// has its number, so that the logs of one that was cleaned away can go while another of its name writes its own.
pub(super) fn log(place: &LogPlace) -> String {
    let run = format!("{}.{}", place.run, place.run_no);
    let mut path = [place.dag.as_str(), &run, place.task.as_str()]
        .map(safe)
        .join("/");
    if place.map_index != NOT_MAPPED {
        let _ = write!(path, "/{}", place.map_index);
    }
    let _ = write!(path, "/{}-{}", place.number, place.attempt);
    path
}

/// A name for one folder. Different texts have different names: what is not harmless becomes `=` and its hexadecimal
/// form, and of a long text the end becomes its hash.
pub(super) fn safe(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for (at, byte) in text.bytes().enumerate() {
        let harmless =
            byte.is_ascii_alphanumeric() || b"_-+:".contains(&byte) || (byte == b'.' && at > 0);
        if harmless {
            name.push(char::from(byte));
        } else {
            let _ = write!(name, "={byte:02X}");
        }
    }
    if name.is_empty() {
        name.push('=');
    }
    if name.len() > NAME_BYTES_MAX {
        name.truncate(100);
        name.push_str("=_");
        for byte in &Sha256::digest(text.as_bytes())[..16] {
            let _ = write!(name, "{byte:02x}");
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_read_like_what_they_name() {
        assert_eq!(
            safe("scheduled__2025-01-01T00:00:00+00:00"),
            "scheduled__2025-01-01T00:00:00+00:00"
        );
        assert_eq!(safe(".."), "=2E.");
        assert_eq!(safe("../../etc"), "=2E.=2F..=2Fetc");
        assert_eq!(safe(""), "=");
    }

    proptest! {
        #[test]
        fn no_text_climbs_out_or_is_taken_for_another(one in ".{0,300}", two in "[a=.2E/_]{0,6}") {
            for text in [&one, &two] {
                let name = safe(text);
                prop_assert!(!name.is_empty() && name.len() <= NAME_BYTES_MAX);
                prop_assert!(!name.starts_with('.') && !name.contains(['/', '\\', '\0', '%']));
                // The object store takes it as it is.
                let path = object_store::path::Path::parse(&name).unwrap();
                prop_assert_eq!(path.as_ref(), name.as_str());
            }
            prop_assert_eq!(safe(&one) == safe(&two), one == two);
        }
    }
}
