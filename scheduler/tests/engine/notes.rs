//! What people write beside their changes: why they made them, what a pool is for.

use serde_json::{Value, json};
use tidemill_core::protocol::RunNo;
use tidemill_core::state::RunState;
use tidemill_scheduler::engine::{BulkAction, Command, Filter};
use tidemill_store::record::AuditRow;

use super::commands::chain;
use super::drafts::dag_id;
use super::kit::Kit;

/// The lines of the audit log with this action.
fn lines(kit: &Kit, action: &str) -> Vec<AuditRow> {
    let rows = kit.mirror.audits.values();
    rows.filter(|row| &*row.action == action).cloned().collect()
}

fn note(row: &AuditRow) -> Value {
    let details: Value = serde_json::from_str(&row.details).expect("details are JSON");
    details["note"].clone()
}

fn bulk(action: BulkAction, states: Vec<RunState>, note: Option<&str>) -> Command {
    Command::Bulk {
        filter: Filter {
            dag: Some(dag_id("d")),
            states,
            runs_max: 10,
            ..Filter::default()
        },
        action,
        note: note.map(Into::into),
    }
}

#[test]
fn a_bulk_command_writes_its_note_beside_each_run_that_it_changes() {
    let mut kit = Kit::of(chain());
    let runs: Vec<RunNo> = (0..3).map(|_| kit.trigger("d")).collect();
    for run in &runs[..2] {
        kit.fail(*run, "a");
        kit.finish(*run, "x");
    }
    let retry = bulk(
        BulkAction::RetryFailed,
        vec![RunState::Failed],
        Some("the source is back"),
    );
    kit.dry_run(retry.clone()).unwrap();
    kit.ask(retry).unwrap();
    let written = lines(&kit, "task.clear");
    let of: Vec<_> = written.iter().filter_map(|row| row.run).collect();
    assert_eq!(of, runs[..2]);
    assert!(written.iter().all(|row| row.actor.as_ref() == "ada"));
    assert!(
        written
            .iter()
            .all(|row| note(row) == json!("the source is back"))
    );
    let whole = lines(&kit, "bulk.retry");
    assert_eq!(
        (whole.len(), note(&whole[0])),
        (1, json!("the source is back"))
    );
    for run in &runs[..2] {
        assert_eq!(kit.run(*run).note.as_deref(), Some("the source is back"));
    }
    assert_eq!(kit.run(runs[2]).note, None);

    let open = vec![RunState::Running, RunState::Queued];
    kit.ask(bulk(BulkAction::Cancel, open, None)).unwrap();
    let written = lines(&kit, "run.cancel");
    let of: Vec<_> = written.iter().filter_map(|row| row.run).collect();
    assert_eq!(of, runs);
    assert!(written.iter().all(|row| note(row) == Value::Null));
    let kept = kit.run(runs[0]).note.as_deref();
    assert_eq!(kept, Some("the source is back"));
}

#[test]
fn one_command_writes_its_note_into_the_audit_log_as_well() {
    let mut kit = Kit::of(chain());
    let run = kit.trigger("d");
    let note_of = Some("not today".into());
    kit.ask(Command::CancelRun { run, note: note_of }).unwrap();
    assert_eq!(note(&lines(&kit, "run.cancel")[0]), json!("not today"));
}

#[test]
fn a_bulk_command_of_an_older_client_has_no_note() {
    let text = json!({ "bulk": { "filter": {}, "action": "cancel" } }).to_string();
    let command: Command = serde_json::from_str(&text).unwrap();
    assert!(matches!(command, Command::Bulk { note: None, .. }));
    let text = json!({ "set_pool": { "name": "p", "slots": 1 } }).to_string();
    let command: Command = serde_json::from_str(&text).unwrap();
    assert!(matches!(command, Command::SetPool { note: None, .. }));
}

#[test]
fn a_pool_says_what_it_is_for_until_somebody_says_otherwise() {
    let mut kit = Kit::new();
    let set = |note: Option<&str>| Command::SetPool {
        name: "p".into(),
        slots: Some(3),
        holds_deferred: false,
        note: note.map(Into::into),
    };
    let shown = |kit: &Kit| {
        let pools = kit.engine.pools();
        let pool = pools.into_iter().find(|pool| &*pool.name == "p");
        pool.and_then(|pool| pool.note).map(|note| note.to_string())
    };
    for (given, stands) in [
        (None, None),
        (Some("the warehouse"), Some("the warehouse")),
        (None, Some("the warehouse")),
        (Some(""), None),
        (Some("again"), Some("again")),
    ] {
        kit.ask(set(given)).unwrap();
        assert_eq!(shown(&kit).as_deref(), stands);
        kit.recover();
        assert_eq!(shown(&kit).as_deref(), stands, "after {given:?}");
    }
    // One of the same name that is made later is another.
    kit.ask(Command::RemovePool { name: "p".into() }).unwrap();
    kit.ask(set(None)).unwrap();
    assert_eq!(shown(&kit), None);
}
