//! What the database says about itself, and a commit that changes nothing.

use crate::place::Place;

pub(crate) async fn the_database_tells_how_it_keeps_what_was_committed(place: &Place) {
    let health = place.store.health().await.expect("it answers");
    assert!(health.setting("version").is_some(), "{health:?}");
    if place.is_postgres() {
        assert!(health.clock.is_some(), "{health:?}");
        assert!(health.setting("fsync").is_some(), "{health:?}");
        assert!(health.setting("synchronous_commit").is_some(), "{health:?}");
    } else {
        assert_eq!(health.clock, None);
        assert_eq!(health.setting("journal_mode"), Some("wal"));
        // FULL: a commit that was answered outlives a power cut.
        assert_eq!(health.setting("synchronous"), Some("2"));
    }
}

pub(crate) async fn a_probe_commits_and_changes_nothing(place: &Place) {
    let before = place.picture().await;
    let probed = place.store.probe_commit().await.expect("it commits");
    assert_eq!(probed, place.is_postgres());
    assert_eq!(place.picture().await, before);
}
