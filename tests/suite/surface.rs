//! The control tool's surface as a table: a command, how it ends, what it prints. What the pages show is run there
//! (`manual.rs`), what takes a terminal in `terminal.rs`; here is the rest.

use crate::stage::LONG;
use gatepost_kit::host::{Host, Ran, Running, wait_until};

/// A line that is typed, its exit code, words of what is printed to stdout and stderr together.
type Row = (&'static str, i32, &'static [&'static str]);

/// Types every line in turn; `'` holds words together.
fn type_all(host: &Host, table: &[Row]) {
    for (line, code, wanted) in table {
        let ran = host.gatepost(&words(line));
        let printed = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.code, Some(*code), "`{line}` printed:\n{printed}");
        for words in *wanted {
            assert!(printed.contains(words), "`{line}` does not say `{words}`:\n{printed}");
        }
    }
}

fn words(line: &str) -> Vec<&str> {
    let parts = line.split('\'').enumerate();
    parts
        .flat_map(
            |(at, part)| {
                if at % 2 == 1 { vec![part] } else { part.split_whitespace().collect() }
            },
        )
        .collect()
}

/// A project, the user jane and the gateway `file`.
fn demo() -> Host {
    let host = Host::bare();
    host.gatepost(&["init", "--demo"]).ended(0);
    host
}

#[test]
fn the_queue_is_listed_and_chosen_from() {
    let host = demo();
    type_all(
        &host,
        &[
            ("send registration --user jane@example.com --key k1", 0, &["ntemail", "queued"]),
            ("queue", 0, &["ID  STATE  MODULE", "ready", "REASON\n"]),
            ("queue -o wide", 0, &["MAYBE SENT", "CREATEDATE", "k1/1/ntemail"]),
            ("queue -o name --module ntemail", 0, &["1\n"]),
            ("cancel --older 1h --dry-run", 0, &["would cancel 0 tasks"]),
            ("cancel", 64, &["say which tasks: numbers, or --state"]),
        ],
    );
    let ten_hours = 36_000_000;
    host.sql(&format!("UPDATE notifytask SET queued_ms = queued_ms - {ten_hours} WHERE id = 1"));
    type_all(
        &host,
        &[
            ("cancel --older 1h --dry-run", 0, &["would cancel 1 task\n"]),
            ("cancel --older 1h", 0, &["cancel: 1 task\n"]),
            ("queue -o name", 0, &["2\n"]),
        ],
    );
}

#[test]
fn a_gateway_is_held_paused_released_and_deleted() {
    let host = demo();
    type_all(
        &host,
        &[
            ("gateway hold file --reason 'bill unpaid'", 0, &["gateway file is held"]),
            ("gateway list", 0, &["file  gwfile  ntemail        1  held          bill unpaid"]),
            ("status -o prometheus", 1, &["gatepost_gateway_open{gateway=\"file\"} 0"]),
            ("gateway release file", 0, &["gateway file is used again"]),
            ("gateway list", 0, &["open"]),
            ("pause --gateway file --reason works --for 2h", 0, &["is held until 20", ": works;"]),
            ("gateway list -o wide", 0, &["held   20", "Z  works", "ON UNKNOWN  SINCE"]),
            ("resume --gateway file", 0, &["gateway file is used again"]),
            (
                "gateway delete file",
                0,
                &["deleted gateway file\nwarning: mail of project 1 ", "`gatepost pause` keeps"],
            ),
            ("gateway list -o json", 0, &["[]\n"]),
            ("gateway hold file --reason x", 66, &["file"]),
        ],
    );
}

/// A held gateway is used by itself when its time is up.
#[test]
fn a_pause_of_a_gateway_ends_by_itself() {
    let host = demo();
    type_all(
        &host,
        &[
            ("pause --gateway file --reason works --for 2h", 0, &[]),
            ("send registration --user jane@example.com --module ntemail", 0, &["queued"]),
        ],
    );
    host.process("ntemail").ended(0);
    assert_eq!(host.sql("SELECT count(*) FROM notifytask"), "1", "it waits");
    type_all(&host, &[("pause --gateway file --reason works --for 1s", 0, &[])]);
    wait_until(LONG, "it is used again", || {
        host.process("ntemail").ended(0);
        host.sql("SELECT count(*) FROM notifytask") == "0"
    });
}

#[test]
fn contacts_are_blocked_and_people_forgotten() {
    let host = demo();
    type_all(
        &host,
        &[
            ("contact block jane@example.com --reason 'she asked'", 0, &["is blocked"]),
            ("contact show jane@example.com", 0, &["email  jane@example.com  blocked  she asked"]),
            ("send registration --user jane@example.com --module ntemail --key k1", 0, &[]),
        ],
    );
    host.process("ntemail").ended(0);
    type_all(
        &host,
        &[
            ("why k1", 0, &["contact_blocked: she asked"]),
            ("contact unblock jane@example.com", 0, &["jane@example.com is ok"]),
            ("contact show jane@example.com -o jsonl", 0, &["\"state\":\"ok\""]),
            ("send registration --user jane@example.com --module ntemail --key k2", 0, &[]),
        ],
    );
    host.process("ntemail").ended(0);
    assert!(host.sql("SELECT contact FROM notifylog").contains("jane@example.com"));
    type_all(
        &host,
        &[
            ("forget jane@example.com", 64, &["Nobody can be asked here: say --yes"]),
            ("forget jane@example.com --yes", 0, &["rows erased", "is forgotten"]),
        ],
    );
    assert!(!host.sql("SELECT * FROM notifylog").contains("jane@example.com"));
}

#[test]
fn completions_and_the_manual_page_are_of_this_tool() {
    let host = Host::new();
    type_all(
        &host,
        &[
            ("completions zsh", 0, &["#compdef gatepost"]),
            ("completions fish", 0, &["complete -c gatepost"]),
            ("completions tcsh", 64, &["none of bash, zsh, fish"]),
            ("template list", 0, &["NOTICE  ", "share/templates/invoice/en.ntemail.html.xslt"]),
            ("template list -o json", 0, &["\"engine\": \"xslt\""]),
        ],
    );
    let script = host.gatepost(&["completions", "bash"]).ended(0).stdout;
    let script = host.write("complete.sh", script);
    let asked = "source $0; COMP_WORDS=(gatepost gatew); COMP_CWORD=1; _gatepost gatepost gatew gatepost; echo ${COMPREPLY[@]}";
    let ran = host.run("/bin/bash", &["-c", asked, script.to_str().unwrap()]).ended(0);
    assert_eq!(ran.stdout, "gateway\n", "{}", ran.stderr);
    let page = host.gatepost(&["completions", "man"]).ended(0).stdout;
    for words in [".TH gatepost 1", ".SH NAME", "Control tool of Gatepost", ".SH SUBCOMMANDS"] {
        assert!(page.contains(words), "the manual page has no `{words}`: {page}");
    }
}

#[test]
fn a_notice_is_taken_from_a_file_or_stdin() {
    let host = demo();
    let notice = "<doc><name>Mail &amp; more</name><service><name>vps-17</name></service></doc>";
    host.write("notice.xml", notice);
    let send = ["send", "service_suspended", "--user", "jane@example.com", "--module", "ntemail"];
    host.gatepost(&[&send[..], &["--xml", "notice.xml"]].concat()).ended(0);
    let from_stdin = [&send[..], &["--xml", "-"]].concat();
    host.run_with("bin/gatepost", &from_stdin, notice.replace("17", "18").as_bytes()).ended(0);
    let broken = host.run_with("bin/gatepost", &from_stdin, b"<doc><service>").ended(65);
    assert!(broken.stderr.contains("the element `service` is not closed"), "{}", broken.stderr);
    host.process("ntemail").ended(0);
    let folder = std::fs::read_dir(host.path("var/mail")).unwrap();
    let sent: String =
        folder.map(|file| host.read(file.unwrap().path().to_str().unwrap())).collect();
    assert!(sent.contains("vps-17") && sent.contains("vps-18"), "{sent}");
}

/// Writes what it got to a file.
const GATE: &str = r#"#!/bin/sh
case $2 in
features) echo '<doc><features><feature name="outgoing"/></features><notify_module>ntemail</notify_module></doc>' ;;
outgoing) cat > var/got.xml && echo '<doc/>' ;;
esac
"#;

const DESCRIPTION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<mgrdata>
  <plugin name="gwtell"><group>gateway</group></plugin>
  <metadata name="gateway.gwtell" type="form"><form>
    <field name="login"><input type="text" name="login"/></field>
    <field name="password"><input type="password" name="password" required="yes"/></field>
  </form></metadata>
</mgrdata>
"#;

/// `@env:` and `@file:` are kept as they are written and read each time, so that a new password needs no edit.
#[test]
fn a_secret_may_live_in_the_environment_or_a_file() {
    let host = demo();
    host.program("gate/gwtell", GATE);
    host.write("etc/xml/gatepost_mod_gwtell.xml", DESCRIPTION);
    host.write("etc/tell.password", "from the file\n");
    let add = "gateway add gwtell name=tell project=Example";
    let literal = host.gatepost(&words(&format!("{add} password=literal"))).ended(64);
    assert!(literal.stderr.contains("write password=@FILE"), "{}", literal.stderr);
    let by_name = format!("{add} password=@env:TELL_PASSWORD");
    let unset = host.gatepost(&words(&by_name)).ended(78);
    assert!(unset.stderr.contains("the environment has no `TELL_PASSWORD`"), "{}", unset.stderr);
    let with_password = |line: &str| {
        let mut tool = host.command("bin/gatepost", &words(line));
        Ran::of(&tool.env("TELL_PASSWORD", "from the environment").output().unwrap()).ended(0);
        host.read("var/got.xml").replace("&lt;", "<").replace("&gt;", ">")
    };
    with_password(&by_name);
    let test = "gateway test tell --to jane@example.com";
    let document = with_password(test);
    assert!(document.contains("<password>from the environment</password>"), "{document}");
    let file = format!("password=@file:{}", host.path("etc/tell.password").display());
    host.gatepost(&["gateway", "edit", "tell", &file]).ended(0);
    assert!(with_password(test).contains("<password>from the file</password>"));
    host.write("etc/tell.password", "a new one\n");
    assert!(with_password(test).contains("<password>a new one</password>"));
}

#[test]
fn check_changes_nothing_in_the_database() {
    let host = demo();
    type_all(&host, &[("send registration --user jane@example.com", 0, &["queued"])]);
    let before = host.sql(".dump");
    type_all(&host, &[("check", 0, &["ok   ", "database", "isolation of templates"])]);
    host.program("gate/gwbroken", "#!/bin/sh\nexit 3\n");
    type_all(&host, &[("check", 78, &["gate/gwbroken", "mend it or take it away"])]);
    assert_eq!(host.sql(".dump"), before);
}

/// A command that stays, and what it has printed so far.
struct Staying<'a> {
    host: &'a Host,
    running: Running,
}

impl<'a> Staying<'a> {
    fn start(host: &'a Host, line: &str) -> Self {
        Self { host, running: host.start("bin/gatepost", &words(line)) }
    }

    fn printed(&self) -> String {
        self.host.read("bin-gatepost.out")
    }

    fn shows(&self, words: &str, times: usize) {
        wait_until(LONG, words, || self.printed().matches(words).count() >= times);
    }

    /// By a signal, as Ctrl-C does.
    fn ends(mut self) {
        self.running.signal("TERM");
        assert_eq!(self.running.wait(LONG), None, "{}", self.printed());
    }
}

#[test]
fn a_watched_status_is_shown_again_until_a_signal() {
    let host = demo();
    let watch = Staying::start(&host, "status --watch");
    watch.shows("\x1b[H\x1b[2JMODULE", 1);
    type_all(&host, &[("send registration --user jane@example.com", 0, &["queued"])]);
    watch.shows("\x1b[H\x1b[2JMODULE", 2);
    watch.shows("ntemail     -                 1 ", 1);
    watch.ends();
}

#[test]
fn a_followed_queue_is_listed_again_when_it_changes() {
    let host = demo();
    let follow = Staying::start(&host, "queue --follow");
    follow.shows("ID  STATE", 1);
    type_all(&host, &[("send registration --user jane@example.com", 0, &["queued"])]);
    follow.shows("1  ready  ntemail", 1);
    follow.ends();
}

#[test]
fn a_followed_log_shows_each_attempt_once() {
    let host = demo();
    let follow = Staying::start(&host, "log -f -o jsonl");
    for (task, key) in [(1, "k1"), (2, "k2")] {
        let send = ["send", "registration", "--user", "jane@example.com", "--module", "ntemail"];
        host.gatepost(&[&send[..], &["--key", key]].concat()).ended(0);
        host.process("ntemail").ended(0);
        follow.shows(&format!("\"task\":{task},"), 1);
    }
    assert_eq!(follow.printed().lines().count(), 2, "{}", follow.printed());
    follow.ends();
}

#[test]
fn the_end_of_a_hold_and_of_a_pause_is_shown_wherever_they_are() {
    let host = demo();
    type_all(
        &host,
        &[
            ("send registration --user jane@example.com --module ntemail", 0, &["queued"]),
            ("pause --gateway file --reason moving --for 2h", 0, &["is held until 20"]),
        ],
    );
    let until = host.sql(
        "SELECT strftime('%Y-%m-%dT%H:%M:%SZ', next_probe_ms/1000, 'unixepoch') FROM gatewaystate",
    );
    for line in ["gateway list", "status"] {
        let shown = host.gatepost(&words(line)).stdout;
        assert!(shown.contains("UNTIL") && shown.contains(&until), "{line}: {shown}");
    }
    let shown = host.gatepost(&["status"]).stdout;
    assert!(shown.contains(&format!(", until {until} (")), "the finding too: {shown}");
    let why = host.gatepost(&["why", "1"]).ended(0).stdout;
    let held = format!("released {until} (in ");
    assert!(why.contains(&held) && why.contains("`gatepost gateway release 1`"), "{why}");
    assert!(!why.contains("Nobody works"), "{why}");
    type_all(
        &host,
        &[
            ("pause --reason x --for abc", 65, &["`for` can't be `abc`: write a time to come"]),
            ("pause --gateway file --reason x --for abc", 65, &["`for` can't be `abc`: "]),
            ("pause --reason x --for 1h", 0, &["paused: nothing goes out"]),
            ("status", 2, &["paused for ", ", until 20", "is held by a person"]),
        ],
    );
}

/// What a service asks for by `retry_after` is no hold: it ends by itself, and soon.
#[test]
fn a_gateway_that_rests_says_until_when() {
    let host = demo();
    host.sql("INSERT INTO setting VALUES('gateway.1.rests_until_ms', (unixepoch()+600)*1000)");
    let at = |format: &str| {
        host.sql(&format!("SELECT strftime('{format}', value/1000, 'unixepoch') FROM setting WHERE name LIKE '%rests%'"))
    };
    let (words, time) = (format!("rests until {} UTC", at("%H:%M:%S")), at("%Y-%m-%dT%H:%M:%SZ"));
    let open = format!("\"rests_until\": \"{time}\"");
    for (line, shown) in [
        ("gateway list", &words),
        ("status", &words),
        ("gateway list -o json", &open),
        ("status -o json", &words),
    ] {
        let stdout = host.gatepost(&self::words(line)).stdout;
        assert!(stdout.contains(shown.as_str()), "{line}, {shown}: {stdout}");
    }
    host.sql("UPDATE setting SET value=1 WHERE name LIKE '%rests%'");
    let over = host.gatepost(&["gateway", "list"]).ended(0).stdout;
    assert!(!over.contains("rests"), "{over}");
}

#[test]
fn a_program_that_can_not_be_run_keeps_the_table_narrow_and_its_reason_apart() {
    use std::os::unix::fs::PermissionsExt;
    let host = demo();
    host.program("notify/ntodd", "#!/bin/sh\n");
    let mode = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(host.path("notify/ntodd"), mode(0o644)).unwrap();
    let shown = host.gatepost(&["status"]).stdout;
    let row = shown.lines().find(|line| line.starts_with("ntodd")).unwrap();
    assert!(row.contains(" broken ") && row.len() < 100, "{shown}");
    assert!(shown.contains("notify/ntodd can't be used: "), "{shown}");
}

#[test]
fn an_address_to_listen_at_is_checked_when_it_is_set() {
    let host = demo();
    for wrong in ["nonsense", "8025", "127.0.0.1", "127.0.0.1:99999", ":80", "a b:80"] {
        let refused = host.gatepost(&["config", "set", "api.listen", wrong]).ended(78).stderr;
        assert!(refused.contains("ADDRESS:PORT, like 127.0.0.1:8025"), "{wrong}: {refused}");
    }
    for right in ["127.0.0.1:8025", "[::1]:8025", "localhost:8025", ""] {
        host.gatepost(&["config", "set", "api.listen", right]).ended(0);
    }
}

#[test]
fn a_new_gate_follows_no_link_and_is_tested_by_its_name() {
    let host = demo();
    let elsewhere = host.path("elsewhere");
    std::os::unix::fs::symlink(&elsewhere, host.path("gate/gwlink")).unwrap();
    type_all(
        &host,
        &[
            ("gate new gwlink --lang sh", 73, &["gate/gwlink` is there already"]),
            ("gate new gwours --lang sh", 0, &["gate/gwours"]),
            ("gate test gwours", 0, &["0 failed"]),
            ("gate test gate/gwours", 0, &["0 failed"]),
        ],
    );
    assert!(!elsewhere.exists());
    let mut away = host.command("bin/gatepost", &["gate", "test", "gwours"]);
    let ran = Ran::of(&away.current_dir("/").output().unwrap()).ended(0);
    assert!(ran.stderr.contains("0 failed"), "{}", ran.stderr);
}

#[test]
fn init_run_again_says_that_it_was_made_before() {
    let host = Host::bare();
    type_all(&host, &[("init", 0, &["is ready. Next:"])]);
    let again = host.gatepost(&["init"]).ended(0).stdout;
    assert!(again.contains("was made before: what was there is left"), "{again}");
    assert!(!again.contains("Next:"), "{again}");
}

#[test]
fn a_choice_by_gateway_says_what_it_does_not_meet() {
    let host = demo();
    let send = "send registration --user jane@example.com --module ntemail";
    type_all(
        &host,
        &[
            ("pause --gateway file --reason works", 0, &[]),
            (send, 0, &["queued"]),
            (send, 0, &["queued"]),
            (
                "cancel --gateway file --dry-run",
                0,
                &[
                    "would cancel 0 tasks\n",
                    "not met: 2 tasks that no gateway has had yet",
                    "`--module ntemail` without `--gateway` meets them",
                ],
            ),
            ("cancel --gateway file", 0, &["cancel: 0 tasks\n", "not met: 2 tasks"]),
        ],
    );
    host.sql("UPDATE notifytask SET last_gateway=1, error_count=1 WHERE id=1");
    type_all(
        &host,
        &[
            ("cancel --gateway file", 0, &["cancel: 1 task\n", "not met: 1 task that"]),
            ("cancel --module ntemail", 0, &["cancel: 1 task\n"]),
        ],
    );
    let last = host.gatepost(&["cancel", "--gateway", "file"]).ended(0);
    assert_eq!(last.stderr, "", "nothing is left to tell of");
}
