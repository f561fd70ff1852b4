//! What somebody was shown before they said yes, and that nothing else is done.

use ring::digest::{SHA256, digest};
use tidemill_scheduler::engine::{Changed, Command, TaskChange};

use crate::door::{Asked, DoorError};
use crate::frame::Frame;
use crate::html::hex;

/// Asks the leader in the name of who is signed in.
pub(crate) async fn ask(
    frame: &Frame,
    (seen, dry_run): (Option<u32>, bool),
    command: Command,
) -> Result<Changed, DoorError> {
    let asked = Asked {
        by: frame.name(),
        seen,
        dry_run,
        command,
    };
    frame.web.door().ask(asked).await
}

/// Does what was shown, by its [`fingerprint`], and nothing else.
///
/// # Errors
/// [`DoorError::Stale`] also if it would change something else by now.
pub(crate) async fn carry_out(
    frame: &Frame,
    (seen, shown): (Option<u32>, &str),
    command: Command,
) -> Result<Changed, DoorError> {
    if !shown.is_empty() {
        let now = ask(frame, (seen, true), command.clone()).await?;
        if fingerprint(&now) != shown {
            let says = "it would change something else by now than you were shown, because the run went on; nothing was \
                changed: look again before you do it";
            return Err(DoorError::Stale(says.to_owned()));
        }
    }
    ask(frame, (seen, false), command).await
}

/// What would be changed, as a hash: which tasks become what, and what is written again.
pub(crate) fn fingerprint(changed: &Changed) -> String {
    let task = |change: &TaskChange| {
        let of = change.of;
        format!(
            "{} {} {} {}\n",
            of.run, change.name, of.map_index, change.to
        )
    };
    let mut lines: Vec<String> = changed.tasks.iter().map(task).collect();
    lines.sort_unstable();
    let tables = changed.writes_again.iter();
    lines.extend(tables.map(|table| format!("{table}\n")));
    hex(&digest(&SHA256, lines.concat().as_bytes()).as_ref()[..16])
}
