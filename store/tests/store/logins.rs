//! Sessions, tokens, tries to sign in: what begins and what ends.

use std::time::Duration;

use tidemill_store::record::{SessionRow, TokenRow};

use crate::accesses::{by, hash, is_in, open, session, some, token};
use crate::place::Place;
use crate::sample::{HOSTILE, at, text};

pub(crate) async fn a_session_is_touched_once_a_minute_and_ends(place: &Place) {
    let store = &place.store;
    some(store).await;
    assert!(!open(store, &session("nobody", "x", 3)).await);
    let find = |seconds| async move {
        let found = store.session(&hash("a"), at(seconds)).await;
        found.expect("it reads")
    };
    let live = find(5).await.expect("it goes on");
    assert_eq!(
        live.session,
        SessionRow {
            user_agent: text(HOSTILE),
            ..session("ann", "a", 3)
        }
    );
    assert_eq!(
        (&*live.user.name, live.user.signed_in_at),
        ("ann", Some(at(3)))
    );
    let touch = |seconds, ends| {
        let seen = live.session.clone();
        async move {
            let done = store.touch_session(&seen, at(seconds), at(ends)).await;
            done.expect("it writes")
        }
    };
    assert!(!touch(62, 9_000).await);
    assert!(touch(63, 9_000).await);
    // Another process has seen the same old row, and comes late.
    assert!(!touch(63, 8_000).await);
    let live = find(8_999).await.expect("it goes on");
    assert_eq!(
        (live.session.seen_at, live.session.ends_at),
        (at(63), at(9_000))
    );
    assert_eq!(find(9_000).await, None);
    assert_eq!(
        store
            .sessions_of("ann", at(8_999))
            .await
            .expect("it reads")
            .len(),
        1
    );
    assert_eq!(
        store.sessions_of("ann", at(9_000)).await.expect("it reads"),
        []
    );
    let end = |session: SessionRow| async move {
        let done = store.end_session(&session, by("ann", 70)).await;
        done.expect("it writes")
    };
    assert!(end(live.session.clone()).await);
    assert!(!end(live.session.clone()).await);
    assert_eq!(find(71).await, None);
    // What ended is not touched back to life.
    let late = store.touch_session(&live.session, at(500), at(9_999)).await;
    assert!(!late.expect("it writes"));
    for secret in ["b", "c"] {
        assert!(open(store, &session("ann", secret, 80)).await);
    }
    let keep = hash("c");
    let all = store.end_sessions("ann", Some(&keep), by("ann", 81));
    all.await.expect("it writes");
    assert!(!is_in(store, "b", 82).await);
    assert!(is_in(store, "c", 82).await);
}

pub(crate) async fn a_token_works_until_it_is_revoked_or_over(place: &Place) {
    let store = &place.store;
    some(store).await;
    let make = |new: TokenRow| async move {
        let made = store.make_token(&new, by("ann", 10)).await;
        made.expect("it writes")
    };
    assert!(make(token("ann", "short", Some(100))).await);
    assert!(!make(token("nobody", "none", None)).await);
    let find = |id: &'static str, seconds| async move {
        let found = store.token(&hash(id), at(seconds)).await;
        found.expect("it reads")
    };
    let live = find("short", 99).await.expect("it goes on");
    assert_eq!(live.token, token("ann", "short", Some(100)));
    assert_eq!(&*live.user.name, "ann");
    assert_eq!(find("short", 100).await, None);
    assert!(find("t", 1_000_000).await.is_some());
    let touch = |seen: TokenRow, seconds| async move {
        let done = store.touch_token(&seen, at(seconds)).await;
        done.expect("it writes")
    };
    assert!(touch(live.token.clone(), 20).await);
    let used = store
        .token_of_id("short")
        .await
        .expect("it reads")
        .expect("it is there");
    assert_eq!(used.used_at, Some(at(20)));
    assert!(!touch(used.clone(), 79).await);
    assert!(touch(used.clone(), 80).await);
    let revoke = |token: TokenRow| async move {
        let done = store.revoke_token(&token, by("root", 30)).await;
        done.expect("it writes")
    };
    assert!(revoke(used.clone()).await);
    assert!(!revoke(used).await);
    assert_eq!(find("short", 31).await, None);
    let gone = store
        .token_of_id("short")
        .await
        .expect("it reads")
        .expect("it is there");
    assert_eq!(gone.revoked, Some((at(30), text("root"))));
    let ids = |of: Option<&'static str>| async move {
        let all = store.tokens(of).await.expect("it reads");
        all.iter()
            .map(|token| token.id.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(Some("ann")).await, ["short", "t"]);
    assert_eq!(ids(Some("root")).await, [""; 0]);
    assert_eq!(ids(None).await.len(), 2);
}

pub(crate) async fn tries_to_sign_in_are_counted_in_windows(place: &Place) {
    let store = &place.store;
    let subjects = [format!("name {HOSTILE}"), "address 10.0.0.1".to_owned()];
    let window = Duration::from_secs(900);
    let count = |seconds| {
        let subjects = subjects.clone();
        async move {
            let counted = store.count_attempt(&subjects, at(seconds), window).await;
            let counted = counted.expect("it writes");
            [0, 1].map(|n| (counted[n].attempts, counted[n].since))
        }
    };
    assert_eq!(count(0).await, [(1, at(0)), (1, at(0))]);
    assert_eq!(count(5).await, [(2, at(0)), (2, at(0))]);
    assert_eq!(count(899).await, [(3, at(0)), (3, at(0))]);
    assert_eq!(count(900).await, [(1, at(900)), (1, at(900))]);
    let good = store.attempt_was_good(&subjects[..1], &subjects[1..]).await;
    good.expect("it writes");
    assert_eq!(count(901).await, [(1, at(901)), (1, at(900))]);
    // As many at once are as many.
    let tries: Vec<_> = (0..20)
        .map(|_| {
            let (store, subject) = (store.clone(), vec!["at once".to_owned()]);
            tokio::spawn(async move { store.count_attempt(&subject, at(1), window).await })
        })
        .collect();
    let mut seen = Vec::new();
    for one in tries {
        seen.push(one.await.expect("it ends").expect("it writes")[0].attempts);
    }
    seen.sort_unstable();
    assert_eq!(seen, (1..=20).collect::<Vec<_>>());
}

pub(crate) async fn what_is_over_is_forgotten(place: &Place) {
    let store = &place.store;
    some(store).await;
    let window = Duration::from_secs(900);
    assert!(open(store, &session("ann", "b", 5_000)).await);
    for (subject, seconds) in [("old", 0), ("new", 5_000)] {
        let counted = store
            .count_attempt(&[subject.to_owned()], at(seconds), window)
            .await;
        counted.expect("it writes");
    }
    let went = store.forget_expired(at(5_001), window).await;
    assert_eq!(went.expect("it writes"), 2);
    assert!(is_in(store, "b", 5_002).await);
    // `db clean` does the same.
    let mut cleaning = store.clean(tidemill_store::CleanOptions::before(at(100_000)));
    let (mut sessions, mut tries) = (0, 0);
    while let Some(step) = cleaning.next().await.expect("it writes") {
        sessions += step.of("session");
        tries += step.of("login_attempt");
    }
    assert_eq!((sessions, tries), (1, 1));
    assert_eq!(store.users().await.expect("it reads").len(), 2);
    assert_eq!(store.tokens(None).await.expect("it reads").len(), 1);
}
