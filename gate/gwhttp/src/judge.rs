//! What an answer means. Values in, a value out.

use gatepost_gate::{Failure, Sent};

use crate::expect::{Expect, Reply};
use crate::settings::{Reference, Settings};

/// The most of an answer's body that a reason quotes, in bytes.
const QUOTE_BYTES: usize = 300;

/// Sent if every line of `success` holds (without one: any status 2xx). Else by the lines of `hold` and
/// `never`, any of which is enough, and then by the status: 401 and 403 hold, 408, 425, 429 and 5xx
/// are later, the rest of 4xx is never. A redirect holds: the address is wrong. A 2xx that is no
/// success is later.
pub(crate) fn judge(settings: &Settings, reply: &Reply) -> Result<Sent, Failure> {
    if succeeded(&settings.success, reply) {
        return Ok(Sent { reference: reference(settings.reference.as_ref(), reply) });
    }
    let any = |tests: &[Expect]| tests.iter().any(|test| test.matches(reply));
    let words = words(reply);
    if any(&settings.hold) {
        return Err(Failure::hold(words));
    }
    if any(&settings.never) {
        return Err(Failure::never(words));
    }
    Err(by_status(reply, words).retry_after(retry_after(settings, reply)))
}

/// What the test of a connection says of its answer.
pub(crate) fn judge_check(settings: &Settings, reply: &Reply) -> Result<(), Failure> {
    if succeeded(&settings.check_success, reply) {
        return Ok(());
    }
    Err(by_status(reply, words(reply)))
}

fn succeeded(tests: &[Expect], reply: &Reply) -> bool {
    match tests {
        [] => (200..300).contains(&reply.status),
        tests => tests.iter().all(|test| test.matches(reply)),
    }
}

fn by_status(reply: &Reply, words: String) -> Failure {
    match reply.status {
        300..400 => Failure::hold(format!(
            "{words}; it has moved to `{}`: put that into url",
            reply.header("location").unwrap_or("nowhere")
        )),
        401 | 403 => Failure::hold(words),
        408 | 425 | 429 => Failure::later(words),
        400..500 => Failure::never(words),
        _ => Failure::later(words),
    }
}

fn words(reply: &Reply) -> String {
    let body = reply.body.split_whitespace().collect::<Vec<_>>().join(" ");
    let quote = &body[..body.floor_char_boundary(QUOTE_BYTES)];
    let more = if quote.len() < body.len() { "…" } else { "" };
    match quote {
        "" => format!("the service answered {}", reply.status),
        quote => format!("the service answered {}: {quote}{more}", reply.status),
    }
}

fn reference(place: Option<&Reference>, reply: &Reply) -> Option<String> {
    let found = match place? {
        Reference::Json(path) => reply.json(path),
        Reference::Header(name) => reply.header(name).map(str::to_owned),
        Reference::After(words) => reply.body.split_once(words.as_str()).map(|(_, rest)| {
            let end = rest.find(|letter: char| letter.is_whitespace() || "<,;\"".contains(letter));
            rest[..end.unwrap_or(rest.len())].to_owned()
        }),
    };
    found.filter(|text| !text.is_empty())
}

/// Seconds to wait, by the field's path of the JSON body, else by the header: whole seconds or a date (RFC 9110
/// 10.2.3), counted from the answer's own `Date`, for clocks differ. Services that know neither may send
/// `RateLimit-Reset`, which counts when the quota is used up: it says when that is renewed, on every answer.
fn retry_after(settings: &Settings, reply: &Reply) -> Option<u32> {
    let field = settings.retry_after.as_ref().and_then(|path| reply.json(path));
    let header = |name| reply.header(name).map(str::trim);
    let date = |text: &str| secs_until(text, header("date")?);
    let secs = |text: &str| text.trim().parse().ok().or_else(|| date(text));
    let said = field.as_deref().and_then(secs).or_else(|| header("retry-after").and_then(secs));
    let is_used_up = reply.status == 429 || header("ratelimit-remaining") == Some("0");
    said.or_else(|| header("ratelimit-reset").filter(|_| is_used_up)?.parse().ok())
}

fn secs_until(then: &str, now: &str) -> Option<u32> {
    let moment = |text: &str| httpdate::parse_http_date(text.trim()).ok();
    let wait = moment(then)?.duration_since(moment(now)?).unwrap_or_default();
    u32::try_from(wait.as_secs()).ok()
}

#[cfg(test)]
mod tests {
    use gatepost_gate::{FailureKind, GatewayParams};

    use super::*;

    fn settings(fields: &[(&str, &str)]) -> Settings {
        let all = [("url", "http://x/")].into_iter().chain(fields.iter().copied()).collect();
        let params = GatewayParams::new(std::iter::empty::<(&str, &str)>().collect(), all);
        Settings::read(&params).unwrap_or_else(|it| panic!("{}", it.text))
    }

    fn reply(status: u16, body: &str) -> Reply {
        let headers = [("retry-after", "17"), ("location", "https://y/"), ("x-id", "h9")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Reply { status, headers, body: body.to_owned() }
    }

    #[test]
    fn the_status_decides_when_nothing_else_is_said() {
        let table = [
            (302, FailureKind::Hold),
            (400, FailureKind::Never),
            (401, FailureKind::Hold),
            (403, FailureKind::Hold),
            (404, FailureKind::Never),
            (408, FailureKind::Later),
            (429, FailureKind::Later),
            (500, FailureKind::Later),
            (503, FailureKind::Later),
        ];
        for (status, kind) in table {
            let failure = judge(&settings(&[]), &reply(status, "sorry")).unwrap_err();
            assert_eq!(failure.kind, kind, "{status}");
            assert!(failure.text.contains("sorry"));
        }
        assert_eq!(judge(&settings(&[]), &reply(202, "")).unwrap(), Sent::plain());
    }

    #[test]
    fn a_service_that_always_answers_200_is_read_by_its_body() {
        let fields = [
            ("success", "status 200\njson code = 100"),
            ("hold", "json code = 200\njson code = 300"),
            ("never", "json code = 202"),
            ("reference", "sms.id"),
            ("retry_after", "wait"),
        ];
        let ask = |body: &str| judge(&settings(&fields), &reply(200, body));
        assert_eq!(ask(r#"{"code":100,"sms":{"id":5}}"#).unwrap(), Sent::with_reference("5"));
        assert_eq!(ask(r#"{"code":300}"#).unwrap_err().kind, FailureKind::Hold);
        assert_eq!(ask(r#"{"code":202}"#).unwrap_err().kind, FailureKind::Never);
        let later = ask(r#"{"code":1,"wait":90}"#).unwrap_err();
        assert_eq!((later.kind, later.retry_after_secs), (FailureKind::Later, Some(90)));
        assert_eq!(ask("<html>").unwrap_err().retry_after_secs, Some(17));
    }

    #[test]
    fn a_reference_is_taken_from_where_it_is_said_to_be() {
        let of = |place: &str, body: &str| {
            judge(&settings(&[("reference", place)]), &reply(200, body)).unwrap().reference
        };
        assert_eq!(of("header:X-Id", ""), Some("h9".to_owned()));
        assert_eq!(of("after:id=", "OK id=77, cost=1"), Some("77".to_owned()));
        assert_eq!(of("id", "{}"), None);
    }

    #[test]
    fn a_long_answer_is_quoted_in_part() {
        let failure = judge(&settings(&[]), &reply(500, &"я ".repeat(5000))).unwrap_err();
        assert!(failure.text.len() < 400 && failure.text.ends_with('…'));
    }

    #[test]
    fn the_service_says_how_long_it_is_to_be_left_alone() {
        type Headers<'a> = &'a [(&'a str, &'a str)];
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        let (reset, left) = (("ratelimit-reset", "30"), ("ratelimit-remaining", "99"));
        let table: [(u16, Headers<'_>, Option<u32>); 9] = [
            (429, &[("retry-after", " 17 ")], Some(17)),
            (500, &[("retry-after", "Sun, 06 Nov 1994 08:51:07 GMT"), date], Some(90)),
            (429, &[("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT"), date], Some(0)),
            (429, &[("retry-after", "Sun, 06 Nov 1994 08:51:07 GMT")], None),
            (429, &[reset, left], Some(30)),
            (500, &[reset, left], None),
            (500, &[reset, ("ratelimit-remaining", "0")], Some(30)),
            (429, &[("retry-after", "soon"), date], None),
            (429, &[("retry-after", "soon"), reset], Some(30)),
        ];
        for (status, headers, secs) in table {
            let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into()));
            let reply = Reply { status, headers: headers.collect(), body: String::new() };
            assert_eq!(retry_after(&settings(&[]), &reply), secs, "{:?}", reply.headers);
        }
        let reply = Reply { body: r#"{"wait":"soon"}"#.to_owned(), ..reply(503, "") };
        assert_eq!(retry_after(&settings(&[("retry_after", "wait")]), &reply), Some(17));
    }
}
