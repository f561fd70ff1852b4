//! Reaching a scheduler: a connection of TCP, and TLS over it where its address says so.

use std::error::Error;
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{CertificateError, ClientConfig, Error as TlsError};
use tokio_tungstenite::tungstenite::http::Uri;

use crate::wire::ConnectError;

/// What bytes go over, both ways.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where a scheduler is.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// As it was written.
    pub(crate) url: String,
    /// Host and port.
    pub(crate) authority: String,
    /// What TLS goes by, if it is spoken there.
    tls: Option<Tls>,
}

#[derive(Debug, Clone)]
struct Tls {
    /// What its certificate has to be for.
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
}

impl Server {
    /// By its address: `http://host:port`, or `https://host:port`, for which TLS is set up.
    pub(crate) fn read(url: &str, tls: Option<&Arc<ClientConfig>>) -> Result<Self, ConnectError> {
        let wrong = |why: &str| {
            ConnectError::Never(format!(
                "`{url}` is no address of a scheduler: {why}; write `http://host:port` or `https://host:port`"
            ))
        };
        let parsed: Uri = url
            .trim_end_matches('/')
            .parse()
            .map_err(|_| wrong("it cannot be read"))?;
        let secure = match parsed.scheme_str() {
            Some("http" | "ws") => false,
            Some("https" | "wss") => true,
            _ => return Err(wrong("it has no scheme")),
        };
        let host = parsed.host().ok_or_else(|| wrong("it has no host"))?;
        let port = parsed.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let tls = if secure {
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            let name = ServerName::try_from(bare.to_owned());
            Some(Tls {
                name: name.map_err(|_| wrong("no certificate can be for this host"))?,
                config: Arc::clone(tls.ok_or_else(|| wrong("TLS is not set up"))?),
            })
        } else {
            None
        };
        Ok(Self {
            url: url.to_owned(),
            authority: format!("{host}:{port}"),
            tls,
        })
    }

    /// Opens a connection.
    pub(crate) async fn dial(&self) -> Result<Box<dyn Stream>, ConnectError> {
        let later = |error: io::Error| ConnectError::Later(format!("{}: {error}", self.url));
        let stream = TcpStream::connect(&self.authority).await.map_err(later)?;
        stream.set_nodelay(true).map_err(later)?;
        let Some(Tls { name, config }) = &self.tls else {
            return Ok(Box::new(stream));
        };
        let connector = TlsConnector::from(Arc::clone(config));
        match connector.connect(name.clone(), stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(match explain(&error) {
                Some(Distrust { says, lasts: true }) => {
                    ConnectError::Never(format!("{}: {says}", self.url))
                }
                Some(Distrust { says, .. }) => ConnectError::Later(format!("{}: {says}", self.url)),
                None => later(error),
            }),
        }
    }
}

/// Why TLS with a scheduler does not come about, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distrust {
    /// Both, in one line.
    pub says: String,
    /// Whether it stays so until somebody changes a setting.
    pub lasts: bool,
}

/// What is behind an error of a connection, if TLS is.
#[must_use]
pub fn explain(error: &(dyn Error + 'static)) -> Option<Distrust> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<TlsError>() {
            return Some(why(found));
        }
        // An error of IO keeps what it is made of to itself: its source is that of what is in it.
        let inside = error.downcast_ref::<io::Error>().and_then(|e| e.get_ref());
        next = inside.map_or_else(|| error.source(), |inside| Some(inside));
    }
    None
}

fn why(error: &TlsError) -> Distrust {
    use CertificateError as Certificate;
    let (says, lasts) = match error {
        TlsError::InvalidCertificate(Certificate::UnknownIssuer) => (
            "its certificate is signed by nobody whom this machine trusts; set `tls_ca` to a PEM file with the certificate \
             of the authority that signed it"
                .to_owned(),
            true,
        ),
        TlsError::InvalidCertificate(
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
        ) => (
            format!(
                "{error}; write its address with a name that the certificate is for, or give the scheduler another one"
            ),
            true,
        ),
        TlsError::InvalidCertificate(Certificate::Expired | Certificate::ExpiredContext { .. }) => (
            format!("{error}; give the scheduler a new certificate (`tls_cert`)"),
            false,
        ),
        TlsError::InvalidCertificate(_) => (
            format!("{error}; give the scheduler another certificate (`tls_cert`)"),
            false,
        ),
        TlsError::InvalidMessage(_) => (
            "what is there does not speak TLS; write its address with `http://`, or give the scheduler `tls_cert` and \
             `tls_key`"
                .to_owned(),
            false,
        ),
        _ => (format!("TLS failed: {error}"), false),
    };
    Distrust { says, lasts }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        match Server::read(url, None) {
            Err(ConnectError::Never(why)) => why,
            other => panic!("{url}: {other:?}"),
        }
    }

    #[test]
    fn an_address_that_is_none_says_what_to_write() {
        for (url, why) in [
            ("scheduler:8790", "it has no scheme"),
            ("ftp://scheduler", "it has no scheme"),
            ("http://a b", "it cannot be read"),
            ("https://scheduler:8790", "TLS is not set up"),
        ] {
            let says = refused(url);
            assert!(says.contains(why), "{says}");
            assert!(says.contains("`https://host:port`"), "{says}");
        }
        let plain = Server::read("http://scheduler/", None).unwrap();
        assert_eq!(plain.authority, "scheduler:80");
    }

    #[test]
    fn what_tls_says_is_found_below_what_wraps_it() {
        let unknown = || TlsError::InvalidCertificate(CertificateError::UnknownIssuer);
        let wrapped = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, unknown()));
        let found = explain(&wrapped).unwrap();
        assert!(found.lasts && found.says.contains("`tls_ca`"), "{found:?}");
        let expired = TlsError::InvalidCertificate(CertificateError::Expired);
        assert!(!explain(&expired).unwrap().lasts);
        assert_eq!(explain(&io::Error::other("a cable")), None);
    }
}
