//! Which runs are due: intervals, ticks, catch-up, fixed distances, dates, continuous, once.

use chrono::{DateTime, Utc};
use tidemill_core::spec::{At, Cron, Every, IntoSchedule, Schedule};
use tidemill_core::timetable::{Due, Window};

fn at(text: &str) -> DateTime<Utc> {
    text.parse()
        .unwrap_or_else(|_| panic!("{text} is no instant"))
}

fn window(start: &str, catchup: bool) -> Window {
    Window {
        anchor: (!start.is_empty()).then(|| at(start)),
        start: (!start.is_empty()).then(|| at(start)),
        end: None,
        catchup,
    }
}

fn schedule(schedule: impl IntoSchedule) -> Schedule {
    schedule.into_schedule().expect("a good schedule")
}

/// The next runs until one lies in the future, as `start..end@run_after`.
fn runs(schedule: &Schedule, window: &Window, now: &str) -> Vec<String> {
    let now = at(now);
    let mut last = None;
    let mut runs = Vec::new();
    while let Some(due) = schedule
        .next_due(window, last, now)
        .filter(|due| due.run_after <= now)
    {
        let short = |at: DateTime<Utc>| at.format("%d %H:%M").to_string();
        runs.push(format!("{}..{}", short(due.start), short(due.end)));
        assert!(
            last.is_none_or(|last: Due| last.start < due.start),
            "the schedule stands still"
        );
        last = Some(due);
        assert!(runs.len() < 100, "the schedule never reaches the present");
    }
    runs
}

#[test]
fn an_interval_runs_at_its_end() {
    let daily = schedule(Cron::daily());
    let due = daily
        .next_due(
            &window("2025-01-01T00:00:00Z", true),
            None,
            at("2025-01-01T12:00:00Z"),
        )
        .unwrap();
    assert_eq!(
        (due.start, due.end),
        (at("2025-01-01T00:00:00Z"), at("2025-01-02T00:00:00Z"))
    );
    assert_eq!(due.run_after, due.end);
}

#[test]
fn catch_up_makes_every_interval_and_its_absence_only_the_newest() {
    let daily = schedule(Cron::daily());
    let now = "2025-01-04T12:00:00Z";
    assert_eq!(
        runs(&daily, &window("2025-01-01T06:00:00Z", true), now),
        ["02 00:00..03 00:00", "03 00:00..04 00:00"],
        "the first interval begins at the first tick after the start"
    );
    assert_eq!(
        runs(&daily, &window("2025-01-01T00:00:00Z", false), now),
        ["03 00:00..04 00:00"]
    );
    assert_eq!(
        runs(&daily, &window("", false), now),
        ["03 00:00..04 00:00"]
    );
    assert_eq!(
        runs(&daily, &window("2025-01-04T00:00:00Z", false), now),
        [""; 0],
        "its first interval is not over"
    );
}

#[test]
fn after_a_stop_only_the_newest_interval_is_made_up_for() {
    let daily = schedule(Cron::daily());
    let last = Due {
        start: at("2025-01-01T00:00:00Z"),
        end: at("2025-01-02T00:00:00Z"),
        run_after: at("2025-01-02T00:00:00Z"),
    };
    let next = |catchup| {
        let window = window("2024-12-01T00:00:00Z", catchup);
        daily
            .next_due(&window, Some(last), at("2025-01-10T06:00:00Z"))
            .unwrap()
            .start
    };
    assert_eq!(next(true), at("2025-01-02T00:00:00Z"));
    assert_eq!(next(false), at("2025-01-09T00:00:00Z"));
}

#[test]
fn ticks_run_at_once_and_a_late_one_only_while_it_is_young() {
    let hourly = schedule(Cron::hourly().ticks());
    let next = |now: &str| {
        hourly
            .next_due(&window("", false), None, at(now))
            .unwrap()
            .run_after
    };
    assert_eq!(
        next("2025-01-01T12:05:00Z"),
        at("2025-01-01T12:00:00Z"),
        "a tenth of the period"
    );
    assert_eq!(next("2025-01-01T12:07:00Z"), at("2025-01-01T13:00:00Z"));
    assert_eq!(
        runs(
            &hourly,
            &window("2025-01-01T10:00:00Z", true),
            "2025-01-01T12:30:00Z"
        ),
        [
            "01 10:00..01 10:00",
            "01 11:00..01 11:00",
            "01 12:00..01 12:00"
        ]
    );
}

#[test]
fn fixed_distances_count_from_the_start() {
    let every = schedule(Every::minutes(25));
    assert_eq!(
        runs(
            &every,
            &window("2025-01-01T00:10:00Z", true),
            "2025-01-01T01:05:00Z"
        ),
        ["01 00:10..01 00:35", "01 00:35..01 01:00"]
    );
    assert!(
        Every::new(std::time::Duration::ZERO)
            .into_schedule()
            .is_err()
    );
}

#[test]
fn dates_and_ends_bound_the_runs() {
    let dates = schedule(At::dates(["2025-01-03", "2025-01-01T06:00:00+01:00"]));
    assert_eq!(
        runs(
            &dates,
            &window("2024-01-01T00:00:00Z", true),
            "2025-02-01T00:00:00Z"
        ),
        ["01 05:00..01 05:00", "03 00:00..03 00:00"]
    );
    let ended = Window {
        end: Some(at("2025-01-02T00:00:00Z")),
        ..window("2025-01-01T00:00:00Z", true)
    };
    assert_eq!(
        runs(&schedule(Cron::daily()), &ended, "2025-02-01T00:00:00Z"),
        ["01 00:00..02 00:00", "02 00:00..03 00:00"]
    );
}

#[test]
fn once_runs_once_and_continuous_again_and_again() {
    let now = at("2025-01-05T00:00:00Z");
    let once = schedule("@once");
    let first = once
        .next_due(&window("2025-01-01T00:00:00Z", false), None, now)
        .unwrap();
    assert_eq!(first.run_after, at("2025-01-01T00:00:00Z"));
    assert_eq!(once.next_due(&Window::default(), Some(first), now), None);
    let continuous = schedule("@continuous");
    let first = Due {
        start: first.start,
        end: at("2025-01-02T00:00:00Z"),
        ..first
    };
    let next = continuous
        .next_due(&Window::default(), Some(first), now)
        .unwrap();
    assert_eq!((next.start, next.end), (first.end, now));
    assert_eq!(
        Schedule::Manual.next_due(&Window::default(), None, now),
        None
    );
}

#[test]
fn a_run_by_hand_covers_the_last_complete_interval() {
    let manual =
        |schedule: &Schedule| schedule.manual(&Window::default(), at("2025-01-05T12:00:00Z"));
    let due = manual(&schedule(Cron::daily()));
    assert_eq!(
        (due.start, due.end),
        (at("2025-01-04T00:00:00Z"), at("2025-01-05T00:00:00Z"))
    );
    assert_eq!(due.run_after, at("2025-01-05T12:00:00Z"));
    assert_eq!(manual(&Schedule::Manual).start, at("2025-01-05T12:00:00Z"));
}

#[test]
fn several_crons_are_joined_in_order() {
    let both = schedule(
        Cron::any(["0 6 * * *", "0 18 * * *"])
            .tz("Europe/Berlin")
            .ticks(),
    );
    assert_eq!(
        runs(
            &both,
            &window("2025-01-01T00:00:00Z", true),
            "2025-01-02T06:00:00Z"
        ),
        [
            "01 05:00..01 05:00",
            "01 17:00..01 17:00",
            "02 05:00..02 05:00"
        ]
    );
}

#[test]
fn a_start_that_was_moved_later_bounds_the_next_run() {
    let day = |n| at(&format!("2025-02-0{n}T00:00:00Z"));
    let last = Due {
        start: day(1),
        end: day(2),
        run_after: day(2),
    };
    for kind in [schedule(Cron::daily()), schedule(Cron::daily().ticks())] {
        for catchup in [true, false] {
            let window = window("2025-06-01T00:00:00Z", catchup);
            let next = kind
                .next_due(&window, Some(last), at("2025-03-01T00:00:00Z"))
                .expect("a run");
            assert_eq!(next.start, at("2025-06-01T00:00:00Z"), "catch-up {catchup}");
        }
    }
}

#[test]
fn a_backfill_keeps_the_ticks_of_the_dag() {
    let every = schedule(Every::minutes(25));
    let window = Window {
        start: Some(at("2025-01-05T00:00:00Z")),
        ..window("2025-01-01T00:10:00Z", true)
    };
    let first = every
        .next_due(&window, None, at("2025-02-01T00:00:00Z"))
        .expect("a run");
    assert_eq!(
        (first.start - at("2025-01-01T00:10:00Z")).num_minutes() % 25,
        0
    );
}

#[test]
fn continuous_runs_never_share_a_start() {
    let continuous = schedule("@continuous");
    let now = at("2025-01-05T00:00:00Z");
    let mut last = None;
    for _ in 0..3 {
        let due = continuous
            .next_due(&Window::default(), last, now)
            .expect("a run");
        assert!(last.is_none_or(|last: Due| last.start < due.start));
        last = Some(due);
    }
}
