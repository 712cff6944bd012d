//! Mail of a project without any gateway goes out by `sendmail -t`: Debian's own, with a real Postfix behind it (S3-17).

use crate::stage::Stage;
use gatepost_kit::host::{Host, has};
use gatepost_kit::postfix::Postfix;
use gatepost_kit::tools::run;
use std::fs;

/// What Python's `email` makes of a mail.
const READ: &str = "
import email, email.policy, sys
m = email.message_from_bytes(open(sys.argv[1], 'rb').read(), policy=email.policy.default)
sys.stdout.reconfigure(encoding='utf-8')
file, = m.iter_attachments()
print(m['To'], m['From'], m['Subject'], sep='|')
print(m['Message-ID'], m['List-Unsubscribe'], sep='|')
print(repr(m.get_body(('plain',)).get_content()), repr(m.get_body(('html',)).get_content()), sep='|')
print(file.get_filename(), file.get_content(), sep='|')
print([defect for part in m.walk() for defect in part.defects], bool(m['Bcc']))
";

fn letter(stage: &Stage) -> &'static [&'static str] {
    stage.host.write(
        "templates/invoice/ru.ntemail.html.ejs",
        "<p>Счёт <b><%= number %></b></p>\n.\n<p>конец</p>\n",
    );
    stage.host.write("templates/invoice/ru.ntemail.text.ejs", "Счёт <%= number %>\n.\nконец\n");
    stage
        .host
        .write("templates/invoice/notice.toml", "list_unsubscribe = \"https://example.com/leave\"\n[subject]\nru = \"Счёт № <%= number %>\"\n");
    &["send", "invoice", "--lang", "ru", "--module", "ntemail", "--data", "number=5"]
}

// S3-17
#[test]
fn mail_without_a_gateway_goes_through_a_real_sendmail_and_is_read_back() {
    let Some(postfix) = Postfix::start() else { return };
    let mut stage = Stage::new();
    let sendmail = format!("\"{}\"", postfix.sendmail().display());
    stage.set(&[("ntemail.sendmail", &sendmail)]);
    let letter = letter(&stage);
    stage.host.write("счёт.txt", "5 roubles\n");
    let anna = ["--to", "anna@example.test", "--key", "bill-5", "--attach", "счёт.txt"];
    stage.host.gatepost(&[letter, &anna].concat()).ended(0);
    stage.host.gatepost(&[letter, &["--to", "boris@example.test"]].concat()).ended(0);
    stage.drain();
    assert_eq!(stage.host.sql("SELECT outcome, count(*) FROM notifylog GROUP BY 1"), "sent|2");
    postfix.wait_for("boris", 1);
    let mail = postfix.wait_for("anna", 1).remove(0);
    if !has("python3") {
        return;
    }
    let file = stage.host.path("mail");
    fs::write(&file, mail).unwrap();
    let said = run("/usr/bin/python3", &["-c", READ, file.to_str().unwrap()]);
    assert_eq!(
        said,
        "anna@example.test|Example <we@example.com>|Счёт № 5\n\
         <bill-5.anna.example.test.ntemail@example.com>|<https://example.com/leave>\n\
         'Счёт 5\\n.\\nконец\\n'|'<p>Счёт <b>5</b></p>\\n.\\n<p>конец</p>\\n'\n\
         счёт.txt|5 roubles\n\n\
         [] False\n"
    );
}

/// What holds for every other test: nothing leaves the installation.
#[test]
fn mail_without_a_gateway_reaches_no_mail_server_of_the_machine_unless_a_test_says_so() {
    let stage = Stage::new();
    let bare = Host::new();
    for host in [&stage.host, &bare] {
        let set = host.gatepost(&["config", "get", "ntemail.sendmail"]).ended(0).stdout;
        assert_eq!(set.trim(), "/usr/bin/false");
    }
    let letter = letter(&stage);
    stage.host.gatepost(&[letter, &["--to", "anna@example.test"]].concat()).ended(0);
    stage.host.process("ntemail").ended(0);
    let rows = stage.host.sql("SELECT outcome, reason FROM notifylog LIMIT 1");
    assert_eq!(rows, "later|exit 1");
}
