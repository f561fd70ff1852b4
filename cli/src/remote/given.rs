//! What people give on the command line: params, times.

use std::io::Read as _;
use std::path::PathBuf;

use chrono::{Days, NaiveDate, TimeDelta};
use chrono_tz::Tz;
use clap::Args;
use serde_json::{Map, Value};
use tidemill_core::spec::parse_date;
use tidemill_core::time::Timestamp;

use crate::output::Output;

/// The params of a run.
#[derive(Debug, Args)]
pub(crate) struct ParamArgs {
    /// A param: JSON where the value reads as JSON, else text. May be given again.
    #[arg(long = "param", value_name = "KEY=VALUE")]
    param: Vec<String>,
    /// A file with the params as a JSON object; `-` for stdin. `--param` goes over what is in it.
    #[arg(long, value_name = "FILE")]
    params: Option<PathBuf>,
}

impl ParamArgs {
    /// The params as they were given; null if none were.
    ///
    /// # Errors
    /// What a command prints about one that does not read.
    pub(crate) fn value(&self) -> Result<Value, Output> {
        let mut all = match &self.params {
            None if self.param.is_empty() => return Ok(Value::Null),
            None => Map::new(),
            Some(file) => object(file)?,
        };
        for param in &self.param {
            let Some((key, text)) = param.split_once('=').filter(|(key, _)| !key.is_empty()) else {
                let message = format_args!("`--param {param}` has no value");
                return Err(Output::usage(message, "write `--param key=value`"));
            };
            let value =
                serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
            all.insert(key.to_owned(), value);
        }
        Ok(Value::Object(all))
    }
}

fn object(file: &std::path::Path) -> Result<Map<String, Value>, Output> {
    let shown = file.display();
    let mut text = String::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).map(|_| ())
    } else {
        std::fs::read_to_string(file).map(|read| text = read)
    };
    read.map_err(|error| {
        Output::usage(
            format_args!("cannot read params from `{shown}`: {error}"),
            "",
        )
    })?;
    match serde_json::from_str(&text) {
        Ok(Value::Object(all)) => Ok(all),
        Ok(_) => Err(Output::usage(
            format_args!("the params in `{shown}` are no JSON object"),
            "write {\"key\": value, …}",
        )),
        Err(error) => Err(Output::usage(
            format_args!("the params in `{shown}` do not read: {error}"),
            "",
        )),
    }
}

/// A time that a person writes: a day in the DAG's zone, or an instant.
#[derive(Debug, Clone)]
pub(crate) struct When(String);

impl std::str::FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Whether it reads does not depend on the zone.
        parse_date(text, Tz::UTC).map_err(|error| error.to_string())?;
        Ok(Self(text.to_owned()))
    }
}

impl When {
    /// When it begins.
    pub(crate) fn begins(&self, zone: Tz) -> Result<Timestamp, Output> {
        let at = parse_date(&self.0, zone).map_err(|error| Output::usage(error, ""))?;
        Ok(at.into())
    }

    /// The last instant of it: a day is meant with all its hours.
    pub(crate) fn ends(&self, zone: Tz) -> Result<Timestamp, Output> {
        match self
            .day()
            .and_then(|day| day.checked_add_days(Days::new(1)))
        {
            None => self.begins(zone),
            Some(next) => {
                let next = Self(next.to_string()).begins(zone)?;
                Ok((next.date() - TimeDelta::microseconds(1)).into())
            }
        }
    }

    /// The day, if it is one.
    pub(crate) fn day(&self) -> Option<NaiveDate> {
        NaiveDate::parse_from_str(&self.0, "%Y-%m-%d").ok()
    }
}

/// From a time to a time.
#[derive(Debug, Default, Args)]
pub(crate) struct Span {
    /// Only runs that cover a time from here on: a day in the DAG's zone, or an instant.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<When>,
    /// Only runs that cover a time up to here; a day is meant with all its hours.
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<When>,
}

impl Span {
    /// Both ends, where they are given.
    pub(crate) fn ends(&self, zone: Tz) -> Result<(Option<Timestamp>, Option<Timestamp>), Output> {
        let from = self.from.as_ref().map(|from| from.begins(zone));
        let to = self.to.as_ref().map(|to| to.ends(zone));
        Ok((from.transpose()?, to.transpose()?))
    }

    pub(crate) const fn is_given(&self) -> bool {
        self.from.is_some() || self.to.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(param: &[&str]) -> Result<Value, Output> {
        let param = param.iter().map(|text| (*text).to_owned()).collect();
        ParamArgs {
            param,
            params: None,
        }
        .value()
    }

    #[test]
    fn a_value_is_json_if_it_reads_as_that() {
        let given = params(&[
            "n=1",
            "s=one two",
            "list=[1,2]",
            "eq=a=b",
            "quoted=\"1\"",
            "none=",
        ]);
        assert_eq!(
            given.unwrap(),
            serde_json::json!({ "n": 1, "s": "one two", "list": [1, 2], "eq": "a=b", "quoted": "1", "none": "" })
        );
        assert_eq!(params(&[]).unwrap(), Value::Null);
        assert_eq!(params(&["n"]).unwrap_err().code, 2);
    }

    #[test]
    fn a_day_has_all_its_hours_in_its_zone() {
        let day: When = "2025-03-30".parse().unwrap();
        let zone = Tz::Europe__Berlin;
        assert_eq!(
            day.begins(zone).unwrap().to_string(),
            "2025-03-29T23:00:00Z"
        );
        assert_eq!(
            day.ends(zone).unwrap().to_string(),
            "2025-03-30T21:59:59.999999Z"
        );
        let instant: When = "2025-03-30T06:00:00Z".parse().unwrap();
        assert_eq!(instant.begins(zone).unwrap(), instant.ends(zone).unwrap());
        assert!("soon".parse::<When>().is_err());
    }
}
