//! Router advertisements as a raw socket delivers them, for interfaces on which the kernel leaves them to others.

/// The fixed part (RFC 4861 section 4.2).
const FIXED: usize = 16;
const ROUTER_ADVERTISEMENT: u8 = 134;

/// The options of a valid router advertisement, in order. `None` when it has to be ignored as a whole (RFC 4861 section
/// 6.1.2): another type or code, too short, or an option of length zero or beyond the end. Source address, hop limit
/// and checksum are the socket's to check.
#[must_use]
pub fn options(message: &[u8]) -> Option<Vec<&[u8]>> {
    let (fixed, mut rest) = message.split_at_checked(FIXED)?;
    if fixed.first() != Some(&ROUTER_ADVERTISEMENT) || fixed.get(1) != Some(&0) {
        return None;
    }
    let mut options = Vec::new();
    while !rest.is_empty() {
        let size = usize::from(*rest.get(1)?) * 8;
        if size == 0 {
            return None;
        }
        let (option, behind) = rest.split_at_checked(size)?;
        options.push(option);
        rest = behind;
    }
    Some(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Laid out by RFC 4861 section 4.2: MTU option, then PREF64 (RFC 8781 section 4).
    fn advertisement() -> Vec<u8> {
        let mut message = vec![134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0];
        message.extend([5, 1, 0, 0, 0, 0, 0x05, 0xdc]);
        message.extend([38, 2, 0x07, 0x08, 0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0]);
        message
    }

    #[test]
    fn options_in_order() {
        let message = advertisement();
        let found = options(&message).unwrap();
        assert_eq!(found.iter().map(|option| (option[0], option.len())).collect::<Vec<_>>(), [(5, 8), (38, 16)]);
        assert_eq!(options(&message[..16]), Some(vec![]), "no option is fine");
    }

    #[test]
    fn what_is_not_valid_is_ignored_as_a_whole() {
        let message = advertisement();
        for cut in (0..message.len()).filter(|cut| ![16, 24].contains(cut)) {
            assert_eq!(options(&message[..cut]), None, "cut at {cut}");
        }
        for (at, value) in [(0, 133), (1, 1), (17, 0), (25, 3)] {
            let mut bad = message.clone();
            bad[at] = value;
            assert_eq!(options(&bad), None, "byte {at}");
        }
    }
}
