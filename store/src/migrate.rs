//! The steps that make the schema: taken in order, once, each in a transaction. A database that has taken steps we do not
//! know, or that is somebody else's, is refused.

use sha2::{Digest, Sha256};
use tidemill_core::time::Timestamp;

use crate::bind::Args;
use crate::db::Database;
use crate::read::{BadCell, Read, Reader};
use crate::sql::{SCHEMA_DONE, SCHEMA_STEPS, SCHEMA_TABLES};
use crate::{SchemaError, StoreError};

/// A step of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Its place, from 1.
    pub number: i64,
    /// What it is about.
    pub name: String,
    /// When the database took it; none if it has not.
    pub applied_at: Option<Timestamp>,
}

struct Known {
    number: i64,
    name: &'static str,
    postgres: &'static str,
    sqlite: &'static str,
}

macro_rules! steps {
    ($($number:literal $name:literal,)*) => {
        &[$(Known {
            number: $number,
            name: $name,
            postgres: include_str!(concat!("../../migrations/postgres/", $name, ".sql")),
            sqlite: include_str!(concat!("../../migrations/sqlite/", $name, ".sql")),
        },)*]
    };
}

/// All steps. One that was released never changes: its checksum is on record.
static STEPS: &[Known] = steps! {
    1 "0001_tables",
    2 "0002_log_left",
    3 "0003_access",
    4 "0004_pool_note",
    5 "0005_attempt_deferred",
    6 "0006_version_index",
    7 "0007_audit_chain",
    8 "0008_outbox_dag",
    9 "0009_found",
    10 "0010_check_results",
};

/// What comes before each step: the table of steps, and nobody else taking any.
const BEGIN_POSTGRES: &str = include_str!("../sql/postgres/schema/schema_begin.sql");
const BEGIN_SQLITE: &str = include_str!("../sql/sqlite/schema/schema_begin.sql");

impl Known {
    const fn texts(&self, database: &Database) -> [&'static str; 2] {
        match database {
            Database::Postgres(_) => [BEGIN_POSTGRES, self.postgres],
            Database::Sqlite(_) => [BEGIN_SQLITE, self.sqlite],
        }
    }

    fn checksum(&self, database: &Database) -> String {
        let [_, text] = self.texts(database);
        let bytes = Sha256::digest(text.as_bytes());
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

struct Taken {
    number: i64,
    name: String,
    checksum: String,
    at: Timestamp,
}

impl Read for Taken {
    const TABLE: &'static str = "schema_step";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            number: from.int()?,
            name: from.string()?,
            checksum: from.string()?,
            at: from.time()?,
        })
    }
}

/// Which steps the database has taken.
pub(crate) async fn status(database: &Database) -> Result<Vec<Migration>, StoreError> {
    let tables: Vec<String> = database.rows(&SCHEMA_TABLES, Args::NONE).await?;
    let taken: Vec<Taken> = if tables.iter().any(|table| table == "schema_step") {
        database.rows(&SCHEMA_STEPS, Args::NONE).await?
    } else if tables.is_empty() {
        Vec::new()
    } else {
        let some: Vec<_> = tables.into_iter().take(5).collect();
        let tables = some.join(", ");
        return Err(SchemaError::NotOurs { tables }.into());
    };
    let known = STEPS.last().map_or(0, |step| step.number);
    if let Some(found) = taken.last().map(|step| step.number).filter(|n| *n > known) {
        return Err(SchemaError::Newer { found, known }.into());
    }
    let status = |step: &Known| {
        let there = taken.iter().find(|taken| taken.number == step.number);
        if let Some(there) = there.filter(|there| there.checksum != step.checksum(database)) {
            return Err(SchemaError::Changed {
                number: there.number,
                name: there.name.clone(),
            });
        }
        Ok(Migration {
            number: step.number,
            name: step.name.to_owned(),
            applied_at: there.map(|there| there.at),
        })
    };
    Ok(STEPS.iter().map(status).collect::<Result<_, _>>()?)
}

/// Takes the steps that are missing.
pub(crate) async fn apply(database: &Database) -> Result<(), StoreError> {
    let missing = |all: Vec<Migration>, number| {
        all.iter()
            .any(|step| step.number == number && step.applied_at.is_none())
    };
    let all = status(database).await?;
    for step in STEPS {
        if !missing(all.clone(), step.number) {
            continue;
        }
        let args = Args::NONE
            .int(step.number)
            .text(step.name)
            .text(&*step.checksum(database));
        let texts = step.texts(database).to_vec();
        if let Err(source) = database.script(texts, (&SCHEMA_DONE, args)).await {
            // Another process may have taken it while this one waited for its turn.
            if missing(status(database).await?, step.number) {
                return Err(SchemaError::Step {
                    number: step.number,
                    name: step.name,
                    source,
                }
                .into());
            }
        }
    }
    Ok(())
}
