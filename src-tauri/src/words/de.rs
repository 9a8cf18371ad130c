use model::Code;

use super::Phrase;

pub(super) const fn say(phrase: Phrase) -> &'static str {
    match phrase {
        Phrase::Working => "IPv4-Programme funktionieren (übersetzt)",
        Phrase::Ready => "Bereit für IPv4-Programme",
        Phrase::Standby => "In Bereitschaft: Dieses Netz hat IPv4",
        Phrase::Os => "In Bereitschaft: Ihr System übersetzt selbst",
        Phrase::Checking => "Dieses Netz wird geprüft …",
        Phrase::Limited => "IPv4-Programme sind vielleicht langsam oder scheitern",
        Phrase::Down => "IPv4-Programme haben keine Verbindung",
        Phrase::Paused => "Pausiert",
        Phrase::NoService => "Der Hintergrunddienst läuft nicht",
        Phrase::Denied => "Der Hintergrunddienst darf nicht gefragt werden",
        Phrase::Skew => "App und Dienst haben verschiedene Versionen",
        Phrase::NoNetwork => "Kein Netz",
        Phrase::CheckAgain => "Erneut prüfen",
        Phrase::Pause => "Pausieren",
        Phrase::Resume => "Fortsetzen",
        Phrase::Open => "Everclat öffnen",
        Phrase::Close => "Dieses Symbol schließen (übersetzt wird weiter)",
        Phrase::Recovered => "IPv4-Programme funktionieren wieder",
        Phrase::RecoveredMore => "Die Verbindung ist zurück.",
        Phrase::ReadOn => "Was hilft, steht im Fenster von Everclat.",
    }
}

pub(super) const fn title(code: Code) -> &'static str {
    match code {
        Code::Working => "IPv4-Programme funktionieren",
        Code::NativeIpv4 => "Hier gibt es nichts zu tun",
        Code::OsTranslates => "Ihr System macht das selbst",
        Code::Paused => "Pausiert",
        Code::Ready => "Bereit, noch nicht benutzt",
        Code::NoLink => "Kein Netz",
        Code::CaptivePortal => "Melden Sie sich zuerst in diesem Netz an",
        Code::NoAddress => "Das Netz vergibt keine Adresse",
        Code::Unstable => "Die Netzverbindung ist unstabil",
        Code::RoutersDisagree => "Mehrere Router widersprechen sich",
        Code::NoPref64 => "Dieses Netz hat keinen IPv4-Übergang",
        Code::BadPref64 => "Der IPv4-Übergang ist falsch angekündigt",
        Code::Pref64Expired => "Die Angaben zum IPv4-Übergang sind abgelaufen",
        Code::NoResolver => "Namen lassen sich nicht nachschlagen",
        Code::CustomDns => "Eigenes DNS in Gebrauch",
        Code::PlatSilent => "Der IPv4-Übergang antwortet nicht",
        Code::PlatPartial => "Der IPv4-Übergang sperrt einen Teil des Verkehrs",
        Code::PlatStopped => "Der IPv4-Übergang hat nach einer Weile aufgehört",
        Code::TunFailed => "Der Übersetzungsadapter startet nicht",
        Code::Blocked => "Sicherheitssoftware blockiert Everclat",
        Code::Conflict => "Zwei Programme übersetzen",
        Code::VpnTakesTraffic => "Ein VPN nimmt den Verkehr",
        Code::AddressConflict => "Adresskonflikt",
        Code::MtuBlackHole => "Große Übertragungen bleiben hängen",
        Code::PolicyInvalid => "Eine Firmeneinstellung ist ungültig",
        Code::PolicyUnknown => "Eine Firmeneinstellung ist unbekannt",
        Code::PolicyUnreadable => "Firmeneinstellungen sind nicht lesbar",
        Code::ServiceDown => "Der Hintergrunddienst läuft nicht",
        Code::VersionSkew => "App und Dienst haben verschiedene Versionen",
        Code::Restarted => "Der Dienst wurde nach einem Fehler neu gestartet",
        Code::Denied => "Keine Berechtigung",
    }
}
