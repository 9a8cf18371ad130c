//! Numbers in packets, and the Internet checksum (RFC 1071) word by word.

/// Two bytes in network order.
pub(crate) fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// Four bytes in network order.
pub(crate) fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Writes two bytes in network order.
pub(crate) fn put16(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

/// A length as a field of 16 bits; every caller has made sure that it fits.
pub(crate) fn short(length: usize) -> u16 {
    u16::try_from(length).expect("a length that fits into 16 bits")
}

/// The ones' complement sum of `parts` laid end to end; all but the last have an even length.
pub(crate) fn sum(parts: &[&[u8]]) -> u16 {
    let mut total: u64 = 0;
    for part in parts {
        let mut words = part.chunks_exact(2);
        for word in words.by_ref() {
            total += u64::from(word[0]) << 8 | u64::from(word[1]);
        }
        if let [odd] = words.remainder() {
            total += u64::from(*odd) << 8;
        }
    }
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    u16::try_from(total).expect("folded")
}

/// Whether two sums are the same number: ones' complement has two zeroes.
pub(crate) fn same(a: u16, b: u16) -> bool {
    u32::from(a) % 0xffff == u32::from(b) % 0xffff
}

/// `old + after - before` in ones' complement, which is arithmetic modulo 65535. The result is below 65535.
fn moved(old: u16, before: u16, after: u16) -> u16 {
    let value = (u32::from(old) + u32::from(after) + 0xffff - u32::from(before)) % 0xffff;
    u16::try_from(value).expect("a remainder")
}

/// The checksum field after translation, where the right one was `before` and is `after`. What was right is right; what
/// was wrong stays wrong by as much, so that nobody takes a damaged packet for a sound one.
pub(crate) fn carried(old: u16, before: u16, after: u16) -> u16 {
    // Before anything else: of an echo reply of nothing but zeroes the right one was 0 and is 0xffff, which count as the same.
    if old == before {
        after
    } else if same(before, after) {
        old
    } else {
        moved(old, before, after)
    }
}

/// The same for a sum that is not complemented yet. Such a sum is never 0, as there is something in every pseudo-header.
pub(crate) fn carried_sum(old: u16, before: u16, after: u16) -> u16 {
    if same(before, after) {
        return old;
    }
    match moved(old, before, after) {
        0 => 0xffff,
        value => value,
    }
}
