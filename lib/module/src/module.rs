//! What a module is: the table that Postfix would call its service.

use crate::contact::ContactForm;
use crate::handover::Heard;
use crate::pipeline::{How, Message};
use crate::rules::Way;
use crate::standing::{Check, Spoke};
use notice::{Answer, OnUnknown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use wire::features::Features;

/// A program in `notify/` (S3-22, S3-40). The skeleton owns the loop: it prints the features, claims,
/// renders, hands over and settles; a module says what is particular about it.
///
/// Of the ancestor's headers: `Features` is [`Module::features`], `UserNotify` is [`Module::user_notify`];
/// `ProcessQueue` and `GetMessage` are the skeleton's.
pub trait Module: Send + Sync {
    /// Its name, the `modulename` of its rows.
    fn name(&self) -> &'static str;

    /// What it says to `--command features`.
    fn features(&self) -> Features;

    /// How its messages are made and sent.
    fn profile(&self) -> Profile;

    /// Sends a message by itself, without a gateway (S3-17). Its answer settles the task; effects are
    /// written in the same transaction. The other side of the result is for what was not sent at all.
    fn user_notify(&self, message: &Message, tools: &Tools<'_>) -> Result<Heard, How> {
        let _ = (message, tools);
        let gone = Answer::unreached("there is no gateway, and the module has no way of its own");
        Ok(Heard::of(gone, Vec::new()))
    }

    /// Makes tasks of events that nobody was told of, and has incoming messages followed: called, where the module drains
    /// deliveries, after a turn that has seen such events or messages or may have written some. Fails in words for the log; the next turn is taken all the same.
    fn tell(&self, tools: &Tools<'_>) -> Result<(), String> {
        let _ = tools;
        Ok(())
    }

    /// Of a body that is taken raw: what it is about, for the log.
    fn subject_of(&self, body: &[u8]) -> Option<String> {
        let _ = body;
        None
    }

    /// Whether [`Module::user_notify`] can do anything here; asked once at the start.
    fn has_own_way(&self, tools: &Tools<'_>) -> OwnWay {
        let _ = tools;
        OwnWay::Absent
    }
}

/// Whether a module can send without a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnWay {
    /// It can.
    Present,
    /// It can't.
    Absent,
}

/// What a module may use to send by itself.
pub struct Tools<'a> {
    pub(crate) root: &'a config::Root,
    pub(crate) config: &'a config::Config,
    pub(crate) caller: &'a host::Caller,
    pub(crate) log: &'a (dyn Fn(&str) + Send + Sync),
    pub(crate) turns: &'a AtomicU64,
}

impl Tools<'_> {
    /// ROOT.
    pub fn root(&self) -> &Path {
        self.root.folder()
    }

    /// How many turns of this worker are over: what a delivery needs of the database is read once after each, since
    /// whatever others write brings one.
    pub fn turns(&self) -> u64 {
        self.turns.load(Ordering::SeqCst)
    }

    /// A line for the log, masked.
    pub fn note(&self, line: &str) {
        (self.log)(line);
    }

    /// The settings.
    pub fn config(&self) -> &config::Config {
        self.config
    }

    /// ROOT, with its rules.
    pub fn site(&self) -> &config::Root {
        self.root
    }

    /// Who starts programs; its runs end when the worker must leave.
    pub fn caller(&self) -> &host::Caller {
        self.caller
    }

    /// The program for mail of a project without any gateway row, `ntemail.sendmail`; None: there is none,
    /// it can't be run, or it is one of ours (then mail would go round in circles).
    pub fn sendmail(&self) -> Option<PathBuf> {
        self.config.ntemail.program(self.root.folder())
    }

    /// The bytes of an attachment of a message; no link below `var/` is followed. The error names the file.
    pub fn attachment(&self, path: &str) -> Result<Vec<u8>, String> {
        crate::attachments::read(self.root.folder(), path, self.config.gate.attachments_bytes)
    }

    /// Runs a program by the gate's table of outcomes: exit 0 is sent, 65 and 67 never, 77 and 78 hold,
    /// other codes later, a signal or the deadline unknown.
    pub fn run(&self, program: &Path, arguments: &[&str], input: &[u8]) -> Heard {
        let mut command = self.caller.command(program, "outgoing");
        command.args = arguments.iter().map(|argument| (*argument).into()).collect();
        let ran = self.caller.run(&command, input);
        let judged =
            host::outcome::judge(&ran, host::outcome::Contract::Outgoing, &notice::Mask::default());
        Heard::of(judged.answer, Vec::new())
    }
}

impl Heard {
    /// An answer in words of one's own.
    pub fn of(answer: Answer, effects: Vec<store::Effect>) -> Self {
        Self { answer, spoke: Spoke::Document, check: Check::Absent, effects }
    }

    /// The same with what changes.
    #[must_use]
    pub fn with_effects(mut self, effects: Vec<store::Effect>) -> Self {
        self.effects = effects;
        self
    }

    /// Sent by writing the user's inbox in the settling transaction, so exactly once.
    pub fn inbox(user: notice::UserId, subject: &str, text: &str) -> Self {
        let effect =
            store::Effect::Inbox { user, subject: subject.to_owned(), text: text.to_owned() };
        Self::of(Answer::sent(None), vec![effect])
    }
}

/// How a module's messages are made and sent.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// The user's column with the address.
    pub contact_kind: &'static str,
    /// How it is written.
    pub contact_form: ContactForm,
    /// How messages leave.
    pub way: Way,
    /// Which line of the retry table.
    pub patience: Patience,
    /// The default for unknown outcomes.
    pub on_unknown: OnUnknown,
    /// How texts become a message.
    pub style: Style,
    /// True if messages come in by its gateways; else `getmessage` is refused (S3-4 … S3-7).
    pub receives: bool,
}

/// A line of the retry table (queue 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// 30 s to 1 h for 3 days.
    Mail,
    /// 15 s to 10 min for 1 h.
    Sms,
    /// 5 s to 5 min for 1 h.
    Internal,
    /// 10 s to 1 h for 3 days; the tasks of programs in `processing/`, which the module drains too: 30 s to
    /// 10 min, three tries.
    Provisioning,
}

/// How texts become a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// HTML with a text alternative, headers and attachments.
    Mail,
    /// Text counted in segments.
    Sms,
    /// Text.
    Plain,
    /// The body as it is: there is no template.
    Raw,
}
