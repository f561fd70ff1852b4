//! What stories start, and what is measured: `site …` is a project under test, `keep …` ends a process with whoever started
//! it, `pages` says what pages of a large site cost, `pictures` takes those of the documentation.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tidemill_browser::large::{Size, measure};
use tidemill_browser::{keep, pictures, shop};

#[derive(Debug, Parser)]
enum Args {
    /// What pages of a large site cost.
    Pages {
        /// `postgres://…`, an empty database; a SQLite file of its own if none.
        #[arg(long)]
        database: Option<String>,
        /// How many DAGs, of a hundred runs with forty tasks each.
        #[arg(long, default_value_t = 500)]
        dags: usize,
        /// How long the log is, in megabytes.
        #[arg(long, default_value_t = 1_000)]
        log_mb: usize,
        /// How often each page is read.
        #[arg(long, default_value_t = 40)]
        reads: usize,
    },
    /// The pictures of the documentation.
    Pictures {
        /// The folder they are written to.
        #[arg(long)]
        into: PathBuf,
    },
}

fn main() -> ExitCode {
    let line: Vec<OsString> = std::env::args_os().skip(1).collect();
    let word = line.first().and_then(|word| word.to_str());
    match word {
        Some("keep") => return keep::keep(&line[1..]),
        Some("site") => return shop::run(&line[1..]),
        _ => {}
    }
    let Ok(program) = std::env::current_exe() else {
        return ExitCode::FAILURE;
    };
    let said = match Args::parse() {
        Args::Pages {
            database,
            dags,
            log_mb,
            reads,
        } => {
            let size = Size {
                dags,
                log_bytes: log_mb << 20,
                reads,
            };
            measure(&program, database.as_deref(), size)
        }
        Args::Pictures { into } => {
            pictures::take(&program, &into);
            format!("the pictures are in {}", into.display())
        }
    };
    let _ = writeln!(std::io::stdout(), "{said}");
    ExitCode::SUCCESS
}
