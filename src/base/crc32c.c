/* SPDX-License-Identifier: MIT */
#include "base/crc32c.h"

#include <string.h>

#ifdef __x86_64__
#include <nmmintrin.h>
#endif

/* One nibble at a time: 16 entries are computed by hand as easily as read. */
static const uint32_t nibble[16] = {
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
	0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
	0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t crc32c_portable(uint32_t crc, const void *p, size_t n)
{
	const unsigned char *s = p;
	crc = ~crc;
	while (n--) {
		crc ^= *s++;
		crc = (crc >> 4) ^ nibble[crc & 15];
		crc = (crc >> 4) ^ nibble[crc & 15];
	}
	return ~crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t with_sse42(uint32_t crc, const void *p, size_t n)
{
	const unsigned char *s = p;
	uint64_t c = (uint32_t)~crc;
	for (; n >= 8; n -= 8, s += 8) {
		uint64_t eight;
		memcpy(&eight, s, 8);
		c = _mm_crc32_u64(c, eight);
	}
	uint32_t d = (uint32_t)c;
	while (n--)
		d = _mm_crc32_u8(d, *s++);
	return ~d;
}
#endif

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return with_sse42(crc, p, n);
#endif
	return crc32c_portable(crc, p, n);
}
