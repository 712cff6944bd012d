//! Medians and spread of interleaved rounds; processor time.

use serde_json::json;
use std::fmt::Write as _;

/// Figures of one case, one a round.
#[derive(Clone)]
pub(crate) struct Case {
    /// Its name.
    pub(crate) name: String,
    /// One a round.
    pub(crate) figures: Vec<f64>,
}

impl Case {
    /// A case without figures yet.
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), figures: Vec::new() }
    }

    /// The middle figure.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.figures.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    }

    /// The smallest figure that so many of a hundred do not exceed.
    pub(crate) fn percentile(&self, of_hundred: usize) -> f64 {
        let mut sorted = self.figures.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[(sorted.len() * of_hundred).div_ceil(100).max(1) - 1]
    }

    /// The smallest.
    pub(crate) fn least(&self) -> f64 {
        self.figures.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The largest.
    pub(crate) fn most(&self) -> f64 {
        self.figures.iter().copied().fold(0.0, f64::max)
    }

    /// The middle one and all, in the order of the rounds.
    pub(crate) fn json(&self) -> serde_json::Value {
        json!({"median": self.median(), "rounds": self.figures})
    }
}

/// Cases as a Markdown table, each with its ratio to the first.
pub(crate) fn table(cases: &[Case], unit: &str) -> String {
    let mut table = format!(
        "| case | median {unit} | least–most | rounds | ratio to the first |\n|---|---:|---:|---:|---:|"
    );
    let first = cases[0].median();
    for case in cases {
        let (median, least, most) = (case.median(), case.least(), case.most());
        write!(
            table,
            "\n| {} | {median:.2} | {least:.2}–{most:.2} | {} | {:.3} |",
            case.name,
            case.figures.len(),
            median / first
        )
        .unwrap();
    }
    table
}

/// `USER_HZ` is 100 on every Linux.
pub(crate) const MICROSECONDS_A_TICK: f64 = 10_000.0;

/// Processor time of this process and of all it has waited for (proc(5): utime, stime, cutime, cstime).
pub(crate) fn cpu_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    fields.split_whitespace().skip(11).take(4).map(|field| field.parse::<u64>().unwrap()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_figure_that_was_measured() {
        let mut case = Case::new("a");
        case.figures = (1..=200).rev().map(f64::from).collect();
        let shown = |case: &Case| [1, 50, 99, 100].map(|of| case.percentile(of).to_string());
        assert_eq!(shown(&case), ["2", "100", "198", "200"]);
        case.figures = vec![7.0];
        assert_eq!(shown(&case), ["7"; 4]);
    }
}
