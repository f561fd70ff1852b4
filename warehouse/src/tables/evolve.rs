//! Changes of schemas: columns that come, and columns that may be missing from now on.

use crate::schema::{Field, Kind, Mode, Schema};

/// Which changes are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Allowed {
    /// New columns.
    pub addition: bool,
    /// REQUIRED becomes NULLABLE.
    pub relaxation: bool,
    /// Columns that are not named stay as they are; otherwise they are missed.
    pub absence: bool,
}

impl Allowed {
    /// All of them.
    pub const ALL: Self = Self {
        addition: true,
        relaxation: true,
        absence: true,
    };
}

/// The schema that a table with `old` has when it is given `new`, which may leave columns out.
///
/// # Errors
/// What does not fit, in the words of `BigQuery` behind "Provided Schema does not match Table …".
pub fn widened(old: &Schema, new: &Schema, allowed: Allowed) -> Result<Schema, String> {
    let mut fields = merged(&old.fields, &new.fields, allowed, "")?;
    for field in &new.fields {
        if old.field(&field.name).is_none() {
            fields.push(added(field, allowed, "")?);
        }
    }
    Ok(Schema { fields })
}

fn merged(
    old: &[Field],
    new: &[Field],
    allowed: Allowed,
    path: &str,
) -> Result<Vec<Field>, String> {
    old.iter()
        .map(|field| {
            match new
                .iter()
                .find(|one| one.name.eq_ignore_ascii_case(&field.name))
            {
                None if !allowed.absence
                    || (field.mode == Mode::Required && !allowed.relaxation) =>
                {
                    Err(format!(
                        "Field {path}{} is missing in new schema",
                        field.name
                    ))
                }
                None if field.mode == Mode::Required => Ok(field.clone().mode(Mode::Nullable)),
                None => Ok(field.clone()),
                Some(given) => both(field, given, allowed, path),
            }
        })
        .collect()
}

fn both(old: &Field, new: &Field, allowed: Allowed, path: &str) -> Result<Field, String> {
    let name = format!("{path}{}", old.name);
    let mut field = old.clone();
    field.kind = match (&old.kind, &new.kind) {
        (Kind::Struct(before), Kind::Struct(after)) => {
            let inside = format!("{name}.");
            let mut fields = merged(before, after, allowed, &inside)?;
            for one in after {
                if !before
                    .iter()
                    .any(|b| b.name.eq_ignore_ascii_case(&one.name))
                {
                    fields.push(added(one, allowed, &inside)?);
                }
            }
            Kind::Struct(fields)
        }
        (before, after) if same(before, after) => before.clone(),
        (before, after) => {
            return Err(format!(
                "Field {name} has changed type from {} to {}",
                before.rest_name(),
                after.rest_name()
            ));
        }
    };
    field.mode = match (old.mode, new.mode) {
        (before, after) if before == after => before,
        (Mode::Required, Mode::Nullable) if allowed.relaxation => Mode::Nullable,
        (before, after) => {
            return Err(format!(
                "Field {name} has changed mode from {} to {}",
                mode(before),
                mode(after)
            ));
        }
    };
    if new.description.is_some() {
        field.description.clone_from(&new.description);
    }
    if new.default.is_some() {
        field.default.clone_from(&new.default);
    }
    Ok(field)
}

fn added(field: &Field, allowed: Allowed, path: &str) -> Result<Field, String> {
    let name = &field.name;
    if !allowed.addition {
        return Err(format!("Cannot add fields (field: {path}{name})"));
    }
    if field.mode == Mode::Required {
        return Err(format!(
            "Cannot add required fields to an existing schema. (field: {path}{name})"
        ));
    }
    Ok(field.clone())
}

/// The same type; bounds are the table's.
fn same(old: &Kind, new: &Kind) -> bool {
    std::mem::discriminant(old) == std::mem::discriminant(new)
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Nullable => "NULLABLE",
        Mode::Required => "REQUIRED",
        Mode::Repeated => "REPEATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(fields: &[(&str, Kind, Mode)]) -> Schema {
        Schema {
            fields: fields
                .iter()
                .map(|(name, kind, mode)| Field::new(*name, kind.clone()).mode(*mode))
                .collect(),
        }
    }

    #[test]
    fn columns_come_and_are_relaxed_only_when_allowed() {
        let old = schema(&[
            ("a", Kind::Int64, Mode::Required),
            ("b", Kind::String(None), Mode::Nullable),
        ]);
        let more = schema(&[
            ("A", Kind::Int64, Mode::Nullable),
            ("c", Kind::Date, Mode::Nullable),
        ]);
        let found = widened(&old, &more, Allowed::ALL).unwrap();
        assert_eq!(
            found,
            schema(&[
                ("a", Kind::Int64, Mode::Nullable),
                ("b", Kind::String(None), Mode::Nullable),
                ("c", Kind::Date, Mode::Nullable),
            ])
        );
        assert_eq!(
            widened(&old, &more, Allowed::default()).unwrap_err(),
            "Field a has changed mode from REQUIRED to NULLABLE"
        );
        let addition = Allowed {
            addition: true,
            relaxation: false,
            absence: true,
        };
        assert_eq!(
            widened(
                &old,
                &schema(&[("x", Kind::Date, Mode::Nullable)]),
                addition
            )
            .unwrap_err(),
            "Field a is missing in new schema"
        );
        let required = schema(&[
            ("a", Kind::Int64, Mode::Required),
            ("x", Kind::Date, Mode::Required),
        ]);
        assert_eq!(
            widened(&old, &required, Allowed::ALL).unwrap_err(),
            "Cannot add required fields to an existing schema. (field: x)"
        );
    }

    #[test]
    fn types_stay() {
        let inner = |kind: Kind| {
            schema(&[(
                "s",
                Kind::Struct(vec![Field::new("x", kind)]),
                Mode::Repeated,
            )])
        };
        assert_eq!(
            widened(&inner(Kind::Int64), &inner(Kind::Date), Allowed::ALL).unwrap_err(),
            "Field s.x has changed type from INTEGER to DATE"
        );
    }
}
