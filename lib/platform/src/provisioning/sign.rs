//! Signatures of calls: Standard Webhooks, symmetric.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::Secrets;
use notice::{Ms, Secret};
use sha2::{Digest, Sha256};

/// How a secret begins.
const PREFIX: &str = "whsec_";
/// Of a secret we make.
const SECRET_BYTES: usize = 24;
/// Of a secret that is given.
const LEAST_BYTES: usize = 16;
const MOST_BYTES: usize = 128;
const BLOCK_BYTES: usize = 64;

/// What the next secret leaves valid: the last one is signed with beside it for that long.
pub(crate) const ROTATION_MS: i64 = 86_400_000;

/// The field of a sealed secret, and of the time until which an old one is used.
pub(crate) const SECRET: &str = "secret";
pub(crate) const UNTIL: &str = "until_ms";

/// A new secret: 24 random bytes.
pub(crate) fn new_secret() -> Result<Secret, getrandom::Error> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(Secret::new(format!("{PREFIX}{}", STANDARD.encode(bytes))))
}

/// What is wrong with a secret that somebody brought.
pub(crate) fn problem(secret: &str) -> Option<String> {
    match key_of(secret) {
        Some(key) if (LEAST_BYTES..=MOST_BYTES).contains(&key.len()) => None,
        _ => Some(format!(
            "use `{PREFIX}` and {LEAST_BYTES} to {MOST_BYTES} bytes as base64, or leave it out: one is made"
        )),
    }
}

/// The header lines of a call. With two valid secrets there are two signatures.
pub(crate) fn headers(
    (id, at): (&str, Ms),
    body: &[u8],
    secrets: &[Secret],
) -> Vec<(&'static str, String)> {
    let stamp = at.0.div_euclid(1_000).to_string();
    let mut headers = vec![("webhook-id", id.to_owned()), ("webhook-timestamp", stamp.clone())];
    let signatures: Vec<String> = secrets
        .iter()
        .filter_map(|secret| key_of(secret.expose()))
        .map(|key| signature(&key, (id, &stamp), body))
        .collect();
    if !signatures.is_empty() {
        headers.push(("webhook-signature", signatures.join(" ")));
    }
    headers
}

/// The secrets to sign with: the present one, and the last one while it is valid.
pub(crate) fn valid(present: &Secrets, last: &Secrets, now: Ms) -> Vec<Secret> {
    let until = last.get(UNTIL).and_then(|until| until.expose().parse().ok()).unwrap_or(0);
    let last = last.get(SECRET).filter(|_| now.0 < until);
    present.get(SECRET).into_iter().chain(last).cloned().collect()
}

fn key_of(secret: &str) -> Option<Vec<u8>> {
    STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()
}

fn signature(key: &[u8], (id, stamp): (&str, &str), body: &[u8]) -> String {
    let mac = hmac(key, &[id.as_bytes(), b".", stamp.as_bytes(), b".", body]);
    format!("v1,{}", STANDARD.encode(mac))
}

/// HMAC-SHA-256 (RFC 2104).
fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut block = [0; BLOCK_BYTES];
    if key.len() > BLOCK_BYTES {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let padded = |pad: u8| block.map(|byte| byte ^ pad);
    let mut inner = Sha256::new().chain_update(padded(0x36));
    for part in parts {
        inner.update(part);
    }
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner.finalize()).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }

    /// RFC 4231, cases 2 and 6.
    #[test]
    fn the_code_is_the_one_of_the_standard() {
        let mac = hmac(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(hex(&mac), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let mac = hmac(&[0xaa; 131], &[b"Test Using Larger Than Block-Size Key - Hash Key First"]);
        assert_eq!(hex(&mac), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }

    /// The example of the specification's reference libraries.
    #[test]
    fn a_signature_is_the_one_of_standard_webhooks() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let headers = headers((id, Ms(1_614_265_330_999)), b"{\"test\": 2432232314}", &[secret]);
        assert_eq!(headers[1].1, "1614265330");
        assert_eq!(headers[2].1, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn while_a_secret_is_rotated_both_sign() {
        let (new, old) = (new_secret().unwrap(), new_secret().unwrap());
        assert_ne!(new.expose(), old.expose());
        let headers = headers(("k", Ms(0)), b"{}", &[new, old]);
        assert_eq!(headers[2].1.split(' ').filter(|one| one.starts_with("v1,")).count(), 2);
    }

    #[test]
    fn a_secret_that_guards_nothing_is_refused() {
        for bad in ["", "x", "whsec_", "whsec_AAAA", "whsec_not base64!"] {
            assert!(problem(bad).is_some(), "{bad}");
        }
        assert_eq!(problem(new_secret().unwrap().expose()), None);
    }
}
