//! What a handler gets: `{"event":{"dt","events_id","object_id"},"data":{…}}` (S2-26).

use notice::Ms;
use serde_json::{Value, json};
use store::NewEvent;

/// The body of a call: never empty (S2-25).
pub(crate) fn payload(event: &NewEvent) -> Vec<u8> {
    let data: Value = serde_json::from_str(&event.data).unwrap_or_else(|_| json!({}));
    let whole = json!({
        "event": {
            "dt": moment(event.at),
            "events_id": event.events_id,
            "object_id": object(&event.object_id),
        },
        "data": data,
    });
    whole.to_string().into_bytes()
}

/// What a body is about: its `events_id`.
pub(crate) fn events_id(body: &[u8]) -> Option<String> {
    let whole: Value = serde_json::from_slice(body).ok()?;
    whole["event"]["events_id"].as_str().map(str::to_owned)
}

/// A number where it is one.
fn object(id: &str) -> Value {
    match id.parse::<i64>() {
        Ok(number) if number.to_string() == id => json!(number),
        _ => json!(id),
    }
}

/// ISO 8601 with `+00:00`, as the ancestor writes it.
fn moment(at: Ms) -> String {
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
    at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    // S2-26
    #[test]
    fn the_payload_is_the_documented_one() {
        let event = NewEvent {
            events_id: "clients.update".to_owned(),
            object_id: "12".to_owned(),
            data: r#"{"id":12,"field":"some-value"}"#.to_owned(),
            at: Ms(946_684_800_000),
        };
        let body = payload(&event);
        assert_eq!(
            String::from_utf8_lossy(&body),
            r#"{"event":{"dt":"2000-01-01T00:00:00+00:00","events_id":"clients.update","object_id":12},"data":{"id":12,"field":"some-value"}}"#
        );
        assert_eq!(events_id(&body).as_deref(), Some("clients.update"));
    }

    #[test]
    fn what_is_no_number_stays_text_and_what_is_no_json_is_nothing() {
        let event = |object_id: &str, data: &str| NewEvent {
            events_id: "clients.delete".to_owned(),
            object_id: object_id.to_owned(),
            data: data.to_owned(),
            at: Ms(0),
        };
        let read = |event| serde_json::from_slice::<Value>(&payload(&event)).unwrap();
        assert_eq!(read(event("007", ""))["event"]["object_id"], "007");
        assert_eq!(read(event("9", ""))["data"], json!({}));
    }
}
