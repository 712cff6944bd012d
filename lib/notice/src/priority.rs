//! How urgent a task is.

use std::fmt;
use std::str::FromStr;

/// Higher is more urgent; one step is worth a day of waiting (queue 3.3). Within ±1,000,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(i32);

/// A priority outside ±1,000,000, or no number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no priority: a whole number from -1000000 to 1000000")]
pub struct InvalidPriority(pub String);

impl Priority {
    /// The largest distance from 0 that the column takes.
    pub const LIMIT: i64 = 1_000_000;

    /// Takes a number within the limit.
    pub fn new(number: i64) -> Result<Self, InvalidPriority> {
        match i32::try_from(number) {
            Ok(small) if number.abs() <= Self::LIMIT => Ok(Self(small)),
            _ => Err(InvalidPriority(number.to_string())),
        }
    }

    /// Whether it goes before everything ordinary: higher than 0, what a task has that says nothing.
    pub fn is_urgent(self) -> bool {
        self.0 > 0
    }

    /// The column's number.
    pub fn number(self) -> i64 {
        i64::from(self.0)
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Priority {
    type Err = InvalidPriority;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number: i64 = text.trim().parse().map_err(|_| InvalidPriority(text.to_owned()))?;
        Self::new(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_keeps_the_order_key_far_from_overflow() {
        assert!(Priority::new(1_000_000).is_ok());
        assert!(Priority::new(1_000_001).is_err());
        assert!(Priority::new(i64::MIN).is_err());
        assert!("5x".parse::<Priority>().is_err());
        assert_eq!("-3".parse::<Priority>().unwrap().number(), -3);
    }
}
