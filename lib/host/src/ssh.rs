//! The host's OpenSSH: a server where scripts are run as root, or this host itself.
//!
//! One connection per server is shared by its operations (`ControlMaster`, `var/run/ssh-…`) and closed
//! after a minute. A server's host key is taken at the first contact and pinned in `etc/ssh/known_hosts`;
//! another one is refused from then on (S1-11). The user's own ssh settings, agent and keys do not count.

use crate::shell::{Lost, Shell};
use crate::{End, Environment, Limits, Program, Stop};
use config::{Root, names, variable};
use notice::Secret;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Who logs in (S1-7).
pub const LOGIN: &str = "root";
/// Under ROOT: our key pair and the pinned host keys.
pub const FOLDER: &str = "etc/ssh";
/// Under ROOT: the private key.
pub const KEY: &str = "etc/ssh/id_ed25519";
/// Under ROOT: the pinned host keys.
pub const KNOWN_HOSTS: &str = "etc/ssh/known_hosts";
/// Under ROOT: tells ssh the password.
const ASKPASS: &str = "libexec/gatepost-askpass";

/// To connect, log in and get the first answer.
const CONNECT: Duration = Duration::from_secs(30);
/// The TCP connection alone, in seconds.
const CONNECT_SECS: u32 = 15;
/// After its last operation a connection is kept so long, in seconds.
const PERSIST_SECS: u32 = 60;
/// Where programs are, when nobody said.
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How root is let in.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// By ROOT's key pair.
    Key,
    /// By the password of root. It must hold no line break.
    Password(Secret),
}

/// A server to log in to.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Its IP address or name; the caller has checked that it begins with no `-`.
    pub host: String,
    /// Usually 22.
    pub port: u16,
    /// How we are let in.
    pub login: Login,
    /// Operations with this name share one connection; None: this one is alone, and its login is proven.
    pub shared_as: Option<String>,
}

/// Where scripts are run.
#[derive(Clone, PartialEq, Eq)]
pub enum Server {
    /// This host, as the account we run as.
    Here,
    /// Another, as root.
    There(Address),
}

/// Starts a shell there and has its first answer: nothing has been asked of it but that. Fails with the
/// reason in words: nothing has happened there. `dir` is ROOT. Once `stop` is raised the shell is ended with all it runs.
pub fn connect(
    server: &Server,
    dir: &Path,
    limits: Limits,
    stop: &Arc<Stop>,
) -> Result<Shell, String> {
    let (program, secret) = match server {
        Server::Here => (here(dir, limits), None),
        Server::There(address) => {
            let secret = match &address.login {
                Login::Password(password) => Some(password),
                Login::Key if dir.join(KEY).is_file() => None,
                Login::Key => {
                    return Err("there is no key yet: run `gatepost processing key` and put \
                    what it prints into /root/.ssh/authorized_keys of the server"
                        .to_owned());
                }
            };
            (there(address, dir, limits)?, secret)
        }
    };
    let mut shell = Shell::start(&program, secret)?.until(Arc::clone(stop));
    match (shell.run(&["true"], CONNECT), server) {
        (Ok(_), _) => Ok(shell),
        (Err(lost), Server::Here) => Err(format!("`sh` gave no answer: {}", last_line(&lost))),
        (Err(lost), Server::There(address)) => Err(why_not(&lost, address)),
    }
}

/// Who else than root and the owner of ROOT may put another script in the place of this one, with the command that
/// ends it: by the file or by its folder. `dir` is ROOT. None: nobody, or it is not there.
pub fn who_else_may_change(script: &Path, dir: &Path) -> Option<String> {
    let root = Root::at(dir).ok()?;
    let real = script.canonicalize().ok()?;
    let places = [Some(real.as_path()), real.parent(), script.parent()];
    places.into_iter().flatten().find_map(|place| {
        let who = config::who_else_may_write(&root, place)?;
        Some(format!("{}: {who}", place.display()))
    })
}

fn here(dir: &Path, limits: Limits) -> Program {
    Program {
        path: "/bin/sh".into(),
        args: vec!["-s".into()],
        dir: dir.to_path_buf(),
        environment: environment(),
        limits,
    }
}

fn there(address: &Address, dir: &Path, limits: Limits) -> Result<Program, String> {
    let path = find_ssh().ok_or("there is no `ssh`: install openssh-client")?;
    let askpass = dir.join(ASKPASS);
    let environment = environment().with([
        ("SSH_ASKPASS", askpass.as_os_str()),
        ("SSH_ASKPASS_REQUIRE", "force".as_ref()),
        ("LC_ALL", "C".as_ref()),
    ]);
    Ok(Program { path, args: arguments(address), dir: dir.to_path_buf(), environment, limits })
}

/// No value of a service and no password is among them (S1-44). Paths are relative to ROOT, ssh's folder:
/// the name of a socket is short whatever ROOT is called.
fn arguments(address: &Address) -> Vec<OsString> {
    let mut options = vec![
        format!("UserKnownHostsFile={KNOWN_HOSTS}"),
        "GlobalKnownHostsFile=/dev/null".to_owned(),
        "StrictHostKeyChecking=accept-new".to_owned(),
        "UpdateHostKeys=no".to_owned(),
        "HashKnownHosts=no".to_owned(),
        format!("ConnectTimeout={CONNECT_SECS}"),
        "ServerAliveInterval=15".to_owned(),
        "ServerAliveCountMax=3".to_owned(),
        "ClearAllForwardings=yes".to_owned(),
        "IdentityAgent=none".to_owned(),
        "LogLevel=ERROR".to_owned(),
    ];
    match &address.login {
        Login::Key => options.extend([
            "BatchMode=yes".to_owned(),
            "PreferredAuthentications=publickey".to_owned(),
            "IdentitiesOnly=yes".to_owned(),
            format!("IdentityFile={KEY}"),
        ]),
        Login::Password(_) => options.extend([
            "PubkeyAuthentication=no".to_owned(),
            "PreferredAuthentications=password,keyboard-interactive".to_owned(),
            "NumberOfPasswordPrompts=1".to_owned(),
        ]),
    }
    match &address.shared_as {
        Some(name) => options.extend([
            "ControlMaster=auto".to_owned(),
            format!("ControlPath=var/run/ssh-{name}"),
            format!("ControlPersist={PERSIST_SECS}"),
        ]),
        None => options.extend(["ControlMaster=no".to_owned(), "ControlPath=none".to_owned()]),
    }
    let port = address.port.to_string();
    let fixed = ["-F", "/dev/null", "-T", "-a", "-x", "-l", LOGIN, "-p", &port].map(OsString::from);
    let options = options.into_iter().flat_map(|option| ["-o".into(), OsString::from(option)]);
    let target = ["--", &address.host, "sh", "-s"].map(OsString::from);
    fixed.into_iter().chain(options).chain(target).collect()
}

/// What we have ourselves of it: it was made for us by who started us.
fn environment() -> Environment {
    let handed_on = [names::PATH, names::HOME, names::USER, "LANG", "TZ", "TMPDIR"];
    let known = handed_on.into_iter().filter_map(|name| Some((name.into(), variable(name)?)));
    let all: Vec<(OsString, OsString)> = known.collect();
    let environment = Environment::new(all);
    if variable(names::PATH).is_some() {
        environment
    } else {
        environment.with([("PATH", USUAL_PATH)])
    }
}

/// The tool of OpenSSH by its name, wherever PATH or the usual folders have it.
pub(crate) fn find_tool(name: &str) -> Option<PathBuf> {
    let path = variable(names::PATH).unwrap_or_default();
    let usual = std::env::split_paths(USUAL_PATH).collect::<Vec<_>>();
    std::env::split_paths(&path)
        .chain(usual)
        .map(|folder| folder.join(name))
        .find(|it| it.is_file())
}

fn find_ssh() -> Option<PathBuf> {
    find_tool("ssh")
}

/// What ssh says, and what it means and wants from a person (S1-11).
const REASONS: [(&str, &str); 12] = [
    (
        "IDENTIFICATION HAS CHANGED",
        "its host key is another than at the first contact: somebody may be \
        in between; if the server is new, remove its line from etc/ssh/known_hosts",
    ),
    ("Host key verification failed", "its host key can't be checked"),
    ("Permission denied", ""),
    ("Too many authentication failures", ""),
    ("Connection refused", "nobody listens there: connection refused"),
    ("Connection timed out", "it does not answer"),
    ("Operation timed out", "it does not answer"),
    ("No route to host", "there is no route to it"),
    ("Network is unreachable", "the network is unreachable"),
    ("Could not resolve hostname", "no such name"),
    ("UNPROTECTED PRIVATE KEY", "ssh does not take our key: `chmod 600 etc/ssh/id_ed25519`"),
    ("ssh_askpass", "libexec/gatepost-askpass can't be started"),
];

fn why_not(lost: &Lost, address: &Address) -> String {
    let said = String::from_utf8_lossy(&lost.stderr_tail);
    let host = &address.host;
    let place =
        if address.port == 22 { host.clone() } else { format!("{host} port {}", address.port) };
    let known = REASONS.iter().find(|(sign, _)| said.contains(sign));
    let why = match (known, &address.login) {
        (Some((_, "")), Login::Key) => {
            "it refuses our key: put what `gatepost processing key` prints \
            into its /root/.ssh/authorized_keys"
                .to_owned()
        }
        (Some((_, "")), Login::Password(_)) => {
            "wrong password of root, or it lets no root in by password".to_owned()
        }
        (Some((_, why)), _) => (*why).to_owned(),
        (None, _) if lost.end == End::Deadline => {
            format!("no answer within {} s", CONNECT.as_secs())
        }
        (None, _) => last_line(lost),
    };
    format!("{place} is not reached: {why}")
}

fn last_line(lost: &Lost) -> String {
    let said = String::from_utf8_lossy(&lost.stderr_tail);
    let last = said.lines().map(str::trim).rfind(|line| !line.is_empty());
    last.map_or_else(|| format!("the connection ended ({:?})", lost.end), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(login: Login) -> Address {
        Address { host: "192.0.2.1".into(), port: 22, login, shared_as: Some("7-1".into()) }
    }

    #[test]
    fn no_secret_is_among_the_arguments() {
        // S1-44
        let login = Login::Password(Secret::new("s3cret"));
        for argument in arguments(&address(login)) {
            assert!(!argument.to_string_lossy().contains("s3cret"));
        }
    }

    #[test]
    fn it_is_always_root_and_the_host_is_never_an_option() {
        // S1-7
        let arguments = arguments(&address(Login::Key));
        let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
        assert!(words.windows(2).any(|two| two == ["-l", "root"]));
        assert_eq!(words[words.len() - 4..], ["--", "192.0.2.1", "sh", "-s"]);
    }

    #[test]
    fn each_failure_to_connect_has_its_own_reason() {
        // S1-11
        let said = |stderr: &str, login| {
            let lost =
                Lost { end: End::Exited(255), stdout: Vec::new(), stderr_tail: stderr.into() };
            why_not(&lost, &address(login))
        };
        let password = || Login::Password(Secret::new("x"));
        let denied = "root@192.0.2.1: Permission denied (publickey,password).\r\n";
        for (stderr, login, reason) in [
            (denied, Login::Key, "refuses our key"),
            (denied, password(), "wrong password"),
            (
                "ssh: connect to host 192.0.2.1 port 22: Connection refused",
                Login::Key,
                "nobody listens",
            ),
            ("ssh: connect to host x port 22: No route to host", Login::Key, "no route"),
            (
                "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
                password(),
                "another than at the first",
            ),
            (
                "kex_exchange_identification: read: Connection reset by peer",
                Login::Key,
                "reset by peer",
            ),
            ("", Login::Key, "the connection ended"),
        ] {
            let why = said(stderr, login);
            assert!(why.starts_with("192.0.2.1 is not reached: ") && why.contains(reason), "{why}");
        }
    }
}
