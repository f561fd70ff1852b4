//! The one statement: what is counted on the way through the table, and what needs a grouping of its own beside it.

use std::fmt::Write as _;

use super::super::builder::Checks;
use super::super::condition::Condition;
use super::super::dialect::{Column, Dialect, encloses};

/// The rows that are checked, as the statement calls them.
pub(crate) const ROWS: &str = "checked_rows";

/// Where a value is found in the row that comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot(pub(crate) usize);

/// A statement while it is written.
pub(crate) struct Statement<'a> {
    pub(crate) dialect: Dialect,
    pub(crate) columns: &'a [Column],
    /// What `checked_rows` is.
    rows: String,
    /// Aggregates over all rows, each once.
    measures: Vec<String>,
    /// Queries that others read from: name and text.
    shared: Vec<(String, String)>,
    /// Queries that return one row.
    single: Vec<(String, String)>,
    selects: Vec<String>,
}

impl<'a> Statement<'a> {
    /// A statement about this table.
    ///
    /// # Errors
    /// The table has no name that can be quoted, or the condition of all checks is wrong.
    pub(crate) fn new(
        checks: &Checks,
        dialect: Dialect,
        columns: &'a [Column],
    ) -> Result<Self, String> {
        let mut new = Self {
            dialect,
            columns,
            rows: String::new(),
            measures: Vec::new(),
            shared: Vec::new(),
            single: Vec::new(),
            selects: Vec::new(),
        };
        let table = dialect.table(checks.table.as_str())?;
        let mut rows = "SELECT ".to_owned();
        for (index, column) in columns.iter().enumerate() {
            let name = dialect.name(&column.name)?;
            let comma = if index > 0 { ", " } else { "" };
            let _ = match dialect.not_nan(&name, dialect.family(&column.kind)) {
                Some(number) => write!(rows, "{comma}{number} AS {name}"),
                None => write!(rows, "{comma}{name}"),
            };
        }
        let _ = write!(rows, " FROM {table}");
        if let Some(only) = &checks.only {
            let _ = write!(rows, " WHERE {}", new.condition(only)?);
        }
        new.rows = rows;
        Ok(new)
    }

    /// A column of the table.
    ///
    /// # Errors
    /// It has none of this name.
    pub(crate) fn column(&self, name: &str) -> Result<&'a Column, String> {
        let same = |column: &&Column| match self.dialect {
            Dialect::BigQuery => column.name.eq_ignore_ascii_case(name),
            Dialect::Postgres => column.name == name,
        };
        self.columns.iter().find(same).ok_or_else(|| {
            let known = self.columns.iter().map(|column| column.name.as_str());
            let near = tidemill_core::id::nearest(name, known);
            let hint = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
            format!("the table has no column `{name}`{hint}")
        })
    }

    /// A column in quotes, and what it is.
    pub(crate) fn quoted(&self, name: &str) -> Result<(String, &'a Column), String> {
        let column = self.column(name)?;
        Ok((self.dialect.name(&column.name)?, column))
    }

    /// A condition as SQL.
    pub(crate) fn condition(&self, condition: &Condition) -> Result<String, String> {
        let all = |parts: &[Condition], word: &str, none: &str| {
            let parts: Result<Vec<_>, _> = parts.iter().map(|part| self.condition(part)).collect();
            parts.map(|parts| {
                if parts.is_empty() {
                    none.to_owned()
                } else {
                    format!("({})", parts.join(word))
                }
            })
        };
        Ok(match condition {
            Condition::Sql(sql) => {
                encloses(sql, self.dialect)
                    .map_err(|error| format!("the condition `{sql}`: {error}"))?;
                // A comment at its end must not hide the bracket.
                format!("({sql}\n)")
            }
            Condition::Compare {
                column,
                with,
                value,
            } => {
                let (name, column) = self.quoted(column)?;
                if value.is_null() {
                    return Err(format!(
                        "`{}` is compared with null, which nothing is",
                        column.name
                    ));
                }
                let value = self.dialect.literal(value, column)?;
                format!("({name} {} {value})", with.sign())
            }
            Condition::OneOf { column, values } => {
                let (name, column) = self.quoted(column)?;
                let list = self.list(values, column)?;
                if list.is_empty() {
                    "(FALSE)".to_owned()
                } else {
                    format!("({name} IN ({}))", list.join(", "))
                }
            }
            Condition::NoneOf { column, values } => {
                let (name, column) = self.quoted(column)?;
                let list = self.list(values, column)?;
                if list.is_empty() {
                    format!("({name} IS NOT NULL)")
                } else {
                    format!("({name} NOT IN ({}))", list.join(", "))
                }
            }
            Condition::Missing(column) => format!("({} IS NULL)", self.quoted(column)?.0),
            Condition::Present(column) => format!("({} IS NOT NULL)", self.quoted(column)?.0),
            Condition::All(parts) => all(parts, " AND ", "(TRUE)")?,
            Condition::Any(parts) => all(parts, " OR ", "(FALSE)")?,
        })
    }

    /// Values as literals, each once and without nulls.
    pub(crate) fn list(
        &self,
        values: &[super::super::literal::Literal],
        column: &Column,
    ) -> Result<Vec<String>, String> {
        let mut list = Vec::new();
        for value in values.iter().filter(|value| !value.is_null()) {
            let mut literal = self.dialect.literal(value, column)?;
            if self.dialect.family(&column.kind).is_number() {
                // 1 and 1.0 are one value.
                literal = literal
                    .strip_suffix(".0")
                    .map_or(literal.clone(), str::to_owned);
            }
            if !list.contains(&literal) {
                list.push(literal);
            }
        }
        Ok(list)
    }

    fn select(&mut self, expr: String) -> Slot {
        let known = self.selects.iter().position(|known| *known == expr);
        Slot(known.unwrap_or_else(|| {
            self.selects.push(expr);
            self.selects.len() - 1
        }))
    }

    /// An aggregate over all rows.
    pub(crate) fn measure(&mut self, expr: String) -> Slot {
        let known = self.measures.iter().position(|known| *known == expr);
        let index = known.unwrap_or_else(|| {
            self.measures.push(expr);
            self.measures.len() - 1
        });
        self.select(format!("counted.m{index}"))
    }

    /// How many rows there are of which this is true.
    pub(crate) fn count(&mut self, of: &[&str]) -> Slot {
        let of: Vec<&str> = of.iter().copied().filter(|part| !part.is_empty()).collect();
        self.measure(if of.is_empty() {
            "COUNT(*)".to_owned()
        } else {
            format!("COUNT(CASE WHEN {} THEN 1 END)", of.join(" AND "))
        })
    }

    /// A query that others read from; its name.
    pub(crate) fn share(&mut self, query: String) -> String {
        if let Some((name, _)) = self.shared.iter().find(|(_, known)| *known == query) {
            return name.clone();
        }
        let name = format!("grouped_{}", self.shared.len());
        self.shared.push((name.clone(), query));
        name
    }

    /// A query that returns one row, and where its columns are found.
    pub(crate) fn single(&mut self, query: String, columns: &[&str]) -> Vec<Slot> {
        let known = self.single.iter().find(|(_, known)| *known == query);
        let name = match known {
            Some((name, _)) => name.clone(),
            None => {
                let name = format!("found_{}", self.single.len());
                self.single.push((name.clone(), query));
                name
            }
        };
        columns
            .iter()
            .map(|column| self.select(format!("{name}.{column}")))
            .collect()
    }

    /// How wide the row is that comes back.
    pub(crate) const fn width(&self) -> usize {
        self.selects.len()
    }

    /// What `checked_rows` is.
    pub(crate) fn rows(&self) -> &str {
        &self.rows
    }

    /// The statement, if anything is asked.
    pub(crate) fn text(&self) -> Option<String> {
        if self.selects.is_empty() {
            return None;
        }
        let mut text = format!("WITH {ROWS} AS (\n  {}\n)", self.rows);
        if !self.measures.is_empty() {
            let measures: Vec<String> = self
                .measures
                .iter()
                .enumerate()
                .map(|(index, expr)| format!("{expr} AS m{index}"))
                .collect();
            let _ = write!(
                text,
                ",\ncounted AS (\n  SELECT {}\n  FROM {ROWS}\n)",
                measures.join(",\n    ")
            );
        }
        for (name, query) in self.shared.iter().chain(&self.single) {
            let _ = write!(text, ",\n{name} AS (\n  {query}\n)");
        }
        let selects: Vec<String> = self
            .selects
            .iter()
            .enumerate()
            .map(|(index, expr)| {
                let family = super::super::dialect::Family::Text;
                format!("{} AS s{index}", self.dialect.as_text(expr, family))
            })
            .collect();
        let counted = (!self.measures.is_empty()).then_some("counted");
        let single = self.single.iter().map(|(name, _)| name.as_str());
        let from: Vec<&str> = counted.into_iter().chain(single).collect();
        let _ = write!(
            text,
            "\nSELECT {}\nFROM {}",
            selects.join(",\n  "),
            from.join(" CROSS JOIN ")
        );
        Some(text)
    }
}
