//! The least a gate can do: reads its input to the end, says it is sent.
#![expect(clippy::print_stdout, reason = "a gate for the bench stands alone")]

use std::io::Read;

fn main() {
    if std::env::args().nth(2).as_deref() == Some("outgoing") {
        let mut input = Vec::new();
        let _ = std::io::stdin().read_to_end(&mut input);
        print!("<doc/>");
    } else {
        print!(
            r#"<doc><features><feature name="outgoing"/><feature name="parallel"/></features><notify_module>ntemail</notify_module></doc>"#
        );
    }
}
