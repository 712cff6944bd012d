//! A private Dovecot: IMAP over a folder of Maildirs, on its own ports.
//!
//! Users and passwords are given; each user's mail lies in `ROOT/USER` as a Maildir.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::certificates::Certificates;
use crate::postfix::{MAIL_UID, open_to_all};
use crate::tools::{LONG, comes_true, find, free_port, greets, is_here, is_root, maildir};

/// A running Dovecot; stopped when the value goes.
pub struct Dovecot {
    folder: tempfile::TempDir,
    certificates: Certificates,
    mail_root: PathBuf,
    /// Plain and STARTTLS.
    pub port: u16,
    /// TLS from the first byte.
    pub tls_port: u16,
}

impl Dovecot {
    /// Starts one with a mail folder of its own.
    pub fn start(users: &[(&str, &str)]) -> Option<Self> {
        Self::over(None, users)
    }

    /// Starts one over these Maildirs (those of a [`crate::postfix::Postfix`]); None, said aloud, when
    /// a tool or root is missing.
    pub fn over(mail_root: Option<&Path>, users: &[(&str, &str)]) -> Option<Self> {
        if !is_root() || !["dovecot", "doveadm", "openssl"].iter().all(|tool| is_here(tool)) {
            return None;
        }
        let folder = tempfile::Builder::new().prefix("dovecot").tempdir().unwrap();
        open_to_all(folder.path());
        let own = folder.path().join("mail");
        fs::create_dir(&own).unwrap();
        chown(&own, Some(MAIL_UID), Some(MAIL_UID)).unwrap();
        let certificates = Certificates::make(folder.path());
        let dovecot = Self {
            mail_root: mail_root.map_or(own, Path::to_path_buf),
            folder,
            certificates,
            port: free_port(),
            tls_port: free_port(),
        };
        dovecot.configure(users);
        let log = fs::File::create(dovecot.folder.path().join("start.log")).unwrap();
        let started = Command::new(find("dovecot").unwrap())
            .args(["-c", dovecot.config().to_str().unwrap()])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .status()
            .unwrap();
        assert!(started.success(), "dovecot did not start: {}", dovecot.log());
        assert!(comes_true(LONG, || greets(dovecot.port)), "dovecot is silent: {}", dovecot.log());
        Some(dovecot)
    }

    /// The certificate authority to trust.
    pub fn authority(&self) -> &Path {
        &self.certificates.authority
    }

    /// The socket on which a mail server asks whether a login is good.
    pub fn auth_socket(&self) -> PathBuf {
        self.folder.path().join("auth.sock")
    }

    /// Puts a message into a user's mailbox.
    pub fn deliver(&self, user: &str, message: &[u8]) {
        let folder = self.mail_root.join(user);
        for part in ["cur", "new", "tmp"] {
            fs::create_dir_all(folder.join(part)).unwrap();
        }
        let count = fs::read_dir(folder.join("new")).unwrap().count() + self.messages(user).len();
        fs::write(folder.join("new").join(format!("1700000000.M{count:06}.test")), message)
            .unwrap();
        for part in ["", "cur", "new", "tmp"] {
            chown(folder.join(part), Some(MAIL_UID), Some(MAIL_UID)).unwrap();
        }
    }

    /// A user's messages.
    pub fn messages(&self, user: &str) -> Vec<Vec<u8>> {
        maildir(&self.mail_root.join(user))
    }

    /// What Dovecot logged.
    pub fn log(&self) -> String {
        ["start.log", "dovecot.log"]
            .map(|name| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default())
            .join("\n")
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("dovecot.conf")
    }

    fn configure(&self, users: &[(&str, &str)]) {
        let top = self.folder.path().display();
        let passwords = self.folder.path().join("users");
        let mut lines = String::new();
        for (user, password) in users {
            lines.push_str(user);
            lines.push_str(":{PLAIN}");
            lines.push_str(password);
            lines.push('\n');
        }
        fs::write(&passwords, lines).unwrap();
        fs::set_permissions(&passwords, fs::Permissions::from_mode(0o644)).unwrap();
        let text = format!(
            "base_dir = {top}/run\nstate_dir = {top}/state\nlog_path = {top}/dovecot.log\n\
             protocols = imap\nlisten = 127.0.0.1\nssl = yes\nssl_cert = <{cert}\nssl_key = <{key}\n\
             disable_plaintext_auth = no\nauth_mechanisms = plain login\nfirst_valid_uid = 1\n\
             mail_location = maildir:{mail}/%n\n\
             passdb {{\n driver = passwd-file\n args = {top}/users\n}}\n\
             userdb {{\n driver = static\n args = uid={MAIL_UID} gid={MAIL_UID} home={mail}/%n\n}}\n\
             service auth {{\n unix_listener {top}/auth.sock {{\n  mode = 0666\n }}\n}}\n\
             service imap-login {{\n inet_listener imap {{\n  port = {port}\n }}\n\
             inet_listener imaps {{\n  port = {tls}\n  ssl = yes\n }}\n}}\n",
            cert = self.certificates.certificate.display(),
            key = self.certificates.key.display(),
            mail = self.mail_root.display(),
            port = self.port,
            tls = self.tls_port,
        );
        fs::write(self.config(), text).unwrap();
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        let config = self.config();
        let _ = Command::new("/usr/bin/doveadm")
            .args(["-c", config.to_str().unwrap_or_default(), "stop"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}
