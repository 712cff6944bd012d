//! The gate contract, one-shot (DESIGN 5): one program start for each command.

use crate::caller::Call;
use crate::outcome::{CallFailure, Contract, Judged, document_of, judge, masked};
use crate::{Caller, End, Listed};
use notice::{Answer, Mask};
use wire::ingoing::{IngoingFailure, IngoingReply};
use wire::xml::Document;

/// Hands over one message: `--command outgoing` with the bytes of `wire::outgoing::Outgoing` on stdin.
/// A gate that is not used, or does not offer it, was not reached: no attempt is spent.
pub fn outgoing(caller: &Caller, gate: &Listed, input: &[u8], mask: &Mask) -> Judged {
    if let Err(failure) = gate.must_offer("outgoing") {
        let answer = Answer::unreached(failure.to_string());
        return Judged { answer, had_document: false, notes: Vec::new() };
    }
    let ran = caller.run_gate(gate, &Call { command: "outgoing", input }, mask);
    judge(&ran, Contract::Outgoing, mask)
}

/// Lets a gate change its edit form (S3-45): what it prints replaces the form. Fails with the plain
/// form still in the caller's hands.
pub fn formtune(
    caller: &Caller,
    gate: &Listed,
    form: &Document,
    mask: &Mask,
) -> Result<Document, CallFailure> {
    call(caller, gate, &Call { command: "formtune", input: &form.to_bytes() }, mask)
}

/// Asks a gate whether it can work with these data (S3-46): the form again, or a refusal. `form` has
/// `xmlparams` as direct child of its root.
pub fn check_connection(
    caller: &Caller,
    gate: &Listed,
    form: &Document,
    mask: &Mask,
) -> Result<Document, CallFailure> {
    call(caller, gate, &Call { command: "check_connection", input: &form.to_bytes() }, mask)
}

fn call(
    caller: &Caller,
    gate: &Listed,
    call: &Call<'_>,
    mask: &Mask,
) -> Result<Document, CallFailure> {
    gate.must_offer(call.command)?;
    let ran = caller.run_gate(gate, call, mask);
    document_of(&ran, mask).map(|(document, _)| document)
}

/// What a run of `ingoing` brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Every complete message and receipt, of half a document too: to be stored whatever `failure` says.
    pub reply: IngoingReply,
    /// Why the run counts as failed, masked.
    pub failure: Option<String>,
}

/// Fetches what came in: `--command ingoing` with the bytes of `wire::ingoing::ingoing_input` on stdin.
pub fn ingoing(
    caller: &Caller,
    gate: &Listed,
    input: &[u8],
    mask: &Mask,
) -> Result<Received, CallFailure> {
    gate.must_offer("ingoing")?;
    let ran = caller.run_gate(gate, &Call { command: "ingoing", input }, mask);
    let reply = IngoingReply::read(&ran.stdout);
    let failure = reply.failure.as_ref().map(|failure| match (failure, &ran.end) {
        (IngoingFailure::Refused(error), _) => masked(error.clone(), mask).plain_text(),
        (cut, End::Exited(0)) => mask.apply(&cut.to_string()),
        _ => judge(&ran, Contract::Processing, mask).answer.reason,
    });
    Ok(Received { reply, failure })
}
