//! The table of methods: which request belongs to which method of which service.
//!
//! Paths are written as in the published API descriptions: `/v1/projects/{project}/topics/{topic}:publish`. A name in braces
//! stands for one segment, `{+name}` for all that is left. Where two fit, the one with more literal segments is taken.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::http::Method as Verb;
use percent_encoding::percent_decode_str;

use crate::call::{Answer, Call};
use crate::services::Service;
use crate::state::State;

type Running = Pin<Box<dyn Future<Output = Answer> + Send>>;
type Handler = Arc<dyn Fn(Arc<State>, Call) -> Running + Send + Sync>;

/// One method of one service.
#[derive(Clone)]
pub(crate) struct Method {
    /// As the API description names it, such as `bigquery.jobs.insert`.
    pub(crate) id: &'static str,
    pub(crate) service: Service,
    pub(crate) verb: Verb,
    pub(crate) path: &'static str,
    handler: Handler,
}

impl Method {
    /// A method that `handler` answers.
    pub(crate) fn new<F, R>(
        service: Service,
        id: &'static str,
        verb: Verb,
        path: &'static str,
        handler: F,
    ) -> Self
    where
        F: Fn(Arc<State>, Call) -> R + Send + Sync + 'static,
        R: Future<Output = Answer> + Send + 'static,
    {
        Self {
            id,
            service,
            verb,
            path,
            handler: Arc::new(move |state, call| Box::pin(handler(state, call))),
        }
    }

    pub(crate) async fn answer(&self, state: Arc<State>, call: Call) -> Answer {
        (self.handler)(state, call).await
    }
}

/// A piece of a path between slashes.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Literal(&'static str),
    /// A name and what has to follow it in the segment, such as `:publish`.
    Name(&'static str, &'static str),
    Rest(&'static str, &'static str),
}

/// All methods, to be asked for one request.
pub(crate) struct Routes {
    methods: Vec<(Vec<Piece>, Method)>,
}

/// What fits a request.
pub(crate) enum Found<'a> {
    Method(&'a Method, BTreeMap<&'static str, String>),
    /// The path is known, the verb is not; and whose path it is.
    OtherVerb(Service),
    Nothing,
}

impl Routes {
    pub(crate) fn new(methods: Vec<Method>) -> Self {
        let mut methods: Vec<_> = methods
            .into_iter()
            .map(|method| (pieces(method.path), method))
            .collect();
        // Those with a rest last, those with more literals first.
        methods.sort_by_key(|(pieces, _)| {
            let rest = pieces.iter().any(|piece| matches!(piece, Piece::Rest(..)));
            let exact = pieces.iter().map(weight).sum::<usize>();
            (rest, usize::MAX - exact)
        });
        Self { methods }
    }

    /// All methods.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Method> {
        self.methods.iter().map(|(_, method)| method)
    }

    /// The method that `verb` and the still encoded `path` belong to.
    pub(crate) fn find(&self, verb: &Verb, path: &str) -> Found<'_> {
        let segments: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
        let mut other = None;
        for (pieces, method) in &self.methods {
            if let Some(parts) = matched(pieces, &segments) {
                if method.verb == *verb {
                    return Found::Method(method, parts);
                }
                other.get_or_insert(method.service);
            }
        }
        other.map_or(Found::Nothing, Found::OtherVerb)
    }
}

fn weight(piece: &Piece) -> usize {
    match piece {
        Piece::Literal(_) => 4,
        Piece::Name(_, after) if !after.is_empty() => 2,
        Piece::Rest(_, after) if !after.is_empty() => 1,
        Piece::Name(..) | Piece::Rest(..) => 0,
    }
}

fn pieces(path: &'static str) -> Vec<Piece> {
    path.trim_start_matches('/')
        .split('/')
        .map(|segment| {
            match segment
                .strip_prefix('{')
                .and_then(|inner| inner.split_once('}'))
            {
                None => Piece::Literal(segment),
                Some((name, after)) => match name.strip_prefix('+') {
                    Some(name) => Piece::Rest(name, after),
                    None => Piece::Name(name, after),
                },
            }
        })
        .collect()
}

fn matched(pieces: &[Piece], segments: &[&str]) -> Option<BTreeMap<&'static str, String>> {
    let mut parts = BTreeMap::new();
    let mut at = 0;
    for piece in pieces {
        match piece {
            Piece::Literal(text) => {
                if decoded(segments.get(at)?)? != *text {
                    return None;
                }
                at += 1;
            }
            Piece::Name(name, after) => {
                let segment = segments.get(at)?.strip_suffix(after)?;
                if segment.is_empty() {
                    return None;
                }
                parts.insert(*name, decoded(segment)?);
                at += 1;
            }
            Piece::Rest(name, after) => {
                let rest = segments
                    .get(at..)
                    .filter(|rest| !rest.is_empty())?
                    .join("/");
                let rest = rest.strip_suffix(after)?;
                if rest.is_empty() {
                    return None;
                }
                parts.insert(*name, decoded(rest)?);
                at = segments.len();
            }
        }
    }
    (at == segments.len()).then_some(parts)
}

fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text)
        .decode_utf8()
        .ok()
        .map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_gives_its_names() {
        let path = pieces("/v1/projects/{project}/topics/{topic}:publish");
        let parts = matched(&path, &["v1", "projects", "p", "topics", "a%2Fb:publish"]).unwrap();
        assert_eq!(
            (parts["project"].as_str(), parts["topic"].as_str()),
            ("p", "a/b")
        );
        assert_eq!(
            matched(&path, &["v1", "projects", "p", "topics", ":publish"]),
            None
        );
        assert_eq!(
            matched(&path, &["v1", "projects", "p", "topics", "t"]),
            None
        );
    }

    #[test]
    fn a_rest_takes_slashes() {
        let path = pieces("/storage/{bucket}/{+object}");
        let parts = matched(&path, &["storage", "b", "x", "y%20z"]).unwrap();
        assert_eq!(parts["object"], "x/y z");
    }
}
