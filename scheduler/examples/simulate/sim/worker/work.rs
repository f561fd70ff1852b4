//! What attempts do while a worker has them.

use super::*;

impl Sim {
    pub(super) fn set_phase(&mut self, worker: usize, attempt: AttemptRef, phase: Phase) {
        if let Some(held) = self.workers[worker].held.get_mut(&attempt) {
            held.phase = phase;
        }
    }

    pub(super) fn spec_of(&self, what: &Assignment) -> (TaskKind, String) {
        let key = (what.dag.clone(), what.version.clone());
        let spec = self.specs[&key].definition.task(what.task.as_str());
        let spec = spec.expect("what is given is in its version");
        (spec.kind.clone(), spec.operator.clone())
    }

    pub(super) fn begin(&mut self, worker: usize, attempt: AttemptRef) {
        self.check_alone(worker, attempt);
        let Some(held) = self.workers[worker].held.get(&attempt) else {
            return;
        };
        let (kind, operator) = self.spec_of(&held.what);
        self.report(worker, attempt, Report::Started);
        if matches!(kind, TaskKind::Sensor { .. }) {
            let until = self.now.after(self.dice.secs(5, 200));
            self.set_phase(worker, attempt, Phase::Waiting(until));
            if self.dice.percent(70) {
                self.defer(worker, attempt, "\"poke\"");
            }
            return self.work_on(worker, attempt, Duration::from_secs(5));
        }
        if operator == "remote" || operator == "watched" {
            self.set_phase(worker, attempt, Phase::Launching);
            let wait = self.dice.millis(1, 500);
            return self.work_on(worker, attempt, wait);
        }
        let span = self.dice.millis(100, 40_000);
        self.set_phase(worker, attempt, Phase::Local(self.now.after(span)));
        self.work_on(worker, attempt, span);
    }

    pub(super) fn defer(&mut self, worker: usize, attempt: AttemptRef, handle: &str) {
        let report = Report::Deferred {
            handle: handle.into(),
            wait: Duration::from_secs(10),
            why: "it waits".into(),
        };
        self.report(worker, attempt, report);
    }

    pub(super) fn end(&mut self, worker: usize, attempt: AttemptRef, report: Report) {
        self.set_phase(worker, attempt, Phase::Over);
        self.report(worker, attempt, report);
    }

    pub(super) fn end_local(&mut self, worker: usize, attempt: AttemptRef) {
        let Some(held) = self.workers[worker].held.get(&attempt) else {
            return;
        };
        let (kind, operator) = self.spec_of(&held.what);
        let output = match kind {
            TaskKind::Branch { .. } => Some(if self.dice.percent(50) {
                json!(["left"])
            } else {
                json!(["right"])
            }),
            TaskKind::ShortCircuit { .. } => Some(json!(self.dice.percent(60))),
            _ if operator == "list" => {
                let items: Vec<u64> = (0..self.dice.below(4)).collect();
                Some(json!(items))
            }
            _ => None,
        };
        let report = self.outcome(output);
        self.end(worker, attempt, report);
    }

    /// How work in the worker itself ends.
    pub(super) fn outcome(&mut self, output: Option<Value>) -> Report {
        let fails = if self.healed.is_some() { 3 } else { 14 };
        match self.dice.below(100) {
            chance if chance < fails => match self.dice.below(8) {
                0 => failed(TaskError::permanent("403"), true),
                1 => failed(TaskError::data("no such column"), true),
                2 => failed(TaskError::lost("the process was gone"), false),
                3 => failed(TaskError::skip("nothing new"), true),
                4 => failed(TaskError::transient("cut off"), false),
                _ => failed(TaskError::transient("503"), true),
            },
            chance if chance > 96 => Report::Skipped {
                why: "nothing to do".into(),
            },
            _ => done(output),
        }
    }

    /// Whether a call outside fails before it is heard.
    pub(super) fn call_fails(&mut self, worker: usize) -> bool {
        let cut = self.cuts.contains(&Cut::Services(worker));
        if cut {
            self.history.cover("worker cut off from services");
        }
        cut || (self.healed.is_none() && self.dice.percent(8))
    }

    pub(super) fn launch(&mut self, worker: usize, attempt: AttemptRef) {
        let Some(held) = self.workers[worker].held.get_mut(&attempt) else {
            return;
        };
        held.launches += 1;
        let (tries, key) = (held.launches, held.what.key.as_str().to_owned());
        let watched = {
            let what = held.what.clone();
            self.spec_of(&what).1 == "watched"
        };
        if self.call_fails(worker) {
            self.history.cover("launch refused by service");
            if tries >= LAUNCHES_MAX {
                // Nobody knows whether something was launched before.
                let error = TaskError::transient("the service does not answer");
                return self.end(worker, attempt, failed(error, false));
            }
            let wait = self.dice.secs(1, 5);
            return self.work_on(worker, attempt, wait);
        }
        if self.remote.look(&key, self.now).is_some() {
            self.history.cover("launch adopted");
        } else {
            self.check_intent(attempt);
            let fails = if self.healed.is_some() { 3 } else { 15 };
            let fate = if self.dice.percent(fails) {
                Fate::Failure
            } else {
                Fate::Success
            };
            let span = self.dice.millis(500, 90_000);
            let ends = (self.now.after(span), fate);
            self.remote.launch(&key, attempt.of, self.now, ends);
            self.say(format!("w{worker} launches {} for {attempt:?}", &key[..9]));
            if self.healed.is_none() && self.dice.percent(10) {
                self.history.cover("launch accepted, answer lost");
                let wait = self.dice.secs(1, 5);
                return self.work_on(worker, attempt, wait);
            }
        }
        self.set_phase(worker, attempt, Phase::Polling);
        if watched {
            let handle = json!({ "job": key }).to_string();
            self.defer(worker, attempt, &handle);
        }
        let wait = self.dice.secs(1, 10);
        self.work_on(worker, attempt, wait);
    }

    pub(super) fn poll(&mut self, worker: usize, attempt: AttemptRef) {
        let Some(held) = self.workers[worker].held.get(&attempt) else {
            return;
        };
        if matches!(self.spec_of(&held.what).0, TaskKind::Sensor { .. }) {
            // Another worker's, watched on here.
            let until = self.now.after(self.dice.secs(1, 60));
            self.set_phase(worker, attempt, Phase::Waiting(until));
            return self.work_on(worker, attempt, Duration::from_secs(5));
        }
        let key = held.what.key.as_str().to_owned();
        if self.call_fails(worker) {
            self.history.cover("poll failed");
            if self.dice.percent(8) {
                self.history.cover("job given up");
                let error = TaskError::transient("the job cannot be asked for");
                return self.end(worker, attempt, failed(error, false));
            }
            let wait = self.dice.secs(1, 10);
            return self.work_on(worker, attempt, wait);
        }
        let report = match self.remote.look(&key, self.now) {
            Some(JobState::Running) => {
                let wait = self.dice.secs(1, 10);
                return self.work_on(worker, attempt, wait);
            }
            Some(JobState::Done(Fate::Success)) => Report::Done {
                output: None,
                loads: vec![Load {
                    job_id: Some(key),
                    ..Load::default()
                }],
                checks: Vec::new(),
            },
            Some(JobState::Done(Fate::Failure)) => failed(TaskError::transient("it failed"), true),
            Some(JobState::Cancelled) => failed(TaskError::cancelled("it was cancelled"), true),
            None => failed(TaskError::ambiguous("there is no such job"), true),
        };
        self.end(worker, attempt, report);
    }

    /// Ends what an attempt started outside, and says so.
    pub(super) fn stop(&mut self, worker: usize, attempt: AttemptRef) {
        let Some(held) = self.workers[worker].held.get(&attempt) else {
            return;
        };
        let key = held.what.key.as_str().to_owned();
        if self.call_fails(worker) {
            let wait = self.dice.secs(1, 5);
            return self.work_on(worker, attempt, wait);
        }
        if self.remote.cancel(&key, self.now) {
            self.history.cover("job cancelled");
        }
        self.workers[worker].held.remove(&attempt);
        self.send(worker, Up::Report(attempt, Report::Stopped));
    }
}

pub(super) fn done(output: Option<Value>) -> Report {
    Report::Done {
        output: output.map(|output| output.to_string().into()),
        loads: Vec::new(),
        checks: Vec::new(),
    }
}

fn failed(error: TaskError, job_ended: bool) -> Report {
    Report::Failed {
        error: Box::new(error),
        job_ended,
        loads: Vec::new(),
        checks: Vec::new(),
    }
}
