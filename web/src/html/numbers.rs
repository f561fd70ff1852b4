//! Numbers as people read them.

/// A whole number in groups of three: `4,000`.
pub(crate) fn grouped(count: i64) -> String {
    let digits = count.unsigned_abs().to_string();
    let mut text = if count < 0 { "-" } else { "" }.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number in short, for axes and sums: `1.2 M`.
#[expect(
    clippy::cast_precision_loss,
    reason = "one digit after the point is shown"
)]
pub(crate) fn short(count: i64) -> String {
    in_units(count as f64, 1_000.0, &["", " k", " M", " G", " T"])
}

/// How many bytes, in short: `3.4 GB`.
#[expect(
    clippy::cast_precision_loss,
    reason = "one digit after the point is shown"
)]
pub(crate) fn bytes(count: i64) -> String {
    in_units(count as f64, 1_000.0, &[" B", " kB", " MB", " GB", " TB"])
}

fn in_units(mut value: f64, step: f64, units: &[&str]) -> String {
    let mut unit = 0;
    // 999.95 would be written as 1000.0.
    while value.abs() >= step - 0.05 && unit + 1 < units.len() {
        value /= step;
        unit += 1;
    }
    let word = units.get(unit).copied().unwrap_or_default();
    if value.fract() == 0.0 || unit == 0 {
        format!("{value:.0}{word}")
    } else {
        format!("{value:.1}{word}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_never_a_thousand_of_a_unit() {
        assert_eq!(grouped(-1_234_567), "-1,234,567");
        assert_eq!(grouped(i64::MIN), "-9,223,372,036,854,775,808");
        let cases = [
            (0, "0"),
            (999, "999"),
            (1_000, "1 k"),
            (1_250, "1.2 k"),
            (999_960, "1.0 M"),
        ];
        for (count, wanted) in cases {
            assert_eq!(short(count), wanted);
        }
        assert_eq!(bytes(3_400_000_000), "3.4 GB");
        assert_eq!(bytes(12), "12 B");
    }
}
