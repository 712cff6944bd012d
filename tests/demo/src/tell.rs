//! What the demo says: the tool's own words, a place in a row, one mail.

use crate::scene::Receivers;
use gatepost_kit::host::Host;
use std::process::Command;

/// How many tasks are queued.
pub(crate) fn queue(host: &Host) {
    println!("{}", indented(&host.gatepost(&["status"]).stdout));
}

/// What was sent, what was refused, what waits and why.
pub(crate) fn outcome(host: &Host) {
    println!("== what became of it");
    let log = host.gatepost(&["log", "--limit", "5000", "-o", "jsonl"]).stdout;
    let mut tally: Vec<(String, usize)> = Vec::new();
    for line in log.lines() {
        let field = |name: &str| {
            line.split(&format!("\"{name}\":\""))
                .nth(1)
                .and_then(|rest| rest.split('"').next())
                .unwrap_or_default()
                .to_owned()
        };
        let words = format!("{:<11} {:<8} {}", field("module"), field("outcome"), field("reason"));
        match tally.iter_mut().find(|(known, _)| *known == words) {
            Some((_, count)) => *count += 1,
            None => tally.push((words, 1)),
        }
    }
    tally.sort();
    for (words, count) in &tally {
        println!("   {count:>5}  {words}");
    }
    println!("\n== what still stands in the queue");
    println!("{}", indented(&host.gatepost(&["queue"]).stdout));
    for what in ["nobody@north.example", "south1@south.example"] {
        println!("== gatepost why {what}");
        println!("{}", indented(&host.gatepost(&["why", what]).stdout));
    }
    println!("== gatepost status");
    println!("{}", indented(&host.gatepost(&["status"]).stdout));
}

/// Where the urgent notice came in, of all mail.
pub(crate) fn place_of_the_urgent_one(receivers: &Receivers) {
    let letters = receivers.mail.letters();
    let place = letters
        .iter()
        .position(|letter| letter.recipients.iter().any(|to| to.contains("duty@north.example")));
    match place {
        Some(place) => println!(
            "== the urgent notice was queued last and came in as number {} of {}",
            place + 1,
            letters.len()
        ),
        None => println!("== the urgent notice did not come in"),
    }
}

/// One Russian mail as it arrived: headers and text part, read by Python's email package.
pub(crate) fn one_mail(host: &Host) {
    const SHOW: &str = "import sys, email, email.policy, glob
for path in sorted(glob.glob(sys.argv[1] + '/*.eml')):
    mail = email.message_from_binary_file(open(path, 'rb'), policy=email.policy.default)
    if 'south2@' in str(mail['To']):
        print(path)
        for name in ('From', 'To', 'Subject', 'Message-ID', 'Content-Type'):
            print(f'{name}: {mail[name]}')
        print()
        print(mail.get_body(('plain',)).get_content())
        break";
    println!("\n== one rendered mail");
    #[expect(clippy::disallowed_methods, reason = "the demo stands outside the layers")]
    let output = Command::new("python3")
        .args(["-c", SHOW])
        .arg(host.path("receivers/mail"))
        .output()
        .unwrap();
    println!("{}", indented(&String::from_utf8_lossy(&output.stdout)));
}

fn indented(text: &str) -> String {
    text.lines().flat_map(|line| ["   ", line, "\n"]).collect()
}
