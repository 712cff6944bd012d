//! What an answer must look like, written in one line: `status 200 2xx`, `text OK`, `json PATH`,
//! `json PATH = VALUE`.

use gatepost_gate::Failure;
use serde_json::Value;

/// What the service answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    /// The HTTP status.
    pub(crate) status: u16,
    /// Names in lower case, and values.
    pub(crate) headers: Vec<(String, String)>,
    /// The body as text; at most 1 MiB of it.
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let wanted = name.to_ascii_lowercase();
        self.headers.iter().find(|(known, _)| *known == wanted).map(|(_, value)| value.as_str())
    }

    /// The value at a path of a JSON body, as text. A path is names and positions joined by dots.
    pub(crate) fn json(&self, path: &str) -> Option<String> {
        let mut value = serde_json::from_str::<Value>(&self.body).ok()?;
        for step in path.split('.').filter(|step| !step.is_empty()) {
            value = match value {
                Value::Object(mut fields) => fields.remove(step)?,
                Value::Array(mut items) => {
                    let at = step.parse::<usize>().ok().filter(|at| *at < items.len())?;
                    items.swap_remove(at)
                }
                _ => return None,
            };
        }
        match value {
            Value::Null => None,
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        }
    }
}

/// One line of a test field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// One of these statuses; `2xx` is 200 to 299.
    Status(Vec<(u16, u16)>),
    /// The body holds this text.
    Text(String),
    /// There is something at this path, and it is this if a value is given.
    Json { path: String, value: Option<String> },
}

impl Expect {
    /// Every line that is not empty.
    pub(crate) fn read_lines(text: &str) -> Result<Vec<Self>, Failure> {
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(Self::read).collect()
    }

    fn read(line: &str) -> Result<Self, Failure> {
        let (kind, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        let read = match kind {
            "status" => statuses(rest).map(Self::Status),
            "text" => Some(Self::Text(rest.to_owned())),
            "json" => Some(json(rest)),
            _ => None,
        };
        read.filter(|_| !rest.is_empty()).ok_or_else(|| {
            Failure::hold(format!(
                "`{line}` is no test: use `status 200 2xx`, `text WORDS`, `json PATH` or `json PATH = VALUE`"
            ))
        })
    }

    pub(crate) fn matches(&self, reply: &Reply) -> bool {
        match self {
            Self::Status(ranges) => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&reply.status))
            }
            Self::Text(text) => reply.body.contains(text.as_str()),
            Self::Json { path, value } => {
                reply.json(path).is_some_and(|found| value.as_ref().is_none_or(|it| *it == found))
            }
        }
    }
}

fn statuses(text: &str) -> Option<Vec<(u16, u16)>> {
    let range = |word: &str| match word.strip_suffix("xx") {
        Some(hundreds) => {
            let from = hundreds.parse::<u16>().ok().filter(|it| (1..=5).contains(it))? * 100;
            Some((from, from + 99))
        }
        None => word.parse().ok().filter(|it| (100..600).contains(it)).map(|it| (it, it)),
    };
    text.split([' ', ',']).filter(|word| !word.is_empty()).map(range).collect()
}

fn json(text: &str) -> Expect {
    match text.split_once('=') {
        None => Expect::Json { path: text.to_owned(), value: None },
        Some((path, value)) => Expect::Json {
            path: path.trim().to_owned(),
            value: Some(value.trim().trim_matches('"').to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply { status, body: body.to_owned(), ..Reply::default() }
    }

    fn holds(line: &str, reply: &Reply) -> bool {
        Expect::read_lines(line).unwrap()[0].matches(reply)
    }

    #[test]
    fn each_kind_of_test_is_read_and_asked() {
        let good = reply(202, r#"{"messages":[{"status":0,"id":"a7"}],"ok":true,"none":null}"#);
        for line in [
            "status 200 202",
            "status 2xx",
            "text \"ok\":true",
            "json ok = true",
            "json messages.0.status = 0",
            "json messages.0.id=a7",
            "json messages.0",
        ] {
            assert!(holds(line, &good), "{line}");
        }
        for line in ["status 200", "text nope", "json none", "json messages.1", "json ok = false"] {
            assert!(!holds(line, &good), "{line}");
        }
        assert!(!holds("json id", &reply(200, "not json")));
    }

    #[test]
    fn a_line_that_is_no_test_is_refused() {
        for line in ["maybe", "status", "status 7xx", "status 99", "text", "status twohundred"] {
            assert!(Expect::read_lines(line).is_err(), "{line}");
        }
        assert!(Expect::read_lines("\n \n").unwrap().is_empty());
    }
}
