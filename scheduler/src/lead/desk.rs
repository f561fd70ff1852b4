//! Where commands are taken and answered. A command that needs runs which were not at hand is put again once they are.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::engine::{Changed, Command, Refusal, Request, Wanted};

/// How often a command may need something else read back before it is given up.
const READS_MAX: u32 = 16;

/// What came of a command.
pub type Answer = Result<Changed, Refusal>;

/// Somebody asks for something.
#[derive(Debug)]
pub struct Ask {
    /// Who.
    pub by: Arc<str>,
    /// The `edits` that they saw.
    pub seen: Option<u32>,
    /// Whether only to say what would change.
    pub dry_run: bool,
    /// What.
    pub command: Command,
    /// Told what came of it, once that is durable. Dropped if nobody knows.
    pub reply: oneshot::Sender<Answer>,
}

#[derive(Debug)]
struct Open {
    request: Request,
    reads: u32,
    reply: oneshot::Sender<Answer>,
}

/// What is asked for and not answered yet.
#[derive(Debug, Default)]
pub(super) struct Desk {
    last: u64,
    open: HashMap<u64, Open>,
}

impl Desk {
    /// Takes a command in.
    pub(super) fn take(&mut self, ask: Ask) -> Request {
        self.last += 1;
        let request = Request {
            id: self.last,
            by: ask.by,
            seen: ask.seen,
            dry_run: ask.dry_run,
            command: ask.command,
        };
        let open = Open {
            request: request.clone(),
            reads: 0,
            reply: ask.reply,
        };
        self.open.insert(request.id, open);
        request
    }

    /// Answers a command, unless something has to be read back for it first.
    pub(super) fn answer(&mut self, to: u64, answer: Answer) -> Option<Wanted> {
        let open = self.open.get_mut(&to)?;
        let answer = match answer {
            Err(Refusal::Load(wanted)) if open.reads < READS_MAX => {
                open.reads += 1;
                return Some(*wanted);
            }
            other => other,
        };
        if let Some(open) = self.open.remove(&to) {
            // Whoever asked may have gone meanwhile.
            let _ = open.reply.send(answer);
        }
        None
    }

    /// The command again, now that what it needs was read back.
    pub(super) fn again(&self, id: u64) -> Option<Request> {
        self.open.get(&id).map(|open| open.request.clone())
    }

    /// What a command needs cannot be read.
    pub(super) fn fail(&mut self, id: u64, why: String) {
        if let Some(open) = self.open.remove(&id) {
            let _ = open.reply.send(Err(Refusal::Invalid(vec![why])));
        }
    }
}
