/* What a program may call, by the kernel's own numbers, and what it keeps. Only headers of the kernel's user API are
 * needed, so that the object builds wherever clang does. */
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>

#define SECTION(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define htons(x) __builtin_bswap16(x)
#define htonl(x) __builtin_bswap32(x)
#else
#define htons(x) (x)
#define htonl(x) (x)
#endif

/* A value as it is here and now. Without it the compiler saves an instruction in ways that the verifier refuses to who has
 * no CAP_PERFMON: it puts half a word aside where a pointer was, or chooses between two offsets instead of two values. */
#define opaque(value) __asm__ volatile("" : "+r"(value))

/* The older way to write a map down: it needs no type information of the compiler. */
struct map {
	__u32 type, key_size, value_size, max_entries, flags;
};

static void *(*const map_lookup)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static __u64 (*const coarse_ns)(void) = (void *)BPF_FUNC_ktime_get_coarse_ns;
static long (*const load_bytes)(const void *skb, __u32 offset, void *to, __u32 len) = (void *)BPF_FUNC_skb_load_bytes;
static long (*const store_bytes)(void *skb, __u32 offset, const void *from, __u32 len, __u64 flags) =
	(void *)BPF_FUNC_skb_store_bytes;
static long (*const pull_data)(void *skb, __u32 len) = (void *)BPF_FUNC_skb_pull_data;
static long (*const change_proto)(void *skb, __be16 proto, __u64 flags) = (void *)BPF_FUNC_skb_change_proto;
static long (*const change_head)(void *skb, __u32 len, __u64 flags) = (void *)BPF_FUNC_skb_change_head;
static long (*const redirect)(__u32 ifindex, __u64 flags) = (void *)BPF_FUNC_redirect;
static __s64 (*const csum_diff)(const void *from, __u32 from_size, const void *to, __u32 to_size, __wsum seed) =
	(void *)BPF_FUNC_csum_diff;
