//! Text can be read in both themes: WCAG 2.2 AA, computed from the tokens of the style sheet.

use std::collections::BTreeMap;

const STYLE: &str = include_str!("../../assets/tidemill.css");
/// Text.
const TEXT: f64 = 4.5;
/// Shapes that mean something, and the ring of the focus.
const SHAPE: f64 = 3.0;

/// Ground, and what is written on it.
const TEXTS: [(&str, &[&str]); 12] = [
    ("bg", &["ink", "muted", "faint", "fail", "accent"]),
    (
        "surface",
        &[
            "ink", "muted", "faint", "fail", "ok", "retry", "run", "wait", "queue", "accent",
        ],
    ),
    ("raised", &["ink", "muted"]),
    ("accent", &["on-accent"]),
    ("accent-soft", &["ink", "muted"]),
    ("ok-soft", &["ok"]),
    ("run-soft", &["run", "ink", "muted", "faint"]),
    ("fail-soft", &["fail", "ink", "muted", "faint"]),
    ("retry-soft", &["retry", "ink"]),
    ("wait-soft", &["wait"]),
    ("queue-soft", &["queue", "ink", "muted", "fail"]),
    // Buttons on hover.
    ("queue-soft", &["accent"]),
];

/// Ground, and the shapes on it.
const SHAPES: [(&str, &[&str]); 2] = [
    (
        "surface",
        &[
            "ok", "run", "fail", "retry", "wait", "queue", "skip", "focus", "up",
        ],
    ),
    ("bg", &["focus"]),
];

type Tokens = BTreeMap<String, [u8; 3]>;

/// The colours of a block of the style sheet.
fn tokens(block: &str) -> Tokens {
    let colour = |value: &str| {
        let digits = value.trim().strip_prefix('#')?;
        let digits = if digits.len() == 3 {
            digits.chars().flat_map(|c| [c, c]).collect()
        } else {
            digits.to_owned()
        };
        let part = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
        Some([part(0)?, part(2)?, part(4)?])
    };
    let pairs = block.split(';').filter_map(|pair| pair.split_once(':'));
    pairs
        .filter_map(|(name, value)| {
            Some((name.trim().strip_prefix("--")?.to_owned(), colour(value)?))
        })
        .collect()
}

fn block(after: &str) -> &'static str {
    let (_, rest) = STYLE.split_once(after).expect("it works");
    rest.split_once('}').expect("it works").0
}

fn luminance(colour: [u8; 3]) -> f64 {
    let linear = |part: u8| {
        let part = f64::from(part) / 255.0;
        if part <= 0.040_45 {
            part / 12.92
        } else {
            ((part + 0.055) / 1.055).powf(2.4)
        }
    };
    let [red, green, blue] = colour.map(linear);
    0.2126f64.mul_add(red, 0.7152f64.mul_add(green, 0.0722 * blue))
}

fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn what_is_written_can_be_read_in_both_themes() {
    let light = tokens(block(":root{"));
    let mut dark = light.clone();
    dark.extend(tokens(block(":root[data-theme=dark]{")));
    let mut wrong = Vec::new();
    for (theme, tokens) in [("light", &light), ("dark", &dark)] {
        let pairs = TEXTS.iter().map(|pair| (pair, TEXT));
        let pairs = pairs.chain(SHAPES.iter().map(|pair| (pair, SHAPE)));
        for ((ground, all), least) in pairs {
            for ink in *all {
                let ratio = contrast(tokens[*ground], tokens[*ink]);
                if ratio < least {
                    wrong.push(format!(
                        "{theme}: {ink} on {ground} is {ratio:.2}, not {least}"
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn dark_is_the_same_whether_chosen_or_the_systems() {
    let chosen = tokens(block(":root[data-theme=dark]{"));
    let systems = tokens(block(":root:not([data-theme=light]){"));
    assert_eq!(chosen, systems);
    assert!(chosen.len() > 20);
}

#[test]
fn black_on_white_is_as_different_as_it_gets() {
    assert!((contrast([0; 3], [255; 3]) - 21.0).abs() < 0.01);
}
