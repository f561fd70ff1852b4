//! A door behind which nobody is.

use axum::body::Body;
use futures_util::stream;
use tidemill_core::operator::BoxFuture;
use tidemill_core::protocol::{InstanceRef, LogPlace, RunNo};
use tidemill_logs::{Found, Page, Search, Wanted};
use tidemill_scheduler::engine::{Changed, Fleet, Held, PoolView, Why};
use tidemill_scheduler::gateway::{
    ConnectionBody, ConnectionView, RevealReply, VariableBody, VariableView,
};

use super::{Asked, Door, DoorError, Tail};

/// Nobody leads: pages show what is stored, and change nothing. For pages of what is over.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shut;

fn away<'a, T>() -> BoxFuture<'a, Result<T, DoorError>> {
    Box::pin(async { Err(DoorError::Away("nobody leads".to_owned())) })
}

impl Door for Shut {
    fn ask(&self, _: Asked) -> BoxFuture<'_, Result<Changed, DoorError>> {
        away()
    }

    fn why(&self, _: InstanceRef) -> BoxFuture<'_, Result<Option<Why>, DoorError>> {
        away()
    }

    fn why_run(&self, _: RunNo) -> BoxFuture<'_, Result<Option<Vec<Held>>, DoorError>> {
        away()
    }

    fn fleet(&self) -> BoxFuture<'_, Result<Fleet, DoorError>> {
        away()
    }

    fn log<'a>(&'a self, _: &'a LogPlace, _: Wanted) -> BoxFuture<'a, Result<Page, DoorError>> {
        away()
    }

    fn search<'a>(&'a self, _: &'a LogPlace, _: Search) -> BoxFuture<'a, Result<Found, DoorError>> {
        away()
    }

    fn download<'a>(&'a self, _: &'a LogPlace) -> BoxFuture<'a, Result<Body, DoorError>> {
        away()
    }

    fn tail(&self, _: &LogPlace, _: u64) -> Tail {
        Box::pin(stream::empty())
    }

    fn pools(&self) -> BoxFuture<'_, Result<Vec<PoolView>, DoorError>> {
        away()
    }

    fn variables(&self) -> BoxFuture<'_, Result<Vec<VariableView>, DoorError>> {
        away()
    }

    fn reveal<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
    ) -> BoxFuture<'a, Result<RevealReply, DoorError>> {
        away()
    }

    fn set_variable<'a>(
        &'a self,
        _: &'a str,
        _: VariableBody,
    ) -> BoxFuture<'a, Result<Changed, DoorError>> {
        away()
    }

    fn connections(&self) -> BoxFuture<'_, Result<Vec<ConnectionView>, DoorError>> {
        away()
    }

    fn set_connection<'a>(
        &'a self,
        _: &'a str,
        _: ConnectionBody,
    ) -> BoxFuture<'a, Result<Changed, DoorError>> {
        away()
    }
}
