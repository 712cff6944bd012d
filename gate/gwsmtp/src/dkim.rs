//! DKIM signatures (RFC 6376, RFC 8463): relaxed/relaxed, RSA-SHA256 or Ed25519-SHA256 by ring.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};

/// Headers that are signed when they are there.
const SIGNED: &[&str] = &[
    "from",
    "sender",
    "reply-to",
    "to",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "auto-submitted",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
];
/// Headers named once more than they occur, so that nobody can add one (RFC 6376 section 8.15).
const SEALED: &[&str] = &["from", "to", "subject", "date", "reply-to"];

/// Signs in the name of a domain.
pub(crate) struct Signer {
    domain: String,
    selector: String,
    key: Key,
}

enum Key {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

/// The settings or the key are unfit.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("field `{field}`: {problem}")]
pub(crate) struct NoSigner {
    field: &'static str,
    problem: String,
}

impl Signer {
    /// A signer for `domain` with the key published at `selector._domainkey.domain`. The key is PEM:
    /// RSA (PKCS#1 or PKCS#8, 2048 bits or more) or Ed25519 (PKCS#8).
    pub(crate) fn new(domain: &str, selector: &str, key: &str) -> Result<Self, NoSigner> {
        let name = |field, text: &str| {
            let text = text.trim().to_ascii_lowercase();
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
            if text.is_empty() || text.len() > 253 || !text.bytes().all(plain) {
                return Err(NoSigner { field, problem: format!("`{text}` is no domain name") });
            }
            Ok(text)
        };
        Ok(Self {
            domain: name("dkim_domain", domain)?,
            selector: name("dkim_selector", selector)?,
            key: Key::read(key).map_err(|problem| NoSigner { field: "dkim_key", problem })?,
        })
    }

    /// The `DKIM-Signature` header with its CRLF, to stand before the message.
    pub(crate) fn header(&self, message: &[u8], now_secs: i64) -> Result<String, NoSigner> {
        let (head, body) = split(message);
        let headers = headers_of(head);
        let names = signed_names(&headers);
        let mut header = format!(
            "DKIM-Signature: v=1; a={}; c=relaxed/relaxed; d={};\r\n\ts={}; t={now_secs};\r\n\th={};\r\n\
             \tbh={};\r\n\tb=",
            self.key.algorithm(),
            self.domain,
            self.selector,
            names.join(":\r\n\t "),
            STANDARD.encode(digest(&SHA256, &relaxed_body(body))),
        );
        let mut signed = String::new();
        let mut left: Vec<(String, String)> = headers;
        for name in &names {
            // The last of a name counts first (section 5.4.2); a sealed name beyond them is nothing.
            if let Some(at) = left.iter().rposition(|(known, _)| known == name) {
                let (name, text) = left.remove(at);
                signed.extend([&name, ":", &text, "\r\n"]);
            }
        }
        let (name, text) = header.split_once(':').unwrap_or_default();
        signed.extend([name.to_ascii_lowercase().as_str(), ":", &relaxed_text(text)]);
        let signature = STANDARD.encode(self.key.sign(signed.as_bytes())?);
        let lines: Vec<&str> = signature
            .as_bytes()
            .chunks(70)
            .filter_map(|chunk| std::str::from_utf8(chunk).ok())
            .collect();
        header.push_str(&lines.join("\r\n\t "));
        header.push_str("\r\n");
        Ok(header)
    }
}

impl Key {
    fn read(pem: &str) -> Result<Self, String> {
        let (label, der) = read_pem(pem).ok_or("holds no private key in PEM form")?;
        let odd = |error: ring::error::KeyRejected| match error.to_string().as_str() {
            "TooSmall" => "the RSA key is shorter than 2048 bits".to_owned(),
            why => format!("the key is unfit: {why}"),
        };
        if label == "RSA PRIVATE KEY" {
            return Ok(Self::Rsa(Box::new(RsaKeyPair::from_der(&der).map_err(odd)?)));
        }
        match RsaKeyPair::from_pkcs8(&der) {
            Ok(key) => Ok(Self::Rsa(Box::new(key))),
            Err(rsa) => match Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der) {
                Ok(key) => Ok(Self::Ed25519(Box::new(key))),
                Err(_) => Err(odd(rsa)),
            },
        }
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "rsa-sha256",
            Self::Ed25519(_) => "ed25519-sha256",
        }
    }

    fn sign(&self, signed: &[u8]) -> Result<Vec<u8>, NoSigner> {
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed, &mut signature)
                    .map_err(|_| NoSigner { field: "dkim_key", problem: "can't sign".into() })?;
                Ok(signature)
            }
            // RFC 8463 section 3: the hash is what is signed.
            Self::Ed25519(key) => Ok(key.sign(digest(&SHA256, signed).as_ref()).as_ref().to_vec()),
        }
    }
}

/// Label and content of the first `… PRIVATE KEY` block. Spaces for line breaks are taken too: a form
/// or a shell may have made them so.
fn read_pem(pem: &str) -> Option<(String, Vec<u8>)> {
    let (_, rest) = pem.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once("-----END ")?;
    let text: String = body.split_whitespace().collect();
    (label.ends_with("PRIVATE KEY") && !label.contains("ENCRYPTED"))
        .then(|| STANDARD.decode(text).ok())
        .flatten()
        .map(|der| (label.to_owned(), der))
}

fn split(message: &[u8]) -> (&[u8], &[u8]) {
    match message.windows(4).position(|four| four == b"\r\n\r\n") {
        Some(at) => (&message[..at + 2], &message[at + 4..]),
        None => (message, &[]),
    }
}

/// Names in lower case and relaxed texts (section 3.4.2), from the top.
fn headers_of(head: &[u8]) -> Vec<(String, String)> {
    let head = String::from_utf8_lossy(head);
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in head.split("\r\n").filter(|line| !line.is_empty()) {
        match (line.starts_with([' ', '\t']), headers.last_mut(), line.split_once(':')) {
            (true, Some((_, text)), _) => text.push_str(line),
            (false, _, Some((name, text))) => {
                headers.push((name.trim().to_ascii_lowercase(), text.to_owned()));
            }
            _ => {}
        }
    }
    for (_, text) in &mut headers {
        *text = relaxed_text(text);
    }
    headers
}

fn signed_names(headers: &[(String, String)]) -> Vec<String> {
    let mut names = Vec::new();
    for name in SIGNED {
        let sealed = usize::from(SEALED.contains(name));
        let found = headers.iter().filter(|(known, _)| known == name).count();
        names.extend(std::iter::repeat_n((*name).to_owned(), found + sealed));
    }
    names
}

fn relaxed_text(text: &str) -> String {
    let words: Vec<&str> =
        text.split([' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// Section 3.4.4: runs of white space as one space, none at line ends, no empty lines at the end.
fn relaxed_body(body: &[u8]) -> Vec<u8> {
    let mut relaxed = Vec::with_capacity(body.len() + 2);
    let mut end = 0;
    for line in body.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let begin = relaxed.len();
        for byte in line {
            match byte {
                b' ' | b'\t' if relaxed[begin..].last() == Some(&b' ') => {}
                b' ' | b'\t' => relaxed.push(b' '),
                other => relaxed.push(*other),
            }
        }
        if relaxed[begin..].last() == Some(&b' ') {
            relaxed.pop();
        }
        let is_empty = relaxed.len() == begin;
        relaxed.extend_from_slice(b"\r\n");
        if !is_empty {
            end = relaxed.len();
        }
    }
    relaxed.truncate(end);
    relaxed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_forms_are_those_of_rfc_6376() {
        // The examples of section 3.4.5.
        let message = b"A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n C \r\nD \t E\r\n\r\n\r\n";
        let (head, body) = split(message);
        assert_eq!(
            headers_of(head),
            [("a".to_owned(), "X".to_owned()), ("b".to_owned(), "Y Z".to_owned())]
        );
        assert_eq!(relaxed_body(body), b" C\r\nD E\r\n");
        assert_eq!(relaxed_body(b""), b"");
        assert_eq!(relaxed_body(b"\r\n\r\n"), b"");
        assert_eq!(relaxed_body(b"a"), b"a\r\n");
        assert_eq!(relaxed_body(b" \t a\t\tb \r\n\t\r\n\r\n  c"), b" a b\r\n\r\n\r\n c\r\n");
    }

    #[test]
    fn a_key_that_is_none_is_named_without_being_shown() {
        for key in ["", "secret-text", "-----BEGIN PRIVATE KEY-----\n!!\n-----END PRIVATE KEY-----"]
        {
            let error = Signer::new("example.org", "s1", key).err().unwrap().to_string();
            assert!(error.starts_with("field `dkim_key`"), "{error}");
            assert!(!error.contains("secret-text"));
        }
    }
}
