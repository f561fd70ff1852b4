//! `matchGlob`: patterns of names.

use regex::Regex;

use crate::call::Refusal;

/// `*` and `?` stop at a slash, `**` does not; `[a-z]`, `[!a]` and `{one,other}` are as in a shell.
pub(super) struct Glob(Regex);

impl Glob {
    pub(super) fn new(pattern: &str) -> Result<Self, Refusal> {
        let wrong = || {
            let mut refusal = Refusal::invalid(format!("Invalid matchGlob: {pattern:?}"));
            refusal.location = Some("matchGlob".to_owned());
            refusal
        };
        let text = translated(pattern).ok_or_else(wrong)?;
        Regex::new(&text).map(Self).map_err(|_| wrong())
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

/// The same as a regular expression, which is matched in linear time whatever it is.
fn translated(pattern: &str) -> Option<String> {
    let mut text = String::from("(?s)^");
    let mut chars = pattern.chars().peekable();
    let mut depth = 0_u32;
    let mut before = '/';
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.peek() == Some(&'*') => {
                while chars.next_if_eq(&'*').is_some() {}
                // `a/**/b` is also `a/b`.
                if before == '/' && chars.next_if_eq(&'/').is_some() {
                    text.push_str("(?:.*/)?");
                    before = '/';
                    continue;
                }
                text.push_str(".*");
            }
            '*' => text.push_str("[^/]*"),
            '?' => text.push_str("[^/]"),
            '[' => class(&mut chars, &mut text)?,
            '{' => {
                depth += 1;
                text.push_str("(?:");
            }
            '}' => {
                depth = depth.checked_sub(1)?;
                text.push(')');
            }
            ',' if depth > 0 => text.push('|'),
            '\\' => text.push_str(&regex::escape(&chars.next()?.to_string())),
            c => text.push_str(&regex::escape(&c.to_string())),
        }
        before = c;
    }
    text.push('$');
    (depth == 0).then_some(text)
}

fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, text: &mut String) -> Option<()> {
    text.push('[');
    if chars.next_if(|c| matches!(c, '!' | '^')).is_some() {
        text.push_str("^/");
    }
    let mut first = true;
    loop {
        let c = chars.next()?;
        match c {
            ']' if !first => break,
            '-' if !first && chars.peek().is_some_and(|next| *next != ']') => text.push('-'),
            c => {
                text.push('\\');
                if c.is_ascii_punctuation() {
                    text.push(c);
                } else {
                    text.pop();
                    text.push(c);
                }
            }
        }
        first = false;
    }
    text.push(']');
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, fits) in [
            ("*.csv", "a.csv", true),
            ("*.csv", "x/a.csv", false),
            ("**.csv", "x/a.csv", true),
            ("x/**/a", "x/a", true),
            ("x/**/a", "x/y/z/a", true),
            ("x**a", "x/y/a", true),
            ("?", "ü", true),
            ("?", "/", false),
            ("[a-c]1", "b1", true),
            ("[!a-c]1", "b1", false),
            ("[!a-c]1", "/1", false),
            ("{a,b*}.x", "bcd.x", true),
            ("{a,b*}.x", "c.x", false),
            ("a+(b)", "a+(b)", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("a", "ab", false),
        ] {
            assert_eq!(
                Glob::new(pattern).unwrap().matches(name),
                fits,
                "{pattern} {name}"
            );
        }
        for pattern in ["{a", "a}", "[a", "[z-a]", "a\\"] {
            assert!(Glob::new(pattern).is_err(), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn any_pattern_is_read_or_refused(pattern in "[\\[\\]{}*?!^,\\\\a-c/&~-]{0,30}|.*", name in ".*") {
            if let Ok(glob) = Glob::new(&pattern) {
                glob.matches(&name);
            }
        }

        #[test]
        fn a_name_fits_itself_and_what_is_wider(name in "[a-z/.]{1,20}") {
            prop_assert!(Glob::new(&name).unwrap().matches(&name));
            prop_assert!(Glob::new("**").unwrap().matches(&name));
        }
    }
}
