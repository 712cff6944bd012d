//! The skeleton of a gate, a small program that hands one message to one service.
//!
//! Implement [`Gate`] for a type, call [`main`] with it, and put the program into `gate/`. The skeleton
//! reads the command line and stdin, speaks the documents, and turns a [`Failure`] into the answer the
//! queue understands. It never opens a file or a socket, reads no environment and no clock, and prints
//! nothing but its answers.
//!
//! `outgoing` is called on a shared value and may be called many times and from many threads: keep
//! connections in the type, and nothing that belongs to one message. So a gate that lists `serve` and a
//! `window` is kept running, and needs no line of code for it.

mod answer;
mod command;
mod failure;
mod manual;
mod reply;
mod serve;
mod workers;

pub use answer::Sent;
pub use command::main;
pub use failure::{Failure, FailureKind};
pub use notice::Fields;
pub use reply::Reply;
pub use wire::features::Features;
pub use wire::ingoing::{IncomingMessage, Ingoing, IngoingRequest, Receipt, ReceiptState};
pub use wire::outgoing::{Attachment, OutgoingMessage};
pub use wire::params::GatewayParams;
pub use wire::xml::{Document, Element};

/// One kind of service. Only what [`Gate::features`] lists is ever asked for (S3-44).
pub trait Gate: Sync {
    /// The program's own source, `include_str!("main.rs")`: `--help` prints its head.
    fn source(&self) -> &'static str;

    /// What the gate can do and for which module (S3-43).
    fn features(&self) -> Features;

    /// May change the edit form of a gateway before a person sees it (S3-45): options to choose from,
    /// values filled in. The default hands it back.
    fn formtune(&self, form: Document) -> Result<Document, Failure> {
        Ok(form)
    }

    /// Proves that a message handed over with these parameters would be taken, as far as that can be
    /// proved without sending one. What could not be reached is a failure (S3-73).
    fn check_connection(&self, _gateway: &GatewayParams) -> Result<(), Failure> {
        Err(Failure::later("this gate checks no connection"))
    }

    /// Hands one message to the service (S3-49).
    fn outgoing(&self, _message: &OutgoingMessage) -> Result<Sent, Failure> {
        Err(Failure::never("this gate sends nothing"))
    }

    /// Serve mode: takes one message, and answers it whenever it likes, from any thread. It is called on the
    /// thread that reads stdin, so it must not wait. The default calls [`Gate::outgoing`] on worker threads,
    /// as many as [`Features::window`] says (one if it says nothing), at most 64.
    fn take(&self, message: OutgoingMessage, reply: Reply) {
        reply.leave_to_workers(message);
    }

    /// Fetches what has come in (S3-52). Delete or mark at the service only what
    /// [`IngoingRequest::stored_uids`] lists: the rest is not stored yet (S3-53).
    fn ingoing(&self, _request: &IngoingRequest) -> Result<Ingoing, Failure> {
        Err(Failure::never("this gate receives nothing"))
    }
}
