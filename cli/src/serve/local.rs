//! A worker's connection with the scheduler of its own process.

use tidemill_core::operator::BoxFuture;
use tidemill_scheduler::gateway::{Gate, attend, local};
use tidemill_worker::{Connect, ConnectError, Wire};
use tokio::runtime::Handle;

/// Connects with the scheduler of this process.
#[derive(Debug)]
pub(crate) struct Local {
    gate: Gate,
    runtime: Handle,
}

impl Local {
    /// The scheduler behind this gate, on its runtime.
    pub(crate) const fn new(gate: Gate, runtime: Handle) -> Self {
        Self { gate, runtime }
    }
}

impl Connect for Local {
    fn connect(&self) -> BoxFuture<'_, Result<Wire, ConnectError>> {
        let led = self.gate.process().inbox();
        let wire = led.map(|_| {
            let (link, (say, hear)) = local();
            self.runtime.spawn(attend(self.gate.clone(), link));
            Wire { say, hear }
        });
        let later =
            |error: tidemill_scheduler::lead::NotLeading| ConnectError::Later(error.to_string());
        Box::pin(std::future::ready(wire.map_err(later)))
    }
}
