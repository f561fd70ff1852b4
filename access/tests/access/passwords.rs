//! Passwords.

use argon2::password_hash::PasswordHasher as _;
use argon2::{Algorithm, Argon2, Params, Version};
use tidemill_access::password::{self, BYTES_MAX, PasswordError, Verdict};

const GOOD: &str = "three words for ann";

#[test]
fn only_the_right_password_is_right() {
    let hash = password::hash(GOOD).expect("it hashes");
    assert!(
        hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{hash}"
    );
    assert_ne!(hash, password::hash(GOOD).expect("it hashes"));
    assert_eq!(password::verify(GOOD, Some(&hash)), Verdict::Right);
    for wrong in ["", "three words for anN", "three words for ann "] {
        assert_eq!(password::verify(wrong, Some(&hash)), Verdict::Wrong);
    }
    // Nobody's password is never right, whatever it is.
    for any in ["", GOOD, "\0"] {
        assert_eq!(password::verify(any, None), Verdict::Wrong);
    }
    // What is in the database and is no hash lets nobody in.
    for odd in [
        "",
        GOOD,
        "$argon2id$v=19$",
        "$argon2id$v=19$m=4294967295,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        assert_eq!(password::verify(GOOD, Some(odd)), Verdict::Wrong, "{odd}");
    }
}

#[test]
fn a_password_that_is_too_long_is_not_cut() {
    let most = "x".repeat(BYTES_MAX);
    let hash = password::hash(&most).expect("it hashes");
    assert_eq!(password::verify(&most, Some(&hash)), Verdict::Right);
    let more = format!("{most}y");
    assert_eq!(password::verify(&more, Some(&hash)), Verdict::Wrong);
    assert_eq!(password::hash(&more), Err(PasswordError::TooLong));
}

#[test]
fn a_hash_of_other_costs_is_to_be_made_again() {
    let params = Params::new(8 * 1_024, 1, 1, None).expect("costs");
    let cheap = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = cheap.hash_password_with_salt(GOOD.as_bytes(), b"sixteen of bytes");
    let hash = hash.expect("it hashes").to_string();
    let verdict = password::verify(GOOD, Some(&hash));
    assert_eq!(verdict, Verdict::RightButOld);
    assert!(verdict.is_right());
    assert!(!password::verify("another", Some(&hash)).is_right());
}

#[test]
fn what_anybody_would_try_is_refused() {
    let check = |text: &str| password::check(text, "ann@example.com");
    assert_eq!(check(GOOD), Ok(()));
    assert_eq!(check("日本語の合言葉はこれです。"), Ok(()));
    assert_eq!(check("too short"), Err(PasswordError::TooShort));
    assert_eq!(check(&"ab".repeat(600)), Err(PasswordError::TooLong));
    for common in [
        "Password1234",
        "aaaaaaaaaaaaaaa",
        "CorrectHorseBatteryStaple",
    ] {
        assert_eq!(check(common), Err(PasswordError::Common), "{common}");
    }
    for name in ["ann@example.com", "Ann@Example.com1!"] {
        assert_eq!(check(name), Err(PasswordError::Name), "{name}");
    }
    assert_eq!(password::check("anything at all", ""), Ok(()));
}
