//! Who is at the other end of a connection.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use crate::access::Browser;
use crate::web::Web;

/// More is not kept of what a browser calls itself.
const AGENT_CHARS_MAX: usize = 300;
const FORWARDED: &str = "x-forwarded-for";

/// From where a request came.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    address: Option<IpAddr>,
    agent: String,
}

impl Caller {
    pub(crate) fn browser(&self, web: &Web) -> Browser<'_> {
        Browser {
            address: self.address,
            agent: &self.agent,
            now: web.now(),
        }
    }
}

impl FromRequestParts<Web> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map(|ConnectInfo(peer)| peer.ip());
        let agent = parts.headers.get(header::USER_AGENT);
        let agent = agent.and_then(|agent| agent.to_str().ok());
        Ok(Self {
            address: address(&parts.headers, peer, web.config().proxies),
            agent: agent
                .unwrap_or_default()
                .chars()
                .take(AGENT_CHARS_MAX)
                .collect(),
        })
    }
}

/// Each proxy adds at the end of the list whom it was asked by, so that with so many of ours the address so far from the end
/// is true, and what stands before it is what anybody wrote there.
fn address(headers: &HeaderMap, peer: Option<IpAddr>, proxies: usize) -> Option<IpAddr> {
    if proxies == 0 {
        return peer;
    }
    let lines = headers.get_all(FORWARDED).iter();
    let listed: Vec<&str> = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .collect();
    let at = listed.len().checked_sub(proxies);
    at.and_then(|at| listed[at].parse().ok()).or(peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_as_many_proxies_as_there_are_are_believed() {
        let mut headers = HeaderMap::new();
        headers.append(FORWARDED, "6.6.6.6, 1.2.3.4".parse().expect("a header"));
        headers.append(FORWARDED, "10.0.0.1".parse().expect("a header"));
        let peer = "10.0.0.2".parse().ok();
        let of = |proxies| address(&headers, peer, proxies).map(|address| address.to_string());
        assert_eq!(of(0).as_deref(), Some("10.0.0.2"));
        assert_eq!(of(1).as_deref(), Some("10.0.0.1"));
        assert_eq!(of(2).as_deref(), Some("1.2.3.4"));
        assert_eq!(of(9).as_deref(), Some("10.0.0.2"));
    }
}
