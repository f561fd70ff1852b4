//! The forms in which a secret may turn up: as it is, and as other programs write it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::SECRET_CHARS_MIN;

/// A line of base64 as `base64`, PEM and MIME break it.
const WRAPS: [usize; 2] = [64, 76];

/// The value itself, line by line: empty if it is too short to be masked.
pub(super) fn plain(secret: &str) -> Vec<Vec<u8>> {
    lines(secret).map(|line| line.as_bytes().to_vec()).collect()
}

/// Everything that is looked for.
pub(super) fn every(secret: &str) -> Vec<Vec<u8>> {
    let mut forms = BTreeSet::new();
    for part in parts(secret) {
        for written in on_one_line(&part) {
            encoded(&written, &mut forms);
        }
        for line in lines(&part) {
            forms.insert(line.to_owned());
            encoded(line, &mut forms);
        }
    }
    forms
        .into_iter()
        .filter(|form| {
            form.trim().chars().count() >= SECRET_CHARS_MIN && !form.contains(['\n', '\r'])
        })
        .map(String::into_bytes)
        .collect()
}

/// The lines worth masking. The frame of a PEM key says nothing and would be masked in every other log.
fn lines(secret: &str) -> impl Iterator<Item = &str> {
    let several = secret.trim().contains(['\n', '\r']);
    secret.split(['\n', '\r']).filter_map(move |line| {
        // Of several lines the indentation is not the secret.
        let line = if several { line.trim() } else { line };
        let frame = several && line.starts_with("-----");
        (!frame && line.trim().chars().count() >= SECRET_CHARS_MIN).then_some(line)
    })
}

/// The secret, and what is secret within it if it is a JSON object such as the key file of a service account.
fn parts(secret: &str) -> Vec<String> {
    let mut parts = vec![secret.to_owned()];
    if let Ok(Value::Object(fields)) = serde_json::from_str(secret) {
        let secret = fields.iter().filter(|(name, _)| {
            let name = name.to_ascii_lowercase();
            ["key", "secret", "token", "passw", "pwd"]
                .iter()
                .any(|word| name.contains(word))
        });
        parts.extend(secret.filter_map(|(_, value)| value.as_str().map(str::to_owned)));
    }
    parts
}

/// The whole with its line ends as they may have been turned; only the encodings below put it on one line.
fn on_one_line(secret: &str) -> BTreeSet<String> {
    let unix = secret.replace("\r\n", "\n");
    let mut written = BTreeSet::from([secret.to_owned(), secret.trim().to_owned()]);
    if unix.trim().contains('\n') {
        written.insert(unix.replace('\n', "\r\n"));
        written.insert(unix);
    }
    written.retain(|text| text.chars().count() >= SECRET_CHARS_MIN);
    written
}

fn encoded(text: &str, forms: &mut BTreeSet<String>) {
    forms.insert(text.to_owned());
    in_base64(text.as_bytes(), forms);
    in_numbers(text.as_bytes(), forms);
    in_percent(text, forms);
    in_json(text, forms);
    in_html(text, forms);
    // Within single quotes of a shell.
    forms.insert(text.replace('\'', "'\\''"));
}

/// At each of the three offsets, the characters that depend on the secret alone: those at the borders share their bits
/// with what stands beside it.
fn in_base64(bytes: &[u8], forms: &mut BTreeSet<String>) {
    for offset in 0..3 {
        let mut padded = vec![0; offset];
        padded.extend_from_slice(bytes);
        let text = STANDARD.encode(&padded);
        let first = (offset * 8).div_ceil(6);
        let whole = padded.len() * 8 / 6;
        let Some(sure) = text.get(first..whole) else {
            continue;
        };
        forms.insert(sure.to_owned());
        forms.insert(sure.replace('+', "-").replace('/', "_"));
        if offset == 0 {
            forms.insert(text.trim_end_matches('=').to_owned());
            forms.insert(text.clone());
            // On its own it may be broken into lines; a short rest of a line is left.
            for wrap in WRAPS.into_iter().filter(|&wrap| text.len() > wrap) {
                for piece in text
                    .as_bytes()
                    .chunks(wrap)
                    .filter(|piece| piece.len() >= 8)
                {
                    forms.insert(String::from_utf8_lossy(piece).into_owned());
                }
            }
        }
    }
}

/// In hexadecimal, and as a list of numbers, which is how bytes are printed that nobody meant to print.
fn in_numbers(bytes: &[u8], forms: &mut BTreeSet<String>) {
    let mut lower = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(lower, "{byte:02x}");
    }
    forms.insert(lower.to_ascii_uppercase());
    forms.insert(lower);
    let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
    forms.insert(numbers.join(", "));
    forms.insert(numbers.join(","));
}

/// Which characters are left as they are differs from program to program: strictly, paths, JavaScript's
/// `encodeURIComponent` and `encodeURI`, forms, and every byte encoded.
fn in_percent(text: &str, forms: &mut BTreeSet<String>) {
    let kept = [
        Some("-_.~"),
        Some("-_.~/"),
        Some("-_.!~*'()"),
        Some("-_.!~*'();/?:@&=+$,#"),
        Some("-_.*"),
        None,
    ];
    for kept in kept {
        for upper in [true, false] {
            let mut out = String::with_capacity(text.len() * 3);
            for byte in text.bytes() {
                let plain = kept.is_some_and(|kept| {
                    byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte)
                });
                let _ = match (plain, upper) {
                    (true, _) => write!(out, "{}", char::from(byte)),
                    (false, true) => write!(out, "%{byte:02X}"),
                    (false, false) => write!(out, "%{byte:02x}"),
                };
            }
            forms.insert(out.replace("%20", "+"));
            forms.insert(out);
        }
    }
}

fn in_json(text: &str, forms: &mut BTreeSet<String>) {
    let once = inside(&Value::from(text).to_string());
    forms.insert(inside(&Value::from(once.as_str()).to_string()));
    forms.insert(once.replace('/', "\\/"));
    let ascii = only_ascii(&once);
    // As a page's script needs it.
    forms.insert(safe_in_html(&ascii));
    forms.insert(safe_in_html(&once));
    forms.insert(ascii);
    forms.insert(once);
    // As Rust's `{:?}` writes it.
    forms.insert(inside(&format!("{text:?}")));
}

fn safe_in_html(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}

fn only_ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for char in json.chars() {
        if char.is_ascii() {
            out.push(char);
        } else {
            for unit in char.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

/// Without the quotes around it.
fn inside(quoted: &str) -> String {
    let inner = quoted.strip_prefix('"').and_then(|q| q.strip_suffix('"'));
    inner.unwrap_or(quoted).to_owned()
}

/// Quotes have several names.
fn in_html(text: &str, forms: &mut BTreeSet<String>) {
    let base = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    forms.insert(base.clone());
    for double in ["\"", "&quot;", "&#34;", "&#x22;"] {
        for single in ["'", "&#39;", "&#x27;", "&apos;"] {
            let quoted = base.replace('"', double).replace('\'', single);
            forms.insert(quoted.replace('/', "&#x2F;"));
            forms.insert(quoted);
        }
    }
}
