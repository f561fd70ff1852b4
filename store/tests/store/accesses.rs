//! Who may come in: users, grants, and what becomes of their sessions. What begins and ends is in `logins`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tidemill_core::role::Role;
use tidemill_store::Store;
use tidemill_store::access::{By, ChangeOutcome, NewPassword, NewUser, UserChange};
use tidemill_store::history::AuditOf;
use tidemill_store::record::{AuditRow, Changes, SessionRow, TokenRow, UserRow};

use crate::place::Place;
use crate::round_trip::{everything, lead, put};
use crate::sample::{HOSTILE, at, audit_row, text};

const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$hash";

pub(crate) fn by(who: &str, seconds: i64) -> By<'_> {
    By {
        who,
        at: at(seconds),
    }
}

fn new(name: &str, role: Role) -> NewUser {
    NewUser {
        name: text(name),
        display: text(HOSTILE),
        password: Some(text(HASH)),
        sso: None,
        role,
        must_change: true,
    }
}

/// A hash of 64 letters.
pub(crate) fn hash(of: &str) -> Arc<str> {
    format!("{of:0>64}").into()
}

pub(crate) fn session(user: &str, secret: &str, seconds: i64) -> SessionRow {
    SessionRow {
        hash: hash(secret),
        user: text(user),
        created_at: at(seconds),
        seen_at: at(seconds),
        ends_at: at(seconds + 3_600),
        address: text("2001:db8::1"),
        user_agent: text(HOSTILE),
    }
}

pub(crate) fn token(user: &str, id: &str, ends: Option<i64>) -> TokenRow {
    TokenRow {
        id: text(id),
        hash: hash(id),
        name: text(HOSTILE),
        user: text(user),
        role: Role::Operator,
        dags: vec![text("crm_*"), text(HOSTILE)],
        created_at: at(10),
        ends_at: ends.map(at),
        used_at: None,
        revoked: None,
    }
}

async fn make(store: &Store, name: &str, role: Role) {
    let made = store.make_user(&new(name, role), by("root", 1)).await;
    assert!(made.expect("it writes"), "{name}");
}

async fn user(store: &Store, name: &str) -> UserRow {
    let found = store.user(name).await.expect("it reads");
    found.unwrap_or_else(|| panic!("no {name}"))
}

pub(crate) async fn open(store: &Store, new: &SessionRow) -> bool {
    store.open_session(new).await.expect("it writes")
}

pub(crate) async fn is_in(store: &Store, secret: &str, seconds: i64) -> bool {
    let found = store.session(&hash(secret), at(seconds)).await;
    found.expect("it reads").is_some()
}

async fn log(store: &Store) -> Vec<AuditRow> {
    let log = store.audits(&AuditOf::All, i64::MAX, 1_000).await;
    log.expect("it reads")
}

/// An admin, and ann with a grant, a session and a token.
pub(crate) async fn some(store: &Store) {
    make(store, "root", Role::Admin).await;
    make(store, "ann", Role::Viewer).await;
    let given = store
        .put_grant("ann", "crm_*", Role::Operator, by("root", 2))
        .await;
    assert!(given.expect("it writes"));
    assert!(open(store, &session("ann", "a", 3)).await);
    let made = store
        .make_token(&token("ann", "t", None), by("ann", 4))
        .await;
    assert!(made.expect("it writes"));
}

pub(crate) async fn a_user_comes_back_as_they_were_made(place: &Place) {
    let store = &place.store;
    let mut ann = new(HOSTILE, Role::Operator);
    ann.sso = Some(text("https://issuer.example 1234"));
    assert!(
        store
            .make_user(&ann, by("root", 7))
            .await
            .expect("it writes")
    );
    let found = user(store, HOSTILE).await;
    assert_eq!(
        (&found.name, &found.display, &found.password, &found.sso),
        (&ann.name, &ann.display, &ann.password, &ann.sso)
    );
    assert_eq!(
        (found.role, found.disabled, found.must_change, found.edits),
        (Role::Operator, false, true, 1)
    );
    assert_eq!((found.created_at, found.signed_in_at), (at(7), None));
    let elsewhere = store.user_of_sso("https://issuer.example 1234").await;
    assert_eq!(elsewhere.expect("it reads"), Some(found.clone()));
    assert!(!format!("{found:?}").contains("argon2id"));
    // A name is one user, and so is who they are elsewhere.
    assert!(
        !store
            .make_user(&ann, by("root", 8))
            .await
            .expect("it writes")
    );
    let mut other = new("other", Role::Viewer);
    other.sso.clone_from(&ann.sso);
    assert!(
        !store
            .make_user(&other, by("root", 8))
            .await
            .expect("it writes")
    );
    make(store, "bob", Role::Viewer).await;
    let same = UserChange {
        sso: Some(ann.sso.clone()),
        ..UserChange::default()
    };
    let bob = user(store, "bob").await;
    let taken = store.change_user(&bob, &same, by("root", 9)).await;
    assert_eq!(taken.expect("it writes"), ChangeOutcome::Taken);
    assert_eq!(user(store, HOSTILE).await, found);
}

pub(crate) async fn one_of_many_makes_the_first_admin(place: &Place) {
    let others = [place.reopened().await, place.reopened().await];
    let tries = (0..12).map(|n| {
        let store = if n % 2 == 0 { &others[0] } else { &others[1] };
        let store = store.clone();
        tokio::spawn(async move {
            let admin = new(&format!("admin_{n}"), Role::Admin);
            store
                .make_first_user(&admin, by("tidemill", n))
                .await
                .expect("it writes")
        })
    });
    let mut made = 0;
    for one in tries.collect::<Vec<_>>() {
        made += usize::from(one.await.expect("it ends"));
    }
    assert_eq!(made, 1);
    assert_eq!(place.store.users().await.expect("it reads").len(), 1);
    assert_eq!(log(&place.store).await.len(), 1);
}

pub(crate) async fn a_stale_change_is_refused_with_who_changed(place: &Place) {
    let store = &place.store;
    make(store, "root", Role::Admin).await;
    make(store, "ann", Role::Viewer).await;
    let seen = user(store, "ann").await;
    let promote = UserChange {
        role: Some(Role::Operator),
        ..UserChange::default()
    };
    let first = store.change_user(&seen, &promote, by("root", 20)).await;
    assert_eq!(first.expect("it writes"), ChangeOutcome::Done);
    let before = place.picture().await;
    let second = store.change_user(&seen, &promote, by("eve", 21)).await;
    let ChangeOutcome::Stale(now) = second.expect("it writes") else {
        panic!("it was not refused");
    };
    let touched = now.touched.clone().expect("somebody did");
    assert_eq!(
        (&*touched.by, &*touched.how, touched.at),
        ("root", "changed", at(20))
    );
    assert_eq!((now.role, now.edits), (Role::Operator, 2));
    let password = NewPassword {
        hash: None,
        must_change: false,
        keep_session: None,
    };
    let third = store.set_password(&seen, &password, by("eve", 21)).await;
    assert_eq!(third.expect("it writes"), ChangeOutcome::Stale(now));
    // What was refused left nothing behind, not even a number of the audit log.
    assert_eq!(place.picture().await, before);
    let gone = UserRow {
        name: text("nobody"),
        ..seen
    };
    let fourth = store.change_user(&gone, &promote, by("eve", 22)).await;
    assert_eq!(fourth.expect("it writes"), ChangeOutcome::NotThere);
}

pub(crate) async fn the_last_admin_stays(place: &Place) {
    let store = &place.store;
    make(store, "root", Role::Admin).await;
    make(store, "ann", Role::Admin).await;
    let disable = UserChange {
        disabled: Some(true),
        ..UserChange::default()
    };
    let lower = UserChange {
        role: Some(Role::Operator),
        ..UserChange::default()
    };
    let (root, ann) = (user(store, "root").await, user(store, "ann").await);
    // Each takes the other's admin away, at once.
    let (one, other) = tokio::join!(
        store.change_user(&root, &disable, by("ann", 5)),
        store.change_user(&ann, &lower, by("root", 5)),
    );
    let mut both = [one.expect("it writes"), other.expect("it writes")];
    both.sort_by_key(|outcome| *outcome != ChangeOutcome::Done);
    assert_eq!(both, [ChangeOutcome::Done, ChangeOutcome::LastAdmin]);
    let admins = store.users().await.expect("it reads");
    let admins = admins
        .iter()
        .filter(|user| user.role == Role::Admin && !user.disabled);
    assert_eq!(admins.count(), 1);
}

pub(crate) async fn a_password_that_is_changed_ends_the_other_sessions(place: &Place) {
    let store = &place.store;
    some(store).await;
    assert!(open(store, &session("ann", "b", 5)).await);
    assert!(open(store, &session("root", "r", 5)).await);
    let keep = hash("b");
    let password = NewPassword {
        hash: Some("$argon2id$new"),
        must_change: false,
        keep_session: Some(&keep),
    };
    let seen = user(store, "ann").await;
    let done = store.set_password(&seen, &password, by("ann", 6)).await;
    assert_eq!(done.expect("it writes"), ChangeOutcome::Done);
    assert!(!is_in(store, "a", 7).await);
    assert!(is_in(store, "b", 7).await && is_in(store, "r", 7).await);
    let now = user(store, "ann").await;
    assert_eq!(now.password.as_deref(), Some("$argon2id$new"));
    assert!(!now.must_change);
    // The same under a better hash, unless it was changed meanwhile.
    let rehash = |seen: UserRow, to: &'static str| async move {
        let done = store.rehash_password(&seen, to).await;
        done.expect("it writes");
        user(store, "ann").await.password
    };
    assert_eq!(
        rehash(now, "$argon2id$better").await.as_deref(),
        Some("$argon2id$better")
    );
    assert_eq!(
        rehash(seen, "$argon2id$old").await.as_deref(),
        Some("$argon2id$better")
    );
}

pub(crate) async fn grants_are_given_and_taken(place: &Place) {
    let store = &place.store;
    some(store).await;
    let put = |user: &'static str, pattern: &'static str, role| async move {
        let done = store.put_grant(user, pattern, role, by("root", 9)).await;
        done.expect("it writes")
    };
    assert!(put("ann", "tag:crm", Role::Viewer).await);
    assert!(put("ann", "crm_*", Role::Admin).await);
    assert!(put("root", HOSTILE, Role::Operator).await);
    assert!(!put("nobody", "crm_*", Role::Admin).await);
    let of_ann = store.grants_of("ann").await.expect("it reads");
    let short: Vec<_> = of_ann
        .iter()
        .map(|grant| (&*grant.pattern, grant.role, &*grant.given_by))
        .collect();
    assert_eq!(
        short,
        [
            ("crm_*", Role::Admin, "root"),
            ("tag:crm", Role::Viewer, "root")
        ]
    );
    assert_eq!(store.grants().await.expect("it reads").len(), 3);
    let drop = |pattern: &'static str| async move {
        let done = store.drop_grant("ann", pattern, by("root", 10)).await;
        done.expect("it writes")
    };
    assert!(drop("crm_*").await);
    assert!(!drop("crm_*").await);
    assert_eq!(store.grants().await.expect("it reads").len(), 2);
}

pub(crate) async fn who_is_disabled_is_out_everywhere(place: &Place) {
    let store = &place.store;
    some(store).await;
    let disable = |disabled| UserChange {
        disabled: Some(disabled),
        ..UserChange::default()
    };
    let seen = user(store, "ann").await;
    let done = store
        .change_user(&seen, &disable(true), by("root", 9))
        .await;
    assert_eq!(done.expect("it writes"), ChangeOutcome::Done);
    assert!(!is_in(store, "a", 10).await);
    assert_eq!(
        store.token(&hash("t"), at(10)).await.expect("it reads"),
        None
    );
    assert!(!open(store, &session("ann", "b", 11)).await);
    let made = store
        .make_token(&token("ann", "u", None), by("ann", 11))
        .await;
    assert!(!made.expect("it writes"));
    assert_eq!(place.store.check(at(0)).await.expect("it reads"), []);
    // Back in: the token works again, the session is gone for good.
    let seen = user(store, "ann").await;
    assert_eq!(
        seen.touched.as_ref().map(|touch| &*touch.how),
        Some("disabled")
    );
    let done = store
        .change_user(&seen, &disable(false), by("root", 12))
        .await;
    assert_eq!(done.expect("it writes"), ChangeOutcome::Done);
    assert!(!is_in(store, "a", 13).await);
    assert!(
        store
            .token(&hash("t"), at(13))
            .await
            .expect("it reads")
            .is_some()
    );
}

pub(crate) async fn every_change_is_in_the_audit_log_in_order(place: &Place) {
    let store = &place.store;
    let leader = lead(store).await;
    let line = |id, seconds| AuditRow {
        at: at(seconds),
        ..audit_row(id)
    };
    let changes = Changes {
        audits: vec![line(1, 0), line(2, 3)],
        ..Changes::default()
    };
    put(&leader, 1, &changes).await;
    some(store).await;
    let refused = json!({ "why": HOSTILE });
    let noted = store.note_access("login.refuse", "ann", refused.clone(), by("ann", 50));
    noted.await.expect("it writes");
    let all = log(store).await;
    let short: Vec<_> = all
        .iter()
        .rev()
        .map(|row| (&*row.action, &*row.actor))
        .collect();
    assert_eq!(
        short,
        [
            ("task.clear", HOSTILE),
            ("user.make", "root"),
            ("user.make", "root"),
            ("grant.put", "root"),
            // At the same second; numbers below 0 come first.
            ("session.open", "ann"),
            ("task.clear", HOSTILE),
            ("token.make", "ann"),
            ("login.refuse", "ann"),
        ]
        .map(|(action, actor)| (action, actor))
    );
    let details: Value = serde_json::from_str(&all[0].details).expect("JSON");
    assert_eq!((details, &*all[0].target), (refused, "ann"));
    assert!(all.iter().all(|row| !row.details.contains("argon2id")));
    // Page after page gives the same.
    let (mut before, mut pages) = (i64::MAX, Vec::new());
    loop {
        let page = store
            .audits(&AuditOf::All, before, 3)
            .await
            .expect("it reads");
        let Some(last) = page.last() else { break };
        before = last.id;
        pages.extend(page);
    }
    assert_eq!(pages, all);
    // The leader's numbers know nothing of them.
    let changes = Changes {
        audits: vec![line(3, 60)],
        ..Changes::default()
    };
    put(&leader, 2, &changes).await;
    assert_eq!(store.check(at(0)).await.expect("it reads"), []);
}

pub(crate) async fn changes_at_once_come_one_after_the_other(place: &Place) {
    let other = place.reopened().await;
    let tries: Vec<_> = (0..24)
        .map(|n| {
            let store = if n % 2 == 0 { &place.store } else { &other };
            let store = store.clone();
            tokio::spawn(async move {
                let name = format!("user_{n}");
                store
                    .make_user(&new(&name, Role::Admin), by("root", n))
                    .await
            })
        })
        .collect();
    for one in tries {
        assert!(one.await.expect("it ends").expect("it writes"));
    }
    let mut ids: Vec<i64> = log(&place.store).await.iter().map(|row| row.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, (-24..0).collect::<Vec<_>>());
}

/// Every table that the leader writes is as it was, but for the lines of the audit log.
pub(crate) async fn access_never_touches_what_the_leader_writes(place: &Place) {
    let leader = lead(&place.store).await;
    put(&leader, 1, &everything()).await;
    const ACCESS: [&str; 7] = [
        "access_turn:",
        "api_token:",
        "audit:",
        "dag_grant:",
        "login_attempt:",
        "session:",
        "user_account:",
    ];
    let rest = |picture: Vec<String>| -> Vec<String> {
        let of_access = |line: &String| ACCESS.iter().any(|table| line.starts_with(table));
        picture
            .into_iter()
            .filter(|line| !of_access(line))
            .collect()
    };
    let before = rest(place.picture().await);
    some(&place.store).await;
    who_is_disabled(&place.store).await;
    assert_eq!(rest(place.picture().await), before);
    // And the leader goes on.
    put(&leader, 2, &Changes::default()).await;
}

async fn who_is_disabled(store: &Store) {
    let seen = user(store, "ann").await;
    let change = UserChange {
        disabled: Some(true),
        ..UserChange::default()
    };
    let done = store.change_user(&seen, &change, by("root", 9)).await;
    assert_eq!(done.expect("it writes"), ChangeOutcome::Done);
    let subjects = ["x".to_owned()];
    let counted = store.count_attempt(&subjects, at(1), Duration::from_secs(9));
    counted.await.expect("it writes");
    store
        .forget_expired(at(9_999), Duration::from_secs(9))
        .await
        .expect("it writes");
}
