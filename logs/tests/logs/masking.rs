use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use tidemill_logs::{Masked, Masker};

fn masker(secrets: &[&str]) -> Masker {
    let masker = Masker::new();
    masker.add_all(secrets.iter().copied());
    masker
}

#[test]
fn a_secret_is_replaced_wherever_it_stands() {
    let masker = masker(&["hunter22", "hunter22-old", "22-old-x"]);
    assert_eq!(masker.mask("hunter22 and hunter22!"), "*** and ***!");
    assert_eq!(masker.mask("hunter22-old."), "***.");
    // Where two overlap, all that either of them covers is replaced.
    assert_eq!(masker.mask("a hunter22-old-x b"), "a *** b");
    assert!(matches!(masker.mask("hunter2"), Cow::Borrowed("hunter2")));
    assert_eq!(
        masker.mask_bytes(b"\xffhunter22\xfe"),
        b"\xff***\xfe".as_slice()
    );
}

#[test]
fn what_is_too_short_is_said_to_be() {
    let masker = Masker::new();
    assert_eq!(masker.add("abc"), Masked::TooShort);
    assert_eq!(masker.add("      "), Masked::TooShort);
    assert_eq!(masker.add("a\nb\nc\nd"), Masked::TooShort);
    assert_eq!(masker.add("abcd"), Masked::Yes);
    assert_eq!(masker.mask("abc abcd"), "abc ***");
}

#[test]
fn a_secret_that_comes_late_is_masked_by_every_clone() {
    let one = Masker::new();
    let two = one.clone();
    assert_eq!(two.mask("token tok-12345"), "token tok-12345");
    one.add("tok-12345");
    assert_eq!(two.mask("token tok-12345"), "token ***");
}

const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\nMzEfYyjiWA4=\n-----END PRIVATE KEY-----\n";

#[test]
fn a_key_of_several_lines_is_masked_line_by_line_and_as_a_whole() {
    let masker = masker(&[KEY]);
    let masked = masker.mask(KEY);
    assert_eq!(
        masked,
        "-----BEGIN PRIVATE KEY-----\n***\n***\n***\n-----END PRIVATE KEY-----\n"
    );
    let json = serde_json::to_string(KEY).unwrap();
    assert_eq!(masker.mask(&json), "\"***\"");
    for wrap in [64, 76] {
        let text = STANDARD.encode(KEY);
        let lines = text.as_bytes().chunks(wrap);
        let lines = lines.map(|line| std::str::from_utf8(line).unwrap());
        for line in lines.filter(|line| line.len() >= 8) {
            assert_eq!(masker.mask(line), "***");
        }
    }
}

#[test]
fn of_a_key_file_the_key_is_a_secret_and_the_project_is_not() {
    let file = serde_json::json!({"project_id": "shop-prod", "private_key": KEY}).to_string();
    let masker = masker(&[&file]);
    assert_eq!(masker.mask("in shop-prod"), "in shop-prod");
    assert!(masker.mask(KEY).contains("\n***\n***\n***\n"));
    assert_eq!(masker.mask(&file), "***");
}

#[test]
fn a_thousand_secrets_are_masked_too() {
    let masker = Masker::new();
    let secrets: Vec<String> = (0..1000).map(|n| format!("secret/{n:04}\"<€>&")).collect();
    let answers = masker.add_all(secrets.iter().map(String::as_str));
    assert!(answers.iter().all(|answer| *answer == Masked::Yes));
    for secret in &secrets {
        assert_eq!(masker.mask(&format!("({secret})")), "(***)");
        assert_eq!(masker.mask(&STANDARD.encode(secret)), "***");
    }
}

/// How programs write a secret.
fn written(secret: &str, before: &str) -> Vec<String> {
    let joined = format!("{before}{secret}/after");
    let percent = |keep: &str, upper: bool| -> String {
        let encoded = secret.bytes().map(|byte| match byte {
            byte if byte.is_ascii_alphanumeric() || keep.as_bytes().contains(&byte) => {
                char::from(byte).to_string()
            }
            byte if upper => format!("%{byte:02X}"),
            byte => format!("%{byte:02x}"),
        });
        encoded.collect()
    };
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let json = serde_json::to_string(secret).expect("it works");
    let html = |text: &str, quote: &str| {
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;")
            .replace('\'', quote)
    };
    vec![
        secret.to_owned(),
        STANDARD.encode(&joined),
        STANDARD_NO_PAD.encode(&joined),
        URL_SAFE.encode(&joined),
        URL_SAFE_NO_PAD.encode(&joined),
        STANDARD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        percent("-_.~", true),
        percent("-_.~", false),
        percent("-_.~/", true).replace("%20", "+"),
        percent("-_.!~*'()", true),
        hex.to_uppercase(),
        hex,
        json[1..json.len() - 1].to_owned(),
        serde_json::to_string(&json).expect("it works"),
        format!("{secret:?}"),
        format!("{:?}", secret.as_bytes()),
        html(secret, "&#39;"),
        html(secret, "&#x27;"),
        html(secret, "&apos;"),
    ]
}

proptest! {
    #[test]
    fn no_secret_comes_out_in_any_form(
        secrets in prop::collection::vec("[!-)+-~äß€😀]{4,40}", 1..5),
        before in "[a-z]{0,3}",
        around in "[ .]{0,5}",
    ) {
        let masker = masker(&secrets.iter().map(String::as_str).collect::<Vec<_>>());
        for secret in &secrets {
            for (at, form) in written(secret, &before).into_iter().enumerate() {
                let line = format!("{around}{form}{around}");
                let masked = masker.mask(&line);
                prop_assert!(masked.contains("***"), "form {} of {}: {}", at, secret, line);
                prop_assert!(!masked.contains(&form));
                for other in &secrets {
                    prop_assert!(!masked.contains(other.as_str()));
                }
            }
        }
    }

    #[test]
    fn what_comes_out_of_a_text_has_no_secret_in_it(
        secrets in prop::collection::vec("[ab/]{4,6}", 1..4),
        text in "[ab/ ]{0,60}",
    ) {
        let masker = masker(&secrets.iter().map(String::as_str).collect::<Vec<_>>());
        let masked = masker.mask(&text);
        for secret in &secrets {
            prop_assert!(!masked.contains(secret.as_str()));
        }
        if !secrets.iter().any(|secret| text.contains(secret.as_str())) {
            prop_assert!(masked == text || masked.contains("***"));
        }
    }

    #[test]
    fn a_text_without_secrets_is_the_same_text(text in "[a-z 0-9ä€\\n\"]{0,200}") {
        let masker = masker(&["GEHEIM", "TOP-SECRET-7"]);
        prop_assert!(matches!(masker.mask(&text), Cow::Borrowed(same) if same == text));
    }
}
