//! `libexec/gatepost-render`: one child per engine, started when first needed, started again when it
//! leaves or dies. On a death the message being rendered is charged, the others are asked again (DESIGN 6).

use crate::render::{RenderFailure, Renderer, Rendering};
use host::{Child, End, Environment, Limits, Program, Stream, Streams};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout};
use std::time::{Duration, Instant};
use store::{Blob, Hash};
use wire::frames::{FrameError, append_frame, read_frame};
use wire::rendering::{
    Engine, NoticeForm, Part, RenderMessage, Rendered, Reply, Texts, write_bundle, write_notice,
    write_render,
};

/// Bundles and notices a child is told before it is started anew, so that its memory stays small.
const TOLD_MOST: usize = 4_096;

/// How the children are started and how long they may take.
#[derive(Clone, Debug)]
pub struct RenderSettings {
    /// The program.
    pub program: PathBuf,
    /// Its working directory.
    pub dir: PathBuf,
    /// Messages in one frame.
    pub frame_messages: usize,
    /// Wall time of one message.
    pub message: Duration,
    /// Most bytes of a reply.
    pub reply_bytes: usize,
}

/// For the C library's allocator (mallopt(3), bytes): a child frees each frame's texts before it reads the next, and
/// is not to give the pages back and fetch them again in between.
const MEMORY: [(&str, &str); 2] =
    [("MALLOC_TRIM_THRESHOLD_", "67108864"), ("MALLOC_MMAP_THRESHOLD_", "33554432")];

/// The render children of one thread.
pub struct RenderChildren {
    settings: RenderSettings,
    children: HashMap<Engine, Session>,
}

struct Session {
    stdin: ChildStdin,
    stdout: ChildStdout,
    told: HashSet<Hash>,
    child: Child,
}

impl RenderChildren {
    /// Nothing is started yet.
    pub fn new(settings: RenderSettings) -> Self {
        Self { settings, children: HashMap::new() }
    }
}

/// One question: a job, and the parts one engine makes of it.
struct Question<'a> {
    index: usize,
    job: &'a Rendering,
    parts: Vec<Part>,
}

impl Renderer for RenderChildren {
    fn render(&mut self, jobs: &[Rendering]) -> Vec<Result<Texts, RenderFailure>> {
        let mut answers: Vec<Result<Texts, RenderFailure>> = vec![Ok(Texts::default()); jobs.len()];
        for engine in Engine::ALL {
            let questions: Vec<Question<'_>> = jobs
                .iter()
                .enumerate()
                .filter_map(|(index, job)| {
                    let shares = job.parsed.share_out(&job.parts);
                    let (_, parts) = shares.into_iter().find(|(known, _)| *known == engine)?;
                    Some(Question { index, job, parts })
                })
                .collect();
            for some in questions.chunks(self.settings.frame_messages.max(1)) {
                self.ask(engine, some, &mut answers);
            }
        }
        answers
    }
}

impl RenderChildren {
    /// Asks until every question has its answer. A child that dies answers nothing: its first question is
    /// then asked alone, so that it is known which one kills.
    fn ask(
        &mut self,
        engine: Engine,
        questions: &[Question<'_>],
        answers: &mut [Result<Texts, RenderFailure>],
    ) {
        let mut left: Vec<&Question<'_>> = questions.iter().collect();
        let mut alone = false;
        while !left.is_empty() {
            let some = if alone { 1 } else { left.len() };
            match self.exchange(engine, &left[..some]) {
                Ok(reply) => {
                    let before = left.len();
                    for rendered in reply.messages {
                        take(&mut left, rendered, answers);
                    }
                    if left.len() == before {
                        let why = "the render program left the message out of its reply".to_owned();
                        fail(&mut left, (some, RenderFailure::Unavailable(why)), answers);
                    }
                    if reply.last {
                        self.children.remove(&engine);
                    }
                }
                Err(Trouble::NotStarted(why)) => {
                    let all = left.len();
                    fail(&mut left, (all, RenderFailure::Unavailable(why)), answers);
                }
                Err(Trouble::Died(why)) => {
                    self.children.remove(&engine);
                    if some == 1 {
                        fail(&mut left, (1, RenderFailure::Template(why)), answers);
                    }
                    alone = true;
                }
            }
        }
    }

    fn exchange(&mut self, engine: Engine, questions: &[&Question<'_>]) -> Result<Reply, Trouble> {
        let deadline = self.settings.message * u32::try_from(questions.len()).unwrap_or(32).max(1);
        let reply_bytes = self.settings.reply_bytes;
        let session = self.session(engine)?;
        session.tell(questions)?;
        session.hear(deadline, reply_bytes)
    }

    fn session(&mut self, engine: Engine) -> Result<&mut Session, Trouble> {
        if self.children.get(&engine).is_some_and(|session| session.told.len() > TOLD_MOST) {
            self.children.remove(&engine);
        }
        match self.children.entry(engine) {
            std::collections::hash_map::Entry::Occupied(known) => Ok(known.into_mut()),
            std::collections::hash_map::Entry::Vacant(place) => {
                Ok(place.insert(Session::start(&self.settings, engine)?))
            }
        }
    }
}

enum Trouble {
    NotStarted(String),
    Died(String),
}

impl Session {
    fn start(settings: &RenderSettings, engine: Engine) -> Result<Self, Trouble> {
        let program = Program {
            path: settings.program.clone(),
            args: vec![engine.word().into()],
            dir: settings.dir.clone(),
            environment: Environment::default().with(MEMORY),
            limits: Limits::default(),
        };
        let streams =
            Streams { stdin: Stream::Piped, stdout: Stream::Piped, stderr: Stream::Nothing };
        let mut child = host::spawn(&program, streams).map_err(Trouble::NotStarted)?;
        match (child.take_stdin(), child.take_stdout()) {
            (Some(stdin), Some(stdout)) => Ok(Self { stdin, stdout, told: HashSet::new(), child }),
            _ => Err(Trouble::NotStarted("the render program has no pipes".into())),
        }
    }

    /// What it has not been told yet, then the question: one write.
    fn tell(&mut self, questions: &[&Question<'_>]) -> Result<(), Trouble> {
        let mut out = Vec::new();
        for question in questions {
            self.introduce(&question.job.bundle, &mut out, |frame, hash, bytes| {
                write_bundle(frame, hash, bytes);
            })?;
            self.introduce(&question.job.notice, &mut out, |frame, hash, bytes| {
                write_notice(frame, hash, (NoticeForm::Xml, &String::from_utf8_lossy(bytes)));
            })?;
        }
        let ids: Vec<(String, String, String)> = questions
            .iter()
            .map(|question| {
                let job = question.job;
                (question.index.to_string(), hex(&job.bundle.hash), hex(&job.notice.hash))
            })
            .collect();
        let messages: Vec<RenderMessage<'_>> = questions
            .iter()
            .zip(&ids)
            .map(|(question, (id, bundle, notice))| RenderMessage {
                id,
                bundle,
                notice,
                parts: &question.parts,
                lang: &question.job.lang,
                timezone: &question.job.timezone,
                user: &question.job.user_xml,
                project: &question.job.project_xml,
            })
            .collect();
        let mut frame = Vec::new();
        write_render(&mut frame, &messages);
        append_frame(&mut out, &frame).map_err(|error| Trouble::Died(error.to_string()))?;
        std::io::Write::write_all(&mut self.stdin, &out).map_err(|_| self.death())
    }

    fn introduce(
        &mut self,
        blob: &Blob,
        out: &mut Vec<u8>,
        write: impl Fn(&mut Vec<u8>, &str, &[u8]),
    ) -> Result<(), Trouble> {
        if self.told.insert(blob.hash) {
            let mut frame = Vec::new();
            write(&mut frame, &hex(&blob.hash), &blob.bytes);
            append_frame(out, &frame).map_err(|error| Trouble::Died(error.to_string()))?;
        }
        Ok(())
    }

    fn hear(&mut self, wait: Duration, reply_bytes: usize) -> Result<Reply, Trouble> {
        let until = Instant::now() + wait;
        let frame = read_frame(&mut Timed { stream: &mut self.stdout, until }, reply_bytes);
        match frame {
            Ok(Some(bytes)) => Reply::parse(&bytes).map_err(|error| {
                Trouble::Died(format!("the render program's reply is no document: {error}"))
            }),
            Ok(None) => Err(self.death()),
            Err(FrameError::Stream(error)) if error.kind() == std::io::ErrorKind::TimedOut => {
                let secs = wait.as_secs_f64();
                Err(Trouble::Died(format!("the template took over {secs:.1} s and was stopped")))
            }
            Err(error) => Err(Trouble::Died(format!("the render program broke off: {error}"))),
        }
    }

    fn death(&mut self) -> Trouble {
        const A_MOMENT: Duration = Duration::from_millis(500);
        let how = match self.child.wait_for(A_MOMENT) {
            Some(End::Signalled(signal)) => format!(
                "the template ended the render program by signal {signal}: too much time or memory"
            ),
            Some(End::Exited(code)) => format!("the render program ended with exit code {code}"),
            Some(End::Deadline | End::OutputLimit | End::Stopped | End::NotStarted(_)) | None => {
                "the render program closed its output".to_owned()
            }
        };
        Trouble::Died(how)
    }
}

/// A stream read up to a moment.
struct Timed<'a> {
    stream: &'a mut ChildStdout,
    until: Instant,
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = self.until.saturating_duration_since(Instant::now());
        let mut watched = [PollFd::new(self.stream, PollFlags::IN)];
        let wait = Timespec::try_from(left).ok();
        match poll(&mut watched, wait.as_ref()) {
            Ok(0) => Err(std::io::ErrorKind::TimedOut.into()),
            Ok(_) => self.stream.read(buffer),
            Err(rustix::io::Errno::INTR) => Err(std::io::ErrorKind::Interrupted.into()),
            Err(error) => Err(error.into()),
        }
    }
}

fn take(
    left: &mut Vec<&Question<'_>>,
    rendered: Rendered,
    answers: &mut [Result<Texts, RenderFailure>],
) {
    let Some(at) = left.iter().position(|question| question.index.to_string() == rendered.id)
    else {
        return;
    };
    let question = left.remove(at);
    let answer = &mut answers[question.index];
    match (rendered.result, answer.as_mut()) {
        (Ok(texts), Ok(known)) => {
            known.html = known.html.take().or(texts.html);
            known.text = known.text.take().or(texts.text);
            known.subject = known.subject.take().or(texts.subject);
        }
        (Err(error), Ok(_)) => *answer = Err(RenderFailure::Template(error.to_string())),
        (_, Err(_)) => {}
    }
}

fn fail(
    left: &mut Vec<&Question<'_>>,
    (count, failure): (usize, RenderFailure),
    answers: &mut [Result<Texts, RenderFailure>],
) {
    for question in left.drain(..count) {
        answers[question.index] = Err(failure.clone());
    }
}

fn hex(hash: &Hash) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    hash.0.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
