//! What went wrong with a statement, as `BigQuery` says it.

use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;

use super::parse::Words;
use crate::load::LoadError;
use crate::tables::TableError;

/// A statement that was refused, or failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SqlError {
    /// `BigQuery`'s name for the kind: `invalidQuery`, `notFound`, `resourcesExceeded`.
    pub reason: &'static str,
    /// What happened, with its place in the text where there is one.
    pub message: String,
}

impl SqlError {
    /// The text is at fault.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self {
            reason: "invalidQuery",
            message: message.into(),
        }
    }

    /// Something that is not there.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self {
            reason: "notFound",
            message: message.into(),
        }
    }

    /// The sandbox itself failed.
    pub(crate) fn backend(message: impl Into<String>) -> Self {
        Self {
            reason: "backendError",
            message: message.into(),
        }
    }

    /// Right in `BigQuery`, and not covered here.
    pub(crate) fn unsupported(what: impl std::fmt::Display) -> Self {
        Self {
            reason: "notImplemented",
            message: format!("The sandbox does not cover {what}"),
        }
    }

    /// From the parser: its place moves to the end.
    pub(crate) fn from_parser(error: &ParserError) -> Self {
        let text = match error {
            ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.clone(),
            ParserError::RecursionLimitExceeded => "the statement is nested too deep".to_owned(),
        };
        let message = match text.split_once(" at Line: ") {
            Some((what, place)) => {
                let place = place.replace(", Column: ", ":");
                format!("Syntax error: {what} at [{place}]")
            }
            None => format!("Syntax error: {text}"),
        };
        Self::invalid(message)
    }

    /// From planning and running.
    pub(crate) fn from_engine(error: &DataFusionError, words: &Words) -> Self {
        match error.find_root() {
            DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
                SchemaError::FieldNotFound { field, .. } => {
                    let place = words.place(&field.name);
                    Self::invalid(format!("Unrecognized name: {}{place}", field.name))
                }
                SchemaError::AmbiguousReference { field } => {
                    let place = words.place(&field.name);
                    Self::invalid(format!("Column name {} is ambiguous{place}", field.name))
                }
                other => Self::invalid(other.to_string()),
            },
            DataFusionError::ResourcesExhausted(what) => Self {
                reason: "resourcesExceeded",
                message: format!("Resources exceeded during query execution: {what}"),
            },
            DataFusionError::Plan(text)
            | DataFusionError::Execution(text)
            | DataFusionError::NotImplemented(text) => Self::invalid(text.clone()),
            other => Self::invalid(other.to_string()),
        }
    }
}

impl From<TableError> for SqlError {
    fn from(error: TableError) -> Self {
        Self {
            // A statement that asks for what cannot be is at fault itself.
            reason: match error.reason() {
                "invalid" => "invalidQuery",
                other => other,
            },
            message: error.to_string(),
        }
    }
}

impl From<LoadError> for SqlError {
    fn from(error: LoadError) -> Self {
        Self {
            reason: error.reason,
            message: error.message,
        }
    }
}
