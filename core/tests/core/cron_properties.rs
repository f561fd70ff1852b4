//! Cron expressions against a plain enumeration of local times.
//!
//! The enumeration maps local times to instants through chrono-tz's own local
//! time functions, which the module under test does not use, so a shared
//! mistake is unlikely.

use chrono::{DateTime, Datelike, LocalResult, NaiveDate, NaiveDateTime, TimeDelta, TimeZone};
use chrono::{Timelike, Utc, Weekday};
use chrono_tz::{GapInfo, TZ_VARIANTS, Tz};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;
use tidemill_core::timetable::CronExpr;

/// Zones whose clocks change in unusual ways: at midnight, by half an hour, by
/// three hours, by a whole day, or twice around Ramadan.
const ODD_ZONES: [Tz; 16] = [
    Tz::UTC,
    Tz::Pacific__Apia,
    Tz::Australia__Lord_Howe,
    Tz::America__Havana,
    Tz::Asia__Beirut,
    Tz::Africa__Cairo,
    Tz::Africa__Casablanca,
    Tz::America__Sao_Paulo,
    Tz::Antarctica__Casey,
    Tz::Antarctica__Troll,
    Tz::Asia__Kathmandu,
    Tz::Asia__Tehran,
    Tz::America__Caracas,
    Tz::Asia__Pyongyang,
    Tz::Europe__Zurich,
    Tz::America__Los_Angeles,
];

type Due = fn(NaiveDate) -> bool;

/// Expressions with one time on each day that is due, and the days themselves.
const ONCE_A_DAY: [(&str, u32, u32, Due); 20] = [
    ("0 0 * * *", 0, 0, |_| true),
    ("30 0 * * *", 0, 30, |_| true),
    ("0 1 * * *", 1, 0, |_| true),
    ("30 2 * * *", 2, 30, |_| true),
    ("0 3 * * *", 3, 0, |_| true),
    ("59 23 * * *", 23, 59, |_| true),
    ("15 1 * * 1-5", 1, 15, |day| !is_weekend(day)),
    ("0 2 * * sat,sun", 2, 0, is_weekend),
    ("0 0 * * 0", 0, 0, |day| day.weekday() == Weekday::Sun),
    ("45 2 * * 7", 2, 45, |day| day.weekday() == Weekday::Sun),
    ("0 2 1 * *", 2, 0, |day| day.day() == 1),
    ("30 1 31 * *", 1, 30, |day| day.day() == 31),
    ("0 0 L * *", 0, 0, is_last_of_month),
    ("5 2 * * 0#1", 2, 5, |day| {
        day.weekday() == Weekday::Sun && day.day() <= 7
    }),
    ("10 2 * * L0", 2, 10, |day| {
        day.weekday() == Weekday::Sun && (day + TimeDelta::days(7)).month() != day.month()
    }),
    ("0 2 */10 * *", 2, 0, |day| day.day() % 10 == 1),
    ("0 2 * 3,10,11 *", 2, 0, |day| {
        [3, 10, 11].contains(&day.month())
    }),
    ("20 2 15 * sun", 2, 20, |day| {
        day.day() == 15 || day.weekday() == Weekday::Sun
    }),
    ("0 2 29 2 *", 2, 0, |day| {
        day.month() == 2 && day.day() == 29
    }),
    ("0 0 30 12 *", 0, 0, |day| {
        day.month() == 12 && day.day() == 30
    }),
];

fn is_weekend(day: NaiveDate) -> bool {
    matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
}

fn is_last_of_month(day: NaiveDate) -> bool {
    (day + TimeDelta::days(1)).day() == 1
}

fn cron(text: &str) -> CronExpr {
    CronExpr::parse(text).unwrap_or_else(|err| panic!("{text}: {err}"))
}

fn zones() -> Vec<Tz> {
    let others = TZ_VARIANTS.iter().copied().step_by(13);
    ODD_ZONES.into_iter().chain(others).take(60).collect()
}

/// Returns the one instant that a fixed local time stands for.
fn fixed(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    let instant = match zone.from_local_datetime(&local) {
        LocalResult::Single(at) | LocalResult::Ambiguous(_, at) => at,
        LocalResult::None => {
            let gap = GapInfo::new(&local, &zone).expect("there is a gap");
            gap.end.expect("the gap ends")
        }
    };
    instant.to_utc()
}

fn check_days(zone: Tz, (text, hour, minute, due): (&str, u32, u32, Due)) {
    let expr = cron(text);
    let first = NaiveDate::from_ymd_opt(2009, 1, 1).expect("a date");
    let mut expected: Vec<_> = (first.iter_days())
        .take_while(|day| day.year() < 2019)
        .filter(|day| due(*day))
        .map(|day| fixed(zone, day.and_hms_opt(hour, minute, 0).expect("a time")))
        .collect();
    let due_days = expected.len();
    expected.dedup();
    let collapsed = usize::from(zone == Tz::Pacific__Apia);
    assert!(expected.len() + collapsed >= due_days, "{text} in {zone}");
    let mut at = expected[0] - TimeDelta::seconds(1);
    for run in expected {
        let next = expr.next_after(zone, at).expect("there is a next run");
        assert_eq!(next, run, "{text} in {zone} after {at}");
        assert!(next > at, "{text} in {zone} does not move on from {at}");
        assert_eq!(expr.last_at_or_before(zone, next), Some(next));
        at = next;
    }
}

#[test]
fn every_due_day_has_one_run_in_sixty_zones_over_ten_years() {
    for zone in zones() {
        for row in ONCE_A_DAY {
            check_days(zone, row);
        }
    }
}

/// The module looks for one change of offset at a time within 26 hours. This
/// checks that the zone database still allows it.
#[test]
fn no_zone_changes_its_offset_twice_within_two_days() {
    let day = 86_400;
    for zone in TZ_VARIANTS {
        let offset = |at: i64| {
            let utc = DateTime::from_timestamp(at, 0).expect("an instant");
            chrono::Offset::fix(&zone.offset_from_utc_datetime(&utc.naive_utc()))
        };
        let mut last = offset(0);
        let mut last_change = -10;
        for number in 1..365 * 80 {
            let now = offset(number * day);
            if now != last {
                assert!(number - last_change > 3, "{zone} around day {number}");
                last_change = number;
                last = now;
            }
        }
    }
}

/// One expression and the times of day at which it fires on every day.
fn times_of_day() -> impl Strategy<Value = (String, Vec<u32>, Vec<u32>)> {
    let minutes = btree_set(select(vec![0_u32, 1, 15, 29, 30, 45, 59]), 1..4);
    let some_hours = btree_set(select(vec![0_u32, 1, 2, 3, 12, 22, 23]), 1..5);
    let hours = prop_oneof![some_hours, Just((0..24).collect())];
    (minutes, hours).prop_map(|(minutes, hours)| {
        let list = |set: &std::collections::BTreeSet<u32>| {
            let words: Vec<_> = set.iter().map(u32::to_string).collect();
            words.join(",")
        };
        let text = format!("{} {} * * *", list(&minutes), list(&hours));
        let (minutes, hours) = (minutes.into_iter(), hours.into_iter());
        (text, minutes.collect(), hours.collect())
    })
}

/// An instant at most a day and a half from a change of offset.
fn near_a_change() -> impl Strategy<Value = (Tz, DateTime<Utc>)> {
    let zone = prop_oneof![select(ODD_ZONES.to_vec()), select(TZ_VARIANTS.to_vec())];
    (
        zone,
        2005_i64..2026,
        0_i64..365,
        -2160_i64..2160,
        0_i64..120,
    )
        .prop_map(|(zone, year, day, minutes, seconds)| {
            let start = (year - 1970) * 31_556_952;
            let offset = |at: i64| {
                let utc = DateTime::from_timestamp(at, 0).expect("an instant");
                chrono::Offset::fix(&zone.offset_from_utc_datetime(&utc.naive_utc()))
            };
            let hours = (0..365 * 24).map(|hour| start + (day * 24 + hour) * 3600);
            let mut hours = hours.filter(|at| offset(*at) != offset(at - 3600));
            let change = hours.next().unwrap_or(start);
            let at = change + minutes * 60 + seconds - 60;
            (zone, DateTime::from_timestamp(at, 0).expect("an instant"))
        })
}

/// All instants within four days at which the expression should fire.
fn enumerate(
    zone: Tz,
    around: DateTime<Utc>,
    minutes: &[u32],
    hours: &[u32],
) -> Vec<DateTime<Utc>> {
    let start = around.date_naive().and_time(chrono::NaiveTime::MIN) - TimeDelta::days(4);
    let all = (0..8 * 1440).map(|minute| start + TimeDelta::minutes(minute));
    let matches =
        |local: &NaiveDateTime| minutes.contains(&local.minute()) && hours.contains(&local.hour());
    let mut found: Vec<_> = if hours.len() == 24 {
        all.map(|utc| utc.and_utc())
            .filter(|at| matches(&at.with_timezone(&zone).naive_local()))
            .collect()
    } else {
        all.filter(matches)
            .map(|local| fixed(zone, local))
            .collect()
    };
    found.sort();
    found.dedup();
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn agrees_with_enumeration_near_changes(
        (text, minutes, hours) in times_of_day(),
        (zone, at) in near_a_change(),
    ) {
        let expr = cron(&text);
        let all = enumerate(zone, at, &minutes, &hours);
        let next = all.iter().find(|run| **run > at).copied();
        let last = all.iter().rfind(|run| **run <= at).copied();
        prop_assert_eq!(expr.next_after(zone, at), next, "{} in {} after {}", text, zone, at);
        prop_assert_eq!(expr.last_at_or_before(zone, at), last, "{} in {} at {}", text, zone, at);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..300)) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = CronExpr::parse(&text);
    }

    #[test]
    fn any_text_made_of_cron_signs_is_handled(
        fields in vec("[0-9*/,\\-?#LlW@]{1,8}|MON|fri-mon|JAN|\\*", 5),
        zone in select(ODD_ZONES.to_vec()),
        at in -4_000_000_000_i64..8_000_000_000,
    ) {
        if let Ok(expr) = CronExpr::parse(&fields.join(" ")) {
            let at = DateTime::from_timestamp(at, 0).expect("an instant");
            prop_assert_eq!(CronExpr::parse(expr.text()), Ok(expr.clone()));
            prop_assert!(!expr.describe().is_empty());
            if let Some(next) = expr.next_after(zone, at) {
                prop_assert!(next > at);
                prop_assert_eq!(expr.last_at_or_before(zone, next), Some(next));
                let before = next - TimeDelta::seconds(1);
                prop_assert_eq!(expr.last_at_or_before(zone, before), expr.last_at_or_before(zone, at));
            }
        }
    }
}
