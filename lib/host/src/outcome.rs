//! What a run means (DESIGN 5; ancestor-facts 1.7): pure, a fact in, an outcome out.
//!
//! A valid document wins over everything else the program did. Without one the end decides, and where
//! nobody can tell whether the program acted, the outcome is *unknown*.

use crate::{End, Ran};
use notice::{Answer, Mask, Outcome};
use wire::answer::read_answer;
use wire::error::ErrorDocument;
use wire::xml::{Document, Found};

/// Of stderr or junk, so much goes into a reason.
const EXCERPT_BYTES: usize = 400;

/// Of stderr, so many lines go into the log.
const NOTED_LINES: usize = 50;

/// Exit codes that mean *never*: `EX_DATAERR`, `EX_NOUSER`.
const NEVER: [i32; 2] = [65, 67];
/// Exit codes that mean *hold*: `EX_NOPERM`, `EX_CONFIG`.
const HOLD: [i32; 2] = [77, 78];

/// Which contract an empty output is read by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contract {
    /// `outgoing`: empty output and exit 0 is *sent* (S3-51).
    Outgoing,
    /// Programs in `processing/`: empty output and exit 0 is *unknown*.
    Processing,
}

/// An outcome with what is worth a log line beside it. All text is masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The outcome.
    pub answer: Answer,
    /// True when the program printed a valid document: five runs in a row without one hold a gateway.
    pub had_document: bool,
    /// Lines for the log: skipped text, stderr, an exit code beside a document.
    pub notes: Vec<String>,
}

/// The answer of a gate's `outgoing`.
pub fn answer_of(ran: &Ran, mask: &Mask) -> Answer {
    judge(ran, Contract::Outgoing, mask).answer
}

/// The same with its notes, by either contract.
pub fn judge(ran: &Ran, contract: Contract, mask: &Mask) -> Judged {
    let reading = Reading { ran, mask };
    let mut notes = reading.complaints();
    let printed = reading.printed();
    let had_document = matches!(printed, Printed::Document(_));
    let mut answer = match printed {
        Printed::Document(found) => {
            notes.extend(reading.oddities(&found));
            read_answer(&found.document.root)
        }
        Printed::Nothing => reading.without_document(contract, None),
        Printed::Junk(why) => reading.without_document(contract, Some(&why)),
    };
    answer.reason = mask.apply(&answer.reason);
    answer.reference = answer.reference.map(|reference| mask.apply(&reference));
    Judged { answer, had_document, notes }
}

/// How a program ended of which no document was expected, and what it complained about last. Masked.
pub(crate) fn reason_of(ran: &Ran, mask: &Mask) -> String {
    let words = Reading { ran, mask }.reason(None);
    mask.apply(&words.replacen(" without a document", "", 1))
}

/// True for an exit code that means *hold*.
pub(crate) fn is_hold(end: &End) -> bool {
    matches!(end, End::Exited(code) if HOLD.contains(code))
}

enum Printed {
    Nothing,
    Junk(String),
    Document(Found),
}

/// A run read by someone who must not see the secrets. Texts are masked before they are cut: half a
/// secret would pass the mask.
struct Reading<'a> {
    ran: &'a Ran,
    mask: &'a Mask,
}

impl Reading<'_> {
    /// White space alone is nothing: many a language ends its output with a line end unasked.
    fn printed(&self) -> Printed {
        let output = &self.ran.stdout;
        let was_started = !matches!(self.ran.end, End::NotStarted(_));
        if !was_started || output.iter().all(u8::is_ascii_whitespace) {
            return Printed::Nothing;
        }
        match Document::find_in_output(output) {
            Ok(found) => Printed::Document(found),
            Err(error) => Printed::Junk(format!("{error}: `{}`", self.first_words(output))),
        }
    }

    fn without_document(&self, contract: Contract, junk: Option<&str>) -> Answer {
        let not_sent = |outcome| Answer::not_sent(outcome, self.reason(junk));
        match &self.ran.end {
            End::NotStarted(why) => Answer::unreached(why.clone()),
            End::Exited(0) if junk.is_none() && contract == Contract::Outgoing => {
                Answer::sent(None)
            }
            End::Exited(0) => not_sent(Outcome::Unknown),
            End::Exited(code) if NEVER.contains(code) => not_sent(Outcome::Never),
            End::Exited(code) if HOLD.contains(code) => not_sent(Outcome::Hold),
            End::Signalled(_) | End::Deadline | End::OutputLimit | End::Stopped
                if self.ran.input_written =>
            {
                not_sent(Outcome::Unknown)
            }
            End::Stopped => Answer::unreached(self.reason(junk)),
            End::Exited(_) | End::Signalled(_) | End::Deadline | End::OutputLimit => {
                not_sent(Outcome::Later)
            }
        }
    }

    /// Why a run without a document is no success: its end, then what it complained about or printed.
    fn reason(&self, junk: Option<&str>) -> String {
        let end = match &self.ran.end {
            End::NotStarted(why) => return why.clone(),
            End::Exited(0) => "exit 0 without a document".to_owned(),
            _ => end_in_words(self.ran),
        };
        let complaint = self.last_words(&self.ran.stderr_tail);
        match junk {
            _ if !complaint.is_empty() => format!("{end}: {complaint}"),
            Some(junk) => format!("{end}: {junk}"),
            None => end,
        }
    }

    /// What stderr held, a note for each line, the last ones.
    fn complaints(&self) -> Vec<String> {
        let text = self.mask.apply(&String::from_utf8_lossy(&self.ran.stderr_tail));
        let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = &lines[lines.len().saturating_sub(NOTED_LINES)..];
        last.iter().map(|line| format!("stderr: {line}")).collect()
    }

    /// What was not in order beside a valid document.
    fn oddities(&self, found: &Found) -> Vec<String> {
        let mut notes = Vec::new();
        if !found.skipped.trim().is_empty() {
            let skipped = self.first_words(found.skipped.as_bytes());
            notes.push(format!("printed before its document: {skipped}"));
        }
        if self.ran.end != End::Exited(0) {
            notes.push(format!("its document counts, though: {}", self.reason(None)));
        }
        notes
    }

    fn first_words(&self, output: &[u8]) -> String {
        // Masking all of a long output would cost more than what is shown of it is worth.
        let output = &output[..output.len().min(64 << 10)];
        let text = self.mask.apply(&String::from_utf8_lossy(output));
        let text = text.trim();
        on_one_line(&text[..text.floor_char_boundary(EXCERPT_BYTES)])
    }

    fn last_words(&self, output: &[u8]) -> String {
        let text = self.mask.apply(&String::from_utf8_lossy(output));
        let text = text.trim();
        on_one_line(&text[text.ceil_char_boundary(text.len().saturating_sub(EXCERPT_BYTES))..])
    }
}

fn on_one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join(" | ")
}

fn signal_name(number: i32) -> &'static str {
    match number {
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        8 => " (SIGFPE)",
        9 => " (SIGKILL)",
        11 => " (SIGSEGV)",
        13 => " (SIGPIPE)",
        15 => " (SIGTERM)",
        _ => "",
    }
}

/// Why a call of `features`, `formtune`, `check_connection` or `ingoing` brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallFailure {
    /// What `features` does not list is never called (S3-44).
    #[error("`{program}` does not offer `{command}`")]
    NotOffered {
        /// The program's name.
        program: String,
        /// The command.
        command: &'static str,
    },
    /// The program is not used at all; why (S3-21).
    #[error("`{program}` is not used: {reason}")]
    NotUsed {
        /// The program's name.
        program: String,
        /// Why not.
        reason: String,
    },
    /// It answered with an error document, masked.
    #[error("{}", .0.plain_text())]
    Refused(ErrorDocument),
    /// It could not be started, gave no document (an empty output too: S3-74), or did not end in time.
    #[error("{0}")]
    NoDocument(String),
}

/// The document of a call, where an empty output is a failure (S3-51, S3-74). A valid document wins over
/// the exit code; the notes are for the log.
pub fn document_of(ran: &Ran, mask: &Mask) -> Result<(Document, Vec<String>), CallFailure> {
    let reading = Reading { ran, mask };
    let failure = |text: String| CallFailure::NoDocument(mask.apply(&text));
    let found = match reading.printed() {
        Printed::Document(found) => found,
        Printed::Junk(why) => return Err(failure(reading.reason(Some(&why)))),
        Printed::Nothing if ran.end == End::Exited(0) => {
            return Err(failure("unsupported format: it printed nothing".to_owned()));
        }
        Printed::Nothing => return Err(failure(reading.reason(None))),
    };
    if let Some(error) = ErrorDocument::read(&found.document.root) {
        return Err(CallFailure::Refused(masked(error, mask)));
    }
    let notes = reading.complaints().into_iter().chain(reading.oddities(&found)).collect();
    Ok((found.document, notes))
}

/// How a run ended.
pub(crate) fn end_in_words(ran: &Ran) -> String {
    match &ran.end {
        End::NotStarted(why) => why.clone(),
        End::Exited(code) => format!("exit {code}"),
        End::Signalled(0) => "its end could not be learned".to_owned(),
        End::Signalled(number) => format!("died by signal {number}{}", signal_name(*number)),
        End::Deadline => format!("no end within {:.1} s, killed", ran.took.as_secs_f64()),
        End::OutputLimit => format!("printed more than {} bytes, killed", ran.stdout.len()),
        End::Stopped => "we stopped while it ran, killed".to_owned(),
    }
}

/// An error document without the secrets a program put into it.
pub fn masked(error: ErrorDocument, mask: &Mask) -> ErrorDocument {
    ErrorDocument {
        kind: mask.apply(&error.kind),
        object: mask.apply(&error.object),
        params: error.params.iter().map(|(name, text)| (name, mask.apply(text))).collect(),
        template: error.template.map(|text| mask.apply(&text)),
        text: error.text.map(|text| mask.apply(&text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notice::{Reach, Secret};
    use std::fmt::Write;
    use std::time::Duration;

    fn ran(end: End, stdout: &str) -> Ran {
        Ran {
            end,
            stdout: stdout.into(),
            stderr_tail: Vec::new(),
            took: Duration::from_secs(1),
            input_written: true,
        }
    }

    fn word(answer: &Answer) -> String {
        let unspent = if answer.reach == Reach::Unreached { ", no attempt" } else { "" };
        format!("{}{unspent}", answer.outcome)
    }

    /// What can be printed, by its name in the table.
    const PRINTED: [(&str, &str); 9] = [
        ("nothing", ""),
        ("a line end", "\n"),
        ("junk", "OK sent!"),
        ("half a document", "<doc><reference>7</ref"),
        ("a document", " \n<doc><ok/></doc>"),
        ("error never", "<doc><error type=\"never\"/></doc>"),
        ("error hold", "<doc><error type=\"hold\"/></doc>"),
        ("error other", "<doc><error type=\"value\"/></doc>"),
        ("error unreached", "<doc><error type=\"unreached\"/></doc>"),
    ];

    fn row(name: &str, base: &Ran) -> String {
        let mut line = format!("{name:<28}");
        for (_, stdout) in PRINTED {
            let ran = Ran { stdout: stdout.into(), ..base.clone() };
            let _ = write!(line, "| {:<18}", word(&answer_of(&ran, &Mask::default())));
        }
        line.trim_end().to_owned()
    }

    #[test]
    fn the_table_of_outcomes() {
        // S3-51, S3-55; ancestor-facts 1.7: every row, every column.
        let ends = [
            ("exit 0", End::Exited(0)),
            ("exit 1", End::Exited(1)),
            ("exit 65", End::Exited(65)),
            ("exit 67", End::Exited(67)),
            ("exit 75", End::Exited(75)),
            ("exit 77", End::Exited(77)),
            ("exit 78", End::Exited(78)),
            ("exit 127", End::Exited(127)),
            ("signal 9", End::Signalled(9)),
            ("deadline", End::Deadline),
            ("output limit", End::OutputLimit),
            ("stopped", End::Stopped),
        ];
        let mut table = format!("{:<28}", "");
        for (name, _) in PRINTED {
            let _ = write!(table, "| {name:<18}");
        }
        let mut table = vec![table.trim_end().to_owned()];
        for (name, end) in &ends {
            table.push(row(name, &ran(end.clone(), "")));
        }
        for (name, end) in &ends[8..] {
            let early = Ran { input_written: false, ..ran(end.clone(), "") };
            table.push(row(&format!("{name}, input unread"), &early));
        }
        table.push(row("not started", &Ran::not_started("no file".into())));
        assert_eq!(table.join("\n"), include_str!("outcome_table.txt").trim_end());
    }

    #[test]
    fn every_exit_code_without_a_document() {
        // S3-55
        for code in 1..256 {
            let expected = match code {
                65 | 67 => Outcome::Never,
                77 | 78 => Outcome::Hold,
                _ => Outcome::Later,
            };
            for printed in ["", "junk", "<doc>"] {
                let answer = answer_of(&ran(End::Exited(code), printed), &Mask::default());
                assert_eq!(answer.outcome, expected, "{code} {printed}");
                assert!(answer.reason.starts_with(&format!("exit {code}")), "{}", answer.reason);
            }
        }
    }

    #[test]
    fn empty_output_is_unknown_for_processing() {
        let judged = judge(&ran(End::Exited(0), ""), Contract::Processing, &Mask::default());
        assert_eq!(judged.answer.outcome, Outcome::Unknown);
        let sent = judge(&ran(End::Exited(0), "<doc/>"), Contract::Processing, &Mask::default());
        assert_eq!(sent.answer.outcome, Outcome::Sent);
    }

    #[test]
    fn the_reason_is_what_a_person_needs() {
        let mut failed = ran(End::Exited(3), "");
        failed.stderr_tail = b"connecting\n\n 401 for p%40ss\n".to_vec();
        let mask = Mask::new([&Secret::new("p@ss")]);
        assert_eq!(answer_of(&failed, &mask).reason, "exit 3: connecting | 401 for ***");
        let junk = ran(End::Exited(0), "Notice: p@ss in line 3");
        let reason = answer_of(&junk, &mask).reason;
        assert!(reason.starts_with("exit 0 without a document: "), "{reason}");
        assert!(reason.ends_with("`Notice: *** in line 3`"), "{reason}");
        let slow = ran(End::Deadline, "");
        assert_eq!(answer_of(&slow, &mask).reason, "no end within 1.0 s, killed");
    }

    #[test]
    fn a_secret_at_the_cut_is_not_shown_by_half() {
        let mask = Mask::new([&Secret::new("0123456789abcdef")]);
        for before in 380..400 {
            let mut failed = ran(End::Exited(1), "");
            failed.stderr_tail = format!("0123456789abcdef{}", "x".repeat(before)).into_bytes();
            let reason = answer_of(&failed, &mask).reason;
            assert!(!reason.contains('f'), "{reason}");
            let junk = ran(End::Exited(0), &format!("{}0123456789abcdef", "x".repeat(before)));
            let reason = answer_of(&junk, &mask).reason;
            assert!(!reason.contains("x0"), "{reason}");
        }
    }

    #[test]
    fn what_stood_beside_the_document_is_noted() {
        let mut odd = ran(End::Exited(1), "Warning: p@ss\n<doc/>");
        odd.stderr_tail = b"deprecated p@ss\n".to_vec();
        let judged = judge(&odd, Contract::Outgoing, &Mask::new([&Secret::new("p@ss")]));
        assert_eq!(judged.answer.outcome, Outcome::Sent, "a valid document wins");
        assert_eq!(
            judged.notes,
            [
                "stderr: deprecated ***",
                "printed before its document: Warning: ***",
                "its document counts, though: exit 1: deprecated ***",
            ]
        );
    }

    #[test]
    fn a_call_needs_a_document() {
        // S3-47, S3-51, S3-70, S3-72, S3-74
        let call = |end, stdout| document_of(&ran(end, stdout), &Mask::default());
        assert!(call(End::Exited(0), "<doc/>").is_ok());
        assert!(call(End::Exited(1), "<doc/>").is_ok());
        assert_eq!(
            call(End::Exited(0), "").unwrap_err().to_string(),
            "unsupported format: it printed nothing"
        );
        assert!(matches!(call(End::Exited(0), "junk"), Err(CallFailure::NoDocument(_))));
        assert!(matches!(call(End::Signalled(9), ""), Err(CallFailure::NoDocument(_))));
        let refused = "  <doc>\n      <error type=\"error\"></error>\n  </doc>";
        assert!(matches!(call(End::Exited(0), refused), Err(CallFailure::Refused(_))));
    }

    #[test]
    fn an_error_document_shows_no_secret() {
        let text =
            "<doc><error type='value' object='p@ss'><param name='value'>p@ss</param></error></doc>";
        let mask = Mask::new([&Secret::new("p@ss")]);
        let failure = document_of(&ran(End::Exited(0), text), &mask).unwrap_err();
        assert_eq!(failure.to_string(), "value: ***, ***");
    }
}
