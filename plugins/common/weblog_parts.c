/* SPDX-License-Identifier: MIT */
#include "common/weblog_parts.h"

#include <ctype.h>

#include "common/severity.h"

int weblog_severity(int status)
{
	return status >= 500 ? 3 : status >= 400 || status < 100 ? 4 : 6;
}

static bool is_method(struct text t)
{
	for (size_t i = 0; i < t.n; i++)
		if (!isupper((unsigned char)t.p[i]) && t.p[i] != '-' && t.p[i] != '_')
			return false;
	return t.n > 0 && t.n <= 24;
}

static bool is_protocol(struct text t)
{
	size_t i = 0;
	while (i < t.n && isupper((unsigned char)t.p[i]))
		i++;
	return i > 0 && i < t.n && t.p[i] == '/';
}

void weblog_put_request(struct fields *f, struct text t)
{
	struct text rest = t, method = text_take_word(&rest);
	if (!rest.n || !is_method(method)) {
		text_put(f, "request", t);
		return;
	}
	const char *last = memrchr(rest.p, ' ', rest.n);
	struct text protocol = {0};
	if (last)
		protocol = text_between(last + 1, rest.p + rest.n);
	if (is_protocol(protocol))
		rest.n = (size_t)(last - rest.p);
	else
		protocol.n = 0;
	text_put(f, "method", method);
	text_put(f, "path", rest);
	text_put(f, "protocol", protocol);
}

bool weblog_put_level(struct fields *f, struct text t, int *severity)
{
	const char *colon = memrchr(t.p, ':', t.n);
	struct text module = {t.p, 0}, level = t;
	if (colon) {
		module = text_between(t.p, colon);
		level = text_between(colon + 1, t.p + t.n);
	}
	*severity = severity_detect(level.p, level.n);
	if (*severity == SLUICE_NO_SEVERITY || memchr(t.p, ' ', t.n))
		return false;
	text_put(f, "module", module);
	text_put(f, "level", level);
	return true;
}

bool weblog_split_port(struct text t, struct text *host, struct text *port)
{
	const char *colon = t.n ? memrchr(t.p, ':', t.n) : NULL;
	if (!colon)
		return false;
	*host = text_between(t.p, colon);
	*port = text_between(colon + 1, t.p + t.n);
	bool in_brackets = host->n > 1 && *host->p == '[' && host->p[host->n - 1] == ']';
	if (in_brackets)
		*host = (struct text){host->p + 1, host->n - 2};
	return host->n && text_is_number(*port) && port->n <= 5 &&
	       (in_brackets || !memchr(host->p, ':', host->n));
}
