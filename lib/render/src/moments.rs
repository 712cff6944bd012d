//! `date` and `rusdate`: moments as people write them, in the user's zone.

use std::sync::LazyLock;

use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, Zoned};

const MONTHS: [&str; 12] = [
    "января",
    "февраля",
    "марта",
    "апреля",
    "мая",
    "июня",
    "июля",
    "августа",
    "сентября",
    "октября",
    "ноября",
    "декабря",
];

/// Zones compiled into the program: there are no files to read them from.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// The language and zone of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Locale {
    pub(crate) lang: String,
    /// IANA name; empty and unknown are UTC.
    pub(crate) timezone: String,
}

enum Moment {
    Day(Date),
    Time(Zoned),
}

/// A date, or a date and time, in the user's zone. `value`: `2026-11-22`, `2026-11-22 09:00:00` (UTC), RFC 3339, or
/// seconds since 1970. `format` is strftime's; without one `22.11.2026 12:00` in Russian, else `2026-11-22 12:00`;
/// a value without a time is written without one. What is no date stays as it is.
pub(crate) fn date(value: &str, format: &str, locale: &Locale) -> String {
    let Some(moment) = read(value.trim(), locale) else { return value.to_owned() };
    let russian = locale.lang.starts_with("ru");
    let usual = match (&moment, russian) {
        (Moment::Day(_), true) => "%d.%m.%Y",
        (Moment::Day(_), false) => "%Y-%m-%d",
        (Moment::Time(_), true) => "%d.%m.%Y %H:%M",
        (Moment::Time(_), false) => "%Y-%m-%d %H:%M",
    };
    let format = if format.is_empty() { usual } else { format };
    let written = match moment {
        Moment::Day(day) => strtime::format(format, day),
        Moment::Time(time) => strtime::format(format, &time),
    };
    written.unwrap_or_else(|_| value.to_owned())
}

/// `22 ноября 2026`, in the user's zone. What is no date stays as it is.
pub(crate) fn rusdate(value: &str, locale: &Locale) -> String {
    let day = match read(value.trim(), locale) {
        Some(Moment::Day(day)) => day,
        Some(Moment::Time(time)) => time.date(),
        None => return value.to_owned(),
    };
    let month = usize::try_from(day.month())
        .ok()
        .and_then(|month| MONTHS.get(month - 1))
        .copied()
        .unwrap_or_default();
    format!("{} {month} {}", day.day(), day.year())
}

fn read(value: &str, locale: &Locale) -> Option<Moment> {
    if value.len() <= 10
        && let Ok(day) = value.parse::<Date>()
    {
        return Some(Moment::Day(day));
    }
    let zone = ZONES.get(&locale.timezone).unwrap_or(TimeZone::UTC);
    if let Ok(seconds) = value.parse::<i64>() {
        return Timestamp::from_second(seconds)
            .ok()
            .map(|moment| Moment::Time(moment.to_zoned(zone)));
    }
    if let Ok(moment) = value.parse::<Timestamp>() {
        return Some(Moment::Time(moment.to_zoned(zone)));
    }
    let utc = value.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?;
    Some(Moment::Time(utc.with_time_zone(zone)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_the_users_zone() {
        let omsk = Locale { lang: "ru".into(), timezone: "Asia/Omsk".into() };
        let utc = Locale { lang: "en".into(), timezone: "Mars/Olympus".into() };
        for (value, format, locale, text) in [
            ("2026-11-22 21:00:00", "", &omsk, "23.11.2026 03:00"),
            ("2026-11-22 21:00:00", "", &utc, "2026-11-22 21:00"),
            ("2026-11-22T21:00:00+03:00", "%H:%M %Z", &omsk, "00:00 +06"),
            ("2026-11-22", "", &omsk, "22.11.2026"),
            ("2026-11-22", "%d/%m", &utc, "22/11"),
            ("0", "", &utc, "1970-01-01 00:00"),
            ("soon", "", &utc, "soon"),
            ("2026-13-45", "", &utc, "2026-13-45"),
            ("2026-11-22", "%H", &utc, "2026-11-22"),
        ] {
            assert_eq!(date(value, format, locale), text, "{value} {format}");
        }
        assert_eq!(rusdate("2026-11-22 21:00:00", &omsk), "23 ноября 2026");
        assert_eq!(rusdate("2026-05-01", &omsk), "1 мая 2026");
        assert_eq!(rusdate("вчера", &omsk), "вчера");
    }
}
