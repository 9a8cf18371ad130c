//! How many ICMP errors of ours may leave.

use std::time::Duration;

use model::Timestamp;

/// A token bucket.
#[derive(Debug)]
pub(crate) struct Limit {
    burst: u32,
    refill: Duration,
    tokens: u32,
    filled_at: Timestamp,
}

impl Limit {
    /// For ICMPv6 errors to the network (RFC 4443 section 2.4 (f)): a burst that lets a traceroute through, then one every
    /// so often; the kernel's own default (`net.ipv6.icmp.ratelimit`) is one a second per destination.
    pub(crate) fn to_the_network(now: Timestamp) -> Self {
        Self::new(10, Duration::from_millis(100), now)
    }

    /// For ICMPv4 errors to the host's own apps (RFC 1812 section 4.3.2.8): as the kernel does
    /// (`net.ipv4.icmp_msgs_burst`, `net.ipv4.icmp_msgs_per_sec`).
    pub(crate) fn to_the_host(now: Timestamp) -> Self {
        Self::new(50, Duration::from_millis(1), now)
    }

    fn new(burst: u32, refill: Duration, now: Timestamp) -> Self {
        Self { burst, refill, tokens: burst, filled_at: now }
    }

    /// Whether one more may be sent.
    pub(crate) fn take(&mut self, now: Timestamp) -> bool {
        let earned = now.since(self.filled_at).as_millis() / self.refill.as_millis();
        if earned > 0 {
            let earned = u32::try_from(earned).unwrap_or(self.burst);
            self.tokens = self.tokens.saturating_add(earned).min(self.burst);
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
        let mut limit = Limit::to_the_network(Timestamp::ZERO);
        let burst = (0..100).filter(|_| limit.take(Timestamp::from_millis(1))).count();
        assert_eq!(burst, 10);
        let second = (0..1000).filter(|ms| limit.take(Timestamp::from_millis(1 + ms))).count();
        assert!((9..=11).contains(&second), "{second}");
    }
}
