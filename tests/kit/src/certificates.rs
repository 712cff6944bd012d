//! A certificate authority of one test, made by openssl.

use std::fs;
use std::path::{Path, PathBuf};

use crate::tools::run;

/// Files in a folder: the authority's certificate and a server's pair for localhost and 127.0.0.1.
pub struct Certificates {
    /// The authority, PEM: what a client is told to trust.
    pub authority: PathBuf,
    /// The server's certificate, PEM.
    pub certificate: PathBuf,
    /// The server's key, PEM.
    pub key: PathBuf,
}

impl Certificates {
    /// Makes them; needs openssl.
    pub fn make(folder: &Path) -> Self {
        let file = |name: &str| folder.join(name);
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let (authority, authority_key) = (file("ca.pem"), file("ca.key"));
        let (certificate, key, request) =
            (file("server.pem"), file("server.key"), file("server.csr"));
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        let mut args = vec!["req", "-x509", "-days", "30", "-subj", "/CN=Gatepost test authority"];
        args.extend(curve);
        let (a, b) = (text(&authority_key), text(&authority));
        args.extend(["-keyout", &a, "-out", &b]);
        run("openssl", &args);
        let mut args = vec!["req", "-subj", "/CN=localhost"];
        args.extend(curve);
        let (c, d) = (text(&key), text(&request));
        args.extend(["-keyout", &c, "-out", &d]);
        run("openssl", &args);
        let names = file("names.ext");
        fs::write(&names, "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
            .unwrap();
        run(
            "openssl",
            &[
                "x509",
                "-req",
                "-days",
                "30",
                "-in",
                &d,
                "-CA",
                &b,
                "-CAkey",
                &a,
                "-CAcreateserial",
                "-extfile",
                &text(&names),
                "-out",
                &text(&certificate),
            ],
        );
        Self { authority, certificate, key }
    }
}
