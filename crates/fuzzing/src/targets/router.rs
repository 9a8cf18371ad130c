//! Router advertisements.

use engine::RouterOption;
use platform_linux::codec::advertisement;

/// A whole advertisement as a raw socket delivers it, and the input as a single option.
pub fn ra_options(input: &[u8]) {
    let _read = read(input);
    let Some(options) = advertisement::options(input) else { return };
    // They lie end to end behind the fixed part.
    assert_eq!(options.concat(), &input[16..], "options were lost");
    for option in options {
        assert_eq!(option.len(), usize::from(option[1]) * 8, "an option of another length");
        let read = read(option);
        assert!(read || [25, 37, 38].contains(&option[0]), "an unknown option is no error");
    }
}

/// Reads one option; what it means is held against its bytes.
fn read(bytes: &[u8]) -> bool {
    let Ok(option) = RouterOption::parse(bytes) else { return false };
    let (kind, length) = (bytes[0], usize::from(bytes[1]) * 8);
    assert!(length <= bytes.len());
    match option {
        RouterOption::Pref64 { prefix, lifetime } => {
            // RFC 8781 section 4.
            assert_eq!((kind, length), (38, 16));
            let codes = [96, 64, 56, 48, 40, 32];
            assert_eq!(prefix.prefix_len(), codes[usize::from(bytes[3] & 7)]);
            let octets = prefix.prefix().octets();
            let kept = usize::from(prefix.prefix_len() / 8);
            assert_eq!(octets[..kept], bytes[4..4 + kept]);
            assert!(octets[kept..].iter().all(|octet| *octet == 0));
            assert!(super::can_be_a_nat64s(&prefix));
            assert_eq!(lifetime.as_secs(), u64::from(u16::from_be_bytes([bytes[2], bytes[3]]) >> 3) * 8);
        }
        RouterOption::Rdnss { servers, lifetime } => {
            // RFC 8106 section 5.1.
            assert_eq!(kind, 25);
            assert!(servers.len() <= (length - 8) / 16);
            assert!(servers.iter().all(|server| bytes[8..length].chunks(16).any(|octets| octets == server.octets())));
            let told = u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
            assert!(told == u32::MAX || lifetime.as_secs() == u64::from(told));
        }
        RouterOption::CaptivePortal { uri } => {
            // RFC 8910 section 2.3. It is shown to people and put into logs.
            assert_eq!(kind, 37);
            assert!(!uri.is_empty() && uri.bytes().all(|byte| (0x21..0x7f).contains(&byte)));
            assert!(bytes[2..].starts_with(uri.as_bytes()));
        }
        RouterOption::Other(other) => assert_eq!(other, kind),
    }
    true
}
