//! What users are called.

use tidemill_access::{UserNameError, display_name, user_name};

#[test]
fn a_name_is_small_and_plain() {
    for (text, name) in [
        ("ann", "ann"),
        ("Ann@Example.COM", "ann@example.com"),
        (" a.b-c_d+1 ", "a.b-c_d+1"),
    ] {
        assert_eq!(user_name(text).as_deref(), Ok(name));
    }
    assert_eq!(user_name(" "), Err(UserNameError::Empty));
    assert_eq!(user_name("--admin"), Err(UserNameError::BadStart));
    assert_eq!(
        user_name(&"x".repeat(101)),
        Err(UserNameError::TooLong { chars: 101 })
    );
    // Not an `a` of ours.
    for bad in ["аnn", "a b", "a\0", "a/b", "a\nb", "<b>", "a:b"] {
        assert!(
            matches!(user_name(bad), Err(UserNameError::BadCharacter { .. })),
            "{bad:?}"
        );
    }
}

#[test]
fn what_pages_call_somebody_hides_nothing() {
    for good in ["", "Ann O'Neil", "李小龍", "<b>Bob</b>"] {
        assert_eq!(display_name(good).as_deref(), Ok(good));
    }
    for bad in [
        "a\u{202e}b",
        "a\nb",
        "a\u{200b}",
        "\u{feff}x",
        &"x".repeat(101),
    ] {
        assert!(display_name(bad).is_err(), "{bad:?}");
    }
}
