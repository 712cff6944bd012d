//! One delivery of an event: a POST or a script, and what its end means.

use gatepost_module::{Delivery, Effect, HandlerStatus, Heard, How, Message, Tools};
use host::http::{Answered, Http, Post, Posted};
use host::{End, Ran};
use notice::{Answer, Clock, GatewayId, HandlerId, Mask, Outcome, SystemClock};
use platform::provisioning::{Deliveries, Handler, Moment, NotDelivered, Task};

/// Of an answer, so much goes into a reason.
const EXCERPT_BYTES: usize = 200;

/// What all deliveries share.
pub(crate) struct Deliverer {
    handlers: Deliveries,
    http: Http,
}

impl Deliverer {
    pub(crate) fn open(tools: &Tools<'_>) -> Result<Self, String> {
        let handlers = Deliveries::open(tools.site(), tools.config())
            .map_err(|error| notice::chain(&error))?;
        let settings = handlers
            .http_settings()
            .map_err(|error| format!("provisioning.allow_private: {error}"))?;
        Ok(Self { handlers, http: Http::new(settings) })
    }

    pub(crate) fn deliver(&self, message: &Message, tools: &Tools<'_>) -> Result<Heard, How> {
        let claimed = &message.order.claimed;
        let Some(GatewayId(row)) = claimed.route.row() else {
            return Err(How::Broken(format!("route `{}` names no handler", claimed.route)));
        };
        let id = HandlerId(row);
        let now = SystemClock.now();
        let at = Moment { turns: tools.turns(), now };
        let handler = self.handlers.handler(id, at).map_err(|why| match why {
            NotDelivered::Never(why) => How::Broken(why),
            NotDelivered::Later(why) => How::NotReady(why),
        })?;
        let body = message.raw();
        Ok(match &handler.task {
            Task::Script(path) => script(path, body, (&handler, tools)),
            Task::Post(address) => {
                let headers = handler.headers(&claimed.key, now, body);
                let post = Post { address: address.clone(), headers, body: body.to_vec() };
                posted((id, &address.place()), self.http.post(&post), handler.mask())
            }
        })
    }
}

/// What came of a POST: 2xx is done, whatever the body says (S2-27, S2-34); everything else is tried again
/// (S2-28), since receivers know the key. Who answers 410 wants no more.
fn posted((id, place): (HandlerId, &str), posted: Posted, mask: &Mask) -> Heard {
    let later = |why: String| Answer::not_sent(Outcome::Later, mask.apply(&why));
    let answered = match posted {
        Posted::Answered(answered) => answered,
        Posted::Forbidden(why) => {
            return Heard::of(Answer::not_sent(Outcome::Never, why), Vec::new());
        }
        Posted::Unreached(why) | Posted::Broken(why) => return Heard::of(later(why), Vec::new()),
    };
    let said = format!("{place} answered {}{}", answered.status_words(), excerpt(&answered.body));
    let mut effects = vec![response(Some(i64::from(answered.status)), &answered, mask)];
    let answer = match answered.status {
        200..=299 => Answer::sent(None),
        410 => {
            effects.push(disabled(id));
            let why =
                format!("{said}: the handler was disabled; enable it when it is to be called");
            Answer::not_sent(Outcome::Never, mask.apply(&why))
        }
        300..=399 => later(format!("{said}: redirects are not followed")),
        429 | 503 => Answer { retry_after_secs: answered.retry_after_secs, ..later(said) },
        _ => later(said),
    };
    Heard::of(answer, effects)
}

fn disabled(handler: HandlerId) -> Effect {
    Effect::Handler { handler, status: HandlerStatus::Disabled }
}

/// Exit 0 is done (S2-29); the reason is what it complained about.
fn script(path: &std::path::Path, body: &[u8], (handler, tools): (&Handler, &Tools<'_>)) -> Heard {
    let mut program =
        tools.caller().command_within(path, "outgoing", tools.config().provisioning.call);
    program.args.clear();
    let ran = tools.caller().run(&program, body);
    let mask = handler.mask();
    let code = match ran.end {
        End::Exited(code) => Some(i64::from(code)),
        _ => None,
    };
    let kept = tools.config().provisioning.answer_bytes;
    let answered = Answered {
        status: 0,
        retry_after_secs: None,
        body: ran.stdout[..ran.stdout.len().min(kept)].to_vec(),
        extent: host::http::Extent::Whole,
    };
    let answer = if ran.end == End::Exited(0) {
        Answer::sent(None)
    } else {
        Answer::not_sent(Outcome::Later, mask.apply(&words(&ran)))
    };
    Heard::of(answer, vec![response(code, &answered, mask)])
}

fn words(ran: &Ran) -> String {
    let end = match &ran.end {
        End::Exited(code) => format!("exit {code}"),
        End::Signalled(number) => format!("died by signal {number}"),
        End::Deadline => "no end in time, killed".to_owned(),
        End::OutputLimit => "printed too much, killed".to_owned(),
        End::Stopped => "we stopped while it ran, killed".to_owned(),
        End::NotStarted(why) => why.clone(),
    };
    format!("{end}{}", excerpt(&ran.stderr_tail))
}

/// Kept with the log, masked.
fn response(status: Option<i64>, answered: &Answered, mask: &Mask) -> Effect {
    let text = mask.apply(&String::from_utf8_lossy(&answered.body));
    Effect::Response(Delivery { status, response: text.into_bytes() })
}

fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim();
    if text.is_empty() {
        return String::new();
    }
    let text = &text[..text.floor_char_boundary(EXCERPT_BYTES)];
    let line: Vec<&str> = text.split_whitespace().collect();
    format!(": {}", line.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use host::http::Extent;

    fn answer(status: u16, retry_after_secs: Option<u32>) -> Heard {
        let body = b"why, whsec_s".to_vec();
        let answered = Answered { status, retry_after_secs, body, extent: Extent::Whole };
        let mask = Mask::new([&notice::Secret::new("whsec_secret_secret")]);
        posted((HandlerId(3), "shop.example:8443"), Posted::Answered(answered), &mask)
    }

    // S2-27, S2-28, S2-34
    #[test]
    fn every_status_has_its_outcome() {
        for status in [200, 201, 204, 299] {
            assert_eq!(answer(status, None).answer.outcome, Outcome::Sent, "{status}");
        }
        for status in [100, 301, 302, 307, 400, 401, 404, 422, 429, 500, 503] {
            let heard = answer(status, None);
            assert_eq!(heard.answer.outcome, Outcome::Later, "{status}");
            let words = format!("shop.example:8443 answered {status} ");
            assert!(heard.answer.reason.starts_with(&words), "{}", heard.answer.reason);
        }
        let refused = answer(401, None).answer.reason;
        assert_eq!(refused, "shop.example:8443 answered 401 Unauthorized: why, whsec_s");
        assert_eq!(answer(429, Some(90)).answer.retry_after_secs, Some(90));
        assert_eq!(answer(500, Some(90)).answer.retry_after_secs, None);
        let gone = answer(410, None);
        assert_eq!(gone.answer.outcome, Outcome::Never);
        assert!(gone.effects.contains(&disabled(HandlerId(3))));
    }

    #[test]
    fn what_was_not_answered_is_tried_again_but_a_forbidden_address_is_not() {
        let outcome = |what| posted((HandlerId(3), "h"), what, &Mask::default()).answer.outcome;
        assert_eq!(outcome(Posted::Unreached("refused".into())), Outcome::Later);
        assert_eq!(outcome(Posted::Broken("cut".into())), Outcome::Later);
        assert_eq!(outcome(Posted::Forbidden("inside".into())), Outcome::Never);
    }
}
