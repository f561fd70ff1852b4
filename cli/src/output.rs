//! What a command prints: data to stdout, talk to stderr, an exit code. Commands return it, only `main` emits it.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

/// It worked.
pub(crate) const OK: u8 = 0;
/// The answer is no: a DAG is invalid, something differs.
pub(crate) const INVALID: u8 = 1;
/// The command line, or a file it names, is wrong.
pub(crate) const USAGE: u8 = 2;

/// The database, or the scheduler, does not answer.
pub(crate) const UNREACHABLE: u8 = 3;
/// Whether it was done is open.
pub(crate) const OPEN: u8 = 4;

/// What a command prints, and its exit code.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct Output {
    /// Data: may be piped into another program.
    pub stdout: String,
    /// Talk: for the person at the terminal.
    pub stderr: String,
    /// 0 it worked, 1 the answer is no, 2 the command line is wrong, 3 something that is needed does not answer.
    pub code: u8,
}

impl Output {
    /// Data, and all is well.
    pub(crate) fn data(stdout: impl Into<String>) -> Self {
        Self {
            stdout: stdout.into(),
            stderr: String::new(),
            code: OK,
        }
    }

    /// A wrong command line, said with what to do about it.
    pub(crate) fn usage(message: impl Display, help: impl Display) -> Self {
        let mut stderr = format!("error: {message}\n");
        let help = help.to_string();
        if !help.is_empty() {
            stderr.push_str(&format!("  help: {help}\n"));
        }
        Self {
            stdout: String::new(),
            stderr,
            code: USAGE,
        }
    }

    /// It did not work, for a reason that is not the command line's.
    pub(crate) fn failed(message: impl Display, code: u8) -> Self {
        Self {
            stdout: String::new(),
            stderr: format!("error: {message}\n"),
            code,
        }
    }

    /// What clap says: help goes to stdout, mistakes to stderr.
    pub(crate) fn from_usage(error: &clap::Error) -> Self {
        let text = error.render().to_string();
        if error.use_stderr() {
            Self {
                stdout: String::new(),
                stderr: text,
                code: USAGE,
            }
        } else {
            Self::data(text)
        }
    }

    /// One more line of data.
    pub(crate) fn and(mut self, line: impl Display) -> Self {
        self.stdout.push_str(&format!("{line}\n"));
        self
    }

    pub(crate) fn talk(mut self, line: impl Display) -> Self {
        self.stderr.push_str(&format!("{line}\n"));
        self
    }

    pub(crate) const fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// Data into a file if one is named, to stdout otherwise.
    pub(crate) fn into_file(mut self, file: Option<&std::path::Path>) -> Self {
        let Some(file) = file else { return self };
        match std::fs::write(file, &self.stdout) {
            Ok(()) => {
                self.stdout.clear();
                self.talk(format_args!("wrote {}", file.display()))
            }
            Err(error) => Self::usage(
                format_args!("cannot write `{}`: {error}", file.display()),
                "name a file in a folder that exists and that you may write to",
            ),
        }
    }

    /// Prints it and makes the process's exit code of it.
    pub(crate) fn emit(self) -> ExitCode {
        let talked = std::io::stderr().write_all(self.stderr.as_bytes());
        let printed = std::io::stdout()
            .write_all(self.stdout.as_bytes())
            .and_then(|()| std::io::stdout().flush());
        match printed.and(talked) {
            // Whoever reads from us may stop at any line: `dags list | head -1`.
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => ExitCode::from(INVALID),
            _ => ExitCode::from(self.code),
        }
    }
}

/// Says how far a long command is, at once.
pub(crate) fn say(line: &str) {
    // Whoever closed the stream does not want to know.
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Prints a line of data, at once. Says whether anybody takes it.
pub(crate) fn print(line: &str) -> bool {
    let mut out = std::io::stdout();
    let printed = out.write_all(format!("{line}\n").as_bytes());
    printed.and_then(|()| out.flush()).is_ok()
}

/// A number and what it counts: `1 task`, `2 tasks`.
pub(crate) fn count(count: usize, word: &str) -> String {
    if count == 1 {
        format!("1 {word}")
    } else {
        format!("{count} {word}s")
    }
}

/// When colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Color {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Colours, or their absence, for each of the two streams.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    on: bool,
    talk: bool,
}

impl Style {
    pub(crate) fn new(color: Color) -> Self {
        let wanted = |is_terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => is_terminal && std::env::var_os("NO_COLOR").is_none(),
        };
        Self {
            on: wanted(std::io::stdout().is_terminal()),
            talk: wanted(std::io::stderr().is_terminal()),
        }
    }

    /// The colours of what is said to stderr.
    pub(crate) const fn talk(self) -> Self {
        Self {
            on: self.talk,
            talk: self.talk,
        }
    }

    /// The colours of what goes into a file, if one is named: none.
    pub(crate) const fn into_file(self, file: Option<&std::path::Path>) -> Self {
        Self {
            on: self.on && file.is_none(),
            talk: self.talk,
        }
    }

    fn paint(self, code: &str, text: impl Display) -> String {
        if self.on {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_string()
        }
    }

    pub(crate) fn bold(self, text: impl Display) -> String {
        self.paint("1", text)
    }

    pub(crate) fn dim(self, text: impl Display) -> String {
        self.paint("2", text)
    }

    pub(crate) fn red(self, text: impl Display) -> String {
        self.paint("1;31", text)
    }

    pub(crate) fn green(self, text: impl Display) -> String {
        self.paint("32", text)
    }

    pub(crate) fn yellow(self, text: impl Display) -> String {
        self.paint("33", text)
    }
}
