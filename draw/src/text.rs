//! Text that is safe to draw: cleaned of control characters, cut to a length, measured and escaped.

/// Makes one harmless line of any text.
///
/// Line breaks and tabs become spaces. Other control characters would be forbidden in XML or steer
/// a terminal, and direction overrides would let a label reorder the line around it, so both become
/// a visible replacement.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}' => {
                '\u{FFFD}'
            }
            '\u{FDD0}'..='\u{FDEF}' => '\u{FFFD}',
            c if c.is_control() || (c as u32) & 0xFFFE == 0xFFFE => '\u{FFFD}',
            c => c,
        })
        .collect()
}

/// Cleans text and escapes it for XML, both between tags and inside a quoted attribute.
pub(super) fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in clean(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Whether a character takes no room of its own because it modifies the one before it.
fn joins_previous(c: char) -> bool {
    matches!(c as u32,
        0x0300..=0x036F | 0x0483..=0x0489 | 0x0591..=0x05BD | 0x0610..=0x061A | 0x064B..=0x065F | 0x0E31
        | 0x0E34..=0x0E3A | 0x0E47..=0x0E4E | 0x1AB0..=0x1AFF | 0x1DC0..=0x1DFF | 0x200B..=0x200D | 0x2060
        | 0x20D0..=0x20FF | 0xFE00..=0xFE0F | 0xFE20..=0xFE2F | 0xFEFF | 0x1F3FB..=0x1F3FF | 0xE0100..=0xE01EF)
}

/// Whether a character is as wide as it is high: East Asian text and emoji.
fn is_wide(c: char) -> bool {
    matches!(c as u32,
        0x1100..=0x115F | 0x231A..=0x231B | 0x23E9..=0x23EC | 0x2614..=0x2615 | 0x26A1 | 0x2705 | 0x2728 | 0x274C
        | 0x2753..=0x2755 | 0x2757 | 0x2795..=0x2797 | 0x2B50 | 0x2E80..=0x303E | 0x3041..=0x33FF | 0x3400..=0x4DBF
        | 0x4E00..=0x9FFF | 0xA000..=0xA4CF | 0xA960..=0xA97F | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF | 0xFE30..=0xFE6F
        | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 | 0x1F000..=0x1FAFF | 0x20000..=0x3FFFD)
}

/// How many cells a character takes in a terminal.
pub(super) fn cell(c: char) -> usize {
    if joins_previous(c) {
        0
    } else if is_wide(c) {
        2
    } else {
        1
    }
}

/// How many cells a text takes in a terminal.
pub(super) fn cells(text: &str) -> usize {
    text.chars().map(cell).sum()
}

/// Cuts a text to a number of terminal cells; the last cell of a cut text is an ellipsis.
pub(super) fn cut_cells(text: &str, max: usize) -> String {
    if cells(text) <= max {
        return text.to_owned();
    }
    if max == 0 {
        return String::new();
    }
    let mut used = 0;
    let mut out: String = text
        .chars()
        .take_while(|&c| {
            used += cell(c);
            used < max
        })
        .collect();
    out.push('…');
    out
}

/// Roughly how wide a text is drawn, in pixels.
///
/// The widths are those of a broad system font, so that a card made for them also holds narrower
/// fonts.
pub(super) fn pixels(text: &str, size: f64, bold: bool) -> f64 {
    let ems: f64 = text.chars().map(ems).sum();
    ems * size * if bold { 1.11 } else { 1.0 }
}

/// The width of one character as a share of the font size.
fn ems(c: char) -> f64 {
    match c {
        _ if joins_previous(c) => 0.0,
        _ if is_wide(c) => 1.05,
        'i' | 'j' | 'l' | '\'' | '|' => 0.29,
        '.' | ',' | ':' | ';' | ' ' | '!' | 'I' => 0.33,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '/' | '-' | '"' => 0.40,
        '_' | 's' | 'c' | 'z' => 0.53,
        'm' | 'M' | 'W' | '@' | '%' => 0.96,
        'w' | '×' | '+' | '<' | '>' | '=' | '~' => 0.83,
        'A'..='Z' => 0.70,
        '…' => 1.0,
        c if c.is_ascii() => 0.62,
        _ => 0.68,
    }
}

/// Cuts a text to a number of characters and to a number of pixels, whichever ends sooner.
pub(super) fn cut_pixels(text: &str, chars: usize, size: f64, bold: bool, max: f64) -> String {
    if text.chars().count() <= chars && pixels(text, size, bold) <= max {
        return text.to_owned();
    }
    let room = max - pixels("…", size, bold);
    let mut used = 0.0;
    let mut out = String::new();
    for (index, c) in text.chars().enumerate() {
        used += pixels(c.encode_utf8(&mut [0; 4]), size, bold);
        if (index + 1 >= chars || used > room) && !joins_previous(c) {
            break;
        }
        out.push(c);
        // A mark that modifies its letter costs no room, but a text may consist of nothing else.
        if index > 4 * chars {
            break;
        }
    }
    out.push('…');
    out
}

/// Writes a coordinate with at most one decimal, so that the text stays short and never differs in
/// its last bits.
pub(super) fn number(value: f64) -> String {
    let tenths = (value * 10.0).round();
    if !tenths.is_finite() || tenths.abs() >= 1e15 {
        return "0".to_owned();
    }
    let tenths = tenths as i64;
    if tenths % 10 == 0 {
        return (tenths / 10).to_string();
    }
    let sign = if tenths < 0 { "-" } else { "" };
    format!("{sign}{}.{}", tenths.abs() / 10, tenths.abs() % 10)
}

/// A count with its noun, in the singular or the plural.
pub(super) fn counted(count: usize, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}
