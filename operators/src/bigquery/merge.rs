//! The statements of a merge.

use tidemill_core::operator::{TaskError, TaskResult};

use super::rows::Rows;
use super::schema::Column;
use super::table::TableName;

fn quoted(name: &str) -> TaskResult<String> {
    if name.is_empty() || name.contains(|c: char| c.is_control() || matches!(c, '`' | '\\')) {
        return Err(TaskError::permanent(format!(
            "{name:?} is no name of a column"
        )));
    }
    Ok(format!("`{name}`"))
}

fn all(names: &[String]) -> TaskResult<Vec<String>> {
    names.iter().map(|name| quoted(name)).collect()
}

/// How many rows there are, how many of them have no key, and how many keys are there more than once.
pub(super) fn keys(stage: &TableName, keys: &[String]) -> TaskResult<String> {
    let keys = all(keys)?;
    if keys.is_empty() {
        return Err(TaskError::permanent(
            "a merge needs a column that is its key",
        ));
    }
    let list = keys.join(", ");
    let empty: Vec<String> = keys.iter().map(|key| format!("{key} IS NULL")).collect();
    Ok(format!(
        "SELECT IFNULL(SUM(IF({}, tidemill_n, 0)), 0) AS without_key, COUNTIF(tidemill_n > 1) AS more_than_once \
         FROM (SELECT {list}, COUNT(*) AS tidemill_n FROM {} GROUP BY {list})",
        empty.join(" OR "),
        stage.quoted()
    ))
}

/// Whether the keys of the staged rows can be merged by.
pub(super) fn check_keys(rows: &Rows, keys: &[String], latest: bool) -> TaskResult<()> {
    let number = |nth: usize| {
        let row = rows.rows.first();
        row.and_then(|row| row.get(nth)?.as_i64()).ok_or_else(|| {
            TaskError::permanent("the query that counts keys returned something else than numbers")
        })
    };
    let (empty, twice) = (number(0)?, number(1)?);
    let key = keys.join(", ");
    if empty > 0 {
        return Err(TaskError::data(format!(
            "{empty} rows of the files have no key (`{key}` is NULL): merged, they would be added again each time"
        ))
        .help("mend the files, or choose columns that are never NULL"));
    }
    if twice > 0 && !latest {
        return Err(TaskError::data(format!(
            "{twice} keys (`{key}`) are in the files more than once"
        ))
        .help("say which of their rows counts: `.latest_by(\"updated_at\")`"));
    }
    Ok(())
}

/// Updates the rows with the same key, and inserts the others.
pub(super) fn statement(
    (table, stage): (&TableName, &TableName),
    columns: &[Column],
    keys: &[String],
    (latest_by, only): (Option<&str>, Option<&str>),
) -> TaskResult<String> {
    let is_key = |name: &str| keys.iter().any(|key| key.eq_ignore_ascii_case(name));
    if let Some(key) = keys.iter().find(|key| {
        !columns
            .iter()
            .any(|column| column.name.eq_ignore_ascii_case(key))
    }) {
        return Err(TaskError::data(format!(
            "the files have no column `{key}`, which is a key"
        )));
    }
    let keys = all(keys)?;
    let on = keys.iter().map(|key| format!("T.{key} = S.{key}"));
    let only = only.map(|condition| format!("({condition})"));
    let on: Vec<String> = on.chain(only).collect();
    let names: Vec<String> = columns
        .iter()
        .map(|column| quoted(&column.name))
        .collect::<TaskResult<_>>()?;
    let values: Vec<String> = names.iter().map(|name| format!("S.{name}")).collect();
    let others = columns
        .iter()
        .zip(&names)
        .filter(|(column, _)| !is_key(&column.name));
    let sets: Vec<String> = others
        .map(|(_, name)| format!("{name} = S.{name}"))
        .collect();
    let source = match latest_by {
        Some(column) => format!(
            "(SELECT * FROM {} WHERE TRUE QUALIFY ROW_NUMBER() OVER (PARTITION BY {} ORDER BY {} DESC) = 1)",
            stage.quoted(),
            keys.join(", "),
            quoted(column)?
        ),
        None => stage.quoted(),
    };
    let update = if sets.is_empty() {
        String::new()
    } else {
        format!("\nWHEN MATCHED THEN UPDATE SET {}", sets.join(", "))
    };
    Ok(format!(
        "MERGE {} AS T\nUSING {source} AS S\nON {}{update}\nWHEN NOT MATCHED THEN INSERT ({}) VALUES ({})",
        table.quoted(),
        on.join(" AND "),
        names.join(", "),
        values.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_names_every_column_and_never_changes_keys() {
        let table: TableName = "shop.crm.t".parse().unwrap();
        let stage = table.beside("stage".to_owned());
        let columns = [
            Column::nullable("id", "INT64"),
            Column::nullable("at", "DATE"),
        ];
        let id = ["id".to_owned()];
        let sql = statement(
            (&table, &stage),
            &columns,
            &id,
            (Some("at"), Some("T.at > 0")),
        )
        .unwrap();
        assert!(
            sql.contains(
                "ON T.`id` = S.`id` AND (T.at > 0)\nWHEN MATCHED THEN UPDATE SET `at` = S.`at`\n"
            ),
            "{sql}"
        );
        assert!(
            sql.contains("INSERT (`id`, `at`) VALUES (S.`id`, S.`at`)"),
            "{sql}"
        );
        assert!(sql.contains("ORDER BY `at` DESC"), "{sql}");
        let only = statement((&table, &stage), &columns[..1], &id, (None, None)).unwrap();
        assert!(!only.contains("UPDATE"), "{only}");
        assert!(statement((&table, &stage), &columns, &["x".to_owned()], (None, None)).is_err());
        assert!(keys(&stage, &["a`b".to_owned()]).is_err());
    }
}
