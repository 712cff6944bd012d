//! What a person sees of a run on a terminal; from cron nothing.

use crate::drain::Tally;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::time::Duration;

/// The progress of one run.
pub struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Shown on a terminal only; `waiting` tasks were ready at the start.
    pub fn on_terminal(waiting: u64) -> Self {
        let bar = ProgressBar::new(waiting);
        let style = "{spinner} {msg}, {rate}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style.with_key("rate", rate));
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar: Some(bar) }
    }

    /// Nobody looks.
    pub fn silent() -> Self {
        Self { bar: None }
    }

    /// True if somebody looks.
    pub fn is_shown(&self) -> bool {
        self.bar.is_some()
    }

    /// Shows what has been done and how many are ready.
    pub fn show(&self, tally: Tally, waiting: u64) {
        let Some(bar) = &self.bar else { return };
        let ended = tally.sent + tally.refused + tally.later + tally.failed + tally.asked;
        bar.set_length(ended + waiting);
        bar.set_position(ended);
        bar.set_message(words(tally, waiting));
    }

    /// The last line.
    pub fn finish(&self, tally: Tally, waiting: u64) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
            bar.println(words(tally, waiting));
        }
    }
}

/// `160/s`: nobody reads the fractions.
fn rate(state: &ProgressState, text: &mut dyn Write) {
    let _ = write!(text, "{:.0}/s", state.per_sec());
}

/// `12 sent, 3 waiting, 1 failed`.
pub fn words(tally: Tally, waiting: u64) -> String {
    let mut text = format!("{} sent, {waiting} waiting, {} failed", tally.sent, tally.failed);
    for (count, word) in
        [(tally.later, "put off"), (tally.asked, "asked"), (tally.reaped, "taken over")]
    {
        if count > 0 {
            let _ = write!(text, ", {count} {word}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_happened_is_mentioned() {
        let tally = Tally { sent: 12, failed: 1, ..Tally::default() };
        assert_eq!(words(tally, 3), "12 sent, 3 waiting, 1 failed");
        let tally = Tally { later: 2, asked: 1, reaped: 4, ..Tally::default() };
        assert_eq!(
            words(tally, 0),
            "0 sent, 0 waiting, 0 failed, 2 put off, 1 asked, 4 taken over"
        );
    }
}
