//! Connections and variables: who may change them when, and what is written.

use std::sync::Arc;

use tidemill_scheduler::engine::{Command, Refusal, SealedConnection, SealedVariable};
use tidemill_store::record::ConnectionRow;

use crate::kit::Kit;

fn connection(name: &str, sealed: &str) -> Command {
    Command::SetConnection(SealedConnection {
        name: name.into(),
        kind: "http".into(),
        fields: r#"{"host":"crm.example"}"#.into(),
        sealed: sealed.into(),
    })
}

fn variable(name: &str, sealed: &str) -> Command {
    Command::SetVariable(SealedVariable {
        name: name.into(),
        sealed: sealed.into(),
        note: Some("where we are".into()),
    })
}

fn kept(kit: &Kit, name: &str) -> ConnectionRow {
    kit.mirror.connections[name].clone()
}

#[test]
fn what_is_set_is_written_with_who_did_it_and_counted() {
    let mut kit = Kit::new();
    kit.ask_as("ada", None, connection("crm", "one")).unwrap();
    kit.ask_as("bob", Some(1), connection("crm", "two"))
        .unwrap();
    let row = kept(&kit, "crm");
    assert_eq!((&*row.sealed, row.edits), ("two", 2));
    assert_eq!(row.touched.map(|touch| touch.by), Some("bob".into()));
    kit.ask_as("ada", None, variable("region", "eu")).unwrap();
    let row = kit.mirror.variables["region"].clone();
    assert_eq!((&*row.sealed, row.edits), ("eu", 1));
    assert_eq!(row.note.as_deref(), Some("where we are"));
    let lines: Vec<_> = kit
        .mirror
        .audits
        .values()
        .map(|row| (&*row.actor, &*row.action, &*row.target))
        .collect();
    assert!(
        lines.contains(&("bob", "connection.set", "crm")),
        "{lines:?}"
    );
    assert!(
        lines.contains(&("ada", "variable.set", "region")),
        "{lines:?}"
    );
    let told: Vec<_> = kit.mirror.audits.values().map(|row| &row.details).collect();
    assert!(!format!("{told:?}").contains("two"), "{told:?}");
}

#[test]
fn who_saw_an_older_one_is_told_who_changed_it() {
    let mut kit = Kit::new();
    kit.ask_as("ada", None, connection("crm", "one")).unwrap();
    kit.ask_as("ada", Some(1), connection("crm", "two"))
        .unwrap();
    kit.recover();
    let Err(Refusal::Stale {
        now: 2, touched, ..
    }) = kit.ask_as("bob", Some(1), connection("crm", "three"))
    else {
        panic!("bob did not see what ada did");
    };
    assert_eq!(touched.map(|touch| touch.by), Some("ada".into()));
    // Bob thinks that there is none yet.
    assert!(matches!(
        kit.ask_as("bob", Some(0), connection("crm", "three")),
        Err(Refusal::Stale { .. })
    ));
    let remove = Command::RemoveConnection { name: "crm".into() };
    assert!(matches!(
        kit.ask_as("bob", Some(1), remove),
        Err(Refusal::Stale { .. })
    ));
    assert_eq!(&*kept(&kit, "crm").sealed, "two");
}

#[test]
fn what_goes_is_gone_and_a_misspelt_name_finds_its_neighbour() {
    let mut kit = Kit::new();
    kit.ask(connection("crm", "one")).unwrap();
    kit.ask(variable("region", "eu")).unwrap();
    let wrong = kit.ask(Command::RemoveConnection { name: "crn".into() });
    assert_eq!(
        wrong.unwrap_err().to_string(),
        "there is no connection `crn`; did you mean `crm`?"
    );
    kit.ask(Command::RemoveConnection { name: "crm".into() })
        .unwrap();
    kit.ask(Command::RemoveVariable {
        name: "region".into(),
    })
    .unwrap();
    assert!(kit.mirror.connections.is_empty() && kit.mirror.variables.is_empty());
    kit.ask(connection("crm", "again")).unwrap();
    assert_eq!(kept(&kit, "crm").edits, 1);
    assert!(kit.ask(connection("a b", "x")).is_err());
}

#[test]
fn sealing_again_changes_no_more_than_the_seal_and_leaves_newer_ones_alone() {
    let mut kit = Kit::new();
    for name in ["crm", "shop"] {
        kit.ask_as("ada", None, connection(name, "old")).unwrap();
    }
    let again = |name: &str| ConnectionRow {
        sealed: "new".into(),
        ..kept(&kit, name)
    };
    let rows: Vec<_> = ["crm", "shop"].map(again).into();
    kit.ask_as("bob", None, connection("shop", "newer"))
        .unwrap();
    let changed = kit
        .ask_as(
            "eve",
            None,
            Command::Reseal {
                connections: rows,
                variables: vec![],
            },
        )
        .unwrap();
    assert_eq!(
        changed.remarks,
        ["the connection `shop` was changed meanwhile"]
    );
    let row = kept(&kit, "crm");
    assert_eq!((&*row.sealed, row.edits), ("new", 1));
    assert_eq!(row.touched.map(|touch| touch.by), Some(Arc::from("ada")));
    assert_eq!(&*kept(&kit, "shop").sealed, "newer");
}
