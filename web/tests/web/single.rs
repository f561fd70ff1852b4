//! Accounts elsewhere: a provider and a proxy of our own, with keys of our own.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use tidemill_core::operator::BoxFuture;
use tidemill_core::role::Role;
use tidemill_web::access::sso::{Fetch, FetchError, Newcomers, Provider, ProviderConfig, Proxy};

use crate::kit::{Answer, Kit, add_user, at};
use crate::sign_in::Browser;

const ISSUER: &str = "https://id.test";
const IAP: &str = "https://cloud.google.com/iap";
const AUDIENCE: &str = "/projects/1/global/backendServices/2";

/// Everything that is elsewhere.
struct Elsewhere {
    key: EcdsaKeyPair,
    /// The token for the next code.
    token: Mutex<String>,
    asked: Mutex<Vec<String>>,
}

fn now() -> i64 {
    at(5 * 86_400).micros() / 1_000_000
}

impl Elsewhere {
    fn new() -> Arc<Self> {
        let random = SystemRandom::new();
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let key = EcdsaKeyPair::generate_pkcs8(kind, &random).expect("it works");
        let key = EcdsaKeyPair::from_pkcs8(kind, key.as_ref(), &random).expect("it works");
        Arc::new(Self {
            key,
            token: Mutex::default(),
            asked: Mutex::default(),
        })
    }

    fn keys(&self) -> Value {
        let point = self.key.public_key().as_ref();
        let (x, y) = (BASE64.encode(&point[1..33]), BASE64.encode(&point[33..]));
        json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "one", "alg": "ES256", "x": x, "y": y}]})
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| BASE64.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes());
        format!("{signed}.{}", BASE64.encode(signature.expect("it works")))
    }

    /// A token of these claims, with those that are not said taken from a good one.
    fn token(&self, claims: &Value) -> String {
        let mut all = json!({
            "iss": ISSUER, "aud": "tidemill", "sub": "42", "exp": now() + 60, "email": "ann@example.com",
            "email_verified": true, "name": "Ann",
        });
        for (name, value) in claims.as_object().expect("an object") {
            all[name] = value.clone();
        }
        self.sign(&json!({"alg": "ES256", "kid": "one"}), &all)
    }
}

/// It, as it is reached.
struct Network(Arc<Elsewhere>);

impl Fetch for Network {
    fn fetch(
        &self,
        request: Request<Vec<u8>>,
    ) -> BoxFuture<'_, Result<Response<Vec<u8>>, FetchError>> {
        let url = request.uri().to_string();
        let body = String::from_utf8(request.into_body()).expect("it works");
        self.0
            .asked
            .lock()
            .expect("it works")
            .push(format!("{url} {body}"));
        let answer = match url.as_str() {
            "https://id.test/.well-known/openid-configuration" => json!({
                "issuer": ISSUER, "authorization_endpoint": "https://id.test/authorize",
                "token_endpoint": "https://id.test/token", "jwks_uri": "https://id.test/keys",
            }),
            "https://id.test/token" => json!({"id_token": *self.0.token.lock().expect("it works")}),
            "https://id.test/keys" | "https://www.gstatic.com/iap/verify/public_key-jwk" => {
                self.0.keys()
            }
            other => panic!("nobody is at {other}"),
        };
        Box::pin(async move { Ok(Response::new(answer.to_string().into_bytes())) })
    }
}

async fn kit(elsewhere: &Arc<Elsewhere>, newcomers: Option<Newcomers>) -> Kit {
    let config = ProviderConfig {
        issuer: ISSUER.to_owned(),
        client_id: "tidemill".to_owned(),
        client_secret: "s3cret".to_owned(),
        name: "Example".into(),
        back: "https://tidemill.test/sign-in/back".to_owned(),
    };
    let fetch = Arc::new(Network(Arc::clone(elsewhere)));
    Kit::with_users(|users| {
        let users = users.single(Provider::new(config, fetch));
        match newcomers {
            Some(newcomers) => users.with_newcomers(newcomers),
            None => users,
        }
    })
    .await
}

fn param(url: &str, name: &str) -> String {
    let start = format!("{name}=");
    let found = url
        .split(['?', '&'])
        .find_map(|pair| pair.strip_prefix(&start));
    found.unwrap_or_default().to_owned()
}

/// Goes there and comes back, with a token of these claims.
async fn round(kit: &Kit, elsewhere: &Elsewhere, browser: &mut Browser, claims: Value) -> Answer {
    let away = browser.get(kit, "/sign-in/away?to=/runs").await;
    assert_eq!(away.status, StatusCode::SEE_OTHER, "{}", away.body);
    let to = away.header("location").to_owned();
    assert!(to.starts_with("https://id.test/authorize?"), "{to}");
    assert_eq!(param(&to, "code_challenge_method"), "S256");
    let mut all = json!({"nonce": param(&to, "nonce")});
    for (name, value) in claims.as_object().expect("an object") {
        all[name] = value.clone();
    }
    *elsewhere.token.lock().expect("it works") = elsewhere.token(&all);
    let back = format!("/sign-in/back?code=abc&state={}", param(&to, "state"));
    browser.get(kit, &back).await
}

#[tokio::test]
async fn somebody_with_an_account_elsewhere_comes_in_by_it() {
    let elsewhere = Elsewhere::new();
    let kit = kit(&elsewhere, None).await;
    add_user(&kit.store, "ann@example.com", None).await;
    let mut ann = Browser::default();
    let page = ann.get(&kit, "/sign-in").await;
    assert!(page.body.contains("Sign in with Example"), "{}", page.body);
    let came = round(&kit, &elsewhere, &mut ann, json!({})).await;
    assert_eq!(came.status, StatusCode::SEE_OTHER, "{}", came.body);
    assert_eq!(came.header("location"), "/runs");
    assert!(
        ann.get(&kit, "/runs")
            .await
            .body
            .contains("ann@example.com, viewer")
    );
    let user = kit.store.user("ann@example.com").await.unwrap().unwrap();
    assert_eq!(user.sso.as_deref(), Some("https://id.test 42"));
    let asked = elsewhere.asked.lock().unwrap().join("\n");
    assert!(asked.contains("code_verifier="), "{asked}");
    // The address moved on to somebody else, who is not ann.
    let mut other = Browser::default();
    let refused = round(&kit, &elsewhere, &mut other, json!({"sub": "43"})).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(
        refused.body.contains("another identity"),
        "{}",
        refused.body
    );
    // And ann, with another address, is still ann.
    let moved = json!({"email": "ann.new@example.com"});
    let came = round(&kit, &elsewhere, &mut other, moved).await;
    assert_eq!(came.status, StatusCode::SEE_OTHER, "{}", came.body);
}

#[tokio::test]
async fn a_token_that_is_not_good_signs_nobody_in() {
    let elsewhere = Elsewhere::new();
    let kit = kit(&elsewhere, None).await;
    add_user(&kit.store, "ann@example.com", None).await;
    let mut eve = Browser::default();
    for (claims, says) in [
        (json!({"iss": "https://evil.test"}), "of another issuer"),
        (json!({"aud": "somebody else"}), "for somebody else"),
        (json!({"aud": ["tidemill", "other"]}), "for somebody else"),
        (json!({"exp": now() - 120}), "is over"),
        (json!({"nbf": now() + 120}), "not good yet"),
        (json!({"nonce": "another"}), "of another time"),
        (json!({"sub": ""}), "does not say who"),
        (
            json!({"email_verified": false}),
            "did not say that your address is yours",
        ),
        (json!({"email": "bob@example.com"}), "has no account here"),
    ] {
        let answer = round(&kit, &elsewhere, &mut eve, claims.clone()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{claims}");
        assert!(answer.body.contains(says), "{claims}: {}", answer.body);
    }
    let good = json!({"iss": ISSUER, "aud": "tidemill", "sub": "42", "exp": now() + 60, "email": "ann@example.com", "email_verified": true});
    let unsigned = format!(
        "{}.{}.",
        BASE64.encode(json!({"alg": "none"}).to_string()),
        BASE64.encode(good.to_string())
    );
    let by_others = Elsewhere::new().token(&json!({}));
    let unknown_key = elsewhere.sign(&json!({"alg": "ES256", "kid": "two"}), &good);
    for token in [
        unsigned,
        by_others,
        unknown_key,
        String::new(),
        "a.b".to_owned(),
        "x".repeat(40_000),
    ] {
        let away = eve.get(&kit, "/sign-in/away").await;
        let state = param(away.header("location"), "state");
        (*elsewhere.token.lock().unwrap()).clone_from(&token);
        let back = format!("/sign-in/back?code=abc&state={state}");
        let answer = eve.get(&kit, &back).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{token:.60}");
    }
    assert!(
        kit.store
            .sessions_of("ann@example.com", at(5 * 86_400))
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn nobody_is_signed_in_by_a_link_of_somebody_else() {
    let elsewhere = Elsewhere::new();
    let kit = kit(&elsewhere, None).await;
    add_user(&kit.store, "ann@example.com", None).await;
    let (mut eve, mut victim) = (Browser::default(), Browser::default());
    let away = eve.get(&kit, "/sign-in/away").await;
    let to = away.header("location").to_owned();
    let token = elsewhere.token(&json!({"nonce": param(&to, "nonce")}));
    *elsewhere.token.lock().unwrap() = token;
    let back = format!("/sign-in/back?code=abc&state={}", param(&to, "state"));
    let answer = victim.get(&kit, &back).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(
        answer.body.contains("did not begin in this browser"),
        "{}",
        answer.body
    );
    let back = "/sign-in/back?error=access_denied&error_description=%3Cb%3Eno";
    let forged = eve.get(&kit, back).await;
    assert!(!forged.body.contains("access_denied"), "{}", forged.body);
    let away = eve.get(&kit, "/sign-in/away").await;
    let state = param(away.header("location"), "state");
    let denied = eve.get(&kit, &format!("{back}&state={state}")).await;
    assert_eq!(denied.status, StatusCode::FORBIDDEN);
    assert!(denied.body.contains("access_denied") && !denied.body.contains("<b>no"));
}

#[tokio::test]
async fn newcomers_of_our_domains_get_an_account() {
    let elsewhere = Elsewhere::new();
    let newcomers = Newcomers {
        role: Role::Operator,
        domains: vec!["example.com".to_owned()],
    };
    let kit = kit(&elsewhere, Some(newcomers)).await;
    let mut ann = Browser::default();
    let came = round(&kit, &elsewhere, &mut ann, json!({})).await;
    assert_eq!(came.status, StatusCode::SEE_OTHER, "{}", came.body);
    let user = kit.store.user("ann@example.com").await.unwrap().unwrap();
    assert_eq!((user.role, &*user.display), (Role::Operator, "Ann"));
    let mut eve = Browser::default();
    let claims = json!({"sub": "66", "email": "eve@example.com.evil.test"});
    let refused = round(&kit, &elsewhere, &mut eve, claims).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.body);
}

#[tokio::test]
async fn behind_a_proxy_a_session_is_good_only_with_what_the_proxy_says() {
    let elsewhere = Elsewhere::new();
    let fetch = Arc::new(Network(Arc::clone(&elsewhere)));
    let kit = Kit::with_users(|users| users.behind(Proxy::new(AUDIENCE, fetch))).await;
    add_user(&kit.store, "ann@example.com", Some("five blue whales")).await;
    let ask = |path: &'static str, said: Option<String>, cookie: String| {
        let mut request = Request::get(path).header(header::ACCEPT, "text/html");
        if let Some(said) = said {
            request = request.header("x-goog-iap-jwt-assertion", said);
        }
        let request = request.header(header::COOKIE, cookie);
        kit.send(request.body(Body::empty()).expect("it works"))
    };
    let of = |subject: &str, email: &str| {
        let claims = json!({"iss": IAP, "aud": AUDIENCE, "sub": subject, "email": email});
        Some(elsewhere.token(&claims))
    };
    let ann = of("accounts.google.com:1", "ann@example.com");
    let came = ask("/sign-in?to=/dags", ann.clone(), String::new()).await;
    assert_eq!(came.status, StatusCode::SEE_OTHER, "{}", came.body);
    let cookie = came
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(ask("/dags", ann.clone(), cookie.clone()).await.status, 200);
    let away = StatusCode::SEE_OTHER;
    assert_eq!(ask("/dags", None, cookie.clone()).await.status, away);
    let eve = of("accounts.google.com:2", "eve@example.com");
    assert_eq!(ask("/dags", eve.clone(), cookie.clone()).await.status, away);
    let refused = ask("/sign-in", eve, String::new()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(
        refused.body.contains("has no account here"),
        "{}",
        refused.body
    );
    let direct = ask("/sign-in", None, String::new()).await;
    assert!(
        direct.body.contains("did not come through it"),
        "{}",
        direct.body
    );
    let mut browser = Browser::default();
    let password = browser
        .sign_in(&kit, "ann@example.com", "five blue whales")
        .await;
    assert_eq!(password.status, StatusCode::NOT_FOUND);
}
