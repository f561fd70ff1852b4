//! Cron expressions against recorded answers and against a plain search.
//!
//! The recorded answers come from croniter and from Airflow's own timetable, so
//! they pin what a migrated schedule would have done before.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use tidemill_core::timetable::CronExpr;

const CRONITER_ROWS: &str = include_str!("../data/cron_examples.tsv");
const AIRFLOW_ROWS: &str = include_str!("../data/cron_dst_examples.tsv");

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().expect("the instant is well formed")
}

fn cron(text: &str) -> CronExpr {
    CronExpr::parse(text).unwrap_or_else(|err| panic!("{text}: {err}"))
}

fn zone(name: &str) -> Tz {
    name.parse().expect("the zone exists")
}

fn following(expr: &CronExpr, zone: Tz, after: DateTime<Utc>, count: usize) -> Vec<DateTime<Utc>> {
    std::iter::successors(Some(after), |at| expr.next_after(zone, *at))
        .skip(1)
        .take(count)
        .collect()
}

/// Checks the runs after an instant, in both directions.
fn assert_runs(zone_name: &str, text: &str, after: &str, expected: &[&str]) {
    let (expr, zone) = (cron(text), zone(zone_name));
    let expected: Vec<_> = expected.iter().map(|at| utc(at)).collect();
    let found = following(&expr, zone, utc(after), expected.len());
    assert_eq!(found, expected, "{text} in {zone_name} after {after}");
    for pair in expected.windows(2) {
        let just_before = pair[1] - TimeDelta::seconds(1);
        assert_eq!(expr.last_at_or_before(zone, pair[1]), Some(pair[1]));
        assert_eq!(expr.last_at_or_before(zone, just_before), Some(pair[0]));
    }
}

fn rows(table: &str) -> impl Iterator<Item = Vec<&str>> {
    table
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| line.split('\t').collect())
}

#[test]
fn matches_every_answer_of_croniter() {
    let mut count = 0;
    for row in rows(CRONITER_ROWS) {
        let [text, after, expected] = row[..] else {
            panic!("a row has three columns: {row:?}");
        };
        assert_runs("UTC", text, after, &expected.split(',').collect::<Vec<_>>());
        count += 1;
    }
    assert_eq!(count, 60);
}

#[test]
fn matches_every_answer_of_airflow_around_clock_changes() {
    let mut count = 0;
    for row in rows(AIRFLOW_ROWS) {
        let [zone, text, after, expected] = row[..] else {
            panic!("a row has four columns: {row:?}");
        };
        assert_runs(zone, text, after, &expected.split(',').collect::<Vec<_>>());
        count += 1;
    }
    assert_eq!(count, 60);
}

#[test]
fn keeps_a_daily_hour_in_zurich_through_both_changes() {
    assert_runs(
        "Europe/Zurich",
        "0 3 * * *",
        "2023-03-24T12:00:00Z",
        &["2023-03-25T02:00:00Z", "2023-03-26T01:00:00Z"],
    );
    assert_runs(
        "Europe/Zurich",
        "0 3 * * *",
        "2023-10-27T12:00:00Z",
        &["2023-10-28T01:00:00Z", "2023-10-29T02:00:00Z"],
    );
}

#[test]
fn moves_a_skipped_hour_and_takes_the_second_of_a_repeated_one() {
    assert_runs(
        "Europe/Zurich",
        "0 2 * * *",
        "2023-03-25T12:00:00Z",
        &["2023-03-26T01:00:00Z", "2023-03-27T00:00:00Z"],
    );
    assert_runs(
        "Europe/Zurich",
        "0 2 * * *",
        "2023-10-28T12:00:00Z",
        &["2023-10-29T01:00:00Z", "2023-10-30T01:00:00Z"],
    );
    let inside_first_pass = "2023-10-29T00:30:00Z";
    assert_runs(
        "Europe/Zurich",
        "15 2 * * *",
        inside_first_pass,
        &["2023-10-29T01:15:00Z", "2023-10-30T01:15:00Z"],
    );
}

#[test]
fn fires_once_for_all_times_in_one_gap() {
    assert_runs(
        "Europe/Zurich",
        "0 2,3 * * *",
        "2023-03-25T12:00:00Z",
        &[
            "2023-03-26T01:00:00Z",
            "2023-03-27T00:00:00Z",
            "2023-03-27T01:00:00Z",
        ],
    );
    assert_runs(
        "Pacific/Apia",
        "0 6,18 * * *",
        "2011-12-29T20:00:00Z",
        &[
            "2011-12-30T04:00:00Z",
            "2011-12-30T10:00:00Z",
            "2011-12-30T16:00:00Z",
            "2011-12-31T04:00:00Z",
        ],
    );
}

#[test]
fn keeps_a_half_hourly_pace_through_both_changes() {
    let expr = cron("*/30 * * * *");
    let half_hour = TimeDelta::minutes(30);
    for name in ["Europe/Zurich", "America/Los_Angeles", "Asia/Kolkata"] {
        for start in ["2023-03-11T00:00:00Z", "2023-10-28T00:00:00Z"] {
            let mut last = utc(start);
            for at in following(&expr, zone(name), utc(start), 48 * 21) {
                assert_eq!(at - last, half_hour, "{name} at {at}");
                last = at;
            }
        }
    }
}

#[test]
fn follows_real_time_by_the_clock_of_the_zone() {
    assert_runs(
        "Australia/Lord_Howe",
        "0 * * * *",
        "2023-09-30T14:00:00Z",
        &[
            "2023-09-30T14:30:00Z",
            "2023-09-30T16:00:00Z",
            "2023-09-30T17:00:00Z",
        ],
    );
    assert_runs(
        "Australia/Lord_Howe",
        "45 * * * *",
        "2023-04-01T13:00:00Z",
        &[
            "2023-04-01T13:45:00Z",
            "2023-04-01T14:45:00Z",
            "2023-04-01T15:15:00Z",
            "2023-04-01T16:15:00Z",
        ],
    );
    assert_runs(
        "America/Los_Angeles",
        "30 * * * *",
        "2023-11-05T07:00:00Z",
        &[
            "2023-11-05T07:30:00Z",
            "2023-11-05T08:30:00Z",
            "2023-11-05T09:30:00Z",
            "2023-11-05T10:30:00Z",
        ],
    );
}

#[test]
fn handles_half_hour_shifts_and_changes_at_midnight() {
    assert_runs(
        "Australia/Lord_Howe",
        "15 2 * * *",
        "2023-09-30T12:00:00Z",
        &["2023-09-30T15:30:00Z", "2023-10-01T15:15:00Z"],
    );
    assert_runs(
        "America/Los_Angeles",
        "30 2 * * *",
        "2023-03-11T12:00:00Z",
        &["2023-03-12T10:00:00Z", "2023-03-13T09:30:00Z"],
    );
    assert_runs(
        "America/Los_Angeles",
        "30 1 * * *",
        "2023-11-04T12:00:00Z",
        &["2023-11-05T09:30:00Z", "2023-11-06T09:30:00Z"],
    );
    assert_runs(
        "America/Sao_Paulo",
        "0 0 * * *",
        "2018-11-03T12:00:00Z",
        &["2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"],
    );
    assert_runs(
        "Africa/Cairo",
        "0 0 * * *",
        "2023-10-25T12:00:00Z",
        &[
            "2023-10-25T21:00:00Z",
            "2023-10-26T22:00:00Z",
            "2023-10-27T22:00:00Z",
        ],
    );
}

#[test]
fn ends_with_the_years_that_are_searched() {
    let expr = cron("0 3 * * *");
    let last = utc("2100-12-31T03:00:00Z");
    assert_eq!(expr.next_after(Tz::UTC, last), None);
    assert_eq!(
        expr.next_after(Tz::UTC, last - TimeDelta::seconds(1)),
        Some(last)
    );
    assert_eq!(expr.next_after(Tz::UTC, DateTime::<Utc>::MAX_UTC), None);
    assert_eq!(
        expr.last_at_or_before(Tz::UTC, DateTime::<Utc>::MAX_UTC),
        Some(last)
    );
    let first = utc("1970-01-01T03:00:00Z");
    assert_eq!(
        expr.next_after(Tz::UTC, DateTime::<Utc>::MIN_UTC),
        Some(first)
    );
    assert_eq!(
        expr.last_at_or_before(Tz::UTC, first - TimeDelta::nanoseconds(1)),
        None
    );
    assert_eq!(
        expr.last_at_or_before(Tz::UTC, DateTime::<Utc>::MIN_UTC),
        None
    );
}

#[test]
fn treats_parts_of_a_second_exactly() {
    let expr = cron("0 3 * * *");
    let run = utc("2024-05-01T03:00:00Z");
    let tick = TimeDelta::nanoseconds(1);
    assert_eq!(expr.next_after(Tz::UTC, run - tick), Some(run));
    assert_eq!(expr.last_at_or_before(Tz::UTC, run + tick), Some(run));
    assert_eq!(
        expr.last_at_or_before(Tz::UTC, run - tick),
        Some(run - TimeDelta::days(1))
    );
}
