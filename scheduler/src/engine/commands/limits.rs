//! Commands for what limits runs: pauses, pools, priorities, backfills.

use std::sync::Arc;

use tidemill_core::id::{check_name, nearest};
use tidemill_core::protocol::RunNo;
use tidemill_core::state::TaskState;
use tidemill_store::record::BackfillState;

use super::{Answer, Asking, stale};
use crate::engine::effect::{Changed, Refusal};
use crate::engine::input::Pausable;
use crate::engine::machine::Engine;
use crate::engine::run::At;
use crate::engine::world::Todo;

impl Engine {
    pub(super) fn pause(&mut self, what: &Pausable, pause: bool, asking: Asking<'_>) -> Answer {
        let mut changed = Changed::default();
        match what {
            Pausable::Dag(id) => {
                let dag = self.dag_named(id)?;
                let of = self.world.dag(dag);
                stale(of.edits, of.touched.as_ref(), asking.seen)?;
                if !asking.dry_run {
                    self.world.pause_dag(dag, pause, asking.by);
                }
            }
            Pausable::Run(no) => {
                self.pause_run(*no, pause, asking)?;
                changed.runs.push(*no);
            }
            Pausable::Pool(name) => self.pause_pool(name, pause, asking)?,
            Pausable::Backfill(id) => {
                let facts = self.backfill_named(*id)?;
                stale(facts.row.edits, facts.row.touched.as_ref(), asking.seen)?;
                let (from, to) = if pause {
                    (BackfillState::Active, BackfillState::Paused)
                } else {
                    (BackfillState::Paused, BackfillState::Active)
                };
                if facts.row.state != from {
                    return Err(Refusal::invalid(
                        "the backfill is not in a state in which that could be done",
                    ));
                }
                let runs: Vec<RunNo> = facts.open.iter().copied().collect();
                if !asking.dry_run {
                    self.pause_backfill(*id, to, asking.by);
                    for run in &runs {
                        let what = Pausable::Run(*run);
                        self.pause(
                            &what,
                            pause,
                            Asking {
                                seen: None,
                                ..asking
                            },
                        )?;
                    }
                }
                changed.runs = runs;
            }
        }
        Ok(changed)
    }

    fn pause_run(&mut self, no: RunNo, pause: bool, asking: Asking<'_>) -> Result<(), Refusal> {
        self.fresh(no, None, asking.seen)?;
        let touch = self
            .world
            .touch(asking.by, if pause { "paused" } else { "unpaused" });
        if !asking.dry_run
            && let Some(run) = self.runs.get_mut(&no)
        {
            run.paused = pause;
            run.edits += 1;
            run.touched = Some(touch);
            self.world.dirty_run(run);
            for at in std::mem::take(&mut run.held) {
                if run
                    .slot(at)
                    .is_some_and(|slot| slot.state == TaskState::Scheduled)
                {
                    self.world.enqueue(run, at);
                }
            }
            let dag = run.dag;
            self.world.todo.push_back(Todo::Begin(dag));
        }
        Ok(())
    }

    fn pause_pool(&mut self, name: &str, pause: bool, asking: Asking<'_>) -> Result<(), Refusal> {
        let pool = self.pool_named(name)?;
        let facts = &self.world.pools[pool as usize];
        stale(facts.edits, facts.touched.as_ref(), asking.seen)?;
        if !asking.dry_run {
            let limit = self.world.lanes.pools[pool as usize].gate.limit;
            self.world.lanes.set_pool(pool, limit, pause, true);
            self.touch_pool(pool, if pause { "paused" } else { "unpaused" }, asking.by);
        }
        Ok(())
    }

    fn pause_backfill(&mut self, id: i64, to: BackfillState, by: &Arc<str>) {
        let touch = self.world.touch(
            by,
            if to == BackfillState::Paused {
                "paused"
            } else {
                "unpaused"
            },
        );
        if let Some(facts) = self.world.backfills.get_mut(&id) {
            facts.row.state = to;
            facts.row.edits += 1;
            facts.row.touched = Some(touch);
            self.world.dirty_backfills.insert(id);
            self.world.todo.push_back(Todo::Backfill(id));
        }
    }

    fn backfill_named(&self, id: i64) -> Result<&crate::engine::world::BackfillFacts, Refusal> {
        self.world
            .backfills
            .get(&id)
            .ok_or_else(|| Refusal::Unknown {
                what: "open backfill",
                name: id.to_string(),
                nearest: None,
            })
    }

    fn pool_named(&self, name: &str) -> Result<u32, Refusal> {
        let known = self.world.find_pool(name);
        known
            .filter(|pool| self.world.lanes.pools[*pool as usize].exists)
            .ok_or_else(|| Refusal::Unknown {
                what: "pool",
                name: name.to_owned(),
                nearest: nearest(name, self.world.pools.iter().map(|pool| &*pool.name))
                    .map(str::to_owned),
            })
    }

    fn touch_pool(&mut self, pool: u32, how: &str, by: &Arc<str>) {
        let touch = self.world.touch(by, how);
        let facts = &mut self.world.pools[pool as usize];
        facts.edits += 1;
        facts.touched = Some(touch);
        // It may have been removed since the last commit.
        let name = &self.world.pools[pool as usize].name;
        self.world.changes.pools_gone.retain(|gone| gone != name);
        self.world.dirty_pools.insert(pool);
    }

    pub(super) fn set_pool(
        &mut self,
        name: &Arc<str>,
        slots: Option<u32>,
        holds_deferred: bool,
        (note, asking): (Option<&Arc<str>>, Asking<'_>),
    ) -> Answer {
        check_name(name).map_err(|error| Refusal::invalid(error.to_string()))?;
        if let Some(pool) = self.world.find_pool(name) {
            let facts = &self.world.pools[pool as usize];
            // Whoever makes one anew has seen none, however often there was one before.
            let exists = self.world.lanes.pools[pool as usize].exists;
            let edits = if exists { facts.edits } else { 0 };
            stale(edits, facts.touched.as_ref(), asking.seen)?;
        }
        if !asking.dry_run {
            let pool = self.world.pool(name);
            let of = &self.world.lanes.pools[pool as usize];
            let (shut, held) = (of.gate.shut, of.holds_deferred);
            self.world.lanes.set_pool(pool, slots, shut, true);
            if held != holds_deferred {
                self.hold_deferred(pool, holds_deferred);
            }
            if let Some(note) = note {
                let note = Some(note).filter(|note| !note.is_empty());
                self.world.pools[pool as usize].note = note.cloned();
            }
            self.touch_pool(pool, "set", asking.by);
        }
        Ok(Changed::default())
    }

    /// Deferred tasks of a pool take their slots from now on, or give them back.
    fn hold_deferred(&mut self, pool: u32, hold: bool) {
        let mut slots = 0;
        for run in self.runs.values().filter(|run| !run.has_ended()) {
            for at in run.instances() {
                let deferred = run
                    .slot(at)
                    .is_some_and(|slot| slot.state == TaskState::Deferred && slot.is_live());
                if deferred
                    && !run.plan.task(at.pos).instant
                    && self.world.pool_of(run, at.pos) == pool
                {
                    slots += run.plan.spec(at.pos).placement.slots;
                }
            }
        }
        self.world.lanes.pools[pool as usize].holds_deferred = hold;
        if hold {
            self.world.lanes.take_pool(pool, slots);
        } else {
            self.world.lanes.give_back_pool(pool, slots);
        }
    }

    pub(super) fn remove_pool(&mut self, name: &Arc<str>, asking: Asking<'_>) -> Answer {
        let pool = self.pool_named(name)?;
        let facts = &self.world.pools[pool as usize];
        stale(facts.edits, facts.touched.as_ref(), asking.seen)?;
        if &**name == "default" {
            return Err(Refusal::invalid(
                "the default pool cannot be removed; give it fewer slots instead",
            ));
        }
        if !asking.dry_run {
            if self.world.lanes.pools[pool as usize].holds_deferred {
                self.hold_deferred(pool, false);
            }
            self.world.lanes.set_pool(pool, Some(0), false, false);
            self.world.pools[pool as usize].note = None;
            self.world.dirty_pools.remove(&pool);
            self.world.changes.pools_gone.push(Arc::clone(name));
        }
        Ok(Changed::default())
    }

    pub(super) fn reprioritise(
        &mut self,
        no: RunNo,
        priority: i32,
        pool: Option<&Arc<str>>,
        asking: Asking<'_>,
    ) -> Answer {
        self.fresh(no, None, asking.seen)?;
        let pool = match pool {
            None => None,
            Some(name) => Some((self.pool_named(name)?, Arc::clone(name))),
        };
        if !asking.dry_run {
            let touch = self.world.touch(asking.by, "gave another priority to");
            self.with_run(no, |world, run| {
                let live: Vec<At> = run
                    .instances()
                    .into_iter()
                    .filter(|at| {
                        run.slot(*at)
                            .is_some_and(crate::engine::slot::Slot::is_live)
                            && !run.plan.task(at.pos).instant
                    })
                    .collect();
                let states: Vec<TaskState> = live
                    .iter()
                    .filter_map(|at| run.slot(*at).map(|slot| slot.state))
                    .collect();
                for (at, state) in live.iter().zip(&states) {
                    world.let_go(run, *at, *state);
                }
                run.priority = priority;
                run.pool = pool;
                run.edits += 1;
                run.touched = Some(touch);
                world.dirty_run(run);
                for (at, state) in live.iter().zip(&states) {
                    world.hold(run, *at, *state != TaskState::Deferred);
                }
                for at in run.instances() {
                    if run
                        .slot(at)
                        .is_some_and(|slot| slot.state == TaskState::Scheduled)
                        && !run.held.contains(&at)
                    {
                        world.enqueue(run, at);
                    }
                }
            });
        }
        Ok(Changed {
            runs: vec![no],
            ..Changed::default()
        })
    }

    pub(super) fn end_backfill(&mut self, id: i64, asking: Asking<'_>) -> Answer {
        let facts = self.backfill_named(id)?;
        stale(facts.row.edits, facts.row.touched.as_ref(), asking.seen)?;
        let open = facts.open.iter().copied().collect();
        let runs = if asking.dry_run {
            open
        } else {
            self.cancel_backfill(id, asking.by)
        };
        Ok(Changed {
            runs,
            ..Changed::default()
        })
    }
}
