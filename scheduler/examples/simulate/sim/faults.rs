//! What breaks, and how everything is made whole in the end.

use std::time::Duration;

use super::{Cut, Event, Sim, Up};

/// How often whoever is on duty looks around once nothing breaks any more.
const ROUNDS_EVERY: Duration = Duration::from_secs(60);

impl Sim {
    /// Breaks something.
    pub(crate) fn fault(&mut self) {
        if self.healed.is_some() {
            return;
        }
        let wait = self.dice.secs(3, 45);
        self.event(wait, Event::Fault);
        let worker = self
            .dice
            .below(u64::try_from(self.workers.len()).unwrap_or(1));
        let worker = usize::try_from(worker).unwrap_or_default();
        let who = self.scheduler_to_break();
        match self.dice.below(18) {
            0 | 1 => {
                self.history.cover("scheduler crashed");
                self.say(format!("scheduler {who} crashes"));
                self.crash_scheduler(who);
                let wait = self.dice.secs(1, 40);
                self.event(wait, Event::StartScheduler(who));
            }
            2 | 3 => {
                self.history.cover("scheduler paused");
                let span = self.dice.secs(2, 90);
                self.say(format!("scheduler {who} pauses for {span:?}"));
                self.processes[who].paused_until = self.now.after(span);
            }
            4 | 5 => {
                self.history.cover("worker crashed");
                self.say(format!("w{worker} crashes"));
                self.crash_worker(worker);
                let wait = self.dice.secs(1, 60);
                self.event(wait, Event::StartWorker(worker));
            }
            6 | 7 => {
                self.history.cover("worker paused");
                let span = self.dice.secs(2, 90);
                self.say(format!("w{worker} pauses for {span:?}"));
                self.workers[worker].paused_until = self.now.after(span);
            }
            8 | 9 => {
                self.history.cover("worker cut off from scheduler");
                self.cut(Cut::Worker(worker, who));
            }
            10 | 11 => self.cut(Cut::Store(who)),
            12 => self.cut(Cut::Services(worker)),
            13 => {
                let of = &self.workers[worker];
                if of.up && !of.draining && of.paused_until <= self.now {
                    let life = of.life;
                    self.say(format!("w{worker} drains"));
                    self.drain(worker);
                    self.event(Duration::from_secs(10), Event::Leave { worker, life });
                }
            }
            _ => self.late_report(worker),
        }
    }

    /// Mostly the one that leads.
    fn scheduler_to_break(&mut self) -> usize {
        let leads = self.processes.iter().position(|it| it.leading.is_some());
        let any = self
            .dice
            .below(u64::try_from(self.processes.len()).unwrap_or(1));
        let leads = leads.filter(|_| self.dice.percent(70));
        leads.unwrap_or_else(|| usize::try_from(any).unwrap_or_default())
    }

    fn cut(&mut self, cut: Cut) {
        self.say(format!("cut: {cut:?}"));
        self.cuts.insert(cut);
        let wait = self.dice.secs(2, 60);
        self.event(wait, Event::Join(cut));
    }

    /// A worker says once more what it said long ago.
    fn late_report(&mut self, worker: usize) {
        let said = &self.workers[worker].said;
        let Some((attempt, report)) = self.dice.pick(said).cloned() else {
            return;
        };
        self.history.cover("report late");
        self.say(format!(
            "w{worker} says again of {attempt:?}: {}",
            word(&report)
        ));
        self.workers[worker].says_again(attempt, &report);
        self.send(worker, Up::Report(attempt, report));
    }

    /// A worker that drained leaves, and is started anew later.
    pub(crate) fn leave(&mut self, worker: usize) {
        self.say(format!("w{worker} leaves"));
        self.send(worker, Up::Left);
        self.crash_worker(worker);
        let wait = self.dice.secs(1, 30);
        self.event(wait, Event::StartWorker(worker));
    }

    /// Nothing breaks any more, and everything that was broken is whole.
    pub(crate) fn heal(&mut self) {
        self.say("nothing breaks any more".to_owned());
        self.healed = Some(self.now);
        self.cuts.clear();
        for who in 0..self.processes.len() {
            self.processes[who].paused_until = self.now;
            self.start_scheduler(who);
        }
        for worker in 0..self.workers.len() {
            self.workers[worker].paused_until = self.now;
            self.start_worker(worker);
            self.learn_versions(worker);
        }
        self.event(ROUNDS_EVERY, Event::Rounds);
    }

    /// Does for people what people have to do.
    pub(crate) fn rounds(&mut self) {
        self.event(ROUNDS_EVERY, Event::Rounds);
        self.look_around();
    }
}

const fn word(report: &tidemill_core::protocol::Report) -> &'static str {
    use tidemill_core::protocol::Report;
    match report {
        Report::Started => "started",
        Report::Deferred { .. } => "deferred",
        Report::Done { .. } => "done",
        Report::Skipped { .. } => "skipped",
        Report::Failed { .. } => "failed",
        Report::HandedOver => "handed over",
        Report::Refused { .. } => "refused",
        Report::Stopped => "stopped",
    }
}
