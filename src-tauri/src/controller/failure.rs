//! Why there is no connection, and whose version is the older one.

use std::cmp::Ordering;

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Nobody listens.
    NotRunning(String),
    /// This user may not connect.
    Denied(String),
    /// The service is too old; its name and version.
    TooOld(String),
    /// The service is too new; its name and version.
    TooNew(String),
    /// It hung, broke off or said nonsense.
    Broken(String),
}

/// The version in a program's name, such as `everclatd 0.1.0`; its last word where there is none.
pub(super) fn version_of(program: &str) -> String {
    program.rsplit(' ').next().unwrap_or_default().to_owned()
}

/// Which of two versions is newer; `None` where one of them is no version.
pub(super) fn compare(one: &str, other: &str) -> Option<Ordering> {
    let parts = |version: &str| -> Option<Vec<u64>> {
        version.split(['-', '+']).next()?.split('.').map(|part| part.parse().ok()).collect()
    };
    Some(parts(one)?.cmp(&parts(other)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert_eq!(version_of("everclatd 0.10.0"), "0.10.0");
        assert_eq!(compare("0.10.0", "0.9.1"), Some(Ordering::Greater));
        assert_eq!(compare("1.0.0-rc1", "1.0.0"), Some(Ordering::Equal));
        assert_eq!(compare("0.1.0", "everclatd"), None);
    }
}
