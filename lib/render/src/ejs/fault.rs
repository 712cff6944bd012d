//! What JavaScript threw, and where.

use rquickjs::{CaughtError, Ctx, Error, Object, Value};

/// An exception, as far as it could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Thrown {
    pub(super) message: String,
    /// Its frames: file and line of the source.
    pub(super) frames: Vec<(String, u32)>,
}

/// Takes the pending exception.
pub(super) fn thrown(ctx: &Ctx<'_>, error: Error) -> Thrown {
    match CaughtError::from_error(ctx, error) {
        CaughtError::Exception(exception) => {
            let object = exception.into_object();
            let message = text(&object, "message");
            let name = text(&object, "name");
            let plain = name.is_empty() || name == "Error" || message.is_empty();
            let message = if plain { message } else { format!("{name}: {message}") };
            Thrown { message, frames: frames_in(&text(&object, "stack")) }
        }
        CaughtError::Value(value) => Thrown { message: spoken(&value), frames: Vec::new() },
        CaughtError::Error(error) => Thrown { message: error.to_string(), frames: Vec::new() },
    }
}

fn text(object: &Object<'_>, name: &str) -> String {
    object.get::<_, String>(name).unwrap_or_default()
}

fn spoken(value: &Value<'_>) -> String {
    if let Some(text) = value.as_string().and_then(|text| text.to_string().ok()) {
        return text;
    }
    match value.as_object() {
        Some(object) => text(object, "message"),
        None => format!("{value:?}"),
    }
}

/// Lines like `    at name (file:12:5)` or `    at file:12:5`.
fn frames_in(stack: &str) -> Vec<(String, u32)> {
    stack.lines().filter_map(frame).collect()
}

fn frame(line: &str) -> Option<(String, u32)> {
    let at = line.trim().strip_prefix("at ")?;
    let place = match at.rfind('(') {
        Some(open) => at[open + 1..].trim_end_matches(')'),
        None => at,
    };
    let (rest, last) = place.rsplit_once(':')?;
    let last: u32 = last.parse().ok()?;
    match rest.rsplit_once(':').map(|(file, line)| (file, line.parse::<u32>())) {
        Some((file, Ok(line))) => Some((file.to_owned(), line)),
        _ => Some((rest.to_owned(), last)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read() {
        let stack = "    at f (ru.mail.html.ejs:12:5)\n    at <anonymous> (head:3)\n    at b:7:1\n    at apply (native)\n";
        let frames = [("ru.mail.html.ejs", 12), ("head", 3), ("b", 7)]
            .map(|(file, line)| (file.to_owned(), line));
        assert_eq!(frames_in(stack), frames);
    }
}
