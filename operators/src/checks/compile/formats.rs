//! Dates in a format, as a regular expression and the calendar: both databases then agree to the letter.

use super::super::dialect::Dialect;

/// What a directive takes, as Python's `strptime` does.
const DIRECTIVES: [(char, &str); 9] = [
    ('Y', "[0-9]{4}"),
    ('y', "[0-9]{2}"),
    ('m', "1[0-2]|0?[1-9]"),
    ('d', "3[01]|[12][0-9]|0?[1-9]"),
    ('H', "2[0-3]|[01]?[0-9]"),
    ('I', "1[0-2]|0?[1-9]"),
    ('M', "[0-5]?[0-9]"),
    ('S', "6[01]|[0-5]?[0-9]"),
    ('f', "[0-9]{1,6}"),
];

/// Whether a text is a date in this format.
///
/// # Errors
/// The format has a directive that is not known, or one twice.
pub(super) fn strftime(name: &str, format: &str, dialect: Dialect) -> Result<String, String> {
    let mut pattern = "^".to_owned();
    let mut groups: Vec<char> = Vec::new();
    let mut rest = format.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            literal(&mut pattern, c);
            continue;
        }
        let directive = rest
            .next()
            .ok_or_else(|| format!("the format `{format}` ends in the middle of a directive"))?;
        let parts: &str = match directive {
            '%' => {
                literal(&mut pattern, '%');
                continue;
            }
            'F' => "Y-m-d",
            'T' => "H:M:S",
            'z' if !groups.contains(&'z') => {
                pattern.push_str("([+-][0-9]{2}:?[0-5][0-9](:?[0-5][0-9])?|Z)");
                groups.extend(['z', '_']);
                continue;
            }
            'p' if !groups.contains(&'p') => {
                pattern.push_str("([aApP][mM])");
                groups.push('p');
                continue;
            }
            other => {
                one(&mut pattern, &mut groups, (other, format))?;
                continue;
            }
        };
        for part in parts.chars() {
            if part.is_ascii_alphabetic() {
                one(&mut pattern, &mut groups, (part, format))?;
            } else {
                literal(&mut pattern, part);
            }
        }
    }
    pattern.push('$');
    calendar(name, &pattern, (&groups, dialect))
}

/// Whether the pattern is found, and the day is one of its month.
fn calendar(
    name: &str,
    pattern: &str,
    (groups, dialect): (&[char], Dialect),
) -> Result<String, String> {
    let literal = dialect.text(pattern)?;
    let found = dialect.found(name, &literal);
    let at = |directive: char| {
        let index = groups.iter().position(|group| *group == directive)? + 1;
        // More than nine groups cannot be named.
        (index <= 9).then_some(index)
    };
    let (Some(month), Some(day)) = (at('m'), at('d')) else {
        return Ok(found);
    };
    let part = |index: usize| -> Result<String, String> {
        let group = dialect.text(&format!("\\{index}"))?;
        let text = format!("REGEXP_REPLACE({name}, {literal}, {group})");
        Ok(match dialect {
            Dialect::BigQuery => format!("SAFE_CAST({text} AS INT64)"),
            Dialect::Postgres => format!("CAST({text} AS INTEGER)"),
        })
    };
    let (month, day) = (part(month)?, part(day)?);
    // Without a year Python reads 1900, which is no leap year.
    let leap = match (at('Y'), at('y')) {
        (Some(year), _) => {
            let year = part(year)?;
            format!("(MOD({year}, 4) = 0 AND (MOD({year}, 100) <> 0 OR MOD({year}, 400) = 0))")
        }
        (None, Some(year)) => format!("(MOD({}, 4) = 0)", part(year)?),
        (None, None) => "(FALSE)".to_owned(),
    };
    let in_calendar = format!(
        "CASE WHEN {month} IN (4, 6, 9, 11) THEN {day} <= 30 \
         WHEN {month} = 2 AND {leap} THEN {day} <= 29 WHEN {month} = 2 THEN {day} <= 28 ELSE TRUE END"
    );
    Ok(format!(
        "CASE WHEN {found} THEN {in_calendar} ELSE FALSE END"
    ))
}

fn one(
    pattern: &mut String,
    groups: &mut Vec<char>,
    (directive, format): (char, &str),
) -> Result<(), String> {
    let known = DIRECTIVES.iter().find(|(known, _)| *known == directive);
    let Some((_, takes)) = known else {
        return Err(format!(
            "the format `{format}` has `%{directive}` in it; known are %Y %y %m %d %H %I %M %S %f %z %p %F %T"
        ));
    };
    if groups.contains(&directive) {
        return Err(format!("the format `{format}` has `%{directive}` twice"));
    }
    groups.push(directive);
    pattern.push('(');
    pattern.push_str(takes);
    pattern.push(')');
    Ok(())
}

fn literal(pattern: &mut String, c: char) {
    match c {
        // As in `strptime`: white space is any, and as long as it likes.
        c if c.is_whitespace() => {
            if !pattern.ends_with("\\s+") {
                pattern.push_str("\\s+");
            }
        }
        c if c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | ':' | ',' | '%') => {
            pattern.push(c)
        }
        c => {
            pattern.push('\\');
            pattern.push(c);
        }
    }
}
