//! A private Postfix with a full queue that relays to the sink.
//!
//! It is filled by `smtp-source` while delivery is put off, started anew, and then told to deliver: how long it
//! takes to drain, not to accept, is what is compared.

use crate::contest::Sender;
use crate::sinks::Sink;
use gatepost_kit::postfix::{owned_by_postfix, services};
use gatepost_kit::tools::{comes_true, find, free_port, greets, run};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Filling and draining take less.
const LONG: Duration = Duration::from_mins(30);

/// What has to be there, else how it is installed.
pub(crate) fn needs() -> Result<(), String> {
    if !["postfix", "smtp-source", "postqueue"].iter().all(|tool| find(tool).is_some()) {
        return Err("apt-get install postfix".to_owned());
    }
    if !fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
        return Err("its queue belongs to an account of its own: run the bench as root".to_owned());
    }
    Ok(())
}

/// `smtp-source` with this many messages of this size, over ten kept connections.
pub(crate) fn smtp_source(port: u16, messages: usize, bytes: usize) -> Command {
    let mut command = Command::new(find("smtp-source").unwrap());
    let (messages, bytes) = (messages.to_string(), bytes.to_string());
    command.args(["-d", "-s", "10", "-m", &messages, "-l", &bytes]);
    command.args(["-f", "bench@example.com", "-t", "u@example.com"]);
    command.arg(format!("127.0.0.1:{port}"));
    command
}

/// What is in its queue.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

/// It waits with its queue full.
pub(crate) struct Queue {
    folder: tempfile::TempDir,
    master: Option<Child>,
    port: u16,
    load: Load,
}

impl Queue {
    /// Filled, all of it put off.
    pub(crate) fn filled(sink_port: u16, load: Load) -> Self {
        let folder = tempfile::Builder::new().prefix("postfix-bench").tempdir().unwrap();
        open_to_all(folder.path());
        for name in ["etc", "queue", "data"] {
            fs::create_dir(folder.path().join(name)).unwrap();
            open_to_all(&folder.path().join(name));
        }
        owned_by_postfix(&folder.path().join("data"));
        let mut queue = Self { folder, master: None, port: free_port(), load };
        queue.start(sink_port, "defer_transports = smtp\n");
        assert!(smtp_source(queue.port, load.messages, load.bytes).status().unwrap().success());
        let all_put_off = || {
            ["incoming", "active", "maildrop"].iter().all(|name| queue.files(name) == 0)
                && queue.files("deferred") == load.messages
        };
        assert!(comes_true(LONG, all_put_off), "{}", queue.log());
        queue.stop();
        queue.start(sink_port, "");
        queue
    }

    fn start(&mut self, sink_port: u16, more: &str) {
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        let main = format!(
            "compatibility_level = 3.6\nqueue_directory = {}\ndata_directory = {}\n\
             mail_owner = postfix\nsetgid_group = postdrop\ninet_interfaces = 127.0.0.1\n\
             inet_protocols = ipv4\nmyhostname = bench.example.net\nmydestination =\n\
             mynetworks = 127.0.0.0/8\nrelayhost = [127.0.0.1]:{sink_port}\n\
             smtp_dns_support_level = disabled\nsmtp_tls_security_level = none\n\
             smtpd_tls_security_level = none\nsmtpd_peername_lookup = no\n\
             smtpd_client_connection_count_limit = 0\nalias_maps =\nalias_database =\n\
             maillog_file = {}\nmaillog_file_prefixes = {}\nbiff = no\n{more}",
            at("queue"),
            at("data"),
            at("mail.log"),
            self.folder.path().display(),
        );
        fs::write(self.config().join("main.cf"), main).unwrap();
        let inet = format!("127.0.0.1:{} inet n - n - 50 smtpd", self.port);
        fs::write(self.config().join("master.cf"), services(vec![inet])).unwrap();
        let log = fs::File::create(self.folder.path().join("start.log")).unwrap();
        let mut command = self.command("postfix");
        command.arg("start-fg").stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.master = Some(command.spawn().unwrap());
        assert!(comes_true(LONG, || greets(self.port)), "{}", self.log());
    }

    fn stop(&mut self) {
        let mut command = self.command("postfix");
        let _ = command.arg("stop").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if let Some(mut master) = self.master.take() {
            let _ = master.wait();
        }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(find(program).unwrap());
        command.arg("-c").arg(self.config());
        command
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("etc")
    }

    fn files(&self, part: &str) -> usize {
        files_below(&self.folder.path().join("queue").join(part))
    }

    fn log(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.folder.path().join(name));
        ["start.log", "mail.log"].map(|name| read(name).unwrap_or_default()).join("\n")
    }
}

impl Sender for Queue {
    fn send(&mut self, sink: &mut Sink) {
        assert!(self.command("postqueue").arg("-f").status().unwrap().success());
        let all = self.load.messages as u64;
        let came = comes_true(LONG, || sink.counts().of("messages") >= all);
        assert!(came, "{}", self.log());
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The version, as Postfix says it.
pub(crate) fn version() -> String {
    run("postconf", &["-d", "-h", "mail_version"]).trim().to_owned()
}

fn files_below(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => files_below(&entry.path()),
            Ok(_) => 1,
            Err(_) => 0,
        })
        .sum()
}

fn open_to_all(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
}
