//! Secrets that are made here.

use tidemill_access::password;
use tidemill_access::secret::{Secret, one_time_password};

#[test]
fn a_secret_comes_back_from_its_text_and_from_nothing_else() {
    let secret = Secret::new().expect("random bytes");
    assert_eq!(Secret::read(&secret.text()), Some(secret.clone()));
    assert_eq!(Secret::read_token(&secret.token()), Some(secret.clone()));
    assert!(secret.token().starts_with("tm_") && secret.token().len() == 46);
    assert_eq!(Secret::read(&secret.token()), None);
    assert_eq!(Secret::read_token(&secret.text()), None);
    for odd in [
        "",
        "tm_",
        "é",
        &"A".repeat(42),
        &"A".repeat(44),
        &"=".repeat(43),
        &"x".repeat(1 << 20),
    ] {
        assert_eq!(Secret::read(odd), None);
        assert_eq!(Secret::read_token(odd), None);
        assert_eq!(Secret::read_token(&format!("tm_{odd}")), None);
    }
    assert_ne!(secret, Secret::new().expect("random bytes"));
}

#[test]
fn what_is_stored_tells_nothing() {
    let secret = Secret::read(&"A".repeat(43)).expect("32 zeros");
    assert_eq!(
        secret.hash(),
        "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925"
    );
    assert_eq!(secret.id(), "66687aadf862");
    assert_eq!(format!("{secret:?}"), "Secret(…)");
}

#[test]
fn a_password_for_one_use_is_good_and_can_be_read_aloud() {
    let text = one_time_password().expect("random bytes");
    assert_eq!(text.len(), 29);
    assert!(text.split('-').all(|group| group.len() == 4), "{text}");
    assert!(!text.contains(['0', 'o', 'i', 'l']), "{text}");
    assert_eq!(password::check(&text, "ann"), Ok(()));
    assert_ne!(text, one_time_password().expect("random bytes"));
}
