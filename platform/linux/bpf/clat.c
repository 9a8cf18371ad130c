/* The fast path: what the translator in user space would do with the packets of a flow that it knows (RFC 7915), done
 * where the kernel has them already. See docs/decisions/0011-fast-path.md.
 *
 * Every packet that is not as plain as can be passes on untouched (TC_ACT_OK): it gets to user space, where all of the
 * rules are. So nothing is refused or answered here, and when in doubt a packet passes on.
 *
 * The layouts of config, key, flow and counters are those of platform/linux/src/io/fast/layout.rs. */

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "helpers.h"

#define IPV4 20
#define IPV6 40
#define GROWTH (IPV6 - IPV4)
/* What becomes at most 1260 bytes of IPv4 may be fragmented later on; longer ones get DF (RFC 7915 section 5.1). */
#define DIVISIBLE 1260
/* Single segments longer than this are looked at in user space when they are sent again: something may swallow them. */
#define NEVER_TOO_BIG 1260
/* The longest echo message that is translated here: its whole checksum is verified first. */
#define ECHO_MAX 128
/* A frame that no IPv6 header can tell the length of: BIG TCP. */
#define HUGE (ETH_HLEN + IPV6 + 65535)

#define ICMP_ECHO 8
#define ICMPV6_ECHO_REQUEST 128
#define ICMPV6_ECHO_REPLY 129

#define SYN_FIN_RST 0x07
#define TCP_ACK 0x10

#define FLOWS 4096
#define CONFIGS 4

/* What `state` holds, by index. */
#define STATE_CONFIG 0 /* Which config is in force; CONFIGS: none. */
#define STATE_HELD 1   /* Packets from apps are to pass on for the moment: somebody wants to hear of one. */
#define STATE_IDS 2    /* How many IPv4 identifications have been used. */

/* An echo message, of either protocol. The kernel's own header of it needs headers of the C library. */
struct echo {
	__u8 type, code;
	__u16 checksum;
	__be16 id, sequence;
};

struct config {
	__u32 generation;
	__u32 tun;
	__u32 uplink;
	__be32 host;
	__be32 prefix[4];
	__u32 v4_word; /* Which word of an address under the prefix is the IPv4 address: 1 or 3. */
	__be32 x[4];
	__u8 ethernet[16]; /* The header of frames that leave, and two bytes of nothing. */
	__u32 mtu6;      /* The longest IPv6 packet that the path takes. */
	__u32 divisible; /* The same for one that came without DF. */
	__u32 mtu4;
	__u32 first_id; /* Identifications are this one and the id_mask after it. */
	__u32 id_mask;
	__u32 id_start;
	__u32 test; /* Translated packets go back into the tunnel instead of out of the uplink. */
};

struct key {
	__be32 peer;
	__be16 port;      /* The app's; of an echo, its identifier. */
	__be16 peer_port; /* Of an echo, the same. */
	__u32 protocol;
};

struct flow {
	__u32 generation;
	__u32 expects; /* The byte that the app expects next, as it has said itself. */
	__u32 end;     /* The byte after the last one that it has sent. */
	__u32 udp_gso; /* The app sends datagrams in super-packets; others that look so are of something inside. */
	__u64 sent_at; /* Nanoseconds of the coarse monotonic clock; 0: never. */
	__u64 answered_at;
};

struct counters {
	__u64 packets_out, bytes_out;
	__u64 packets_in, bytes_in;
	__u64 answered_at;
	__u64 lost; /* Could no longer be handed on. */
	__u64 huge; /* Frames of BIG TCP that came by. */
};

/* What came of a test packet on its way there and back. */
struct tested {
	__u32 seen;
	__u32 len6, gso_size6;
	__u32 len4, gso_size4;
	__u32 same; /* Whether the end of the header, and the beginning of the payload, came through unchanged. */
};

struct map SECTION("maps") STATE = {BPF_MAP_TYPE_ARRAY, 4, 4, 3, 0};
struct map SECTION("maps") CONFIG = {BPF_MAP_TYPE_ARRAY, 4, sizeof(struct config), CONFIGS, 0};
struct map SECTION("maps") FLOW = {BPF_MAP_TYPE_HASH, sizeof(struct key), sizeof(struct flow), FLOWS, 0};
struct map SECTION("maps") COUNTERS = {BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct counters), 1, 0};
struct map SECTION("maps") TESTED = {BPF_MAP_TYPE_ARRAY, 4, sizeof(struct tested), 1, 0};

char LICENSE[] SECTION("license") = "Dual MIT/GPL";

INLINE __u32 *state(__u32 which)
{
	return map_lookup(&STATE, &which);
}

INLINE struct config *config_in_force(void)
{
	__u32 *which = state(STATE_CONFIG);

	if (!which)
		return 0;
	/* Looked up by a copy: the place may change meanwhile. */
	__u32 number = *(volatile __u32 *)which;

	return number < CONFIGS ? map_lookup(&CONFIG, &number) : 0;
}

INLINE struct counters *counters(void)
{
	__u32 zero = 0;

	return map_lookup(&COUNTERS, &zero);
}

INLINE __u32 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

INLINE __u32 halves(__u32 word)
{
	return (word & 0xffff) + (word >> 16);
}

INLINE __u32 sum_of(const __be32 address[4])
{
	return halves(address[0]) + halves(address[1]) + halves(address[2]) + halves(address[3]);
}

/* What an echo message begins with: its type, code 0, and a checksum as it stands in the packet. */
INLINE __u32 first_word(__u8 type, __u16 checksum)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return type | (__u32)checksum << 16;
#else
	return (__u32)type << 24 | checksum;
#endif
}

INLINE long store_word(struct __sk_buff *skb, __u32 offset, __u32 word, __u64 flags)
{
	return store_bytes(skb, offset, &word, sizeof(word), flags);
}

/* The ones' complement sum of the bytes at `offset`, or 0 when they cannot be read. `len` is at most ECHO_MAX. */
INLINE __u32 message_sum(struct __sk_buff *skb, __u32 offset, __u32 len, __u8 message[ECHO_MAX])
{
	__builtin_memset(message, 0, ECHO_MAX);
	opaque(len);
	if (len < sizeof(struct echo) || len > ECHO_MAX)
		return 0;
	if (load_bytes(skb, offset, message, len))
		return 0;
	/* The rest is zero and adds nothing. */
	__s64 sum = csum_diff(0, 0, message, ECHO_MAX, 0);

	return sum < 0 ? 0 : fold(halves((__u32)sum));
}

/* From the host's apps: TCX egress of the tunnel, where packets begin with the IP header. */
int SECTION("classifier/up") everclat_up(struct __sk_buff *skb)
{
	struct config *config = config_in_force();

	if (!config || skb->ifindex != config->tun || skb->protocol != htons(ETH_P_IP))
		return TC_ACT_OK;
	__u32 *held = state(STATE_HELD);
	if (!held || *(volatile __u32 *)held)
		return TC_ACT_OK;

	__u32 len = skb->len;
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	if (data + IPV4 + sizeof(struct tcphdr) > end) {
		/* Most that are so short are whole; the others are made to be. */
		if (pull_data(skb, len < IPV4 + sizeof(struct tcphdr) ? len : IPV4 + sizeof(struct tcphdr)))
			return TC_ACT_OK;
		data = (void *)(long)skb->data;
		end = (void *)(long)skb->data_end;
	}
	struct iphdr *ip = data;
	if (data + IPV4 + sizeof(struct udphdr) > end)
		return TC_ACT_OK;
	__u16 fragment = htons(ip->frag_off);
	if (*(__u8 *)ip != 0x45 || (fragment & 0x3fff) || ip->ttl <= 1 || ip->saddr != config->host ||
	    htons(ip->tot_len) != len)
		return TC_ACT_OK;
	__u32 *words = data;
	if (fold(halves(words[0]) + halves(words[1]) + halves(words[2]) + halves(words[3]) + halves(words[4])) != 0xffff)
		return TC_ACT_OK;

	__u32 upper = len - IPV4, gso_size = skb->gso_size;
	__u32 most = config->divisible, mtu6 = config->mtu6;
	opaque(most);
	if (gso_size || (fragment & 0x4000))
		most = mtu6;
	__u32 segment = upper;
	struct key key = {.peer = ip->daddr, .protocol = ip->protocol};
	struct flow *flow;
	__u64 answer = 0; /* Its first four bytes, if it is an echo. */

	if (ip->protocol == IPPROTO_TCP) {
		struct tcphdr *tcp = data + IPV4;
		if ((void *)(tcp + 1) > end)
			return TC_ACT_OK;
		__u8 flags = ((__u8 *)tcp)[13];
		__u32 header = tcp->doff * 4;
		if ((flags & SYN_FIN_RST) || !(flags & TCP_ACK) || header < sizeof(*tcp) || header > upper)
			return TC_ACT_OK;
		if (gso_size)
			segment = header + gso_size;
		if (IPV6 + segment > most)
			return TC_ACT_OK;
		key.port = tcp->source;
		key.peer_port = tcp->dest;
		flow = map_lookup(&FLOW, &key);
		if (!flow || flow->generation != config->generation)
			return TC_ACT_OK;
		__u32 first = htonl(tcp->seq), behind = first + upper - header;
		if (!gso_size && len > NEVER_TOO_BIG && (__s32)(first - flow->end) < 0)
			return TC_ACT_OK;
		if ((__s32)(behind - flow->end) > 0)
			flow->end = behind;
		__u32 expects = htonl(tcp->ack_seq);
		if ((__s32)(expects - flow->expects) > 0)
			flow->expects = expects;
	} else if (ip->protocol == IPPROTO_UDP) {
		struct udphdr *udp = data + IPV4;
		if (!udp->check || htons(udp->len) != upper)
			return TC_ACT_OK;
		if (gso_size)
			segment = sizeof(*udp) + gso_size;
		if (IPV6 + segment > most)
			return TC_ACT_OK;
		key.port = udp->source;
		key.peer_port = udp->dest;
		flow = map_lookup(&FLOW, &key);
		if (!flow || flow->generation != config->generation || (gso_size && !flow->udp_gso))
			return TC_ACT_OK;
	} else if (ip->protocol == IPPROTO_ICMP) {
		struct echo *icmp = data + IPV4;
		if (icmp->type != ICMP_ECHO || icmp->code || gso_size || !icmp->id || upper > ECHO_MAX)
			return TC_ACT_OK;
		key.port = key.peer_port = icmp->id;
		flow = map_lookup(&FLOW, &key);
		if (!flow || flow->generation != config->generation || IPV6 + upper > most)
			return TC_ACT_OK;
		__u8 message[ECHO_MAX] __attribute__((aligned(8)));
		if (message_sum(skb, IPV4, upper, message) != 0xffff)
			return TC_ACT_OK;
		__u16 checksum = ((struct echo *)message)->checksum;
		/* ICMPv6 sums up a pseudo-header, too (RFC 4443 section 2.3). */
		__u32 sum = (__u16)~checksum + (__u16)~htons(ICMP_ECHO << 8) + htons(ICMPV6_ECHO_REQUEST << 8) +
			    sum_of(config->x) + sum_of(config->prefix) + halves(key.peer) + htons(upper) +
			    htons(IPPROTO_ICMPV6);
		checksum = ~fold(sum);
		/* Zero can be written in two ways: user space knows which. */
		if (!checksum)
			return TC_ACT_OK;
		answer = first_word(ICMPV6_ECHO_REQUEST, checksum);
	} else {
		return TC_ACT_OK;
	}

	/* The packet is read before it is changed: its place changes then. */
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	ip = data;
	if (data + IPV4 > end)
		return TC_ACT_OK;
	struct ipv6hdr ip6 = {.hop_limit = ip->ttl - 1, .payload_len = htons(upper), .nexthdr = ip->protocol};
	*(__be32 *)&ip6 = htonl(6u << 28 | (__u32)ip->tos << 20);
	if (key.protocol == IPPROTO_ICMP)
		ip6.nexthdr = IPPROTO_ICMPV6;
	__builtin_memcpy(&ip6.saddr, config->x, 16);
	int is_short = config->v4_word == 1;
	ip6.daddr.s6_addr32[0] = config->prefix[0];
	ip6.daddr.s6_addr32[1] = is_short ? key.peer : config->prefix[1];
	ip6.daddr.s6_addr32[2] = config->prefix[2];
	ip6.daddr.s6_addr32[3] = is_short ? config->prefix[3] : key.peer;

	opaque(answer);
	if (change_proto(skb, htons(ETH_P_IPV6), 0))
		return TC_ACT_OK;
	struct counters *count = counters();
	if (!count)
		return TC_ACT_SHOT;
	if (store_bytes(skb, 0, &ip6, sizeof(ip6), 0) || (answer && store_word(skb, IPV6, answer, 0)))
		goto lost;
	if (config->test)
		return redirect(config->tun, BPF_F_INGRESS);
	/* A packet of a tunnel has no room for a link-layer header yet. */
	if (change_head(skb, ETH_HLEN, 0) || store_bytes(skb, 0, config->ethernet, ETH_HLEN, 0))
		goto lost;
	__u64 now = coarse_ns();
	if (flow->sent_at != now)
		flow->sent_at = now;
	count->packets_out++;
	count->bytes_out += len;
	return redirect(config->uplink, 0);
lost:
	count->lost++;
	return TC_ACT_SHOT;
}

/* From the network. `link` is the length of the link-layer header. */
INLINE int down(struct __sk_buff *skb, struct config *config, __u32 link, __u32 *total)
{
	__u32 len = skb->len;
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (data + link + IPV6 + sizeof(struct tcphdr) > end) {
		__u32 seen = link + IPV6 + sizeof(struct tcphdr);
		if (pull_data(skb, len < seen ? len : seen))
			return TC_ACT_OK;
		data = (void *)(long)skb->data;
		end = (void *)(long)skb->data_end;
	}
	if (data + link + IPV6 + sizeof(struct udphdr) > end)
		return TC_ACT_OK;
	struct ipv6hdr *ip6 = data + link;
	__u32 first = htonl(*(__be32 *)ip6), upper = htons(ip6->payload_len);
	if (first >> 28 != 6 || link + IPV6 + upper != len || ip6->hop_limit <= 1)
		return TC_ACT_OK;
	__be32 *to = ip6->daddr.s6_addr32, *from = ip6->saddr.s6_addr32;
	if (to[0] != config->x[0] || to[1] != config->x[1] || to[2] != config->x[2] || to[3] != config->x[3])
		return TC_ACT_OK;
	__be32 second = from[1], fourth = from[3], peer = fourth, rest = second ^ config->prefix[1];
	opaque(peer);
	opaque(rest);
	if (config->v4_word == 1) {
		peer = second;
		rest = fourth ^ config->prefix[3];
	}
	if (from[0] != config->prefix[0] || from[2] != config->prefix[2] || rest)
		return TC_ACT_OK;

	__u32 gso_size = skb->gso_size, segment = upper;
	struct key key = {.peer = peer, .protocol = ip6->nexthdr};
	__u64 answer = 0;
	void *body = data + link + IPV6;

	if (ip6->nexthdr == IPPROTO_TCP) {
		struct tcphdr *tcp = body;
		if ((void *)(tcp + 1) > end)
			return TC_ACT_OK;
		__u32 header = tcp->doff * 4;
		if ((((__u8 *)tcp)[13] & SYN_FIN_RST) || header < sizeof(*tcp) || header > upper)
			return TC_ACT_OK;
		if (gso_size)
			segment = header + gso_size;
		key.port = tcp->dest;
		key.peer_port = tcp->source;
	} else if (ip6->nexthdr == IPPROTO_UDP) {
		struct udphdr *udp = body;
		if (!udp->check || htons(udp->len) != upper)
			return TC_ACT_OK;
		if (gso_size)
			segment = sizeof(*udp) + gso_size;
		key.port = udp->dest;
		key.peer_port = udp->source;
	} else if (ip6->nexthdr == IPPROTO_ICMPV6) {
		struct echo *icmp = body;
		if (icmp->type != ICMPV6_ECHO_REPLY || icmp->code || gso_size || !icmp->id ||
		    upper > ECHO_MAX)
			return TC_ACT_OK;
		key.port = key.peer_port = icmp->id;
		key.protocol = IPPROTO_ICMP;
	} else {
		return TC_ACT_OK;
	}
	__u32 length = IPV4 + upper, result = IPV4 + (segment < upper ? segment : upper);
	if (length > 65535 || result > config->mtu4)
		return TC_ACT_OK;
	struct flow *flow = map_lookup(&FLOW, &key);
	if (!flow || flow->generation != config->generation)
		return TC_ACT_OK;

	__u32 class = first >> 20 & 0xff;
	__u8 ttl = ip6->hop_limit - 1;
	if (key.protocol == IPPROTO_ICMP) {
		__u8 message[ECHO_MAX] __attribute__((aligned(8)));
		__u32 pseudo = sum_of(config->x) + sum_of(config->prefix) + halves(peer) + htons(upper) +
			       htons(IPPROTO_ICMPV6);
		if (fold(message_sum(skb, link + IPV6, upper, message) + pseudo) != 0xffff)
			return TC_ACT_OK;
		__u16 checksum = ((struct echo *)message)->checksum;
		checksum = ~fold((__u16)~checksum + (__u16)~htons(ICMPV6_ECHO_REPLY << 8) + (__u16)~fold(pseudo));
		if (!checksum)
			return TC_ACT_OK;
		answer = first_word(0, checksum);
	}

	struct iphdr ip = {
		.tos = class,
		.tot_len = htons(length),
		.ttl = ttl,
		.protocol = key.protocol,
		.saddr = peer,
		.daddr = config->host,
	};
	*(__u8 *)&ip = 0x45;
	if (result > DIVISIBLE) {
		ip.frag_off = htons(0x4000);
	} else {
		/* Small segments: each of them gets one of its own. The kernel need not know how many there are. */
		__u32 *used = state(STATE_IDS), count = gso_size ? (upper + gso_size - 1) / gso_size : 1;
		if (!used)
			return TC_ACT_OK;
		__u32 id = config->id_start + __sync_fetch_and_add(used, count);
		ip.id = htons((__u16)(config->first_id | (id & config->id_mask)));
	}
	__u32 *words = (__u32 *)&ip;
	ip.check = ~fold(halves(words[0]) + halves(words[1]) + halves(words[2]) + halves(words[3]) + halves(words[4]));

	opaque(answer);
	if (change_proto(skb, htons(ETH_P_IP), 0))
		return TC_ACT_OK;
	struct counters *count = counters();
	if (!count)
		return TC_ACT_SHOT;
	/* A checksum of the whole packet that a network card has made is kept right. */
	if (store_bytes(skb, link, &ip, sizeof(ip), BPF_F_RECOMPUTE_CSUM) ||
	    (answer && store_word(skb, link + IPV4, answer, BPF_F_RECOMPUTE_CSUM))) {
		count->lost++;
		return TC_ACT_SHOT;
	}
	*total = length;
	if (config->test)
		return TC_ACT_REDIRECT;
	__u64 now = coarse_ns();
	if (flow->answered_at != now)
		flow->answered_at = now;
	count->packets_in++;
	count->bytes_in += length;
	count->answered_at = now;
	return TC_ACT_REDIRECT;
}

/* TCX ingress of the uplink. */
int SECTION("classifier/down") everclat_down(struct __sk_buff *skb)
{
	struct config *config = config_in_force();
	__u32 total = 0;

	if (!config || skb->ifindex != config->uplink || skb->protocol != htons(ETH_P_IPV6) || config->test)
		return TC_ACT_OK;
	if (skb->len > HUGE) {
		struct counters *count = counters();
		if (count)
			count->huge++;
		return TC_ACT_OK;
	}
	if (skb->pkt_type != 0 /* PACKET_HOST */ || skb->vlan_present)
		return TC_ACT_OK;
	int verdict = down(skb, config, ETH_HLEN, &total);

	return verdict == TC_ACT_REDIRECT ? redirect(config->tun, BPF_F_INGRESS) : verdict;
}

/* TCX ingress of the tunnel, while the way there and back is tried: nothing of it gets any further. */
int SECTION("classifier/tried") everclat_tried(struct __sk_buff *skb)
{
	struct config *config = config_in_force();
	__u32 zero = 0, total = 0;
	struct tested *tested = map_lookup(&TESTED, &zero);

	if (!config || !tested || !config->test || skb->protocol != htons(ETH_P_IPV6))
		return TC_ACT_OK;
	__u32 len = skb->len, gso_size = skb->gso_size;
	__u64 before = 0, after = 0;
	/* Of a TCP header, the checksum and what follows; of a datagram, the payload. */
	if (load_bytes(skb, IPV6 + 16, &before, 8))
		return TC_ACT_SHOT;
	if (down(skb, config, 0, &total) != TC_ACT_REDIRECT)
		return TC_ACT_SHOT;
	tested->len6 = len;
	tested->gso_size6 = gso_size;
	tested->len4 = skb->len;
	tested->gso_size4 = skb->gso_size;
	tested->same = !load_bytes(skb, IPV4 + 16, &after, 8) && before == after;
	tested->seen++;
	return TC_ACT_SHOT;
}
