//! Points in time as people write them, and as we show them.

use crate::refusal::Refusal;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, SpanRelativeTo, Timestamp, Zoned};
use notice::Ms;

/// A time that was read, and in which words we read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// UTC.
    pub at: Ms,
    /// What was understood: local time with its offset and zone, and UTC.
    pub understood: String,
}

/// Reads RFC 3339, `+2h`, `+1d12h`, `2026-11-23 09:00 Europe/Moscow`, or a local time in `zone`
/// (DESIGN 1). `zone` is a name of the time zone database; an empty one is UTC.
pub fn read(field: &str, text: &str, now: Ms, zone: &str) -> Result<Moment, Refusal> {
    let text = text.trim();
    let zone_here = time_zone("timezone", zone)?;
    let zoned = if let Some(distance) = text.strip_prefix('+') {
        after(field, text, distance, &zoned_at(now, &zone_here))?
    } else if let Ok(timestamp) = text.parse::<Timestamp>() {
        timestamp.to_zoned(zone_here)
    } else {
        local(field, text, zone_here)?
    };
    let at = Ms(zoned.timestamp().as_millisecond());
    let understood = format!(
        "{} {} ({})",
        zoned.strftime("%Y-%m-%d %H:%M:%S %:z"),
        zoned.time_zone().iana_name().unwrap_or("UTC"),
        shown(at)
    );
    Ok(Moment { at, understood })
}

/// Reads how far away a time is: `2h`, `1d12h`. A refusal names what was typed.
pub fn read_ahead(field: &str, text: &str, now: Ms) -> Result<Moment, Refusal> {
    const LEAST_MS: i64 = 1_000;
    let text = text.trim();
    let refusal = || Refusal::Value {
        field: field.to_owned(),
        value: text.to_owned(),
        reason: "write a time to come, of a second to ten years, like `30m`, `2h` or `1d12h`"
            .to_owned(),
    };
    let distance = text.strip_prefix('+').unwrap_or(text);
    if distance.starts_with(['+', '-']) {
        return Err(refusal());
    }
    let moment = read(field, &format!("+{distance}"), now, "").map_err(|_| refusal())?;
    if moment.at.since(now) < LEAST_MS { Err(refusal()) } else { Ok(moment) }
}

/// Reads a time that lies back: `1h`, `2d`, or any absolute form of [`read`].
pub fn read_past(field: &str, text: &str, now: Ms, zone: &str) -> Result<Moment, Refusal> {
    let text = text.trim().trim_start_matches(['+', '-']);
    let Ok(span) = text.parse::<Span>() else {
        return read(field, text, now, zone).map_err(|_| unreadable_past(field, text));
    };
    let from = zoned_at(now, &time_zone("timezone", zone)?);
    let zoned = from.checked_sub(span).map_err(|_| unreadable(field, text))?;
    let at = Ms(zoned.timestamp().as_millisecond());
    if at > now {
        return Err(unreadable(field, text));
    }
    Ok(Moment { at, understood: shown(at) })
}

fn after(field: &str, text: &str, distance: &str, from: &Zoned) -> Result<Zoned, Refusal> {
    let span: Span = distance.trim().parse().map_err(|_| unreadable(field, text))?;
    let limit = Span::new().years(10);
    let in_limit = span
        .compare((limit, SpanRelativeTo::from(from)))
        .is_ok_and(|order| order != std::cmp::Ordering::Greater);
    if span.is_negative() || !in_limit {
        return Err(Refusal::Value {
            field: field.to_owned(),
            value: text.to_owned(),
            reason: "a distance is from nothing to ten years".to_owned(),
        });
    }
    from.checked_add(span).map_err(|_| unreadable(field, text))
}

/// `DATE TIME [ZONE]`, or `DATE` alone, which is its midnight.
fn local(field: &str, text: &str, zone_here: TimeZone) -> Result<Zoned, Refusal> {
    let (civil, zone) = match text.rsplit_once(' ') {
        Some((civil, name)) if name.contains('/') || name.eq_ignore_ascii_case("utc") => {
            (civil.trim(), time_zone(field, name)?)
        }
        _ => (text, zone_here),
    };
    let civil: DateTime = civil.parse().map_err(|_| unreadable(field, text))?;
    civil.to_zoned(zone).map_err(|_| unreadable(field, text))
}

fn unreadable(field: &str, text: &str) -> Refusal {
    Refusal::Value {
        field: field.to_owned(),
        value: text.to_owned(),
        reason: "write `2026-11-23T09:00:00Z`, `+2h`, or `2026-11-23 09:00 Europe/Moscow`"
            .to_owned(),
    }
}

fn unreadable_past(field: &str, text: &str) -> Refusal {
    Refusal::Value {
        field: field.to_owned(),
        value: text.to_owned(),
        reason: "write an age like `2h` or `3d`, or a time like `2026-11-23 09:00 Europe/Moscow`"
            .to_owned(),
    }
}

/// The zone of that name; an empty name is UTC.
pub(crate) fn time_zone(field: &str, name: &str) -> Result<TimeZone, Refusal> {
    if name.is_empty() || name.eq_ignore_ascii_case("utc") {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name).map_err(|_| Refusal::Value {
        field: field.to_owned(),
        value: name.to_owned(),
        reason: "the time zone database has no such zone; write one like `Europe/Moscow`"
            .to_owned(),
    })
}

fn zoned_at(at: Ms, zone: &TimeZone) -> Zoned {
    Timestamp::from_millisecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone.clone())
}

/// UTC as RFC 3339 without fractions: `2026-11-23T06:00:00Z`.
pub fn shown(at: Ms) -> String {
    zoned_at(at, &TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The end of a rest, a quarter of an hour ahead at most: `rests until 14:03:07 UTC`.
pub fn rest(until: Ms) -> String {
    zoned_at(until, &TimeZone::UTC).strftime("rests until %H:%M:%S UTC").to_string()
}

/// A distance in the two largest units: `2 h 5 min`, `40 s`, `3 d`.
pub fn distance(milliseconds: i64) -> String {
    let seconds = milliseconds.max(0) / 1_000;
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let first = parts.iter().position(|(count, _)| *count > 0).unwrap_or(3);
    parts[first..]
        .iter()
        .take(2)
        .filter(|(count, _)| *count > 0 || seconds == 0)
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Ms = Ms(1_795_300_000_000); // 2026-11-21T22:26:40Z

    fn at(text: &str, zone: &str) -> String {
        shown(read("at", text, NOW, zone).unwrap().at)
    }

    #[test]
    fn every_documented_form_is_read() {
        assert_eq!(at("2026-11-23T09:00:00+03:00", ""), "2026-11-23T06:00:00Z");
        assert_eq!(
            at("2026-11-23 09:00 Europe/Moscow", "America/New_York"),
            "2026-11-23T06:00:00Z"
        );
        assert_eq!(at("2026-11-23 09:00", "Europe/Moscow"), "2026-11-23T06:00:00Z");
        assert_eq!(at("2026-11-23 09:00", ""), "2026-11-23T09:00:00Z");
        assert_eq!(at("+2h", ""), shown(NOW.plus(7_200_000)));
        assert_eq!(at("+1d12h", ""), shown(NOW.plus(129_600_000)));
        assert_eq!(at("+90m", ""), shown(NOW.plus(5_400_000)));
    }

    #[test]
    fn what_was_understood_is_said_in_local_time_and_utc() {
        let moment = read("at", "2026-11-23 09:00 Europe/Moscow", NOW, "").unwrap();
        assert_eq!(
            moment.understood,
            "2026-11-23 09:00:00 +03:00 Europe/Moscow (2026-11-23T06:00:00Z)"
        );
    }

    #[test]
    fn a_distance_back_needs_no_sign() {
        let back = |text: &str| read_past("since", text, NOW, "").unwrap().at;
        assert_eq!(back("1h"), NOW.plus(-3_600_000));
        assert_eq!(back("-2d"), NOW.plus(-2 * Ms::DAY));
        assert_eq!(shown(back("2026-11-20")), "2026-11-20T00:00:00Z");
        assert!(read_past("since", "yesterday", NOW, "").is_err());
    }

    #[test]
    fn nonsense_is_refused_with_an_example() {
        for text in ["tomorrow", "+", "+-2h", "2026-13-01", "2026-11-23 09:00 Mars/Base", "+900y"] {
            assert!(read("at", text, NOW, "").is_err(), "{text}");
        }
    }

    #[test]
    fn a_distance_ahead_is_refused_as_it_was_typed() {
        assert_eq!(read_ahead("for", "2h", NOW).unwrap().at, NOW.plus(7_200_000));
        assert_eq!(read_ahead("for", "+2h", NOW).unwrap().at, NOW.plus(7_200_000));
        for text in ["abc", "+abc", "11y", "0s", "1ns", "++2h", "-2h"] {
            let refused = read_ahead("for", text, NOW).unwrap_err().to_string();
            assert!(refused.starts_with(&format!("`for` can't be `{text}`: ")), "{refused}");
        }
    }

    #[test]
    fn a_distance_has_at_most_two_units() {
        assert_eq!(distance(0), "0 s");
        assert_eq!(distance(40_000), "40 s");
        assert_eq!(distance(7_500_000), "2 h 5 min");
        assert_eq!(distance(3 * 86_400_000), "3 d");
    }
}
