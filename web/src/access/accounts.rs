//! Users in the store: sessions, tokens, passwords, and accounts elsewhere.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::http::HeaderMap;
use serde_json::json;
use tidemill_access::{
    Counted, Grant, Lifetimes, Limit, Limits, Role, Secret, Subjects, Who, user_name,
};
use tidemill_core::operator::BoxFuture;
use tidemill_core::time::Timestamp;
use tidemill_store::Store;
use tidemill_store::access::{By, ChangeOutcome, NewUser, UserChange};
use tidemill_store::record::{SessionRow, UserRow};
use tracing::{error, warn};

use super::password::Hasher;
use super::sso::{Newcomers, Provider, Proxy};
use super::tags::TagReader;
use super::{Access, AccessError, Browser, NotIn, Principal, Tags, Ways};

/// Somebody who is known elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// Who says so, and what they call them: unchanging, and nobody else's.
    pub subject: String,
    /// Their address, if whoever says so has made sure that it is theirs.
    pub email: Option<String>,
    /// What they are called.
    pub name: Option<String>,
}

/// Users in the store.
pub struct Accounts {
    store: Store,
    hasher: Hasher,
    tags: TagReader,
    limits: Limits,
    lifetimes: Lifetimes,
    single: Option<Provider>,
    proxy: Option<Proxy>,
    newcomers: Option<Newcomers>,
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accounts").finish_non_exhaustive()
    }
}

impl Accounts {
    /// Those of this store, with their passwords.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self {
            store,
            hasher: Hasher::default(),
            tags: TagReader::default(),
            limits: Limits::default(),
            lifetimes: Lifetimes::default(),
            single: None,
            proxy: None,
            newcomers: None,
        }
    }

    /// Counts the passwords that are compared: one for each try to sign in, whether the name is somebody's or not.
    #[must_use]
    pub fn compared(&self) -> Arc<AtomicU64> {
        self.hasher.compared()
    }

    /// And with accounts that they have here.
    #[must_use]
    pub fn single(self, provider: Provider) -> Self {
        Self {
            single: Some(provider),
            ..self
        }
    }

    /// And only as whom this proxy lets through.
    #[must_use]
    pub fn behind(self, proxy: Proxy) -> Self {
        Self {
            proxy: Some(proxy),
            ..self
        }
    }

    /// Whoever comes from elsewhere and has no account gets one.
    #[must_use]
    pub fn with_newcomers(self, newcomers: Newcomers) -> Self {
        Self {
            newcomers: Some(newcomers),
            ..self
        }
    }

    async fn principal(
        &self,
        user: &UserRow,
        limit: Option<Limit>,
        now: Timestamp,
    ) -> Result<Principal, AccessError> {
        let rows = self.store.grants_of(&user.name).await?;
        // A pattern of a later release gives nothing here.
        let grants: Vec<Grant> = rows
            .iter()
            .filter_map(|row| {
                let role = row.role;
                let pattern = row.pattern.parse().ok()?;
                Some(Grant { pattern, role })
            })
            .collect();
        let limited = limit.iter().flat_map(|limit| limit.dags.iter());
        let mut patterns = grants.iter().map(|grant| &grant.pattern).chain(limited);
        let tags = if patterns.any(|one| matches!(one, tidemill_access::Pattern::Tag(_))) {
            self.tags.read(&self.store, now).await?
        } else {
            Arc::<Tags>::default()
        };
        let who = Who {
            role: user.role,
            grants,
            // Only whoever can sign in can change a password: a token goes on.
            must_change: user.must_change && limit.is_none(),
            limit,
        };
        Ok(Principal {
            name: Arc::clone(&user.name),
            display: Arc::clone(&user.display),
            who: Arc::new(who),
            tags,
        })
    }

    async fn of_session(
        &self,
        secret: &str,
        now: Timestamp,
    ) -> Result<Option<Principal>, AccessError> {
        let Some(secret) = Secret::read(secret) else {
            return Ok(None);
        };
        let Some(live) = self.store.session(&secret.hash(), now).await? else {
            return Ok(None);
        };
        let ends_at = self.lifetimes.ends_at(live.session.created_at, now);
        // That it was used is not worth a failed request.
        if let Err(error) = self.store.touch_session(&live.session, now, ends_at).await {
            error!("failed to note that a session was used: {error}");
        }
        self.principal(&live.user, None, now).await.map(Some)
    }

    async fn of_token(
        &self,
        secret: &str,
        now: Timestamp,
    ) -> Result<Option<Principal>, AccessError> {
        let Some(secret) = Secret::read_token(secret) else {
            return Ok(None);
        };
        let Some(live) = self.store.token(&secret.hash(), now).await? else {
            return Ok(None);
        };
        let dags: Result<Vec<_>, _> = live.token.dags.iter().map(|text| text.parse()).collect();
        // A token for DAGs that cannot be told is for none, not for all.
        let Ok(dags) = dags else {
            return Ok(None);
        };
        if let Err(error) = self.store.touch_token(&live.token, now).await {
            error!("failed to note that a token was used: {error}");
        }
        let role = live.token.role;
        let limit = Limit { role, dags };
        self.principal(&live.user, Some(limit), now).await.map(Some)
    }

    /// Opens a session for somebody who has shown who they are.
    async fn admit(&self, user: &UserRow, browser: Browser<'_>) -> Result<String, NotIn> {
        let secret = Secret::new().map_err(AccessError::from)?;
        let session = SessionRow {
            hash: secret.hash().into(),
            user: Arc::clone(&user.name),
            created_at: browser.now,
            seen_at: browser.now,
            ends_at: self.lifetimes.ends_at(browser.now, browser.now),
            address: address(browser).into(),
            user_agent: browser.agent.into(),
        };
        if self.store.open_session(&session).await? {
            Ok(secret.text())
        } else {
            Err(NotIn::Disabled(user.name.to_string()))
        }
    }

    async fn by_password(
        &self,
        (name, password): (&str, &str),
        browser: Browser<'_>,
    ) -> Result<String, NotIn> {
        if self.proxy.is_some() {
            return Err(NotIn::Closed);
        }
        let subjects = Subjects::of(name, browser.address);
        let (all, window) = (subjects.all(), self.limits.window);
        let counted = self.store.count_attempt(&all, browser.now, window);
        let counted = counted.await?;
        let counted = counted.iter().map(|row| Counted {
            subject: &row.subject,
            attempts: row.attempts,
            since: row.since,
        });
        self.limits.check(counted, browser.now)?;
        let user = match user_name(name) {
            Ok(name) => self.store.user(&name).await?,
            Err(_) => None,
        };
        let user = user.filter(|user| !user.disabled);
        let stored = user.as_ref().and_then(|user| user.password.clone());
        let verdict = self.hasher.compare(password, stored).await?;
        let Some(user) = user.filter(|_| verdict.is_right()) else {
            self.note_refused(name, browser).await?;
            return Err(NotIn::Wrong);
        };
        let good = self
            .store
            .attempt_was_good(&subjects.forget, &subjects.take_back);
        good.await?;
        if verdict == tidemill_access::Verdict::RightButOld {
            let hash = self.hasher.hash(password).await?;
            self.store.rehash_password(&user, &hash).await?;
        }
        self.admit(&user, browser).await
    }

    /// A line for the audit log. A name that is nobody's is not in it: people type their passwords into the wrong field.
    async fn note_refused(&self, name: &str, browser: Browser<'_>) -> Result<(), NotIn> {
        let known = match user_name(name) {
            Ok(name) => self.store.user(&name).await?.map(|user| user.name),
            Err(_) => None,
        };
        let target = known.as_deref().unwrap_or("nobody who is known");
        let by = By {
            who: target,
            at: browser.now,
        };
        let details = json!({ "address": address(browser), "user_agent": browser.agent });
        let noted = self
            .store
            .note_access("session.refused", target, details, by);
        Ok(noted.await?)
    }

    /// The account of somebody who is known elsewhere: the one that is theirs, else the one with their address, else a new one.
    async fn account(&self, known: &Elsewhere, now: Timestamp) -> Result<UserRow, NotIn> {
        let found = self.store.user_of_sso(&known.subject).await?;
        let user = match found {
            Some(user) => user,
            None => self.link(known, now).await?,
        };
        if user.disabled {
            return Err(NotIn::Disabled(user.name.to_string()));
        }
        Ok(user)
    }

    async fn link(&self, known: &Elsewhere, now: Timestamp) -> Result<UserRow, NotIn> {
        let Some(email) = &known.email else {
            let says = "whoever signs you in did not say that your address is yours; ask who runs that account".to_owned();
            return Err(NotIn::Elsewhere(says));
        };
        let name = user_name(email).map_err(|error| NotIn::Elsewhere(error.to_string()))?;
        let by = By {
            who: &name,
            at: now,
        };
        if let Some(user) = self.store.user(&name).await? {
            // Theirs is another account there: whoever got an old address must not get the old rights.
            if user.sso.is_some() {
                let says = format!(
                    "the account {name} belongs to another identity; an admin can give it to this one"
                );
                return Err(NotIn::Elsewhere(says));
            }
            let change = UserChange {
                sso: Some(Some(known.subject.as_str().into())),
                ..UserChange::default()
            };
            return match self.store.change_user(&user, &change, by).await? {
                ChangeOutcome::Done => Ok(user),
                _ => Err(NotIn::Elsewhere(
                    "somebody changed this account at the same moment; try again".to_owned(),
                )),
            };
        }
        let role = self.newcomers.as_ref().and_then(|who| who.role_of(&name));
        let role = role.ok_or_else(|| NotIn::Unknown(name.clone()))?;
        self.make(known, (&name, role), by).await
    }

    async fn make(
        &self,
        known: &Elsewhere,
        (name, role): (&str, Role),
        by: By<'_>,
    ) -> Result<UserRow, NotIn> {
        let display = known.name.as_deref().unwrap_or(name);
        let display = tidemill_access::display_name(display).unwrap_or_else(|_| name.to_owned());
        let new = NewUser {
            name: name.into(),
            display: display.into(),
            password: None,
            sso: Some(known.subject.as_str().into()),
            role,
            must_change: false,
        };
        // False if another process made them at the same moment.
        let _made = self.store.make_user(&new, by).await?;
        let user = self.store.user_of_sso(&known.subject).await?;
        user.ok_or_else(|| NotIn::Unknown(name.to_owned()))
    }
}

fn address(browser: Browser<'_>) -> String {
    browser
        .address
        .map_or_else(|| "unknown".to_owned(), |address| address.to_string())
}

impl Access for Accounts {
    fn session<'a>(
        &'a self,
        secret: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Principal>, AccessError>> {
        Box::pin(self.of_session(secret, now))
    }

    fn token<'a>(
        &'a self,
        secret: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Principal>, AccessError>> {
        Box::pin(self.of_token(secret, now))
    }

    fn redeem<'a>(
        &'a self,
        _: &'a str,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Option<String>, AccessError>> {
        Box::pin(async { Ok(None) })
    }

    fn end<'a>(
        &'a self,
        secret: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), AccessError>> {
        Box::pin(async move {
            let Some(secret) = Secret::read(secret) else {
                return Ok(());
            };
            if let Some(live) = self.store.session(&secret.hash(), now).await? {
                let by = By {
                    who: &live.user.name,
                    at: now,
                };
                self.store.end_session(&live.session, by).await?;
            }
            Ok(())
        })
    }

    fn ways(&self) -> Ways {
        Ways {
            password: self.proxy.is_none(),
            single: self.single.as_ref().map(Provider::name),
            proxy: self.proxy.is_some(),
        }
    }

    fn password<'a>(
        &'a self,
        given: (&'a str, &'a str),
        browser: Browser<'a>,
    ) -> BoxFuture<'a, Result<String, NotIn>> {
        Box::pin(self.by_password(given, browser))
    }

    fn open<'a>(
        &'a self,
        known: &'a Elsewhere,
        browser: Browser<'a>,
    ) -> BoxFuture<'a, Result<String, NotIn>> {
        Box::pin(async move {
            let user = self.account(known, browser.now).await?;
            self.admit(&user, browser).await
        })
    }

    fn single(&self) -> Option<&Provider> {
        self.single.as_ref()
    }

    fn proxied<'a>(
        &'a self,
        headers: &'a HeaderMap,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Elsewhere>, NotIn>> {
        Box::pin(async move {
            match &self.proxy {
                Some(proxy) => proxy.identity(headers, now).await,
                None => Ok(None),
            }
        })
    }

    fn vouched<'a>(
        &'a self,
        who: &'a Principal,
        headers: &'a HeaderMap,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<bool, AccessError>> {
        Box::pin(async move {
            let Some(proxy) = &self.proxy else {
                return Ok(true);
            };
            let known = match proxy.identity(headers, now).await {
                Ok(Some(known)) => known,
                Ok(None) => return Ok(false),
                Err(NotIn::Broken(error)) => return Err(error),
                Err(error) => {
                    warn!("the proxy in front is not believed: {error}");
                    return Ok(false);
                }
            };
            let user = self.store.user_of_sso(&known.subject).await?;
            Ok(user.is_some_and(|user| user.name == who.name))
        })
    }
}
