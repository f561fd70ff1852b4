//! Params: what can be given to a run. A struct of the author's describes them; forms, JSON Schema and checks follow
//! from it. Values are checked here and nowhere else: in `dags validate`, when a run is triggered, in the testing kit.

use chrono::{DateTime, NaiveDate, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::id::nearest;
use crate::spec::is_default;

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
    /// A whole number.
    Integer,
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

    /// Narrows the limits.
    #[must_use]
    pub fn limit(mut self, narrow: impl FnOnce(&mut Limits)) -> Self {
        narrow(&mut self.limits);
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
            let plain = Value::Object(schema.clone());
            schema = Map::from_iter([("anyOf".to_owned(), json!([plain, { "type": "null" }]))]);
        }
        Value::Object(schema)
    }

    /// Whole numbers are shown without a fraction.
    fn number(&self, number: f64) -> Value {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a limit of a whole number is one"
        )]
        if matches!(self.kind, ParamKind::Integer) {
            json!(number as i64)
        } else {
            json!(number)
        }
    }

    /// Everything that is wrong with a value, each as a sentence; nothing if it is right.
    #[must_use]
    pub fn check(&self, value: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        if !(value.is_null() && self.optional) {
            self.check_at(&self.name, value, &mut wrong);
        }
        wrong
    }

    fn check_at(&self, path: &str, value: &Value, wrong: &mut Vec<String>) {
        if !check_kind(path, &self.kind, value, wrong) {
            return;
        }
        let limits = &self.limits;
        if let Some(number) = value.as_f64() {
            if let Some(min) = limits.min.filter(|min| number < *min) {
                wrong.push(format!(
                    "param `{path}` is {value}, the least is {}",
                    self.number(min)
                ));
            }
            if let Some(max) = limits.max.filter(|max| number > *max) {
                wrong.push(format!(
                    "param `{path}` is {value}, the most is {}",
                    self.number(max)
                ));
            }
        }
        let length = match value {
            Value::String(text) => Some((text.chars().count() as u64, "characters")),
            Value::Array(items) => Some((items.len() as u64, "elements")),
            _ => None,
        };
        if let Some((length, unit)) = length {
            if let Some(min) = limits.length_min.filter(|min| length < *min) {
                wrong.push(format!(
                    "param `{path}` has {length} {unit}, the least is {min}"
                ));
            }
            if let Some(max) = limits.length_max.filter(|max| length > *max) {
                wrong.push(format!(
                    "param `{path}` has {length} {unit}, the most is {max}"
                ));
            }
        }
        if let (Some(pattern), Value::String(text)) = (&limits.pattern, value) {
            match whole_match(pattern) {
                Ok(regex) if regex.is_match(text) => {}
                Ok(_) => wrong.push(format!(
                    "param `{path}` does not match the pattern {pattern}"
                )),
                Err(why) => wrong.push(format!(
                    "the pattern of param `{path}` cannot be read: {why}"
                )),
            }
        }
        if !limits.one_of.is_empty() && !limits.one_of.contains(value) {
            let known: Vec<String> = limits.one_of.iter().map(shown).collect();
            wrong.push(format!(
                "param `{path}` is {}, it must be one of {}",
                shown(value),
                known.join(", ")
            ));
        }
    }
}

/// The largest pattern that is compiled, so that a hostile definition cannot fill memory.
const PATTERN_BYTES_MAX: usize = 1 << 18;

pub(crate) fn whole_match(pattern: &str) -> Result<regex::Regex, String> {
    let whole = format!("^(?:{pattern})$");
    let built = regex::RegexBuilder::new(&whole)
        .size_limit(PATTERN_BYTES_MAX)
        .build();
    built.map_err(|why| {
        why.to_string()
            .lines()
            .last()
            .unwrap_or_default()
            .to_owned()
    })
}

fn shown(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn check_kind(path: &str, kind: &ParamKind, value: &Value, wrong: &mut Vec<String>) -> bool {
    let (right, wanted) = match kind {
        ParamKind::Text => (value.is_string(), "a text"),
        ParamKind::Integer => (value.is_i64() || value.is_u64(), "a whole number"),
        ParamKind::Number => (value.is_number(), "a number"),
        ParamKind::Boolean => (value.is_boolean(), "true or false"),
        ParamKind::Date => (
            value
                .as_str()
                .is_some_and(|text| text.parse::<NaiveDate>().is_ok()),
            "a date like 2025-01-31",
        ),
        ParamKind::Instant => {
            let right = value
                .as_str()
                .is_some_and(|text| DateTime::parse_from_rfc3339(text).is_ok());
            (right, "an instant like 2025-01-31T06:00:00Z")
        }
        ParamKind::Json => (true, ""),
        ParamKind::List(item) => {
            let Some(items) = value.as_array() else {
                wrong.push(format!("param `{path}` must be a list"));
                return false;
            };
            for (nth, value) in items
                .iter()
                .enumerate()
                .filter(|(_, value)| !(item.optional && value.is_null()))
            {
                item.check_at(&format!("{path}[{nth}]"), value, wrong);
            }
            return true;
        }
        ParamKind::Object(fields) => {
            let Some(given) = value.as_object() else {
                wrong.push(format!("param `{path}` must be an object"));
                return false;
            };
            complete_at(path, fields, given, wrong);
            return true;
        }
    };
    if !right {
        wrong.push(format!(
            "param `{path}` is {}, it must be {wanted}",
            shown(value)
        ));
    }
    right
}

/// Checks the params given to a run and fills in the defaults.
///
/// # Errors
/// Everything that is wrong, each as a sentence.
pub fn complete(specs: &[ParamSpec], given: &Value) -> Result<Value, Vec<String>> {
    let none = Map::new();
    let given = match given {
        Value::Null => &none,
        Value::Object(given) => given,
        _ => return Err(vec!["params must be a JSON object".to_owned()]),
    };
    let mut wrong = Vec::new();
    let full = complete_at("", specs, given, &mut wrong);
    if wrong.is_empty() {
        Ok(Value::Object(full))
    } else {
        Err(wrong)
    }
}

fn complete_at(
    around: &str,
    specs: &[ParamSpec],
    given: &Map<String, Value>,
    wrong: &mut Vec<String>,
) -> Map<String, Value> {
    let path = |name: &str| {
        if around.is_empty() {
            name.to_owned()
        } else {
            format!("{around}.{name}")
        }
    };
    for name in given
        .keys()
        .filter(|name| !specs.iter().any(|spec| spec.name == **name))
    {
        let near = nearest(name, specs.iter().map(|spec| spec.name.as_str()));
        let hint = near
            .map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default();
        wrong.push(format!("there is no param `{}`{hint}", path(name)));
    }
    let mut full = Map::new();
    for spec in specs {
        match given.get(&spec.name).or(spec.default.as_ref()) {
            Some(Value::Null) if spec.optional => {
                full.insert(spec.name.clone(), Value::Null);
            }
            Some(value) => {
                spec.check_at(&path(&spec.name), value, wrong);
                full.insert(spec.name.clone(), value.clone());
            }
            None => wrong.push(format!(
                "param `{}` has no default, so it must be given",
                path(&spec.name)
            )),
        }
    }
    full
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
        ParamKind::Integer => json!({ "type": "integer" }),
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
        ParamKind::Integer
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
