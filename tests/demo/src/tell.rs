//! What the demo says: the tool's own words, a place in a row, one mail.

use crate::scene::{self, Receivers};
use gatepost_kit::host::Host;
use std::collections::BTreeMap;
use std::process::Command;

/// What is read of an attempt.
const NAMES: [&str; 3] = ["module", "outcome", "reason"];
/// An urgent notice is among the next so many, whatever waits (DESIGN 10).
const URGENT_WITHIN: usize = 5;

/// How many tasks are queued.
pub(crate) fn queue(host: &Host) {
    println!("{}", indented(&host.gatepost(&["status"]).stdout));
}

/// How the job ended, by the log, the queue and the receivers.
pub(crate) struct Outcome {
    /// A line for each attempt: module, outcome, reason.
    attempts: Vec<[String; 3]>,
    /// Tasks that wait.
    waiting: usize,
    /// The place of the urgent mail among all mail, from 1.
    urgent: Option<usize>,
    letters: usize,
}

impl Outcome {
    pub(crate) fn of(host: &Host, receivers: &Receivers) -> Self {
        let log = host.gatepost(&["log", "--limit", "5000", "-o", "jsonl"]).stdout;
        let letters = receivers.mail.letters();
        let is_urgent = |to: &String| to.contains("duty@north.example");
        let urgent = letters.iter().position(|letter| letter.recipients.iter().any(is_urgent));
        Self {
            attempts: log.lines().map(|line| NAMES.map(|name| field(line, name))).collect(),
            waiting: host
                .gatepost(&["queue", "--state", "waiting", "-o", "name"])
                .stdout
                .lines()
                .count(),
            urgent: urgent.map(|place| place + 1),
            letters: letters.len(),
        }
    }

    /// What was sent, what was refused, what waits and why.
    pub(crate) fn tell(&self, host: &Host) {
        println!("== what became of it");
        let mut tally: BTreeMap<String, usize> = BTreeMap::new();
        for [module, outcome, reason] in &self.attempts {
            *tally.entry(format!("{module:<11} {outcome:<8} {reason}")).or_default() += 1;
        }
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
        match self.urgent {
            Some(place) => println!(
                "== the urgent notice was queued last and came in as number {place} of {}",
                self.letters
            ),
            None => println!("== the urgent notice did not come in"),
        }
    }

    /// What is not as it should be, in words; nothing when all is well.
    pub(crate) fn faults(&self) -> Vec<String> {
        let users = 2 * scene::USERS;
        let by_sms = 2 * scene::BY_SMS;
        let mut faults: Vec<String> = [
            // all but the one who is refused, and the urgent one
            ("mail sent", self.count("ntemail", "sent", ""), users),
            ("mail refused by the relay", self.count("ntemail", "never", "550"), 1),
            ("text messages sent", self.count("ntsms", "sent", ""), by_sms - 1),
            ("users without a phone", self.count("ntsms", "never", "no_contact"), 1),
            ("notices in the inbox", self.count("ntinternal", "sent", ""), users),
            ("tasks that wait", self.waiting, 1),
            ("mail that came in", self.letters, users),
        ]
        .into_iter()
        .filter(|(_, found, wanted)| found != wanted)
        .map(|(what, found, wanted)| format!("{what}: {found}, not {wanted}"))
        .collect();
        if self.urgent.is_none_or(|place| place > URGENT_WITHIN) {
            let place = self.urgent.map_or("nowhere".to_owned(), |place| format!("number {place}"));
            faults.push(format!("the urgent notice: {place}, not among the first {URGENT_WITHIN}"));
        }
        faults
    }

    fn count(&self, module: &str, outcome: &str, reason: &str) -> usize {
        let fits = |attempt: &&[String; 3]| {
            attempt[0] == module && attempt[1] == outcome && attempt[2].contains(reason)
        };
        self.attempts.iter().filter(fits).count()
    }
}

/// The text of a field of a line of JSON.
fn field(line: &str, name: &str) -> String {
    let (_, rest) = line.split_once(&format!("\"{name}\":\"")).unwrap_or_default();
    rest.split('"').next().unwrap_or_default().to_owned()
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
