//! Who may use a route: the rules are those of `tidemill_access`, for pages, actions, the API and the command line alike.

use tidemill_access::{Action, Denied};
use tidemill_core::id::DagId;

use super::{Policy, Principal};

/// Why somebody may not use a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// They are not signed in.
    SignIn,
    /// They may not know that it is there.
    Hidden,
    /// They may look, but not do this.
    Denied(Denied),
}

/// Whether somebody may use a route with this policy, for the DAG that its path names.
///
/// # Errors
/// Why not.
pub fn authorise(
    policy: Policy,
    who: Option<&Principal>,
    dag: Option<&DagId>,
) -> Result<(), Refused> {
    let who = || who.ok_or(Refused::SignIn);
    match policy {
        Policy::Public => Ok(()),
        Policy::Signed(action) => who()?.may(action).map_err(Refused::Denied),
        Policy::OnDag(action) => {
            let (who, dag) = (who()?, dag.ok_or(Refused::Hidden)?);
            // Whoever must not see a DAG gets the same answer as for one that is not there.
            match who.may_to(Action::See, dag) {
                Ok(()) => who.may_to(action, dag).map_err(Refused::Denied),
                Err(denied @ Denied::MustChange) => Err(Refused::Denied(denied)),
                Err(_) => Err(Refused::Hidden),
            }
        }
    }
}
