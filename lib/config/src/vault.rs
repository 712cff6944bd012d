//! Secrets at rest (DESIGN 7): XChaCha20-Poly1305 under `etc/secret.key`.

use crate::{ConfigError, Root, variable};
use chacha20poly1305::aead::rand_core::RngCore;
use chacha20poly1305::aead::{Aead, KeyInit, OsRng, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use notice::{Fields, GatewayId, Mask, Secret};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const KEY_FILE: &str = "etc/secret.key";
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// First byte of a sealed value, and the first of what is authenticated with it.
const FORMAT: u8 = 2;
/// A file a `@file:` reference names may be that long.
const REFERENCE_BYTES: u64 = 65_536;

/// Seals the secret fields of a row into column `secret`, and opens them. No `Debug`: it holds the key.
pub struct Vault {
    cipher: XChaCha20Poly1305,
    folder: PathBuf,
}

/// The row that secrets belong to. It is authenticated with them (decision 0011): copied into another row, or into a
/// row whose program is another one, they don't open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The table.
    pub table: &'static str,
    /// The row's id; 0 while it has none, and then nothing sealed so is stored.
    pub row: i64,
    /// The program that is given the secrets: the gate of a gateway.
    pub program: &'a str,
}

impl<'a> Place<'a> {
    /// A row of table `gateway`.
    pub fn of_gateway(id: GatewayId, gate: &'a str) -> Self {
        Self { table: "gateway", row: id.0, program: gate }
    }

    /// A row of table `processing`: a server's passwords.
    pub fn of_server(id: i64, program: &'a str) -> Self {
        Self { table: "processing", row: id, program }
    }

    /// A row of table `provisioning`: what calls are signed with.
    pub fn of_handler(id: i64) -> Self {
        Self { table: "provisioning", row: id, program: "" }
    }

    /// A row of table `service`, and what is kept beside it: passwords of what was ordered.
    pub fn of_service(id: i64) -> Self {
        Self { table: "service", row: id, program: "" }
    }

    fn bytes(&self) -> Vec<u8> {
        let (table, row) = (self.table.as_bytes(), self.row.to_be_bytes());
        [&[FORMAT], table, &[0], row.as_slice(), self.program.as_bytes()].concat()
    }
}

/// Fields whose values are secrets. No `Debug`.
#[derive(Clone, Default)]
pub struct Secrets(Vec<(String, Secret)>);

impl Secrets {
    /// The secret under this name.
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, secret)| secret)
    }

    /// Every name and secret in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.0.iter().map(|(name, secret)| (name.as_str(), secret))
    }

    /// A mask that hides them all.
    pub fn mask(&self) -> Mask {
        Mask::new(self.0.iter().map(|(_, secret)| secret))
    }

    /// The fields with these merged in: only while a program's input is built.
    #[must_use]
    pub fn merged_into(&self, mut fields: Fields) -> Fields {
        for (name, secret) in &self.0 {
            fields.set(name, secret.expose());
        }
        fields
    }
}

impl Vault {
    /// Opens `etc/secret.key`; refuses one that others may read.
    pub fn load(root: &Root) -> Result<Self, ConfigError> {
        let path = root.path(KEY_FILE);
        let problem =
            |problem: &str| ConfigError::Key { path: path.clone(), problem: problem.to_owned() };
        let found = match fs::metadata(&path) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(problem(
                    "is missing: restore it from a backup; `gatepost init` makes one where nothing is sealed yet, and else says what is lost",
                ));
            }
            Err(error) => return Err(ConfigError::file("open", path.clone())(error)),
        };
        if found.mode() & 0o077 != 0 {
            return Err(problem(
                "can be read by others: `chmod 600` it, and change the secrets it guards",
            ));
        }
        let text =
            crate::read_regular_text(&path).map_err(ConfigError::file("read", path.clone()))?;
        let key = key_of_hex(text.trim())
            .ok_or_else(|| problem("is not 64 hex digits: restore it from a backup; if there is none, put it aside and run `gatepost init --new-key`"))?;
        Ok(Self::with_key(root, &key))
    }

    /// Whether there is an `etc/secret.key`, fit or not.
    pub fn is_made(root: &Root) -> bool {
        root.path(KEY_FILE).symlink_metadata().is_ok()
    }

    /// Makes `etc/secret.key`, mode 0600, where there is none, and opens it (`gatepost init`).
    pub fn create(root: &Root) -> Result<Self, ConfigError> {
        let path = root.path(KEY_FILE);
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        match made {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Self::load(root),
            Err(error) => return Err(ConfigError::file("make", path)(error)),
            Ok(mut file) => {
                let mut key = [0; KEY_BYTES];
                OsRng.fill_bytes(&mut key);
                let line = format!("{}\n", hex_of(&key));
                let written = file.write_all(line.as_bytes()).and_then(|()| file.sync_all());
                written.map_err(ConfigError::file("write", path))?;
            }
        }
        Self::load(root)
    }

    fn with_key(root: &Root, key: &[u8; KEY_BYTES]) -> Self {
        Self { cipher: XChaCha20Poly1305::new(key.into()), folder: root.folder().to_path_buf() }
    }

    /// The fields, sealed for their row: a byte of format, the nonce, the ciphertext. References are sealed as they stand.
    pub fn seal(&self, place: Place<'_>, fields: &Fields) -> Result<Vec<u8>, ConfigError> {
        let mut nonce = [0; NONCE_BYTES];
        OsRng.fill_bytes(&mut nonce);
        let plain = plain_of(fields);
        let payload = Payload { msg: &plain, aad: &place.bytes() };
        let sealed = self.cipher.encrypt(XNonce::from_slice(&nonce), payload);
        let sealed = sealed.map_err(|_| ConfigError::Sealed("too long"))?;
        Ok([&[FORMAT], nonce.as_slice(), &sealed].concat())
    }

    /// The secrets with references followed: `@file:PATH` (relative to ROOT; one line end at the end is
    /// dropped) and `@env:NAME`. Ask it just before a program's input is built.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Secrets, ConfigError> {
        let mut secrets = self.open_as_stored(place, sealed)?;
        for (name, secret) in &mut secrets.0 {
            if let Some(value) = self.followed(name, secret.expose())? {
                *secret = value;
            }
        }
        Ok(secrets)
    }

    /// The secrets as they were sealed, references not followed: for an edit that keeps the old ones.
    /// An empty column opens to nothing.
    pub fn open_as_stored(&self, place: Place<'_>, sealed: &[u8]) -> Result<Secrets, ConfigError> {
        if sealed.is_empty() {
            return Ok(Secrets::default());
        }
        if sealed[0] != FORMAT || sealed.len() < 1 + NONCE_BYTES {
            return Err(ConfigError::Sealed("it has another format"));
        }
        let (nonce, text) = sealed[1..].split_at(NONCE_BYTES);
        let payload = Payload { msg: text, aad: &place.bytes() };
        let plain = self.cipher.decrypt(XNonce::from_slice(nonce), payload);
        let plain = plain.map_err(|_| {
            ConfigError::Sealed(
                "the key is another one, or the value was changed or sealed for another row",
            )
        })?;
        fields_of(&plain).ok_or(ConfigError::Sealed("it is cut short"))
    }

    fn followed(&self, name: &str, value: &str) -> Result<Option<Secret>, ConfigError> {
        let failed = |problem: String| ConfigError::Reference { name: name.to_owned(), problem };
        if let Some(path) = value.strip_prefix("@file:") {
            let path = self.folder.join(path);
            let text =
                read_short(&path).map_err(|why| failed(format!("`{}` {why}", path.display())))?;
            let text = text
                .strip_suffix('\n')
                .map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
            return Ok(Some(Secret::new(text)));
        }
        let Some(name_there) = value.strip_prefix("@env:") else { return Ok(None) };
        let found = variable(name_there).and_then(|text| text.into_string().ok());
        let text = found.ok_or_else(|| failed(format!("the environment has no `{name_there}`")))?;
        Ok(Some(Secret::new(text)))
    }
}

fn read_short(path: &Path) -> Result<String, String> {
    let file = crate::open_regular(path).map_err(|error| format!("can't be opened: {error}"))?;
    let mut text = String::new();
    file.take(REFERENCE_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|error| format!("can't be read: {error}"))?;
    if text.len() as u64 > REFERENCE_BYTES {
        return Err(format!("is longer than {REFERENCE_BYTES} bytes"));
    }
    Ok(text)
}

/// Name and value by turns, each after its length as 4 bytes, big-endian.
fn plain_of(fields: &Fields) -> Vec<u8> {
    let mut plain = Vec::new();
    for text in fields.iter().flat_map(|(name, value)| [name, value]) {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        plain.extend(length.to_be_bytes());
        plain.extend(text.as_bytes());
    }
    plain
}

fn fields_of(mut plain: &[u8]) -> Option<Secrets> {
    let mut next = || -> Option<String> {
        let (length, rest) = plain.split_first_chunk::<4>()?;
        let (text, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        plain = rest;
        String::from_utf8(text.to_vec()).ok()
    };
    let mut fields = Vec::new();
    while let Some(name) = next() {
        fields.push((name, Secret::new(next()?)));
    }
    plain.is_empty().then_some(Secrets(fields))
}

fn hex_of(key: &[u8]) -> String {
    use std::fmt::Write;
    key.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn key_of_hex(text: &str) -> Option<[u8; KEY_BYTES]> {
    if text.len() != KEY_BYTES * 2 || !text.is_ascii() {
        return None;
    }
    let mut key = [0; KEY_BYTES];
    for (at, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const GATEWAY: Place<'_> = Place { table: "gateway", row: 7, program: "gwsmtp" };

    fn made() -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("etc")).unwrap();
        let root = Root::at(folder.path()).unwrap();
        (folder, root)
    }

    fn fields(value: &str) -> Fields {
        [("password", value), ("токен", "ä")].into_iter().collect()
    }

    #[test]
    fn what_is_sealed_opens_again_and_shows_nothing() {
        let (_folder, root) = made();
        let vault = Vault::create(&root).unwrap();
        let sealed = vault.seal(GATEWAY, &fields("hunter2&<\n")).unwrap();
        assert!(!String::from_utf8_lossy(&sealed).contains("hunter2"));
        assert_ne!(
            sealed,
            vault.seal(GATEWAY, &fields("hunter2&<\n")).unwrap(),
            "each sealing has its own nonce"
        );
        let opened = Vault::load(&root).unwrap().open(GATEWAY, &sealed).unwrap();
        assert_eq!(opened.get("password").unwrap().expose(), "hunter2&<\n");
        assert_eq!(opened.merged_into(Fields::new()), fields("hunter2&<\n"));
        assert_eq!(opened.mask().apply("x hunter2&amp;&lt;\n"), "x ***");
        assert!(vault.open(GATEWAY, &[]).unwrap().get("password").is_none());
    }

    #[test]
    fn a_changed_or_foreign_value_is_refused() {
        let (_folder, root) = made();
        let vault = Vault::create(&root).unwrap();
        let mut sealed = vault.seal(GATEWAY, &fields("x")).unwrap();
        for at in [0, 1, 30] {
            sealed[at] ^= 1;
            assert!(vault.open(GATEWAY, &sealed).is_err(), "byte {at}");
            sealed[at] ^= 1;
        }
        assert!(vault.open(GATEWAY, &sealed[..20]).is_err());
        let (_other_folder, other) = made();
        assert!(Vault::create(&other).unwrap().open(GATEWAY, &sealed).is_err());
    }

    #[test]
    fn a_secret_opens_in_its_own_row_alone() {
        let (_folder, root) = made();
        let vault = Vault::create(&root).unwrap();
        let sealed = vault.seal(GATEWAY, &fields("x")).unwrap();
        for place in [
            Place { row: 8, ..GATEWAY },
            Place { table: "server", ..GATEWAY },
            Place { program: "gwhttp", ..GATEWAY },
        ] {
            let error = vault.open(place, &sealed).err().unwrap().to_string();
            assert!(error.contains("another row"), "{error}");
        }
        assert!(vault.open(GATEWAY, &sealed).is_ok());
    }

    #[test]
    fn the_key_is_for_the_owner_alone_and_made_once() {
        let (_folder, root) = made();
        Vault::create(&root).unwrap();
        let path = root.path(KEY_FILE);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let key = fs::read(&path).unwrap();
        Vault::create(&root).unwrap();
        assert_eq!(fs::read(&path).unwrap(), key);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = Vault::load(&root).err().unwrap().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn references_are_followed_when_opened_and_never_when_edited() {
        let (_folder, root) = made();
        let vault = Vault::create(&root).unwrap();
        fs::write(root.path("etc/pw"), "from file\n").unwrap();
        let all = [("a", "@file:etc/pw"), ("b", "@env:PATH"), ("c", "plain")];
        let sealed = vault.seal(GATEWAY, &all.into_iter().collect()).unwrap();
        let opened = vault.open(GATEWAY, &sealed).unwrap();
        assert_eq!(opened.get("a").unwrap().expose(), "from file");
        assert!(opened.get("b").unwrap().expose().contains("/bin"));
        assert_eq!(
            vault.open_as_stored(GATEWAY, &sealed).unwrap().get("a").unwrap().expose(),
            "@file:etc/pw"
        );
    }

    #[test]
    fn a_reference_that_leads_nowhere_names_itself() {
        let (_folder, root) = made();
        let vault = Vault::create(&root).unwrap();
        for (value, part) in
            [("@file:etc/none", "etc/none"), ("@env:GATEPOST_NO_SUCH", "no `GATEPOST_NO_SUCH`")]
        {
            let sealed = vault.seal(GATEWAY, &fields(value)).unwrap();
            let error = vault.open(GATEWAY, &sealed).err().unwrap().to_string();
            assert!(error.contains("`password`") && error.contains(part), "{error}");
        }
    }
}
