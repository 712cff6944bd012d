//! `--help`: the head of the program's own source, so that there is one manual.

/// The lines that begin with `//!`, without that mark.
pub(crate) fn manual_of(source: &str) -> String {
    let head = source.lines().map_while(|line| line.strip_prefix("//!"));
    head.fold(String::new(), |mut text, line| {
        text.push_str(line.strip_prefix(' ').unwrap_or(line));
        text.push('\n');
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_is_the_head_of_the_source() {
        assert_eq!(manual_of("//! One\n//!\n//!  two\n\nfn main() {}\n//! no"), "One\n\n two\n");
    }
}
