//! What can be written in a cron expression, how it is refused and described.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use tidemill_core::timetable::{CronError, CronExpr};

fn cron(text: &str) -> CronExpr {
    CronExpr::parse(text).unwrap_or_else(|err| panic!("{text}: {err}"))
}

fn refusal(text: &str) -> String {
    match CronExpr::parse(text) {
        Ok(expr) => panic!("{text} was read as: {}", expr.describe()),
        Err(err) => err.to_string(),
    }
}

fn following(text: &str, after: &str, count: usize) -> Vec<DateTime<Utc>> {
    let expr = cron(text);
    let after = after.parse().expect("the instant is well formed");
    std::iter::successors(Some(after), |at| expr.next_after(Tz::UTC, *at))
        .skip(1)
        .take(count)
        .collect()
}

/// Checks the first days from 2023 on, all of which have their run at midnight.
fn assert_days(text: &str, expected: &[&str]) {
    let found = following(text, "2023-01-01T00:00:00Z", expected.len());
    let found: Vec<_> = found.iter().map(DateTime::to_rfc3339).collect();
    let expected: Vec<_> = (expected.iter())
        .map(|day| format!("{day}T00:00:00+00:00"))
        .collect();
    assert_eq!(found, expected, "{text}");
}

/// Checks that two expressions fire at the same moments.
fn assert_same(left: &str, right: &str) {
    let after = "2024-02-20T10:00:00Z";
    let (a, b) = (following(left, after, 50), following(right, after, 50));
    assert_eq!(a, b, "{left} and {right}");
}

#[test]
fn reads_the_special_signs_of_the_day_fields() {
    assert_days("0 0 L * *", &["2023-01-31", "2023-02-28", "2023-03-31"]);
    assert_days("0 0 L 2 *", &["2023-02-28", "2024-02-29", "2025-02-28"]);
    assert_days("0 0 1,L * *", &["2023-01-31", "2023-02-01", "2023-02-28"]);
    assert_days("0 0 * * L5", &["2023-01-27", "2023-02-24", "2023-03-31"]);
    assert_days("0 0 * * 5l", &["2023-01-27", "2023-02-24", "2023-03-31"]);
    assert_days("0 0 * * lfri", &["2023-01-27", "2023-02-24", "2023-03-31"]);
    assert_days("0 0 * * L7", &["2023-01-29", "2023-02-26", "2023-03-26"]);
    assert_days("0 0 * * fri#5", &["2023-03-31", "2023-06-30", "2023-09-29"]);
    assert_days(
        "0 0 * * 5#1,5#3",
        &["2023-01-06", "2023-01-20", "2023-02-03"],
    );
    assert_days("0 0 * * 1,5#1", &["2023-01-02", "2023-01-06", "2023-01-09"]);
    assert_days("0 0 15 * 5#1", &["2023-01-06", "2023-01-15", "2023-02-03"]);
    assert_days("0 0 ? * mon", &["2023-01-02", "2023-01-09"]);
    assert_days("0 0 1 * ?", &["2023-02-01", "2023-03-01"]);
    assert_days("0 0 29 2 *", &["2024-02-29", "2028-02-29"]);
    assert_days("0 0 * 2 1#5", &["2044-02-29", "2072-02-29"]);
}

#[test]
fn reads_ranges_that_run_past_the_end_of_a_field() {
    assert_same("0 0 * * fri-mon", "0 0 * * 0,1,5,6");
    assert_same("0 0 * * 5-7", "0 0 * * 0,5,6");
    assert_same("0 0 * * 1-7", "0 0 * * *");
    assert_same("0 0 * * 0-7", "0 0 * * *");
    assert_same("0 0 * * 7-2", "0 0 * * 0,1,2");
    assert_same("0 0 * * sat-sun", "0 0 * * 0,6");
    assert_same("0 0 * * 5-7/2", "0 0 * * 0,5");
    assert_same("0 22-2 * * *", "0 0,1,2,22,23 * * *");
    assert_same("0 22-3/2 * * *", "0 0,2,22 * * *");
    assert_same("0 0 1 nov-feb *", "0 0 1 1,2,11,12 *");
    assert_same("0 0 25-5 * *", "0 0 1-5,25-31 * *");
    assert_same("0 0 5-5 * *", "0 0 5 * *");
    assert_same("5/15 * * * *", "5,20,35,50 * * * *");
    assert_same("*/100 * * * *", "0 * * * *");
    assert_same("*/99999999999999 * * * *", "0 * * * *");
    assert_same("0 0 10-L * *", "0 0 10-31 * *");
    assert_same("0 0 * * mon/2", "0 0 * * 1,3,5");
    assert_same("0 0 * jan/3 *", "0 0 * 1,4,7,10 *");
    assert_same("0 0 15 * 0-6", "0 0 * * *");
    assert_same("0 0 1-31 * */2", "0 0 * * */2");
    assert_same("0 0 *,15 * 5", "0 0 * * 5");
    assert_same("@HOURLY", "0 * * * *");
    assert_same("@annually", "0 0 1 1 *");
    assert_same("@midnight", "@daily");
}

const REFUSALS: &[(&str, &str)] = &[
    ("0 25 * * *", "the hour field `25` is outside 0-23"),
    ("60 * * * *", "the minute field `60` is outside 0-59"),
    ("0 0 0 * *", "the day field `0` is outside 1-31"),
    ("0 0 * 13 *", "the month field `13` is outside 1-12"),
    ("0 0 * * 8", "the weekday field `8` is outside 0-7"),
    (
        "0 99999999999 * * *",
        "the hour field `99999999999` is outside 0-23",
    ),
    (
        "* * * *",
        "a cron expression has five fields (minute hour day month weekday); this one has 4",
    ),
    (
        "",
        "a cron expression has five fields (minute hour day month weekday); this one has 0",
    ),
    (
        "0 0 * * * *",
        "this cron expression has six fields, but only five are read (minute hour day month \
             weekday); take out the field for the seconds",
    ),
    (
        "@reboot",
        "`@reboot` is not a preset; the known presets are @yearly, @annually, @monthly, \
             @weekly, @daily, @midnight, @hourly",
    ),
    (
        "0 0 30 2 *",
        "`0 0 30 2 *` never fires: February has no day 30",
    ),
    (
        "0 0 31 4,jun *",
        "`0 0 31 4,JUN *` never fires: April and June have no day 31",
    ),
    (
        "0 0 30,31 2 *",
        "`0 0 30,31 2 *` never fires: February has no day 30 or 31",
    ),
    (
        "mon * * * *",
        "the minute field has `MON`, which is not a number from 0-59",
    ),
    (
        "0 0 * * 1-",
        "the weekday field has `1-`, which is not a number from 0-7 or a name from SUN to SAT",
    ),
    (
        "*/0 * * * *",
        "the minute field `*/0` has a step that is not a number from 1 up",
    ),
    (
        "1,,2 * * * *",
        "the minute field `1,,2` has an empty place in its list",
    ),
    (
        "0 0 * * 5#6",
        "the weekday field `5#6` must have a number from 1 to 5 after its #",
    ),
    (
        "? * * * *",
        "the minute field has `?`, which may only stand alone in the day field or the weekday \
             field",
    ),
];

/// Texts that other cron programs may know, or that are no cron at all.
const UNREADABLE: &[&str] = &[
    "0 0 15W * *",
    "0 0 L-2 * *",
    "0 0 * * L",
    "0 0 * * monday",
    "+5 * * * *",
    "1.5 * * * *",
    "-5 * * * *",
    "*-5 * * * *",
    "/5 * * * *",
    "5/ * * * *",
    "0 0 ?/2 * *",
    "0 0 * * #2",
    "0 0 * * *\u{0}",
    "٣ * * * *",
];

#[test]
fn refuses_with_words_that_name_the_field_and_the_value() {
    for (text, message) in REFUSALS {
        assert_eq!(refusal(text), *message, "{text}");
    }
    for text in UNREADABLE {
        refusal(text);
    }
    assert_eq!(
        CronExpr::parse(&"1,".repeat(200)),
        Err(CronError::TooLong { max: 200 })
    );
}

#[test]
fn normalises_its_text_and_keeps_it_in_stored_form() {
    let expr = cron("  0\t9  * jan mon-fri ");
    assert_eq!(expr.text(), "0 9 * JAN MON-FRI");
    assert_eq!(expr, cron("0 9 * Jan Mon-Fri"));
    assert_ne!(cron("@daily"), cron("0 0 * * *"));
    assert_eq!(cron(" @Daily ").text(), "@daily");
    assert_eq!(format!("{expr:?}"), "CronExpr(\"0 9 * JAN MON-FRI\")");
    let stored = serde_json::to_string(&expr).expect("it can be stored");
    assert_eq!(stored, "\"0 9 * JAN MON-FRI\"");
    let back: CronExpr = serde_json::from_str(&stored).expect("it can be read back");
    assert_eq!(back, expr);
    let broken = serde_json::from_str::<CronExpr>("\"0 25 * * *\"");
    let message = broken.expect_err("it is refused").to_string();
    assert!(message.contains("the hour field `25` is outside 0-23"));
}

const SENTENCES: &[(&str, &str)] = &[
    ("* * * * *", "every minute"),
    ("*/15 * * * *", "every 15 minutes"),
    (
        "*/7 * * * *",
        "every hour at minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56",
    ),
    ("0 * * * *", "every hour"),
    ("@hourly", "every hour"),
    ("30 * * * *", "every hour at minute 30"),
    ("5,35 * * * *", "every hour at minutes 5 and 35"),
    ("15 3 * * *", "every day at 03:15"),
    ("@daily", "every day at 00:00"),
    ("0 */6 * * *", "every day at 00:00, 06:00, 12:00 and 18:00"),
    ("0 */2 * * *", "every 2 hours from 00:00 to 22:00"),
    (
        "0 9-17 * * 1-5",
        "every hour from 09:00 to 17:00 on Monday to Friday",
    ),
    ("*/15 9-17 * * *", "every 15 minutes from 09:00 to 17:45"),
    ("* 3 * * *", "every minute from 03:00 to 03:59"),
    (
        "*/10 1,13,14 * * *",
        "every 10 minutes in the hours 1, 13 and 14",
    ),
    (
        "5,35 9-17 * * *",
        "at minutes 5 and 35 of the hours 9 to 17",
    ),
    ("30 9 * * mon-fri", "at 09:30 on Monday to Friday"),
    ("30 9 * * 1,3,5", "at 09:30 on Monday, Wednesday and Friday"),
    ("0 0 * * fri-mon", "at 00:00 on Friday to Monday"),
    ("0 0 * * 0,6", "at 00:00 on Saturday and Sunday"),
    ("0 0 * * 0,1", "at 00:00 on Monday and Sunday"),
    ("@weekly", "at 00:00 on Sunday"),
    ("@monthly", "at 00:00 on day 1 of every month"),
    ("@yearly", "at 00:00 on day 1 of January"),
    ("0 0 1,15 * *", "at 00:00 on days 1 and 15 of every month"),
    ("0 0 1-7 6-8 *", "at 00:00 on days 1 to 7 of June to August"),
    ("0 0 L * *", "at 00:00 on the last day of every month"),
    (
        "0 0 1,L * *",
        "at 00:00 on day 1 and the last day of every month",
    ),
    (
        "0 0 * * 2#1",
        "at 00:00 on the first Tuesday of every month",
    ),
    ("0 0 * 3 L5", "at 00:00 on the last Friday of March"),
    (
        "0 0 15 * 5",
        "at 00:00 on day 15 of every month and also on Friday",
    ),
    (
        "0 0 15 12 6,0",
        "at 00:00 on day 15 of December and also on Saturday and Sunday in December",
    ),
    ("0 6 * 12 *", "every day at 06:00 in December"),
    ("*/5 * * 1,7 *", "every 5 minutes in January and July"),
];

#[test]
fn describes_itself_in_plain_english() {
    for (text, sentence) in SENTENCES {
        assert_eq!(cron(text).describe(), *sentence, "{text}");
    }
}
