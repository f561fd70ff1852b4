use proptest::prelude::*;
use tidemill_core::operator::Level;
use tidemill_logs::{LogBook, LogLimits, Masker};

use crate::page::{at, attempt, place, texts};

/// What a child that prints these pieces leaves in the log.
fn printed(masker: &Masker, line_bytes_max: usize, pieces: &[&[u8]]) -> Vec<String> {
    let limits = LogLimits {
        line_bytes_max,
        ..LogLimits::default()
    };
    let book = LogBook::new(limits, masker.clone());
    let log = book.open(at(0), attempt(1), place(1));
    let mut out = log.capture(Level::Info, "stdout");
    for piece in pieces {
        out.push(at(0), piece);
    }
    out.finish(at(0));
    log.close();
    texts(&book.due(at(0)))
}

#[test]
fn lines_come_out_whole_however_they_came_in() {
    let masker = Masker::new();
    let all = b"one\ntwo\r\n\n 10%\r 50%\r100%\nlast";
    let whole = ["one", "two", "", "100%", "last"];
    assert_eq!(printed(&masker, 1000, &[all]), whole);
    let bytes: Vec<&[u8]> = all.chunks(1).collect();
    assert_eq!(printed(&masker, 1000, &bytes), whole);
    assert_eq!(printed(&masker, 1000, &[b"done\r"]), ["done"]);
    assert!(printed(&masker, 1000, &[b""]).is_empty());
}

#[test]
fn bytes_that_are_no_text_are_shown_as_such() {
    let lines = printed(&Masker::new(), 1000, &[b"a\xff\xc3b\0\x1b[31mred\n"]);
    assert_eq!(lines, ["a\u{fffd}\u{fffd}b\0\u{1b}[31mred"]);
}

#[test]
fn a_line_without_end_takes_no_memory_and_is_counted() {
    let piece = [b'x'; 65536];
    let pieces: Vec<&[u8]> = (0..160).map(|_| piece.as_slice()).collect();
    let lines = printed(&Masker::new(), 100, &pieces);
    assert_eq!(lines.len(), 1);
    let missing = 160 * 65536 - 100;
    assert!(lines[0].ends_with(&format!("x … ({missing} bytes cut)")));
}

proptest! {
    #[test]
    fn a_secret_is_masked_however_it_is_cut(
        before in "[a-z \n]{0,20}",
        after in "[a-z \r]{0,20}",
        sizes in prop::collection::vec(1usize..6, 1..40),
        line_bytes_max in 1usize..40,
    ) {
        let masker = Masker::new();
        masker.add("SECR:ET");
        let all = format!("{before}SECR:ET{after}\n");
        let mut rest = all.as_bytes();
        let mut pieces = Vec::new();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, more) = rest.split_at((*size).min(rest.len()));
            pieces.push(piece);
            rest = more;
        }
        let lines = printed(&masker, line_bytes_max, &pieces).concat();
        prop_assert!(!lines.contains(['S', 'E', 'C', 'R', 'T']), "{}", lines);
    }

    #[test]
    fn what_has_no_secret_is_not_touched(text in "[ -~äß€😀\n]{0,200}") {
        let masker = Masker::new();
        masker.add("not-in-there\u{1}");
        let lines = printed(&masker, 10_000, &[text.as_bytes()]);
        let whole: Vec<&str> = text.lines().collect();
        prop_assert_eq!(lines, whole);
    }
}
