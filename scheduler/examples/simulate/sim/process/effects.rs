//! What is done once it is durable.

use std::sync::Arc;

use tidemill_scheduler::engine::Refusal;

use super::super::{Cut, Down, Event, Sim};
use super::*;

impl Sim {
    /// Does what the first of the outputs wants done.
    pub(super) fn carry_out_first(&mut self, who: usize) {
        let Some(leading) = &mut self.processes[who].leading else {
            return;
        };
        let Some(first) = leading.pending.front_mut() else {
            return;
        };
        let nth = first.nth;
        for effect in std::mem::take(&mut first.effects) {
            self.carry_out(who, nth, effect);
        }
    }

    pub(super) fn carry_out(&mut self, who: usize, nth: u64, effect: Effect) {
        let Some(leading) = &self.processes[who].leading else {
            return;
        };
        match effect {
            Effect::Assign {
                worker,
                attempt,
                duty,
            } => {
                if let Some(assignment) = leading.engine.assignment(attempt, duty) {
                    self.say_to(who, &worker, nth, Down::Assign(Box::new(assignment)));
                }
            }
            Effect::Stop { worker, attempt } => self.say_to(who, &worker, nth, Down::Stop(attempt)),
            Effect::Answer {
                worker,
                attempt,
                verdict,
            } => self.say_to(who, &worker, nth, Down::Answer(attempt, verdict)),
            // Nobody here sends a worker to rest.
            Effect::Drain { .. } => {}
            Effect::Reply { to, result } => {
                if let Err(Refusal::Load(wanted)) = result {
                    self.read_for(who, to, *wanted);
                } else {
                    if let Some(leading) = &mut self.processes[who].leading {
                        leading.asks.remove(&to);
                    }
                    self.answered(to, &result);
                }
            }
            Effect::Load(wanted) => self.read_later(who, wanted, None),
        }
    }

    pub(super) fn read_for(&mut self, who: usize, to: u64, wanted: Wanted) {
        self.history.cover("command waited for runs to be read");
        let Some(leading) = &mut self.processes[who].leading else {
            return;
        };
        let again = leading.asks.get_mut(&to).and_then(|(request, tries)| {
            *tries += 1;
            (*tries <= TRIES_MAX).then(|| Box::new(request.clone()))
        });
        if again.is_some() {
            self.read_later(who, wanted, again);
        }
    }

    pub(super) fn read_later(&mut self, who: usize, wanted: Wanted, then: Option<Box<Request>>) {
        let life = self.processes[who].life;
        let wait = self.dice.millis(1, 30);
        self.event(
            wait,
            Event::Read {
                who,
                life,
                wanted,
                then,
            },
        );
    }

    /// Says something to a worker on its connection, unless that is not the one that it was decided for.
    pub(super) fn say_to(&mut self, who: usize, name: &Arc<str>, nth: u64, message: Down) {
        let heard_on = matches!(message, Down::Heard(_));
        let Some(leading) = &mut self.processes[who].leading else {
            return;
        };
        let Some(session) = leading.sessions.get_mut(name) else {
            return;
        };
        if session.after >= nth && !heard_on {
            self.history.cover("effect of an ended connection dropped");
            return;
        }
        let wait = self.dice.millis(1, 40);
        let at = self.now.after(wait).max(session.last);
        session.last = at;
        let event = Event::Down {
            worker: session.worker,
            session: session.id,
            message,
        };
        if self.cuts.contains(&Cut::Worker(session.worker, who)) {
            let id = session.id;
            self.broken_sessions.insert(id);
        } else {
            self.event_at(at, event);
        }
    }
}
