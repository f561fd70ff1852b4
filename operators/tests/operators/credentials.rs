//! Who requests are those of: keys, logins, federation, other accounts; and when tokens are made anew.

use std::time::Duration;

use serde_json::{Value, json};
use tidemill::prelude::*;
use tidemill_core::operator::Connection;
use tidemill_operators::http::{Client, Machine};

use crate::kit::{Kit, client, tried};

const KEY: &str = include_str!("../keys/service-account.json");
const LIST: &str = "storage.buckets.list";
const TOKEN: &str = "oauth2.token";
const LENT: &str = "iamcredentials.projects.serviceAccounts.generateAccessToken";

/// A connection with the key of a service account, whose tokens the sandbox gives.
pub(crate) fn keyed(kit: &Kit) -> Connection {
    kit.google()
        .with_secret("key", KEY)
        .with("token_endpoint", format!("{}/token", kit.base))
}

async fn list(client: &Client) -> TaskResult<Value> {
    client
        .get("/storage/v1/b", &[])
        .query("project", "shop")
        .doing("list the buckets")
        .send_json()
        .await
}

#[test]
fn a_key_is_exchanged_for_a_token_once() {
    let kit = Kit::new();
    let (client, _) = client(&keyed(&kit));
    for _ in 0..3 {
        kit.run(list(&client)).unwrap();
    }
    assert_eq!(kit.asked(TOKEN).len(), 1);
    let who = kit.run(client.who()).unwrap();
    assert_eq!(who, "etl@shop.iam.gserviceaccount.com");
}

#[test]
fn the_key_names_the_project_where_the_connection_does_not() {
    let kit = Kit::new();
    let mut connection = keyed(&kit);
    connection.fields.remove("project");
    let (client, _) = client(&connection);
    assert_eq!(kit.run(client.project()).unwrap(), "shop");
}

#[test]
fn many_who_need_a_token_at_once_ask_for_one() {
    let kit = Kit::new();
    let (client, _) = client(&keyed(&kit));
    let all = (0..20).map(|_| list(&client));
    let replies = kit.run(futures_util::future::join_all(all));
    assert!(replies.iter().all(Result::is_ok));
    assert_eq!(kit.asked(TOKEN).len(), 1);
    // A token that was taken back is renewed by one of them, too.
    kit.fault(LIST, 1, json!("expired_token"));
    let all = (0..20).map(|_| list(&client));
    let replies = kit.run(futures_util::future::join_all(all));
    assert!(replies.iter().all(Result::is_ok), "{replies:?}");
    assert_eq!(kit.asked(TOKEN).len(), 2);
}

#[test]
fn a_token_that_ended_is_renewed_once_and_no_more() {
    let kit = Kit::new();
    let (client, _) = client(&keyed(&kit));
    kit.run(list(&client)).unwrap();
    kit.fault(LIST, 1, json!("expired_token"));
    kit.run(list(&client)).unwrap();
    assert_eq!(kit.asked(TOKEN).len(), 2);
    kit.fault(LIST, 2, json!("expired_token"));
    let error = kit.run(list(&client)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert!(
        error
            .message
            .contains("the credentials of etl@shop.iam.gserviceaccount.com are not accepted"),
        "{error}"
    );
    assert!(
        error.help.contains("connections test google"),
        "{}",
        error.help
    );
    assert_eq!(kit.asked(TOKEN).len(), 3);
}

#[test]
fn a_token_is_renewed_before_it_ends_and_used_while_nobody_gives_another() {
    let kit = Kit::new();
    let (client, waits) = client(&keyed(&kit));
    kit.run(list(&client)).unwrap();
    waits.pass(Duration::from_secs(50 * 60));
    kit.run(list(&client)).unwrap();
    assert_eq!(kit.asked(TOKEN).len(), 1);
    waits.pass(Duration::from_secs(6 * 60));
    kit.fault_of(
        "tokens",
        TOKEN,
        (0, 1_000),
        json!({"status": {"status": 503}}),
    );
    kit.run(list(&client)).unwrap();
    assert!(
        waits.warned().contains("cannot be renewed yet"),
        "{}",
        waits.warned()
    );
    waits.pass(Duration::from_secs(6 * 60));
    let error = kit.run(list(&client)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient, "{error}");
    kit.no_faults();
    kit.run(list(&client)).unwrap();
}

#[test]
fn whoever_gives_tokens_may_fail_for_a_moment() {
    for fault in [
        json!("lost_after"),
        json!("truncated"),
        json!("html"),
        json!({"status": {"status": 503, "retry_after": 2}}),
    ] {
        let kit = Kit::new();
        let (client, _) = client(&keyed(&kit));
        kit.fault_of("tokens", TOKEN, (0, 1), fault.clone());
        kit.run(list(&client)).unwrap();
        assert_eq!(kit.asked(TOKEN).len(), 2, "{fault}");
    }
}

#[test]
fn the_machine_gives_what_the_connection_does_not() {
    let kit = Kit::new();
    let default = kit.google().with("credentials", "application_default");
    // Its metadata server.
    let (found, _) = tried(&default, &Machine::default());
    let client = found.unwrap();
    kit.run(list(&client)).unwrap();
    assert_eq!(kit.asked("metadata.token").len(), 1);
    assert_eq!(
        kit.run(client.who()).unwrap(),
        "sandbox@sandbox.iam.gserviceaccount.com"
    );
    // A file that it names goes first: here that of a person who logged in.
    let file = kit.folder().join("login.json");
    let login = json!({ "type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r" });
    std::fs::write(&file, login.to_string()).unwrap();
    let machine = Machine {
        key_file: Some(file),
        ..Machine::default()
    };
    let connection = default.with("token_endpoint", format!("{}/token", kit.base));
    let (found, _) = tried(&connection, &machine);
    let client = found.unwrap();
    kit.run(list(&client)).unwrap();
    assert_eq!(kit.asked(TOKEN).len(), 1);
    let who = kit.run(client.who()).unwrap();
    assert!(who.contains("logged in with gcloud"), "{who}");
}

#[test]
fn a_machine_without_credentials_says_what_it_looked_for() {
    let kit = Kit::new();
    let connection = kit
        .google()
        .with("credentials", "application_default")
        .with("metadata_endpoint", "http://127.0.0.1:1");
    let (found, _) = tried(&connection, &Machine::default());
    let error = kit.run(list(&found.unwrap())).unwrap_err();
    assert!(
        error.message.contains("no application default credentials"),
        "{error}"
    );
    assert!(
        error.help.contains("--secret key=@key.json"),
        "{}",
        error.help
    );
}

#[test]
fn a_connection_acts_as_another_account() {
    let kit = Kit::new();
    let connection = keyed(&kit).with("impersonate", "lender@shop.iam, loader@shop.iam");
    let (client, _) = client(&connection);
    kit.run(list(&client)).unwrap();
    kit.run(list(&client)).unwrap();
    assert_eq!(kit.run(client.who()).unwrap(), "loader@shop.iam");
    assert_eq!((kit.asked(TOKEN).len(), kit.asked(LENT).len()), (1, 1));
    let request = kit.asked(LENT)[0]["request"].to_string();
    assert!(
        request.contains("serviceAccounts/loader@shop.iam:"),
        "{request}"
    );
    kit.fault_of(
        "tokens",
        LENT,
        (0, 1),
        json!({"forbidden": {"permission": "iam.serviceAccounts.getAccessToken"}}),
    );
    kit.fault(LIST, 1, json!("expired_token"));
    let error = kit.run(list(&client)).unwrap_err();
    assert!(
        error.message.contains("act as loader@shop.iam: etl@shop.iam.gserviceaccount.com lacks the permission `iam.serviceAccounts.getAccessToken`"),
        "{error}"
    );
}

#[test]
fn a_token_of_somewhere_else_is_exchanged() {
    let kit = Kit::new();
    let file = kit.folder().join("subject");
    std::fs::write(&file, "a-token-of-somewhere-else").unwrap();
    let federation = |source: Value| {
        json!({
            "type": "external_account",
            "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": format!("{}/v1/token", kit.base),
            "credential_source": source,
            "service_account_impersonation_url":
                format!("{}/v1/projects/-/serviceAccounts/loader@shop.iam:generateAccessToken", kit.base),
        })
    };
    let address = format!(
        "{}/computeMetadata/v1/instance/service-accounts/default/token",
        kit.base
    );
    for source in [
        json!({ "file": file }),
        json!({ "url": address, "headers": {"Metadata-Flavor": "Google"}, "format": {"type": "json", "subject_token_field_name": "access_token"} }),
    ] {
        let connection = kit
            .google()
            .with_secret("key", federation(source).to_string());
        let (client, _) = client(&connection);
        kit.run(list(&client)).unwrap();
        assert_eq!(kit.run(client.who()).unwrap(), "loader@shop.iam");
    }
    assert_eq!(
        (kit.asked("sts.token").len(), kit.asked(LENT).len()),
        (2, 2)
    );
}

#[test]
fn a_refused_key_is_told_without_anything_of_it() {
    let kit = Kit::new();
    let (client, waits) = client(&keyed(&kit));
    kit.fault_of("tokens", TOKEN, (0, 1), json!({"status": {"status": 400}}));
    let error = kit.run(list(&client)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert!(
        error
            .message
            .contains("get a token for etl@shop.iam.gserviceaccount.com"),
        "{error}"
    );
    assert!(error.help.contains("revoked"), "{}", error.help);
    kit.fault_of("tokens", TOKEN, (0, 3), json!("html"));
    kit.run(list(&client)).unwrap();
    let told = format!("{error:?} {client:?} {}", waits.warned());
    let key: Value = serde_json::from_str(KEY).unwrap();
    for line in key["private_key"].as_str().unwrap().lines() {
        assert!(!told.contains(line), "{told}");
    }
    assert!(!told.contains("ya29"), "{told}");
}

#[test]
fn databricks_takes_a_token_or_the_login_of_a_machine() {
    let kit = Kit::new();
    let workspace = || Connection::new("dbx", "databricks").with("host", &kit.base);
    for (connection, logins) in [
        (workspace().with_secret("token", "dapi-1"), 0),
        (
            workspace()
                .with("client_id", "app")
                .with_secret("client_secret", "s"),
            1,
        ),
    ] {
        let waits = crate::kit::Waits::new();
        let clients = tidemill_operators::http::Clients::new(Machine::default());
        let api = tidemill_operators::http::Api::databricks("databricks");
        let client = clients.client(&connection, &api, waits).unwrap();
        let me = client.get("/api/2.0/preview/scim/v2/Me", &[]);
        let me: Value = kit.run(me.send_json()).unwrap();
        assert!(me["userName"].is_string(), "{me}");
        assert_eq!(kit.asked("databricks.token").len(), logins);
    }
    let waits = crate::kit::Waits::new();
    let clients = tidemill_operators::http::Clients::new(Machine::default());
    let api = tidemill_operators::http::Api::databricks("databricks");
    let half = workspace().with("client_id", "app");
    let error = clients.client(&half, &api, waits).unwrap_err();
    assert!(error.help.contains("`client_secret`"), "{error:?}");
}

#[test]
fn what_works_and_what_does_not_is_said_in_words() {
    use tidemill_operators::probe::probe;
    let kit = Kit::new();
    let clients = tidemill_operators::http::Clients::new(Machine::default());
    let look = |connection: Connection| {
        let found = kit.run(probe(&clients, &connection, crate::kit::Waits::new()));
        let lines = found
            .iter()
            .map(|one| format!("{} {}: {}", one.works, one.what, one.says));
        lines.collect::<Vec<_>>()
    };
    let lines = look(keyed(&kit));
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!(
        lines[1],
        "true credentials: requests are those of etl@shop.iam.gserviceaccount.com"
    );
    assert_eq!(
        lines[3],
        "true request: the buckets of `shop` can be listed"
    );
    kit.fault(
        LIST,
        1,
        json!({"forbidden": {"permission": "storage.buckets.list"}}),
    );
    let lines = look(keyed(&kit));
    assert!(
        lines[3].starts_with("false request: list the buckets of project `shop`"),
        "{lines:?}"
    );
    let lines = look(
        Connection::new("dbx", "databricks")
            .with("host", &kit.base)
            .with_secret("token", "t"),
    );
    assert!(
        lines[2].starts_with("true request: the workspace knows us as "),
        "{lines:?}"
    );
    let lines = look(Connection::new("crm", "http").with("url", &kit.base));
    assert!(
        lines[2].starts_with("true request: it answers"),
        "{lines:?}"
    );
    let lines = look(
        Connection::new("db", "postgres")
            .with("host", "127.0.0.1")
            .with("port", "1"),
    );
    assert!(
        lines[0].starts_with("false address: 127.0.0.1:1 cannot be reached"),
        "{lines:?}"
    );
}
