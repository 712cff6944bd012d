//! The system packages: what is missing is installed with apt when root, else named.

use crate::steps;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the packages are for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// To compile and run Gatepost.
    Building,
    /// To show the platform with real servers and the documents' programs.
    Showing,
    /// To run every test against the real thing; what showing needs, too.
    Testing,
    /// To measure.
    Measuring,
}

impl For {
    fn includes(self, other: Self) -> bool {
        other == self
            || other == Self::Building
            || (self == Self::Testing && other == Self::Showing)
    }
}

/// A package and how to see that it is there.
struct Package {
    name: &'static str,
    sign: Sign,
    needed: &'static [For],
}

enum Sign {
    Program(&'static str),
    File(&'static str),
}

use Sign::{File, Program};

const PACKAGES: &[Package] = &[
    Package { name: "gcc", sign: Program("gcc"), needed: &[For::Building] },
    Package { name: "libc6-dev", sign: File("/usr/include/stdio.h"), needed: &[For::Building] },
    Package { name: "pkg-config", sign: Program("pkg-config"), needed: &[For::Building] },
    Package {
        name: "libxml2-dev",
        sign: File("/usr/include/libxml2/libxml/parser.h"),
        needed: &[For::Building],
    },
    Package {
        name: "libxslt1-dev",
        sign: File("/usr/include/libxslt/xslt.h"),
        needed: &[For::Building],
    },
    Package { name: "python3", sign: Program("python3"), needed: &[For::Building] },
    Package { name: "xsltproc", sign: Program("xsltproc"), needed: &[For::Testing] },
    Package { name: "sqlite3", sign: Program("sqlite3"), needed: &[For::Showing, For::Measuring] },
    Package { name: "time", sign: Program("time"), needed: &[For::Measuring] },
    Package { name: "postfix", sign: Program("postfix"), needed: &[For::Testing, For::Measuring] },
    Package { name: "dovecot-imapd", sign: File("/usr/lib/dovecot/imap"), needed: &[For::Testing] },
    Package { name: "openssl", sign: Program("openssl"), needed: &[For::Testing, For::Measuring] },
    Package { name: "golang-go", sign: Program("go"), needed: &[For::Showing] },
    Package { name: "php-cli", sign: Program("php"), needed: &[For::Testing] },
    Package {
        name: "php-xml",
        sign: File("/var/lib/dpkg/info/php-xml.list"),
        needed: &[For::Testing],
    },
    Package { name: "python3-pip", sign: Program("pip3"), needed: &[For::Showing, For::Measuring] },
    Package { name: "perl", sign: Program("perl"), needed: &[For::Showing] },
    Package {
        name: "libcgi-pm-perl",
        sign: File("/usr/share/perl5/CGI.pm"),
        needed: &[For::Showing],
    },
    Package {
        name: "php-sqlite3",
        sign: File("/var/lib/dpkg/info/php-sqlite3.list"),
        needed: &[For::Testing],
    },
    Package { name: "nodejs", sign: Program("node"), needed: &[For::Testing, For::Measuring] },
    Package { name: "npm", sign: Program("npm"), needed: &[For::Testing, For::Measuring] },
    Package {
        name: "python3-dkim",
        sign: File("/usr/lib/python3/dist-packages/dkim"),
        needed: &[For::Testing],
    },
    Package {
        name: "python3-nacl",
        sign: File("/usr/lib/python3/dist-packages/nacl"),
        needed: &[For::Testing],
    },
    Package { name: "openssh-client", sign: Program("ssh-keygen"), needed: &[For::Showing] },
    Package { name: "openssh-server", sign: Program("sshd"), needed: &[For::Showing] },
    Package { name: "curl", sign: Program("curl"), needed: &[For::Testing] },
    Package { name: "procps", sign: Program("ps"), needed: &[For::Showing] },
    Package {
        name: "libsasl2-modules",
        sign: File("/usr/share/doc/libsasl2-modules"),
        needed: &[For::Testing],
    },
    Package { name: "strace", sign: Program("strace"), needed: &[For::Testing, For::Measuring] },
];

/// Sees to it that the packages are there.
pub(crate) fn provide(purpose: For) -> Result<()> {
    let missing: Vec<&str> = PACKAGES
        .iter()
        .filter(|package| package.needed.iter().any(|needed| purpose.includes(*needed)))
        .filter(|package| !is_there(&package.sign))
        .map(|package| package.name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !steps::has_program("apt-get") || !is_root() {
        bail!(
            "some system packages are missing; as root:\n  apt-get install {}",
            missing.join(" ")
        );
    }
    println!("installing {}", missing.join(" "));
    apt(&["update", "-qq"])?;
    let mut words = vec!["install", "-y", "-qq", "--no-install-recommends"];
    words.extend(missing);
    apt(&words)
}

/// What ours is compared and tried with, development only: the npm package `ejs`, whose output is the oracle, and
/// the packages of Python.
pub(crate) fn provide_peers() -> Result<()> {
    let folder = peers()?;
    if !folder.join("node_modules/ejs/package.json").is_file() {
        let quiet = ["install", "--silent", "--no-audit", "--no-fund", "--prefix"];
        steps::run(Command::new("npm").args(quiet).arg(&folder).arg("ejs@7"))?;
    }
    provide_python()
}

/// The framework of the documents' handler, and the reference verifier of Standard Webhooks.
pub(crate) fn provide_python() -> Result<()> {
    let python = peers()?.join("python");
    for (module, words) in [
        ("flask", &["flask==3.*"][..]),
        ("standardwebhooks", &["--no-deps", "standardwebhooks==1.1.0"]),
    ] {
        if !python.join(module).is_dir() {
            let quiet = ["-m", "pip", "install", "--quiet", "--target"];
            steps::run(Command::new("python3").args(quiet).arg(&python).args(words))?;
        }
    }
    Ok(())
}

/// What `bench mail` and `bench sms` run beside ours. One that can't be installed is said here and in the tables; the
/// others are measured all the same.
pub(crate) fn provide_rivals() {
    for (place, by, words) in [
        ("node_modules/nodemailer", "npm", &["nodemailer"][..]),
        ("node_modules/undici", "npm", &["undici"]),
        ("measuring/post_office", "pip", &["django==5.*", "django-post_office"]),
        ("measuring/requests", "pip", &["requests"]),
        ("measuring/apprise", "pip", &["apprise"]),
    ] {
        if let Err(error) = provide_rival(place, by, words) {
            println!("{place} is not there: {error:#}");
        }
    }
}

fn provide_rival(place: &str, by: &str, words: &[&str]) -> Result<()> {
    let folder = peers()?;
    if folder.join(place).is_dir() {
        return Ok(());
    }
    if by == "npm" {
        let quiet = ["install", "--silent", "--no-audit", "--no-fund", "--prefix"];
        return steps::run(Command::new("npm").args(quiet).arg(folder).args(words));
    }
    let quiet = ["-m", "pip", "install", "--quiet", "--upgrade", "--target"];
    steps::run(Command::new("python3").args(quiet).arg(folder.join("measuring")).args(words))
}

fn peers() -> Result<PathBuf> {
    let folder = steps::repository().join("target/peers");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn apt(words: &[&str]) -> Result<()> {
    steps::run(
        Command::new("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(words)
            .stdout(std::process::Stdio::null()),
    )
}

fn is_there(sign: &Sign) -> bool {
    match sign {
        Program(name) => steps::has_program(name),
        File(path) => Path::new(path).exists(),
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A measurement on a fresh machine finds what the harness starts by its path or asks the database with.
    #[test]
    fn what_a_measurement_starts_is_installed() {
        let mut sources = String::new();
        for file in std::fs::read_dir(steps::repository().join("benches/src")).unwrap() {
            sources.push_str(&std::fs::read_to_string(file.unwrap().path()).unwrap());
        }
        let is_provided = |name: &str| {
            PACKAGES.iter().any(|package| {
                matches!(package.sign, Program(program) if program == name)
                    && package.needed.iter().any(|needed| For::Measuring.includes(*needed))
            })
        };
        let mut started: Vec<&str> = sources
            .split("\"/usr/bin/")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        if sources.contains(".sql(") {
            started.push("sqlite3");
        }
        assert!(started.len() >= 2, "{started:?}");
        for name in started {
            assert!(is_provided(name), "no package for measuring brings `{name}`");
        }
    }
}
