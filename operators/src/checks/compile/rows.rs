//! Checks of single rows: which rows are looked at, and which of them fail.

use super::super::builder::Check;
use super::super::dialect::{Column, Dialect, Family, encloses};
use super::super::literal::{Bounds, Literal};
use super::super::rule::{IgnoreRowIf, MatchOn, Patterns, Rule, Versions};
use super::formats;
use super::statement::{ROWS, Statement};

/// Which rows fail.
#[derive(Debug, Clone, Default)]
pub(crate) struct Failing {
    /// Where the rows come from, if not as they are.
    pub(crate) from: Option<String>,
    /// Rows that have no value, which are not looked at.
    pub(crate) missing: Option<String>,
    /// Rows that are looked at; every one if empty.
    pub(crate) kept: String,
    /// Of those, the ones that fail.
    pub(crate) bad: String,
    /// The columns that are shown of them.
    pub(crate) columns: Vec<String>,
    /// A count that is cheaper than counting `bad` in `from`.
    pub(crate) grouped: Option<String>,
    /// What else is counted of them, for people.
    pub(crate) parts: Vec<(&'static str, String)>,
}

/// A condition on a value that is there.
fn holds(ok: &str) -> String {
    // Not `IS NOT TRUE`: DataFusion 55 takes it for nullable in one place and not in another, and fails.
    format!("(CASE WHEN {ok} THEN FALSE ELSE TRUE END)")
}

pub(super) fn and(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts
        .iter()
        .copied()
        .filter(|part| !part.is_empty())
        .collect();
    parts.join(" AND ")
}

/// `WHERE …`, or nothing.
pub(super) fn filter(parts: &[&str]) -> String {
    let parts = and(parts);
    if parts.is_empty() {
        parts
    } else {
        format!(" WHERE {parts}")
    }
}

/// Which rows fail a check, if it is one of single rows.
///
/// # Errors
/// The check does not fit the table.
pub(crate) fn failing(
    check: &Check,
    scope: &str,
    to: &mut Statement<'_>,
) -> Result<Option<Failing>, String> {
    let columns: Vec<String> = check
        .rule
        .columns()
        .into_iter()
        .map(str::to_owned)
        .collect();
    let mut failing = match &check.rule {
        Rule::NotNull { column } => {
            let (name, _) = to.quoted(column)?;
            Failing {
                bad: format!("({name} IS NULL)"),
                ..Failing::default()
            }
        }
        Rule::Null { column } => {
            let (name, _) = to.quoted(column)?;
            Failing {
                bad: format!("({name} IS NOT NULL)"),
                ..Failing::default()
            }
        }
        rule if rule.compares_columns() => together(check, scope, to)?,
        Rule::References {
            columns,
            table,
            to: other,
        } => references(columns, (table.as_str(), other), to)?,
        Rule::OneVersion(versions) => one_version(versions, scope, to)?,
        rule => match single(rule, check.nulls_fail, scope, to)? {
            Some(failing) => failing,
            None => return Ok(None),
        },
    };
    failing.columns = columns;
    Ok(Some(failing))
}

/// Checks of the values of one column.
fn single(
    rule: &Rule,
    nulls_fail: bool,
    scope: &str,
    to: &mut Statement<'_>,
) -> Result<Option<Failing>, String> {
    let Some(column) = rule.columns().first().copied() else {
        return Ok(None);
    };
    if !rule.takes_mostly() {
        return Ok(None);
    }
    let (name, column) = to.quoted(column)?;
    let mut failing = Failing::default();
    match rule {
        Rule::Unique { .. } => {
            let present = filter(&[scope, &format!("({name} IS NOT NULL)")]);
            repeated(&mut failing, std::slice::from_ref(&name), &present);
        }
        Rule::ZScore {
            threshold,
            double_sided,
            ..
        } => z_score(
            (&name, column),
            (*threshold, *double_sided),
            scope,
            &mut failing,
        )?,
        Rule::InOrder {
            decreasing,
            strictly,
            by,
            ..
        } => {
            let Some(by) = by else {
                return Err(
                    "a table has no order of its own: say `.sorted_by(…)` what its rows are sorted by"
                        .to_owned(),
                );
            };
            let (by, _) = to.quoted(by)?;
            let present = filter(&[scope, &format!("({name} IS NOT NULL)")]);
            failing.from = Some(format!(
                "(SELECT *, LAG({name}) OVER (ORDER BY {by}) AS before__ FROM {ROWS}{present})"
            ));
            let sign = match (decreasing, strictly) {
                (false, false) => "<",
                (false, true) => "<=",
                (true, false) => ">",
                (true, true) => ">=",
            };
            failing.bad = format!("({name} {sign} before__)");
        }
        other => match ok(other, (&name, column), to)? {
            Some(ok) => failing.bad = holds(&ok),
            None => return Ok(None),
        },
    }
    let missing = format!("({name} IS NULL)");
    if nulls_fail {
        if failing.from.is_some() || failing.grouped.is_some() {
            return Err(format!(
                "`{}` compares values with each other and cannot count nulls as failures; add `not_null`",
                rule.name()
            ));
        }
        failing.bad = format!("({missing} OR {})", failing.bad);
    } else {
        failing.kept = format!("({name} IS NOT NULL)");
        failing.missing = Some(missing);
    }
    Ok(Some(failing))
}

/// What is true of a value that passes.
fn ok(
    rule: &Rule,
    (name, column): (&str, &Column),
    to: &Statement<'_>,
) -> Result<Option<String>, String> {
    Ok(Some(match rule {
        Rule::InSet { set: None, .. } => "TRUE".to_owned(),
        Rule::InSet { set: Some(set), .. } => {
            let list = to.list(set, column)?;
            if list.is_empty() {
                "FALSE".to_owned()
            } else {
                format!("{name} IN ({})", list.join(", "))
            }
        }
        Rule::NotInSet { set, .. } => {
            let list = to.list(set, column)?;
            if list.is_empty() {
                "TRUE".to_owned()
            } else {
                format!("{name} NOT IN ({})", list.join(", "))
            }
        }
        Rule::Between { within, .. } => between(name, column, within, to)?,
        Rule::Matches { patterns, .. } => {
            is_text(column, to)?;
            matches(name, patterns, to)?
        }
        Rule::Length { within, .. } => {
            is_text(column, to)?;
            let characters = Column::new(&column.name, "INT64");
            between(&format!("CHAR_LENGTH({name})"), &characters, within, to)?
        }
        Rule::Strftime { format, .. } => {
            is_text(column, to)?;
            formats::strftime(name, format, to.dialect)?
        }
        Rule::JsonParses { .. } => match (to.dialect, to.dialect.family(&column.kind)) {
            (_, Family::Json) => "TRUE".to_owned(),
            (Dialect::BigQuery, Family::Text) => format!("SAFE.PARSE_JSON({name}) IS NOT NULL"),
            _ => return Ok(None),
        },
        _ => return Ok(None),
    }))
}

pub(super) fn is_text(column: &Column, to: &Statement<'_>) -> Result<(), String> {
    if to.dialect.family(&column.kind) == Family::Text {
        return Ok(());
    }
    Err(format!(
        "the column `{}` is {}, and this check is one of texts",
        column.name, column.kind
    ))
}

fn between(
    expr: &str,
    column: &Column,
    within: &Bounds,
    to: &Statement<'_>,
) -> Result<String, String> {
    if within.min.is_null() && within.max.is_null() {
        return Err("it has no limit: give one".to_owned());
    }
    let family = to.dialect.family(&column.kind);
    if family.is_number() {
        within.numbers()?;
    }
    let mut parts = Vec::new();
    for (limit, sign) in [
        (&within.min, if within.strict_min { ">" } else { ">=" }),
        (&within.max, if within.strict_max { "<" } else { "<=" }),
    ] {
        if !limit.is_null() {
            parts.push((sign, to.dialect.literal(limit, column)?));
        }
    }
    if family.is_day()
        && let [(_, min), (_, max)] = parts.as_slice()
    {
        // Of one type and one length, so their texts sort as they do.
        within.in_order(Some(min), Some(max))?;
    }
    let parts: Vec<String> = parts
        .into_iter()
        .map(|(sign, limit)| format!("{expr} {sign} {limit}"))
        .collect();
    Ok(parts.join(" AND "))
}

fn matches(name: &str, patterns: &Patterns, to: &Statement<'_>) -> Result<String, String> {
    if patterns.patterns.is_empty() {
        return Err("it has no pattern: give one".to_owned());
    }
    let found: Result<Vec<String>, String> = patterns
        .patterns
        .iter()
        .map(|pattern| {
            let literal = to.dialect.text(pattern)?;
            Ok(if patterns.like {
                format!("({name} LIKE {literal})")
            } else {
                to.dialect.found(name, &literal)
            })
        })
        .collect();
    let word = match (patterns.not, patterns.on) {
        (false, MatchOn::All) => " AND ",
        _ => " OR ",
    };
    let found = found?.join(word);
    Ok(if patterns.not {
        format!("NOT ({found})")
    } else {
        found
    })
}

/// Rows whose values others have, too.
fn repeated(failing: &mut Failing, names: &[String], filter: &str) {
    let names = names.join(", ");
    failing.from = Some(format!(
        "(SELECT *, COUNT(*) OVER (PARTITION BY {names}) AS copies__ FROM {ROWS}{filter})"
    ));
    failing.bad = "(copies__ > 1)".to_owned();
    failing.grouped = Some(format!(
        "SELECT COALESCE(SUM(CASE WHEN copies > 1 THEN copies END), 0) AS bad \
         FROM (SELECT COUNT(*) AS copies FROM {ROWS}{filter} GROUP BY {names}) AS g"
    ));
}

fn z_score(
    (name, column): (&str, &Column),
    (threshold, double_sided): (f64, bool),
    scope: &str,
    failing: &mut Failing,
) -> Result<(), String> {
    if !threshold.is_finite() {
        return Err(format!("the limit `{threshold}` is no number"));
    }
    let _ = column;
    let filter = filter(&[scope]);
    failing.from = Some(format!(
        "(SELECT r.*, s.mean__, s.deviation__ FROM {ROWS} AS r CROSS JOIN \
         (SELECT AVG({name}) AS mean__, STDDEV_SAMP({name}) AS deviation__ FROM {ROWS}{filter}) AS s)"
    ));
    // All values alike, or one value only: nothing is far away, and the score is null.
    let score = format!("({name} - mean__) / NULLIF(deviation__, 0)");
    failing.bad = if double_sided {
        format!("(ABS({score}) >= {:?})", threshold.abs())
    } else {
        format!("({score} >= {threshold:?})")
    };
    Ok(())
}

/// Checks that compare columns of one row.
fn together(check: &Check, scope: &str, to: &Statement<'_>) -> Result<Failing, String> {
    let mut names = Vec::new();
    let mut columns = Vec::new();
    for column in check.rule.columns() {
        let (name, column) = to.quoted(column)?;
        names.push(name);
        columns.push(column);
    }
    if names.len() < 2 {
        return Err("it compares columns: name two at least".to_owned());
    }
    let kept = |word: &str| {
        let parts: Vec<String> = names
            .iter()
            .map(|name| format!("{name} IS NOT NULL"))
            .collect();
        format!("({})", parts.join(word))
    };
    let kept = match check.ignore {
        IgnoreRowIf::AllMissing => kept(" OR "),
        IgnoreRowIf::AnyMissing => kept(" AND "),
        IgnoreRowIf::Never => String::new(),
    };
    let mut failing = Failing {
        kept,
        ..Failing::default()
    };
    let pair = |sign: &str| -> Result<String, String> {
        let (a, b) = comparable((&names[0], columns[0]), (&names[1], columns[1]), to)?;
        Ok(format!("{a} {sign} {b}"))
    };
    match &check.rule {
        Rule::PairEqual { .. } => failing.bad = holds(&pair("=")?),
        Rule::PairGreater {
            or_equal: false, ..
        } => failing.bad = holds(&pair(">")?),
        Rule::PairGreater { or_equal: true, .. } => {
            let both = format!("({} IS NULL AND {} IS NULL)", names[0], names[1]);
            failing.bad = holds(&format!("{} OR {both}", pair(">=")?));
        }
        Rule::PairInSet { pairs, .. } => {
            failing.bad = holds(&one_of_pairs(&names, &columns, pairs, to)?)
        }
        Rule::UniqueTogether { .. } => {
            let filter = filter(&[scope, &failing.kept.clone()]);
            repeated(&mut failing, &names, &filter);
        }
        Rule::UniqueWithinRow { .. } => {
            let mut same = Vec::new();
            for (index, a) in names.iter().enumerate() {
                for (other, b) in names.iter().enumerate().skip(index + 1) {
                    let (x, y) = comparable((a, columns[index]), (b, columns[other]), to)?;
                    same.push(format!("{x} = {y} OR ({a} IS NULL AND {b} IS NULL)"));
                }
            }
            failing.bad = format!("({})", same.join(" OR "));
        }
        Rule::SumOfRow { total, .. } => failing.bad = sum(&names, &columns, total, to)?,
        _ => return Err("this check compares no columns".to_owned()),
    }
    Ok(failing)
}

fn sum(
    names: &[String],
    columns: &[&Column],
    total: &Literal,
    to: &Statement<'_>,
) -> Result<String, String> {
    let is_number = |column: &&&Column| to.dialect.family(&column.kind).is_number();
    if let Some(column) = columns.iter().find(|column| !is_number(column)) {
        return Err(format!(
            "the column `{}` is {} and has no sum",
            column.name, column.kind
        ));
    }
    let number = Column::new("total", "FLOAT64");
    let total = to.dialect.literal(total, &number)?;
    Ok(holds(&format!("{} = {total}", names.join(" + "))))
}

fn one_of_pairs(
    names: &[String],
    columns: &[&Column],
    pairs: &[(Literal, Literal)],
    to: &Statement<'_>,
) -> Result<String, String> {
    let equals = |index: usize, value: &Literal| -> Result<String, String> {
        Ok(if value.is_null() {
            format!("{} IS NULL", names[index])
        } else {
            let value = to.dialect.literal(value, columns[index])?;
            format!("{} = {value}", names[index])
        })
    };
    let parts: Result<Vec<String>, String> = pairs
        .iter()
        .map(|(a, b)| Ok(format!("({} AND {})", equals(0, a)?, equals(1, b)?)))
        .collect();
    let parts = parts?;
    Ok(if parts.is_empty() {
        "FALSE".to_owned()
    } else {
        parts.join(" OR ")
    })
}

/// Two columns so that the database compares them.
fn comparable(
    (a, of_a): (&str, &Column),
    (b, of_b): (&str, &Column),
    to: &Statement<'_>,
) -> Result<(String, String), String> {
    let (first, second) = (to.dialect.family(&of_a.kind), to.dialect.family(&of_b.kind));
    if first == second || (first.is_number() && second.is_number()) {
        return Ok((a.to_owned(), b.to_owned()));
    }
    if first.is_day() && second.is_day() {
        let cast = |name: &str| format!("CAST({name} AS TIMESTAMP)");
        return Ok((cast(a), cast(b)));
    }
    Err(format!(
        "`{}` is {} and `{}` is {}, which cannot be compared",
        of_a.name, of_a.kind, of_b.name, of_b.kind
    ))
}

/// Rows that name something that is not there.
fn references(
    columns: &[String],
    (table, other): (&str, &[String]),
    to: &Statement<'_>,
) -> Result<Failing, String> {
    if columns.is_empty() || columns.len() != other.len() {
        return Err("it names as many columns of the other table as of this one".to_owned());
    }
    let table = to.dialect.table(table)?;
    let (mut missing, mut picked, mut joined) = (Vec::new(), Vec::new(), Vec::new());
    for (index, (column, other)) in columns.iter().zip(other).enumerate() {
        let (name, _) = to.quoted(column)?;
        let other = to.dialect.name(other)?;
        missing.push(format!("{name} IS NULL"));
        picked.push(format!("{other} AS key{index}__"));
        joined.push(format!("r.{name} = p.key{index}__"));
    }
    let from = format!(
        "(SELECT r.*, p.found__ FROM {ROWS} AS r LEFT JOIN \
         (SELECT DISTINCT {}, 1 AS found__ FROM {table}) AS p ON {})",
        picked.join(", "),
        joined.join(" AND ")
    );
    let missing = format!("({})", missing.join(" OR "));
    Ok(Failing {
        from: Some(from),
        kept: format!("(NOT {missing})"),
        missing: Some(missing),
        bad: "(found__ IS NULL)".to_owned(),
        ..Failing::default()
    })
}

/// Versions that overlap, are turned round or leave a gap, and all those of keys without one current version.
fn one_version(versions: &Versions, scope: &str, to: &Statement<'_>) -> Result<Failing, String> {
    let key: Result<Vec<String>, String> = versions
        .key
        .iter()
        .map(|column| Ok(to.quoted(column)?.0))
        .collect();
    let key = key?;
    if key.is_empty() {
        return Err("it has no key: name the columns that say whose version a row is".to_owned());
    }
    let key = key.join(", ");
    let (begin, _) = to.quoted(&versions.from)?;
    let (end, column) = to.quoted(&versions.to)?;
    let open = match &versions.open_end {
        Some(value) => format!("{end} = {}", to.dialect.literal(value, column)?),
        None => format!("{end} IS NULL"),
    };
    let current = match &versions.flag {
        Some(flag) => to.quoted(flag)?.0,
        None => open,
    };
    let filter = filter(&[scope]);
    let from = format!(
        "(SELECT *, LEAD({begin}) OVER (PARTITION BY {key} ORDER BY {begin}, {end}) AS next__, \
         SUM(CASE WHEN {current} THEN 1 ELSE 0 END) OVER (PARTITION BY {key}) AS current__ FROM {ROWS}{filter})"
    );
    let (touches, turned) = if versions.inclusive {
        ("<=", "<")
    } else {
        ("<", "<=")
    };
    let overlap = format!("((next__ {touches} {end}) OR ({end} IS NULL AND next__ IS NOT NULL))");
    let turned = format!("({begin} IS NULL OR {end} {turned} {begin})");
    let mut parts = vec![
        ("overlap the next version", overlap),
        ("end before they begin", turned),
    ];
    if !versions.any_current {
        let without = "of a key without exactly one current version";
        parts.insert(0, (without, "(current__ <> 1)".to_owned()));
    }
    if !versions.gaps && !versions.inclusive {
        parts.push(("leave a gap", format!("(next__ > {end})")));
    }
    let bad: Vec<&str> = parts.iter().map(|(_, bad)| bad.as_str()).collect();
    Ok(Failing {
        from: Some(from),
        bad: format!("({})", bad.join(" OR ")),
        parts,
        ..Failing::default()
    })
}

/// The query of an author in which `{batch}` stands for the rows that are checked, which are called this.
pub(super) fn own_query(sql: &str, dialect: Dialect, batch: &str) -> Result<String, String> {
    let sql = sql.trim().trim_end_matches(';');
    encloses(sql, dialect).map_err(|error| format!("the query: {error}"))?;
    if batch != ROWS && !sql.contains("{batch}") {
        return Err(
            "it has a condition, which only `{batch}` in the query can stand for".to_owned(),
        );
    }
    Ok(sql.replace("{batch}", batch))
}
