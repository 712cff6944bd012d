//! An error and what caused it, in one line for a person.

/// An error with its causes, each said once.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !words.contains(&said) {
            words.push_str(": ");
            words.push_str(&said);
        }
        cause = inner.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;
    use std::fmt;

    #[derive(Debug)]
    struct Said(&'static str, Option<Box<Said>>);

    impl fmt::Display for Said {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Said {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_ref().map(|inner| &**inner as &(dyn Error + 'static))
        }
    }

    #[test]
    fn every_cause_is_said_once() {
        let inner = Said("no such file", None);
        let middle = Said("can't open `x`: no such file", Some(Box::new(inner)));
        let outer = Said("can't start", Some(Box::new(middle)));
        assert_eq!(chain(&outer), "can't start: can't open `x`: no such file");
    }
}
