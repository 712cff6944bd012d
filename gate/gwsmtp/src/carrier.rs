//! One connection and what is on it, in a thread of its own.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatepost_gate::Sent;

use crate::envelope::Refused;
use crate::note_refused;
use crate::outcome::failure_of;
use crate::pool::{Parcel, Pool, Waiting};
use crate::sending;
use crate::session::Session;
use crate::trouble::Trouble;

/// How many connections may end under a message before it was begun. The next one is the message's
/// own attempt: perhaps it is what ends them.
const MOST_RETURNS: u32 = 3;

/// Opens a connection and carries messages until none comes or the line ends.
pub(crate) fn run(pool: &Arc<Pool>) {
    let closed = Closed { pool, is_opening: Cell::new(true) };
    match pool.account().open() {
        Ok(session) => {
            closed.is_opening.set(false);
            pool.opened();
            Carrier { pool, session, carried: 0 }.carry();
        }
        Err(trouble) => {
            closed.is_opening.set(false);
            pool.not_opened(&trouble);
        }
    }
}

/// Tells the pool, whatever ends the thread.
struct Closed<'a> {
    pool: &'a Arc<Pool>,
    is_opening: Cell<bool>,
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        if self.is_opening.get() {
            self.pool.opened();
        }
        self.pool.closed();
    }
}

struct Carrier<'a> {
    pool: &'a Arc<Pool>,
    session: Session,
    /// Messages that have their outcome from this connection.
    carried: u64,
}

/// A message whose envelope was taken, and who will not get it.
struct Begun {
    parcel: Parcel,
    refused: Vec<Refused>,
}

impl Carrier<'_> {
    fn carry(mut self) {
        let mut begun: Option<Begun> = None;
        while !self.session.is_over() {
            let next = self.next(begun.is_some());
            if begun.is_none() && next.is_none() {
                break;
            }
            begun = self.round_trip(begun, next);
        }
        if let Some(begun) = begun {
            self.pool.take_back(begun.parcel);
        }
    }

    /// The content of one message and the envelope of the next: one round trip.
    fn round_trip(&mut self, body: Option<Begun>, next: Option<Parcel>) -> Option<Begun> {
        let began = Instant::now();
        let said = self.session.say(
            body.as_ref().map(|begun| &begun.parcel.ready),
            next.as_ref().map(|parcel| &parcel.ready),
        );
        if let Some(ahead) = self.build(|pool| pool.next_to_build()) {
            self.pool.keep(ahead);
        }
        let verdict = body.map(|begun| (begun, self.session.hear_verdict(&said)));
        let answered = next.map(|parcel| {
            let answered = self.session.hear_envelope(&said, &parcel.ready);
            (parcel, answered)
        });
        if let Some((begun, verdict)) = verdict {
            let verdict = trusted(verdict, answered.as_ref().map(|(_, answered)| answered));
            self.settle(begun, verdict.map(|()| began.elapsed()));
        }
        match answered? {
            (parcel, Ok(refused)) => Some(Begun { parcel, refused }),
            (parcel, Err(trouble)) => {
                self.not_begun(parcel, &trouble);
                None
            }
        }
    }

    fn settle(&mut self, begun: Begun, verdict: Result<Duration, Trouble>) {
        let Parcel { ready, owed, .. } = begun.parcel;
        match verdict {
            Ok(took) => {
                note_refused(&begun.refused);
                owed.tell(Ok(Sent::with_reference(ready.envelope.id)));
                self.pool.went_well(took);
            }
            Err(trouble) => {
                self.heed(&trouble);
                owed.tell(Err(failure_of(&trouble)));
            }
        }
        self.carried += 1;
    }

    /// A message that the line failed goes back; but the first on a line has had its try.
    fn not_begun(&mut self, mut parcel: Parcel, trouble: &Trouble) {
        self.heed(trouble);
        if trouble.leaves_it_unsent() && self.carried > 0 && parcel.returns < MOST_RETURNS {
            parcel.returns += 1;
            self.pool.take_back(parcel);
        } else {
            self.carried += 1;
            parcel.owed.tell(Err(failure_of(trouble)));
        }
    }

    /// A server that ends a connection which has carried something may only have had enough of that one:
    /// what it bears shows when the next is opened.
    fn heed(&self, trouble: &Trouble) {
        if self.carried == 0 && trouble.wants_less() {
            self.pool.shrink();
        }
    }

    /// The next message that fits this server. With a body to be said there is no waiting.
    fn next(&mut self, has_body: bool) -> Option<Parcel> {
        if has_body { self.build(Pool::next_waiting) } else { self.build(Pool::next) }
    }

    /// Takes messages until one can be built and fits; the others have their outcome, or nobody asks for it.
    fn build(&self, take: fn(&Arc<Pool>) -> Option<Waiting>) -> Option<Parcel> {
        loop {
            let job = take(self.pool)?;
            if !job.is_wanted() {
                continue;
            }
            let parcel = match job {
                Waiting::Built(parcel) => parcel,
                Waiting::Fresh(message, owed) => {
                    match sending::ready_now(self.pool.account(), &message) {
                        Ok(ready) => Parcel { ready, owed, returns: 0 },
                        Err(failure) => {
                            owed.tell(Err(failure));
                            continue;
                        }
                    }
                }
            };
            match parcel.ready.fits(self.session.offers()) {
                Ok(()) => return Some(parcel),
                Err(trouble) => parcel.owed.tell(Err(failure_of(&trouble))),
            }
        }
    }
}

/// What a reply to a message's dot is worth. When a reply is missing among those that came with it, it
/// may have been the dot's own, and what was heard the next command's. One that is missing shows by a reply that
/// fits no command, or at the end, as one that never comes.
fn trusted(
    verdict: Result<(), Trouble>,
    answered: Option<&Result<Vec<Refused>, Trouble>>,
) -> Result<(), Trouble> {
    match (verdict, answered) {
        (Ok(()) | Err(Trouble::Refused { .. }), Some(Err(trouble))) if trouble.lacks_a_reply() => {
            Err(Trouble::Doubt(trouble.to_string()))
        }
        (verdict, _) => verdict,
    }
}
