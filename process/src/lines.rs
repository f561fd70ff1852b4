//! What a process prints, cut into lines.

use std::collections::VecDeque;

/// The longest line that is kept, in bytes. What comes after is counted and dropped.
pub const LINE_BYTES_MAX: usize = 16 * 1024;

/// Cuts bytes into lines. It holds no more than one line, and expects no UTF-8: what is none is replaced.
///
/// A carriage return ends a line as well: progress bars are then seen as they move.
#[derive(Debug, Default)]
pub struct Lines {
    line: Vec<u8>,
    dropped: usize,
    after_return: bool,
}

impl Lines {
    /// Takes in what was read, and calls `see` with each line that is complete.
    pub fn feed(&mut self, mut bytes: &[u8], see: &mut impl FnMut(&str)) {
        while let Some(&first) = bytes.first() {
            if std::mem::take(&mut self.after_return) && first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let (part, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            self.push(part);
            if let Some(&separator) = rest.first() {
                self.after_return = separator == b'\r';
                self.emit(see);
            }
            bytes = rest.get(1..).unwrap_or_default();
        }
    }

    /// Calls `see` with the last line if it was not ended.
    pub fn finish(&mut self, see: &mut impl FnMut(&str)) {
        if !self.line.is_empty() {
            self.emit(see);
        }
    }

    fn push(&mut self, part: &[u8]) {
        let room = LINE_BYTES_MAX - self.line.len();
        let kept = part.len().min(room);
        self.line.extend_from_slice(&part[..kept]);
        self.dropped += part.len() - kept;
    }

    fn emit(&mut self, see: &mut impl FnMut(&str)) {
        let text = String::from_utf8_lossy(&self.line);
        if self.dropped == 0 {
            see(&text);
        } else {
            see(&format!("{text}… ({} bytes more)", self.dropped));
        }
        self.line.clear();
        self.dropped = 0;
    }
}

/// The last lines that something said, for an error message.
#[derive(Debug, Default)]
pub struct Tail(VecDeque<String>);

impl Tail {
    const LINES_MAX: usize = 10;
    const LINE_CHARS_MAX: usize = 300;

    /// Takes in a line.
    pub fn push(&mut self, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        if self.0.len() == Self::LINES_MAX {
            self.0.pop_front();
        }
        self.0
            .push_back(line.chars().take(Self::LINE_CHARS_MAX).collect());
    }

    /// Whether a line has this text in it.
    #[must_use]
    pub fn has(&self, text: &str) -> bool {
        self.0.iter().any(|line| line.contains(text))
    }

    /// A message with the last lines below it.
    #[must_use]
    pub fn below(&self, message: &str) -> String {
        self.0
            .iter()
            .fold(message.to_owned(), |text, line| text + "\n" + line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(parts: &[&[u8]]) -> Vec<String> {
        let mut seen = Vec::new();
        let mut see = |line: &str| seen.push(line.to_owned());
        let mut lines = Lines::default();
        for part in parts {
            lines.feed(part, &mut see);
        }
        lines.finish(&mut see);
        seen
    }

    #[test]
    fn lines_are_the_same_however_the_bytes_arrive() {
        let text = b"one\r\ntwo\n\nfour\r50%\r100%\nlast";
        let whole = cut(&[text]);
        assert_eq!(whole, ["one", "two", "", "four", "50%", "100%", "last"]);
        for at in 0..text.len() {
            assert_eq!(cut(&[&text[..at], &text[at..]]), whole, "cut at {at}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(cut(&bytes), whole);
    }

    #[test]
    fn a_long_line_is_cut_and_says_so() {
        let long = vec![b'x'; LINE_BYTES_MAX + 5];
        let lines = cut(&[&long, b"yy\nnext"]);
        assert!(lines[0].ends_with("x… (7 bytes more)"), "{}", lines[0]);
        assert_eq!(lines[1], "next");
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(cut(&[b"a\xffb\n"]), ["a\u{fffd}b"]);
    }

    #[test]
    fn the_tail_keeps_the_last_lines() {
        let mut tail = Tail::default();
        for n in 0..12 {
            tail.push(&n.to_string());
        }
        assert_eq!(tail.below("m"), "m\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11");
    }
}
