//! What a route asks of whoever comes.

pub use tidemill_core::role::Role;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Everybody, signed in or not.
    Public,
    /// Whoever is signed in with this role. What is shown of DAGs is narrowed row by row.
    Signed(Role),
    /// Whoever has this role on the DAG that `{dag}` in the path names.
    OnDag(Role),
}

impl Policy {
    /// Everybody.
    pub const PUBLIC: Self = Self::Public;
    /// Looking at what is not of one DAG.
    pub const VIEW: Self = Self::Signed(Role::Viewer);
    /// Changing what is not of one DAG.
    pub const OPERATE: Self = Self::Signed(Role::Operator);
    /// Setting the installation up.
    pub const ADMINISTER: Self = Self::Signed(Role::Admin);
    /// Looking at a DAG, its runs and its tasks.
    pub const VIEW_DAG: Self = Self::OnDag(Role::Viewer);
    /// Changing a DAG, its runs and its tasks.
    pub const OPERATE_DAG: Self = Self::OnDag(Role::Operator);
}
