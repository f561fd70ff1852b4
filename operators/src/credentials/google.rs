//! Google: application default credentials, keys, logins, federation, and acting as another account.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Method, Url};
use serde::Deserialize;
use serde_json::json;
use tidemill_core::operator::{BoxFuture, Connection, OrFail as _, Secret, TaskError, TaskResult};

use super::key::{AuthorizedUser, Document, Impersonated, ServiceAccount};
use super::{Access, Granted, Source, TokenReply, plain};
use crate::http::{Api, Client, Line, Machine, is_local, parsed};

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";
const IAM: Api = Api::google("iam", "https://iamcredentials.googleapis.com");
const METADATA: &str = "http://metadata.google.internal";

/// How long whoever gives tokens may take, repetitions and all.
const WITHIN: Duration = Duration::from_secs(60);
/// The metadata server is on the same machine.
const METADATA_WITHIN: Duration = Duration::from_secs(10);

/// Where credentials come from.
enum From {
    /// What the machine has: a file that it names, the login of `gcloud`, its metadata server.
    Default,
    File(PathBuf),
    Text(Secret),
    Token(Access),
}

/// A connection's credentials.
pub(super) struct Google {
    from: From,
    connection: String,
    scopes: Vec<String>,
    /// The account to act as, last, and those that lend it on.
    chain: Vec<String>,
    quota_project: Option<String>,
    machine: Arc<Machine>,
    /// Where tokens are asked for, if the connection says so.
    token_url: Option<Url>,
    iam: Url,
    metadata: Url,
}

pub(super) fn source(
    connection: &Connection,
    local: bool,
    machine: &Arc<Machine>,
) -> TaskResult<Source> {
    let from = match from(connection, local)? {
        Some(from) => from,
        None => return Ok(Source::Fixed(plain::anonymous())),
    };
    let field = |name: &str| connection.fields.get(name).map(String::as_str);
    let listed = |name: &str| -> Vec<String> {
        let all = field(name).unwrap_or_default().split([',', ' ']);
        all.filter(|one| !one.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let chain = listed("impersonate");
    if let (From::Token(access), true) = (&from, chain.is_empty()) {
        return Ok(Source::Fixed(access.clone()));
    }
    let address = |name: &str, text: &str| {
        parsed(text).map_err(|why| {
            TaskError::permanent(format!(
                "the field `{name}` of connection `{}` is no address: {why}",
                connection.name
            ))
        })
    };
    let token_url = field("token_endpoint")
        .map(|text| address("token_endpoint", text))
        .transpose()?;
    let mut scopes = listed("scopes");
    if scopes.is_empty() {
        scopes.push(SCOPE.to_owned());
    }
    Ok(Source::Google(Box::new(Google {
        from,
        connection: connection.name.clone(),
        scopes,
        chain,
        quota_project: field("quota_project").map(str::to_owned),
        machine: Arc::clone(machine),
        token_url,
        iam: IAM.address(connection)?,
        metadata: metadata(connection, machine)?,
    })))
}

/// The metadata server: as the connection says, as the machine says, or the usual one. A server on this machine that stands
/// for all of Google stands for this, too.
fn metadata(connection: &Connection, machine: &Machine) -> TaskResult<Url> {
    let own = connection.fields.get("metadata_endpoint").cloned();
    let all = connection.fields.get("endpoint").cloned();
    let all = all.filter(|text| parsed(text).is_ok_and(|url| is_local(&url)));
    let host = machine.metadata_host.as_ref();
    let host = host.map(|host| format!("http://{host}"));
    let text = own.or(all).or(host);
    let text = text.as_deref().unwrap_or(METADATA);
    parsed(text).map_err(|why| {
        TaskError::permanent(format!(
            "the address `{text}` of the metadata server is none: {why}"
        ))
        .help("check `metadata_endpoint` of the connection, and GCE_METADATA_HOST")
    })
}

/// What the connection has; none for nobody in particular.
fn from(connection: &Connection, local: bool) -> TaskResult<Option<From>> {
    let key = connection.secrets.get("key");
    let file = connection.fields.get("key_file");
    let token = connection.secrets.get("token");
    let asked = match connection.fields.get("credentials").map(String::as_str) {
        Some(asked) => asked,
        None if key.is_some() || file.is_some() => "key",
        None if token.is_some() => "token",
        None if local => "anonymous",
        None => "application_default",
    };
    match asked {
        "anonymous" => Ok(None),
        "application_default" => Ok(Some(From::Default)),
        "key" => match (key, file) {
            (Some(key), _) => Ok(Some(From::Text(key.clone()))),
            (None, Some(file)) => Ok(Some(From::File(file.into()))),
            (None, None) => connection.secret("key").map(|_| None),
        },
        "token" => {
            let token = plain::token(connection, "Bearer", connection.secret("token")?)?;
            Ok(Some(From::Token(token)))
        }
        other => Err(TaskError::permanent(format!(
            "connection `{}` asks for credentials of kind `{other}`, which there are not",
            connection.name
        ))
        .help(
            "set its field `credentials` to `application_default`, `key`, `token` or `anonymous`",
        )),
    }
}

async fn read(path: &Path) -> TaskResult<String> {
    let from = path.to_owned();
    let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(from)).await;
    let path = path.display();
    read.or_transient(format_args!("read {path}"))?
        .or_permanent(format_args!("read the credentials in {path}"))
        .map_err(|error| {
            error
                .help("the file has to be on the worker, and its user has to be allowed to read it")
        })
}

impl Google {
    pub(super) async fn fetch(&self, line: &Line) -> TaskResult<Granted> {
        let granted = match &self.from {
            From::Token(access) => Granted {
                header: access.header(),
                who: access.who().to_owned(),
                ..Granted::default()
            },
            From::Text(text) => {
                let from = format!("the secret `key` of connection `{}`", self.connection);
                let document = Document::read(text.reveal(), &from)?;
                self.of_document(&document, line).await?
            }
            From::File(path) => self.of_file(path, line).await?,
            From::Default => self.of_machine(line).await?,
        };
        let (project, quota) = (granted.project.clone(), granted.quota_project.clone());
        let granted = match self.chain.split_last() {
            Some((account, lenders)) => {
                let url = format!(
                    "{}/v1/projects/-/serviceAccounts/{account}:generateAccessToken",
                    self.iam.as_str().trim_end_matches('/')
                );
                self.acting_as(account, lenders, &url, (granted, line))
                    .await?
            }
            None => granted,
        };
        Ok(Granted {
            project: project.or_else(|| self.machine.project.clone()),
            quota_project: self.quota_project.clone().or(quota),
            ..granted
        })
    }

    async fn of_file(&self, path: &Path, line: &Line) -> TaskResult<Granted> {
        let text = read(path).await?;
        let document = Document::read(&text, &path.display().to_string())?;
        self.of_document(&document, line).await
    }

    /// Application default credentials, in the order in which Google's own libraries look for them.
    async fn of_machine(&self, line: &Line) -> TaskResult<Granted> {
        if let Some(file) = &self.machine.key_file {
            return self.of_file(file, line).await;
        }
        if let Some(file) = self
            .machine
            .gcloud_file
            .as_ref()
            .filter(|file| file.exists())
        {
            return self.of_file(file, line).await;
        }
        self.of_metadata(line).await
    }

    fn of_document<'a>(
        &'a self,
        document: &'a Document,
        line: &'a Line,
    ) -> BoxFuture<'a, TaskResult<Granted>> {
        Box::pin(async move {
            match document {
                Document::ServiceAccount(account) => self.of_account(account, line).await,
                Document::AuthorizedUser(user) => self.of_user(user, line).await,
                Document::ExternalAccount(external) => {
                    let (granted, account) = external.fetch(self, line).await?;
                    let Some((account, url)) = account else {
                        return Ok(granted);
                    };
                    self.acting_as(&account, &[], &url, (granted, line)).await
                }
                Document::ImpersonatedServiceAccount(other) => {
                    self.of_impersonated(other, line).await
                }
            }
        })
    }

    async fn of_impersonated(&self, other: &Impersonated, line: &Line) -> TaskResult<Granted> {
        let granted = self.of_document(&other.source_credentials, line).await?;
        let url = &other.service_account_impersonation_url;
        let account = account_of(url);
        let granted = self
            .acting_as(&account, &other.delegates, url, (granted, line))
            .await?;
        Ok(Granted {
            quota_project: other.quota_project_id.clone(),
            ..granted
        })
    }

    async fn of_account(&self, account: &ServiceAccount, line: &Line) -> TaskResult<Granted> {
        let url = self.token_url(account.token_uri.as_deref())?;
        let now = line.pace().now();
        let assertion = account.assertion(url.as_str(), &self.first_scopes(), now)?;
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("assertion", &assertion),
        ];
        let who = &account.client_email;
        let granted = self.exchanged(&url, &form, (who, line)).await?;
        Ok(Granted {
            project: account.project_id.clone(),
            ..granted
        })
    }

    async fn of_user(&self, user: &AuthorizedUser, line: &Line) -> TaskResult<Granted> {
        let url = self.token_url(user.token_uri.as_deref())?;
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", &user.refresh_token),
            ("client_id", &user.client_id),
            ("client_secret", &user.client_secret),
        ];
        let who = "the person who logged in with gcloud";
        let granted = self.exchanged(&url, &form, (who, line)).await?;
        Ok(Granted {
            quota_project: user.quota_project_id.clone(),
            ..granted
        })
    }

    async fn of_metadata(&self, line: &Line) -> TaskResult<Granted> {
        let client = line.bare("metadata", self.metadata.clone(), &self.connection);
        let asked = |path: &'static str, within: Duration| {
            client
                .get(path, &[])
                .header("metadata-flavor", "Google")
                .by("this machine")
                .doing("ask the machine's metadata server for a token")
                .within(within)
                .try_within(within)
        };
        const ACCOUNT: &str = "/computeMetadata/v1/instance/service-accounts/default/token";
        let reply: TokenReply = asked(ACCOUNT, METADATA_WITHIN)
            .query("scopes", self.first_scopes().join(","))
            .send_json()
            .await
            .map_err(|error| self.nothing_there(error))?;
        // Both are only for people and for who names no project: without them it goes on.
        let short = Duration::from_secs(2);
        let text = |reply: TaskResult<crate::http::Reply>| {
            let body = reply.ok()?.body().clone();
            String::from_utf8(body.to_vec()).ok()
        };
        const EMAIL: &str = "/computeMetadata/v1/instance/service-accounts/default/email";
        let email = text(asked(EMAIL, short).send().await);
        let project = text(
            asked("/computeMetadata/v1/project/project-id", short)
                .send()
                .await,
        );
        let who = email.unwrap_or_else(|| "this machine's service account".to_owned());
        let granted = Granted::of(&reply, who.trim(), line.pace().now())?;
        Ok(Granted { project, ..granted })
    }

    /// That no application default credentials are there is said in whole.
    fn nothing_there(&self, error: TaskError) -> TaskError {
        let gcloud = self.machine.gcloud_file.as_ref();
        let file = gcloud.map_or_else(String::new, |file| {
            format!(" {} is not there,", file.display())
        });
        error
            .context(format_args!(
                "no application default credentials: GOOGLE_APPLICATION_CREDENTIALS is not set,{file} and no metadata server gives a token"
            ))
            .help(format!(
                "give connection `{}` a key (`--secret key=@key.json`), or run on a machine with a service account",
                self.connection
            ))
    }

    /// What the first token is for: to act as another account, it has to be for everything.
    fn first_scopes(&self) -> Vec<String> {
        if self.chain.is_empty() {
            self.scopes.clone()
        } else {
            vec![SCOPE.to_owned()]
        }
    }

    fn token_url(&self, named: Option<&str>) -> TaskResult<Url> {
        if let Some(url) = &self.token_url {
            return Ok(url.clone());
        }
        let text = named.unwrap_or(TOKEN_URL);
        parsed(text).map_err(|why| {
            TaskError::permanent(format!("the `token_uri` of the key is no address: {why}"))
        })
    }

    /// The client of a server that is only asked for tokens.
    pub(super) fn client(&self, url: &Url, line: &Line) -> Client {
        line.bare("token", url.clone(), &self.connection)
    }

    /// The scopes of a token that another is made of, or that is used as it is.
    pub(super) fn scopes(&self, is_lent: bool) -> String {
        if is_lent {
            SCOPE.to_owned()
        } else {
            self.first_scopes().join(" ")
        }
    }

    /// Exchanges what somebody has for a token.
    pub(super) async fn exchanged(
        &self,
        url: &Url,
        form: &[(&str, &str)],
        (who, line): (&str, &Line),
    ) -> TaskResult<Granted> {
        let asked = self
            .client(url, line)
            .follow(Method::POST, url.as_str())
            .form(form)
            // Two tokens are as good as one.
            .repeatable()
            .doing(format!("get a token for {who}"))
            .by(who)
            .within(WITHIN);
        let reply: TokenReply = asked.send_json().await.map_err(refused)?;
        Granted::of(&reply, who, line.pace().now())
    }

    /// A token of another account.
    async fn acting_as(
        &self,
        account: &str,
        lenders: &[String],
        url: &str,
        (own, line): (Granted, &Line),
    ) -> TaskResult<Granted> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Lent {
            access_token: String,
            expire_time: DateTime<Utc>,
        }
        let lenders: Vec<String> = lenders
            .iter()
            .map(|lender| match lender.rsplit_once('/') {
                Some((_, email)) => format!("projects/-/serviceAccounts/{email}"),
                None => format!("projects/-/serviceAccounts/{lender}"),
            })
            .collect();
        let url = parsed(url).map_err(|why| {
            TaskError::permanent(format!(
                "the address for acting as {account} is none: {why}"
            ))
        })?;
        let who = own.who.clone();
        let header = own.header.as_ref();
        let token = header.and_then(|(_, value)| value.to_str().ok());
        let lent: Lent = self
            .client(&url, line)
            .follow(Method::POST, url.as_str())
            .secret_header("authorization", token.unwrap_or_default())
            .json(&json!({ "scope": self.scopes, "lifetime": "3600s", "delegates": lenders }))
            .repeatable()
            .doing(format!("act as {account}"))
            .names(format!("service account `{account}`"))
            .needs("iam.serviceAccounts.getAccessToken")
            .by(&who)
            .within(WITHIN)
            .send_json()
            .await?;
        let now = line.pace().now();
        let granted = Granted::with("Bearer", &Secret::new(lent.access_token), account)?;
        Ok(Granted {
            // A clock that is wrong must not make a token last for ever.
            lasts: Some((now, lent.expire_time.min(now + TimeDelta::hours(1)))),
            project: own.project,
            quota_project: own.quota_project,
            ..granted
        })
    }
}

/// The account in `…/serviceAccounts/NAME:generateAccessToken`.
pub(super) fn account_of(url: &str) -> String {
    let last = url.rsplit('/').next().unwrap_or(url);
    last.split(':').next().unwrap_or(last).to_owned()
}

/// Whoever gives tokens said no.
fn refused(error: TaskError) -> TaskError {
    if error.kind.is_retried() || !error.help.is_empty() {
        return error;
    }
    error.help("the key or login may have been revoked, or the clock of this machine is wrong; `connections test` says whether it works")
}
