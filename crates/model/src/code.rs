#![expect(clippy::zero_prefixed_literal, reason = "the numbers are written as in CL-004")]

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! codes {
    ($($name:ident = $number:literal, $title:literal, $meaning:literal;)+) => {
        /// A stable code of what is going on. Append-only: numbers are never reused or given another meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $name,)+
        }

        impl Code {
            /// Every code, in order of number.
            pub const ALL: &'static [Code] = &[$(Code::$name,)+];

            /// The number behind `CL-`.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Code::$name => $number,)+ }
            }

            /// The name as users and scripts see it, such as `CL-301`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$name => concat!("CL-", stringify!($number)),)+ }
            }

            /// What a person without a network background is told.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Code::$name => $title,)+ }
            }

            /// What it means to a helpdesk.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Code::$name => $meaning,)+ }
            }
        }
    };
}

codes! {
    Working = 000, "IPv4 apps work", "translating, replies seen";
    NativeIpv4 = 001, "Nothing to do here", "native IPv4 present";
    OsTranslates = 002, "Your system does this itself", "the system's own CLAT is active, Everclat stands by";
    Paused = 003, "Paused", "paused by a user or by policy";
    Ready = 004, "Ready, not used yet", "armed, no reply seen yet";
    NoLink = 101, "No network", "no link";
    CaptivePortal = 102, "Sign in to this network first", "captive portal";
    NoAddress = 201, "Network gives no address", "no router advertisement or no global IPv6 address";
    Unstable = 202, "Network connection unstable", "router lost, router advertisement expiring or DAD failing";
    RoutersDisagree = 203, "More than one router disagrees", "conflicting router advertisements";
    NoPref64 = 301, "This network has no IPv4 gateway", "no PREF64 by any method";
    BadPref64 = 302, "IPv4 gateway announced wrongly", "PREF64 with an invalid length, lifetime or mismatch";
    Pref64Expired = 303, "Gateway information ran out", "PREF64 lifetime ended without a refresh";
    NoResolver = 401, "Names cannot be looked up", "resolver unreachable";
    CustomDns = 402, "Custom DNS in use", "custom DNS in use, the prefix was learnt elsewhere";
    PlatSilent = 501, "IPv4 gateway does not answer", "the NAT64 does not answer";
    PlatPartial = 502, "Gateway blocks part of the traffic", "TCP passes, UDP or ICMP does not";
    PlatStopped = 503, "Gateway stopped after a while", "it worked and stopped: neighbour or binding ageing suspected";
    TunFailed = 601, "Translation cannot start", "driver, TUN device or permission";
    Blocked = 602, "Other software blocks Everclat", "the NAT64 answers, our adapter does not; or others keep taking away what is ours";
    Conflict = 603, "Two programs translate", "another CLAT is active";
    VpnTakesTraffic = 604, "VPN takes the traffic", "a VPN owns the route towards the NAT64";
    AddressConflict = 605, "Address conflict", "our IPv4 range or our IPv6 address is in use";
    MtuBlackHole = 701, "Large transfers hang", "path MTU black hole";
    PolicyInvalid = 801, "Company setting invalid", "a setting has an invalid value";
    PolicyUnknown = 802, "Company setting unknown", "a setting is not known";
    PolicyUnreadable = 803, "Company setting unreadable", "a settings file cannot be read";
    ServiceDown = 901, "Background service is not running", "everclatd does not answer";
    VersionSkew = 902, "App and service differ in version", "half an upgrade";
    Restarted = 903, "Service restarted after a fault", "everclatd ended unexpectedly and was started again";
    Denied = 904, "No permission", "not allowed by policy or for this user";
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.as_str() == text)
            .ok_or_else(|| serde::de::Error::custom(format!("unknown code {text}")))
    }
}

/// Who gives this host its IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// Everclat translates.
    #[serde(rename = "self")]
    Everclat,
    /// The operating system or another program on this host translates.
    Other,
    /// Nobody translates: IPv4 is native or absent.
    None,
}

/// The derive would take the variants' names; on the wire stand `CL-301` and its like.
#[cfg(feature = "ts")]
impl ts_rs::TS for Code {
    type WithoutGenerics = Self;
    type OptionInnerType = Self;

    fn name(_: &ts_rs::Config) -> String {
        "Code".to_owned()
    }

    fn inline(cfg: &ts_rs::Config) -> String {
        Self::name(cfg)
    }

    fn decl(_: &ts_rs::Config) -> String {
        "type Code = (typeof CODES)[number];".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_ordered() {
        let numbers: Vec<u16> = Code::ALL.iter().map(|code| code.number()).collect();
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
        for code in Code::ALL {
            assert_eq!(code.as_str(), format!("CL-{:03}", code.number()));
        }
    }

    #[test]
    fn codes_survive_json() {
        let text = serde_json::to_string(&Code::NoPref64).unwrap();
        assert_eq!(text, "\"CL-301\"");
        assert_eq!(serde_json::from_str::<Code>(&text).unwrap(), Code::NoPref64);
        assert!(serde_json::from_str::<Code>("\"CL-999\"").is_err());
    }
}
