//! Words for a shell (S1-31): the one place that quotes.

/// The word in single quotes, which any `sh` gives back byte by byte, whatever is in it. A NUL can't be
/// in a word at all and is left out.
pub(crate) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\0', "").replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_one_word_whatever_is_in_it() {
        // S1-31
        for (word, written) in [
            ("plain", "'plain'"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("$(reboot) `x` $y", "'$(reboot) `x` $y'"),
            ("-e\n!x\\", "'-e\n!x\\'"),
        ] {
            assert_eq!(quoted(word), written);
        }
    }
}
