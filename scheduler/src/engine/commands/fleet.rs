//! Commands for workers.

use std::sync::Arc;

use tidemill_core::id::nearest;

use super::{Answer, Asking};
use crate::engine::effect::{Changed, Effect, Refusal};
use crate::engine::machine::Engine;

impl Engine {
    /// A worker takes nothing new, or takes orders again. The first counts at once. The second counts once the worker says so:
    /// it may be about to end.
    pub(super) fn drain_worker(
        &mut self,
        name: &Arc<str>,
        drain: bool,
        asking: Asking<'_>,
    ) -> Answer {
        let workers = &self.world.workers;
        let up = || workers.iter().filter(|(_, worker)| worker.up);
        let found = up().find(|(_, worker)| worker.name == *name);
        let Some((at, worker)) = found else {
            let names = up().map(|(_, worker)| &*worker.name);
            return Err(Refusal::Unknown {
                what: "worker",
                name: name.to_string(),
                nearest: nearest(name, names).map(str::to_owned),
            });
        };
        if worker.draining == drain {
            return Err(Refusal::invalid(if drain {
                format!("the worker `{name}` takes nothing new already")
            } else {
                format!("the worker `{name}` takes orders already")
            }));
        }
        if !worker.hears_drain {
            return Err(Refusal::invalid(format!(
                "the worker `{name}` is of an older build that cannot be told; end its process instead: it finishes what it runs first"
            )));
        }
        let holds = worker.holds.len();
        if !asking.dry_run {
            if drain {
                self.world.workers.close(at, true);
            }
            self.world.effects.push(Effect::Drain {
                worker: Arc::clone(name),
                drain,
            });
        }
        Ok(Changed {
            remarks: vec![format!("it holds {holds} attempts")],
            ..Changed::default()
        })
    }

    /// A worker takes orders again.
    pub(in crate::engine) fn ready(&mut self, name: &str) {
        if let Some(worker) = self.world.workers.find(name)
            && self.world.workers.get(worker).up
        {
            self.world.workers.open(worker);
            self.give_what_waits_for_a_worker();
        }
    }
}
