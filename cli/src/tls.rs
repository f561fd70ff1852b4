//! TLS between the parts of a fleet: what a scheduler shows, and whom workers and commands trust.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ServerConfig};
use rustls_platform_verifier::Verifier;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::config::{Loaded, Origin};

/// How often the files of the scheduler's certificate are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error(
        "`{given}` ({origin}) is set and `{missing}` is not: a scheduler that speaks TLS needs both"
    )]
    Half {
        given: &'static str,
        missing: &'static str,
        origin: Origin,
    },
    #[error("cannot read {} (`{key}`, {origin}): {source}", file.display())]
    Read {
        key: &'static str,
        file: PathBuf,
        origin: Origin,
        source: std::io::Error,
    },
    #[error("{} (`{key}`, {origin}) holds no {what} in PEM: {why}", file.display())]
    Other {
        key: &'static str,
        file: PathBuf,
        origin: Origin,
        what: &'static str,
        why: String,
    },
    #[error("the certificate in {} (`tls_cert`) and the key in {} (`tls_key`) do not fit each other: {source}", cert.display(), key.display())]
    Unfit {
        cert: PathBuf,
        key: PathBuf,
        source: rustls::Error,
    },
    #[error(
        "this machine trusts nobody: {0}; install its package of authorities (`ca-certificates`), or set `tls_ca`"
    )]
    Roots(rustls::Error),
    #[error("TLS cannot be set up: {0}")]
    Setup(rustls::Error),
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// What the scheduler of this process shows to whoever connects. Its files are read again when they change: certificates are
/// renewed while processes go on.
#[derive(Debug)]
pub(crate) struct Shown {
    loaded: Loaded,
    current: RwLock<Arc<CertifiedKey>>,
}

/// What the scheduler of this process shows; none if it is to speak without TLS.
///
/// # Errors
/// One line that says what is wrong with the files.
pub(crate) fn shown(loaded: &Loaded) -> Result<Option<Arc<Shown>>, TlsError> {
    let read = read_shown(loaded)?;
    Ok(read.map(|current| {
        Arc::new(Shown {
            loaded: loaded.clone(),
            current: RwLock::new(Arc::new(current)),
        })
    }))
}

fn read_shown(loaded: &Loaded) -> Result<Option<CertifiedKey>, TlsError> {
    let settings = &loaded.settings;
    let half = |given, missing| TlsError::Half {
        given,
        missing,
        origin: loaded.origin(given).clone(),
    };
    let (cert, key) = match (&settings.tls_cert, &settings.tls_key) {
        (None, None) => return Ok(None),
        (Some(_), None) => return Err(half("tls_cert", "tls_key")),
        (None, Some(_)) => return Err(half("tls_key", "tls_cert")),
        (Some(cert), Some(key)) => (cert, key),
    };
    let chain = certificates(loaded, "tls_cert", cert)?;
    let private = PrivateKeyDer::from_pem_file(key);
    let private = private.map_err(|error| wrong(loaded, "tls_key", key, ("private key", error)))?;
    let pair = CertifiedKey::from_der(chain, private, &ring::default_provider());
    pair.map(Some).map_err(|source| TlsError::Unfit {
        cert: cert.clone(),
        key: key.clone(),
        source,
    })
}

impl Shown {
    /// How connections are to be set up.
    ///
    /// # Errors
    /// The library is without the versions of TLS that we want.
    pub(crate) fn config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, TlsError> {
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<_>);
        Ok(Arc::new(config))
    }

    /// Looks at the files now and then, for as long as the process lives. While something is wrong with them, what was read
    /// before is shown.
    pub(crate) async fn keep_renewed(self: Arc<Self>) {
        let mut said = String::new();
        loop {
            sleep(LOOK_EVERY).await;
            match self.renew() {
                Ok(true) => info!("the scheduler shows its new certificate"),
                Ok(false) => said.clear(),
                Err(error) => {
                    let error = error.to_string();
                    if said != error {
                        warn!("the scheduler goes on with the certificate that it has: {error}");
                        said = error;
                    }
                }
            }
        }
    }

    /// Reads the files again, and says whether there is another certificate in them.
    fn renew(&self) -> Result<bool, TlsError> {
        let Some(read) = read_shown(&self.loaded)? else {
            return Ok(false);
        };
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let renewed = current.cert != read.cert;
        if renewed {
            *current = Arc::new(read);
        }
        Ok(renewed)
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current))
    }
}

/// Whom this process trusts when it asks a scheduler: whom this machine trusts, and the authorities in `tls_ca`.
///
/// # Errors
/// One line that says what is wrong with the file, or that there is nobody to trust.
pub(crate) fn trust(loaded: &Loaded) -> Result<ClientConfig, TlsError> {
    let verifier = match &loaded.settings.tls_ca {
        None => Verifier::new(provider()).map_err(TlsError::Roots)?,
        Some(file) => {
            let ours = certificates(loaded, "tls_ca", file)?;
            let verifier = Verifier::new_with_extra_roots(ours, provider());
            verifier.map_err(|error| TlsError::Other {
                key: "tls_ca",
                file: file.clone(),
                origin: loaded.origin("tls_ca").clone(),
                what: "certificate of an authority",
                why: error.to_string(),
            })?
        }
    };
    // Dangerous is only what the verifier may do, and this one is as strict as that of the library.
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

fn certificates(
    loaded: &Loaded,
    key: &'static str,
    file: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |error| wrong(loaded, key, file, ("certificate", error));
    let all = CertificateDer::pem_file_iter(file).map_err(wrong)?;
    let all: Vec<_> = all.collect::<Result<_, _>>().map_err(wrong)?;
    if all.is_empty() {
        return Err(wrong(pem::Error::NoItemsFound));
    }
    Ok(all)
}

fn wrong(
    loaded: &Loaded,
    key: &'static str,
    file: &Path,
    (what, error): (&'static str, pem::Error),
) -> TlsError {
    let (file, origin) = (file.to_owned(), loaded.origin(key).clone());
    match error {
        pem::Error::Io(source) => TlsError::Read {
            key,
            file,
            origin,
            source,
        },
        error => TlsError::Other {
            key,
            file,
            origin,
            what,
            why: error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::Environment;
    use crate::config::flags::GivenFlags;

    #[test]
    fn a_renewed_certificate_is_shown_and_a_spoiled_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = (folder.path().join("cert"), folder.path().join("key"));
        let put = |name: &str, to: &Path| {
            let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/tls");
            fs::copy(from.join(name), to).unwrap();
        };
        put("server.pem", &cert);
        put("server.key", &key);
        let set = [("TIDEMILL_TLS_CERT", "cert"), ("TIDEMILL_TLS_KEY", "key")];
        let loaded = GivenFlags::default().load(&Environment::new(set, folder.path()));
        let shown = shown(&loaded.unwrap()).unwrap().unwrap();
        let now = || shown.current.read().unwrap().cert.clone();
        let first = now();
        assert!(!shown.renew().unwrap());
        // One of the two files is there before the other.
        put("renewed.pem", &cert);
        let torn = shown.renew().unwrap_err();
        assert!(matches!(torn, TlsError::Unfit { .. }), "{torn}");
        assert_eq!(now(), first);
        put("renewed.key", &key);
        assert!(shown.renew().unwrap());
        assert_ne!(now(), first);
    }
}
