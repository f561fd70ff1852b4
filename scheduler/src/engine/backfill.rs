//! Runs for the past: which dates, in which order, how many at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use tidemill_core::protocol::RunNo;
use tidemill_core::spec::Schedule;
use tidemill_core::state::{RunState, RunType};
use tidemill_core::time::Timestamp;
use tidemill_core::timetable::{Due, Window};
use tidemill_store::record::{
    BackfillDateRow, BackfillRow, BackfillState, Changes, DateState, Reprocess, Touch,
};

use super::clear::Clearing;
use super::effect::{Changed, DatePlan, Effect, Refusal};
use super::input::{Backfill, Wanted};
use super::machine::Engine;
use super::plan::Plan;
use super::run::Run;
use super::runs::{NewRun, run_name};
use super::world::{BackfillFacts, Todo, World};

/// How many runs of one backfill are made ahead of what may begin.
const AHEAD: usize = 100;

impl Engine {
    /// A backfill as it would be made now.
    pub(super) fn plan_backfill(
        &self,
        dag: u32,
        plan: &Plan,
        ask: &Backfill,
    ) -> Result<Vec<DatePlan>, Refusal> {
        let definition = plan.definition();
        if definition.schedule.timing().is_none() {
            return Err(Refusal::invalid(
                "the DAG has no timetable, so there are no dates to fill",
            ));
        }
        if ask.from > ask.to {
            return Err(Refusal::invalid("the backfill ends before it begins"));
        }
        if ask.to > self.world.now {
            return Err(Refusal::invalid("the backfill reaches into the future"));
        }
        if ask.active_runs_max == 0 {
            return Err(Refusal::invalid(
                "with no active runs allowed the backfill would never begin",
            ));
        }
        let open = |backfill: &BackfillFacts| {
            backfill.row.dag == definition.id
                && matches!(
                    backfill.row.state,
                    BackfillState::Active | BackfillState::Paused
                )
        };
        if let Some((id, _)) = self
            .world
            .backfills
            .iter()
            .find(|(_, backfill)| open(backfill))
        {
            return Err(Refusal::invalid(format!(
                "backfill {id} of this DAG is not over yet"
            )));
        }
        if plan.looks_back && (ask.backwards || ask.reprocess == Reprocess::None) {
            return Err(Refusal::invalid(
                "tasks of this DAG wait for their earlier runs: it is filled forwards, and dates that have a run are run again",
            ));
        }
        let mut dates = dates(
            definition.schedule.clone(),
            definition.start,
            ask,
            self.world.now,
        )?;
        if ask.backwards {
            dates.reverse();
        }
        self.read_back(Wanted::Between {
            dag: definition.id.clone(),
            from: ask.from,
            to: ask.to,
        })?;
        let known = self.runs_between(dag, ask.from, ask.to);
        Ok(dates
            .into_iter()
            .map(|due| date_plan(due, &known, ask.reprocess))
            .collect())
    }

    /// The runs of a DAG that have a date of their own in this span and are at hand.
    fn runs_between(&self, dag: u32, from: Timestamp, to: Timestamp) -> Vec<&Run> {
        let mut runs: Vec<&Run> = self
            .runs
            .values()
            .map(AsRef::as_ref)
            .filter(|run: &&Run| run.dag == dag && run.start >= from && run.start <= to)
            .filter(|run| matches!(run.kind, RunType::Scheduled | RunType::Backfill))
            .collect();
        runs.sort_unstable_by_key(|run| run.no);
        runs
    }

    pub(super) fn start_backfill(
        &mut self,
        dag: u32,
        ask: &Backfill,
        params: Arc<str>,
        by: &Arc<str>,
    ) -> Result<Changed, Refusal> {
        let newest = self.world.dag(dag).newest.unwrap_or_default();
        let plan = Arc::clone(&self.world.plans[newest as usize]);
        let dates = self.plan_backfill(dag, &plan, ask)?;
        self.world.highest.backfill += 1;
        let id = self.world.highest.backfill;
        let touched = Touch {
            by: Arc::clone(by),
            how: "made".into(),
            at: self.world.now,
        };
        let row = BackfillRow {
            id,
            dag: plan.definition().id.clone(),
            from: ask.from,
            to: ask.to,
            reprocess: ask.reprocess,
            active_runs_max: ask.active_runs_max,
            params,
            state: BackfillState::Active,
            created_at: self.world.now,
            edits: 0,
            touched: Some(touched),
        };
        let states = dates.iter().map(|date| {
            let state = match &date.left_out {
                Some(why) => DateState::LeftOut(Arc::clone(why)),
                None => DateState::Waiting(date.again),
            };
            (date.start, date.end, state)
        });
        let facts = BackfillFacts {
            dates: states.collect(),
            row,
            next: 0,
            on: BTreeSet::new(),
            open: BTreeSet::new(),
            asked: None,
        };
        for nth in 0..facts.dates.len() {
            self.world.dirty_dates.insert((id, nth));
        }
        self.world.claim_dates(dag, &facts.dates);
        self.world.backfills.insert(id, facts);
        self.world.dirty_backfills.insert(id);
        self.world.todo.push_back(Todo::Backfill(id));
        Ok(Changed {
            dates,
            remarks: vec![format!("backfill {id}")],
            ..Changed::default()
        })
    }

    /// Makes runs of a backfill, as many as may soon begin.
    pub(super) fn make_backfill_runs(&mut self, id: i64) {
        let Some(facts) = self.world.backfills.get(&id) else {
            return;
        };
        let Some(dag) = self.world.dag_by_id.get(&facts.row.dag).copied() else {
            return;
        };
        while let Some(facts) = self.world.backfills.get_mut(&id) {
            if facts.row.state != BackfillState::Active
                || facts.open.len() >= AHEAD
                || facts.asked.is_some()
            {
                break;
            }
            let Some((start, end, state)) = facts.dates.get(facts.next).cloned() else {
                break;
            };
            let nth = facts.next;
            match state {
                DateState::Waiting(None) => self.make_backfill_run(id, dag, nth, (start, end)),
                DateState::Waiting(Some(again)) => {
                    if !self.run_again(id, dag, nth, again) {
                        return;
                    }
                }
                DateState::Made(_) | DateState::LeftOut(_) => {}
            }
            if let Some(facts) = self.world.backfills.get_mut(&id) {
                facts.next = nth + 1;
            }
        }
        self.world.todo.push_back(Todo::Begin(dag));
        let Some(facts) = self.world.backfills.get_mut(&id) else {
            return;
        };
        let over = facts.next >= facts.dates.len() && facts.open.is_empty();
        if over
            && matches!(
                facts.row.state,
                BackfillState::Active | BackfillState::Paused
            )
        {
            facts.row.state = BackfillState::Done;
            self.world.dirty_backfills.insert(id);
        }
    }

    fn make_backfill_run(
        &mut self,
        id: i64,
        dag: u32,
        nth: usize,
        (start, end): (Timestamp, Timestamp),
    ) {
        let Some(newest) = self.world.dag(dag).newest else {
            return;
        };
        let params = self
            .world
            .backfills
            .get(&id)
            .map(|facts| Arc::clone(&facts.row.params));
        let due = Due {
            start: start.date(),
            end: end.date(),
            run_after: end.date(),
        };
        let new = NewRun {
            dag,
            plan: newest,
            kind: RunType::Backfill,
            name: run_name(RunType::Backfill, start),
            due,
            params: params.unwrap_or_else(|| "null".into()),
            backfill: Some(id),
            note: None,
        };
        let no = self.add_run(new);
        self.made(id, nth, no);
    }

    fn made(&mut self, id: i64, nth: usize, no: RunNo) {
        if let Some(facts) = self.world.backfills.get_mut(&id) {
            facts.open.insert(no);
            if let Some((.., state)) = facts.dates.get_mut(nth) {
                *state = DateState::Made(no);
            }
            self.world.dirty_dates.insert((id, nth));
        }
    }

    /// Has a run that ended run again as part of a backfill. False if it has to be read back first.
    fn run_again(&mut self, id: i64, dag: u32, nth: usize, no: RunNo) -> bool {
        let Some(run) = self.runs.get(&no) else {
            if let Some(facts) = self.world.backfills.get_mut(&id) {
                facts.asked = Some(no);
            }
            self.world
                .effects
                .push(Effect::Load(Wanted::Runs(vec![no])));
            return false;
        };
        if !run.has_ended() {
            self.leave_out(id, nth, "in flight");
            return true;
        }
        let newest = self.world.dag(dag).newest;
        let params = self
            .world
            .backfills
            .get(&id)
            .map(|facts| Arc::clone(&facts.row.params));
        let mut busy = false;
        if let Some(run) = self.runs.get_mut(&no) {
            run.kind = RunType::Backfill;
            run.backfill = Some(id);
            busy = run.is_busy();
        }
        let clearing = Clearing {
            all: true,
            // What is still being stopped belongs to the version that it was begun with.
            plan: newest.filter(|_| !busy),
            params,
            by: super::world::ENGINE.into(),
            how: format!("run again by backfill {id}").into(),
            ..Clearing::default()
        };
        self.clear_run(no, &clearing);
        self.made(id, nth, no);
        true
    }

    fn leave_out(&mut self, id: i64, nth: usize, why: &str) {
        if let Some((.., state)) = self
            .world
            .backfills
            .get_mut(&id)
            .and_then(|facts| facts.dates.get_mut(nth))
        {
            *state = DateState::LeftOut(why.into());
            self.world.dirty_dates.insert((id, nth));
        }
    }

    /// A backfill ends, and its runs with it.
    pub(super) fn cancel_backfill(&mut self, id: i64, by: &Arc<str>) -> Vec<RunNo> {
        let Some(facts) = self.world.backfills.get_mut(&id) else {
            return Vec::new();
        };
        facts.row.state = BackfillState::Cancelled;
        facts.row.edits += 1;
        facts.row.touched = Some(Touch {
            by: Arc::clone(by),
            how: "cancelled".into(),
            at: self.world.now,
        });
        let open: Vec<RunNo> = facts.open.iter().copied().collect();
        let mut unmade = Vec::new();
        for nth in facts.next..facts.dates.len() {
            if matches!(facts.dates[nth].2, DateState::Waiting(_)) {
                facts.dates[nth].2 = DateState::LeftOut("the backfill was cancelled".into());
                self.world.dirty_dates.insert((id, nth));
                unmade.push(facts.dates[nth].0);
            }
        }
        let dag = self.world.dag_by_id.get(&facts.row.dag).copied();
        for start in unmade {
            // The timetable may have them.
            if let Some(dag) = dag {
                self.world.dags[dag as usize].taken.remove(&start);
            }
        }
        self.world.dirty_backfills.insert(id);
        let why: Arc<str> = format!("{by} cancelled backfill {id}").into();
        for run in &open {
            self.cancel(*run, &why);
        }
        open
    }
}

/// The dates of a timetable within a backfill's bounds.
fn dates(
    schedule: Schedule,
    anchor: Option<chrono::DateTime<chrono::Utc>>,
    ask: &Backfill,
    now: Timestamp,
) -> Result<Vec<Due>, Refusal> {
    let window = Window {
        anchor,
        start: Some(ask.from.date()),
        end: None,
        catchup: true,
    };
    let mut dates: Vec<Due> = Vec::new();
    while let Some(due) = schedule.next_due(&window, dates.last().copied(), now.date()) {
        let later = dates.last().is_none_or(|last| due.start > last.start);
        if Timestamp::from(due.start) > ask.to || Timestamp::from(due.run_after) > now || !later {
            break;
        }
        if dates.len() >= Backfill::DATES_MAX {
            return Err(Refusal::invalid(format!(
                "the backfill covers more than {} dates; fill it in parts",
                Backfill::DATES_MAX
            )));
        }
        dates.push(due);
    }
    if dates.is_empty() {
        return Err(Refusal::invalid(
            "the timetable has no date within these bounds",
        ));
    }
    Ok(dates)
}

fn date_plan(due: Due, known: &[&Run], reprocess: Reprocess) -> DatePlan {
    let start = Timestamp::from(due.start);
    let mut date = DatePlan {
        start,
        end: due.end.into(),
        left_out: None,
        again: None,
    };
    let Some(run) = known.iter().find(|run| run.start == start) else {
        return date;
    };
    let again = match (reprocess, run.state) {
        (_, RunState::Queued | RunState::Running) => {
            date.left_out = Some("in flight".into());
            return date;
        }
        (Reprocess::Completed, _) => true,
        (Reprocess::Failed, state) => state != RunState::Success,
        (Reprocess::None, _) => false,
    };
    if again {
        date.again = Some(run.no);
    } else {
        date.left_out = Some("already exists".into());
    }
    date
}

impl World {
    /// The run before one of a backfill, if that says it: the first has nothing before it, the others follow the one
    /// made before.
    pub(super) fn previous_in_backfill(&self, run: &Run) -> Option<Option<RunNo>> {
        let dates = &self.backfills.get(&run.backfill?)?.dates;
        let nth = dates
            .iter()
            .position(|(.., state)| *state == DateState::Made(run.no))?;
        match nth.checked_sub(1).map(|before| &dates[before].2) {
            None => Some(None),
            Some(DateState::Made(previous)) => Some(Some(*previous)),
            Some(_) => None,
        }
    }

    /// Dates that a backfill will make a run for: the timetable leaves them to it.
    pub(super) fn claim_dates(&mut self, dag: u32, dates: &[(Timestamp, Timestamp, DateState)]) {
        let of = &mut self.dags[dag as usize];
        let last = of.last_due.map(|last| Timestamp::from(last.start));
        let ahead = dates.iter().filter(|(start, _, state)| {
            matches!(state, DateState::Waiting(None)) && last.is_none_or(|last| *start > last)
        });
        of.taken.extend(ahead.map(|(start, ..)| *start));
    }

    pub(super) fn write_backfills(&mut self, changes: &mut Changes) {
        for (id, nth) in std::mem::take(&mut self.dirty_dates) {
            let date = self
                .backfills
                .get(&id)
                .and_then(|facts| facts.dates.get(nth));
            if let Some((start, end, state)) = date {
                changes.backfill_dates.push(BackfillDateRow {
                    backfill: id,
                    nth: u32::try_from(nth).unwrap_or(u32::MAX),
                    start: *start,
                    end: *end,
                    state: state.clone(),
                });
            }
        }
        for id in std::mem::take(&mut self.dirty_backfills) {
            if let Some(facts) = self.backfills.get(&id) {
                changes.backfills.push(facts.row.clone());
                let over = matches!(
                    facts.row.state,
                    BackfillState::Done | BackfillState::Cancelled
                );
                if over && let Some(facts) = self.backfills.remove(&id) {
                    // Those that still tidy up count among the DAG's own from now on.
                    if let Some(dag) = self.dag_by_id.get(&facts.row.dag) {
                        self.dags[*dag as usize].on.extend(facts.on);
                    }
                }
            }
        }
    }

    pub(super) fn write_waits(&mut self, changes: &mut Changes) {
        for (dag, asset) in std::mem::take(&mut self.dirty_waits) {
            if let Some(wait) = self.dag(dag).waits.get(&asset) {
                changes.asset_waits.push(wait.clone());
            }
        }
    }
}

/// The params that a person gave, completed and checked.
pub(super) fn given_params(plan: &Plan, given: &Value) -> Result<Arc<str>, Refusal> {
    let given = if given.is_null() {
        Value::Object(serde_json::Map::new())
    } else {
        given.clone()
    };
    let bytes = given.to_string().len();
    if bytes > PARAMS_BYTES_MAX {
        return Err(Refusal::invalid(format!(
            "the params have {bytes} bytes, the most allowed is {PARAMS_BYTES_MAX}"
        )));
    }
    tidemill_core::params::complete(&plan.definition().params, &given)
        .map(|complete| complete.to_string().into())
        .map_err(Refusal::Invalid)
}

/// The most that the params of a run may have.
const PARAMS_BYTES_MAX: usize = 64 * 1024;
