//! A sandbox to try by hand: `serve FOLDER PORT`.

use std::env::args;
use std::error::Error;
use std::sync::Arc;

use chrono::Utc;
use tidemill_sandbox::{Sandbox, Settings};
use tokio::sync::watch;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (Some(folder), Some(port)) = (args().nth(1), args().nth(2)) else {
        return Err("serve FOLDER PORT".into());
    };
    let sandbox = Sandbox::open(Settings {
        folder: folder.into(),
        listen: ([127, 0, 0, 1], port.parse()?).into(),
        public: None,
        #[expect(
            clippy::disallowed_methods,
            reason = "the edge of the process is this program"
        )]
        clock: Arc::new(Utc::now),
    })
    .await?;
    let (_stop, stopped) = watch::channel(false);
    sandbox.serve(stopped).await;
    Ok(())
}
