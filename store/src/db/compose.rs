//! Makes one statement of a whole commit, so that it costs one round trip.
//!
//! Every part is a complete statement of its own file (and is prepared as such by a test). Here each becomes a `WITH` of
//! one statement: the leader's row is locked and checked first, then each part in turn, and `expect_rows` undoes all of
//! it when the row is another leader's, or a part did not find what it was to change.

use std::fmt::Write as _;

use crate::sql::Sql;

/// The statement for these parts; `true` for those whose rows are counted, which take the number of rows as one more
/// argument before their own.
pub(crate) fn compose(leader: Option<&Sql>, parts: &[(&Sql, bool)]) -> String {
    let mut text = String::with_capacity(1_024 * (1 + parts.len()));
    let mut checks = String::new();
    let mut given = 0;
    text.push_str("WITH ");
    checks.push_str("SELECT ");
    if let Some(leader) = leader {
        text.push_str("led AS (\n");
        given += shifted(&mut text, leader.postgres, given);
        text.push_str("),\n");
        checks.push_str("expect_rows('leader', 1, (SELECT count(*) FROM led)),\n    ");
    }
    for (at, (part, counted)) in parts.iter().enumerate() {
        // Writing into a String cannot fail.
        let _ = if *counted {
            given += 1;
            write!(
                checks,
                "expect_rows('{}', ${given}, (SELECT count(*) FROM p{at})),\n    ",
                part.name
            )
        } else {
            write!(checks, "(SELECT count(*) FROM p{at}),\n    ")
        };
        let _ = writeln!(text, "p{at} AS (");
        given += shifted(&mut text, part.postgres, given);
        text.push_str("),\n");
    }
    // Each list ends as if another followed.
    let text = text.trim_end_matches(",\n");
    let checks = checks.trim_end_matches(",\n    ");
    format!("{text}\n{checks}")
}

/// Appends the statement with its arguments counted from `by`; says how many it has.
fn shifted(text: &mut String, statement: &str, by: usize) -> usize {
    let mut highest = 0;
    let mut rest = statement;
    while let Some(at) = rest.find('$') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: usize = rest[..digits].parse().unwrap_or(0);
        highest = highest.max(number);
        let _ = write!(text, "${}", number + by);
        rest = &rest[digits..];
    }
    text.push_str(rest);
    highest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_counted_on_through_the_parts() {
        let sql = |name, postgres| Sql {
            name,
            postgres,
            sqlite: "",
        };
        let leader = sql("leader", "UPDATE l SET b = $2 WHERE t = $1 RETURNING 1");
        let (one, two) = (
            sql(
                "task_put",
                "UPDATE task SET s = $2 WHERE id = $1 RETURNING 1",
            ),
            sql(
                "attempt_add",
                "INSERT INTO attempt SELECT $1, $2 RETURNING 1",
            ),
        );
        assert_eq!(
            compose(Some(&leader), &[(&one, true), (&two, false)]),
            "WITH led AS (\nUPDATE l SET b = $2 WHERE t = $1 RETURNING 1),\np0 AS (\n\
             UPDATE task SET s = $5 WHERE id = $4 RETURNING 1),\np1 AS (\n\
             INSERT INTO attempt SELECT $6, $7 RETURNING 1)\n\
             SELECT expect_rows('leader', 1, (SELECT count(*) FROM led)),\n    \
             expect_rows('task_put', $3, (SELECT count(*) FROM p0)),\n    (SELECT count(*) FROM p1)"
        );
    }
}
