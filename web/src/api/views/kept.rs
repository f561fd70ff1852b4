//! What is on record of the installation: alerts, people and what they come in with, settings.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::time::Timestamp;
use tidemill_store::outbox::Letter;
use tidemill_store::record::{GrantRow, TokenRow, UserRow};
use utoipa::ToSchema;

use super::{TouchView, json, text};

/// Something that the world was to be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertView {
    /// Its number.
    pub id: i64,
    /// When it came about.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// How bad it is.
    pub severity: String,
    /// Where it goes.
    pub route: String,
    /// What says that two are the same.
    pub key: String,
    /// What it says.
    pub body: Value,
    /// `pending`, `sent`, or `dead` for one that could not be delivered.
    pub state: String,
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried next; null unless it is pending.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_at: Option<Timestamp>,
    /// Why it was not delivered.
    pub last_error: Option<String>,
}

impl From<Letter> for AlertView {
    fn from(letter: Letter) -> Self {
        let row = letter.due.row;
        let state = letter.state.word();
        Self {
            id: row.id,
            at: row.at,
            severity: row.severity.word().to_owned(),
            route: row.route.to_string(),
            key: row.key.to_string(),
            body: json(&row.body),
            state: state.to_owned(),
            tries: letter.due.tries,
            next_at: (state == "pending").then_some(letter.next_at),
            last_error: text(&letter.last_error),
        }
    }
}

/// Somebody who may come in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserView {
    /// Their name, with which they sign in.
    pub name: String,
    /// What pages call them.
    pub display: String,
    /// What they may do to all DAGs.
    pub role: String,
    /// Whether they may not come in.
    pub disabled: bool,
    /// Whether they have a password here.
    pub has_password: bool,
    /// Whether they are to change it first.
    pub must_change: bool,
    /// Whether they also sign in elsewhere.
    pub elsewhere: bool,
    /// When they were made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When they last signed in.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub signed_in_at: Option<Timestamp>,
    /// What they may do besides, to some DAGs.
    pub grants: Vec<GrantView>,
    /// Grows with every change; the `ETag`.
    pub edits: u32,
    /// The last change by a person.
    pub touched: Option<TouchView>,
}

impl UserView {
    /// With those of these grants that are theirs.
    #[must_use]
    pub fn of(user: &UserRow, grants: &[GrantRow]) -> Self {
        let mine = grants.iter().filter(|grant| grant.user == user.name);
        Self {
            name: user.name.to_string(),
            display: user.display.to_string(),
            role: user.role.to_string(),
            disabled: user.disabled,
            has_password: user.password.is_some(),
            must_change: user.must_change,
            elsewhere: user.sso.is_some(),
            created_at: user.created_at,
            signed_in_at: user.signed_in_at,
            grants: mine.map(Into::into).collect(),
            edits: user.edits,
            touched: user.touched.as_ref().map(Into::into),
        }
    }
}

/// What somebody may do to some DAGs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GrantView {
    /// Which DAGs: a name with `*`, or `tag:` and a tag.
    pub dags: String,
    /// What they may do to them.
    pub role: String,
    /// Who gave it.
    pub given_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub given_at: Timestamp,
}

impl From<&GrantRow> for GrantView {
    fn from(row: &GrantRow) -> Self {
        Self {
            dags: row.pattern.to_string(),
            role: row.role.to_string(),
            given_by: row.given_by.to_string(),
            given_at: row.given_at,
        }
    }
}

/// Somebody, and the password for one use that is shown this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserMadeView {
    /// Who.
    pub user: UserView,
    /// Their password, which they have to change first; null for who signs in elsewhere.
    pub password: Option<String>,
}

/// What a program comes in with; never the token itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenView {
    /// Its number, which is no secret.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// Whose it is.
    pub user: String,
    /// What it allows at the most.
    pub role: String,
    /// To which DAGs; all if there are none.
    pub dags: Vec<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Until when it is good; null for ever.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ends_at: Option<Timestamp>,
    /// When it was last used.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub used_at: Option<Timestamp>,
    /// When it was revoked.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
    /// By whom.
    pub revoked_by: Option<String>,
}

impl From<&TokenRow> for TokenView {
    fn from(row: &TokenRow) -> Self {
        Self {
            id: row.id.to_string(),
            name: row.name.to_string(),
            user: row.user.to_string(),
            role: row.role.to_string(),
            dags: row.dags.iter().map(ToString::to_string).collect(),
            created_at: row.created_at,
            ends_at: row.ends_at,
            used_at: row.used_at,
            revoked_at: row.revoked.as_ref().map(|(at, _)| *at),
            revoked_by: row.revoked.as_ref().map(|(_, by)| by.to_string()),
        }
    }
}

/// What this installation runs with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SettingsView {
    /// The release of this web process.
    pub release: String,
    /// The name of the installation.
    pub deployment: String,
    /// Every setting in force in this process; secrets are masked.
    pub settings: Vec<SettingView>,
    /// What was looked at, if it was asked for.
    pub checks: Option<Vec<CheckView>>,
    /// The steps of the schema.
    pub schema: Vec<StepView>,
}

/// A setting in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SettingView {
    /// Its key.
    pub key: String,
    /// Its value, masked if it is secret; empty if it has none.
    pub value: String,
    /// Where it came from.
    pub from: String,
}

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckView {
    /// How it is: `fine`, `odd`, `bad`, `away`.
    pub mark: String,
    /// What.
    pub what: String,
    /// In words.
    pub says: String,
}

/// A step of the schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StepView {
    /// Its number.
    pub number: i64,
    /// What it does.
    pub name: String,
    /// When it was made; null if it was not.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub applied_at: Option<Timestamp>,
}
