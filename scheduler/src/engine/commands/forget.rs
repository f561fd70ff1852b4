//! Ending the wait for a stop that fails for ever.

use std::sync::Arc;

use tidemill_core::protocol::InstanceRef;
use tidemill_core::state::TaskState;

use super::{Answer, Asking};
use crate::engine::effect::{Changed, Refusal};
use crate::engine::machine::Engine;
use crate::engine::slot::Slot;
use crate::engine::stuck::left_outside;

impl Engine {
    pub(super) fn forget(
        &mut self,
        of: InstanceRef,
        note: &Arc<str>,
        asking: Asking<'_>,
    ) -> Answer {
        if note.trim().is_empty() {
            return Err(Refusal::invalid(
                "say in the note what became of the job outside: whoever looks at a double load will want to know",
            ));
        }
        let run = self.at_hand(of.run)?;
        let at = run
            .at(of)
            .ok_or_else(|| Refusal::invalid("the run has no such task"))?;
        let name = run.plan.spec(at.pos).id.clone();
        self.fresh(of.run, Some((name.as_str(), at.index)), asking.seen)?;
        let run = self.at_hand(of.run)?;
        if run.is_summary(at) {
            return Err(Refusal::invalid(format!(
                "`{name}` is many: name the instance whose stop is to be forgotten"
            )));
        }
        let Some(cleanup) = self.world.cleanup_of(run, at) else {
            let slot = run.slot(at);
            let state = slot.map_or(TaskState::None, |slot| slot.state);
            let help = if slot.is_some_and(Slot::is_live) {
                "; cancel its attempt first"
            } else {
                ""
            };
            return Err(Refusal::invalid(format!(
                "nothing of `{name}` is being stopped: it is {state}{help}"
            )));
        };
        let attempt = cleanup.of.attempt;
        let by = self.world.stopped_by(cleanup);
        let by = by.map_or_else(String::new, |worker| format!(" by worker {worker}"));
        let what = left_outside(cleanup).map_or_else(String::new, |what| format!(", {what},"));
        let remark = format!(
            "nobody waits any longer for attempt {attempt} of `{name}` to be stopped{by}; what it started{what} may still \
             run, here or outside"
        );
        if !asking.dry_run {
            let touch = self.world.touch(asking.by, "forgot the stop of");
            self.with_run(of.run, |world, run| {
                world.forget(run, attempt);
                if let Some(slot) = run.slot_mut(at) {
                    slot.edits += 1;
                    let detail = slot.detail_mut();
                    detail.touched = Some(touch);
                    detail.note = Some(Arc::clone(note));
                }
                world.dirty(run, at);
            });
        }
        Ok(Changed {
            runs: vec![of.run],
            remarks: vec![remark],
            ..Changed::default()
        })
    }
}
