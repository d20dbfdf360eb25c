//! Configuration errors, collected so that they are all reported together.

use std::fmt;

/// A list of mistakes in one source, such as a manifest.
#[derive(Debug, Default)]
pub struct Problems {
    found: Vec<String>,
}

impl Problems {
    /// Adds a mistake: lower case, no full stop, naming the input and the remedy.
    pub fn push(&mut self, problem: impl Into<String>) {
        self.found.push(problem.into());
    }

    /// Adds the error, if there is one, and returns the value.
    pub fn take<T>(&mut self, result: Result<T, String>) -> Option<T> {
        result.map_err(|problem| self.push(problem)).ok()
    }

    /// Returns `value` if there are no mistakes.
    pub fn into_result<T>(self, value: T) -> Result<T, Self> {
        if self.found.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.found.as_slice() {
            [only] => f.write_str(only),
            all => {
                write!(f, "{} problems:", all.len())?;
                all.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
            }
        }
    }
}

impl std::error::Error for Problems {}
