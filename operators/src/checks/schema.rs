//! JSON Schema, as far as checks of columns use it. A word that is not known is an error, never passed over.

use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};

/// The largest pattern that is compiled.
const PATTERN_BYTES_MAX: usize = 1 << 18;

/// Words that say nothing about a value.
const NOTES: [&str; 8] = [
    "$schema",
    "$id",
    "$comment",
    "title",
    "description",
    "default",
    "examples",
    "format",
];

/// What JSON has to look like.
#[derive(Debug, Clone)]
pub(crate) struct Schema(Vec<Demand>);

#[derive(Debug, Clone)]
enum Demand {
    Never,
    Type(Vec<String>),
    OneOfValues(Vec<Value>),
    Required(Vec<String>),
    Properties(Vec<(String, Schema)>, Option<Schema>),
    Items(Schema),
    Minimum(f64, bool),
    Maximum(f64, bool),
    MultipleOf(f64),
    Length(usize, usize),
    Pattern(Regex),
    Count(usize, usize),
    Entries(usize, usize),
    Different,
    All(Vec<Schema>),
    Any(Vec<Schema>),
    One(Vec<Schema>),
    Not(Box<Schema>),
}

impl Schema {
    /// Reads a schema.
    ///
    /// # Errors
    /// It has a word in it that is not known, or one that is not used as it should be.
    pub(crate) fn new(schema: &Value) -> Result<Self, String> {
        let map = match schema {
            Value::Bool(true) => return Ok(Self(Vec::new())),
            Value::Bool(false) => return Ok(Self(vec![Demand::Never])),
            Value::Object(map) => map,
            _ => return Err("a JSON schema is an object".to_owned()),
        };
        let mut demands = Vec::new();
        for (word, value) in map {
            let wrong = || format!("`{word}` of the JSON schema cannot be {value}");
            if let Some(demand) = demand((word, value), map).ok_or_else(wrong)?? {
                demands.push(demand);
            }
        }
        Ok(Self(demands))
    }

    /// Whether it describes a value.
    pub(crate) fn fits(&self, value: &Value) -> bool {
        self.0.iter().all(|demand| demand.met(value))
    }
}

/// None: the value of the word is of the wrong kind.
#[expect(clippy::too_many_lines, reason = "one arm a kind, and nothing else")]
fn demand(
    (word, value): (&str, &Value),
    all: &Map<String, Value>,
) -> Option<Result<Option<Demand>, String>> {
    let schemas = |value: &Value| {
        let list = value.as_array()?;
        Some(list.iter().map(Schema::new).collect::<Result<Vec<_>, _>>())
    };
    let size = |word: &str, or: usize| {
        all.get(word)
            .map_or(Some(or), |size| usize::try_from(size.as_u64()?).ok())
    };
    let demand = match word {
        "type" => Demand::Type(match value {
            Value::String(kind) => vec![kind.clone()],
            other => strings(other)?,
        }),
        "enum" => Demand::OneOfValues(value.as_array()?.clone()),
        "const" => Demand::OneOfValues(vec![value.clone()]),
        "required" => Demand::Required(strings(value)?),
        "properties" => match properties(value.as_object()?, all.get("additionalProperties")) {
            Ok(demand) => demand,
            Err(error) => return Some(Err(error)),
        },
        "additionalProperties" if all.contains_key("properties") => return Some(Ok(None)),
        "additionalProperties" => match properties(&Map::new(), Some(value)) {
            Ok(demand) => demand,
            Err(error) => return Some(Err(error)),
        },
        "items" => match Schema::new(value) {
            Ok(schema) => Demand::Items(schema),
            Err(error) => return Some(Err(error)),
        },
        "minimum" => Demand::Minimum(value.as_f64()?, false),
        "exclusiveMinimum" => Demand::Minimum(value.as_f64()?, true),
        "maximum" => Demand::Maximum(value.as_f64()?, false),
        "exclusiveMaximum" => Demand::Maximum(value.as_f64()?, true),
        "multipleOf" => Demand::MultipleOf(value.as_f64().filter(|by| *by > 0.0)?),
        "minLength" | "maxLength" => {
            Demand::Length(size("minLength", 0)?, size("maxLength", usize::MAX)?)
        }
        "minItems" | "maxItems" => {
            Demand::Count(size("minItems", 0)?, size("maxItems", usize::MAX)?)
        }
        "minProperties" | "maxProperties" => Demand::Entries(
            size("minProperties", 0)?,
            size("maxProperties", usize::MAX)?,
        ),
        "pattern" => {
            let pattern = RegexBuilder::new(value.as_str()?)
                .size_limit(PATTERN_BYTES_MAX)
                .build();
            match pattern {
                Ok(pattern) => Demand::Pattern(pattern),
                Err(error) => return Some(Err(format!("the pattern {value}: {error}"))),
            }
        }
        "uniqueItems" if value.as_bool()? => Demand::Different,
        "uniqueItems" => return Some(Ok(None)),
        "allOf" | "anyOf" | "oneOf" => match schemas(value)? {
            Ok(list) if word == "allOf" => Demand::All(list),
            Ok(list) if word == "anyOf" => Demand::Any(list),
            Ok(list) => Demand::One(list),
            Err(error) => return Some(Err(error)),
        },
        "not" => match Schema::new(value) {
            Ok(schema) => Demand::Not(Box::new(schema)),
            Err(error) => return Some(Err(error)),
        },
        note if NOTES.contains(&note) => return Some(Ok(None)),
        other => {
            return Some(Err(format!(
                "`{other}` of a JSON schema is not known here; check it with a task of its own"
            )));
        }
    };
    Some(Ok(Some(demand)))
}

fn strings(value: &Value) -> Option<Vec<String>> {
    value
        .as_array()?
        .iter()
        .map(|text| text.as_str().map(str::to_owned))
        .collect()
}

fn properties(known: &Map<String, Value>, others: Option<&Value>) -> Result<Demand, String> {
    let known: Result<Vec<_>, String> = known
        .iter()
        .map(|(name, schema)| Ok((name.clone(), Schema::new(schema)?)))
        .collect();
    let others = others.map(Schema::new).transpose()?;
    Ok(Demand::Properties(known?, others))
}

/// Numbers are equal whatever way they are written.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        _ => a == b,
    }
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|v| v.fract() == 0.0)
        }
        _ => false,
    }
}

impl Demand {
    /// A demand on another kind of value says nothing about this one.
    fn met(&self, value: &Value) -> bool {
        let number = |test: &dyn Fn(f64) -> bool| value.as_f64().is_none_or(test);
        match self {
            Self::Never => false,
            Self::Type(kinds) => kinds.iter().any(|kind| is_of(value, kind)),
            Self::OneOfValues(values) => values.iter().any(|known| same(known, value)),
            Self::Required(names) => value
                .as_object()
                .is_none_or(|map| names.iter().all(|name| map.contains_key(name))),
            Self::Properties(known, others) => value.as_object().is_none_or(|map| {
                map.iter().all(|(name, value)| {
                    let schema = known.iter().find(|(known, _)| known == name);
                    let schema = schema.map(|(_, schema)| schema).or(others.as_ref());
                    schema.is_none_or(|schema| schema.fits(value))
                })
            }),
            Self::Items(schema) => value
                .as_array()
                .is_none_or(|list| list.iter().all(|item| schema.fits(item))),
            Self::Minimum(min, strict) => number(&|v| if *strict { v > *min } else { v >= *min }),
            Self::Maximum(max, strict) => number(&|v| if *strict { v < *max } else { v <= *max }),
            Self::MultipleOf(by) => number(&|v| {
                let times = v / by;
                (times - times.round()).abs() < 1e-9
            }),
            Self::Length(min, max) => value
                .as_str()
                .is_none_or(|text| (*min..=*max).contains(&text.chars().count())),
            Self::Pattern(pattern) => value.as_str().is_none_or(|text| pattern.is_match(text)),
            Self::Count(min, max) => value
                .as_array()
                .is_none_or(|list| (*min..=*max).contains(&list.len())),
            Self::Entries(min, max) => value
                .as_object()
                .is_none_or(|map| (*min..=*max).contains(&map.len())),
            Self::Different => value.as_array().is_none_or(|list| {
                let mut rest = list.as_slice();
                while let Some((first, others)) = rest.split_first() {
                    if others.iter().any(|other| same(first, other)) {
                        return false;
                    }
                    rest = others;
                }
                true
            }),
            Self::All(schemas) => schemas.iter().all(|schema| schema.fits(value)),
            Self::Any(schemas) => schemas.iter().any(|schema| schema.fits(value)),
            Self::One(schemas) => schemas.iter().filter(|schema| schema.fits(value)).count() == 1,
            Self::Not(schema) => !schema.fits(value),
        }
    }
}
