//! A process with everything that descends from it.
//!
//! A process group is not enough for an isolated attempt: its task may start commands in groups of their own (the
//! shell operator does). So the child leads a session, which its descendants stay in whatever group they make, and
//! what left the session is found by its ancestors as long as they live.
//!
//! Which process is whose is read from `/proc`. Where there is none, the child's own group is all that is killed.

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, getpid, kill_process, kill_process_group, waitid,
};

/// More rounds than this find what was forked while the last round killed; a fork bomb is not chased for ever.
const ROUNDS_MAX: u32 = 20;

/// A child that leads a session, and all that descends from it. Dropping it kills them.
#[derive(Debug)]
pub struct Family {
    leader: Option<Pid>,
    leader_lives: bool,
}

impl Family {
    /// The family of a child that calls `setsid` first of all.
    #[must_use]
    pub fn of(child: u32) -> Self {
        Self {
            leader: i32::try_from(child).ok().and_then(Pid::from_raw),
            leader_lives: true,
        }
    }

    /// The leader was waited for: its number is no longer used for it alone.
    pub const fn leader_ended(&mut self) {
        self.leader_lives = false;
    }

    /// It is known that nobody is left.
    pub const fn is_gone(&mut self) {
        self.leader = None;
    }

    /// Kills them all.
    pub fn kill(&mut self) {
        let Some(leader) = self.leader.take() else {
            return;
        };
        // Looked for before the leader dies: afterwards a descendant that left the session has other ancestors.
        let found = kin_of(leader, self.leader_lives);
        if self.leader_lives {
            let _ = kill_process(leader, Signal::KILL);
        }
        let _ = kill_process_group(leader, Signal::KILL);
        kill_each(&found);
        for _ in 0..ROUNDS_MAX {
            let left = kin_of(leader, false);
            if left.is_empty() {
                break;
            }
            kill_each(&left);
        }
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Kills everything that descends from this very process, for a child that is about to end.
///
/// It costs one system call if there is nothing: a process that is a subreaper has a child as long as anything that
/// descends from it lives.
pub fn end_own_descendants() {
    let own = getpid();
    for _ in 0..ROUNDS_MAX {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        if waitid(WaitId::All, look).is_err() {
            return;
        }
        let found = kin_of(own, true);
        if found.is_empty() {
            return;
        }
        kill_each(&found);
    }
}

fn kill_each(pids: &[Pid]) {
    for pid in pids {
        let _ = kill_process(*pid, Signal::KILL);
    }
}

/// One process as `/proc` shows it.
struct Seen {
    pid: i32,
    parent: i32,
    session: i32,
}

/// Everybody in the leader's session, and its descendants if it lives; without the leader and without the dead.
fn kin_of(leader: Pid, with_descendants: bool) -> Vec<Pid> {
    let seen = processes();
    let leader = leader.as_raw_pid();
    let mut kin = vec![leader];
    // Whoever belongs to somebody that belongs: again until nobody is added, since the list is in no order.
    loop {
        let before = kin.len();
        for process in &seen {
            let belongs =
                process.session == leader || (with_descendants && kin.contains(&process.parent));
            if belongs && !kin.contains(&process.pid) {
                kin.push(process.pid);
            }
        }
        if kin.len() == before {
            break;
        }
    }
    kin.into_iter().skip(1).filter_map(Pid::from_raw).collect()
}

fn processes() -> Vec<Seen> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| {
            let pid: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
            read_stat(pid, &stat)
        })
        .collect()
}

/// Reads `pid (name) state parent group session …`. The name may hold anything, brackets and spaces, too.
fn read_stat(pid: i32, stat: &[u8]) -> Option<Seen> {
    let after_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let rest = std::str::from_utf8(&stat[after_name..]).ok()?;
    let mut words = rest.split_ascii_whitespace();
    let state = words.next()?;
    let parent = words.next()?.parse().ok()?;
    let session = words.nth(1)?.parse().ok()?;
    // A zombie runs no more; whoever it belongs to will wait for it.
    (!matches!(state, "Z" | "X")).then_some(Seen {
        pid,
        parent,
        session,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_does_not_confuse() {
        let seen = read_stat(7, b"7 (a) S 1 2) R 5 6 8 0 -1").expect("a process");
        assert_eq!((seen.pid, seen.parent, seen.session), (7, 5, 8));
        assert!(read_stat(7, b"7 (a) Z 5 6 8 0").is_none());
    }
}
