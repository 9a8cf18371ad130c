//! What a person can do about it.

use model::{Code, Status};

/// The next step; `None` where none is needed.
pub(crate) const fn advice(status: &Status) -> Option<&'static str> {
    Some(match status.code {
        Code::Working | Code::NativeIpv4 | Code::OsTranslates | Code::Ready => return None,
        Code::Paused if status.pause.is_some() => "it ends by itself; at once with: everclat resume",
        Code::Paused => "the setting Enabled is off; who set it is said by: everclat config list",
        Code::NoLink => "plug in a cable or join a Wi-Fi network",
        Code::CaptivePortal => {
            "sign in with a browser; IPv4 follows within half a minute, or at once with: everclat rearm"
        }
        Code::NoAddress => "connect again; if it stays so, tell the network's operator that hosts get no IPv6",
        Code::Unstable => "check cable or Wi-Fi; if it stays so, connect again",
        Code::RoutersDisagree => "tell the network's operator that its routers contradict each other",
        Code::NoPref64 => {
            "ask the network's operator for its NAT64 prefix; use it with: everclat config set Pref64Static PREFIX"
        }
        Code::BadPref64 => "tell the network's operator that its routers announce a faulty NAT64 prefix",
        Code::Pref64Expired => "try: everclat rearm; if it stays so, tell the network's operator",
        Code::NoResolver => "check the DNS settings of this computer, or tell the network's operator",
        Code::CustomDns => "nothing, unless names fail; then use the network's own DNS",
        Code::PlatSilent | Code::PlatStopped => {
            "tell the network's operator that its NAT64 does not answer; Everclat goes on asking by itself"
        }
        Code::PlatPartial => "tell the network's operator that its NAT64 lets only part of the traffic through",
        Code::TunFailed => {
            "look for the reason with: everclat log; often it is missing rights or a missing /dev/net/tun"
        }
        Code::Blocked => "allow Everclat in the firewall or security software",
        Code::Conflict => "switch off one of the two programs",
        Code::VpnTakesTraffic => "disconnect the VPN, or ask its operator for IPv4 in it",
        Code::AddressConflict => "Everclat tries other addresses by itself; if it stays so, connect again",
        Code::MtuBlackHole => {
            "tell the network's operator that ICMPv6 Packet Too Big gets lost there; Everclat sends smaller packets meanwhile"
        }
        Code::PolicyInvalid | Code::PolicyUnknown | Code::PolicyUnreadable => {
            "tell your administrator what is said by: everclat policy list"
        }
        Code::ServiceDown => "start the service",
        Code::VersionSkew => "update program and service to the same version",
        Code::Restarted => "if it happens again, look for the reason with: everclat log",
        Code::Denied => "ask your administrator",
    })
}
