//! A conversation with one child: what it has in its hands, and what it has said.

use super::{Inside, goes_alone};
use crate::handover::{Begun, Handed, Heard};
use crate::pipeline::{How, Message};
use crate::standing::{Check, Spoke};
use host::serve::{Broken, Remains, Served};
use host::{Listed, ServeTimes};
use notice::{Answer, Fields, Outcome};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use store::Gateway;
use wire::serve::{
    FromGate, ProjectOf, TO_GATE_LIMIT_BYTES, TextForm, append_configure, append_outgoing,
    append_ping,
};

/// What a child is made of and told once.
pub(super) struct Setup {
    pub(super) gateway: Arc<Gateway>,
    pub(super) listed: Arc<Listed>,
    pub(super) project: Arc<Fields>,
}

/// One child and its messages.
pub(super) struct Talk {
    served: Served,
    setup: Setup,
    form: TextForm,
    times: ServeTimes,
    in_hands: BTreeMap<u64, Given>,
    last_id: u64,
    answered: u64,
    started: Instant,
    used: Instant,
    heard: Instant,
    /// When the answer to a ping is due.
    pinged: Option<Instant>,
    /// By then it is ended, with whatever it has.
    leave_by: Option<Instant>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It has not said its first word.
    Greeting,
    /// It takes messages.
    Open,
    /// It gets no more.
    Closing,
}

/// A message in the gate's hands.
struct Given {
    handed: Handed,
    /// Nothing else may be in the gate's hands meanwhile.
    is_alone: bool,
    until: Instant,
    /// Its last byte, in the stream to the gate.
    mark: u64,
}

/// Why a child is ended.
pub(super) enum Fall {
    /// It left by itself.
    Left,
    /// For that, in words.
    Ended(String),
}

/// A child that was ended, and what it had in its hands.
pub(super) struct Fallen {
    pub(super) words: String,
    pub(super) remains: Remains,
    /// It had never said a word.
    pub(super) is_at_start: bool,
    pub(super) answered: u64,
    pub(super) lived: Duration,
    /// How many it had in its hands.
    pub(super) had: usize,
    ends: Vec<(Handed, Result<Heard, How>)>,
}

impl Talk {
    /// Starts a child, and tells it who it is; a ping asks whether it has understood.
    pub(super) fn start(setup: Setup, inside: &Inside) -> Result<Self, String> {
        let tools = &inside.tools;
        let opened = tools.openings.open(&setup.gateway)?;
        let mut served = Served::start(&tools.caller, &setup.listed, opened.mask)?;
        let (columns, xmlparams) = (&opened.columns, opened.xmlparams.as_str());
        let written = append_configure(served.outbox(), (columns, xmlparams), &setup.project)
            .and_then(|()| append_ping(served.outbox()));
        written.map_err(|error| error.to_string())?;
        let (now, times) = (Instant::now(), tools.caller.serve_times());
        let form = setup.listed.features.as_ref().map_or(TextForm::Escaped, TextForm::of);
        Ok(Self {
            served,
            setup,
            form,
            times,
            in_hands: BTreeMap::new(),
            last_id: 0,
            answered: 0,
            started: now,
            used: now,
            heard: now,
            pinged: Some(now + times.hello),
            leave_by: None,
            stage: Stage::Greeting,
        })
    }

    pub(super) fn setup(&self) -> &Setup {
        &self.setup
    }

    pub(super) fn in_hands(&self) -> u32 {
        u32::try_from(self.in_hands.len()).unwrap_or(u32::MAX)
    }

    /// True while it takes messages beside those that it has.
    pub(super) fn takes_more(&self) -> bool {
        self.stage == Stage::Open && !self.in_hands.values().any(|given| given.is_alone)
    }

    pub(super) fn has_answered(&self) -> bool {
        self.answered > 0
    }

    /// It is closing, and has answered everything.
    pub(super) fn is_done(&self) -> bool {
        self.stage == Stage::Closing && self.in_hands.is_empty()
    }

    /// Nothing to do for so long that it may go home.
    pub(super) fn is_idle(&self) -> bool {
        self.in_hands.is_empty() && self.used.elapsed() >= self.times.idle
    }

    /// It gets no more messages, finishes what it has and leaves.
    pub(super) fn close(&mut self) {
        if self.stage != Stage::Closing {
            self.stage = Stage::Closing;
            self.served.close();
        }
    }

    /// It is closed, and has no more time for what it has than any gate has to leave.
    pub(super) fn hurry(&mut self) {
        self.close();
        let soon = Instant::now() + self.times.leave;
        self.leave_by.get_or_insert(soon);
    }

    /// Puts messages into its hands: asked and noted together, written together by the next exchange.
    pub(super) fn give(&mut self, messages: Vec<Message>, inside: &Inside) {
        let orders: Vec<_> = messages.iter().map(|message| &*message.order).collect();
        let begun = inside.tools.door.begin_all(&orders);
        for (message, begun) in messages.into_iter().zip(begun) {
            match begun {
                Ok(begun) => self.write(message, begun, inside),
                Err(how) => inside.tell(message.order.claimed.lease, how, message.details),
            }
        }
    }

    fn write(&mut self, message: Message, begun: Begun, inside: &Inside) {
        inside.tools.door.sabotage.while_sending();
        self.last_id += 1;
        let project = self.project_of(&message);
        let outbox = self.served.outbox();
        let before = outbox.len();
        let nothing = Fields::default();
        let outgoing = message.outgoing((&nothing, ""));
        let written = append_outgoing(outbox, self.last_id, (&outgoing, project, self.form));
        let bytes = outbox.len() - before;
        let is_alone = goes_alone(&message);
        let handed = Handed { begun, details: message.details };
        if written.is_err() || bytes > TO_GATE_LIMIT_BYTES {
            outbox.truncate(before);
            let why = format!("a message of {bytes} bytes is more than a gate takes");
            let ends = vec![(handed, Err(How::Broken(why)))];
            return inside.tools.door.end_all(ends, &inside.outcomes);
        }
        let (now, mark) = (Instant::now(), self.served.mark());
        self.used = now;
        let given = Given { handed, is_alone, until: now + self.times.answer, mark };
        self.in_hands.insert(self.last_id, given);
    }

    /// The project goes along only where it is another than the one the gate knows.
    fn project_of(&mut self, message: &Message) -> ProjectOf {
        let (known, own) = (&self.setup.project, &message.order.project);
        if Arc::ptr_eq(known, own) {
            return ProjectOf::Gateway;
        }
        if known != own {
            return ProjectOf::Message;
        }
        self.setup.project = Arc::clone(own);
        ProjectOf::Gateway
    }

    /// Writes, waits at most `wait`, hears, settles.
    pub(super) fn exchange(&mut self, inside: &Arc<Inside>, wait: Duration) -> Result<(), Fall> {
        self.ping();
        let wait = wait.min(self.due().saturating_duration_since(Instant::now()));
        let heard = self.served.exchange(&inside.bell, wait).map_err(|broken| match broken {
            Broken::Left => Fall::Left,
            Broken::Protocol(_) | Broken::Stopped => Fall::Ended(broken.to_string()),
        })?;
        self.hear(heard, inside)?;
        if let Some(read_bytes) = self.served.deaf() {
            self.take_back(read_bytes, inside)?;
        }
        self.look_at_the_clock()
    }

    /// It reads no more: what it has read it may answer, the rest goes back.
    fn take_back(&mut self, read_bytes: u64, inside: &Inside) -> Result<(), Fall> {
        if self.in_hands.is_empty() {
            self.close();
            return Ok(());
        }
        let unread = |given: &Given| given.mark > read_bytes;
        if self.in_hands.values().all(unread) {
            return Err(Fall::Ended("the gate closed its input".to_owned()));
        }
        let back = self.in_hands.extract_if(.., |_, given| unread(given));
        let ends = back.map(|(_, given)| (given.handed, Err(How::Returned))).collect();
        inside.tools.door.end_all(ends, &inside.outcomes);
        self.close();
        Ok(())
    }

    fn hear(&mut self, heard: Vec<FromGate>, inside: &Arc<Inside>) -> Result<(), Fall> {
        if heard.is_empty() {
            return Ok(());
        }
        self.heard = Instant::now();
        let (mut ends, mut held, mut wrong) = (Vec::new(), Vec::new(), None);
        for from in heard {
            match from {
                FromGate::Ping if self.pinged.take().is_some() => {
                    if self.stage == Stage::Greeting {
                        self.stage = Stage::Open;
                    }
                }
                FromGate::Ping => wrong = Some("a ping nobody asked for".to_owned()),
                FromGate::Answer(id, answer) => match self.in_hands.remove(&id) {
                    Some(given) if answer.outcome == Outcome::Hold => {
                        held.push((given.handed, answer));
                    }
                    Some(given) => ends.push((given.handed, Ok(said(answer, Check::Absent)))),
                    None => wrong = Some(format!("an answer to {id}, which it does not have")),
                },
            }
            if wrong.is_some() {
                break;
            }
        }
        self.answered += (ends.len() + held.len()) as u64;
        inside.tools.door.end_all(ends, &inside.outcomes);
        self.check(held, inside);
        wrong.map_or(Ok(()), |wrong| {
            Err(Fall::Ended(format!("the gate broke the protocol: {wrong}")))
        })
    }

    /// What ended `hold` waits for the check, and nobody else does, unless there is no thread to be had.
    fn check(&self, held: Vec<(Handed, Answer)>, inside: &Arc<Inside>) {
        if held.is_empty() {
            return;
        }
        let of = (Arc::clone(&self.setup.listed), Arc::clone(&self.setup.gateway));
        let (sender, receiver) = channel();
        let (aside, its) = (Arc::clone(inside), of.clone());
        let wait = move || receiver.iter().for_each(|held| aside.settle_held(&its, held));
        match std::thread::Builder::new().spawn(wait) {
            // the thread lives as long as the sender does
            Ok(_) => drop(sender.send(held)),
            Err(_) => inside.settle_held(&of, held),
        }
    }

    /// Asks a gate that is silent, and has nothing to be busy with, whether it is there.
    fn ping(&mut self) {
        let is_silent = self.heard.elapsed().min(self.used.elapsed()) >= self.times.ping;
        if self.takes_more() && self.in_hands.is_empty() && self.pinged.is_none() && is_silent {
            // It is far below any limit.
            let _ = append_ping(self.served.outbox());
            self.pinged = Some(Instant::now() + self.times.hello);
        }
    }

    /// When something is to be done even if nothing is heard.
    fn due(&self) -> Instant {
        let first = || self.in_hands.values().map(|given| given.until).min();
        let answer = self.leave_by.or_else(first);
        let due = match (answer, self.pinged) {
            (None, None) => {
                let ping = self.heard.max(self.used) + self.times.ping;
                Some(ping.min(self.used + self.times.idle))
            }
            (answer, pinged) => [answer, pinged].into_iter().flatten().min(),
        };
        due.unwrap_or_else(|| Instant::now() + self.times.ping)
    }

    /// Where one message is late the others may still be answered: the gate is sent home first, and ended then.
    fn look_at_the_clock(&mut self) -> Result<(), Fall> {
        let now = Instant::now();
        let is_late = self.in_hands.values().any(|given| given.until <= now);
        if self.leave_by.is_some_and(|by| by <= now) && !self.in_hands.is_empty() {
            let secs = self.times.answer.as_secs_f64();
            let why = if is_late { &format!("no answer within {secs:.1} s") } else { "we stopped" };
            return Err(Fall::Ended(format!("{why}, killed")));
        }
        if is_late {
            self.hurry();
        }
        if self.pinged.is_some_and(|due| due <= now) {
            let secs = self.times.hello.as_secs_f64();
            return Err(Fall::Ended(format!("no answer to a ping within {secs:.1} s, killed")));
        }
        Ok(())
    }

    /// Sends home a child that has answered everything.
    pub(super) fn leave(self, inside: &Inside) {
        let (answered, gate) = (self.answered, self.setup.gateway.gate.clone());
        let remains = self.served.leave();
        note(inside, &gate, answered, &remains);
    }

    /// Ends a child. What it may have read and not answered is unknown; what it can't have read never was handed over.
    pub(super) fn end(self, fall: &Fall, inside: &Inside) -> Fallen {
        let gate = &self.setup.gateway.gate;
        let (is_at_start, lived) = (self.stage == Stage::Greeting, self.started.elapsed());
        let remains = self.served.end();
        let words = match fall {
            Fall::Left => format!("the gate left: {}", remains.words),
            Fall::Ended(why) => why.clone(),
        };
        note(inside, gate, self.answered, &remains);
        let mut given: Vec<Given> = self.in_hands.into_values().collect();
        // the one that took too long counts, the others fall along
        given.sort_by_key(|given| given.until);
        let mut spoke = Spoke::Nothing;
        let mut ends: Vec<_> = Vec::with_capacity(given.len());
        for given in given {
            if given.mark > remains.read_bytes {
                ends.push((given.handed, Err(How::Returned)));
                continue;
            }
            let answer = Answer::not_sent(Outcome::Unknown, words.as_str());
            let heard = Heard { answer, spoke, check: Check::Absent, effects: Vec::new() };
            ends.push((given.handed, Ok(heard)));
            spoke = Spoke::Along;
        }
        let answered = self.answered;
        Fallen { words, remains, is_at_start, answered, lived, had: ends.len(), ends }
    }
}

impl Fallen {
    /// Tells what became of what it had. Where that was nothing but messages it can't have read, the first of them
    /// says that the gate is not well.
    pub(super) fn settle(&mut self, inside: &Inside) {
        if self.ends.iter().all(|(_, heard)| heard.is_err())
            && let Some((_, first)) = self.ends.first_mut()
        {
            *first = Ok(crate::oneshot::unreached(self.words.clone()));
        }
        inside.tools.door.end_all(std::mem::take(&mut self.ends), &inside.outcomes);
    }
}

fn said(answer: Answer, check: Check) -> Heard {
    Heard { answer, spoke: Spoke::Document, check, effects: Vec::new() }
}

impl Inside {
    /// Checks, and settles. A gateway that is unfit gets another child later: what this one was told may have changed
    /// by then.
    fn settle_held(
        &self,
        (listed, gateway): &(Arc<Listed>, Arc<Gateway>),
        held: Vec<(Handed, Answer)>,
    ) {
        let check = self.check((listed, gateway));
        if check != Check::Passed {
            self.spoil();
        }
        let ends =
            held.into_iter().map(|(handed, answer)| (handed, Ok(said(answer, check.clone()))));
        self.tools.door.end_all(ends.collect(), &self.outcomes);
    }
}

fn note(inside: &Inside, gate: &str, answered: u64, remains: &Remains) {
    let (writes, words) = (remains.writes, &remains.words);
    (inside.tools.log)(&format!("{gate}: served {answered} messages in {writes} writes, {words}"));
}
