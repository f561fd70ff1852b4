//! What a test gives to a run, whether it is that of a task or of a whole DAG.

use chrono::{DateTime, Days, NaiveTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use tidemill_core::author::Dag;
use tidemill_core::operator::Interval;
use tidemill_core::spec::parse_date;

use super::host::Fakes;

/// The day that is covered if nothing is said.
pub(super) const DAY: &str = "2025-01-01";

pub(super) struct Given {
    pub(super) interval: Interval,
    pub(super) now: Option<DateTime<Utc>>,
    pub(super) params: Map<String, Value>,
    pub(super) fakes: Fakes,
}

impl Given {
    #[track_caller]
    pub(super) fn new(dag: &Dag) -> Self {
        Self {
            interval: day_of(dag, DAY),
            now: None,
            params: Map::new(),
            fakes: Fakes::default(),
        }
    }

    pub(super) fn begin(&self) -> DateTime<Utc> {
        self.now.unwrap_or(self.interval.end)
    }
}

/// A value as JSON; a test cannot go on without it.
#[track_caller]
pub(super) fn to_json(value: impl Serialize) -> Value {
    serde_json::to_value(value)
        .unwrap_or_else(|error| panic!("the value cannot be written as JSON: {error}"))
}

/// A day in the DAG's time zone.
#[track_caller]
pub(super) fn day_of(dag: &Dag, date: &str) -> Interval {
    match parse_date(date, dag.spec().definition.zone()) {
        Ok(start) => day_from(dag, start),
        Err(error) => panic!("{error}"),
    }
}

/// From this instant to the next midnight in the DAG's time zone.
pub(super) fn day_from(dag: &Dag, start: DateTime<Utc>) -> Interval {
    let zone = dag.spec().definition.zone();
    let next = start.with_timezone(&zone).date_naive() + Days::new(1);
    let end = tidemill_core::timetable::resolve(zone, next.and_time(NaiveTime::MIN));
    Interval { start, end }
}

/// The settings that both kinds of runs have. They need `self.dag` and `self.given`.
macro_rules! settings {
    () => {
        /// The run covers this day, in the DAG's time zone; 1 January 2025 if nothing is said.
        ///
        /// # Panics
        /// It is no date.
        #[track_caller]
        pub fn day(mut self, date: &str) -> Self {
            self.given.interval = crate::testing::given::day_of(self.dag, date);
            self
        }

        /// The run covers this time.
        pub fn interval(
            mut self,
            start: ::chrono::DateTime<::chrono::Utc>,
            end: ::chrono::DateTime<::chrono::Utc>,
        ) -> Self {
            self.given.interval = ::tidemill_core::operator::Interval { start, end };
            self
        }

        /// The virtual clock begins here; at the end of the interval if nothing is said.
        pub fn at(mut self, now: ::chrono::DateTime<::chrono::Utc>) -> Self {
            self.given.now = Some(now);
            self
        }

        /// A param of the run.
        #[track_caller]
        pub fn param(mut self, name: &str, value: impl ::serde::Serialize) -> Self {
            let value = crate::testing::given::to_json(value);
            self.given.params.insert(name.to_owned(), value);
            self
        }

        /// A connection that tasks find.
        pub fn connection(mut self, connection: ::tidemill_core::operator::Connection) -> Self {
            let name = connection.name.clone();
            self.given.fakes.connections.insert(name, connection);
            self
        }

        /// A variable that tasks find.
        pub fn variable(mut self, name: &str, value: &str) -> Self {
            let variables = &mut self.given.fakes.variables;
            variables.insert(name.to_owned(), value.to_owned());
            self
        }

        /// A fake service, found by its type.
        pub fn service<T: ::std::any::Any + Send + Sync>(
            mut self,
            service: ::std::sync::Arc<T>,
        ) -> Self {
            let services = &mut self.given.fakes.services;
            services.insert(::std::any::TypeId::of::<T>(), service);
            self
        }
    };
}
pub(super) use settings;
