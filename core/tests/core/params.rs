//! Params: what a struct makes of them, what is filled in, what is refused and how it is said.

use chrono::NaiveDate;
use serde_json::{Value, json};
use tidemill_core::params::{Params, complete, schema};
use tidemill_macros::{Choice, params};

#[derive(Debug, Clone, PartialEq, Choice)]
enum Region {
    Eu,
    NorthAmerica,
}

/// Where the files are.
#[params]
struct Place {
    #[param(default = "gs://crm", pattern = "gs://[a-z]+")]
    bucket: String,
}

#[params]
struct Everything {
    /// How many rows a page has.
    #[param(default = 500, min = 1, max = 1_000)]
    page_size: u32,
    #[param(default = 0.5, max = 1)]
    share: f64,
    #[param(default = Region::NorthAmerica)]
    region: Region,
    day: Option<NaiveDate>,
    #[param(default = vec![1_u8], length_min = 1, length_max = 3)]
    shards: Vec<u8>,
    #[param(default = Place { bucket: "gs://crm".to_owned() })]
    place: Place,
    #[param(length_max = 5)]
    name: String,
}

fn given(value: Value) -> Result<Everything, Vec<String>> {
    let full = complete(&Everything::specs(), &value)?;
    Ok(serde_json::from_value(full).expect("what was checked fits the struct"))
}

#[test]
fn defaults_are_filled_in_and_the_result_fits_the_struct() {
    let params = given(json!({ "name": "ünïc", "day": "2025-01-31" })).unwrap();
    assert_eq!(params.page_size, 500);
    assert_eq!(params.region, Region::NorthAmerica);
    assert_eq!(params.place.bucket, "gs://crm");
    assert_eq!(params.day.unwrap().to_string(), "2025-01-31");
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let wrong = given(json!({
        "page_sise": 1, "page_size": 0, "share": "half", "region": "asia", "day": "31.01.2025",
        "shards": [1, 300, "x"], "place": { "bucket": "s3://x", "key": 1 },
    }));
    assert_eq!(
        wrong.unwrap_err(),
        [
            "there is no param `page_sise`; did you mean `page_size`?",
            "param `page_size` is 0, the least is 1",
            "param `share` is \"half\", it must be a number",
            "param `region` is \"asia\", it must be one of \"eu\", \"north_america\"",
            "param `day` is \"31.01.2025\", it must be a date like 2025-01-31",
            "param `shards[1]` is 300, the most is 255",
            "param `shards[2]` is \"x\", it must be a whole number",
            "there is no param `place.key`; known: `place.bucket`",
            "param `place.bucket` is \"s3://x\", which does not match the pattern gs://[a-z]+",
            "param `name` has no default, so it must be given",
        ]
    );
    assert_eq!(
        given(json!([1])).unwrap_err(),
        ["params must be a JSON object"]
    );
}

#[test]
fn what_passes_the_check_always_fits_the_type() {
    for number in [json!(-1), json!(4_294_967_296_u64), json!(1.5), json!(null)] {
        assert!(
            given(json!({ "name": "x", "page_size": number })).is_err(),
            "{number}"
        );
    }
    assert!(given(json!({ "name": "x", "shards": [256] })).is_err());
}

#[test]
fn the_schema_says_the_same() {
    let schema = schema(&Everything::specs());
    let of = |name: &str| &schema["properties"][name];
    assert_eq!(
        of("page_size"),
        &json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": 500, "description": "How many rows a page has." })
    );
    assert_eq!(of("region")["enum"], json!(["eu", "north_america"]));
    assert_eq!(of("day")["anyOf"][0]["format"], json!("date"));
    assert_eq!(of("shards")["maxItems"], json!(3));
    assert_eq!(of("shards")["items"]["maximum"], json!(255));
    assert_eq!(
        of("place")["properties"]["bucket"]["pattern"],
        json!("^(?:gs://[a-z]+)$")
    );
    assert_eq!(schema["required"], json!(["name"]));
}

#[test]
fn defaults_inside_an_object_are_filled_in_too() {
    for place in [json!({}), json!({ "bucket": "gs://b" })] {
        assert!(given(json!({ "name": "x", "place": place })).is_ok());
    }
}

#[params]
struct Tight {
    #[param(default = 1, min = -5, max = 10_000_000_000_u64)]
    small: u32,
    #[param(default = 0)]
    large: i64,
    #[param(default = vec!["eu".to_owned()], one_of = ["eu", "us"], length_max = 2)]
    markets: Vec<String>,
}

#[test]
fn limits_narrow_a_type_and_reach_the_elements_of_a_list() {
    let wrong = |value: Value| complete(&Tight::specs(), &value).is_err();
    assert!(wrong(json!({ "small": -1 })) && wrong(json!({ "small": 5_000_000_000_u64 })));
    assert!(wrong(json!({ "large": 9_223_372_036_854_775_808_u64 })));
    assert!(
        wrong(json!({ "markets": ["asia"] })) && wrong(json!({ "markets": ["eu", "us", "eu"] }))
    );
    assert!(!wrong(
        json!({ "markets": ["us", "eu"], "large": i64::MIN })
    ));
    assert!(
        given(json!({ "name": "x", "day": "2025-1-5" })).is_err(),
        "a date has one way to be written"
    );
}

#[test]
fn what_is_nested_too_deep_is_refused_before_it_is_read() {
    let nested = |depth: usize| (1..depth).fold(json!({}), |value, _| json!({ "x": value }));
    let says = |depth| complete(&[], &nested(depth)).unwrap_err().join("; ");
    assert!(says(65).contains("depth of 64"), "{}", says(65));
    assert!(says(64).contains("no param `x`"), "{}", says(64));
}
