//! What is there before the first notice: receivers, projects, gateways, users, templates.

use gatepost_kit::host::{Host, Ran};
use gatepost_kit::http_sink::{HttpSink, Reply};
use gatepost_kit::smtp_sink::{Act, Rule, Sink};
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Says that a ROOT was made by the demo and may be made anew.
const MARK: &str = "made-by-the-demo";
/// Users in each project.
pub(crate) const USERS: usize = 250;
/// Of these, users that get a text message.
pub(crate) const BY_SMS: usize = 20;
/// A mailbox the relay does not know.
const UNKNOWN_MAILBOX: &str = "nobody@north.example";

/// Takes away what an earlier demo left.
pub(crate) fn clear(root: &Path, made: &[&str]) {
    let var = root.join("var");
    assert!(
        !var.exists() || root.join(MARK).exists(),
        "{} is an installation of its own: give another --root",
        root.display()
    );
    for name in made {
        let path = root.join(name);
        let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    }
    fs::write(root.join(MARK), "").unwrap();
}

/// A mail relay that knows all mailboxes but one, and a service for text messages.
pub(crate) struct Receivers {
    pub(crate) mail: Sink,
    pub(crate) sms: HttpSink,
}

impl Receivers {
    pub(crate) fn start() -> Self {
        let refuse = Rule::always("RCPT TO:<NOBODY@", Act::Reply("550 5.1.1 no such mailbox here"));
        let mail =
            Sink::with(&["PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 33554432"], vec![refuse]);
        let sms = HttpSink::start(|_| {
            Reply::ok(r#"{"id":"42"}"#).with_header("Content-Type", "application/json")
        });
        Self { mail, sms }
    }

    /// Writes what came in, to be looked at.
    pub(crate) fn keep(&self, host: &Host) {
        for (number, letter) in self.mail.letters().iter().enumerate() {
            host.write(&format!("receivers/mail/{number:04}.eml"), &letter.content);
        }
        let lines: String =
            self.sms.requests().iter().map(|request| request.body.clone() + "\n").collect();
        host.write("receivers/sms.jsonl", lines);
    }
}

pub(crate) fn projects(host: &Host) {
    done(
        host,
        "project add name=North notifyemail=billing@north.example supportemail=help@north.example language=en timezone=Europe/London billurl=https://my.north.example/",
    );
    done(
        host,
        "project add name=South notifyemail=billing@south.example supportemail=help@south.example language=ru timezone=Europe/Moscow billurl=https://my.south.example/",
    );
}

/// The gateways. What comes back is South's first relay: dropped, it is down, and the one behind it takes over.
pub(crate) fn gateways(host: &Host, receivers: &Receivers) -> Sink {
    let doomed = Sink::start();
    let (mail, down) = (receivers.mail.port(), doomed.port());
    let local = "host=127.0.0.1 security=none auth=none";
    done(host, &format!("gateway add gwsmtp name=north-relay project=North port={mail} {local}"));
    done(
        host,
        &format!(
            "gateway add gwsmtp name=south-relay project=South port={down} {local} priority=1"
        ),
    );
    done(
        host,
        &format!(
            "gateway add gwsmtp name=south-spare project=South port={mail} {local} priority=2"
        ),
    );
    let url = receivers.sms.url("/send");
    let body = r#"body={"to":"{phone}","text":"{message}"}"#;
    let http = format!("url={url}");
    let form = [
        "gateway",
        "add",
        "gwhttp",
        "name=north-sms",
        "project=North",
        "preset=json",
        &http,
        body,
        "reference=id",
    ];
    host.gatepost(&form).ended(0);
    done(host, "gate new gwdemo --lang py");
    host.write("etc/demo-token", "not-a-real-token\n");
    done(
        host,
        &format!(
            "gateway add gwdemo name=south-sms project=South url={url} token=@{} sender=South",
            host.path("etc/demo-token").display()
        ),
    );
    doomed
}

/// 500 users in two languages; one without a phone, one whose mailbox does not exist.
pub(crate) fn users(host: &Host) {
    for (project, code) in [("North", 1), ("South", 2)] {
        let mut users = "name,realname,email,phone,language,account\n".to_owned();
        for number in 1..=USERS {
            let (language, realname) = if number % 2 == 0 {
                ("ru", format!("Анна Орлова {number}"))
            } else {
                ("en", format!("Jane Doe {number}"))
            };
            let name = format!("{}{number}", project.to_lowercase());
            let email = if code == 1 && number == 7 {
                UNKNOWN_MAILBOX.to_owned()
            } else {
                format!("{name}@{}.example", project.to_lowercase())
            };
            let phone = if code == 1 && number == 3 {
                String::new()
            } else {
                format!("+7916{code}{number:06}")
            };
            let account = if number <= BY_SMS { "sms" } else { "" };
            writeln!(users, "{name},{realname},{email},{phone},{language},{account}").unwrap();
        }
        host.run_with(
            "bin/gatepost",
            &["user", "import", "-", "--project", project],
            users.as_bytes(),
        )
        .ended(0);
    }
}

/// The shipped registration is EJS; South has its own: Tera for English, XSLT for Russian.
pub(crate) fn templates(host: &Host) {
    host.write(
        "templates/registration/p2/en.ntemail.html.tera",
        "<p>Dear {{ user.realname }},</p>\n<p>welcome to <b>{{ project.name }}</b>. Your login is {{ user.name }}.</p>\n",
    );
    host.write(
        "templates/registration/p2/ru.ntemail.html.xslt",
        r#"<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:output method="html" encoding="UTF-8"/>
  <xsl:param name="user"/>
  <xsl:template match="/doc">
    <p>Здравствуйте, <xsl:value-of select="$user/realname"/>!</p>
    <p>Вы зарегистрированы в <b><xsl:value-of select="project/name"/></b>. Ваш логин: <xsl:value-of select="$user/name"/>.</p>
  </xsl:template>
</xsl:stylesheet>
"#,
    );
}

pub(crate) fn notices(host: &Host) {
    for project in ["North", "South"] {
        done(
            host,
            &format!(
                "func notify.mass notice=registration project={project} key=welcome-{project}"
            ),
        );
        done(
            host,
            &format!(
                "func notify.mass notice=service_suspended project={project} module=ntsms where=account=sms data.service=vps1"
            ),
        );
    }
    done(host, "send low_balance --user south1 --module ntemail --at +2h");
    done(
        host,
        "send staff_alert --to duty@north.example --lang en --module ntemail --project North --priority 100",
    );
}

fn done(host: &Host, words: &str) -> Ran {
    let words: Vec<&str> = words.split(' ').collect();
    host.gatepost(&words).ended(0)
}
