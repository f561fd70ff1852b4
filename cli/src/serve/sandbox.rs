//! The sandbox: in the process of `standalone`, or in one of its own.

use tokio::task::JoinHandle;

use super::Stop;
use crate::config::Loaded;
use crate::output::{Output, USAGE};

/// Answers from now on, until the process stops.
#[cfg(feature = "sandbox")]
pub(super) async fn start(loaded: &Loaded, stop: Stop) -> Result<JoinHandle<()>, Output> {
    use std::sync::Arc;

    use tidemill_sandbox::{Dress, Sandbox, Settings};
    use tracing::info;

    let settings = &loaded.settings;
    let clock = Arc::new(crate::clock::now);
    let mut wanted = Settings::new(settings.sandbox_dir.clone(), settings.sandbox_listen, clock);
    wanted.mail = Some(settings.sandbox_mail);
    wanted.public = settings
        .sandbox_url
        .as_ref()
        .map(|url| url.as_str().to_owned());
    wanted.dress = Dress {
        style: tidemill_web::style(),
        icon: tidemill_web::icon().to_owned(),
    };
    for folder in &settings.sandbox_programs {
        wanted.jobs.programs.add_folder(folder);
    }
    let sandbox = Sandbox::open(wanted)
        .await
        .map_err(|error| Output::failed(error, USAGE))?;
    info!(
        "the sandbox is at http://{}/sandbox/, its files in {}",
        sandbox.address(),
        settings.sandbox_dir.display()
    );
    Ok(tokio::spawn(sandbox.serve(stop.0)))
}

/// Says that there is none.
#[cfg(not(feature = "sandbox"))]
#[expect(clippy::unused_async, reason = "the other build waits for the address")]
pub(super) async fn start(_: &Loaded, _: Stop) -> Result<JoinHandle<()>, Output> {
    let message = "this program was built without the sandbox; build it with the feature of that name: `cargo run --features sandbox -- …`";
    Err(Output::failed(message, USAGE))
}
