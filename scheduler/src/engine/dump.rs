//! All that the engine would decide by, as text: two engines with the same text go on in the same way.
//!
//! An engine that was made from what is stored has to have the same text as the one that stored it. What a new engine
//! rightly does not know is left out: whose turn it is, which workers are there, runs that have ended.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::machine::Engine;
use super::plan::Many;
use super::run::{At, Run};
use super::slot::{Flags, Slot};
use super::world::{Timer, World};
use tidemill_core::protocol::RunNo;
use tidemill_core::state::TaskState;

impl Engine {
    /// All that it decides by, as text, for tests.
    #[must_use]
    pub fn dump(&self) -> String {
        let mut out = String::new();
        self.dump_into(&mut out).unwrap_or_default();
        out
    }

    fn dump_into(&self, out: &mut String) -> std::fmt::Result {
        let world = &self.world;
        let highest = &world.highest;
        writeln!(
            out,
            "highest run {} attempt {} backfill {} event {}",
            highest.run, highest.attempt, highest.backfill, highest.asset_event
        )?;
        let mut numbers: Vec<RunNo> = self.runs.keys().copied().collect();
        numbers.sort_unstable();
        for no in &numbers {
            let run = &self.runs[no];
            if !run.has_ended() {
                world.dump_run(run, out)?;
            }
        }
        self.dump_waiting(out)?;
        world.dump_dags(out)?;
        world.dump_limits(out)?;
        self.dump_timers(out)?;
        world.dump_backfills(out)?;
        for cleanup in world.cleanups.values() {
            writeln!(out, "cleanup {:?}", world.cleanup_row(cleanup))?;
        }
        writeln!(out, "unwatched {:?}", world.unwatched)?;
        let mut lines = BTreeSet::new();
        for (_, worker) in world.workers.iter() {
            let holds: BTreeSet<_> = worker.holds.iter().collect();
            if !holds.is_empty() || !worker.stops.is_empty() {
                lines.insert(format!(
                    "worker {} holds {holds:?} stops {:?}",
                    worker.name, worker.stops
                ));
            }
        }
        lines.iter().try_for_each(|line| writeln!(out, "{line}"))
    }

    /// The tasks that wait in lanes, each with what it waits for.
    fn dump_waiting(&self, out: &mut String) -> std::fmt::Result {
        let mut lines = BTreeSet::new();
        for (key, waiting) in self.world.lanes.all_waiting() {
            let at = At {
                pos: waiting.order.at,
                index: waiting.order.index,
            };
            let Some(run) = self.runs.get(&waiting.order.run) else {
                continue;
            };
            let waits =
                |slot: &Slot| slot.state == TaskState::Scheduled && slot.ticket == waiting.ticket;
            if run.is_active() && run.slot(at).is_some_and(waits) {
                if run.paused {
                    // It may still wait in its lane, to be held when its turn comes.
                    lines.insert(format!("held {} {at:?}", run.no));
                    continue;
                }
                let pool = &self.world.pools[key.pool as usize].name;
                lines.insert(format!(
                    "waits {} {at:?} for {} of {pool} in {} behind {} gates, {:?}",
                    run.no,
                    key.slots,
                    self.world.workers.queue_name(key.queue),
                    key.gates.len(),
                    waiting.order,
                ));
            }
        }
        for run in self.runs.values().filter(|run| run.is_active()) {
            let waits = |at: &&At| {
                run.slot(**at)
                    .is_some_and(|slot| slot.state == TaskState::Scheduled)
            };
            lines.extend(
                run.held
                    .iter()
                    .filter(waits)
                    .map(|at| format!("held {} {at:?}", run.no)),
            );
        }
        lines.iter().try_for_each(|line| writeln!(out, "{line}"))
    }

    fn dump_timers(&self, out: &mut String) -> std::fmt::Result {
        for (at, timer) in &self.world.timers {
            let matters = match timer {
                Timer::Retry(run, of) => self.slot(*run, *of).is_some_and(|slot| {
                    slot.state == TaskState::UpForRetry && slot.retry_at.get() == Some(*at)
                }),
                Timer::Attempt(run, of) => self
                    .slot(*run, *of)
                    .is_some_and(|slot| slot.is_live() && slot.deadline.get() == Some(*at)),
                Timer::RunTimeout(run) => self.runs.get(run).is_some_and(|run| {
                    let limit = run.plan.definition().run_timeout;
                    let until = run
                        .started_at
                        .zip(limit)
                        .map(|(started, limit)| started.after(limit));
                    run.is_active() && until == Some(*at)
                }),
                Timer::RunLate(run) | Timer::TaskLate(run, _) => {
                    self.runs.get(run).is_some_and(|run| !run.has_ended())
                }
                Timer::Dag(dag) => {
                    let of = self.world.dag(*dag);
                    of.timer == Some(*at) && of.newest.is_some() && !of.paused
                }
                Timer::Lease(_) => false,
            };
            match timer {
                Timer::Dag(dag) if matters => {
                    writeln!(out, "timer {at} {}", self.world.dag(*dag).id)?
                }
                _ if matters => writeln!(out, "timer {at} {timer:?}")?,
                _ => {}
            }
        }
        Ok(())
    }

    fn slot(&self, run: RunNo, at: At) -> Option<&Slot> {
        self.runs.get(&run).filter(|run| !run.has_ended())?.slot(at)
    }
}

impl World {
    fn dump_run(&self, run: &Run, out: &mut String) -> std::fmt::Result {
        writeln!(out, "{:?}", run.row())?;
        let used = |gate: Option<u32>| gate.map_or(0, |gate| self.lanes.gate(gate).used);
        writeln!(
            out,
            " open {} stopping {} gate {}",
            run.open,
            run.stopping,
            used(run.gate)
        )?;
        let mut gates: Vec<_> = run
            .task_gates
            .iter()
            .map(|(pos, gate)| (*pos, used(Some(*gate))))
            .collect();
        gates.retain(|(_, used)| *used > 0);
        gates.sort_unstable();
        writeln!(out, " task gates {gates:?}")?;
        let mut lists: Vec<_> = run.lists.keys().copied().collect();
        lists.sort_unstable();
        writeln!(out, " lists {lists:?}")?;
        for (slot, pos) in run.slots.iter().zip(0..) {
            self.dump_slot(run, (At::whole(pos), slot), out)?;
            let Some(block) = run.blocks.get(&pos) else {
                continue;
            };
            if block.folded {
                writeln!(out, " {} folded", block.slots.len())?;
                continue;
            }
            writeln!(out, " {:?}", block.ended)?;
            for (slot, index) in block.slots.iter().zip(0..) {
                self.dump_slot(run, (At { pos, index }, slot), out)?;
            }
        }
        for gone in &run.gone {
            writeln!(
                out,
                " gone {:?} {} {}",
                gone.task, gone.index, gone.slot.number
            )?;
        }
        Ok(())
    }

    fn dump_slot(&self, run: &Run, (at, slot): (At, &Slot), out: &mut String) -> std::fmt::Result {
        let row = run.task_row(at, |worker| self.workers.name(worker));
        let flags = (slot.flags.has(Flags::STOPPING), slot.flags.has(Flags::CUT));
        writeln!(out, " {row:?}")?;
        // Those of a task with a list of its own go by what the task as a whole has seen.
        if at.index < 0 || run.plan.task(at.pos).many != Many::Own {
            writeln!(out, "  {:?} of {}", slot.counts, slot.total)?;
        }
        writeln!(out, "  waits {} {flags:?}", slot.waits)?;
        let detail = run.detail_row(at).map(|row| format!("{row:?}"));
        // An empty one is as good as none: it may hold nothing but the number of a key.
        let detail = detail.filter(|_| slot.detail().is_some_and(|detail| !detail.is_empty()));
        detail.map_or(Ok(()), |detail| writeln!(out, "  {detail}"))
    }

    fn dump_dags(&self, out: &mut String) -> std::fmt::Result {
        let mut dags: Vec<_> = self.dags.iter().zip(0..).collect();
        dags.sort_unstable_by_key(|(dag, _)| &dag.id);
        for (dag, at) in dags {
            writeln!(out, "{:?}", self.dag_row(at))?;
            let gate = self.lanes.gate(dag.gate);
            writeln!(
                out,
                " used {} of {:?} shut {}",
                gate.used, gate.limit, gate.shut
            )?;
            let mut gates: Vec<_> = dag
                .task_gates
                .iter()
                .map(|(no, gate)| (*no, self.lanes.gate(*gate).used))
                .collect();
            gates.retain(|(_, used)| *used > 0);
            gates.sort_unstable();
            let last = dag.last_due.map(|last| last.start.into());
            let taken: Vec<_> = dag
                .taken
                .iter()
                .filter(|start| last.is_none_or(|last| **start > last))
                .collect();
            writeln!(
                out,
                " task gates {gates:?} on {:?} queued {:?} scheduled {} taken {taken:?} waits {:?}",
                dag.on, dag.queued, dag.queued_scheduled, dag.waits
            )?;
        }
        Ok(())
    }

    /// Pools and keys of concurrency.
    fn dump_limits(&self, out: &mut String) -> std::fmt::Result {
        let mut lines = BTreeSet::new();
        for (facts, pool) in self.pools.iter().zip(&self.lanes.pools) {
            let gate = &pool.gate;
            if pool.exists || gate.used > 0 {
                lines.insert(format!(
                    "pool {} {} of {:?} shut {} holds deferred {} note {:?}",
                    facts.name, gate.used, gate.limit, gate.shut, pool.holds_deferred, facts.note
                ));
            }
        }
        for (key, at) in &self.keys {
            let used = self.lanes.gate(self.key_gates[*at as usize]).used;
            if used > 0 {
                lines.insert(format!("key {key} {used}"));
            }
        }
        let secrets = [
            ("connection", &self.connections),
            ("variable", &self.variables),
        ];
        for (what, heads) in secrets {
            lines.extend(heads.lines().map(|line| format!("{what} {line}")));
        }
        lines.iter().try_for_each(|line| writeln!(out, "{line}"))
    }

    fn dump_backfills(&self, out: &mut String) -> std::fmt::Result {
        for backfill in self.backfills.values() {
            writeln!(
                out,
                "{:?} on {:?} open {:?}",
                backfill.row, backfill.on, backfill.open
            )?;
            for date in &backfill.dates {
                writeln!(out, " {date:?}")?;
            }
        }
        Ok(())
    }
}
