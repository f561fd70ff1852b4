//! The order of the elements within each layer: few crossings, and every group in one piece.

use crate::graph::Part;
use crate::web::Web;

/// How many sweeps are made at most, by the number of elements; each goes once through all layers.
const SWEEPS: [(usize, usize); 3] = [(2_000, 24), (20_000, 12), (usize::MAX, 6)];
/// After this many sweeps without a better order the best one so far is taken.
const PATIENCE: usize = 5;
/// Up to this many elements neighbours are also swapped one by one, which finds what sweeps miss.
const FEW: usize = 4_000;

/// Sorts the layers of a web.
pub(super) fn order(part: &Part, web: &mut Web) {
    let mut sorter = Sorter::new(part, web);
    sorter.start(web);
    let most = web.role.len();
    let sweeps = SWEEPS
        .iter()
        .find(|(size, _)| most <= *size)
        .map_or(0, |(_, sweeps)| *sweeps);
    let mut best = web.layers.clone();
    let mut fewest = sorter.crossings(web);
    let mut failed = 0;
    for sweep in 0..sweeps {
        if fewest == 0 || failed == PATIENCE {
            break;
        }
        sorter.sweep(web, sweep % 2 == 0);
        if most <= FEW {
            sorter.swap_neighbours(web);
        }
        let crossings = sorter.crossings(web);
        failed += 1;
        if crossings < fewest {
            fewest = crossings;
            failed = 0;
            best.clone_from(&web.layers);
        }
    }
    web.layers = best;
}

/// A direct member of a group, or of the part as a whole, within one layer.
#[derive(Clone, Copy)]
enum Child {
    Element(usize),
    Group(usize),
}

struct Sorter<'a> {
    part: &'a Part,
    /// Where each element is in its layer, counted from the middle so that layers of different
    /// sizes compare.
    place: Vec<f64>,
    key: Vec<f64>,
    /// The rank of each group among those with the same parent, the same in all layers. Two boxes
    /// that share layers therefore never have to be above each other in one and below each other in
    /// the next.
    rank: Vec<usize>,
    nest: Vec<Option<usize>>,
    /// Scratch space: the sum and number of keys in each group, and the children of the part and
    /// each group.
    sums: Vec<(f64, usize)>,
    children: Vec<Vec<Child>>,
}

impl<'a> Sorter<'a> {
    fn new(part: &'a Part, web: &Web) -> Self {
        let groups = part.groups.len();
        Self {
            part,
            place: vec![0.0; web.role.len()],
            key: vec![0.0; web.role.len()],
            rank: (0..groups).collect(),
            nest: web.nest.clone(),
            sums: vec![(0.0, 0); groups],
            children: vec![Vec::new(); groups + 1],
        }
    }

    /// Brings the layers into the order in which a walk along the arcs meets their elements.
    fn start(&mut self, web: &mut Web) {
        let mut met = vec![false; web.role.len()];
        let mut clock = 0.0;
        for layer in 0..web.layers.len() {
            for &start in &web.layers[layer] {
                let mut stack = vec![start];
                while let Some(element) = stack.pop() {
                    if std::mem::replace(&mut met[element], true) {
                        continue;
                    }
                    self.key[element] = clock;
                    clock += 1.0;
                    stack.extend(
                        web.after
                            .of(element)
                            .iter()
                            .rev()
                            .filter(|&&next| !met[next]),
                    );
                }
            }
        }
        self.place.clone_from(&self.key);
        self.rank_groups();
        for layer in 0..web.layers.len() {
            self.sort(&mut web.layers[layer]);
            self.note(&web.layers[layer]);
        }
    }

    /// Sorts every layer by the places of the neighbours in the layer before it, seen from the left
    /// or the right.
    fn sweep(&mut self, web: &mut Web, rightwards: bool) {
        self.rank_groups();
        let count = web.layers.len();
        for step in 0..count {
            let layer = if rightwards { step } else { count - 1 - step };
            for &element in &web.layers[layer] {
                let near = if rightwards {
                    web.before.of(element)
                } else {
                    web.after.of(element)
                };
                let sum: f64 = near.iter().map(|&n| self.place[n]).sum();
                self.key[element] = if near.is_empty() {
                    self.place[element]
                } else {
                    sum / near.len() as f64
                };
            }
            self.sort(&mut web.layers[layer]);
            self.note(&web.layers[layer]);
        }
    }

    /// Remembers where the elements of a layer are.
    fn note(&mut self, layer: &[usize]) {
        let middle = (layer.len() as f64 - 1.0) / 2.0;
        for (index, &element) in layer.iter().enumerate() {
            self.place[element] = index as f64 - middle;
        }
    }

    /// Ranks the groups by where their nodes are on average.
    fn rank_groups(&mut self) {
        let groups = self.part.groups.len();
        let mut sums = vec![(0.0, 0_usize); groups];
        for (node, &nest) in self.part.nest.iter().enumerate() {
            if let Some(nest) = nest {
                sums[nest].0 += self.place[node];
                sums[nest].1 += 1;
            }
        }
        for group in (0..groups).rev() {
            if let Some(parent) = self.part.groups[group].parent {
                sums[parent].0 += sums[group].0;
                sums[parent].1 += sums[group].1;
            }
        }
        let mean: Vec<f64> = sums
            .iter()
            .map(|&(sum, count)| sum / count.max(1) as f64)
            .collect();
        let mut sorted: Vec<usize> = (0..groups).collect();
        sorted.sort_by(|&a, &b| mean[a].total_cmp(&mean[b]).then(a.cmp(&b)));
        for (rank, group) in sorted.into_iter().enumerate() {
            self.rank[group] = rank;
        }
    }

    /// Sorts one layer by the keys of its elements, keeping groups in one piece and in the order of
    /// their ranks.
    fn sort(&mut self, layer: &mut Vec<usize>) {
        if self.part.groups.is_empty() {
            layer.sort_by(|&a, &b| self.key[a].total_cmp(&self.key[b]));
            return;
        }
        let mut touched = Vec::new();
        for &element in layer.iter() {
            let mut at = self.nest[element];
            self.children[at.map_or(0, |g| g + 1)].push(Child::Element(element));
            while let Some(group) = at {
                let parent = self.part.groups[group].parent;
                if self.sums[group].1 == 0 {
                    touched.push(group);
                    self.children[parent.map_or(0, |g| g + 1)].push(Child::Group(group));
                }
                self.sums[group].0 += self.key[element];
                self.sums[group].1 += 1;
                at = parent;
            }
        }
        layer.clear();
        let mut stack = self.sorted_children(0);
        while let Some(child) = stack.pop() {
            match child {
                Child::Element(element) => layer.push(element),
                Child::Group(group) => stack.extend(self.sorted_children(group + 1)),
            }
        }
        for group in touched {
            self.sums[group] = (0.0, 0);
        }
    }

    /// Takes the children of one group, the last one first.
    fn sorted_children(&mut self, slot: usize) -> Vec<Child> {
        let children = std::mem::take(&mut self.children[slot]);
        let mut groups: Vec<usize> = children
            .iter()
            .filter_map(|child| match child {
                Child::Group(group) => Some(*group),
                Child::Element(_) => None,
            })
            .collect();
        groups.sort_by_key(|&g| self.rank[g]);
        let level = self.rising_keys(&groups);
        let mut keyed: Vec<(f64, usize, Child)> = Vec::with_capacity(children.len());
        for child in children {
            if let Child::Element(element) = child {
                keyed.push((self.key[element], 0, child));
            }
        }
        for (index, (&group, key)) in groups.iter().zip(level).enumerate() {
            keyed.push((key, index + 1, Child::Group(group)));
        }
        // The sort is stable, so elements with equal keys stay in the order they had.
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        keyed.into_iter().rev().map(|(_, _, child)| child).collect()
    }

    /// The keys of groups that are given in the order of their ranks, evened out so that they never
    /// fall.
    fn rising_keys(&self, groups: &[usize]) -> Vec<f64> {
        let mut runs: Vec<(f64, usize, usize)> = Vec::new();
        for &group in groups {
            let (mut sum, mut weight) = self.sums[group];
            let mut length = 1;
            while let Some(&(before, count, groups)) = runs.last() {
                if before / count.max(1) as f64 <= sum / weight.max(1) as f64 {
                    break;
                }
                sum += before;
                weight += count;
                length += groups;
                runs.pop();
            }
            runs.push((sum, weight, length));
        }
        let each =
            |(sum, weight, length)| std::iter::repeat_n(sum / usize::max(weight, 1) as f64, length);
        runs.into_iter().flat_map(each).collect()
    }

    /// Swaps neighbours of the same group wherever that takes crossings away.
    fn swap_neighbours(&mut self, web: &mut Web) {
        for _ in 0..4 {
            let mut swapped = false;
            for layer in 0..web.layers.len() {
                for index in 1..web.layers[layer].len() {
                    let (upper, lower) = (web.layers[layer][index - 1], web.layers[layer][index]);
                    if self.nest[upper] != self.nest[lower] {
                        continue;
                    }
                    let (now, then) = self.pair_crossings(web, upper, lower);
                    if then < now {
                        web.layers[layer].swap(index - 1, index);
                        self.place.swap(upper, lower);
                        swapped = true;
                    }
                }
            }
            if !swapped {
                break;
            }
        }
    }

    /// How often the arcs of two neighbours cross as they are, and how often they would if the two
    /// were swapped.
    fn pair_crossings(&self, web: &Web, upper: usize, lower: usize) -> (usize, usize) {
        let mut now = 0;
        let mut then = 0;
        for near in [&web.before, &web.after] {
            for &a in near.of(upper) {
                for &b in near.of(lower) {
                    now += usize::from(self.place[a] > self.place[b]);
                    then += usize::from(self.place[a] < self.place[b]);
                }
            }
        }
        (now, then)
    }

    /// Counts the crossings of all links between neighbouring layers.
    fn crossings(&self, web: &Web) -> usize {
        let mut index = vec![0; web.role.len()];
        for layer in &web.layers {
            for (i, &element) in layer.iter().enumerate() {
                index[element] = i;
            }
        }
        let mut total = 0;
        let mut targets = Vec::new();
        for (left, right) in web.layers.iter().zip(web.layers.iter().skip(1)) {
            // A tree of counts over the right layer tells how many links met so far end below a
            // place.
            let mut tree = vec![0_usize; right.len() + 1];
            let mut met = 0;
            for &element in left {
                targets.clear();
                targets.extend(web.after.of(element).iter().map(|&t| index[t]));
                for &target in &targets {
                    let mut at = target + 1;
                    let mut above = 0;
                    while at > 0 {
                        above += tree[at];
                        at &= at - 1;
                    }
                    total += met - above;
                }
                met += targets.len();
                for &target in &targets {
                    let mut at = target + 1;
                    while at < tree.len() {
                        tree[at] += 1;
                        at += at & at.wrapping_neg();
                    }
                }
            }
        }
        total
    }
}
