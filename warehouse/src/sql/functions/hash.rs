//! Bytes as text and back, and the fingerprints that tables of text rely on.

use datafusion::error::Result;

use super::row::{RowFunction, row};
use super::value::{V, fail};

/// The functions of this module.
pub(super) const ALL: &[RowFunction] = &[
    row("to_hex", "Y->S", |a| Ok(V::Str(hex(a[0].bytes()?)))),
    row("from_hex", "S->Y", |a| unhex(a[0].str()?).map(V::Bytes)),
    row("to_base64", "Y->S", |a| Ok(V::Str(base64(a[0].bytes()?)))),
    row("from_base64", "S->Y", |a| {
        unbase64(a[0].str()?).map(V::Bytes)
    }),
    row("safe_convert_bytes_to_string", "Y->S", |a| {
        Ok(V::Str(String::from_utf8_lossy(a[0].bytes()?).into_owned()))
    }),
    row("farm_fingerprint", "S->I|Y->I", |a| {
        Ok(V::Int(super::farm::fingerprint(a[0].bytes()?) as i64))
    }),
];

/// `CAST(bytes AS STRING FORMAT …)`.
pub(super) fn encode(bytes: &[u8], format: &str) -> Result<String> {
    match format.to_ascii_uppercase().as_str() {
        "HEX" => Ok(hex(bytes)),
        "BASE64" => Ok(base64(bytes)),
        "UTF-8" | "UTF8" => String::from_utf8(bytes.to_vec()).or_else(|_| fail("Invalid UTF-8")),
        _ => fail(format!("The format {format} of BYTES is not covered here")),
    }
}

/// `CAST(text AS BYTES FORMAT …)`.
pub(super) fn decode(text: &str, format: &str) -> Result<Vec<u8>> {
    match format.to_ascii_uppercase().as_str() {
        "HEX" => unhex(text),
        "BASE64" => unbase64(text),
        "UTF-8" | "UTF8" => Ok(text.as_bytes().to_vec()),
        _ => fail(format!("The format {format} of BYTES is not covered here")),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Result<Vec<u8>> {
    let padded = if text.len() % 2 == 1 {
        format!("0{text}")
    } else {
        text.to_owned()
    };
    let digits: Option<Vec<u32>> = padded.chars().map(|c| c.to_digit(16)).collect();
    match digits {
        Some(digits) => Ok(digits
            .chunks(2)
            .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap_or(0))
            .collect()),
        None => fail(format!(
            "Failed to decode invalid hexadecimal string \"{text}\""
        )),
    }
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// With `=` at its end.
pub(crate) fn base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let all = chunk
            .iter()
            .fold(0_u32, |all, byte| all << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for index in 0..4 {
            if index <= chunk.len() {
                out.push(char::from(DIGITS[(all >> (18 - 6 * index) & 63) as usize]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

fn unbase64(text: &str) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let (mut all, mut bits) = (0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let Some(digit) = DIGITS.iter().position(|one| *one == byte) else {
            return fail(format!("Failed to decode invalid base64 string: {text}"));
        };
        all = all << 6 | u32::try_from(digit).unwrap_or(0);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from(all >> bits & 255).unwrap_or(0));
        }
        all &= (1 << bits) - 1;
    }
    Ok(out)
}
