//! What a browser would make of a page: its elements with the names of their attributes, and where they lead.

use std::collections::BTreeSet;

/// What a page is made of.
#[derive(Debug, Default)]
pub(super) struct Dom {
    /// Every kind of element, and every attribute that it has: `a`, `a href`.
    pub(super) parts: BTreeSet<String>,
    /// Every address in it.
    pub(super) leads: BTreeSet<String>,
}

/// In these nothing but their end is read as markup.
const RAW: [&str; 4] = ["script", "style", "textarea", "title"];
const LEADS: [&str; 6] = ["href", "src", "action", "formaction", "srcset", "data"];

impl Dom {
    /// Reads a page.
    pub(super) fn of(page: &str) -> Self {
        let mut dom = Self::default();
        let mut rest = page;
        while let Some(at) = rest.find('<') {
            rest = &rest[at + 1..];
            if let Some(comment) = rest.strip_prefix("!--") {
                rest = comment.split_once("-->").map_or("", |(_, rest)| rest);
                continue;
            }
            if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
                continue;
            }
            let tag = rest
                .split(|c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/'))
                .next();
            let tag = tag.unwrap_or_default().to_ascii_lowercase();
            rest = dom.attributes(&tag, &rest[tag.len()..]);
            dom.parts.insert(tag.clone());
            if RAW.contains(&tag.as_str()) {
                let end = format!("</{tag}");
                let at = rest.to_ascii_lowercase().find(&end);
                rest = at.map_or("", |at| &rest[at..]);
            }
        }
        dom
    }

    /// Reads the attributes of an element, and gives back what comes after its `>`.
    fn attributes<'a>(&mut self, tag: &str, mut rest: &'a str) -> &'a str {
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
            if rest.is_empty() {
                return rest;
            }
            if let Some(after) = rest.strip_prefix('>') {
                return after;
            }
            let ends = |c: char| c.is_ascii_whitespace() || matches!(c, '=' | '>' | '/');
            let first = rest.chars().next().map_or(0, char::len_utf8);
            let end = rest[first..].find(ends).map_or(rest.len(), |at| at + first);
            let name = rest[..end].to_ascii_lowercase();
            rest = rest[end..].trim_start();
            let mut value = "";
            if let Some(given) = rest.strip_prefix('=') {
                (value, rest) = quoted(given.trim_start());
            }
            if LEADS.contains(&name.as_str()) {
                self.leads.insert(value.to_owned());
            }
            self.parts.insert(format!("{tag} {name}"));
        }
    }
}

fn quoted(text: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote) {
            return inner.split_once(quote).unwrap_or((inner, ""));
        }
    }
    let end = text.find(|c: char| c.is_ascii_whitespace() || c == '>');
    text.split_at(end.unwrap_or(text.len()))
}

#[test]
fn a_page_is_read_as_a_browser_does() {
    let page = "<!doctype html><p class=a title='x>y'>1<2<script nonce=\"n\">a<b</script><!--<i>--><IMG/SRC=x>";
    let dom = Dom::of(page);
    let parts: Vec<&str> = dom.parts.iter().map(String::as_str).collect();
    let wanted = [
        "img",
        "img src",
        "p",
        "p class",
        "p title",
        "script",
        "script nonce",
    ];
    assert_eq!(parts, wanted);
    assert_eq!(dom.leads.into_iter().collect::<Vec<_>>(), ["x"]);
    let text = "&#60;script&#62; <p>a\" onmark=1</p>";
    assert_eq!(Dom::of(text).parts.into_iter().collect::<Vec<_>>(), ["p"]);
}
