//! A word to people who wait.

use std::io::IsTerminal;
use std::time::Duration;

use tokio::time::timeout;

use crate::arguments::Arguments;

/// Before, nobody wonders.
pub(crate) const NOTICEABLE: Duration = Duration::from_secs(1);

/// Waits for `work`; says `what` is going on when it takes long, to a person at a terminal who did not ask for quiet.
pub(crate) async fn tell<T>(arguments: &Arguments, what: &str, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    if let Ok(done) = timeout(NOTICEABLE, &mut work).await {
        return done;
    }
    if !arguments.quiet && std::io::stderr().is_terminal() {
        anstream::eprintln!("everclat: {what}...");
    }
    work.await
}
