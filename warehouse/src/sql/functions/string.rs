//! Functions of STRING and BYTES. Positions are counted in characters, from 1.

use std::cell::RefCell;
use std::collections::HashMap;

use datafusion::error::Result;
use regex::Regex;

use super::row::{RowFunction, row};
use super::value::{V, fail};

/// The functions of this module.
pub(super) const ALL: &[RowFunction] = &[
    row("length", "S->I|Y->I", |a| {
        Ok(V::Int(match &a[0] {
            V::Str(text) => size(text.chars().count()),
            other => size(other.bytes()?.len()),
        }))
    }),
    row("char_length", "S->I", |a| {
        Ok(V::Int(size(a[0].str()?.chars().count())))
    }),
    row("byte_length", "S->I|Y->I", |a| {
        Ok(V::Int(size(a[0].bytes()?.len())))
    }),
    row("upper", "S->S", |a| Ok(V::Str(a[0].str()?.to_uppercase()))),
    row("lower", "S->S", |a| Ok(V::Str(a[0].str()?.to_lowercase()))),
    row("initcap", "S[S]->S", initcap),
    row("reverse", "S->S|Y->Y", |a| {
        Ok(match &a[0] {
            V::Bytes(bytes) => V::Bytes(bytes.iter().rev().copied().collect()),
            other => V::Str(other.str()?.chars().rev().collect()),
        })
    }),
    row("substr", "SI[I]->S|YI[I]->Y", substr),
    row("left", "SI->S|YI->Y", |a| {
        if a[1].int()? < 0 {
            return fail("LEFT: length must not be negative");
        }
        substr(&[a[0].clone(), V::Int(1), a[1].clone()])
    }),
    row("right", "SI->S|YI->Y", right),
    row("strpos", "SS->I", |a| instr(&a[..2])),
    row("instr", "SS[II]->I", instr),
    row("starts_with", "SS->B|YY->B", |a| {
        Ok(V::Bool(a[0].bytes()?.starts_with(a[1].bytes()?)))
    }),
    row("ends_with", "SS->B|YY->B", |a| {
        Ok(V::Bool(a[0].bytes()?.ends_with(a[1].bytes()?)))
    }),
    row("contains_substr", "SS->B", |a| {
        Ok(V::Bool(
            a[0].str()?
                .to_lowercase()
                .contains(&a[1].str()?.to_lowercase()),
        ))
    }),
    row("concat", "SS*->S|YY*->Y", concat),
    row("repeat", "SI->S", |a| match usize::try_from(a[1].int()?) {
        Ok(count) if count.saturating_mul(a[0].str()?.len()) <= 1 << 20 => {
            Ok(V::Str(a[0].str()?.repeat(count)))
        }
        Ok(_) => fail("REPEAT: the result is over 1 MiB"),
        Err(_) => fail("REPEAT: the count must not be negative"),
    }),
    row("replace", "SSS->S", |a| {
        let from = a[1].str()?;
        Ok(V::Str(if from.is_empty() {
            a[0].str()?.to_owned()
        } else {
            a[0].str()?.replace(from, a[2].str()?)
        }))
    }),
    row("translate", "SSS->S", translate),
    row("trim", "S[S]->S", |a| trim(a, true, true)),
    row("ltrim", "S[S]->S", |a| trim(a, true, false)),
    row("rtrim", "S[S]->S", |a| trim(a, false, true)),
    row("lpad", "SI[S]->S", |a| pad(a, true)),
    row("rpad", "SI[S]->S", |a| pad(a, false)),
    row("split", "S[S]->@S", split),
    row("ascii", "S->I", |a| {
        Ok(V::Int(a[0].bytes()?.first().copied().unwrap_or(0).into()))
    }),
    row("unicode", "S->I", |a| {
        Ok(V::Int(
            a[0].str()?
                .chars()
                .next()
                .map_or(0, |c| i64::from(u32::from(c))),
        ))
    }),
    row("chr", "I->S", |a| {
        match u32::try_from(a[0].int()?).ok().and_then(char::from_u32) {
            Some('\0') => Ok(V::Str(String::new())),
            Some(c) => Ok(V::Str(c.to_string())),
            None => fail(format!("Invalid codepoint {}", a[0].int()?)),
        }
    }),
    row("to_code_points", "S->@I|Y->@I", |a| {
        Ok(V::List(match &a[0] {
            V::Bytes(bytes) => bytes.iter().map(|byte| V::Int((*byte).into())).collect(),
            other => other
                .str()?
                .chars()
                .map(|c| V::Int(u32::from(c).into()))
                .collect(),
        }))
    }),
    row("code_points_to_string", "L->S", |a| {
        Ok(V::Str(
            a[0].list()?
                .iter()
                .map(
                    |v| match u32::try_from(v.int()?).ok().and_then(char::from_u32) {
                        Some(c) => Ok(c),
                        None => fail("Invalid codepoint"),
                    },
                )
                .collect::<Result<_>>()?,
        ))
    }),
    row("regexp_contains", "SS->B", |a| {
        regex(a[1].str()?, |re| Ok(V::Bool(re.is_match(a[0].str()?))))
    }),
    row("regexp_extract", "SS[II]->S", extract),
    row("regexp_substr", "SS[II]->S", extract),
    row("regexp_extract_all", "SS->@S", |a| {
        regex(a[1].str()?, |re| {
            let group = one_group(re)?;
            Ok(V::List(
                re.captures_iter(a[0].str()?)
                    .filter_map(|found| found.get(group))
                    .map(|found| V::Str(found.as_str().to_owned()))
                    .collect(),
            ))
        })
    }),
    row("regexp_replace", "SSS->S", |a| {
        regex(a[1].str()?, |re| {
            let with = a[2].str()?;
            let mut out = String::new();
            let text = a[0].str()?;
            let mut end = 0;
            for found in re.captures_iter(text) {
                let Some(whole) = found.get(0) else { continue };
                out.push_str(&text[end..whole.start()]);
                replaced(&mut out, with, &found)?;
                end = whole.end();
            }
            out.push_str(&text[end..]);
            Ok(V::Str(out))
        })
    }),
    row("regexp_instr", "SS->I", |a| {
        regex(a[1].str()?, |re| {
            let group = one_group(re)?;
            let text = a[0].str()?;
            let found = re
                .captures(text)
                .and_then(|found| found.get(group).map(|found| found.start()));
            Ok(V::Int(found.map_or(0, |start| {
                size(text[..start].chars().count()) + 1
            })))
        })
    }),
    row("like$", "SS->B", |a| {
        Ok(V::Bool(like(a[0].str()?, a[1].str()?)?))
    }),
    row("soundex", "S->S", |a| Ok(V::Str(soundex(a[0].str()?)))),
    row("edit_distance", "SS->I", |a| {
        Ok(V::Int(edits(a[0].str()?, a[1].str()?)))
    }),
];

/// A length as SQL has it.
pub(super) fn size(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

fn initcap(a: &[V]) -> Result<V> {
    let breaks = match a.get(1) {
        Some(breaks) => breaks.str()?,
        None => " \t\n\r\x0b\x0c[](){}/|<>!?@\"^#$&~_,.:;*%+-\\'",
    };
    let mut fresh = true;
    let mut out = String::new();
    for c in a[0].str()?.chars() {
        if fresh {
            out.extend(c.to_uppercase());
        } else {
            out.extend(c.to_lowercase());
        }
        fresh = breaks.contains(c);
    }
    Ok(V::Str(out))
}

/// Where a part of a length begins and ends.
fn window(length: usize, start: i64, count: Option<i64>) -> Result<(usize, usize)> {
    let length = size(length);
    let first = match start {
        0 => 0,
        start if start > 0 => (start - 1).min(length),
        start => (length + start).max(0),
    };
    let last = match count {
        None => length,
        Some(count) if count < 0 => return fail("Third argument in SUBSTR() cannot be negative"),
        Some(count) => first.saturating_add(count).min(length),
    };
    Ok((
        usize::try_from(first).unwrap_or(0),
        usize::try_from(last).unwrap_or(0),
    ))
}

fn substr(a: &[V]) -> Result<V> {
    let (start, count) = (a[1].int()?, a.get(2).map(V::int).transpose()?);
    Ok(match &a[0] {
        V::Bytes(bytes) => {
            let (first, last) = window(bytes.len(), start, count)?;
            V::Bytes(bytes[first..last].to_vec())
        }
        other => {
            let text = other.str()?;
            let (first, last) = window(text.chars().count(), start, count)?;
            V::Str(text.chars().skip(first).take(last - first).collect())
        }
    })
}

fn right(a: &[V]) -> Result<V> {
    let count = a[1].int()?;
    if count < 0 {
        return fail("RIGHT: length must not be negative");
    }
    let length = match &a[0] {
        V::Bytes(bytes) => bytes.len(),
        other => other.str()?.chars().count(),
    };
    let start = (size(length) - count).max(0) + 1;
    substr(&[a[0].clone(), V::Int(start)])
}

fn instr(a: &[V]) -> Result<V> {
    let text: Vec<char> = a[0].str()?.chars().collect();
    let part: Vec<char> = a[1].str()?.chars().collect();
    let position = a.get(2).map_or(Ok(1), V::int)?;
    let occurrence = a.get(3).map_or(Ok(1), V::int)?;
    if position == 0 || occurrence < 1 {
        return fail("INSTR: position must not be 0 and occurrence must be positive");
    }
    if part.is_empty() {
        return Ok(V::Int(if a.len() == 2 { 1 } else { 0 }));
    }
    let found: Vec<i64> = text
        .windows(part.len())
        .enumerate()
        .filter(|(_, window)| *window == part.as_slice())
        .map(|(index, _)| size(index) + 1)
        .collect();
    let nth = usize::try_from(occurrence - 1).unwrap_or(usize::MAX);
    let hit = if position > 0 {
        found.into_iter().filter(|at| *at >= position).nth(nth)
    } else {
        let latest = size(text.len()) + position + 1;
        found.into_iter().rev().filter(|at| *at <= latest).nth(nth)
    };
    Ok(V::Int(hit.unwrap_or(0)))
}

fn concat(a: &[V]) -> Result<V> {
    if let V::Bytes(_) = &a[0] {
        let parts = a.iter().map(V::bytes).collect::<Result<Vec<_>>>()?;
        return Ok(V::Bytes(parts.concat()));
    }
    Ok(V::Str(a.iter().map(V::str).collect::<Result<String>>()?))
}

fn translate(a: &[V]) -> Result<V> {
    let from: Vec<char> = a[1].str()?.chars().collect();
    let to: Vec<char> = a[2].str()?.chars().collect();
    Ok(V::Str(
        a[0].str()?
            .chars()
            .filter_map(|c| match from.iter().position(|one| *one == c) {
                None => Some(c),
                Some(index) => to.get(index).copied(),
            })
            .collect(),
    ))
}

fn trim(a: &[V], left: bool, right: bool) -> Result<V> {
    let text = a[0].str()?;
    let chars = a.get(1).map(V::str).transpose()?;
    let goes = |c: char| chars.map_or_else(|| c.is_whitespace(), |chars| chars.contains(c));
    let text = if left {
        text.trim_start_matches(goes)
    } else {
        text
    };
    let text = if right {
        text.trim_end_matches(goes)
    } else {
        text
    };
    Ok(V::Str(text.to_owned()))
}

fn pad(a: &[V], left: bool) -> Result<V> {
    let text = a[0].str()?;
    let pattern = a.get(2).map_or(Ok(" "), V::str)?;
    let Ok(wanted) = usize::try_from(a[1].int()?) else {
        return fail("The length to pad to must not be negative");
    };
    let length = text.chars().count();
    if wanted <= length {
        return Ok(V::Str(text.chars().take(wanted).collect()));
    }
    if pattern.is_empty() || wanted > 1 << 20 {
        return fail("The pattern to pad with must not be empty, and the result not over 1 MiB");
    }
    let fill: String = pattern.chars().cycle().take(wanted - length).collect();
    Ok(V::Str(if left {
        fill + text
    } else {
        format!("{text}{fill}")
    }))
}

fn split(a: &[V]) -> Result<V> {
    let text = a[0].str()?;
    let by = a.get(1).map_or(Ok(","), V::str)?;
    let parts: Vec<V> = if by.is_empty() {
        text.chars().map(|c| V::Str(c.to_string())).collect()
    } else {
        text.split(by).map(|part| V::Str(part.to_owned())).collect()
    };
    Ok(V::List(parts))
}

thread_local! {
    static PATTERNS: RefCell<HashMap<String, Regex>> = RefCell::new(HashMap::new());
}

fn regex(pattern: &str, then: impl FnOnce(&Regex) -> Result<V>) -> Result<V> {
    let known = PATTERNS.with_borrow(|patterns| patterns.get(pattern).cloned());
    let regex = match known {
        Some(regex) => regex,
        None => {
            let regex = Regex::new(pattern)
                .or_else(|error| fail(format!("Cannot parse regular expression: {error}")))?;
            PATTERNS.with_borrow_mut(|patterns| {
                if patterns.len() > 64 {
                    patterns.clear();
                }
                patterns.insert(pattern.to_owned(), regex.clone());
            });
            regex
        }
    };
    then(&regex)
}

/// The group that counts: the only one, or the whole.
fn one_group(re: &Regex) -> Result<usize> {
    match re.captures_len() {
        1 => Ok(0),
        2 => Ok(1),
        _ => fail(
            "Regular expression passed to REGEXP_EXTRACT must not have more than 1 capturing group",
        ),
    }
}

fn extract(a: &[V]) -> Result<V> {
    regex(a[1].str()?, |re| {
        let group = one_group(re)?;
        let text = a[0].str()?;
        let position = a.get(2).map_or(Ok(1), V::int)?;
        let occurrence = a.get(3).map_or(Ok(1), V::int)?;
        if position < 1 || occurrence < 1 {
            return fail("REGEXP_EXTRACT: position and occurrence must be positive");
        }
        let skip = usize::try_from(position - 1).unwrap_or(usize::MAX);
        let Some((start, _)) = text.char_indices().chain([(text.len(), ' ')]).nth(skip) else {
            return Ok(V::Null);
        };
        let nth = usize::try_from(occurrence - 1).unwrap_or(usize::MAX);
        let found = re.captures_iter(&text[start..]).nth(nth);
        Ok(
            match found.and_then(|found| found.get(group).map(|found| found.as_str().to_owned())) {
                Some(found) => V::Str(found),
                None => V::Null,
            },
        )
    })
}

/// `\1` and `\0` stand for groups.
fn replaced(out: &mut String, with: &str, found: &regex::Captures<'_>) -> Result<()> {
    let mut chars = with.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('\\') => out.push('\\'),
            Some(digit) if digit.is_ascii_digit() => {
                let index = digit.to_digit(10).unwrap_or(0) as usize;
                if index >= found.len() {
                    return fail(format!("Invalid REGEXP_REPLACE pattern: \\{index}"));
                }
                out.push_str(found.get(index).map_or("", |group| group.as_str()));
            }
            _ => return fail("Invalid REGEXP_REPLACE pattern"),
        }
    }
    Ok(())
}

fn like(text: &str, pattern: &str) -> Result<bool> {
    let mut expression = String::from("(?s)^");
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => expression.push_str(".*"),
            '_' => expression.push('.'),
            '\\' => match chars.next() {
                Some(c) => expression.push_str(&regex::escape(&c.to_string())),
                None => return fail("LIKE pattern ends with a backslash"),
            },
            c => expression.push_str(&regex::escape(&c.to_string())),
        }
    }
    expression.push('$');
    match regex(&expression, |re| Ok(V::Bool(re.is_match(text))))? {
        V::Bool(found) => Ok(found),
        _ => Ok(false),
    }
}

fn soundex(text: &str) -> String {
    let code = |c: char| match c.to_ascii_lowercase() {
        'b' | 'f' | 'p' | 'v' => '1',
        'c' | 'g' | 'j' | 'k' | 'q' | 's' | 'x' | 'z' => '2',
        'd' | 't' => '3',
        'l' => '4',
        'm' | 'n' => '5',
        'r' => '6',
        'h' | 'w' => '-',
        _ => '0',
    };
    let mut letters = text.chars().filter(char::is_ascii_alphabetic);
    let Some(first) = letters.next() else {
        return String::new();
    };
    let mut out = first.to_ascii_uppercase().to_string();
    let mut last = code(first);
    for c in letters {
        let next = code(c);
        if next == '-' {
            continue;
        }
        if next != '0' && next != last && out.len() < 4 {
            out.push(next);
        }
        last = next;
    }
    format!("{out:0<4}")
}

fn edits(from: &str, to: &str) -> i64 {
    let to: Vec<char> = to.chars().collect();
    let mut costs: Vec<usize> = (0..=to.len()).collect();
    for (row, c) in from.chars().enumerate() {
        let mut diagonal = costs[0];
        costs[0] = row + 1;
        for (column, other) in to.iter().enumerate() {
            let above = costs[column + 1];
            let change = diagonal + usize::from(c != *other);
            costs[column + 1] = change.min(above + 1).min(costs[column] + 1);
            diagonal = above;
        }
    }
    size(costs[to.len()])
}
