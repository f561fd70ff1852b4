//! How commands get at the database: a runtime, a store, and one clear line if there is none.

use std::error::Error;
use std::future::Future;
use std::path::Path;
use std::time::Duration;

use tidemill_store::{Options, Schema, SchemaError, Store, StoreError};

use crate::config::Loaded;
use crate::output::{INVALID, Output, UNREACHABLE, USAGE};

/// How long a person at a terminal waits for a database.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Runs what a command does, on a runtime of its own.
pub(crate) fn run(command: impl Future<Output = Output>) -> Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(command),
        Err(error) => Output::failed(format_args!("cannot start: {error}"), UNREACHABLE),
    }
}

/// Opens the database.
///
/// # Errors
/// What the command prints instead.
pub(crate) async fn open(loaded: &Loaded, schema: Schema) -> Result<Store, Output> {
    let database = &loaded.settings.database;
    let from = loaded.origin("database");
    if let Some(file) = database.file() {
        if schema == Schema::Migrate {
            make_folder(file)?;
        } else if !file.exists() {
            let line = format!(
                "there is no database at {} ({from}); `db migrate` makes it",
                file.display()
            );
            return Err(Output::failed(line, INVALID));
        }
    }
    let options = Options {
        connect_within: CONNECT_WITHIN,
        readers_max: loaded.settings.readers_max.get(),
        schema,
        ..Options::default()
    };
    let opened = Store::open(database.url(), options).await;
    opened.map_err(|error| failed(&error).talk(format_args!("  the address is from: {from}")))
}

fn make_folder(file: &Path) -> Result<(), Output> {
    let Some(folder) = file.parent() else {
        return Ok(());
    };
    std::fs::create_dir_all(folder).map_err(|error| {
        let line = format!("cannot make the folder {}: {error}", folder.display());
        Output::failed(line, UNREACHABLE)
    })
}

/// What a command prints when the store could not do what it was asked.
pub(crate) fn failed(error: &StoreError) -> Output {
    Output::failed(format_args!("failed to {}", chain(error)), code(error))
}

/// An error with its sources: each message, once.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let says = error.to_string();
        if !text.ends_with(&says) {
            text = format!("{text}: {says}");
        }
        source = error.source();
    }
    text
}

/// 1 if the database says no, 2 if it is the wrong one, 3 if it does not answer.
pub(crate) fn code(error: &StoreError) -> u8 {
    match error {
        StoreError::Address { .. } | StoreError::Schema(SchemaError::NotOurs { .. }) => USAGE,
        StoreError::Schema(_)
        | StoreError::BadRow { .. }
        | StoreError::OtherEngine { .. }
        | StoreError::NoLeaderRow => INVALID,
        _ => UNREACHABLE,
    }
}
