//! Sessions and tries to sign in.

use std::net::IpAddr;
use std::time::Duration;

use tidemill_access::{Counted, Lifetimes, Limits, Subjects, Wait};
use tidemill_core::time::Timestamp;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_735_689_600_000_000 + seconds * 1_000_000)
}

fn address(text: &str) -> Option<IpAddr> {
    Some(text.parse().expect("an address"))
}

#[test]
fn a_session_ends_when_it_is_not_used_and_at_the_latest_then() {
    let lifetimes = Lifetimes {
        idle: Duration::from_secs(100),
        absolute: Duration::from_secs(1_000),
    };
    assert_eq!(lifetimes.ends_at(at(0), at(0)), at(100));
    assert_eq!(lifetimes.ends_at(at(0), at(500)), at(600));
    assert_eq!(lifetimes.ends_at(at(0), at(950)), at(1_000));
    assert_eq!(lifetimes.ends_at(at(0), at(2_000)), at(1_000));
    let usual = Lifetimes::default();
    assert!(usual.idle < usual.absolute);
}

#[test]
fn who_tries_too_often_waits_for_the_end_of_the_window() {
    let limits = Limits::default();
    let subjects = Subjects::of("ann", address("192.0.2.1"));
    let all = subjects.all();
    assert_eq!(all.len(), 3);
    let check = |counts: [u64; 3], now| {
        let counted = all.iter().zip(counts).map(|(subject, attempts)| Counted {
            subject,
            attempts,
            since: at(0),
        });
        limits.check(counted, at(now))
    };
    assert_eq!(check([10, 100, 50], 1), Ok(()));
    let rest = |seconds| {
        Err(Wait {
            rest: Duration::from_secs(seconds),
        })
    };
    assert_eq!(check([11, 11, 11], 60), rest(840));
    assert_eq!(check([1, 101, 1], 60), rest(840));
    assert_eq!(check([1, 1, 51], 899), rest(1));
    let says = |seconds| {
        Wait {
            rest: Duration::from_secs(seconds),
        }
        .to_string()
    };
    assert_eq!(says(61), "too many tries to sign in; try again in 2 min");
    assert_eq!(says(0), "too many tries to sign in; try again in 1 min");
}

#[test]
fn what_is_counted_is_the_name_the_address_and_both() {
    let one = Subjects::of("Ann ", address("192.0.2.1"));
    assert_eq!(one, Subjects::of("ann", address("192.0.2.1")));
    let elsewhere = Subjects::of("ann", address("192.0.2.2"));
    assert_eq!(one.take_back[0], elsewhere.take_back[0]);
    assert_ne!(one.take_back[1], elsewhere.take_back[1]);
    assert_ne!(one.forget, elsewhere.forget);
    let other = Subjects::of("bob", address("192.0.2.1"));
    assert_ne!(one.take_back[0], other.take_back[0]);
    assert_eq!(one.take_back[1], other.take_back[1]);
    // A good try resets the pair alone: whoever guesses from elsewhere goes on being counted.
    assert_eq!(one.forget.len(), 1);
    assert!(!one.all().concat().contains("ann"));
}

#[test]
fn one_computer_is_one_address() {
    let of = |text| Subjects::of("ann", address(text)).take_back[1].clone();
    assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
    assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    assert_eq!(Subjects::of("ann", None).all().len(), 1);
}
