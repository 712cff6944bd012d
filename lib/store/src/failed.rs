//! What a task that has failed for good is to the rest of the platform: an event, so that somebody can be told.

use crate::{NewEvent, NewLog};
use notice::Ms;

/// The kind of the event.
const TASKS_FAILED: &str = "tasks.failed";
/// What tells people of failed tasks must not bring news of its own failure, or the alert would feed itself.
const SILENT: [&str; 2] = ["staff_alert", TASKS_FAILED];

/// The event of a task whose last log row this is.
pub(crate) fn failed_event(log: &NewLog, reason: &str, now: Ms) -> Option<NewEvent> {
    let notice = log.notice.as_deref().unwrap_or_default();
    if SILENT.contains(&notice) {
        return None;
    }
    let number = |name: &str, value: Option<i64>| {
        value.map_or_else(String::new, |value| format!(",\"{name}\":{value}"))
    };
    let data = format!(
        "{{\"id\":{},\"module\":{},\"notice\":{}{}{}{},\"reason\":{}}}",
        log.task,
        quoted(&log.module),
        quoted(notice),
        number("user", log.user.map(|id| id.0)),
        number("project", log.project.map(|id| id.0)),
        number("gateway", log.gateway.map(|id| id.0)),
        quoted(reason),
    );
    let (events_id, object_id) = (TASKS_FAILED.to_owned(), log.task.to_string());
    Some(NewEvent { events_id, object_id, data, at: now })
}

/// Digits of an escape.
const HEX: &[u8; 16] = b"0123456789abcdef";

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            control if control < ' ' => {
                quoted.push_str("\\u00");
                quoted.push(char::from(HEX[control as usize >> 4]));
                quoted.push(char::from(HEX[control as usize & 15]));
            }
            plain => quoted.push(plain),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_reason_can_not_leave_its_string() {
        assert_eq!(quoted("a\"b\\c\n\u{1}д"), "\"a\\\"b\\\\c\\u000a\\u0001д\"");
    }
}
