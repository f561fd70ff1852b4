//! Whether a connection works: one cheap request to the other side, and what came of it in words.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tidemill_core::operator::{Connection, TaskError};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::http::{Api, Client, Clients, Kind, Method, Pace};

const STORAGE: Api = Api::google("storage", "https://storage.googleapis.com");
const DATABRICKS: Api = Api::databricks("databricks");
const HTTP: Api = Api::http("http", "");

/// Nobody at a terminal waits longer.
const WITHIN: Duration = Duration::from_secs(15);
/// What fails is told at once: it is not tried again.
const ONCE: Duration = Duration::ZERO;

/// What was looked at, and how it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether it works.
    pub works: bool,
    /// What was looked at: `address`, `credentials`, `project`, `request`.
    pub what: &'static str,
    /// How it is, for people.
    pub says: String,
    /// What to do about it, if it does not work.
    pub help: String,
}

impl Finding {
    fn good(what: &'static str, says: impl Into<String>) -> Self {
        Self {
            works: true,
            what,
            says: says.into(),
            help: String::new(),
        }
    }

    fn bad(what: &'static str, error: TaskError) -> Self {
        Self {
            works: false,
            what,
            says: error.message,
            help: error.help,
        }
    }
}

/// Looks whether a connection works. Nothing is changed on the other side.
pub async fn probe(
    clients: &Clients,
    connection: &Connection,
    pace: Arc<dyn Pace>,
) -> Vec<Finding> {
    let api = match (connection.kind.as_str(), Kind::of(connection)) {
        ("postgres" | "postgresql" | "mysql" | "kafka" | "sftp" | "smtp", _) => {
            return vec![reached(connection).await];
        }
        (_, Kind::Google) => STORAGE,
        (_, Kind::Databricks) => DATABRICKS,
        (_, Kind::Http) => HTTP,
    };
    let client = match clients.client(connection, &api, pace) {
        Ok(client) => client,
        Err(error) => return vec![Finding::bad("address", error)],
    };
    let mut found = vec![Finding::good("address", client.address())];
    match client.who().await {
        Ok(who) => found.push(Finding::good(
            "credentials",
            format!("requests are those of {who}"),
        )),
        Err(error) => {
            found.push(Finding::bad("credentials", error));
            return found;
        }
    }
    match Kind::of(connection) {
        Kind::Google => google(&client, &mut found).await,
        Kind::Databricks => found.push(databricks(&client).await),
        Kind::Http => found.push(http(&client).await),
    }
    found
}

async fn google(client: &Client, found: &mut Vec<Finding>) {
    let project = match client.project().await {
        Ok(project) => project,
        Err(error) => {
            found.push(Finding::bad("project", error));
            return;
        }
    };
    found.push(Finding::good("project", project.clone()));
    let listed = client
        .get("/storage/v1/b", &[])
        .query("project", &project)
        .query("maxResults", 1)
        .doing(format!("list the buckets of project `{project}`"))
        .names(format!("project `{project}`"))
        .needs("storage.buckets.list")
        .within(ONCE)
        .try_within(WITHIN)
        .send_json::<Value>()
        .await;
    found.push(match listed {
        Ok(_) => Finding::good(
            "request",
            format!("the buckets of `{project}` can be listed"),
        ),
        Err(error) => Finding::bad("request", error),
    });
}

async fn databricks(client: &Client) -> Finding {
    let me = client
        .get("/api/2.0/preview/scim/v2/Me", &[])
        .doing("ask who we are")
        .within(ONCE)
        .try_within(WITHIN)
        .send_json::<Value>()
        .await;
    match me {
        Ok(me) => {
            let name = me.get("userName").or(me.get("displayName"));
            let name = name.and_then(Value::as_str).unwrap_or("somebody");
            Finding::good("request", format!("the workspace knows us as {name}"))
        }
        Err(error) => Finding::bad("request", error),
    }
}

async fn http(client: &Client) -> Finding {
    let address = client.address().to_owned();
    let answered = client
        .follow(Method::HEAD, &address)
        .doing(format!("ask {address}"))
        // That it answers at all is what is asked: what is at the root of an API, or whether it knows HEAD, says nothing.
        .answers(&[301, 302, 303, 307, 308, 400, 404, 405, 501])
        .within(ONCE)
        .try_within(WITHIN)
        .send()
        .await;
    match answered {
        Ok(reply) => Finding::good("request", format!("it answers ({})", reply.status())),
        Err(error) => Finding::bad("request", error),
    }
}

/// Whether there is a server at all, where nothing here speaks its language.
async fn reached(connection: &Connection) -> Finding {
    let field = |name: &str| connection.fields.get(name).map(String::as_str);
    let usual = match connection.kind.as_str() {
        "postgres" | "postgresql" => "5432",
        "mysql" => "3306",
        "kafka" => "9092",
        "sftp" => "22",
        _ => "25",
    };
    let Some(host) = field("host") else {
        let error = TaskError::permanent(format!(
            "connection `{}` has no field `host`",
            connection.name
        ));
        return Finding::bad("address", error.help("set it with `connections set`"));
    };
    let address = format!("{host}:{}", field("port").unwrap_or(usual));
    let failed = |why: String| {
        let error = TaskError::transient(format!("{address} cannot be reached: {why}"));
        Finding::bad(
            "address",
            error.help("check `host` and `port`, and what lies between"),
        )
    };
    match timeout(WITHIN, TcpStream::connect(&address)).await {
        Ok(Ok(_)) => Finding::good(
            "address",
            format!("{address} takes connections; user and password were not tried"),
        ),
        Ok(Err(error)) => failed(error.to_string()),
        Err(_) => failed("it does not answer in time".to_owned()),
    }
}
