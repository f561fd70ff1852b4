//! Which values become those of another type without being asked to.

use crate::schema::{Field, Kind, Mode};

/// Whether values of one type are taken for a column of another.
pub(super) fn assignable(from: &Field, to: &Field) -> bool {
    if (from.mode == Mode::Repeated) != (to.mode == Mode::Repeated) {
        return false;
    }
    if from.mode == Mode::Repeated {
        return alike(&from.kind, &to.kind);
    }
    alike(&from.kind, &to.kind) || coerces(&from.kind, &to.kind)
}

/// The same type, whatever its bounds and the names of its fields.
pub(super) fn alike(from: &Kind, to: &Kind) -> bool {
    match (from, to) {
        (Kind::Struct(from), Kind::Struct(to)) => {
            from.len() == to.len()
                && from.iter().zip(to).all(|(from, to)| {
                    from.name.eq_ignore_ascii_case(&to.name)
                        && (from.mode == Mode::Repeated) == (to.mode == Mode::Repeated)
                        && alike(&from.kind, &to.kind)
                })
        }
        (from, to) => std::mem::discriminant(from) == std::mem::discriminant(to),
    }
}

fn coerces(from: &Kind, to: &Kind) -> bool {
    use Kind as K;
    matches!(
        (from, to),
        (K::Int64, K::Numeric(_) | K::BigNumeric(_) | K::Float64)
            | (K::Numeric(_), K::BigNumeric(_) | K::Float64)
            | (K::BigNumeric(_), K::Float64)
            | (K::Date, K::Datetime)
    )
}

/// The type without its bounds, which no expression has.
pub(super) fn unbounded(kind: &Kind) -> Kind {
    match kind {
        Kind::Numeric(_) => Kind::Numeric(None),
        Kind::BigNumeric(_) => Kind::BigNumeric(None),
        Kind::String(_) => Kind::String(None),
        Kind::Bytes(_) => Kind::Bytes(None),
        Kind::Struct(fields) => Kind::Struct(
            fields
                .iter()
                .map(|field| Field {
                    kind: unbounded(&field.kind),
                    ..field.clone()
                })
                .collect(),
        ),
        other => other.clone(),
    }
}
