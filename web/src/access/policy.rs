//! What a route asks of whoever comes.

use std::fmt;
use std::str::FromStr;

/// What somebody may do; each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Looks.
    Viewer,
    /// Triggers, retries, clears, pauses.
    Operator,
    /// Sets up users, connections, pools.
    Admin,
}

impl Role {
    /// Every role, from the least.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|role| role.word() == word);
        found.ok_or_else(|| format!("`{word}` is none of viewer, operator, admin"))
    }
}

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
