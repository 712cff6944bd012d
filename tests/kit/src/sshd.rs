//! A private sshd on loopback: own configuration, host key and port in a temporary folder, and a folder of
//! stubs first in the PATH of whoever logs in.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::tools::{LONG, comes_true, find, free_port, greets, is_here, is_root, run, skipped};

/// The password of root on a server that takes passwords. Nothing of this machine is changed for it.
pub const PASSWORD: &str = "r00t pass&\"'x";

/// A running sshd, where root logs in; its connections are cut and it is stopped when the value goes.
pub struct Sshd {
    folder: tempfile::TempDir,
    child: Option<Child>,
    settings: String,
    takes_passwords: TakesPasswords,
    /// On 127.0.0.1.
    pub port: u16,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TakesPasswords {
    Yes,
    No,
}

impl Sshd {
    /// Starts one that lets root in by key; None, said aloud, when a tool or root is missing.
    pub fn start() -> Option<Self> {
        Self::start_with("")
    }

    /// The same with more lines of `sshd_config`.
    pub fn start_with(more: &str) -> Option<Self> {
        Self::with(more, TakesPasswords::No)
    }

    /// One that lets root in by [`PASSWORD`]: in a mount namespace of its own, with its own shadow file.
    pub fn start_for_passwords() -> Option<Self> {
        let can_mount = || {
            let words = ["--mount", "mount", "--bind", "/etc/shadow", "/etc/shadow"];
            let tried = Command::new("unshare").args(words).stderr(Stdio::null()).status();
            tried.is_ok_and(|status| status.success())
        };
        if !is_here("openssl") || !is_here("unshare") {
            return None;
        }
        if !can_mount() && !skipped("no mount namespaces here: root's login by password") {
            return None;
        }
        Self::with("", TakesPasswords::Yes)
    }

    fn with(more: &str, takes_passwords: TakesPasswords) -> Option<Self> {
        if !is_root() || !is_here("sshd") || !is_here("ssh") || !is_here("ssh-keygen") {
            return None;
        }
        let folder = tempfile::Builder::new().prefix("sshd").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(folder.path().join("stubs")).unwrap();
        // Where it gives its rights up: made by the package's service, which is not started here.
        fs::create_dir_all("/run/sshd").unwrap();
        let port = free_port();
        let settings = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {at}/host_key\nPidFile none\nUsePAM no\n\
             AuthorizedKeysFile {at}/authorized_keys\nPermitRootLogin yes\nPasswordAuthentication yes\n\
             KbdInteractiveAuthentication no\nStrictModes no\nLogLevel VERBOSE\n\
             SetEnv PATH={at}/stubs:/usr/bin:/bin\n{more}\n",
            at = folder.path().display()
        );
        fs::write(folder.path().join("config"), &settings).unwrap();
        fs::write(folder.path().join("authorized_keys"), "").unwrap();
        let mut sshd = Self { folder, child: None, settings, takes_passwords, port };
        sshd.make_host_key();
        sshd.run();
        Some(sshd)
    }

    /// A path in its folder.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// Lets this key in, and no other.
    pub fn authorize(&self, public_key: &str) {
        fs::write(self.path("authorized_keys"), format!("{public_key}\n")).unwrap();
    }

    /// Puts a program into the folder that is first in PATH.
    pub fn stub(&self, name: &str, text: &str) {
        program(&self.path("stubs").join(name), text);
    }

    /// Puts a script into the folder `scripts`, and gives that folder.
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        let folder = self.path("scripts");
        fs::create_dir_all(&folder).unwrap();
        program(&folder.join(name), text);
        folder
    }

    /// A file in its folder; empty when it is not there.
    pub fn read(&self, relative: &str) -> String {
        let bytes = fs::read(self.path(relative)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What it logged.
    pub fn log(&self) -> String {
        self.read("log")
    }

    /// How often somebody logged in: a shared connection counts once.
    pub fn logins(&self) -> usize {
        self.log().matches("Accepted publickey for ").count()
            + self.log().matches("Accepted password for ").count()
    }

    /// Kills it with all its connections; what was started through them goes on.
    pub fn cut(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Each session of a connection is a process group of its own.
            let all = servers_below(child.id());
            let all = all.iter().map(u32::to_string);
            let _ = Command::new("kill").arg("-KILL").args(all).stderr(Stdio::null()).status();
            let _ = child.wait();
        }
    }

    /// Starts it again, on the same port.
    pub fn run(&mut self) {
        let log = fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        let sshd = find("sshd").unwrap().to_str().unwrap().to_owned();
        let config = self.path("config").to_str().unwrap().to_owned();
        let mut command = match self.takes_passwords {
            TakesPasswords::No => Command::new(&sshd),
            TakesPasswords::Yes => {
                let mut command = Command::new("unshare");
                let shadow = self.own_shadow();
                let script = format!("mount --bind '{shadow}' /etc/shadow && exec \"$@\"");
                command.args(["--mount", "sh", "-c", &script, "sh", &sshd]);
                command
            }
        };
        command.args(["-D", "-e", "-f", &config]).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
        self.child = Some(command.spawn().unwrap());
        assert!(comes_true(LONG, || greets(self.port)), "sshd does not answer: {}", self.log());
    }

    /// Another host key, as after a reinstallation.
    pub fn change_host_key(&mut self) {
        self.cut();
        self.make_host_key();
        self.run();
    }

    /// Other lines of `sshd_config`, beside the usual ones.
    pub fn reconfigure(&mut self, more: &str) {
        self.cut();
        fs::write(self.path("config"), format!("{}{more}\n", self.settings)).unwrap();
        self.run();
    }

    fn make_host_key(&self) {
        for name in ["host_key", "host_key.pub"] {
            let _ = fs::remove_file(self.path(name));
        }
        let file = self.path("host_key").to_str().unwrap().to_owned();
        run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &file]);
    }

    fn own_shadow(&self) -> String {
        let hash = run("openssl", &["passwd", "-6", PASSWORD]);
        let own = fs::read_to_string("/etc/shadow").unwrap();
        let others = own.lines().filter(|line| !line.starts_with("root:"));
        let mut shadow = format!("root:{}:19000:0:99999:7:::\n", hash.trim());
        others.for_each(|line| shadow.extend([line, "\n"]));
        let file = self.path("shadow");
        fs::write(&file, shadow).unwrap();
        file.to_str().unwrap().to_owned()
    }
}

/// This process and what it forked, as far as it is sshd: not the commands that are run for a session.
fn servers_below(top: u32) -> Vec<u32> {
    let mut found = vec![top];
    let mut looked = 0;
    while looked < found.len() {
        let parent = found[looked].to_string();
        looked += 1;
        for entry in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
            let pid = entry.file_name().to_string_lossy().parse();
            let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            // `PID (NAME) STATE PPID …`
            let Some((name, rest)) = stat.rsplit_once(')') else { continue };
            let is_child = rest.split_whitespace().nth(1) == Some(&parent);
            if let (true, true, Ok(pid)) = (is_child, name.contains("(sshd"), pid) {
                found.push(pid);
            }
        }
    }
    found
}

fn program(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(beside, path).unwrap();
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.cut();
    }
}
