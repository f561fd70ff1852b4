//! The small marks that tell kinds of tasks apart by shape.

use crate::Kind;

/// The strokes of a kind's mark, in a square of 16 by 16 pixels.
///
/// States of a run are told by filled discs, diamonds, triangles and bars; the marks are line
/// drawings so that the two are never taken for each other, and they carry no colour because colour
/// belongs to the states.
pub(super) fn strokes(kind: Kind) -> &'static str {
    match kind {
        // A prompt waiting for a command.
        Kind::Work => "M3.5 4.5 7 8l-3.5 3.5M8.5 12h4",
        // Up from the ground, and down to it.
        Kind::Setup => "M3 13.5h10M8 10.5V2.5M4.8 5.7 8 2.5l3.2 3.2",
        Kind::Teardown => "M3 13.5h10M8 2.5v8M4.8 7.3 8 10.5l3.2-3.2",
        // A way that forks.
        Kind::Branch => {
            "M2.5 8H6c2.5 0 2-4 4.5-4H13M6 8c2.5 0 2 4 4.5 4H13M11 2l2.2 2L11 6M11 10l2.2 2L11 14"
        }
        // An open switch.
        Kind::ShortCircuit => "M1.5 11H4l7-6.5M12 11h2.5M4 9.8v2.4M12 9.8v2.4",
        // An eye.
        Kind::Sensor => {
            "M1.5 8C4 3.3 12 3.3 14.5 8 12 12.7 4 12.7 1.5 8ZM8 6.2a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 1 0 0-3.6Z"
        }
        // A person.
        Kind::Approval => "M8 2.5a2.6 2.6 0 1 0 0 5.2 2.6 2.6 0 1 0 0-5.2ZM2.8 14c.4-6 10-6 10.4 0",
    }
}

/// The character that stands for a kind in a terminal.
pub(super) fn letter(kind: Kind) -> char {
    match kind {
        Kind::Work => '●',
        Kind::Setup => '▲',
        Kind::Teardown => '▼',
        Kind::Branch => '◆',
        Kind::ShortCircuit => '◇',
        Kind::Sensor => '◎',
        Kind::Approval => '■',
    }
}
