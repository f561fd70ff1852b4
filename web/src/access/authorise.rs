//! The one place where it is decided who may do what: for pages, actions and the API alike.

use tidemill_core::id::DagId;

use super::{Policy, Principal, Role};

/// Why somebody may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// They are not signed in.
    SignIn,
    /// They may not know that it is there.
    Hidden,
    /// They may look, but not do this.
    Needs(Role),
}

/// Whether somebody may use a route with this policy, for the DAG that its path names.
///
/// # Errors
/// Why not.
pub fn authorise(
    policy: Policy,
    who: Option<&Principal>,
    dag: Option<&DagId>,
) -> Result<(), Denied> {
    let who = || who.ok_or(Denied::SignIn);
    match policy {
        Policy::Public => Ok(()),
        Policy::Signed(role) if who()?.role >= role => Ok(()),
        Policy::Signed(role) => Err(Denied::Needs(role)),
        Policy::OnDag(role) => match (who()?, dag) {
            (who, Some(dag)) if who.may(role, dag) => Ok(()),
            (who, Some(dag)) if who.sees(dag) => Err(Denied::Needs(role)),
            // Whoever must not see a DAG gets the same answer as for one that is not there.
            _ => Err(Denied::Hidden),
        },
    }
}
