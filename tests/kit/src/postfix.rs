//! A private Postfix: own configuration, queue and ports in a temporary folder, delivery to Maildirs.
//!
//! `anna`, `boris`, `notify` and `user0` to `user999` have a mailbox in `example.test`; `bounced@` is
//! taken and then comes back to its sender; other names are refused. A Dovecot beside it knows the
//! account that may send, and shows the mailboxes by IMAP.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::certificates::Certificates;
use crate::dovecot::Dovecot;
use crate::tools::{LONG, comes_true, find, free_port, greets, is_here, is_root, maildir, run};

/// The account that may send.
pub const LOGIN: &str = "relay@example.test";
/// Its password.
pub const PASSWORD: &str = "s3cret&\"x";
const NUMBERED_USERS: u32 = 1_000;
/// Who owns the mailboxes: nobody.
pub(crate) const MAIL_UID: u32 = 65_534;

/// A running Postfix; stopped when the value goes.
pub struct Postfix {
    folder: tempfile::TempDir,
    certificates: Certificates,
    /// IMAP over the same mailboxes: `anna`, `boris`, `notify`, password [`PASSWORD`].
    pub imap: Dovecot,
    /// Plain or STARTTLS, no login: for this machine's own programs.
    pub port: u16,
    /// STARTTLS demanded, login demanded.
    pub submission_port: u16,
    /// TLS from the first byte, login demanded.
    pub tls_port: u16,
}

impl Postfix {
    /// Starts one; None, said aloud, when a tool or root is missing.
    pub fn start() -> Option<Self> {
        let tools = ["postfix", "sendmail", "openssl", "dovecot", "doveadm"];
        if !is_root() || !tools.iter().all(|tool| is_here(tool)) {
            return None;
        }
        let folder = tempfile::Builder::new().prefix("postfix").tempdir().unwrap();
        open_to_all(folder.path());
        for name in ["etc", "queue", "data", "mail"] {
            fs::create_dir(folder.path().join(name)).unwrap();
            open_to_all(&folder.path().join(name));
        }
        owned_by_postfix(&folder.path().join("data"));
        chown(folder.path().join("mail"), Some(MAIL_UID), Some(MAIL_UID)).unwrap();
        let certificates = Certificates::make(folder.path());
        let users =
            [(LOGIN, PASSWORD), ("anna", PASSWORD), ("boris", PASSWORD), ("notify", PASSWORD)];
        let imap = Dovecot::over(Some(&folder.path().join("mail")), &users)?;
        let postfix = Self {
            imap,
            folder,
            certificates,
            port: free_port(),
            submission_port: free_port(),
            tls_port: free_port(),
        };
        postfix.configure();
        let config = postfix.config();
        // Its daemons inherit our descriptors: with a pipe the caller would wait for them.
        let log = fs::File::create(postfix.folder.path().join("start.log")).unwrap();
        let started = Command::new(find("postfix").unwrap())
            .args(["-c", config.to_str().unwrap(), "start"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .status()
            .unwrap();
        assert!(started.success(), "postfix did not start: {}", postfix.log());
        let up =
            comes_true(LONG, || [postfix.port, postfix.submission_port].into_iter().all(greets));
        assert!(up, "postfix does not answer: {}", postfix.log());
        Some(postfix)
    }

    /// The certificate authority to trust.
    pub fn authority(&self) -> &Path {
        &self.certificates.authority
    }

    /// The folder that holds a Maildir for each user.
    pub fn mail_root(&self) -> PathBuf {
        self.folder.path().join("mail")
    }

    /// The configuration folder (`sendmail -C`, `MAIL_CONFIG`).
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("etc")
    }

    /// A program that is Debian's `sendmail` with this Postfix behind it, as `ntemail.sendmail` may name it.
    pub fn sendmail(&self) -> PathBuf {
        let program = self.folder.path().join("sendmail");
        let real = find("sendmail").unwrap();
        let (real, config) = (real.display(), self.config().display().to_string());
        fs::write(&program, format!("#!/bin/sh\nexec {real} -C {config} \"$@\"\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        program
    }

    /// A user's messages so far.
    pub fn mailbox(&self, user: &str) -> Vec<Vec<u8>> {
        maildir(&self.mail_root().join(user))
    }

    /// Waits for so many messages of a user, at most 20 s.
    pub fn wait_for(&self, user: &str, messages: usize) -> Vec<Vec<u8>> {
        let came = comes_true(LONG, || self.mailbox(user).len() >= messages);
        assert!(came, "{user} has {} messages: {}", self.mailbox(user).len(), self.log());
        self.mailbox(user)
    }

    /// What Postfix logged.
    pub fn log(&self) -> String {
        ["start.log", "mail.log"]
            .map(|name| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default())
            .join("\n")
    }

    fn configure(&self) {
        let at = |name: &str| self.folder.path().join(name).to_str().unwrap().to_owned();
        let main = format!(
            "compatibility_level = 3.6\nqueue_directory = {queue}\ndata_directory = {data}\n\
             mail_owner = postfix\nsetgid_group = postdrop\ninet_interfaces = 127.0.0.1\n\
             inet_protocols = ipv4\nmyhostname = mx.example.test\nmydomain = example.test\n\
             myorigin = example.test\nmydestination =\nmynetworks =\nalias_maps =\nalias_database =\n\
             maillog_file = {log}\nmaillog_file_prefixes = {top}\n\
             virtual_mailbox_domains = example.test\nvirtual_mailbox_base = {mail}\n\
             virtual_mailbox_maps = texthash:{etc}/mailboxes\nvirtual_alias_maps = regexp:{etc}/aliases\n\
             virtual_uid_maps = static:{MAIL_UID}\nvirtual_gid_maps = static:{MAIL_UID}\n\
             virtual_minimum_uid = 1\ndefault_transport = error:5.4.4 there is no outside\n\
             relay_transport = error:5.4.4 there is no outside\nsmtpd_peername_lookup = no\n\
             smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination\n\
             smtpd_tls_cert_file = {cert}\nsmtpd_tls_key_file = {key}\nsmtpd_tls_security_level = may\n\
             smtpd_sasl_type = dovecot\nsmtpd_sasl_path = {sasl}\n\
             smtpd_sasl_security_options = noanonymous\n\
             message_size_limit = 10485760\nsmtputf8_enable = yes\nbiff = no\n",
            queue = at("queue"),
            data = at("data"),
            log = at("mail.log"),
            top = self.folder.path().display(),
            mail = at("mail"),
            etc = at("etc"),
            sasl = self.imap.auth_socket().display(),
            cert = self.certificates.certificate.display(),
            key = self.certificates.key.display(),
        );
        fs::write(self.config().join("main.cf"), main).unwrap();
        let names = ["anna", "boris", "notify"].map(str::to_owned).into_iter();
        let mut mailboxes = String::new();
        for name in names.chain((0..NUMBERED_USERS).map(|number| format!("user{number}"))) {
            mailboxes.extend([&name, "@example.test ", &name, "/\n"]);
        }
        fs::write(self.config().join("mailboxes"), mailboxes).unwrap();
        fs::write(self.config().join("aliases"), "/^bounced@example\\.test$/ gone@nowhere.test\n")
            .unwrap();
        fs::write(self.config().join("master.cf"), services(self.listeners())).unwrap();
    }

    fn listeners(&self) -> Vec<String> {
        let login = "-o smtpd_sasl_auth_enable=yes -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject";
        vec![
            format!("127.0.0.1:{} inet n - n - - smtpd", self.port),
            format!(
                "127.0.0.1:{} inet n - n - - smtpd -o smtpd_tls_security_level=encrypt {login}",
                self.submission_port
            ),
            format!(
                "127.0.0.1:{} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes {login}",
                self.tls_port
            ),
        ]
    }
}

/// `master.cf` with these servers and what every Postfix runs behind them.
pub fn services(mut lines: Vec<String>) -> String {
    lines.extend(
        [
            "pickup unix n - n 60 1 pickup",
            "qmgr unix n - n 300 1 qmgr",
            "tlsmgr unix - - n 1000? 1 tlsmgr",
            "cleanup unix n - n - 0 cleanup",
            "postlog unix-dgram n - n - 1 postlogd",
        ]
        .map(str::to_owned),
    );
    let plain = [
        ("rewrite", "trivial-rewrite"),
        ("bounce", "bounce"),
        ("defer", "bounce"),
        ("trace", "bounce"),
        ("verify", "verify"),
        ("flush", "flush"),
        ("proxymap", "proxymap"),
        ("error", "error"),
        ("retry", "error"),
        ("discard", "discard"),
        ("virtual", "virtual"),
        ("anvil", "anvil"),
        ("scache", "scache"),
        ("smtp", "smtp"),
        ("relay", "smtp"),
    ];
    lines.extend(plain.map(|(name, program)| match name {
        "virtual" => format!("{name} unix - n n - - {program}"),
        "verify" | "anvil" | "scache" => format!("{name} unix - - n - 1 {program}"),
        "bounce" | "defer" | "trace" | "flush" => format!("{name} unix - - n - 0 {program}"),
        _ => format!("{name} unix - - n - - {program}"),
    }));
    lines.join("\n") + "\n"
}

/// Gives a folder to the account Postfix works as.
pub fn owned_by_postfix(folder: &Path) {
    let (uid, gid) = ids_of("postfix");
    chown(folder, Some(uid), Some(gid)).unwrap();
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let config = self.config();
        let _ = Command::new("/usr/sbin/postfix")
            .args(["-c", config.to_str().unwrap_or_default(), "stop"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

pub(crate) fn open_to_all(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
}

fn ids_of(user: &str) -> (u32, u32) {
    let id = |option: &str| run("id", &[option, user]).trim().parse().unwrap();
    (id("-u"), id("-g"))
}
