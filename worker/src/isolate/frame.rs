//! What worker and child say to each other: four bytes of length, most significant first, and JSON.

use std::io::{self, Read};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::operator::{Level, Outcome, TaskError, TaskResult};
use tidemill_core::protocol::{CheckResult, Load};
use tidemill_core::wire::{Asked, Given};

use super::Job;

/// The longest frame either side takes, in bytes. A job holds what all tasks before it returned.
const FRAME_BYTES_MAX: usize = 256 << 20;
const HEAD_BYTES: usize = 4;

/// What the worker says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Down {
    /// First of all: what to do.
    Start {
        job: Box<Job>,
        /// What it is mapped over, again: as a part of the facts, a `null` would arrive as nothing.
        #[serde(with = "maybe")]
        item: Option<Value>,
    },
    /// The answer to a question, by its number. Nothing but this socket ever sees it.
    Given(u64, Result<Given, TaskError>),
    /// The task should stop.
    Cancel,
}

/// What the child says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Up {
    /// A line of the log.
    Log(Level, String),
    /// How far it is.
    Progress(f64, String),
    /// What it loaded.
    Load(Box<Load>),
    /// What came of a check.
    Check(Box<CheckResult>),
    /// A question, with its number.
    Ask(u64, Asked),
    /// Last of all: how it went.
    Ended(Ended),
}

/// How an attempt went.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Ended {
    Done(Value),
    Skipped(String),
    JobFailed(TaskError),
    Deferred {
        handle: Value,
        wait: Duration,
        why: String,
    },
    Failed(TaskError),
}

impl Ended {
    pub(super) fn of(result: TaskResult<Outcome>) -> Self {
        match result {
            Ok(Outcome::Done(output)) => Self::Done(output),
            Ok(Outcome::Skipped { why }) => Self::Skipped(why),
            Ok(Outcome::Failed(error)) => Self::JobFailed(error),
            Ok(Outcome::Deferred { handle, wait, why }) => Self::Deferred { handle, wait, why },
            Err(error) => Self::Failed(error),
        }
    }

    pub(super) fn result(self) -> TaskResult<Outcome> {
        Ok(match self {
            Self::Done(output) => Outcome::Done(output),
            Self::Skipped(why) => Outcome::Skipped { why },
            Self::JobFailed(error) => Outcome::Failed(error),
            Self::Deferred { handle, wait, why } => Outcome::Deferred { handle, wait, why },
            Self::Failed(error) => return Err(error),
        })
    }
}

/// A frame, ready to be sent.
pub(super) fn encode(frame: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; HEAD_BYTES];
    serde_json::to_writer(&mut bytes, frame)?;
    let length = bytes.len() - HEAD_BYTES;
    let head = u32::try_from(length)
        .ok()
        .filter(|_| length <= FRAME_BYTES_MAX)
        .ok_or_else(|| too_long(length))?;
    bytes[..HEAD_BYTES].copy_from_slice(&head.to_be_bytes());
    Ok(bytes)
}

/// Takes the first frame off what was received, if it is all there.
pub(super) fn take<T: DeserializeOwned>(received: &mut Vec<u8>) -> io::Result<Option<T>> {
    let Some((head, rest)) = received.split_first_chunk::<HEAD_BYTES>() else {
        return Ok(None);
    };
    let length = length_of(*head)?;
    let Some(body) = rest.get(..length) else {
        return Ok(None);
    };
    let frame = understood(body)?;
    received.drain(..HEAD_BYTES + length);
    Ok(Some(frame))
}

/// Waits for a frame; an end of the stream is an error.
pub(super) fn read<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    let mut head = [0; HEAD_BYTES];
    from.read_exact(&mut head)?;
    let mut body = vec![0; length_of(head)?];
    from.read_exact(&mut body)?;
    understood(&body)
}

fn understood<T: DeserializeOwned>(body: &[u8]) -> io::Result<T> {
    serde_json::from_slice(body).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn length_of(head: [u8; HEAD_BYTES]) -> io::Result<usize> {
    let length = u32::from_be_bytes(head) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(too_long(length));
    }
    Ok(length)
}

fn too_long(length: usize) -> io::Error {
    let message = format!("a message of {length} bytes is longer than {FRAME_BYTES_MAX}");
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// An optional value as a list: in JSON, `null` that is there and nothing at all look the same otherwise.
pub(super) mod maybe {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
    use serde_json::Value;

    #[expect(clippy::ref_option, reason = "serde calls it with this type")]
    pub(in super::super) fn serialize<S: Serializer>(
        value: &Option<Value>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_slice().serialize(to)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Value>, D::Error> {
        Ok(Vec::deserialize(from)?.into_iter().next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isolate::Act;

    #[test]
    fn frames_are_taken_whole_however_they_arrive() {
        let bytes = [
            encode(&Up::Log(Level::Warn, "ü\n".to_owned())).unwrap(),
            encode(&Up::Ended(Ended::Done(Value::Null))).unwrap(),
        ]
        .concat();
        let (mut received, mut seen) = (Vec::new(), Vec::new());
        for byte in bytes {
            received.push(byte);
            seen.extend(take::<Up>(&mut received).unwrap());
        }
        assert!(matches!(&seen[0], Up::Log(Level::Warn, line) if line == "ü\n"));
        assert!(matches!(seen[1], Up::Ended(Ended::Done(Value::Null))));
        assert!(received.is_empty());
    }

    #[test]
    fn nonsense_is_an_error_and_allocates_nothing() {
        assert!(take::<Up>(&mut vec![255; 8]).is_err());
        assert!(take::<Up>(&mut vec![0, 0, 0, 1, b'?']).is_err());
    }

    #[test]
    fn a_handle_of_null_stays_a_handle() {
        for act in [
            Act::Cancel(Some(Value::Null)),
            Act::Cancel(None),
            Act::Resume(Value::Null),
        ] {
            let text = serde_json::to_string(&act).unwrap();
            assert_eq!(serde_json::from_str::<Act>(&text).unwrap(), act, "{text}");
        }
    }
}
