//! The place of the logs of attempts, as the settings name it.

use tidemill_logs::LogKeeper;

use crate::config::kinds::Place;
use crate::config::{Environment, Loaded};
use crate::door::chain;
use crate::output::{Output, USAGE};

/// Variables that begin like this are options of the store of a bucket: `GOOGLE_APPLICATION_CREDENTIALS`, `AWS_REGION`.
const OF_STORES: [&str; 2] = ["GOOGLE_", "AWS_"];

/// Where logs are kept, as it is written.
pub(crate) fn place(loaded: &Loaded) -> String {
    match &loaded.settings.logs {
        Place::Folder(folder) => folder.display().to_string(),
        Place::Url(url) => url.clone(),
    }
}

/// Opens the place where logs are kept.
///
/// # Errors
/// What the command prints instead.
pub(crate) fn open(loaded: &Loaded, environment: &Environment) -> Result<LogKeeper, Output> {
    let options = OF_STORES
        .iter()
        .flat_map(|prefix| environment.beginning(prefix))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    LogKeeper::open(&place(loaded), options).map_err(|error| {
        let (error, origin) = (chain(&error), loaded.origin("logs"));
        Output::failed(format_args!("{error} (logs from {origin})"), USAGE)
    })
}
