//! The text of column `createdate`: shown, never used for order.

use notice::Ms;

const DAY_SECS: i64 = 86_400;

/// `YYYY-MM-DD HH:MM:SS` in UTC, as `SQLite`'s `datetime('now')` writes it.
pub(crate) fn createdate(at: Ms) -> String {
    let seconds = at.0.div_euclid(1_000);
    let (year, month, day) = civil(seconds.div_euclid(DAY_SECS));
    let of_day = seconds.rem_euclid(DAY_SECS);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// Year, month and day of a day since 1970 (Hinnant's `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(createdate(Ms(0)), "1970-01-01 00:00:00");
        assert_eq!(createdate(Ms(951_782_400_000)), "2000-02-29 00:00:00");
        assert_eq!(createdate(Ms(1_795_305_599_999)), "2026-11-21 23:59:59");
        assert_eq!(createdate(Ms(-1)), "1969-12-31 23:59:59");
    }
}
