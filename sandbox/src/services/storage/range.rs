//! `Range` of a download and `Content-Range` of an upload.

use crate::call::Refusal;

/// What of some content is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Range {
    Whole,
    /// From the first to the last byte, both with it.
    Part(u64, u64),
    /// Nothing of what there is.
    Nothing,
}

/// Reads `bytes=…`. What cannot be read, and more than one range, is as if it was not there: HTTP wants that.
pub(super) fn ranged(header: Option<&str>, size: u64) -> Range {
    let Some(spec) = header.and_then(|header| header.trim().strip_prefix("bytes=")) else {
        return Range::Whole;
    };
    let number = |text: &str| {
        let text = text.trim();
        let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        // A number beyond 64 bits is beyond every object.
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    match spec.split_once('-') {
        Some((from, to)) if from.trim().is_empty() => match number(to) {
            None => Range::Whole,
            Some(0) => Range::Nothing,
            Some(_) if size == 0 => Range::Nothing,
            Some(last) => Range::Part(size.saturating_sub(last), size - 1),
        },
        Some((from, to)) => {
            let last = if to.trim().is_empty() {
                Some(u64::MAX)
            } else {
                number(to)
            };
            match (number(from), last) {
                (Some(from), Some(to)) if from > to => Range::Whole,
                (Some(from), Some(_)) if from >= size => Range::Nothing,
                (Some(from), Some(to)) => Range::Part(from, to.min(size - 1)),
                _ => Range::Whole,
            }
        }
        None => Range::Whole,
    }
}

/// What a request to a resumable upload brings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Brings {
    /// Nothing: it asks how far the upload is, and may say how long it will be.
    Question(Option<u64>),
    /// Bytes from a place; to a place, if that is known; of so many, if that is known.
    Bytes {
        from: u64,
        /// One after the last.
        end: Option<u64>,
        total: Option<u64>,
    },
}

/// Reads `Content-Range`; without it a request brings all.
pub(crate) fn brings(header: Option<&str>) -> Result<Brings, Refusal> {
    let Some(header) = header else {
        return Ok(Brings::Bytes {
            from: 0,
            end: None,
            total: None,
        });
    };
    read(header).ok_or_else(|| {
        Refusal::invalid(format!("Failed to parse Content-Range header: {header:?}"))
    })
}

fn read(header: &str) -> Option<Brings> {
    let (range, total) = header
        .trim()
        .strip_prefix("bytes ")?
        .trim()
        .split_once('/')?;
    let total = match total {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    if range == "*" {
        return Some(Brings::Question(total));
    }
    let (from, last) = range.split_once('-')?;
    let from: u64 = from.parse().ok()?;
    let end = match last {
        "*" => None,
        last => Some(last.parse::<u64>().ok()?.checked_add(1)?),
    };
    let good = end.is_none_or(|end| end > from && total.is_none_or(|total| end <= total));
    good.then_some(Brings::Bytes { from, end, total })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges() {
        for (header, size, range) in [
            ("bytes=0-4", 10, Range::Part(0, 4)),
            ("bytes=5-", 10, Range::Part(5, 9)),
            ("bytes=-3", 10, Range::Part(7, 9)),
            ("bytes=-30", 10, Range::Part(0, 9)),
            ("bytes=5-99", 10, Range::Part(5, 9)),
            ("bytes=10-", 10, Range::Nothing),
            ("bytes=0-", 0, Range::Nothing),
            ("bytes=-0", 10, Range::Nothing),
            ("bytes=4-1", 10, Range::Whole),
            ("bytes=a-b", 10, Range::Whole),
            ("bytes=0-1,3-4", 10, Range::Whole),
            ("rows=0-1", 10, Range::Whole),
            ("bytes=99999999999999999999999-", 10, Range::Nothing),
        ] {
            assert_eq!(ranged(Some(header), size), range, "{header}");
        }
        assert_eq!(ranged(None, 10), Range::Whole);
    }

    #[test]
    fn content_ranges() {
        let bytes = |from, end, total| Brings::Bytes { from, end, total };
        for (header, found) in [
            ("bytes */*", Brings::Question(None)),
            ("bytes */7", Brings::Question(Some(7))),
            ("bytes 0-6/7", bytes(0, Some(7), Some(7))),
            ("bytes 3-6/*", bytes(3, Some(7), None)),
            ("bytes 3-*/*", bytes(3, None, None)),
        ] {
            assert_eq!(brings(Some(header)).unwrap(), found, "{header}");
        }
        for header in [
            "",
            "bytes",
            "bytes 5-4/9",
            "bytes 0-9/9",
            "bytes 0-1",
            "0-1/2",
        ] {
            brings(Some(header)).unwrap_err();
        }
    }

    proptest! {
        #[test]
        fn a_range_is_within(header in "bytes=[0-9-]{0,6}|.*", size in 0_u64..500) {
            if let Range::Part(from, to) = ranged(Some(&header), size) {
                prop_assert!(from <= to && to < size);
            }
            let _ = brings(Some(&header));
        }

        #[test]
        fn any_content_range_is_read_or_refused(header in "bytes [0-9*/-]{0,24}") {
            let _ = brings(Some(&header));
        }
    }
}
