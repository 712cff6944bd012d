//! Commands of gates, and of programs in `processing/`, within a call: each run is a row of the journal (extensions 3.6).

use crate::call::{Place, Run};
use crate::context::Context;
use host::outcome::{CallFailure, Judged};
use host::{Listed, gates};
use std::time::Instant;
use wire::xml::Document;

impl Context<'_> {
    /// The form as the program tunes it (S3-45).
    pub(crate) fn formtune(
        &mut self,
        program: &Listed,
        form: &Document,
    ) -> Result<Document, CallFailure> {
        let began = Instant::now();
        let tuned = gates::formtune(self.starter, program, form, &self.mask);
        self.keep((Place::Formtune, program), began, tuned.as_ref().err());
        tuned
    }

    /// Whether the program can work with these fields (S3-46).
    pub(crate) fn check_connection(
        &mut self,
        program: &Listed,
        form: &Document,
    ) -> Result<Document, CallFailure> {
        let began = Instant::now();
        let checked = gates::check_connection(self.starter, program, form, &self.mask);
        self.keep((Place::Check, program), began, checked.as_ref().err());
        checked
    }

    /// A message straight through the gate.
    pub(crate) fn outgoing(&mut self, program: &Listed, input: &[u8]) -> Judged {
        let began = Instant::now();
        let judged = gates::outgoing(self.starter, program, input, &self.mask);
        let outcome = judged.answer.outcome.word();
        self.journal.push(run(
            (Place::Outgoing, program),
            began,
            (outcome, judged.answer.reason.clone()),
        ));
        judged
    }

    /// What the program does not offer was not run.
    fn keep(&mut self, what: (Place, &Listed), began: Instant, failure: Option<&CallFailure>) {
        let said = match failure {
            Some(CallFailure::NotOffered { .. }) => return,
            Some(failure) => ("failed", failure.to_string()),
            None => ("ok", String::new()),
        };
        self.journal.push(run(what, began, said));
    }
}

fn run(
    (place, program): (Place, &Listed),
    began: Instant,
    (outcome, output): (&str, String),
) -> Run {
    Run {
        place,
        name: program.name.clone(),
        outcome: outcome.to_owned(),
        took: began.elapsed(),
        output,
    }
}
