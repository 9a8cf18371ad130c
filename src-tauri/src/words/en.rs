use super::Phrase;

pub(super) const fn say(phrase: Phrase) -> &'static str {
    match phrase {
        Phrase::Working => "IPv4 apps work (translated)",
        Phrase::Ready => "Ready for IPv4 apps",
        Phrase::Standby => "Standing by: this network has IPv4",
        Phrase::Os => "Standing by: your system translates itself",
        Phrase::Checking => "Checking this network…",
        Phrase::Limited => "IPv4 apps may be slow or fail",
        Phrase::Down => "IPv4 apps cannot connect",
        Phrase::Paused => "Paused",
        Phrase::NoService => "Background service not running",
        Phrase::Denied => "No permission to ask the background service",
        Phrase::Skew => "App and service differ in version",
        Phrase::NoNetwork => "No network",
        Phrase::CheckAgain => "Check again",
        Phrase::Pause => "Pause",
        Phrase::Resume => "Resume",
        Phrase::Open => "Open Everclat",
        Phrase::Close => "Close this icon (translation continues)",
        Phrase::Recovered => "IPv4 apps work again",
        Phrase::RecoveredMore => "The connection is back.",
        Phrase::ReadOn => "Open Everclat to see what helps.",
    }
}
