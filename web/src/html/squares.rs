//! The squares of the grid: one cell of a table each, with as little around it as possible, because there are thousands.

use std::fmt::Write as _;

use tidemill_core::state::TaskState;

use super::{Chip, Html, Tone, escape};

/// What there is to say of a task in a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Square {
    /// Its states, and how many instances are in each; one for a task that is not mapped.
    pub(crate) states: Vec<(TaskState, u32)>,
    /// Whether it is a mapped task or a group.
    pub(crate) many: bool,
    /// What somebody noted on it.
    pub(crate) note: Option<String>,
}

/// The state that matters most: what failed before what runs before what is well.
fn worst(states: &[(TaskState, u32)]) -> Option<TaskState> {
    states
        .iter()
        .map(|(state, _)| *state)
        .min_by_key(|state| Tone::from(*state))
}

/// Writes a cell. Its word is there for those who do not see it; the style sheet hides it from others.
pub(crate) fn square(out: &mut Html, square: &Square) {
    let Some(worst) = worst(&square.states) else {
        out.0.push_str("<td>");
        return;
    };
    let chip = Chip::from(worst);
    let _ = match &square.note {
        None => write!(out.0, "<td class={}>", chip.tone.class()),
        Some(note) => write!(
            out.0,
            "<td class=\"{} noted\" title=\"{}\">Noted, ",
            chip.tone.class(),
            escape(note)
        ),
    };
    if square.many {
        for (at, (state, count)) in square.states.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            let _ = write!(out.0, "{comma}{count} {}", Chip::from(*state).word());
        }
    } else {
        out.0.push_str(chip.word());
    }
}

/// The head of a column: a run.
pub(crate) struct Head<'a> {
    /// How it stands.
    pub(crate) chip: Chip,
    /// How long it took, as a part of the longest.
    pub(crate) part: f64,
    /// The same in words.
    pub(crate) took: String,
    /// Its name.
    pub(crate) name: &'a str,
    /// Where it leads.
    pub(crate) href: String,
    /// Whether it is the one that is looked at.
    pub(crate) selected: bool,
    /// Whether its version is another than that of the run before.
    pub(crate) changed: bool,
    /// What somebody noted on it.
    pub(crate) note: Option<&'a str>,
}

/// Writes the head of a column.
pub(crate) fn head_cell(out: &mut Html, head: &Head<'_>) {
    const HIGH: f64 = 56.0;
    let tall = (head.part * HIGH).clamp(4.0, HIGH);
    let classes = [
        ("on", head.selected),
        ("v", head.changed),
        ("noted", head.note.is_some()),
    ];
    let classes = classes.iter().filter(|(_, is)| *is);
    let classes: Vec<&str> = classes.map(|(class, _)| *class).collect();
    let class = match &classes[..] {
        [] => String::new(),
        [one] => format!(" class={one}"),
        all => format!(" class=\"{}\"", all.join(" ")),
    };
    let (name, word) = (escape(head.name), head.chip.word());
    let changed = if head.changed { ", new version" } else { "" };
    let note = head.note.map(|note| format!("; noted: {}", escape(note)));
    let note = note.unwrap_or_default();
    let _ = write!(
        out.0,
        "<th scope=col{class}><a href=\"{}\" title=\"{name}: {word}, {}{changed}{note}\">{name} {word}<svg width=22 height=58 \
         aria-hidden=true><rect class={} x=2 y={:.1} width=18 height={tall:.1} rx=2 /></svg></a>",
        escape(&head.href),
        head.took,
        head.chip.tone.class(),
        58.0 - tall,
    );
}

/// Writes what is below the head of a column: a way to what changed, if this run has another version than the one before.
pub(crate) fn version_cell(out: &mut Html, changed: Option<(String, String)>) {
    let Some((href, says)) = changed else {
        out.0.push_str("<td>");
        return;
    };
    let (href, says) = (escape(&href), escape(&says));
    let _ = write!(
        out.0,
        "<td><a href=\"{href}\" title=\"what changed: {says}\">{says}</a>"
    );
}

/// The head of a row: a task or a group.
pub(crate) struct RowHead<'a> {
    /// Its id.
    pub(crate) id: &'a str,
    /// What is written.
    pub(crate) label: &'a str,
    /// The groups around it.
    pub(crate) inside: &'a [String],
    /// Whether it is a group.
    pub(crate) is_group: bool,
    /// Whether it is mapped.
    pub(crate) mapped: bool,
}

/// Begins a row.
pub(crate) fn row_start(out: &mut Html, row: &RowHead<'_>) {
    let id = escape(row.id);
    out.0.push_str("<tr");
    if row.is_group {
        let _ = write!(out.0, " data-group=\"{id}\"");
    }
    if !row.inside.is_empty() {
        let inside = escape(&row.inside.join(" "));
        let depth = row.inside.len().min(3);
        let _ = write!(out.0, " class=d{depth} data-in=\"{inside}\"");
    }
    let mapped = if row.mapped { " ×n" } else { "" };
    let _ = write!(
        out.0,
        "><th scope=row title=\"{id}\">{}{mapped}</th>",
        escape(row.label)
    );
}

/// Ends a row.
pub(crate) fn row_end(out: &mut Html) {
    out.0.push_str("</tr>\n");
}
