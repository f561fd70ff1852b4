//! Whether another scheduler that started now would decide as this one does.

use super::*;

impl Sim {
    /// Another scheduler that started now would decide as this one does.
    pub(super) fn compare_with_recovered(&mut self, who: usize) {
        let compare = self.dice.percent(1) || self.broken.compares_always;
        if !compare {
            return;
        }
        let now = self.clock(who);
        let config = self.config.clone();
        let Some(leading) = &mut self.processes[who].leading else {
            return;
        };
        if !leading.pending.is_empty() || leading.busy || leading.term != self.store.term {
            return;
        }
        leading.engine.apply(Input::Tick, now);
        self.take(who);
        let Some(leading) = &mut self.processes[who].leading else {
            return;
        };
        if !leading.pending.is_empty() {
            return self.pump(who);
        }
        let kept = leading.engine.dump();
        let (mut other, _) = Engine::recover(config, &self.store.rows.recovered(), now);
        other.apply(Input::Tick, now);
        self.history.cover("recovery compared");
        let differs = differ(&kept, &other.dump());
        assert!(
            differs.is_empty(),
            "kept (-), and made anew from what is stored (+):\n{differs}decided at once: {:?}",
            other.take().changes.runs
        );
    }
}

/// The first lines in which two dumps differ, with what is before them.
fn differ(kept: &str, made: &str) -> String {
    // What a timetable waits for is looked at again when that ends, and what is late by one leader's clock may not be by
    // another's: those timers may differ.
    let sorted = |text: &str| {
        let lines = text.lines().filter(|line| {
            !line.starts_with("timer") || line.contains("Attempt") || line.contains("Retry")
        });
        lines.map(str::to_owned).collect::<Vec<String>>()
    };
    let (kept, made) = (sorted(kept), sorted(made));
    let pairs = kept.iter().zip(&made).take_while(|(a, b)| a == b);
    let same = pairs.count();
    if same == kept.len() && same == made.len() {
        return String::new();
    }
    let (empty, no) = (String::new(), "");
    let (one, other) = (
        kept.get(same).unwrap_or(&empty),
        made.get(same).unwrap_or(&empty),
    );
    let alike = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b);
    let from = alike.count().saturating_sub(60);
    let rest = |line: &str| {
        line.get(from..)
            .unwrap_or(no)
            .chars()
            .take(300)
            .collect::<String>()
    };
    let start = one.chars().take(120).collect::<String>();
    let before: Vec<&str> = kept[..same]
        .iter()
        .rev()
        .take(2)
        .map(String::as_str)
        .collect();
    format!(
        "{before:#?}\n{start}\n- …{}\n+ …{}\n",
        rest(one),
        rest(other)
    )
}
