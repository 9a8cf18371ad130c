use std::time::Duration;

use model::Timestamp;

/// A token bucket for ICMPv6 errors of ours (RFC 4443 section 2.4 (f)).
#[derive(Debug)]
pub(crate) struct Limit {
    tokens: u32,
    filled_at: Timestamp,
}

/// The kernel's own default: a burst, then one every so often (`net.ipv6.icmp.ratelimit` is one a second per
/// destination; the burst lets a traceroute through).
const BURST: u32 = 10;
const REFILL: Duration = Duration::from_millis(100);

impl Limit {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self { tokens: BURST, filled_at: now }
    }

    /// Whether one more may be sent.
    pub(crate) fn take(&mut self, now: Timestamp) -> bool {
        let earned = now.since(self.filled_at).as_millis() / REFILL.as_millis();
        if earned > 0 {
            self.tokens = self.tokens.saturating_add(u32::try_from(earned).unwrap_or(BURST)).min(BURST);
            self.filled_at = now;
        }
        let allowed = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_ten_a_second() {
        let mut limit = Limit::new(Timestamp::ZERO);
        let burst = (0..100).filter(|_| limit.take(Timestamp::from_millis(1))).count();
        assert_eq!(burst, 10);
        let second = (0..1000).filter(|ms| limit.take(Timestamp::from_millis(1 + ms))).count();
        assert!((9..=11).contains(&second), "{second}");
    }
}
