//! pmshell against a real sshd on loopback, with the documents' scripts where they are present.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that can't go on ends; it starts the program as the queue does"
)]

use gatepost_kit::host::{beside_us, examples};
use gatepost_kit::sshd::{PASSWORD, Sshd};
use gatepost_kit::tools::comes_true;
use notice::Fields;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use wire::params::xmlparams_text;
use wire::xml::{Document, Element};

/// The four of the document; ours, of the same behaviour, where they are absent.
fn scripts() -> PathBuf {
    let theirs = examples().map(|folder| folder.join("shellscripts"));
    theirs.filter(|folder| folder.is_dir()).unwrap_or_else(own_scripts)
}

fn own_scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts")
}

/// Stubs that write down how they were called.
fn stub_accounts(sshd: &Sshd) {
    let log = sshd.path("calls");
    for name in ["useradd", "passwd", "usermod", "userdel", "setquota"] {
        sshd.stub(name, &format!("#!/bin/sh\necho \"{name} $*\" >> '{}'\n", log.display()));
    }
}

/// A ROOT with what pmshell needs of one, and a row of `processing`.
struct Gatepost {
    root: tempfile::TempDir,
    row: Fields,
}

impl Gatepost {
    fn new(port: u16, scripts: &Path) -> Self {
        let root = tempfile::Builder::new().prefix("gate post").tempdir().unwrap();
        for folder in ["var/run", "libexec"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let askpass = root.path().join("libexec/gatepost-askpass");
        std::os::unix::fs::symlink(beside_us("gatepost-askpass"), askpass).unwrap();
        let row = [
            ("ip", "127.0.0.1".to_owned()),
            ("port", port.to_string()),
            ("path", scripts.to_str().unwrap().to_owned()),
        ];
        Self { root, row: row.into_iter().collect() }
    }

    /// A server that lets our key in.
    fn with_key(sshd: &Sshd, scripts: &Path) -> Self {
        let gatepost = Self::new(sshd.port, scripts);
        sshd.authorize(&host::ssh_key::public_key(gatepost.root.path()).unwrap());
        gatepost
    }

    fn row(&self) -> Element {
        Element::new("processing")
            .with_child(Element::new("id").with_text("3"))
            .with_child(Element::new("version").with_text("1"))
            .with_child(Element::new("xmlparams").with_text(xmlparams_text(&self.row)))
    }

    fn input(&self, item: &Element) -> Vec<u8> {
        let task = Element::new("task").with_attribute("id", "7").with_attribute("attempt", "1");
        let root = Element::new("doc").with_child(task).with_child(self.row());
        Document::new(root.with_child(item.clone()).with_child(Element::new("user"))).to_bytes()
    }

    fn start(&self, command: &str, input: &[u8]) -> Child {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pmshell"))
            .args(["--command", command])
            .current_dir(self.root.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child
    }

    fn ask(&self, command: &str, input: &[u8]) -> Said {
        Said::of(self.start(command, input))
    }

    fn perform(&self, command: &str, item: &Element) -> Said {
        self.ask(command, &self.input(item))
    }

    fn check(&self) -> Said {
        let fields = Element::new("xmlparams").with_text(xmlparams_text(&self.row));
        self.ask(
            "check_connection",
            &Document::new(Element::new("doc").with_child(fields)).to_bytes(),
        )
    }
}

/// What pmshell printed; it always ends well.
struct Said {
    stdout: String,
    stderr: String,
}

impl Said {
    fn of(child: Child) -> Self {
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        Self { stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    fn root(&self) -> Element {
        Document::parse(self.stdout.as_bytes()).unwrap_or_else(|_| panic!("{}", self.stdout)).root
    }

    /// `name=value` of each parameter that is kept.
    fn kept(&self) -> Vec<String> {
        let root = self.root();
        assert!(root.child("error").is_none(), "{}", self.stdout);
        let pair = |one: &Element| format!("{}={}", one.attribute("name").unwrap(), one.text());
        root.children_named("itemparam").map(pair).collect()
    }

    /// It failed like this, for that reason.
    fn failed(&self, kind: &str, reason: &str) {
        let root = self.root();
        let error = root.child("error").unwrap_or_else(|| panic!("no error: {}", self.stdout));
        let is_so = error.attribute("type") == Some(kind) && self.stdout.contains(reason);
        assert!(is_so, "not {kind} `{reason}`: {}", self.stdout);
        assert!(root.child("itemparam").is_none(), "{}", self.stdout);
    }

    /// Nobody knows: no document, and exit code 0.
    fn is_unknown(&self, reason: &str) {
        assert!(Document::find_in_output(self.stdout.as_bytes()).is_err(), "{}", self.stdout);
        assert!(
            self.stdout.starts_with("unknown: ") && self.stdout.contains(reason),
            "{}",
            self.stdout
        );
    }
}

fn new_item(password: &str) -> Element {
    Element::new("item")
        .with_attribute("id", "12")
        .with_attribute("externalid", "")
        .with_attribute("username", "u12")
        .with_child(Element::new("password").with_text(password))
}

fn opened_item() -> Element {
    Element::new("item")
        .with_attribute("id", "12")
        .with_attribute("externalid", "u12")
        .with_attribute("username", "u12")
}

fn ordered(item: Element, kind: &str, name: &str, value: &str) -> Element {
    item.with_child(Element::new(kind).with_attribute("name", name).with_text(value))
}

/// A script that writes its words down, each with a NUL behind it.
fn recorder(sshd: &Sshd, name: &str, then: &str) -> PathBuf {
    let file = sshd.path("words");
    let script = format!("#!/bin/bash\nprintf '%s\\0' \"$@\" > '{}'\n{then}\n", file.display());
    sshd.script(name, &script)
}

fn recorded(sshd: &Sshd) -> Vec<String> {
    let words = sshd.read("words");
    words.split_terminator('\0').map(str::to_owned).collect()
}

#[test]
fn the_documents_scripts_open_suspend_resume_and_close() {
    // S1-12, S1-14, S1-19, S1-22 to S1-25, S1-33, S1-38, S1-39, S1-40
    let Some(sshd) = Sshd::start() else { return };
    stub_accounts(&sshd);
    let gatepost = Gatepost::with_key(&sshd, &scripts());
    assert_eq!(
        gatepost.perform("open", &new_item("x")).kept(),
        ["externalid=u12", "username=u12", "password=x"]
    );
    for operation in ["suspend", "resume", "close"] {
        assert!(gatepost.perform(operation, &opened_item()).kept().is_empty());
    }
    let calls = sshd.read("calls");
    let calls: Vec<&str> = calls.lines().filter(|line| !line.starts_with("passwd")).collect();
    assert!(calls[0].starts_with("useradd u12 -d "), "{calls:?}");
    assert_eq!(
        calls[1..],
        ["usermod -d /dev/null u12", "usermod -d /home/ftp_folder u12", "userdel u12"]
    );
}

#[test]
fn our_own_scripts_do_the_same_and_change_parameters() {
    // S1-13, S1-36, S1-37, S1-45
    let Some(sshd) = Sshd::start() else { return };
    stub_accounts(&sshd);
    let gatepost = Gatepost::with_key(&sshd, &own_scripts());
    assert_eq!(gatepost.perform("open", &new_item("x")).kept()[0], "externalid=u12");
    let more = ordered(opened_item(), "addon", "disk", "5");
    assert!(gatepost.perform("setparam", &more).kept().is_empty());
    assert!(gatepost.perform("close", &opened_item()).kept().is_empty());
    assert!(
        sshd.read("calls").ends_with("setquota u12 5\nuserdel u12\n"),
        "{}",
        sshd.read("calls")
    );
}

#[test]
fn an_addon_that_is_called_like_our_own_words_takes_nothing_over() {
    // S1-41
    let Some(sshd) = Sshd::start() else { return };
    stub_accounts(&sshd);
    let gatepost = Gatepost::with_key(&sshd, &scripts());
    let item = ordered(new_item("x"), "addon", "userlimit", "55");
    let item = ordered(item, "param", "passwordage", "90");
    assert_eq!(gatepost.perform("open", &item).kept()[0], "externalid=u12");
    recorder(&sshd, "setparam.sh", "echo OK");
    let own = Gatepost::with_key(&sshd, &sshd.path("scripts"));
    let item = ordered(opened_item(), "addon", "idle", "9");
    own.perform("setparam", &ordered(item, "param", "identity", "i")).kept();
    assert_eq!(recorded(&sshd), ["--idle=9", "--identity=i", "--id=u12", "--user=u12"]);
}

#[test]
fn a_value_with_a_space_may_make_the_script_complain_and_is_opened_all_the_same() {
    // S1-42, S1-43: `[` of the document's script prints "too many arguments".
    let Some(sshd) = Sshd::start() else { return };
    stub_accounts(&sshd);
    sshd.stub("useradd", "#!/bin/sh\necho OK --id=stderr >&2\nexit 1\n");
    let gatepost = Gatepost::with_key(&sshd, &scripts());
    let said = gatepost.perform("open", &ordered(new_item("x"), "addon", "note", "a b c"));
    if scripts() == own_scripts() {
        said.failed("never", "open.sh: exit 1");
    } else {
        assert_eq!(said.kept()[0], "externalid=u12");
    }
}

#[test]
fn hostile_values_arrive_as_they_are_and_do_nothing() {
    // S1-17, S1-31, S1-44
    let Some(sshd) = Sshd::start() else { return };
    recorder(&sshd, "open.sh", "echo OK --id=1");
    let gatepost = Gatepost::with_key(&sshd, &sshd.path("scripts"));
    let trap = sshd.path("trap");
    let bomb =
        format!("$(touch {0})`touch {0}`;touch {0}\n touch {0} \n'\"\\ & | > {0}", trap.display());
    let values = [
        "p w",
        "it's",
        "\"q\"",
        "a\nb",
        "line end\n",
        "$(id)",
        "-rf",
        "--",
        "*",
        "~root",
        "!!",
        "пароль",
        "",
        "\\",
        "\t",
        &bomb,
    ];
    for value in values {
        let item = ordered(new_item(value), "addon", "a", value);
        let item = ordered(item, "param", "b", value);
        let said = gatepost.perform("open", &item);
        if value.is_empty() {
            said.failed("never", "no password");
            continue;
        }
        assert_eq!(said.kept()[0], "externalid=1", "{value:?}");
        let wanted = [
            format!("--a={value}"),
            format!("--b={value}"),
            "--user=u12".into(),
            format!("--password={value}"),
        ];
        assert_eq!(recorded(&sshd), wanted);
    }
    assert!(!trap.exists());
}

/// What others see of our programs: pmshell, ssh, and who holds the connection.
fn command_lines_of_ours() -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines
        .filter(|line| {
            ["pmshell", "ssh ", "ssh: ", "askpass"].iter().any(|name| line.contains(name))
                && !line.contains("open.sh")
        })
        .collect()
}

#[test]
fn no_value_is_seen_in_the_process_list_of_this_host() {
    // S1-44: the words of the script itself, on its own server, are contract.
    let Some(sshd) = Sshd::start_for_passwords() else { return };
    let flag = sshd.path("go");
    let wait = format!(
        "touch '{0}.begun'; while [ ! -e '{0}' ]; do sleep 0.02; done; echo OK --id=1",
        flag.display()
    );
    recorder(&sshd, "open.sh", &wait);
    let mut gatepost = Gatepost::new(sshd.port, &sshd.path("scripts"));
    gatepost.row.set("root_password", "on");
    gatepost.row.set("password", PASSWORD);
    let item = ordered(new_item("s3cretOne"), "param", "domain", "valueTwo");
    let child = gatepost.start("open", &gatepost.input(&item));
    assert!(comes_true(Duration::from_secs(20), || sshd.path("go.begun").exists()));
    let lines = command_lines_of_ours();
    let of_ssh = lines.iter().filter(|line| line.contains("sh -s")).count();
    assert!(of_ssh > 0, "{lines:?}");
    for line in lines {
        for value in ["s3cretOne", "valueTwo", "r00t"] {
            assert!(!line.contains(value), "{line}");
        }
    }
    fs::write(flag, "").unwrap();
    assert_eq!(Said::of(child).kept()[0], "externalid=1");
}

#[test]
fn root_is_let_in_by_password_and_a_wrong_one_has_its_own_reason() {
    // S1-5, S1-6, S1-7, S1-11
    let Some(sshd) = Sshd::start_for_passwords() else { return };
    recorder(&sshd, "open.sh", "echo OK --id=1 --as=$(id -un)");
    let mut gatepost = Gatepost::new(sshd.port, &sshd.path("scripts"));
    gatepost.row.set("root_password", "on");
    gatepost.row.set("password", PASSWORD);
    assert!(gatepost.perform("open", &new_item("x")).kept().contains(&"as=root".to_owned()));
    gatepost.row.set("password", "wr0ng pass");
    gatepost.row.set("port", sshd.port.to_string());
    let said = gatepost.check();
    said.failed("connection", "wrong password of root");
    assert!(!said.stdout.contains("wr0ng"), "{}", said.stdout);
    fs::remove_dir_all(gatepost.root.path().join("var/run")).unwrap();
    fs::create_dir(gatepost.root.path().join("var/run")).unwrap();
    gatepost.perform("open", &new_item("x")).failed("unreached", "wrong password of root");
}

#[test]
fn what_is_never_connected_has_its_reason_and_spends_no_attempt() {
    // S1-11
    let Some(mut sshd) = Sshd::start() else { return };
    recorder(&sshd, "open.sh", "echo OK --id=1");
    let scripts = sshd.path("scripts");
    Gatepost::new(sshd.port, &scripts)
        .perform("open", &new_item("x"))
        .failed("unreached", "there is no key yet");
    let gatepost = Gatepost::with_key(&sshd, &scripts);
    sshd.authorize("");
    gatepost.perform("open", &new_item("x")).failed("unreached", "it refuses our key");
    sshd.authorize(&host::ssh_key::public_key(gatepost.root.path()).unwrap());
    gatepost.perform("open", &new_item("x")).kept();
    fs::remove_file(sshd.path("words")).unwrap();
    sshd.change_host_key();
    for _ in 0..2 {
        gatepost.perform("open", &new_item("x")).failed("unreached", "host key is another");
    }
    fs::remove_file(gatepost.root.path().join("etc/ssh/known_hosts")).unwrap();
    sshd.cut();
    gatepost.perform("open", &new_item("x")).failed("unreached", "connection refused");
    assert!(!sshd.path("words").exists(), "nothing was run");
}

#[test]
fn a_script_that_is_absent_or_not_executable_is_named_before_anything_runs() {
    // S1-12, S1-13
    let Some(sshd) = Sshd::start() else { return };
    stub_accounts(&sshd);
    let folder = recorder(&sshd, "open.sh", "echo OK --id=1");
    let gatepost = Gatepost::with_key(&sshd, &folder);
    let more = ordered(opened_item(), "addon", "disk", "5");
    gatepost.perform("setparam", &more).failed("never", "setparam.sh is missing on 127.0.0.1");
    gatepost.perform("close", &opened_item()).failed("never", "close.sh is missing");
    fs::write(folder.join("resume.sh"), "#!/bin/sh\necho OK").unwrap();
    gatepost.perform("resume", &opened_item()).failed("never", "resume.sh is not executable");
    gatepost.check().failed("connection", "suspend.sh is missing");
}

#[test]
fn a_form_that_works_comes_back_and_its_scripts_were_not_run() {
    // S1-4, S1-8, S1-12
    let Some(sshd) = Sshd::start() else { return };
    stub_accounts(&sshd);
    let mut gatepost = Gatepost::with_key(&sshd, &scripts());
    let said = gatepost.check();
    assert!(said.root().child("xmlparams").is_some() && said.root().child("error").is_none());
    assert_eq!(sshd.read("calls"), "");
    gatepost.row.set("ip", "300.1.1.1");
    gatepost.check().failed("value", "`ip` is neither");
}

#[test]
fn only_exit_0_with_an_ok_line_is_success() {
    // S1-19, S1-21, S1-26, S1-27, S1-33
    let Some(sshd) = Sshd::start() else { return };
    let gatepost = Gatepost::with_key(&sshd, &sshd.path("scripts"));
    for (script, reason) in [
        ("echo 'OK --id=1'; exit 3", "open.sh: exit 3"),
        ("echo 'OK --id=1'; exit 255", "open.sh: exit 255"),
        ("echo fine", "open.sh: no line begins with OK: fine"),
        ("echo 'OK --id=1' >&2", "no line begins with OK"),
        ("echo '\u{41e}\u{41a} --id=1'", "Latin letters"),
        ("echo OK", "the OK line has no --id"),
        ("echo OK --id=", "the OK line has no --id"),
        ("echo \"bad $2\" >&2; exit 1", "bad --password=***"),
        ("kill -9 $$", "open.sh: exit 137"),
    ] {
        sshd.script("open.sh", &format!("#!/bin/bash\n{script}\n"));
        gatepost.perform("open", &new_item("hunter22")).failed("never", reason);
        sshd.script("close.sh", &format!("#!/bin/bash\n{script}\n"));
        let closed = gatepost.perform("close", &opened_item());
        if script.starts_with("echo OK") {
            assert!(closed.kept().is_empty());
        } else {
            assert!(closed.stdout.contains("type=\"later\""), "{}", closed.stdout);
        }
    }
}

#[test]
fn operations_of_one_server_share_a_connection() {
    let Some(sshd) = Sshd::start() else { return };
    recorder(&sshd, "open.sh", "echo OK --id=1");
    let gatepost = Gatepost::with_key(&sshd, &sshd.path("scripts"));
    for _ in 0..3 {
        gatepost.perform("open", &new_item("x")).kept();
    }
    assert_eq!(sshd.logins(), 1, "{}", sshd.log());
}

#[test]
fn a_connection_lost_before_the_line_is_never_connected() {
    // S1-26: the server answers so many lines and dies; the fourth would be the script's.
    let Some(mut sshd) = Sshd::start() else { return };
    recorder(&sshd, "open.sh", "echo OK --id=1");
    let gatepost = Gatepost::with_key(&sshd, &sshd.path("scripts"));
    for lines in 0..3 {
        let loop_ =
            format!("i=0; while [ $i -lt {lines} ]; do read -r l; eval \"$l\"; i=$((i+1)); done");
        sshd.reconfigure(&format!("ForceCommand {loop_}"));
        gatepost.perform("open", &new_item("x")).failed("unreached", "");
    }
    assert!(!sshd.path("words").exists());
    sshd.reconfigure("ForceCommand i=0; while [ $i -lt 3 ]; do read -r l; eval \"$l\"; i=$((i+1)); done; read -r l");
    gatepost.perform("open", &new_item("x")).is_unknown("nobody knows how it ended");
    assert!(!sshd.path("words").exists());
}

#[test]
fn a_connection_lost_while_the_script_runs_is_unknown() {
    // S1-26
    let Some(mut sshd) = Sshd::start() else { return };
    let wait = format!(
        "while [ ! -e '{}' ]; do sleep 0.02; done; echo OK --id=1",
        sshd.path("go").display()
    );
    recorder(&sshd, "open.sh", &wait);
    let gatepost = Gatepost::with_key(&sshd, &sshd.path("scripts"));
    let child = gatepost.start("open", &gatepost.input(&new_item("hunter22")));
    assert!(comes_true(Duration::from_secs(20), || sshd.path("words").exists()));
    sshd.cut();
    let said = Said::of(child);
    said.is_unknown("open.sh was started on 127.0.0.1");
    assert!(!said.stdout.contains("hunter22") && !said.stderr.contains("hunter22"));
    fs::write(sshd.path("go"), "").unwrap();
}

#[test]
fn a_script_that_does_not_end_or_prints_without_end_is_unknown() {
    // S1-26
    let Some(sshd) = Sshd::start() else { return };
    let mut gatepost = Gatepost::with_key(&sshd, &sshd.path("scripts"));
    sshd.script("open.sh", "#!/bin/sh\nexec sleep 30\n");
    gatepost.row.set("timeout_secs", "1");
    gatepost.perform("open", &new_item("x")).is_unknown("no end within 1 s");
    sshd.script("open.sh", "#!/bin/sh\nexec yes\n");
    gatepost.row.set("timeout_secs", "60");
    gatepost.perform("open", &new_item("x")).is_unknown("8 MiB");
}

#[test]
fn a_noisy_login_and_a_child_that_stays_do_no_harm() {
    // S1-28
    let Some(mut sshd) = Sshd::start() else { return };
    sshd.reconfigure("ForceCommand echo OK --id=motd; echo words >&2; exec sh -s");
    recorder(&sshd, "open.sh", "(sleep 30 & ) ; echo adding; echo OK --id=1; echo done");
    let gatepost = Gatepost::with_key(&sshd, &sshd.path("scripts"));
    assert_eq!(gatepost.perform("open", &new_item("x")).kept()[0], "externalid=1");
}

/// Scripts of this host: each does what the text says.
fn local(text: &str) -> (tempfile::TempDir, Gatepost) {
    let folder = tempfile::tempdir().unwrap();
    for name in ["open.sh", "suspend.sh", "resume.sh", "close.sh"] {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        set_mode(&path, 0o755);
    }
    let mut gatepost = Gatepost::new(1, folder.path());
    gatepost.row.set("transport", "local");
    gatepost.row.remove("ip");
    (folder, gatepost)
}

fn set_mode(path: &Path, mode: u32) {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
    fs::set_permissions(path, mode).unwrap();
}

#[test]
fn a_script_of_this_host_that_others_may_write_is_not_run() {
    let (folder, gatepost) = local("#!/bin/sh\ntouch ran\necho OK --id=1\n");
    let script = folder.path().join("open.sh");
    for (place, mode, usual) in [(script.as_path(), 0o757, 0o755), (folder.path(), 0o757, 0o700)] {
        set_mode(place, mode);
        let said = gatepost.perform("open", &new_item("x"));
        said.failed("never", "open.sh is not run: ");
        assert!(said.stdout.contains("chmod o-w"), "{}", said.stdout);
        gatepost.check().failed("connection", "chmod o-w");
        set_mode(place, usual);
    }
    assert!(!gatepost.root.path().join("ran").exists());
    assert_eq!(gatepost.perform("open", &new_item("x")).kept()[0], "externalid=1");
}

#[test]
fn who_ends_pmshell_ends_the_script_it_runs() {
    // S1-26
    let (_folder, gatepost) =
        local("#!/bin/sh\ntrap '' TERM\necho $$ > pid.new\nmv pid.new pid\nsleep 100\n");
    let child = gatepost.start("open", &gatepost.input(&new_item("hunter22")));
    let pid = gatepost.root.path().join("pid");
    assert!(comes_true(Duration::from_secs(20), || pid.exists()));
    let script = fs::read_to_string(&pid).unwrap();
    let ended = Command::new("kill").arg(child.id().to_string()).status();
    assert!(ended.unwrap().success());
    Said::of(child).is_unknown("we were told to leave while it ran");
    let stat = format!("/proc/{}/stat", script.trim());
    let is_gone = || fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z"));
    assert!(comes_true(Duration::from_secs(20), is_gone), "the script lives on");
}

#[test]
fn on_this_host_there_is_no_ssh() {
    let folder = tempfile::tempdir().unwrap();
    let script = "#!/bin/bash\necho \"$@\" > words\necho \"OK --id=7 --name=p w --name=q\"\n";
    for name in ["open.sh", "suspend.sh"] {
        let path = folder.path().join(name);
        fs::write(&path, script).unwrap();
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&path, executable).unwrap();
    }
    let mut gatepost = Gatepost::new(1, folder.path());
    gatepost.row.set("transport", "local");
    gatepost.row.remove("ip");
    let said = gatepost.perform("open", &new_item("s3cret"));
    assert_eq!(said.kept(), ["externalid=7", "username=u12", "password=s3cret", "name=q"]);
    let words = fs::read_to_string(gatepost.root.path().join("words")).unwrap();
    assert_eq!(words, "--user=u12 --password=s3cret\n", "ROOT is its folder");
    assert!(gatepost.perform("suspend", &opened_item()).kept().is_empty());
}
