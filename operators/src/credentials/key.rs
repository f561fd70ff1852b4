//! Documents of credentials as Google writes them, and the signature that a service account logs in with.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tidemill_core::operator::{TaskError, TaskResult};

use super::external::External;

/// What a file of credentials holds. Not printed: it consists of secrets.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Document {
    ServiceAccount(ServiceAccount),
    AuthorizedUser(AuthorizedUser),
    ExternalAccount(External),
    ImpersonatedServiceAccount(Impersonated),
}

/// A key of a service account.
#[derive(Deserialize)]
pub(super) struct ServiceAccount {
    pub(super) client_email: String,
    private_key: String,
    #[serde(default)]
    private_key_id: Option<String>,
    #[serde(default)]
    pub(super) token_uri: Option<String>,
    #[serde(default)]
    pub(super) project_id: Option<String>,
}

/// A person's login, as `gcloud` keeps it.
#[derive(Deserialize)]
pub(super) struct AuthorizedUser {
    pub(super) client_id: String,
    pub(super) client_secret: String,
    pub(super) refresh_token: String,
    #[serde(default)]
    pub(super) token_uri: Option<String>,
    #[serde(default)]
    pub(super) quota_project_id: Option<String>,
}

/// Credentials that are used to act as somebody else.
#[derive(Deserialize)]
pub(super) struct Impersonated {
    pub(super) service_account_impersonation_url: String,
    pub(super) source_credentials: Box<Document>,
    #[serde(default)]
    pub(super) delegates: Vec<String>,
    #[serde(default)]
    pub(super) quota_project_id: Option<String>,
}

const KINDS: [&str; 4] = [
    "service_account",
    "authorized_user",
    "external_account",
    "impersonated_service_account",
];

impl Document {
    /// Reads one. `from` says where it is, for people. What is wrong is told without quoting it.
    pub(super) fn read(text: &str, from: &str) -> TaskResult<Self> {
        let wrong = |why: String| {
            TaskError::permanent(format!("{from} holds no credentials of Google: {why}"))
                .help("download the key as JSON and set it unchanged")
        };
        let value: Value = serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            wrong(format!("it is no JSON at line {line}, column {column}"))
        })?;
        let kind = value.get("type").and_then(Value::as_str).unwrap_or("none");
        if !KINDS.contains(&kind) {
            let known = KINDS.join("`, `");
            return Err(wrong(format!("its `type` is none of `{known}`")));
        }
        let kind = kind.to_owned();
        serde_json::from_value(value).map_err(|error| {
            let why = error.to_string();
            // Other messages may quote a value.
            let why = why.strip_prefix("missing field ").map_or(
                "a field has another form than it should".to_owned(),
                |field| format!("it has no field {field}"),
            );
            wrong(format!("{why}, although its type is `{kind}`"))
        })
    }
}

impl ServiceAccount {
    /// What it logs in with: a statement of its own, signed.
    pub(super) fn assertion(
        &self,
        audience: &str,
        scopes: &[String],
        now: DateTime<Utc>,
    ) -> TaskResult<String> {
        let mut head = json!({ "alg": "RS256", "typ": "JWT" });
        if let Some(id) = &self.private_key_id {
            head["kid"] = json!(id);
        }
        let begins = now.timestamp();
        let claims = json!({
            "iss": self.client_email,
            "scope": scopes.join(" "),
            "aud": audience,
            "iat": begins,
            "exp": begins + 3_600,
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&head), part(&claims));
        let wrong = |why: &str| {
            let account = &self.client_email;
            TaskError::permanent(format!("the key of {account} cannot be used: {why}"))
                .help("make a new key for the account, as JSON, and set it in the connection")
        };
        let der = PrivateKeyDer::from_pem_slice(self.private_key.as_bytes())
            .map_err(|_| wrong("it is no private key in PEM"))?;
        let pair = match &der {
            PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err(wrong("it is no key for RSA")),
        };
        let pair = pair.map_err(|error| wrong(&error.to_string()))?;
        let mut signature = vec![0; pair.public().modulus_len()];
        pair.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            text.as_bytes(),
            &mut signature,
        )
        .map_err(|_| wrong("the system gives no random bytes"))?;
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;

    /// Made for these tests, and known to everybody.
    const KEY: &str = include_str!("../../tests/keys/service-account.json");

    #[test]
    fn a_service_account_signs_what_it_says() {
        let Document::ServiceAccount(account) = Document::read(KEY, "the key").unwrap() else {
            panic!("another document");
        };
        let scopes = ["a".to_owned(), "b".to_owned()];
        let assertion = account
            .assertion("https://token", &scopes, DateTime::UNIX_EPOCH)
            .unwrap();
        let (text, signature) = assertion.rsplit_once('.').unwrap();
        let claims = URL_SAFE_NO_PAD.decode(text.split('.').nth(1).unwrap());
        let claims: Value = serde_json::from_slice(&claims.unwrap()).unwrap();
        assert_eq!(
            claims,
            json!({ "iss": "etl@shop.iam.gserviceaccount.com", "scope": "a b", "aud": "https://token", "iat": 0, "exp": 3_600 })
        );
        let der = PrivateKeyDer::from_pem_slice(account.private_key.as_bytes()).unwrap();
        let PrivateKeyDer::Pkcs8(der) = &der else {
            panic!("another key");
        };
        let pair = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public());
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        public.verify(text.as_bytes(), &signature).unwrap();
    }

    #[test]
    fn what_is_no_document_is_told_without_quoting_it() {
        for (text, why) in [
            ("secret-word", "it is no JSON at line 1"),
            (r#"{"type": "secret-word"}"#, "its `type` is none of"),
            (
                r#"{"type": "service_account", "private_key": "secret-word"}"#,
                "it has no field `client_email`",
            ),
            (
                r#"{"type": "service_account", "client_email": {"x": "secret-word"}, "private_key": "secret-word"}"#,
                "another form",
            ),
        ] {
            let Err(error) = Document::read(text, "the key") else {
                panic!("{text} was read");
            };
            assert!(error.message.contains(why), "{}", error.message);
            assert!(!error.message.contains("secret-word"), "{}", error.message);
        }
        let broken = KEY.replace("PRIVATE KEY", "THING");
        let Ok(Document::ServiceAccount(account)) = Document::read(&broken, "the key") else {
            panic!("it is a document");
        };
        let error = account
            .assertion("a", &[], DateTime::UNIX_EPOCH)
            .unwrap_err();
        assert!(error.message.contains("no private key in PEM"), "{error}");
    }
}
