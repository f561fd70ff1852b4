//! Keeping secrets out of logs.
//!
//! A line is the unit: no pattern has a line break in it, so a line that is complete is decided, and nothing has to be
//! held back beyond it. A secret of several lines is masked line by line, and as a whole in the forms that put it on
//! one line. What any pattern covers is replaced, also where two of them overlap.

mod forms;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind, StartKind};
use serde_json::{Map, Value};

/// A secret with fewer characters than this is not masked: it would turn up by chance on every page, and the holes
/// would tell it to whoever reads a few of them.
pub const SECRET_CHARS_MIN: usize = 4;

/// What stands where a secret was.
const MASK: &str = "***";

/// Up to this many bytes of patterns we build the fast automaton, of a few MiB; above it the small one, which takes
/// some ten bytes for each byte of a pattern.
const FAST_BYTES_MAX: usize = 16 * 1024;

/// Secrets together may have patterns of this many bytes; each of the forms of a 2 KiB key is there then for some
/// hundred keys.
const PATTERN_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What became of a secret that was to be masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Masked {
    /// It is masked from now on.
    Yes,
    /// It is not: it has fewer than [`SECRET_CHARS_MIN`] characters. Whoever set it should know.
    TooShort,
    /// Only the value itself is masked: there are so many secrets that its other forms find no room.
    Plainly,
}

struct Patterns {
    /// The values that were added.
    values: BTreeSet<String>,
    /// What is looked for.
    forms: BTreeSet<Vec<u8>>,
    bytes: usize,
}

struct Matcher {
    automaton: AhoCorasick,
    longest: usize,
}

/// Replaces secrets in texts, in every form in which they may turn up.
///
/// Clones share their secrets: one that is added while tasks run is masked by all of them from then on.
#[derive(Clone)]
pub struct Masker {
    patterns: Arc<Mutex<Patterns>>,
    matcher: Arc<RwLock<Option<Arc<Matcher>>>>,
}

impl std::fmt::Debug for Masker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Masker(…)")
    }
}

impl Default for Masker {
    fn default() -> Self {
        Self::new()
    }
}

impl Masker {
    /// A masker that knows no secret yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            patterns: Arc::new(Mutex::new(Patterns {
                values: BTreeSet::new(),
                forms: BTreeSet::new(),
                bytes: 0,
            })),
            matcher: Arc::new(RwLock::new(None)),
        }
    }

    /// Masks this value from now on.
    pub fn add(&self, secret: &str) -> Masked {
        self.add_all([secret])
            .into_iter()
            .next()
            .unwrap_or(Masked::TooShort)
    }

    /// Masks these values from now on; the answers are in their order. Adding many at once builds the automaton once.
    pub fn add_all<'a>(&self, secrets: impl IntoIterator<Item = &'a str>) -> Vec<Masked> {
        let mut patterns = self.patterns.lock().unwrap_or_else(PoisonError::into_inner);
        let before = patterns.forms.len();
        let answers = secrets.into_iter().map(|secret| patterns.add(secret));
        let answers = answers.collect();
        if patterns.forms.len() > before {
            let matcher = patterns.build();
            *self.matcher.write().unwrap_or_else(PoisonError::into_inner) = matcher;
        }
        answers
    }

    fn matcher(&self) -> Option<Arc<Matcher>> {
        self.matcher
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The longest form of a secret that is looked for, in bytes.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.matcher().map_or(0, |matcher| matcher.longest)
    }

    /// The text without secrets; the text itself if there are none in it.
    #[must_use]
    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let covered = self.covered(text.as_bytes());
        if covered.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        for (start, end) in covered {
            // A pattern is text, so it begins and ends between characters.
            out.push_str(text.get(from..start).unwrap_or_default());
            out.push_str(MASK);
            from = end;
        }
        out.push_str(text.get(from..).unwrap_or_default());
        Cow::Owned(out)
    }

    /// The same for bytes of any kind.
    #[must_use]
    pub fn mask_bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let covered = self.covered(bytes);
        if covered.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let mut out = Vec::with_capacity(bytes.len());
        let mut from = 0;
        for (start, end) in covered {
            out.extend_from_slice(&bytes[from..start]);
            out.extend_from_slice(MASK.as_bytes());
            from = end;
        }
        out.extend_from_slice(&bytes[from..]);
        Cow::Owned(out)
    }

    /// The fields without secrets: texts at any depth, names, and numbers that are one.
    #[must_use]
    pub fn mask_fields(&self, fields: &Map<String, Value>) -> Map<String, Value> {
        let masked = fields.iter().map(|(name, value)| {
            let name = self.mask(name).into_owned();
            (name, self.mask_value(value))
        });
        masked.collect()
    }

    fn mask_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.mask(text).into_owned()),
            Value::Array(items) => items.iter().map(|item| self.mask_value(item)).collect(),
            Value::Object(fields) => Value::Object(self.mask_fields(fields)),
            Value::Number(number) => match self.mask(&number.to_string()) {
                Cow::Borrowed(_) => value.clone(),
                Cow::Owned(masked) => Value::String(masked),
            },
            Value::Bool(_) | Value::Null => value.clone(),
        }
    }

    /// Which parts of the text are secret: apart from each other, in order.
    fn covered(&self, text: &[u8]) -> Vec<(usize, usize)> {
        let Some(matcher) = self.matcher() else {
            return Vec::new();
        };
        if text.len() < SECRET_CHARS_MIN || !matcher.automaton.is_match(text) {
            return Vec::new();
        }
        let mut parts: Vec<(usize, usize)> = Vec::new();
        for found in matcher.automaton.find_overlapping_iter(text) {
            // Ends never go back, but a longer match may begin before those that ended earlier.
            let (mut start, end) = (found.start(), found.end());
            while let Some(&(before, until)) = parts.last() {
                if until < start {
                    break;
                }
                start = start.min(before);
                parts.pop();
            }
            parts.push((start, end));
        }
        parts
    }
}

impl Patterns {
    fn add(&mut self, secret: &str) -> Masked {
        if self.values.contains(secret) {
            return Masked::Yes;
        }
        let plain = forms::plain(secret);
        if plain.is_empty() {
            return Masked::TooShort;
        }
        let every = forms::every(secret);
        let bytes: usize = every.iter().map(Vec::len).sum();
        let fits = self.bytes + bytes <= PATTERN_BYTES_MAX;
        for form in if fits { every } else { plain } {
            let bytes = form.len();
            if self.forms.insert(form) {
                self.bytes += bytes;
            }
        }
        if fits {
            self.values.insert(secret.to_owned());
            Masked::Yes
        } else {
            Masked::Plainly
        }
    }

    /// Nothing if there is nothing to look for.
    fn build(&self) -> Option<Arc<Matcher>> {
        let kind = if self.bytes <= FAST_BYTES_MAX {
            AhoCorasickKind::DFA
        } else {
            AhoCorasickKind::ContiguousNFA
        };
        let mut builder = AhoCorasick::builder();
        builder
            .match_kind(MatchKind::Standard)
            .start_kind(StartKind::Unanchored);
        let automaton = builder.kind(Some(kind)).build(&self.forms);
        // The kinds differ in how large they may become; the slowest takes whatever fits in memory.
        let automaton = automaton.or_else(|_| {
            builder
                .kind(Some(AhoCorasickKind::NoncontiguousNFA))
                .build(&self.forms)
        });
        let longest = self.forms.iter().map(Vec::len).max()?;
        automaton
            .ok()
            .map(|automaton| Arc::new(Matcher { automaton, longest }))
    }
}
