/* SPDX-License-Identifier: MIT */
#include "common/syslogmsg.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "common/devicehead.h"
#include "common/stamp.h"

enum { PRI_MAX = 191, PRI_MISSING = 13, HOST_MAX = 255 };

static const char *const facilities[] = {
	"kern",   "user",   "mail",     "daemon", "auth",   "syslog", "lpr",    "news",
	"uucp",   "cron",   "authpriv", "ftp",    "ntp",    "audit",  "alert",  "clock",
	"local0", "local1", "local2",   "local3", "local4", "local5", "local6", "local7",
};

const char *syslog_facility(int pri)
{
	return facilities[pri >> 3];
}

struct cursor {
	const char *p, *end;
};

static bool take(struct cursor *c, char ch)
{
	if (c->p == c->end || *c->p != ch)
		return false;
	c->p++;
	return true;
}

/* "<0>" to "<191>", without leading zeros. */
static bool take_pri(struct cursor *c, int *pri)
{
	struct cursor at = *c;
	int v = 0, digits = 0;
	if (!take(&at, '<'))
		return false;
	for (; at.p < at.end && isdigit((unsigned char)*at.p) && digits < 4; at.p++, digits++)
		v = v * 10 + *at.p - '0';
	if (!digits || digits > 3 || v > PRI_MAX || !take(&at, '>'))
		return false;
	*c = at;
	*pri = v;
	return true;
}

/* Printable characters up to the next blank. */
static struct syslog_text take_word(struct cursor *c)
{
	const char *from = c->p;
	while (c->p<c->end && * c->p> ' ' && *c->p != 127)
		c->p++;
	return (struct syslog_text){from, (size_t)(c->p - from)};
}

/* ---- RFC 5424 ------------------------------------------------------------------------- */

/* A field of the header: a word and the blank behind it; "-" is nothing. */
static bool take_field(struct cursor *c, struct syslog_text *ret)
{
	*ret = take_word(c);
	if (!ret->n || !take(c, ' '))
		return false;
	if (ret->n == 1 && *ret->p == '-')
		ret->n = 0;
	return true;
}

static bool is_sd_name(char ch)
{
	return ch > ' ' && ch < 127 && ch != '=' && ch != ']' && ch != '"';
}

static struct syslog_text take_sd_name(struct cursor *c)
{
	const char *from = c->p;
	while (c->p < c->end && is_sd_name(*c->p) && c->p - from < 64)
		c->p++;
	return (struct syslog_text){from, (size_t)(c->p - from)};
}

/* A value in quotes, with \" \\ \] undone; other backslashes stay. */
static bool take_sd_value(struct cursor *c, struct fields *f, struct syslog_text *ret)
{
	const char *from = c->p;
	bool escaped = false;
	while (c->p < c->end && *c->p != '"') {
		if (*c->p == '\\' && c->p + 1 < c->end) {
			escaped = true;
			c->p++;
		}
		c->p++;
	}
	*ret = (struct syslog_text){from, (size_t)(c->p - from)};
	if (!take(c, '"'))
		return false;
	char *out = escaped ? fields_alloc(f, ret->n) : NULL;
	if (!out)
		return true;
	size_t n = 0;
	for (size_t i = 0; i < ret->n; i++) {
		if (ret->p[i] == '\\' && i + 1 < ret->n && strchr("\"\\]", ret->p[i + 1]))
			i++;
		out[n++] = ret->p[i];
	}
	*ret = (struct syslog_text){out, n};
	return true;
}

static const char *sd_field_name(struct fields *f, struct syslog_text id, struct syslog_text name)
{
	size_t dot = id.n != 0;
	char *p = fields_alloc(f, 3 + id.n + dot + name.n + 1);
	if (!p)
		return "";
	memcpy(p, "sd.", 3);
	if (dot)
		memcpy(p + 3, id.p, id.n);
	p[3 + id.n] = '.';
	memcpy(p + 3 + id.n + dot, name.p, name.n);
	p[3 + id.n + dot + name.n] = 0;
	return p;
}

/* Check Point's [action:"Accept"; flags:"4"]: no SD-ID, and its own punctuation. */
static bool take_pairs(struct cursor *c, struct fields *f)
{
	while (!take(c, ']')) {
		struct syslog_text name = take_sd_name(c), value;
		if (name.n < 2 || name.p[name.n - 1] != ':' || !take(c, '"') ||
		    !take_sd_value(c, f, &value))
			return false;
		name.n--;
		fields_str(f, sd_field_name(f, (struct syslog_text){0}, name), value.p, value.n);
		take(c, ';');
		while (take(c, ' '))
			;
	}
	return true;
}

static bool take_sd_element(struct cursor *c, struct fields *f)
{
	struct cursor at = *c;
	struct syslog_text id = take_sd_name(c), name, value;
	if (!id.n)
		return false;
	if (id.p[id.n - 1] == ':' && c->p < c->end && *c->p == '"') {
		*c = at;
		return take_pairs(c, f);
	}
	while (take(c, ' ')) {
		name = take_sd_name(c);
		if (!name.n || !take(c, '=') || !take(c, '"') || !take_sd_value(c, f, &value))
			return false;
		fields_str(f, sd_field_name(f, id, name), value.p, value.n);
	}
	return take(c, ']');
}

static bool take_sd(struct cursor *c, struct fields *f)
{
	if (take(c, '-'))
		return true;
	bool any = false;
	while (take(c, '[')) {
		if (!take_sd_element(c, f))
			return false;
		any = true;
	}
	return any;
}

static bool parse_5424(struct cursor *c, struct syslog_message *m, struct fields *f)
{
	struct cursor at = *c;
	struct syslog_text stamp;
	size_t before = f->n;
	if (!take(&at, '1') || !take(&at, ' ') || !take_field(&at, &stamp))
		return false;
	if (stamp.n) {
		if (stamp_iso(stamp.p, stamp.n, &m->time_ns) != stamp.n)
			return false;
		m->has_time = true;
	}
	if (!take_field(&at, &m->host) || !take_field(&at, &m->app) || !take_field(&at, &m->pid) ||
	    !take_field(&at, &m->msgid))
		return false;
	*c = at;
	if (!take_sd(&at, f) || (at.p < at.end && !take(&at, ' '))) {
		/* What has been read is good; the message begins here. */
		f->n = before;
		m->is_damaged = true;
		return true;
	}
	if (at.end - at.p >= 3 && memcmp(at.p, "\xef\xbb\xbf", 3) == 0)
		at.p += 3;
	*c = at;
	return true;
}

/* ---- RFC 3164 ----------------------------------------------------------------------------- */

/* "name[123]:" or "name:"; what it does not look like stays. */
static bool take_tag(struct cursor *c, struct syslog_message *m)
{
	struct cursor at = *c;
	const char *from = at.p;
	while (at.p<at.end && * at.p> ' ' && *at.p != ':' && *at.p != '[')
		at.p++;
	struct syslog_text app = {from, (size_t)(at.p - from)}, pid = {0};
	if (take(&at, '[')) {
		from = at.p;
		while (at.p<at.end && * at.p> ' ' && *at.p != ']')
			at.p++;
		pid = (struct syslog_text){from, (size_t)(at.p - from)};
		if (!take(&at, ']'))
			return false;
	}
	/* Cisco IOS XR: "%MGBL-SYS-5-CONFIG_I : text" */
	if (app.n && *app.p == '%' && at.end - at.p > 1 && at.p[1] == ':')
		take(&at, ' ');
	if (!app.n || !take(&at, ':'))
		return false;
	take(&at, ' ');
	m->app = app;
	m->pid = pid;
	*c = at;
	return true;
}

/* A tag that can be told from text without a time in front of it: "name[123]:", and
 * Cisco's "%ASA-6-302013:".
 */
static bool take_clear_tag(struct cursor *c, struct syslog_message *m)
{
	struct cursor at = *c;
	struct syslog_message tag = {0};
	if (!take_tag(&at, &tag))
		return false;
	bool is_clear = tag.pid.n || (*tag.app.p == '%' && memchr(tag.app.p, '-', tag.app.n));
	for (size_t i = 0; i < tag.pid.n; i++)
		is_clear &= isdigit((unsigned char)tag.pid.p[i]) != 0;
	if (!is_clear)
		return false;
	m->app = tag.app;
	m->pid = tag.pid;
	*c = at;
	return true;
}

/* Most hosts and tags hold a character that no address has: that is seen soon. */
static bool is_address(struct syslog_text t)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr ignored;
	size_t n = 0, marks = 0, colons = 0;
	for (; n < t.n && n < sizeof(text) && t.p[n] != '%'; n++) { /* fe80::1%eth0 */
		colons += t.p[n] == ':';
		marks += t.p[n] == ':' || t.p[n] == '.';
		if (t.p[n] != ':' && t.p[n] != '.' && !isxdigit((unsigned char)t.p[n]))
			return false;
		text[n] = t.p[n];
	}
	if (marks < 2 || n == sizeof(text))
		return false;
	text[n] = 0;
	return inet_pton(colons ? AF_INET6 : AF_INET, text, &ignored) == 1;
}

/* "[2001:db8::1]", "10.0.0.1:" without what is around it. */
static struct syslog_text bare(struct syslog_text word)
{
	if (word.n > 1 && word.p[word.n - 1] == ':' && !is_address(word))
		word.n--;
	if (word.n > 2 && *word.p == '[' && word.p[word.n - 1] == ']')
		word = (struct syslog_text){word.p + 1, word.n - 2};
	return word;
}

/* The host as an address; an IPv6 address' colons must not make a tag of it. */
static bool take_address(struct cursor *c, struct syslog_message *m)
{
	struct cursor at = *c;
	struct syslog_text address = bare(take_word(&at));
	if (!is_address(address) || (at.p < at.end && !take(&at, ' ')))
		return false;
	m->host = address;
	*c = at;
	return true;
}

/* A host cannot end in a colon and holds no bracket. */
static bool take_host(struct cursor *c, struct syslog_message *m)
{
	struct cursor at = *c;
	struct syslog_text word = take_word(&at);
	if (!word.n || word.n > HOST_MAX || word.p[word.n - 1] == ':' ||
	    memchr(word.p, '[', word.n) || !take(&at, ' '))
		return false;
	m->host = word;
	*c = at;
	return true;
}

static bool skip(struct cursor *c, const char *text)
{
	size_t n = strlen(text);
	if ((size_t)(c->end - c->p) < n || memcmp(c->p, text, n) != 0)
		return false;
	c->p += n;
	return true;
}

/* AIX: "Message forwarded from aix1: app[12]: text" */
static bool take_forwarded(struct cursor *c, struct syslog_message *m)
{
	struct cursor at = *c;
	if (!skip(&at, "Message forwarded from "))
		return false;
	struct syslog_text word = take_word(&at);
	if (word.n < 2 || word.p[word.n - 1] != ':' || !take(&at, ' '))
		return false;
	m->host = (struct syslog_text){word.p, word.n - 1};
	*c = at;
	return true;
}

static bool is_ciscos(const struct cursor *c)
{
	return c->p < c->end && *c->p == '%';
}

/* What stands behind the time.  On a machine's own socket there is no host;
 * elsewhere often no tag.
 */
static void take_origin(struct cursor *c, struct syslog_message *m)
{
	struct cursor at = *c;
	if (skip(&at, "last message repeated "))
		return;
	if (take_address(c, m) || take_forwarded(c, m)) {
		take_tag(c, m);
		return;
	}
	if (take_tag(c, m)) {
		/* "fw1: %ASA-6-302013: text": that was the host. */
		if (!is_ciscos(c) || m->pid.n || *m->app.p == '%')
			return;
		m->host = m->app;
		m->app.n = 0;
	} else if (!take_host(c, m)) {
		return;
	}
	/* "fw1 : %ASA-6-302013: text" */
	at = *c;
	if (skip(&at, ": ") && is_ciscos(&at))
		*c = at;
	take_tag(c, m);
}

static bool parse_3164(struct cursor *c, int64_t now_ns, struct syslog_message *m, struct fields *f)
{
	struct device_head h;
	size_t n = device_head_read(c->p, (size_t)(c->end - c->p), now_ns, &h);
	if (!n)
		return false;
	c->p += n;
	m->has_time = h.has_time;
	m->time_ns = h.time_ns;
	m->host = h.host;
	if (h.sequence.n)
		fields_str(f, "sd.meta.sequenceId", h.sequence.p, h.sequence.n);
	if (h.is_over || h.host.n)
		take_tag(c, m);
	else
		take_origin(c, m);
	return true;
}

void syslog_parse(const char *p, size_t n, enum syslog_format format, int64_t now_ns,
		  struct syslog_message *ret, struct fields *f)
{
	struct cursor c = {p, p + n};
	*ret = (struct syslog_message){.pri = PRI_MISSING};
	if (format != SYSLOG_RAW)
		ret->has_pri = take_pri(&c, &ret->pri);
	if (ret->has_pri) {
		bool is_5424 =
			format == SYSLOG_RFC5424 || (format == SYSLOG_AUTO && c.end - c.p >= 2 &&
						     c.p[0] == '1' && c.p[1] == ' ');
		bool good = is_5424 ? parse_5424(&c, ret, f)
				    : parse_3164(&c, now_ns, ret, f) || take_clear_tag(&c, ret);
		if (!good) {
			int pri = ret->pri;
			*ret = (struct syslog_message){
				.pri = pri, .has_pri = true, .is_damaged = is_5424};
		}
	}
	ret->message = (struct syslog_text){c.p, (size_t)(c.end - c.p)};
}

void syslog_parse_line(const char *p, size_t n, int64_t now_ns, struct syslog_message *ret,
		       struct fields *f)
{
	struct cursor c = {p, p + n};
	if (n && *p == '<') {
		syslog_parse(p, n, SYSLOG_AUTO, now_ns, ret, f);
		return;
	}
	*ret = (struct syslog_message){.pri = PRI_MISSING};
	if (!parse_3164(&c, now_ns, ret, f))
		*ret = (struct syslog_message){.pri = PRI_MISSING};
	ret->message = (struct syslog_text){c.p, (size_t)(c.end - c.p)};
}
