//! Tasks that may run and wait for room: which of them is next.
//!
//! A **gate** is a limit and how much of it is used. A **lane** holds waiting tasks that need exactly the same gates, so
//! that one look tells about all of them; lanes whose gate is shut are parked there and woken one by one as it opens. A
//! **station** holds the lanes that want slots of one pool on one class of workers. What is picked is the best task of
//! the best open lane: by priority, then in turns between DAGs, then by date. No step looks at all that waits.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use tidemill_core::protocol::{MapIndex, RunNo};

use super::fast::FastMap;
use super::plan::Pos;

pub(super) type GateIx = u32;
pub(super) type LaneIx = u32;
pub(super) type PoolIx = u32;
pub(super) type ClassIx = u32;

/// A limit, and how much of it is used.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// None for no limit.
    pub(super) limit: Option<u32>,
    pub(super) used: u32,
    /// Whether nothing passes, whatever the limit.
    pub(super) shut: bool,
    parked: BinaryHeap<Reverse<(Rank, LaneIx)>>,
}

impl Gate {
    pub(super) fn is_open(&self, slots: u32) -> bool {
        !self.shut
            && self
                .limit
                .is_none_or(|limit| limit.saturating_sub(self.used) >= slots)
    }
}

/// What a waiting task is sorted by inside its lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Order {
    pub(super) priority: Reverse<i32>,
    pub(super) backfill: bool,
    pub(super) start: i64,
    pub(super) run: RunNo,
    pub(super) at: Pos,
    pub(super) index: MapIndex,
}

/// A waiting task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) order: Order,
    /// Has to be the slot's own; another one is from before it was cleared.
    pub(super) ticket: u32,
}

impl Ord for Waiting {
    /// The first in line is the greatest, for that is what a heap gives.
    fn cmp(&self, other: &Self) -> Ordering {
        other.order.cmp(&self.order)
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What a lane is sorted by inside its station: the priority of its first task, then whose turn it is, then dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    priority: Reverse<i32>,
    backfill: bool,
    turn: u64,
    start: i64,
    run: RunNo,
    at: Pos,
}

/// What all tasks of a lane have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct LaneKey {
    /// Whose turn it is when one of them is picked.
    pub(super) dag: u32,
    /// The version and the queue: only some workers take them.
    pub(super) plan: u32,
    pub(super) queue: u32,
    pub(super) pool: PoolIx,
    pub(super) slots: u32,
    pub(super) gates: Box<[GateIx]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Nowhere,
    Station,
    Gate,
    /// The pool has room, but not so much.
    Pool,
}

#[derive(Debug)]
struct Lane {
    key: LaneKey,
    class: ClassIx,
    waiting: BinaryHeap<Waiting>,
    place: Place,
    /// Entries of stations and gates with an older number are void.
    stamp: u32,
    /// The tasks before it may have left the lane empty; it is then used for another key.
    free: bool,
}

#[derive(Debug, Default)]
struct Station {
    pool: PoolIx,
    class: ClassIx,
    lanes: BinaryHeap<Reverse<(Rank, LaneIx, u32)>>,
}

/// A pool.
#[derive(Debug, Default)]
pub(super) struct Pool {
    pub(super) gate: Gate,
    /// Whether anybody made it. Tasks may name one that nobody made.
    pub(super) exists: bool,
    pub(super) holds_deferred: bool,
    /// Lanes whose tasks need more slots than are free.
    big: Vec<LaneIx>,
}

/// Whether a class of workers has room.
pub(super) trait Room {
    fn has_room(&self, class: ClassIx) -> bool;
}

/// All that waits for room.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    pub(super) gates: Vec<Gate>,
    free_gates: Vec<GateIx>,
    pub(super) pools: Vec<Pool>,
    lanes: Vec<Lane>,
    free_lanes: Vec<LaneIx>,
    by_key: FastMap<LaneKey, LaneIx>,
    stations: Vec<Station>,
    station_of: FastMap<(PoolIx, ClassIx), u32>,
    /// When each DAG's turn is.
    turns: Vec<u64>,
    /// The turn of the DAG that was served last.
    turn: u64,
    /// How many tasks wait, with some that no longer do.
    pub(super) waiting: usize,
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "there is no room for four thousand million gates, lanes or pools"
)]
impl Lanes {
    pub(super) fn new_gate(&mut self, limit: Option<u32>) -> GateIx {
        let gate = Gate {
            limit,
            ..Gate::default()
        };
        if let Some(at) = self.free_gates.pop() {
            self.gates[at as usize] = gate;
            return at;
        }
        self.gates.push(gate);
        self.gates.len() as GateIx - 1
    }

    pub(super) fn free_gate(&mut self, at: GateIx) {
        while let Some(Reverse((_, lane))) = self.gates[at as usize].parked.pop() {
            self.lanes[lane as usize].place = Place::Nowhere;
            self.join_station(lane);
        }
        self.free_gates.push(at);
    }

    /// What waits, lane by lane: what its tasks have in common, and how many entries it has.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (&LaneKey, usize)> {
        let used = self.lanes.iter().filter(|lane| !lane.free);
        used.map(|lane| (&lane.key, lane.waiting.len()))
    }

    /// Of each lane the task that goes next.
    pub(super) fn firsts(&self) -> impl Iterator<Item = (&LaneKey, &Order)> {
        let used = self.lanes.iter().filter(|lane| !lane.free);
        used.filter_map(|lane| Some((&lane.key, &lane.waiting.peek()?.order)))
    }

    pub(super) fn gate(&self, at: GateIx) -> &Gate {
        &self.gates[at as usize]
    }

    pub(super) fn new_pool(&mut self) -> PoolIx {
        self.pools.push(Pool::default());
        self.pools.len() as PoolIx - 1
    }

    pub(super) fn new_dag(&mut self) {
        self.turns.push(0);
    }

    /// Sets a gate's limit, and lets in what it held.
    pub(super) fn set_gate(&mut self, at: GateIx, limit: Option<u32>, shut: bool) {
        let gate = &mut self.gates[at as usize];
        gate.limit = limit;
        gate.shut = shut;
        self.wake(at);
    }

    /// Sets a pool, and lets in what it held.
    pub(super) fn set_pool(&mut self, at: PoolIx, limit: Option<u32>, shut: bool, exists: bool) {
        let pool = &mut self.pools[at as usize];
        pool.gate.limit = limit;
        pool.gate.shut = shut;
        pool.exists = exists;
        self.wake_big(at);
    }

    pub(super) fn take(&mut self, gate: GateIx) {
        self.gates[gate as usize].used += 1;
    }

    pub(super) fn give_back(&mut self, gate: GateIx) {
        let used = &mut self.gates[gate as usize].used;
        *used = used.saturating_sub(1);
        self.wake(gate);
    }

    pub(super) fn take_pool(&mut self, pool: PoolIx, slots: u32) {
        self.pools[pool as usize].gate.used += slots;
    }

    pub(super) fn give_back_pool(&mut self, pool: PoolIx, slots: u32) {
        let used = &mut self.pools[pool as usize].gate.used;
        *used = used.saturating_sub(slots);
        self.wake_big(pool);
    }

    /// The lane for tasks that need these gates, on workers of this class.
    pub(super) fn lane(&mut self, key: &LaneKey, class: ClassIx) -> LaneIx {
        if let Some(at) = self.by_key.get(key) {
            return *at;
        }
        let lane = Lane {
            key: key.clone(),
            class,
            waiting: BinaryHeap::new(),
            place: Place::Nowhere,
            stamp: 0,
            free: false,
        };
        let at = if let Some(at) = self.free_lanes.pop() {
            let stamp = self.lanes[at as usize].stamp;
            self.lanes[at as usize] = Lane { stamp, ..lane };
            at
        } else {
            self.lanes.push(lane);
            self.lanes.len() as LaneIx - 1
        };
        self.by_key.insert(key.clone(), at);
        at
    }

    pub(super) fn class_of(&self, lane: LaneIx) -> ClassIx {
        self.lanes[lane as usize].class
    }

    pub(super) fn push(&mut self, at: LaneIx, waiting: Waiting) {
        self.waiting += 1;
        let lane = &mut self.lanes[at as usize];
        let first = lane.waiting.peek().is_none_or(|head| waiting > *head);
        lane.waiting.push(waiting);
        match lane.place {
            Place::Nowhere => self.join_station(at),
            Place::Station if first => self.join_station(at),
            _ => {}
        }
    }

    fn rank(&self, at: LaneIx) -> Option<Rank> {
        let lane = &self.lanes[at as usize];
        let order = lane.waiting.peek()?.order;
        Some(Rank {
            priority: order.priority,
            backfill: order.backfill,
            turn: self.turns[lane.key.dag as usize],
            start: order.start,
            run: order.run,
            at: order.at,
        })
    }

    fn join_station(&mut self, at: LaneIx) {
        let dag = self.lanes[at as usize].key.dag as usize;
        // Who did not want anything for a while does not get it all back now.
        self.turns[dag] = self.turns[dag].max(self.turn);
        let Some(rank) = self.rank(at) else {
            self.retire(at);
            return;
        };
        let lane = &mut self.lanes[at as usize];
        lane.place = Place::Station;
        lane.stamp = lane.stamp.wrapping_add(1);
        let stamp = lane.stamp;
        let (pool, class) = (lane.key.pool, lane.class);
        let stations = &mut self.stations;
        let station = *self.station_of.entry((pool, class)).or_insert_with(|| {
            stations.push(Station {
                pool,
                class,
                lanes: BinaryHeap::new(),
            });
            stations.len() as u32 - 1
        });
        self.stations[station as usize]
            .lanes
            .push(Reverse((rank, at, stamp)));
    }

    /// A lane without tasks makes room for another.
    fn retire(&mut self, at: LaneIx) {
        let lane = &mut self.lanes[at as usize];
        lane.place = Place::Nowhere;
        lane.stamp = lane.stamp.wrapping_add(1);
        // Lanes that nearly every DAG has stay; those of single runs and keys go.
        if lane.key.gates.len() > 1 && !lane.free {
            lane.free = true;
            self.by_key.remove(&lane.key);
            self.free_lanes.push(at);
        }
    }

    fn wake(&mut self, at: GateIx) {
        if !self.gates[at as usize].is_open(1) {
            return;
        }
        if let Some(Reverse((_, lane))) = self.gates[at as usize].parked.pop() {
            self.lanes[lane as usize].place = Place::Nowhere;
            self.join_station(lane);
        }
    }

    fn wake_big(&mut self, pool: PoolIx) {
        let of = &mut self.pools[pool as usize];
        if of.big.is_empty() {
            return;
        }
        let big = std::mem::take(&mut of.big);
        for lane in big {
            if self.pools[pool as usize]
                .gate
                .is_open(self.lanes[lane as usize].key.slots)
            {
                self.lanes[lane as usize].place = Place::Nowhere;
                self.join_station(lane);
            } else {
                self.pools[pool as usize].big.push(lane);
            }
        }
    }

    /// The task that is next, if there is room for any. Its lane goes on waiting with what is left in it once
    /// [`Self::picked`] or [`Self::dropped`] was said.
    pub(super) fn pick(&mut self, room: &impl Room) -> Option<(LaneIx, Waiting)> {
        loop {
            let at = self.best_station(room)?;
            let Reverse((rank, lane, stamp)) = self.stations[at].lanes.pop()?;
            if self.lanes[lane as usize].stamp != stamp {
                continue;
            }
            let Some(now) = self.rank(lane) else {
                self.retire(lane);
                continue;
            };
            if now > rank {
                // Others of its DAG were served since.
                self.stations[at].lanes.push(Reverse((now, lane, stamp)));
                continue;
            }
            let key = &self.lanes[lane as usize].key;
            let pool = &mut self.pools[key.pool as usize];
            if !pool.gate.is_open(key.slots) {
                pool.big.push(lane);
                self.lanes[lane as usize].place = Place::Pool;
                continue;
            }
            let shut = key
                .gates
                .iter()
                .copied()
                .find(|gate| !self.gates[*gate as usize].is_open(1));
            if let Some(gate) = shut {
                self.park(lane, gate, now);
                continue;
            }
            let lane_mut = &mut self.lanes[lane as usize];
            lane_mut.place = Place::Nowhere;
            let waiting = lane_mut.waiting.pop()?;
            self.waiting -= 1;
            return Some((lane, waiting));
        }
    }

    fn park(&mut self, lane: LaneIx, gate: GateIx, rank: Rank) {
        self.lanes[lane as usize].place = Place::Gate;
        self.gates[gate as usize].parked.push(Reverse((rank, lane)));
        self.pass_on(lane);
    }

    /// A lane that was woken for a gate may not have used it: the next one is woken, too.
    fn pass_on(&mut self, lane: LaneIx) {
        for nth in 0..self.lanes[lane as usize].key.gates.len() {
            self.wake(self.lanes[lane as usize].key.gates[nth]);
        }
    }

    fn best_station(&mut self, room: &impl Room) -> Option<usize> {
        let mut best: Option<(Rank, usize)> = None;
        for (at, station) in self.stations.iter_mut().enumerate() {
            let Some(Reverse((rank, ..))) = station.lanes.peek() else {
                continue;
            };
            let better = best.is_none_or(|(best, _)| *rank < best);
            if better
                && self.pools[station.pool as usize].gate.is_open(1)
                && room.has_room(station.class)
            {
                best = Some((*rank, at));
            }
        }
        best.map(|(_, at)| at)
    }

    /// The picked task got its room.
    pub(super) fn picked(&mut self, lane: LaneIx) {
        let key = &self.lanes[lane as usize].key;
        let (dag, slots) = (key.dag as usize, u64::from(key.slots));
        self.turn = self.turn.max(self.turns[dag]);
        self.turns[dag] += slots;
        self.dropped(lane);
    }

    /// The picked task was no longer waiting.
    pub(super) fn dropped(&mut self, lane: LaneIx) {
        self.join_station(lane);
        self.pass_on(lane);
    }

    /// How many tasks are before this one in the line for its pool. Looks at all that wait.
    pub(super) fn ahead(&self, run: RunNo, at: Pos, index: MapIndex) -> usize {
        let mine = |waiting: &&Waiting| {
            waiting.order.run == run && waiting.order.at == at && waiting.order.index == index
        };
        let found = self
            .lanes
            .iter()
            .find_map(|lane| Some((lane, lane.waiting.iter().find(mine)?)));
        let Some((lane, waiting)) = found else {
            return 0;
        };
        let same_pool = self
            .lanes
            .iter()
            .filter(|other| other.key.pool == lane.key.pool);
        same_pool
            .flat_map(|other| &other.waiting)
            .filter(|other| other.order < waiting.order)
            .count()
    }

    /// Everything that waits, with what no longer does: the lane's key, where it stands and the task.
    pub(super) fn all_waiting(&self) -> impl Iterator<Item = (&LaneKey, &Waiting)> {
        let lanes = self.lanes.iter().filter(|lane| !lane.free);
        lanes.flat_map(|lane| lane.waiting.iter().map(|waiting| (&lane.key, waiting)))
    }

    /// Gives every lane the class that it has now: workers came or went.
    pub(super) fn reclass(&mut self, mut class_of: impl FnMut(&LaneKey) -> ClassIx) {
        for station in &mut self.stations {
            station.lanes.clear();
        }
        for at in 0..self.lanes.len() as LaneIx {
            if self.lanes[at as usize].free {
                continue;
            }
            self.lanes[at as usize].class = class_of(&self.lanes[at as usize].key);
            if self.lanes[at as usize].place == Place::Station {
                self.join_station(at);
            }
        }
    }
}
