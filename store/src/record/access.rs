//! Who may come in and what they may do. Secrets come here as hashes and leave as hashes.

use std::fmt;
use std::sync::Arc;

use tidemill_core::role::Role;
use tidemill_core::time::Timestamp;

use super::Touch;

/// Table `user_account`, key `name`.
#[derive(Clone, PartialEq, Eq)]
pub struct UserRow {
    /// Their name, with which they sign in.
    pub name: Arc<str>,
    /// What pages call them.
    pub display: Arc<str>,
    /// The hash of their password; none for who signs in elsewhere.
    pub password: Option<Arc<str>>,
    /// Who this is elsewhere.
    pub sso: Option<Arc<str>>,
    /// What they may do to all DAGs.
    pub role: Role,
    /// Whether they may not come in.
    pub disabled: bool,
    /// Whether they are to change their password first.
    pub must_change: bool,
    /// When they were made.
    pub created_at: Timestamp,
    /// When they last signed in.
    pub signed_in_at: Option<Timestamp>,
    /// Grows with every change.
    pub edits: u32,
    /// The last change by a person.
    pub touched: Option<Touch>,
}

/// The hash is nobody's business, not even a log's.
impl fmt::Debug for UserRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserRow")
            .field("name", &self.name)
            .field("display", &self.display)
            .field("password", &self.password.as_ref().map(|_| "…"))
            .field("sso", &self.sso)
            .field("role", &self.role)
            .field("disabled", &self.disabled)
            .field("must_change", &self.must_change)
            .field("created_at", &self.created_at)
            .field("signed_in_at", &self.signed_in_at)
            .field("edits", &self.edits)
            .field("touched", &self.touched)
            .finish()
    }
}

/// Table `dag_grant`, key `(user, pattern)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRow {
    /// Whose.
    pub user: Arc<str>,
    /// Which DAGs: a name with `*`, or `tag:` and a tag.
    pub pattern: Arc<str>,
    /// What they may do to them.
    pub role: Role,
    /// Who gave it.
    pub given_by: Arc<str>,
    /// When.
    pub given_at: Timestamp,
}

/// Table `session`, key `hash`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// The hash of the secret in the cookie.
    pub hash: Arc<str>,
    /// Who is signed in.
    pub user: Arc<str>,
    /// Since when.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub seen_at: Timestamp,
    /// When it ends if it is not used again.
    pub ends_at: Timestamp,
    /// From where they signed in.
    pub address: Arc<str>,
    /// What the browser calls itself.
    pub user_agent: Arc<str>,
}

/// Table `api_token`, key `id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// What it is called where its secret must not be.
    pub id: Arc<str>,
    /// The hash of the token.
    pub hash: Arc<str>,
    /// What it is for, for people.
    pub name: Arc<str>,
    /// In whose name it acts.
    pub user: Arc<str>,
    /// The most that it may do.
    pub role: Role,
    /// To which DAGs, as in [`GrantRow::pattern`]; an empty list for all.
    pub dags: Vec<Arc<str>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; none if it does not by itself.
    pub ends_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub used_at: Option<Timestamp>,
    /// When somebody revoked it, and who.
    pub revoked: Option<(Timestamp, Arc<str>)>,
}

/// Table `login_attempt`, key `subject`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptsRow {
    /// What was counted: a name, an address, or both.
    pub subject: Arc<str>,
    /// How many tries, the present one included.
    pub attempts: u64,
    /// When the window began in which they are counted.
    pub since: Timestamp,
}
