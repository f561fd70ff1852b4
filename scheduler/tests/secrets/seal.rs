//! Sealing: nobody reads it without the key, changes it, or puts it elsewhere.

use ring::rand::SystemRandom;
use tidemill_core::operator::Connection;
use tidemill_scheduler::engine::{SealedConnection, SealedVariable};
use tidemill_scheduler::secrets::{
    KeyRing, KeyRingError, SealError, new_key, open_connection, open_variable, reseal,
    seal_connection, seal_variable,
};
use tidemill_store::record::{ConnectionRow, VariableRow};

pub(crate) const OLD: &str = "old:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
pub(crate) const NEW: &str = "new:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

pub(crate) fn ring(keys: &[&str]) -> KeyRing {
    KeyRing::parse(&keys.join(",")).expect("it works")
}

fn crm(name: &str) -> Connection {
    Connection::new(name, "http")
        .with("host", "crm.example")
        .with_secret("password", "hunter2")
}

pub(crate) fn row(sealed: SealedConnection) -> ConnectionRow {
    ConnectionRow {
        name: sealed.name,
        kind: sealed.kind,
        fields: sealed.fields,
        sealed: sealed.sealed,
        edits: 1,
        touched: None,
    }
}

pub(crate) fn variable_row(sealed: SealedVariable) -> VariableRow {
    VariableRow {
        name: sealed.name,
        sealed: sealed.sealed,
        note: sealed.note,
        edits: 1,
        touched: None,
    }
}

pub(crate) fn sealed(keys: &KeyRing, name: &str) -> ConnectionRow {
    row(seal_connection(keys, &crm(name), &SystemRandom::new()).expect("it works"))
}

pub(crate) fn variable(keys: &KeyRing, name: &str, value: &str) -> VariableRow {
    variable_row(seal_variable(keys, (name, value), None, &SystemRandom::new()).expect("it works"))
}

#[test]
fn what_is_sealed_is_unseen_and_comes_back_as_it_was() {
    let keys = ring(&[OLD]);
    let kept = sealed(&keys, "crm");
    assert!(kept.sealed.starts_with("tm1.old."), "{}", kept.sealed);
    assert!(kept.fields.contains("crm.example"));
    assert!(!format!("{kept:?}").contains("hunter2"));
    assert_eq!(open_connection(&keys, &kept).unwrap(), crm("crm"));
    // The same twice looks different: nobody sees that two passwords are one.
    assert_ne!(sealed(&keys, "crm").sealed, kept.sealed);
    for value in ["", "eu", "ü 日本 🦀", &"x".repeat(100_000)] {
        let kept = variable(&keys, "region", value);
        assert_eq!(open_variable(&keys, &kept).unwrap(), value);
    }
}

#[test]
fn every_changed_byte_is_noticed() {
    let keys = ring(&[OLD]);
    let kept = sealed(&keys, "crm");
    let body = "tm1.old.".len();
    for at in body..kept.sealed.len() {
        let mut bytes = kept.sealed.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = ConnectionRow {
            sealed: String::from_utf8(bytes).unwrap().into(),
            ..kept.clone()
        };
        assert!(open_connection(&keys, &changed).is_err(), "byte {at}");
    }
    for cut in body..kept.sealed.len() {
        let changed = ConnectionRow {
            sealed: kept.sealed[..cut].into(),
            ..kept.clone()
        };
        assert!(open_connection(&keys, &changed).is_err(), "cut at {cut}");
    }
    for (text, says) in [("", "a way"), ("plain", "a way"), ("tm2.old.AAAA", "a way")] {
        let changed = ConnectionRow {
            sealed: text.into(),
            ..kept.clone()
        };
        let error = open_connection(&keys, &changed).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn a_record_opens_nowhere_but_in_its_place() {
    let keys = ring(&[OLD, NEW]);
    let (crm, shop) = (sealed(&keys, "crm"), sealed(&keys, "shop"));
    let swapped = ConnectionRow {
        sealed: shop.sealed.clone(),
        ..crm.clone()
    };
    assert_eq!(
        open_connection(&keys, &swapped).unwrap_err().to_string(),
        "the connection `crm` does not unseal under the key `old`: it was changed outside of Tidemill, belongs to something else, or the key is not the one of that id"
    );
    // Nor does a password go to another host, or as another kind of system.
    for changed in [
        ConnectionRow {
            fields: crm.fields.replace("crm.example", "evil.example").into(),
            ..crm.clone()
        },
        ConnectionRow {
            kind: "google".into(),
            ..crm.clone()
        },
    ] {
        assert!(open_connection(&keys, &changed).is_err());
    }
    let (a, b) = (variable(&keys, "a", "x"), variable(&keys, "b", "x"));
    let swapped = VariableRow {
        sealed: b.sealed,
        ..a
    };
    assert!(open_variable(&keys, &swapped).is_err());
    // A variable of the same name is no connection.
    let other = VariableRow {
        sealed: crm.sealed.clone(),
        ..variable(&keys, "crm", "x")
    };
    assert!(open_variable(&keys, &other).is_err());
    // Nor does the id of another key help.
    let renamed = ConnectionRow {
        sealed: crm.sealed.replace("tm1.old.", "tm1.new.").into(),
        ..crm
    };
    assert!(open_connection(&keys, &renamed).is_err());
}

#[test]
fn a_key_that_is_missing_is_named() {
    let kept = sealed(&ring(&[OLD]), "crm");
    assert_eq!(
        open_connection(&ring(&[NEW]), &kept)
            .unwrap_err()
            .to_string(),
        "the connection `crm` is sealed under the key `old`, and the keys in force are `new`; add that key to `keys`"
    );
    assert!(matches!(
        open_variable(&ring(&[NEW]), &variable(&ring(&[OLD]), "a", "x")),
        Err(SealError::MissingKey { .. })
    ));
}

#[test]
fn after_a_rotation_the_old_key_can_go() {
    let before = ring(&[OLD]);
    let (crm, region) = (sealed(&before, "crm"), variable(&before, "region", "eu"));
    let both = ring(&[NEW, OLD]);
    let fresh = sealed(&both, "fresh");
    let random = SystemRandom::new();
    let connections = [crm.clone(), fresh.clone()];
    let again = reseal(&both, &connections, &[region], &random).unwrap();
    let names: Vec<_> = again.connections.iter().map(|row| &*row.name).collect();
    assert_eq!(names, ["crm"], "what is under the first key stays");
    let after = ring(&[NEW]);
    assert_eq!(
        open_connection(&after, &again.connections[0]).unwrap(),
        open_connection(&before, &crm).unwrap()
    );
    assert_eq!(open_variable(&after, &again.variables[0]).unwrap(), "eu");
    // Without the old key nothing is half done.
    let lacking = reseal(&after, &[crm, fresh], &[], &random).unwrap_err();
    assert!(lacking.to_string().contains("`old`"), "{lacking}");
}

#[test]
fn a_key_ring_says_what_is_wrong_with_it_and_never_shows_a_key() {
    let says = |text: &str| KeyRing::parse(text).unwrap_err().to_string();
    assert_eq!(KeyRing::parse(" \n,").unwrap_err(), KeyRingError::Empty);
    assert_eq!(
        says(&format!("{OLD},c2VjcmV0")),
        "key number 2 has no id; write `id:base64`"
    );
    assert_eq!(
        says("a:c2VjcmV0"),
        "the key `a` is not 32 bytes in base64; make one with `openssl rand -base64 32`"
    );
    assert!(says("a b:c2VjcmV0").starts_with("the id of key number 1 is none: "));
    assert_eq!(
        says(&format!("{OLD},{OLD}")),
        "the id `old` comes twice; give the newer key another id"
    );
    assert_eq!(format!("{:?}", ring(&[OLD, NEW])), "KeyRing(`old`, `new`)");
}

#[test]
fn a_new_key_reads_and_has_an_id_of_its_own() {
    let random = SystemRandom::new();
    let (a, b) = (new_key(&random).unwrap(), new_key(&random).unwrap());
    let both = ring(&[&a, &b]);
    assert_eq!(both.ids().count(), 2);
    assert!(a.starts_with(&format!("{}:", both.first())));
}
