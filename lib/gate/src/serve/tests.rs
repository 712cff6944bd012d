use std::collections::BTreeMap;
use std::io::{PipeReader, PipeWriter, Write as _, pipe};
use std::os::fd::OwnedFd;
use std::sync::{Barrier, Mutex};

use notice::{Answer, Fields, Outcome, TaskId};
use wire::outgoing::{Outgoing, OutgoingMessage, TaskAttributes};
use wire::serve::{FromGate, ProjectOf, TextForm, append_configure, append_outgoing, append_ping};

use super::*;
use crate::{Features, Reply, Sent};

/// What the gates below are told, as frames.
#[derive(Default)]
struct Told(Vec<u8>);

impl Told {
    fn configured() -> Self {
        Self::default().configure("<doc><login>bob</login></doc>")
    }

    fn configure(mut self, xmlparams: &str) -> Self {
        let columns = [("id", "3")].into_iter().collect();
        append_configure(&mut self.0, (&columns, xmlparams), &Fields::new()).unwrap();
        self
    }

    fn message(mut self, id: u64, text: &str) -> Self {
        let none = Fields::new();
        let outgoing = Outgoing {
            gateway: &none,
            xmlparams: "",
            message: text,
            subject: "",
            text: None,
            headers: &[],
            attachments: &[],
            user_xml: "",
            project: &none,
            task: TaskAttributes {
                id: TaskId(1),
                key: "k",
                attempt: 1,
                maybe_sent: false,
                phone: None,
            },
        };
        let escaped = (&outgoing, ProjectOf::Gateway, TextForm::Escaped);
        append_outgoing(&mut self.0, id, escaped).unwrap();
        self
    }

    fn messages(self, texts: &[&str]) -> Self {
        (0..).zip(texts).fold(self, |told, (id, text)| told.message(id, text))
    }

    fn ping(mut self) -> Self {
        append_ping(&mut self.0).unwrap();
        self
    }
}

/// Both ends of a gate in serve mode.
struct Ends {
    stdin: PipeWriter,
    stdout: PipeReader,
}

/// Runs the gate on a thread while `host` talks to it.
fn with_gate<T>(
    gate: &impl Gate,
    window: usize,
    host: impl FnOnce(Ends) -> T,
) -> (T, Result<(), Parting>) {
    let ((from_host, stdin), (stdout, to_host)) = (pipe().unwrap(), pipe().unwrap());
    let output = File::from(OwnedFd::from(to_host));
    thread::scope(|scope| {
        let serving = scope
            .spawn(move || serve(gate, window, (File::from(OwnedFd::from(from_host)), &output)));
        let heard = host(Ends { stdin, stdout });
        (heard, serving.join().unwrap())
    })
}

/// Tells everything, closes stdin, and reads the answers to the end; pings have none.
fn answers(
    gate: &impl Gate,
    window: usize,
    told: &Told,
) -> (BTreeMap<u64, Answer>, Result<(), Parting>) {
    with_gate(gate, window, |Ends { mut stdin, mut stdout }| {
        stdin.write_all(&told.0).unwrap();
        drop(stdin);
        let mut heard = BTreeMap::new();
        while let Some(frame) = FromGate::read(&mut stdout).unwrap() {
            if let FromGate::Answer(id, answer) = frame {
                assert_eq!(heard.insert(id, answer), None, "{id} is answered twice");
            }
        }
        heard
    })
}

/// Answers with the text it got; what it was told about its gateway is the reference.
struct Plain;

impl Gate for Plain {
    fn source(&self) -> &'static str {
        ""
    }
    fn features(&self) -> Features {
        Features::of(["outgoing", "serve"])
    }
    fn outgoing(&self, message: &OutgoingMessage) -> Result<Sent, Failure> {
        match message.message.as_str() {
            "panic" => panic!("as the test wants it"),
            "never" => Err(Failure::never("told so")),
            text => Ok(Sent::with_reference(format!("{} {text}", message.param("login")))),
        }
    }
}

fn sent(reference: &str) -> Answer {
    Answer::sent(Some(reference.to_owned()))
}

#[test]
fn outgoing_alone_serves_and_a_panic_is_unknown() {
    let told = Told::configured().messages(&["one", "never", "panic", "two"]);
    let (heard, ended) = answers(&Plain, 4, &told);
    assert!(ended.is_ok());
    assert_eq!((&heard[&0], &heard[&3]), (&sent("bob one"), &sent("bob two")));
    assert_eq!(heard[&1], Answer::not_sent(Outcome::Never, "told so"));
    assert_eq!(heard[&2].outcome, Outcome::Unknown);
}

#[test]
fn a_gate_that_is_told_nothing_leaves() {
    let (heard, ended) = answers(&Plain, 1, &Told::default());
    assert!(heard.is_empty() && ended.is_ok());
}

/// Every message waits until all have come.
struct Together(Barrier);

impl Gate for Together {
    fn source(&self) -> &'static str {
        ""
    }
    fn features(&self) -> Features {
        Features::default()
    }
    fn outgoing(&self, _message: &OutgoingMessage) -> Result<Sent, Failure> {
        self.0.wait();
        Ok(Sent::plain())
    }
}

#[test]
fn as_many_messages_as_the_window_are_sent_at_once() {
    let gate = Together(Barrier::new(5));
    let (heard, ended) = answers(&gate, 5, &Told::configured().messages(&["x"; 5]));
    assert!(heard.len() == 5 && ended.is_ok());
}

/// Keeps replies, and gives them all, the last first, from another thread, when it is told `now`.
#[derive(Default)]
struct Keeping(Mutex<Vec<Reply>>);

impl Gate for Keeping {
    fn source(&self) -> &'static str {
        ""
    }
    fn features(&self) -> Features {
        Features::default()
    }
    fn take(&self, message: OutgoingMessage, reply: Reply) {
        match message.message.as_str() {
            "panic" => panic!("as the test wants it"),
            "drop" => return,
            _ => self.0.lock().unwrap().push(reply),
        }
        if message.message == "now" {
            let kept = std::mem::take(&mut *self.0.lock().unwrap());
            thread::spawn(move || {
                kept.into_iter().rev().for_each(|reply| reply.give(Ok(Sent::plain())));
            });
        }
    }
}

#[test]
fn a_gate_may_answer_later_in_any_order_and_from_any_thread() {
    let gate = Keeping::default();
    let (heard, ended) = with_gate(&gate, 8, |Ends { mut stdin, mut stdout }| {
        let told = Told::configured().messages(&["a", "b"]).ping();
        stdin.write_all(&told.0).unwrap();
        // Two messages are open, and a ping is answered all the same.
        assert_eq!(FromGate::read(&mut stdout).unwrap(), Some(FromGate::Ping));
        stdin.write_all(&Told::default().message(9, "now").0).unwrap();
        let heard: Vec<_> = (0..3).map(|_| FromGate::read(&mut stdout).unwrap().unwrap()).collect();
        drop(stdin);
        assert_eq!(FromGate::read(&mut stdout).unwrap(), None);
        heard
    });
    assert!(ended.is_ok());
    let expected = [9, 1, 0].map(|id| FromGate::Answer(id, Answer::sent(None)));
    assert_eq!(heard, expected);
}

#[test]
fn what_is_dropped_or_panics_in_take_is_unknown_and_the_rest_goes_on() {
    let told = Told::configured().messages(&["drop", "panic", "now"]);
    let (heard, ended) = answers(&Keeping::default(), 3, &told);
    assert!(ended.is_ok());
    assert_eq!(
        [heard[&0].outcome, heard[&1].outcome, heard[&2].outcome],
        [Outcome::Unknown, Outcome::Unknown, Outcome::Sent]
    );
}

#[test]
fn xmlparams_nobody_can_read_hold_the_gateway() {
    let (heard, ended) =
        answers(&Plain, 1, &Told::default().configure("login=bob").message(4, "x"));
    assert!(ended.is_ok());
    assert_eq!(heard[&4].outcome, Outcome::Hold);
}

#[test]
fn what_has_no_place_ends_the_conversation_and_what_was_taken_is_answered() {
    let with = |bytes: &[u8]| Told([&Told::configured().message(0, "x").0[..], bytes].concat());
    let table = [
        (with(&Told::configured().0), "the host configures a second time"),
        (with(b"\0\0\0\x05<doc>"), "the host sends nonsense: a frame is no document"),
        (with(b"\0\0\0\x06<doc/>"), "the host sends nonsense: a frame with the command ``"),
        (with(b"\xff\0\0\0"), "the host sends nonsense: a frame of"),
        (with(b"\0\0\0\x09<do"), "the host sends nonsense: the stream ended inside a frame"),
    ];
    for (told, words) in table {
        let (heard, ended) = answers(&Plain, 2, &told);
        let ended = ended.unwrap_err().to_string();
        assert!(ended.starts_with(words), "{ended}");
        assert_eq!(heard[&0], sent("bob x"), "{words}");
    }
    let (heard, ended) = answers(&Plain, 1, &Told::default().message(0, "x"));
    assert_eq!(ended.unwrap_err().to_string(), "the host sends a message before it configures");
    assert!(heard.is_empty());
}

#[test]
fn more_than_the_window_is_not_taken() {
    let told = Told::configured().messages(&["a", "b", "now"]);
    let (gate, serving) = (Keeping::default(), Arc::<Serving>::default());
    let mut conversation = Conversation { gate: &gate, serving: &serving, window: 2, known: None };
    let ended = conversation.converse(&told.0[..], || Ok(()));
    assert_eq!(ended.unwrap_err().to_string(), "the host sends more than the window of 2");
    assert_eq!(gate.0.lock().unwrap().len(), 2, "what has its place was taken");
}

#[test]
fn an_answer_that_could_not_be_written_is_no_good_end() {
    let (from_host, mut stdin) = pipe().unwrap();
    stdin.write_all(&Told::configured().message(0, "x").0).unwrap();
    drop(stdin);
    let full = File::options().write(true).open("/dev/full").unwrap();
    let ended = serve(&Plain, 1, (File::from(OwnedFd::from(from_host)), &full));
    assert!(matches!(ended, Err(Parting::Deaf)));
}

#[test]
fn without_a_thread_what_was_taken_is_unknown() {
    let serving = Arc::<Serving>::default();
    serving.owe(1).leave_to_workers(OutgoingMessage::default());
    assert!(serving.workers.wants_thread(1));
    assert!(serving.workers.do_without().is_err(), "there is none at all");
    serving.workers.drop_waiting();
    assert_eq!(serving.line.owed(), 0);
    let mut conversation = Conversation { gate: &Plain, serving: &serving, window: 1, known: None };
    let nobody = || Err(Parting::Thread(io::ErrorKind::WouldBlock.into()));
    let ended = conversation.converse(&Told::configured().message(2, "x").0[..], nobody);
    serving.workers.drop_waiting();
    assert!(matches!(ended, Err(Parting::Thread(_))));
    assert_eq!(serving.line.owed(), 0, "the host hears of each");
}

#[test]
fn a_gate_nobody_listens_to_leaves_though_its_stdin_is_open() {
    let (_stdin, ended) = with_gate(&Plain, 1, |Ends { mut stdin, stdout }| {
        stdin.write_all(&Told::configured().0).unwrap();
        drop(stdout);
        stdin
    });
    assert!(matches!(ended, Err(Parting::Deaf)));
}

/// Counts its calls.
struct Counting(Mutex<u32>);

impl Gate for Counting {
    fn source(&self) -> &'static str {
        ""
    }
    fn features(&self) -> Features {
        Features::default()
    }
    fn outgoing(&self, _message: &OutgoingMessage) -> Result<Sent, Failure> {
        *self.0.lock().unwrap() += 1;
        Ok(Sent::plain())
    }
}

#[test]
fn what_waits_is_not_sent_when_nobody_will_hear_of_it() {
    let (gate, serving) = (Counting(Mutex::new(0)), Arc::<Serving>::default());
    serving.owe(1).leave_to_workers(OutgoingMessage::default());
    serving.line.go_deaf();
    serving.workers.close();
    work(&gate, &serving);
    assert_eq!((*gate.0.lock().unwrap(), serving.line.owed()), (0, 0));
}
