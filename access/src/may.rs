//! What somebody may do. The only place that decides it, for pages, the API and the command line.

use tidemill_core::role::Role;

use crate::pattern::Pattern;

/// Something that somebody does. Each route and each command names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Look at DAGs, runs, tasks, logs, loads, pools, workers.
    See,
    /// Change what is one's own: password, sessions, tokens.
    Own,
    /// Make runs, change and end them: trigger, retry, clear, mark, cancel, approve, note, pause, backfill.
    Operate,
    /// Set what runs share: pools, draining workers, changes of assets, alerts that are sent again.
    Share,
    /// Bring DAGs here and remove them.
    Deploy,
    /// Set connections and variables, and see what variables hold.
    Secrets,
    /// Look at the whole audit log.
    Audit,
    /// Say who may do what: users, grants, tokens and sessions of others.
    Access,
    /// Set how this Tidemill works.
    Settings,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 9] = [
        Self::See,
        Self::Own,
        Self::Operate,
        Self::Share,
        Self::Deploy,
        Self::Secrets,
        Self::Audit,
        Self::Access,
        Self::Settings,
    ];

    /// The least role that may do it.
    #[must_use]
    pub const fn needs(self) -> Role {
        match self {
            Self::See | Self::Own => Role::Viewer,
            Self::Operate | Self::Share => Role::Operator,
            Self::Deploy | Self::Secrets | Self::Audit | Self::Access | Self::Settings => {
                Role::Admin
            }
        }
    }

    /// Whether it is done to one DAG, so that a grant for it is enough.
    #[must_use]
    pub const fn is_of_dag(self) -> bool {
        matches!(self, Self::See | Self::Operate | Self::Deploy)
    }

    /// What it is, to follow "may not".
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::See => "look at this",
            Self::Own => "change one's own account",
            Self::Operate => "make or change runs",
            Self::Share => "change pools, workers, assets or alerts",
            Self::Deploy => "deploy or remove DAGs",
            Self::Secrets => "use connections and variables",
            Self::Audit => "read the audit log",
            Self::Access => "change users, grants and tokens",
            Self::Settings => "change settings",
        }
    }
}

/// What a user may do to some DAGs, beyond their role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Which DAGs.
    pub pattern: Pattern,
    /// What they may do to them.
    pub role: Role,
}

/// The most that somebody may do who comes in with a token, however much its user may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// The highest role.
    pub role: Role,
    /// The only DAGs; empty for all, and for what belongs to no DAG.
    pub dags: Vec<Pattern>,
}

/// Somebody who came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// Their role.
    pub role: Role,
    /// What they were given beyond it.
    pub grants: Vec<Grant>,
    /// What their token limits them to; none for a session.
    pub limit: Option<Limit>,
    /// Whether they are to change their password before anything else.
    pub must_change: bool,
}

impl Who {
    /// Somebody with a role and nothing else.
    #[must_use]
    pub const fn of(role: Role) -> Self {
        Self {
            role,
            grants: Vec::new(),
            limit: None,
            must_change: false,
        }
    }
}

/// What is known of the DAG that something is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DagFacts<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its tags.
    pub tags: &'a [String],
}

/// Why somebody may not do something, for them to read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// They have another's password.
    #[error("change your password first; whoever made your account has seen it")]
    MustChange,
    /// It is not for tokens.
    #[error("a token may not {}; sign in for that", .action.words())]
    NotByToken {
        /// What they wanted.
        action: Action,
    },
    /// Their token is not for this DAG.
    #[error("this token is not for {}", .dag.as_deref().map_or_else(|| "what belongs to no DAG".to_owned(), |dag| format!("DAG `{dag}`")))]
    OtherDag {
        /// Which DAG; none if it is about none.
        dag: Option<String>,
    },
    /// Their token is for less.
    #[error("a token for {has} may not {}; that needs {needs}", .action.words())]
    TokenRole {
        /// What they wanted.
        action: Action,
        /// What it needs.
        needs: Role,
        /// What the token has.
        has: Role,
    },
    /// Their role is too low.
    #[error("{has} may not {}{}; that needs {needs}: ask an admin", .action.words(), .dag.as_deref().map(|dag| format!(" of DAG `{dag}`")).unwrap_or_default())]
    Role {
        /// What they wanted.
        action: Action,
        /// To which DAG.
        dag: Option<String>,
        /// What it needs.
        needs: Role,
        /// What they are.
        has: Role,
    },
}

/// Whether there can be a DAG to which somebody may do something: whoever may is shown lists, narrowed row by row.
///
/// # Errors
/// Says why not.
pub fn may_somewhere(who: &Who, action: Action) -> Result<(), Denied> {
    let needs = action.needs();
    if who.must_change && action != Action::Own {
        return Err(Denied::MustChange);
    }
    if let Some(has) = who.limit.as_ref().map(|limit| limit.role)
        && has < needs
    {
        return Err(Denied::TokenRole { action, needs, has });
    }
    let given = who.grants.iter().map(|grant| grant.role).max();
    let has = given.map_or(who.role, |given| given.max(who.role));
    if has < needs {
        let dag = None;
        return Err(Denied::Role {
            action,
            dag,
            needs,
            has,
        });
    }
    Ok(())
}

/// Whether somebody may do something, to this DAG or to none. Without a DAG only their role counts: who was given more for some
/// DAGs has it for those alone.
///
/// # Errors
/// Says why not.
pub fn may(who: &Who, action: Action, dag: Option<DagFacts<'_>>) -> Result<(), Denied> {
    let needs = action.needs();
    let name = || dag.map(|dag| dag.name.to_owned());
    let fits = |pattern: &Pattern| dag.is_some_and(|dag| pattern.matches(dag.name, dag.tags));
    if who.must_change && action != Action::Own {
        return Err(Denied::MustChange);
    }
    if let Some(limit) = &who.limit {
        // A token that makes tokens or users, or changes passwords, would outlive its own end.
        if matches!(action, Action::Own | Action::Access) {
            return Err(Denied::NotByToken { action });
        }
        if limit.role < needs {
            let has = limit.role;
            return Err(Denied::TokenRole { action, needs, has });
        }
        let is_for = action.is_of_dag() && limit.dags.iter().any(fits);
        if !limit.dags.is_empty() && !is_for {
            return Err(Denied::OtherDag { dag: name() });
        }
    }
    let given = who.grants.iter().filter(|grant| fits(&grant.pattern));
    let given = given.map(|grant| grant.role).max();
    let has = match given {
        Some(given) if action.is_of_dag() => given.max(who.role),
        _ => who.role,
    };
    if has < needs {
        let dag = name();
        return Err(Denied::Role {
            action,
            dag,
            needs,
            has,
        });
    }
    Ok(())
}
