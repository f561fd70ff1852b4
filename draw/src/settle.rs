//! Settling the heights: everything moves towards what it is connected to, and the rules hold
//! throughout.

use crate::graph::Lists;
use crate::place::Placer;
use crate::rules::Rule;

/// How much work is put into a drawing of a certain size; the rounds are fixed so that equal
/// pictures come out equal.
struct Effort {
    /// Up to how many rules and variables this is done.
    size: usize,
    /// Rounds in which everything is pulled at once.
    pulls: usize,
    /// Rounds in which variables are pushed one by one, and how many may be pushed together.
    pushes: usize,
    pushed: usize,
    /// Rounds in which arcs are made level.
    levels: usize,
}

const EFFORTS: [Effort; 3] = [
    Effort {
        size: 200,
        pulls: 60,
        pushes: 40,
        pushed: 40,
        levels: 8,
    },
    Effort {
        size: 1_500,
        pulls: 24,
        pushes: 14,
        pushed: 24,
        levels: 5,
    },
    Effort {
        size: 20_000,
        pulls: 30,
        pushes: 24,
        pushed: 40,
        levels: 4,
    },
];
const LEAST_EFFORT: Effort = Effort {
    size: usize::MAX,
    pulls: 20,
    pushes: 10,
    pushed: 24,
    levels: 3,
};

/// How many rules are looked at in all pushes of a part together.
const MOST_LOOKS: usize = 4_000_000;

impl Placer {
    /// Pulls everything towards its neighbours and keeps the rules, until little moves any more.
    pub(super) fn settle(&mut self) {
        let size = self.rules.len() + self.height.len();
        let effort = EFFORTS
            .iter()
            .find(|e| size <= e.size)
            .unwrap_or(&LEAST_EFFORT);
        let mut wish = std::mem::take(&mut self.height);
        self.height.clone_from(&wish);
        self.wrap_groups(&mut wish);
        self.keep_rules(&wish);
        for round in 0..effort.pulls {
            wish.clone_from(&self.height);
            // Wishes are updated in place, in turn from the left and from the right, so that within
            // one round a wish travels along all layers.
            let count = wish.len();
            for step in 2 * self.groups..count {
                let variable = if round.is_multiple_of(2) {
                    step
                } else {
                    count - 1 + 2 * self.groups - step
                };
                let near = self.pulls.of(variable);
                if !near.is_empty() {
                    let sum: f64 = near.iter().map(|&n| wish[n]).sum();
                    wish[variable] = 0.3 * wish[variable] + 0.7 * sum / near.len() as f64;
                }
            }
            self.wrap_groups(&mut wish);
            let moved = self.keep_rules(&wish);
            if moved < 0.05 {
                break;
            }
        }
        let touching = Touching::new(&self.rules, self.height.len());
        let mut pushed = Pushed {
            list: Vec::new(),
            mark: vec![0; self.height.len()],
            round: 0,
            most: effort.pushed,
            patience: MOST_LOOKS,
        };
        for round in 0..effort.pushes {
            let mut moved = false;
            self.each_variable(round, |placer, variable| {
                moved |= placer.push(variable, &touching, &mut pushed)
            });
            if !moved {
                break;
            }
        }
        for round in 0..effort.levels {
            self.each_variable(round, |placer, variable| placer.level(variable, &touching));
        }
    }

    /// Sets the wished tops and bottoms of the groups tight around what is in them.
    fn wrap_groups(&self, heights: &mut [f64]) {
        if self.groups == 0 {
            return;
        }
        heights[..self.groups].fill(f64::INFINITY);
        heights[self.groups..2 * self.groups].fill(f64::NEG_INFINITY);
        for rule in &self.below_tops {
            heights[rule.above] = heights[rule.above].min(heights[rule.below] - rule.by);
        }
        for rule in &self.above_bottoms {
            heights[rule.below] = heights[rule.below].max(heights[rule.above] + rule.by);
        }
        for group in 0..self.groups {
            // A group without a box has no rules of its own, and infinite heights must not spread
            // from it.
            if !heights[group].is_finite() || !heights[group + self.groups].is_finite() {
                heights[group] = 0.0;
                heights[group + self.groups] = 0.0;
            }
        }
    }

    /// Moves everything as close to its wish as the rules allow; returns the longest way anything
    /// went.
    fn keep_rules(&mut self, wish: &[f64]) -> f64 {
        let mut down = wish.to_vec();
        for rule in &self.rules {
            down[rule.below] = down[rule.below].max(down[rule.above] + rule.by);
        }
        let mut up = wish.to_vec();
        for rule in self.rules.iter().rev() {
            up[rule.above] = up[rule.above].min(up[rule.below] - rule.by);
        }
        for (down, up) in down.iter_mut().zip(up) {
            *down = (*down + up) / 2.0;
        }
        self.wrap_groups(&mut down);
        let moved = down
            .iter()
            .zip(&self.height)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f64::max);
        self.height = down;
        moved
    }

    /// Does something with every variable that is not a side of a box, in turn from the left and
    /// from the right.
    fn each_variable(&mut self, round: usize, mut act: impl FnMut(&mut Self, usize)) {
        let (first, count) = (2 * self.groups, self.height.len());
        for step in first..count {
            act(
                self,
                if round.is_multiple_of(2) {
                    step
                } else {
                    count - 1 + first - step
                },
            );
        }
        let mut tight = std::mem::take(&mut self.height);
        self.wrap_groups(&mut tight);
        self.height = tight;
    }

    /// Moves a variable towards the middle of its neighbours, together with everything it pushes on
    /// that way; says whether anything moved.
    ///
    /// Pushing all variables at once leaves empty stretches where only one direction was pushed,
    /// and moving them one by one gets stuck where two touch that would like to pass each other.
    /// This goes on where both stop.
    fn push(&mut self, variable: usize, touching: &Touching, pushed: &mut Pushed) -> bool {
        let way = self
            .middle_of_neighbours(variable)
            .map_or(0.0, |goal| goal - self.height[variable]);
        if way.abs() < 1.0 {
            return false;
        }
        let down = way > 0.0;
        let rules = if down {
            &touching.under
        } else {
            &touching.over
        };
        let mut room = f64::INFINITY;
        let (mut sum, mut pulls) = (0.0, 0.0);
        pushed.start(variable);
        let mut next = 0;
        while let Some(&one) = pushed.list.get(next) {
            next += 1;
            let weight = self.pulls.of(one).len() as f64;
            if let Some(goal) = self.middle_of_neighbours(one) {
                sum += (goal - self.height[one]) * weight;
                pulls += weight;
            }
            for &rule in rules.of(one) {
                pushed.patience = pushed.patience.saturating_sub(1);
                let rule = self.rules[rule];
                let slack = self.height[rule.below] - self.height[rule.above] - rule.by;
                if slack > 0.01 {
                    room = room.min(slack);
                } else {
                    pushed.add(if down { rule.below } else { rule.above });
                }
            }
            if pushed.list.len() > pushed.most || pushed.patience == 0 {
                return false;
            }
        }
        // What is pushed may pull harder the other way, and then nothing moves.
        let far = (sum / f64::max(pulls, 1.0)).abs().min(room);
        if (sum > 0.0) != down || far < 0.5 {
            return false;
        }
        for &one in &pushed.list {
            self.height[one] += if down { far } else { -far };
        }
        true
    }

    /// Makes the arcs of a variable level if there is room.
    fn level(&mut self, variable: usize, touching: &Touching) {
        let Some(goal) = self.level_with_neighbours(variable) else {
            return;
        };
        let rule = |i: &usize| self.rules[*i];
        let least = touching
            .over
            .of(variable)
            .iter()
            .map(rule)
            .map(|r| self.height[r.above] + r.by);
        let most = touching
            .under
            .of(variable)
            .iter()
            .map(rule)
            .map(|r| self.height[r.below] - r.by);
        let least = least.fold(f64::NEG_INFINITY, f64::max);
        let most = most.fold(f64::INFINITY, f64::min);
        // Rounding may leave no room at all; then the variable stays where it is.
        if least <= most {
            self.height[variable] = goal.clamp(least, most);
        }
    }

    /// The mean height of what a variable is connected to, or nothing if it has no arcs.
    fn middle_of_neighbours(&self, variable: usize) -> Option<f64> {
        let near = self.pulls.of(variable);
        let sum: f64 = near.iter().map(|&n| self.height[n]).sum();
        (!near.is_empty()).then(|| sum / near.len() as f64)
    }

    /// The height at which the arcs of a variable climb the least, or nothing if it has no arcs.
    fn level_with_neighbours(&self, variable: usize) -> Option<f64> {
        let mut near: Vec<f64> = self
            .pulls
            .of(variable)
            .iter()
            .map(|&n| self.height[n])
            .collect();
        near.sort_by(f64::total_cmp);
        let (lower, upper) = (
            *near.get(near.len().checked_sub(1)? / 2)?,
            *near.get(near.len() / 2)?,
        );
        let here = self.height[variable];
        Some(match (self.between[variable], near.len()) {
            // Between two neighbours one bend is better than two, so it goes level with the nearer
            // of them.
            (true, 2) if (here - lower).abs() <= (here - upper).abs() => lower,
            (true, 2) => upper,
            (true, _) => here.clamp(lower, upper),
            (false, _) => (lower + upper) / 2.0,
        })
    }
}

/// The variables that are pushed along with one of them.
struct Pushed {
    list: Vec<usize>,
    /// The round in which a variable was last in the list.
    mark: Vec<usize>,
    round: usize,
    /// How many there may be; more are not moved at all.
    most: usize,
    /// How many more rules are looked at in this part; crowded drawings would take for ever.
    patience: usize,
}

impl Pushed {
    fn start(&mut self, variable: usize) {
        self.round += 1;
        self.list.clear();
        self.add(variable);
    }

    fn add(&mut self, variable: usize) {
        if std::mem::replace(&mut self.mark[variable], self.round) != self.round {
            self.list.push(variable);
        }
    }
}

/// The rules about each variable, by their index: those from above and those downwards.
struct Touching {
    over: Lists,
    under: Lists,
}

impl Touching {
    fn new(rules: &[Rule], count: usize) -> Self {
        Self {
            over: Lists::new(count, rules.iter().enumerate().map(|(i, r)| (r.below, i))),
            under: Lists::new(count, rules.iter().enumerate().map(|(i, r)| (r.above, i))),
        }
    }
}
