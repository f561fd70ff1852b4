//! A process group, killed as a whole.

use rustix::process::{Pid, Signal, kill_process_group};

/// The process group that a child leads. Dropping it kills the group, so that a task that is cancelled, times out or
/// panics leaves nothing running.
#[derive(Debug)]
pub struct Group(Option<Pid>);

impl Group {
    /// The group of a child that was started with `process_group(0)`.
    #[must_use]
    pub fn led_by(child: u32) -> Self {
        Self(i32::try_from(child).ok().and_then(Pid::from_raw))
    }

    /// Asks every process of the group to end.
    pub fn terminate(&self) {
        self.send(Signal::TERM);
    }

    /// Interrupts every process of the group, as Ctrl-C does.
    pub fn interrupt(&self) {
        self.send(Signal::INT);
    }

    /// Kills every process of the group.
    ///
    /// It is safe shortly after the leader was waited for, too: the number stays taken while the group has a member, and
    /// numbers are given out in turn, so that a free one does not come back at once.
    pub fn kill(&self) {
        self.send(Signal::KILL);
    }

    fn send(&self, signal: Signal) {
        if let Some(leader) = self.0 {
            // There is nothing to do about a group that is gone already.
            let _ = kill_process_group(leader, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
