//! Documentation that authors write: headings, lists, code, and links to `https://`. Whatever else stands in it is text.

use std::fmt::Write as _;

use super::{Html, escape};

/// What a line belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Nothing,
    Paragraph,
    Bullets,
    Numbers,
}

impl Block {
    const fn tag(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Paragraph => Some("p"),
            Self::Bullets => Some("ul"),
            Self::Numbers => Some("ol"),
        }
    }
}

struct Writer {
    out: String,
    block: Block,
    /// Whether an item of a list is open: a line that is set in goes on with it.
    item: bool,
}

impl Writer {
    fn enter(&mut self, block: Block) {
        if self.block == block {
            return;
        }
        if self.item {
            self.out.push_str("</li>");
            self.item = false;
        }
        if let Some(tag) = self.block.tag() {
            let _ = writeln!(self.out, "</{tag}>");
        }
        if let Some(tag) = block.tag() {
            let _ = write!(self.out, "<{tag}>");
        }
        self.block = block;
    }

    fn list_item(&mut self, list: Block, text: &str) {
        self.enter(list);
        if self.item {
            self.out.push_str("</li>");
        }
        self.out.push_str("<li>");
        self.item = true;
        inline(&mut self.out, text);
    }

    fn line(&mut self, line: &str) {
        let text = line.trim();
        if text.is_empty() {
            self.enter(Block::Nothing);
        } else if let Some((level, words)) = heading(text) {
            self.enter(Block::Nothing);
            // The page has the first two levels.
            let level = (level + 2).min(6);
            let _ = write!(self.out, "<h{level}>");
            inline(&mut self.out, words);
            let _ = writeln!(self.out, "</h{level}>");
        } else if let Some(words) = bullet(text) {
            self.list_item(Block::Bullets, words);
        } else if let Some(words) = numbered(text) {
            self.list_item(Block::Numbers, words);
        } else {
            let is_set_in = self.item && line.starts_with([' ', '\t']);
            if is_set_in || self.block == Block::Paragraph {
                self.out.push('\n');
            } else {
                self.enter(Block::Paragraph);
            }
            inline(&mut self.out, text);
        }
    }

    fn code(&mut self, lines: &[&str]) {
        self.enter(Block::Nothing);
        let text = escape(&lines.join("\n"));
        let _ = writeln!(self.out, "<pre>{text}</pre>");
    }
}

/// Renders documentation.
pub(crate) fn markdown(text: &str) -> Html {
    let mut writer = Writer {
        out: String::with_capacity(text.len() + text.len() / 4),
        block: Block::Nothing,
        item: false,
    };
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim_start().starts_with("```") {
            let code = lines.by_ref();
            let code: Vec<&str> = code
                .take_while(|line| !line.trim_start().starts_with("```"))
                .collect();
            writer.code(&code);
        } else {
            writer.line(line);
        }
    }
    writer.enter(Block::Nothing);
    Html(writer.out)
}

fn heading(text: &str) -> Option<(usize, &str)> {
    let words = text.trim_start_matches('#');
    let level = text.len() - words.len();
    let words = words.strip_prefix(' ')?;
    (1..=6)
        .contains(&level)
        .then(|| (level, words.trim().trim_end_matches('#').trim_end()))
}

fn bullet(text: &str) -> Option<&str> {
    let mut marks = ["- ", "* ", "+ "].iter();
    marks.find_map(|mark| text.strip_prefix(mark))
}

fn numbered(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = text.len() - rest.len();
    let rest = rest
        .strip_prefix(". ")
        .or_else(|| rest.strip_prefix(") "))?;
    (1..=9).contains(&digits).then_some(rest)
}

/// Code and links within a line.
fn inline(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(['`', '[']) {
        out.push_str(&escape(&rest[..at]));
        rest = &rest[at..];
        let taken = if rest.starts_with('`') {
            code(rest).map(|(words, after)| {
                let _ = write!(out, "<code>{}</code>", escape(words));
                after
            })
        } else {
            link(rest).map(|(words, href, after)| {
                let (words, href) = (escape(words), escape(href));
                let _ = write!(
                    out,
                    "<a href=\"{href}\" rel=\"noopener noreferrer\" target=\"_blank\">{words} ↗</a>"
                );
                after
            })
        };
        rest = taken.unwrap_or_else(|| {
            // Both marks are one byte.
            out.push_str(&rest[..1]);
            &rest[1..]
        });
    }
    out.push_str(&escape(rest));
}

fn code(text: &str) -> Option<(&str, &str)> {
    let (words, after) = text.strip_prefix('`')?.split_once('`')?;
    (!words.is_empty()).then_some((words, after))
}

/// `[words](https://…)`. An address has nothing in it that could end it earlier or be read in another way.
fn link(text: &str) -> Option<(&str, &str, &str)> {
    let (words, rest) = text.strip_prefix('[')?.split_once("](")?;
    let (href, after) = rest.split_once(')')?;
    let plain = href
        .chars()
        .all(|c| c.is_ascii_graphic() && !"\"'<>\\`".contains(c));
    let host = href
        .strip_prefix("https://")
        .is_some_and(|host| host.starts_with(|c: char| c.is_ascii_alphanumeric()));
    (plain && host && !words.is_empty() && !words.contains('[')).then_some((words, href, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        markdown(text).to_string().replace('\n', "")
    }

    #[test]
    fn headings_lists_code_and_links_are_shown_as_such() {
        assert_eq!(
            shown(
                "# Orders\nAll of `orders`\nby day.\n\n- one\n- two\n  goes on\n\n1. first\n2) next\n"
            ),
            "<h3>Orders</h3><p>All of <code>orders</code>by day.</p><ul><li>one</li><li>twogoes on</li></ul>\
             <ol><li>first</li><li>next</li></ol>"
        );
        assert_eq!(
            shown("```sql\nSELECT 1 < 2\n# no\n```\nend"),
            "<pre>SELECT 1 &lt; 2# no</pre><p>end</p>"
        );
        assert_eq!(
            shown("see [the book](https://a.example/b?c=1&d=2), please"),
            "<p>see <a href=\"https://a.example/b?c=1&amp;d=2\" rel=\"noopener noreferrer\" target=\"_blank\">the book ↗</a>, please</p>"
        );
        assert_eq!(shown("```\nnever closed"), "<pre>never closed</pre>");
    }

    #[test]
    fn everything_else_is_text() {
        for (text, is) in [
            (
                "<script>alert(1)</script>",
                "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>",
            ),
            (
                "[x](javascript:alert(1))",
                "<p>[x](javascript:alert(1))</p>",
            ),
            ("[x](http://a.example)", "<p>[x](http://a.example)</p>"),
            ("[x](https:evil)", "<p>[x](https:evil)</p>"),
            ("[x](https:///evil)", "<p>[x](https:///evil)</p>"),
            (
                "[x](https://a.example\" onclick=\"x)",
                "<p>[x](https://a.example&quot; onclick=&quot;x)</p>",
            ),
            (
                "[<b>](https://a.example)",
                "<p><a href=\"https://a.example\" rel=\"noopener noreferrer\" target=\"_blank\">&lt;b&gt; ↗</a></p>",
            ),
            ("`<b>`", "<p><code>&lt;b&gt;</code></p>"),
            ("# <b>", "<h3>&lt;b&gt;</h3>"),
            ("- <b>", "<ul><li>&lt;b&gt;</li></ul>"),
            ("``` <b>\n<i>\n```", "<pre>&lt;i&gt;</pre>"),
            (
                "#no heading, `open, [open](",
                "<p>#no heading, `open, [open](</p>",
            ),
            (
                "![x](https://a.example/p.png)",
                "<p>!<a href=\"https://a.example/p.png\" rel=\"noopener noreferrer\" target=\"_blank\">x ↗</a></p>",
            ),
        ] {
            assert_eq!(shown(text), is, "{text}");
        }
    }
}
