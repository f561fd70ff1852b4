//! Values on the command line: as they are, `-` for what comes by stdin, `@file` for what is in a file.

use std::io::Read;

use crate::config::Environment;
use crate::output::Output;

/// `name=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// Reads `name=value`. What is wrong is said without the value: it may be a secret.
pub(crate) fn pair(text: &str) -> Result<Pair, String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("there is no `=` in it; write `name=value`")?;
    tidemill_core::id::check_name(name).map_err(|error| error.to_string())?;
    Ok(Pair {
        name: name.to_owned(),
        value: value.to_owned(),
    })
}

/// Reads a name.
pub(crate) fn name(text: &str) -> Result<String, String> {
    tidemill_core::id::check_name(text).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

/// Where values come from.
pub(crate) struct Values<'a> {
    environment: &'a Environment,
    stdin: Option<Box<dyn Read + 'a>>,
}

impl<'a> Values<'a> {
    /// From files of this environment, and from there.
    pub(crate) fn new(environment: &'a Environment, stdin: impl Read + 'a) -> Self {
        Self {
            environment,
            stdin: Some(Box::new(stdin)),
        }
    }

    /// What is meant, and whether it stood on the command line. One line's end at its own end does not count.
    pub(crate) fn meant(&mut self, text: &str) -> Result<(String, bool), Output> {
        if text == "-" {
            let mut stdin = self
                .stdin
                .take()
                .ok_or_else(|| Output::usage("`-` stands twice, and stdin can be read once", ""))?;
            let mut read = String::new();
            stdin
                .read_to_string(&mut read)
                .map_err(|error| Output::usage(format_args!("cannot read stdin: {error}"), ""))?;
            return Ok((trimmed(read), false));
        }
        let Some(file) = text.strip_prefix('@') else {
            return Ok((text.to_owned(), true));
        };
        let place = self.environment.folder().join(file);
        let read = std::fs::read_to_string(&place).map_err(|error| {
            Output::usage(
                format_args!("cannot read {}: {error}", place.display()),
                "`@` stands before the name of a file; a value that begins with it comes by stdin: `-`",
            )
        })?;
        Ok((trimmed(read), false))
    }
}

fn trimmed(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_from_where_it_says() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), "one\ntwo\r\n").unwrap();
        let environment = Environment::new([("A", "b")], folder.path());
        let mut values = Values::new(&environment, "hunter2\n".as_bytes());
        assert_eq!(values.meant("-").unwrap(), ("hunter2".to_owned(), false));
        assert_eq!(
            values.meant("@key").unwrap(),
            ("one\ntwo".to_owned(), false)
        );
        assert_eq!(values.meant("plain").unwrap(), ("plain".to_owned(), true));
        assert_eq!(values.meant("-").unwrap_err().code, 2);
        assert_eq!(values.meant("@none").unwrap_err().code, 2);
    }

    #[test]
    fn a_pair_that_is_none_is_not_quoted() {
        assert_eq!(pair("token=a=b").unwrap().value, "a=b");
        assert!(!pair("hunter2").unwrap_err().contains("hunter2"));
        assert!(pair("=x").is_err());
    }
}
