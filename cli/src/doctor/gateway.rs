//! The way to the schedulers: TLS, and whether they answer.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use tidemill_worker::explain;

use super::{Findings, Mark};
use crate::config::{Loaded, Origin};
use crate::door::chain;
use crate::serve::token;
use crate::tls;

const WITHIN: Duration = Duration::from_secs(5);

/// What a scheduler with these settings shows, and whether it should show something.
pub(super) fn tls(loaded: &Loaded, found: &mut Findings) {
    let settings = &loaded.settings;
    match (tls::shown(loaded), &settings.tls_cert) {
        (Ok(Some(_)), Some(cert)) => {
            let from = loaded.origin("tls_cert");
            let says = format!(
                "the scheduler shows the certificate in {} ({from}), and the key fits it",
                cert.display()
            );
            found.add(Mark::Fine, "TLS", says);
        }
        (Ok(_), _) if settings.listen.ip().is_loopback() => {}
        (Ok(_), _) => {
            let says = format!(
                "the scheduler listens on {} ({}) without TLS: set `tls_cert` and `tls_key`, or keep others out of that network",
                settings.listen,
                loaded.origin("listen")
            );
            found.add(Mark::Odd, "TLS", says);
        }
        (Err(error), _) => found.add(Mark::Bad, "TLS", error.to_string()),
    }
}

/// A client that trusts schedulers as the commands do.
fn client(loaded: &Loaded) -> Result<Client, String> {
    let trust = tls::trust(loaded).map_err(|error| error.to_string())?;
    let client = Client::builder().tls_backend_preconfigured(trust);
    let client = client.no_proxy().redirect(Policy::none()).build();
    client.map_err(|error| chain(&error))
}

/// Whether the scheduler answers, if somebody said where it is.
pub(super) async fn look(loaded: &Loaded, found: &mut Findings) {
    if *loaded.origin("server") == Origin::Default {
        return;
    }
    let client = match client(loaded) {
        Ok(client) => client,
        Err(why) => return found.add(Mark::Bad, "scheduler", why),
    };
    for server in &loaded.settings.server {
        one(server.as_str(), loaded, &client, found).await;
    }
}

async fn one(server: &str, loaded: &Loaded, client: &Client, found: &mut Findings) {
    let from = loaded.origin("server");
    let asked = client
        .get(format!("{server}/ready"))
        .timeout(WITHIN)
        .send()
        .await;
    match asked {
        Ok(answer) if answer.status().is_success() => {
            found.add(Mark::Fine, "scheduler", format!("{server} leads ({from})"));
            admitted(server, loaded, client, found).await;
        }
        Ok(answer) => {
            let says = format!("{server} ({from}) answers {}", answer.status());
            found.add(Mark::Odd, "scheduler", says);
        }
        Err(error) => {
            let why = explain(&error).map(|distrust| distrust.says);
            let why = why.unwrap_or_else(|| chain(&error.without_url()));
            let says = format!("{server} ({from}) does not answer: {why}");
            found.add(Mark::Away, "scheduler", says);
        }
    }
}

/// Whether the scheduler takes our token.
async fn admitted(server: &str, loaded: &Loaded, client: &Client, found: &mut Findings) {
    let Ok(token) = token::find(loaded) else {
        return;
    };
    let asked = client
        .get(format!("{server}/api/v1/fleet"))
        .bearer_auth(token)
        .timeout(WITHIN)
        .send()
        .await;
    if asked.is_ok_and(|answer| answer.status() == StatusCode::UNAUTHORIZED) {
        let from = loaded.origin("token");
        found.add(
            Mark::Bad,
            "token",
            format!("the scheduler does not take it ({from})"),
        );
    }
}
