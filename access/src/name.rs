//! What users are called.

/// The longest name of a user, in characters: an address for mail fits.
pub const NAME_CHARS_MAX: usize = 100;

/// Why a text is no name of a user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserNameError {
    /// Nothing is there.
    #[error("write a name: it must not be empty")]
    Empty,
    /// It is too long.
    #[error("a name of a user has at most {NAME_CHARS_MAX} characters, this one has {chars}")]
    TooLong {
        /// How long it is.
        chars: usize,
    },
    /// A character outside the grammar.
    #[error("a name of a user has no {found:?} in it; letters, digits and . _ - + @ are allowed")]
    BadCharacter {
        /// The first that is not allowed.
        found: char,
    },
    /// It begins with a sign, which could be taken for a flag.
    #[error("a name of a user begins with a letter or a digit")]
    BadStart,
}

/// The name of a user as it is stored. Letters are small, so that `Ann@Example.com` and `ann@example.com` are one user, and
/// plain, so that no two names look the same.
///
/// # Errors
/// Says what is wrong with it.
///
/// ```
/// assert_eq!(tidemill_access::user_name(" Ann@Example.com ").unwrap(), "ann@example.com");
/// ```
pub fn user_name(text: &str) -> Result<String, UserNameError> {
    let text = text.trim();
    let chars = text.chars().count();
    if chars > NAME_CHARS_MAX {
        return Err(UserNameError::TooLong { chars });
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '@');
    if let Some(found) = text.chars().find(|c| !allowed(*c)) {
        return Err(UserNameError::BadCharacter { found });
    }
    match text.chars().next() {
        None => Err(UserNameError::Empty),
        Some(first) if !first.is_ascii_alphanumeric() => Err(UserNameError::BadStart),
        Some(_) => Ok(text.to_ascii_lowercase()),
    }
}

/// Why a text is not what pages may call somebody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DisplayError {
    /// It is too long.
    #[error("what a user is called has at most {NAME_CHARS_MAX} characters, this has {chars}")]
    TooLong {
        /// How long it is.
        chars: usize,
    },
    /// It has a character that is not shown.
    #[error("what a user is called has no characters in it that nobody sees, such as {found:?}")]
    Unseen {
        /// The first.
        found: char,
    },
}

/// What pages call somebody: any letters, but none that hide or turn others around.
///
/// # Errors
/// Says what is wrong with it.
pub fn display_name(text: &str) -> Result<String, DisplayError> {
    let text = text.trim();
    let chars = text.chars().count();
    if chars > NAME_CHARS_MAX {
        return Err(DisplayError::TooLong { chars });
    }
    let unseen = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    match text.chars().find(|c| unseen(*c)) {
        Some(found) => Err(DisplayError::Unseen { found }),
        None => Ok(text.to_owned()),
    }
}
