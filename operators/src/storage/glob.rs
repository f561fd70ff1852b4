//! Patterns of names, with the meaning that Cloud Storage's `matchGlob` has.
//!
//! Names are matched here as well as there: servers that stand for Cloud Storage pass over what they do not know.

/// More ways to read a pattern than this are not written by people.
const WAYS_MAX: usize = 256;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Char(char),
    /// `?`
    One,
    /// `*`
    Within,
    /// `**`
    Across,
    /// `**/` at the beginning of a folder: any folders, also none.
    Folders,
    /// `[a-z]`
    Class(bool, Vec<(char, char)>),
}

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob {
    prefix: String,
    /// One list for each of the alternatives in braces.
    ways: Vec<Vec<Token>>,
}

impl Glob {
    /// Whether a text is a pattern at all.
    pub(super) fn is_one(text: &str) -> bool {
        text.contains(['*', '?', '[', '{', '\\'])
    }

    pub(super) fn new(text: &str) -> Result<Self, &'static str> {
        let prefix = text
            .find(['*', '?', '[', '{', '\\'])
            .map_or(text, |end| &text[..end]);
        let mut ways = Vec::new();
        for way in alternatives(text)? {
            ways.push(tokens(&way)?);
        }
        Ok(Self {
            prefix: prefix.to_owned(),
            ways,
        })
    }

    /// What all names that match begin with.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Takes time in proportion to name and pattern, whatever they are.
    pub(super) fn matches(&self, name: &str) -> bool {
        if !name.starts_with(&self.prefix) {
            return false;
        }
        let name: Vec<char> = name.chars().collect();
        self.ways.iter().any(|way| fits(way, &name))
    }
}

/// Which places of the name can be reached token by token.
fn fits(way: &[Token], name: &[char]) -> bool {
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    for token in way {
        let before = reached;
        reached = vec![false; name.len() + 1];
        let mut somewhere = false;
        for at in 0..=name.len() {
            let last = at.checked_sub(1).map(|last| (last, name[last]));
            reached[at] = match (token, last) {
                (Token::Char(c), Some((last, found))) => before[last] && found == *c,
                (Token::One, Some((last, found))) => before[last] && found != '/',
                (Token::Class(is_in, ranges), Some((last, found))) => {
                    before[last] && found != '/' && in_class(*is_in, ranges, found)
                }
                (Token::Within, Some((last, found))) => {
                    before[at] || (reached[last] && found != '/')
                }
                (Token::Across, Some((last, _))) => before[at] || reached[last],
                (Token::Folders, Some((_, found))) => before[at] || (somewhere && found == '/'),
                (Token::Within | Token::Across | Token::Folders, None) => before[at],
                (Token::Char(_) | Token::One | Token::Class(..), None) => false,
            };
            somewhere |= before[at];
        }
    }
    reached[name.len()]
}

fn in_class(is_in: bool, ranges: &[(char, char)], found: char) -> bool {
    let hit = ranges
        .iter()
        .any(|(first, last)| (*first..=*last).contains(&found));
    hit == is_in
}

/// `a{b,c}` is `ab` and `ac`.
fn alternatives(text: &str) -> Result<Vec<String>, &'static str> {
    let mut open = None;
    let mut depth = 0_u32;
    let mut cuts = Vec::new();
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if std::mem::take(&mut escaped) {
            continue;
        }
        match c {
            '\\' => escaped = true,
            '{' => {
                depth += 1;
                if depth == 1 {
                    open = Some(at);
                    cuts.push(at + 1);
                }
            }
            ',' if depth == 1 => cuts.push(at + 1),
            '}' => {
                depth = depth.checked_sub(1).ok_or("a `}` has no `{`")?;
                let Some(begin) = open.filter(|_| depth == 0) else {
                    continue;
                };
                let (before, rest) = (&text[..begin], &text[at + 1..]);
                cuts.push(at + 1);
                let mut all = Vec::new();
                for cut in cuts.windows(2) {
                    let one = &text[cut[0]..cut[1] - 1];
                    all.extend(alternatives(&format!("{before}{one}{rest}"))?);
                    if all.len() > WAYS_MAX {
                        return Err("its braces stand for more than 256 patterns");
                    }
                }
                return Ok(all);
            }
            _ => {}
        }
    }
    if depth > 0 {
        return Err("a `{` has no `}`");
    }
    Ok(vec![text.to_owned()])
}

fn tokens(text: &str) -> Result<Vec<Token>, &'static str> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    let mut at_folder = true;
    while let Some(c) = chars.next() {
        let token = match c {
            '*' if chars.peek() == Some(&'*') => {
                while chars.next_if_eq(&'*').is_some() {}
                if at_folder && chars.next_if_eq(&'/').is_some() {
                    tokens.push(Token::Folders);
                    continue;
                }
                Token::Across
            }
            '*' => Token::Within,
            '?' => Token::One,
            '[' => class(&mut chars)?,
            '\\' => Token::Char(chars.next().ok_or("it ends in a `\\`")?),
            c => Token::Char(c),
        };
        at_folder = token == Token::Char('/');
        tokens.push(token);
    }
    Ok(tokens)
}

fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Token, &'static str> {
    let is_in = chars.next_if(|c| matches!(c, '!' | '^')).is_none();
    let mut ranges = Vec::new();
    loop {
        let first = chars.next().ok_or("a `[` has no `]`")?;
        if first == ']' && !ranges.is_empty() {
            return Ok(Token::Class(is_in, ranges));
        }
        let mut ahead = chars.clone();
        let is_range = ahead.next() == Some('-') && ahead.next().is_some_and(|c| c != ']');
        let last = if is_range {
            chars.next();
            chars.next().unwrap_or(first)
        } else {
            first
        };
        ranges.push((first, last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_in_cloud_storage() {
        for (pattern, name, fits) in [
            ("*.csv", "a.csv", true),
            ("*.csv", "x/a.csv", false),
            ("**.csv", "x/a.csv", true),
            ("x/**/a", "x/a", true),
            ("x/**/a", "x/y/z/a", true),
            ("x/**/a", "x/ya", false),
            ("**/a", "a", true),
            ("**/a", "b/a", true),
            ("x**a", "x/y/a", true),
            ("x/*", "x/", true),
            ("?", "ü", true),
            ("?", "/", false),
            ("a?c", "ac", false),
            ("[a-c]1", "b1", true),
            ("[!a-c]1", "b1", false),
            ("[!a]", "/", false),
            ("[]a]", "]", true),
            ("[a-]", "-", true),
            ("{a,b/c}.x", "b/c.x", true),
            ("{a,b}.x", "c.x", false),
            ("a{,b}", "a", true),
            ("{a,{b,c}}1{2,3}", "c13", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("", "", true),
            ("", "a", false),
        ] {
            let glob = Glob::new(pattern).unwrap();
            assert_eq!(glob.matches(name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_said_to_be_none() {
        for wrong in ["[a", "a{b", "a}b", "a\\"] {
            assert!(Glob::new(wrong).is_err(), "{wrong}");
        }
        let many = "{a,b}".repeat(9);
        assert!(Glob::new(&many).is_err());
    }

    #[test]
    fn no_pattern_takes_for_ever() {
        let glob = Glob::new(&"*a".repeat(200)).unwrap();
        assert!(!glob.matches(&"a".repeat(1_000).replace('a', "ab")));
    }
}
