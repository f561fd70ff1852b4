//! Stars in the place of secrets.

use std::borrow::Cow;

use super::environment::SecretVariable;

/// Shorter pieces are too common to be hidden: all of the text would be stars.
const PIECE_CHARS_MIN: usize = 6;

/// Hides the secrets that a command was given in what it prints. It finds them as they are, not what is made of them:
/// a program that prints its secret in base64 shows it.
#[derive(Debug, Default)]
pub(super) struct Mask(Vec<String>);

impl Mask {
    /// Hides these. A secret of several lines, such as a key, is printed line by line.
    pub(super) fn of(secrets: &[SecretVariable<'_>]) -> Self {
        let mut pieces: Vec<String> = secrets
            .iter()
            .flat_map(|(_, secret)| secret.reveal().lines())
            .map(str::trim)
            .filter(|piece| piece.chars().count() >= PIECE_CHARS_MIN)
            .map(str::to_owned)
            .collect();
        // A piece that holds another one goes first.
        pieces.sort_by_key(|piece| std::cmp::Reverse(piece.len()));
        Self(pieces)
    }

    /// The text with stars.
    pub(super) fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.0.iter().fold(Cow::Borrowed(text), |text, piece| {
            if text.contains(piece.as_str()) {
                Cow::Owned(text.replace(piece.as_str(), "***"))
            } else {
                text
            }
        })
    }
}
