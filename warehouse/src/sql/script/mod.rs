//! Scripts: several statements, with variables and control flow.
//!
//! [`read`] makes a tree of a text, [`run`] walks it. Whatever decides what comes next (conditions, values of variables, rows
//! that are looped over) is written down in the diary of the job, so that a script that is run again after a kill takes
//! the same way, and passes over the statements that it had run.

mod cases;
mod decide;
mod execute;
mod read;
mod run;
mod values;

pub use values::hidden_dataset;

use std::sync::Arc;

use super::engine::Engine;
use super::error::SqlError;
use super::piece::Piece;
use super::request::{Outcome, Request};
use crate::schema::{Kind, Mode};

/// A text as it is run.
pub(super) enum Text {
    /// One statement.
    Statement(Piece),
    /// Several, or one that belongs to a script.
    Script(Block),
}

/// Statements one after another.
pub(super) type Block = Vec<Step>;

/// One of them, and its text.
pub(super) struct Step {
    piece: Piece,
    what: What,
}

enum What {
    /// A statement that can also stand alone.
    Plain,
    Declare {
        names: Vec<String>,
        kind: Option<(Kind, Mode)>,
        value: Option<Piece>,
    },
    Set {
        names: Vec<String>,
        value: Piece,
    },
    If {
        arms: Vec<(Piece, Block)>,
        otherwise: Block,
    },
    Case {
        value: Piece,
        arms: Vec<(Piece, Block)>,
        otherwise: Option<Block>,
    },
    Loop {
        label: Option<String>,
        head: Head,
        body: Block,
    },
    Leave(Option<String>),
    Continue(Option<String>),
    Begin {
        label: Option<String>,
        body: Block,
        handler: Option<Block>,
    },
    Raise(Option<Piece>),
    Return,
    Execute {
        text: Piece,
        into: Vec<String>,
        using: Vec<(Piece, Option<String>)>,
    },
    Assert {
        condition: Piece,
        message: Option<Piece>,
    },
}

/// How often a body is run.
enum Head {
    Loop,
    While(Piece),
    Until(Piece),
    For(String, Piece),
}

/// Reads a text.
pub(super) fn read(text: &str) -> Result<Text, SqlError> {
    let mut block = read::block(&Arc::from(text))?;
    match block.as_slice() {
        [] => Err(SqlError::invalid(
            "Syntax error: Unexpected end of statement",
        )),
        [
            Step {
                what: What::Plain, ..
            },
        ] => Ok(match block.pop() {
            Some(step) => Text::Statement(step.piece),
            None => Text::Script(block),
        }),
        _ => Ok(Text::Script(block)),
    }
}

/// Runs a script. A dry run looks at its statements, and at the tables that they name as far as they are there.
pub(super) async fn run(
    engine: &Engine,
    block: &Block,
    request: &Request,
) -> Result<Outcome, SqlError> {
    run::Run::new(engine, request).script(block).await
}
