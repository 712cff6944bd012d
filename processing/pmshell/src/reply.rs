//! What a script printed: the OK line and the parameters on it.

use crate::order::is_name;
use notice::Fields;

/// The parameters of an OK line, and what is worth a note.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    /// By the script's names; of two with one name the last counts (S1-30).
    pub(crate) parameters: Fields,
    pub(crate) notes: Vec<String>,
}

/// Why there is no OK line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoReply {
    /// None at all.
    NoOk,
    /// One in letters that only look like it (S1-27).
    CyrillicOk,
}

/// Reads the last line that begins with OK as a word (S1-19, S1-28). What is said on stderr does not
/// count (S1-43).
pub(crate) fn read(stdout: &[u8]) -> Result<Reply, NoReply> {
    let text = String::from_utf8_lossy(stdout);
    let line = text.lines().rev().find_map(|line| after_word(line, "OK"));
    match line {
        Some(rest) => Ok(parameters(rest)),
        None if text.lines().any(begins_like_ok) => Err(NoReply::CyrillicOk),
        None => Err(NoReply::NoOk),
    }
}

fn after_word<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(word)?;
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then_some(rest)
}

/// `О` and `К` stand for both alphabets here.
fn begins_like_ok(line: &str) -> bool {
    ["\u{41e}\u{41a}", "O\u{41a}", "\u{41e}K"].iter().any(|word| after_word(line, word).is_some())
}

/// S1-20, S1-29, S1-30
fn parameters(rest: &str) -> Reply {
    let mut reply = Reply::default();
    let mut last: Option<String> = None;
    for token in rest.split_whitespace() {
        let named = token.strip_prefix("--").map(|token| (token, token.split_once('=')));
        match named {
            Some((_, Some((name, value)))) if is_name(name) => {
                reply.parameters.set(name, value);
                last = Some(name.to_owned());
            }
            Some((token, _)) => {
                let name = token.split('=').next().unwrap_or_default();
                reply.notes.push(format!("the OK line names `--{name}`, which is no --name=value"));
                last = None;
            }
            None => match &last {
                Some(name) => {
                    let longer = format!("{} {token}", reply.parameters.text(name));
                    reply.parameters.set(name, longer);
                    reply.notes.push(format!("the value of `{name}` has a space in it"));
                }
                None => {
                    reply.notes.push("the OK line has a word that belongs to nothing".to_owned());
                }
            },
        }
    }
    reply.notes.dedup();
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `name=value|…`, or why there is no line.
    fn shown(stdout: &str) -> String {
        match read(stdout.as_bytes()) {
            Ok(reply) => {
                let pairs = reply.parameters.iter().map(|(name, value)| format!("{name}={value}"));
                pairs.collect::<Vec<_>>().join("|")
            }
            Err(NoReply::NoOk) => "no".to_owned(),
            Err(NoReply::CyrillicOk) => "cyrillic".to_owned(),
        }
    }

    #[test]
    fn the_line_is_the_last_that_begins_with_ok_in_latin_letters() {
        // S1-19, S1-27, S1-28
        for (stdout, wanted) in [
            ("OK", ""),
            ("OK\r\n", ""),
            ("noise\nOK --id=1\nmore noise", "id=1"),
            ("OK --id=1\nOK --id=2\n", "id=2"),
            ("OK --id=1\nOKAY --id=2\n", "id=1"),
            ("OK\t--id=1", "id=1"),
            ("", "no"),
            ("OKAY", "no"),
            ("ok", "no"),
            (" OK", "no"),
            ("It is OK", "no"),
            ("\u{41e}\u{41a} --id=1", "cyrillic"),
            ("O\u{41a}", "cyrillic"),
            ("\u{41e}\u{41a}\nOK --id=3", "id=3"),
        ] {
            assert_eq!(shown(stdout), wanted, "{stdout:?}");
        }
    }

    #[test]
    fn parameters_are_read_as_the_document_has_them() {
        // S1-20, S1-29, S1-30
        for (line, wanted) in [
            ("OK --id=u1 --username=u1 --password=x", "id=u1|username=u1|password=x"),
            ("OK --password=p w  x --id=1", "password=p w x|id=1"),
            ("OK --id=1 --x= --id=2", "id=2|x="),
            ("OK --flag word --id=1", "id=1"),
            ("OK done --a.b_c-d=e=f", "a.b_c-d=e=f"),
            ("OK --имя=1 --=2 --a b=3", ""),
            ("OK -- --id=--x", "id=--x"),
        ] {
            assert_eq!(shown(line), wanted, "{line}");
        }
        let odd = read(b"OK --flag --password=s3cret s3cret").unwrap();
        assert_eq!(odd.notes.len(), 2);
        assert!(odd.notes.iter().all(|note| !note.contains("s3cret")), "{:?}", odd.notes);
    }
}
