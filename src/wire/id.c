/* SPDX-License-Identifier: MIT */
#include "wire/id.h"

#include <ctype.h>
#include <errno.h>

static size_t put_decimal(char *out, uint64_t v)
{
	char digits[20];
	size_t n = 0;
	do
		digits[n++] = (char)('0' + v % 10);
	while (v /= 10);
	for (size_t i = 0; i < n; i++)
		out[i] = digits[n - 1 - i];
	return n;
}

size_t id_put(char *out, struct str epoch, event_id id)
{
	char *p = out;
	memcpy(p, epoch.data, epoch.len);
	p += epoch.len;
	*p++ = '.';
	p += put_decimal(p, id_ms(id));
	*p++ = '-';
	p += put_decimal(p, id & ((1u << ID_COUNTER_BITS) - 1));
	return (size_t)(p - out);
}

void buf_put_id(struct buf *b, struct str epoch, event_id id)
{
	b->len += id_put(buf_reserve(b, ID_TEXT_MAX), epoch, id);
}

/* Digits only, at most `max`; advances *s. */
static int get_decimal(struct str *s, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;
	size_t i = 0;
	while (i < s->len && isdigit((unsigned char)s->data[i])) {
		v = v * 10 + (uint64_t)(s->data[i++] - '0');
		if (v > max)
			return -EINVAL;
	}
	if (!i)
		return -EINVAL;
	s->data += i;
	s->len -= i;
	*ret = v;
	return 0;
}

int id_parse(struct str s, struct str *epoch, event_id *id)
{
	size_t n = 0;
	while (n < s.len && isalnum((unsigned char)s.data[n]))
		n++;
	if (!n || n > EPOCH_MAX || n >= s.len || s.data[n] != '.')
		return -EINVAL;
	*epoch = (struct str){s.data, n};
	s.data += n + 1;
	s.len -= n + 1;
	uint64_t ms, counter;
	if (get_decimal(&s, UINT64_MAX >> ID_COUNTER_BITS, &ms) || !s.len || *s.data != '-')
		return -EINVAL;
	s.data++;
	s.len--;
	if (get_decimal(&s, (1u << ID_COUNTER_BITS) - 1, &counter) || s.len)
		return -EINVAL;
	*id = id_make(ms, (uint32_t)counter);
	return 0;
}
