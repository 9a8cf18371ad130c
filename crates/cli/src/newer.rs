//! What can be said of a status with words that only a newer service has.

use model::{Code, State};
use serde::Deserialize;
use serde_json::Value;

use crate::exit::Exit;

/// Title and code as the service gave them.
pub(crate) fn headline(said: &Value) -> String {
    let field = |name: &str| said[name].as_str().unwrap_or("unknown");
    format!("? {}  ({}), state {}", field("title"), field("code"), field("state"))
}

/// Tells once that something is missing, and what to do about it.
pub(crate) fn complain(why: &str) {
    anstream::eprintln!("everclat: {}: the service is newer than this program: {why}", Code::VersionSkew);
    anstream::eprintln!("Update this program; status --json shows all that the service says.");
}

/// The health it stands for; a state that is not known is none.
pub(crate) fn health(said: &Value) -> Exit {
    let code = Code::deserialize(&said["code"]).ok();
    State::deserialize(&said["state"]).map_or(Exit::Internal, |state| Exit::of_both(state, code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_counts() {
        let said = serde_json::json!({"state": "down", "code": "CL-998", "title": "Something new"});
        assert_eq!(headline(&said), "? Something new  (CL-998), state down");
        assert_eq!(health(&said), Exit::Down);
        assert_eq!(health(&serde_json::json!({"state": "down", "code": "CL-605", "x": 1})), Exit::Conflict);
        assert_eq!(health(&serde_json::json!({"state": "levitating"})), Exit::Internal);
        assert_eq!(headline(&Value::Null), "? unknown  (unknown), state unknown");
    }
}
