//! `new`: a project of a user's own that builds, passes its test and validates in CI.

use std::path::{Path, PathBuf};

use tidemill_core::id::check_name;

use crate::args::NewArgs;
use crate::output::Output;

/// The files of a project. `NAME` and `TIDEMILL` in them are filled in; braces are the files' own.
const FILES: [(&str, &str); 6] = [
    ("Cargo.toml", include_str!("Cargo.toml.txt")),
    ("src/main.rs", include_str!("main.rs.txt")),
    ("src/daily_orders.rs", include_str!("daily_orders.rs.txt")),
    ("README.md", include_str!("README.md.txt")),
    (".gitignore", "/target\n"),
    (".github/workflows/dags.yml", include_str!("dags.yml.txt")),
];

pub(crate) fn new(args: &NewArgs) -> Output {
    let folder = Path::new(&args.name);
    let name = folder
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    if let Err(wrong) = check(name, folder) {
        return wrong;
    }
    let dependency = match dependency(args.tidemill.as_deref()) {
        Ok(dependency) => dependency,
        Err(wrong) => return wrong,
    };
    match write(folder, name, &dependency) {
        Ok(()) => Output::default().talk(format_args!(
            "made {}\n\n  cd {}\n  cargo test\n  cargo run -- dags validate\n  cargo run -- dags graph daily_orders\n\n\
             Its Cargo.toml names Tidemill by its folder on this machine: give CI one that it can reach.",
            folder.display(),
            folder.display()
        )),
        Err((file, error)) => Output::usage(
            format_args!("cannot write `{}`: {error}", file.display()),
            "name a folder that you may write to",
        ),
    }
}

fn check(name: &str, folder: &Path) -> Result<(), Output> {
    let help = "use letters, digits, `-` and `_`, beginning with a letter, such as `shop_dags`";
    check_name(name).map_err(|error| Output::usage(error, help))?;
    const TAKEN: [&str; 9] = [
        "tidemill", "serde", "core", "std", "alloc", "test", "fn", "crate", "self",
    ];
    if !name.starts_with(|c: char| c.is_ascii_alphabetic())
        || name.contains('.')
        || TAKEN.contains(&name)
    {
        return Err(Output::usage(
            format_args!("`{name}` is no name for a Rust project"),
            help,
        ));
    }
    if folder.exists() {
        let message = format_args!("`{}` is there already", folder.display());
        return Err(Output::usage(
            message,
            "choose another name; nothing was changed",
        ));
    }
    Ok(())
}

/// Where the project gets Tidemill from: the source that this binary was built from if it is still there.
fn dependency(given: Option<&Path>) -> Result<String, Output> {
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = match given {
        Some(root) => {
            let found = [root.join("cli"), root.to_owned()]
                .into_iter()
                .find(|path| path.join("Cargo.toml").exists());
            Some(found.ok_or_else(|| {
                let message =
                    format_args!("there is no source of Tidemill in `{}`", root.display());
                Output::usage(message, "name the folder of a checkout")
            })?)
        }
        None => built_from
            .join("Cargo.toml")
            .exists()
            .then(|| built_from.to_owned()),
    };
    match source {
        Some(path) => {
            let path: PathBuf = std::fs::canonicalize(&path).unwrap_or(path);
            Ok(format!("path = {:?}", path.display().to_string()))
        }
        None => Ok(format!("version = {:?}", env!("CARGO_PKG_VERSION"))),
    }
}

fn write(folder: &Path, name: &str, dependency: &str) -> Result<(), (PathBuf, std::io::Error)> {
    for (file, text) in FILES {
        let path = folder.join(file);
        let wrong = |error| (path.clone(), error);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(wrong)?;
        }
        std::fs::write(&path, fill(text, name, dependency)).map_err(wrong)?;
    }
    Ok(())
}

/// Puts both names in at once: a folder may have one of them in its own name.
fn fill(text: &str, name: &str, dependency: &str) -> String {
    let parts = text
        .split("TIDEMILL")
        .map(|part| part.replace("NAME", name));
    parts.collect::<Vec<_>>().join(dependency)
}
