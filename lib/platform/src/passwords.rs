//! Passwords of users: kept as argon2id hashes, checked in about the same time whoever is asked for.

use crate::refusal::Refusal;
use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use std::fmt::Write as _;
use store::Hash;

/// Bytes of a salt.
const SALT_BYTES: usize = 16;
/// Bytes of a session id or a reply token: nobody guesses it.
const TOKEN_BYTES: usize = 20;
/// Longest password taken, bytes: hashing is no way to keep us busy.
const MOST_BYTES: usize = 1_024;

/// The hash of a password, as the PHC text that says how it was made.
pub(crate) fn hash(password: &str) -> Result<String, Refusal> {
    if password.len() > MOST_BYTES {
        return Err(Refusal::Value {
            field: "passwd".to_owned(),
            value: String::new(),
            reason: format!("it is longer than {MOST_BYTES} bytes"),
        });
    }
    let failed =
        |reason: String| Refusal::Conflict { operation: "hash the password".to_owned(), reason };
    let salt = random::<SALT_BYTES>()?;
    let salt = SaltString::encode_b64(&salt).map_err(|error| failed(error.to_string()))?;
    let hash = Argon2::default()
        .hash_password(password.as_bytes(), &salt)
        .map_err(|error| failed(error.to_string()))?;
    Ok(hash.to_string())
}

/// True if this is the password. Without a hash the work is done all the same: the time tells nobody who exists.
pub(crate) fn fits(password: &str, known: Option<&str>) -> bool {
    let Some(known) = known else {
        let _ = hash(password);
        return false;
    };
    let Ok(known) = PasswordHash::new(known) else { return false };
    password.len() <= MOST_BYTES
        && Argon2::default().verify_password(password.as_bytes(), &known).is_ok()
}

/// A new secret that somebody holds, and what we keep of it.
pub(crate) fn token() -> Result<(String, Hash), Refusal> {
    let mut token = String::with_capacity(2 * TOKEN_BYTES);
    for byte in random::<TOKEN_BYTES>()? {
        let _ = write!(token, "{byte:02x}");
    }
    let hash = Hash::of(token.as_bytes());
    Ok((token, hash))
}

/// True for what has the form of a [`token`].
pub(crate) fn is_token(text: &str) -> bool {
    text.len() == 2 * TOKEN_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn random<const N: usize>() -> Result<[u8; N], Refusal> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Refusal::Conflict {
        operation: "make a secret".to_owned(),
        reason: format!("the system gives no random bytes: {error}"),
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_fits_its_hash_and_no_other() {
        let made = hash("hunter2").unwrap();
        assert!(made.starts_with("$argon2id$") && !made.contains("hunter2"));
        assert!(fits("hunter2", Some(&made)));
        assert!(!fits("hunter3", Some(&made)) && !fits("hunter2", None) && !fits("", Some("x")));
        assert_ne!(made, hash("hunter2").unwrap(), "each has a salt of its own");
        assert!(hash(&"x".repeat(1_025)).is_err());
    }
}
