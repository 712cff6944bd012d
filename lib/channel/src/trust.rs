//! Whose certificates we believe: the system's store and the gateway's `ca_file`.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

use crate::ChannelError;

/// TLS 1.2 and 1.3 by ring, no client certificate.
pub(crate) fn client_config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, ChannelError> {
    let mut roots = RootCertStore::empty();
    // A broken certificate in the system's store is the system's matter: the others still count.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        add_file(&mut roots, path)?;
    }
    if roots.is_empty() {
        return Err(problem("no trusted certificate: neither in the system's store nor here"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| problem(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), ChannelError> {
    let file = File::open(path)
        .map_err(|error| problem(format!("can't open `{}`: {error}", path.display())))?;
    let mut found = 0;
    for certificate in rustls_pemfile::certs(&mut BufReader::new(file)) {
        let certificate = certificate
            .map_err(|error| problem(format!("`{}` is no PEM file: {error}", path.display())))?;
        roots
            .add(certificate)
            .map_err(|error| problem(format!("`{}`: {error}", path.display())))?;
        found += 1;
    }
    if found == 0 {
        return Err(problem(format!("`{}` holds no certificate", path.display())));
    }
    Ok(())
}

fn problem(problem: impl Into<String>) -> ChannelError {
    ChannelError::Field { field: "ca_file", problem: problem.into() }
}
