//! Params: what can be given to a run. A struct of the author's describes them; forms, JSON Schema and checks follow
//! from it. Values are checked here and nowhere else: in `dags validate`, when a run is triggered, in the testing kit.

mod check;

use chrono::{DateTime, NaiveDate, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::spec::is_default;

pub use check::complete;
pub(crate) use check::whole_match;

/// A run's params are a struct of these.
pub trait Params: Serialize + DeserializeOwned + Send + 'static {
    /// Its fields.
    fn specs() -> Vec<ParamSpec>;
}

/// A DAG without params.
impl Params for () {
    fn specs() -> Vec<ParamSpec> {
        Vec::new()
    }
}

/// What kind of value a param takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParamKind {
    /// A text.
    Text,
    /// A whole number of 64 bits.
    Integer,
    /// A whole number of 64 bits that is not negative.
    Unsigned,
    /// A number.
    Number,
    /// Yes or no.
    Boolean,
    /// A date, `2025-01-31`.
    Date,
    /// An instant, `2025-01-31T06:00:00Z`.
    Instant,
    /// A list of these.
    List(Box<ParamSpec>),
    /// Fields of its own.
    Object(Vec<ParamSpec>),
    /// Any JSON.
    Json,
}

/// A type that a field of params can have.
pub trait ParamType {
    /// What kind of value it takes.
    fn kind() -> ParamKind;

    /// Whether it may be left out and is then null.
    const OPTIONAL: bool = false;

    /// The limits that the type itself sets.
    #[must_use]
    fn limits() -> Limits {
        Limits::default()
    }
}

/// What values a param takes within its kind.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The smallest number.
    #[serde(skip_serializing_if = "is_default")]
    pub min: Option<f64>,
    /// The largest number.
    #[serde(skip_serializing_if = "is_default")]
    pub max: Option<f64>,
    /// The shortest text or list.
    #[serde(skip_serializing_if = "is_default")]
    pub length_min: Option<u64>,
    /// The longest text or list.
    #[serde(skip_serializing_if = "is_default")]
    pub length_max: Option<u64>,
    /// A regular expression that the whole text matches.
    #[serde(skip_serializing_if = "is_default")]
    pub pattern: Option<String>,
    /// The only values allowed.
    #[serde(skip_serializing_if = "is_default")]
    pub one_of: Vec<Value>,
}

impl Limits {
    /// What is in these limits and in those: the range of a type cannot be widened.
    fn narrow(&mut self, given: Self) {
        let both = |a: Option<f64>, b: Option<f64>, pick: fn(f64, f64) -> f64| match (a, b) {
            (Some(a), Some(b)) => Some(pick(a, b)),
            (a, b) => a.or(b),
        };
        self.min = both(self.min, given.min, f64::max);
        self.max = both(self.max, given.max, f64::min);
        self.length_min = self.length_min.max(given.length_min);
        self.length_max = given.length_max.or(self.length_max);
        self.pattern = given.pattern.or(self.pattern.take());
        if !given.one_of.is_empty() {
            self.one_of = given.one_of;
        }
    }
}

/// One param.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParamSpec {
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "is_default")]
    pub description: String,
    /// What kind of value it takes.
    pub kind: ParamKind,
    /// Whether null is allowed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub optional: bool,
    /// The value when none is given; without one it has to be given.
    #[serde(default, skip_serializing_if = "is_default")]
    pub default: Option<Value>,
    /// What values it takes within its kind.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: Limits,
}

impl ParamSpec {
    /// A param of this type.
    #[must_use]
    pub fn of<T: ParamType>(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: String::new(),
            kind: T::kind(),
            optional: T::OPTIONAL,
            default: T::OPTIONAL.then_some(Value::Null),
            limits: T::limits(),
        }
    }

    /// What it is for.
    #[must_use]
    pub fn describe(mut self, description: &str) -> Self {
        description.trim().clone_into(&mut self.description);
        self
    }

    /// The value when none is given.
    #[must_use]
    pub fn default_value<T: Serialize>(mut self, value: T) -> Self {
        self.default = serde_json::to_value(value).ok();
        self
    }

    /// Narrows the limits. Of a list, lengths are those of the list, everything else is said of its elements.
    #[must_use]
    pub fn limit(mut self, narrow: impl FnOnce(&mut Limits)) -> Self {
        let mut given = Limits::default();
        narrow(&mut given);
        if let ParamKind::List(item) = &mut self.kind {
            let (length_min, length_max) = (given.length_min.take(), given.length_max.take());
            item.limits.narrow(given);
            given = Limits {
                length_min,
                length_max,
                ..Limits::default()
            };
        }
        self.limits.narrow(given);
        self
    }

    /// The JSON Schema of its value.
    #[must_use]
    pub fn schema(&self) -> Value {
        let mut schema = kind_schema(&self.kind);
        let limits = &self.limits;
        let length = if matches!(self.kind, ParamKind::List(_)) {
            "Items"
        } else {
            "Length"
        };
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                schema.insert(key.to_owned(), value);
            }
        };
        put("minimum", limits.min.map(|min| self.number(min)));
        put("maximum", limits.max.map(|max| self.number(max)));
        put(&format!("min{length}"), limits.length_min.map(Value::from));
        put(&format!("max{length}"), limits.length_max.map(Value::from));
        put(
            "pattern",
            limits
                .pattern
                .as_ref()
                .map(|pattern| json!(format!("^(?:{pattern})$"))),
        );
        put(
            "enum",
            (!limits.one_of.is_empty()).then(|| json!(limits.one_of)),
        );
        put(
            "description",
            (!self.description.is_empty()).then(|| json!(self.description)),
        );
        put("default", self.default.clone());
        if self.optional {
            let outside: Vec<(String, Value)> = ["description", "default"]
                .iter()
                .filter_map(|key| schema.remove_entry(*key))
                .collect();
            schema = Map::from_iter([("anyOf".to_owned(), json!([schema, { "type": "null" }]))]);
            schema.extend(outside);
        }
        Value::Object(schema)
    }

    /// Whole numbers are shown without a fraction.
    fn number(&self, number: f64) -> Value {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a limit of a whole number is one"
        )]
        if matches!(self.kind, ParamKind::Integer | ParamKind::Unsigned) {
            json!(number as i64)
        } else {
            json!(number)
        }
    }
}

/// The JSON Schema of all params of a DAG.
#[must_use]
pub fn schema(specs: &[ParamSpec]) -> Value {
    let properties: Map<String, Value> = specs
        .iter()
        .map(|spec| (spec.name.clone(), spec.schema()))
        .collect();
    let required: Vec<&str> = specs
        .iter()
        .filter(|spec| spec.default.is_none())
        .map(|spec| spec.name.as_str())
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn kind_schema(kind: &ParamKind) -> Map<String, Value> {
    let schema = match kind {
        ParamKind::Text => json!({ "type": "string" }),
        ParamKind::Integer | ParamKind::Unsigned => json!({ "type": "integer" }),
        ParamKind::Number => json!({ "type": "number" }),
        ParamKind::Boolean => json!({ "type": "boolean" }),
        ParamKind::Date => json!({ "type": "string", "format": "date" }),
        ParamKind::Instant => json!({ "type": "string", "format": "date-time" }),
        ParamKind::List(item) => json!({ "type": "array", "items": item.schema() }),
        ParamKind::Object(fields) => {
            let mut schema = schema(fields);
            if let Some(map) = schema.as_object_mut() {
                map.remove("$schema");
            }
            schema
        }
        ParamKind::Json => json!({}),
    };
    schema.as_object().cloned().unwrap_or_default()
}

macro_rules! param_types {
    ($($type:ty => $kind:ident),+ $(,)?) => {
        $(impl ParamType for $type {
            fn kind() -> ParamKind {
                ParamKind::$kind
            }
        })+
    };
}
param_types! {
    String => Text, bool => Boolean, f32 => Number, f64 => Number,
    NaiveDate => Date, DateTime<Utc> => Instant, Value => Json,
}

macro_rules! integer_types {
    ($($type:ty),+) => {
        $(impl ParamType for $type {
            fn kind() -> ParamKind {
                ParamKind::Integer
            }

            fn limits() -> Limits {
                #[expect(clippy::allow_attributes, reason = "whether the cast loses digits depends on the type")]
                #[allow(clippy::cast_precision_loss, clippy::cast_lossless, reason = "a bound may be off by less than it is large")]
                let (min, max) = (<$type>::MIN as f64, <$type>::MAX as f64);
                Limits { min: Some(min), max: Some(max), ..Limits::default() }
            }
        })+
    };
}
integer_types!(i8, i16, i32, u8, u16, u32);

impl ParamType for i64 {
    fn kind() -> ParamKind {
        ParamKind::Integer
    }
}

impl ParamType for u64 {
    fn kind() -> ParamKind {
        ParamKind::Unsigned
    }

    fn limits() -> Limits {
        Limits {
            min: Some(0.0),
            ..Limits::default()
        }
    }
}

impl<T: ParamType> ParamType for Vec<T> {
    fn kind() -> ParamKind {
        ParamKind::List(Box::new(ParamSpec::of::<T>("item")))
    }
}

impl<T: ParamType> ParamType for Option<T> {
    const OPTIONAL: bool = true;

    fn kind() -> ParamKind {
        T::kind()
    }

    fn limits() -> Limits {
        T::limits()
    }
}
