/* SPDX-License-Identifier: MIT */
#include "conf/subject.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/unit.h"

static int parse_net(const char *text, struct subject *ret, char **why)
{
	if (net_parse(text, &ret->net) == 0)
		return 0;
	*why = mem_printf("\"net:%s\" is no network (write net:10.0.0.0/8, net:192.0.2.7 or "
			  "net:2001:db8::/32)",
			  text);
	return -EINVAL;
}

static bool is_name(const char *s)
{
	return *s && *s != ' ' && s[strlen(s) - 1] != ' ';
}

/* With what was most likely meant; owned. */
static char *explain(const char *text)
{
	static const char forms[] = "anyone, authenticated, user:NAME, group:NAME or "
				    "net:ADDRESS/BITS, without blanks around a name";
	static const char *const words[] = {"anyone", "authenticated", NULL};
	struct subject net;
	char *why = NULL;
	const char *near = unit_nearest(text, words);
	bool is_net = parse_net(text, &net, &why) == 0;
	free(why);
	if (near || is_net)
		return mem_printf(
			"\"%s\" is not a user, group or network (write %s; did you mean \"%s%s\"?)",
			text, forms, is_net ? "net:" : "", is_net ? text : near);
	if (is_name(text) && !strpbrk(text, ": ,"))
		return mem_printf("\"%s\" is not a user, group or network (write %s; did you mean "
				  "\"user:%s\"?)",
				  text, forms, text);
	return mem_printf("\"%s\" is not a user, group or network (write %s)", text, forms);
}

int subject_parse(const char *text, struct subject *ret, char **why)
{
	*ret = (struct subject){0};
	if (strcmp(text, "anyone") == 0)
		ret->kind = SUBJECT_ANYONE;
	else if (strcmp(text, "authenticated") == 0)
		ret->kind = SUBJECT_AUTHENTICATED;
	else if (strncmp(text, "user:", 5) == 0 && is_name(text + 5))
		*ret = (struct subject){.kind = SUBJECT_USER, .name = text + 5};
	else if (strncmp(text, "group:", 6) == 0 && is_name(text + 6))
		*ret = (struct subject){.kind = SUBJECT_GROUP, .name = text + 6};
	else if (strncmp(text, "net:", 4) == 0) {
		ret->kind = SUBJECT_NET;
		return parse_net(text + 4, ret, why);
	} else {
		*why = explain(text);
		return -EINVAL;
	}
	return 0;
}

bool subject_holds_address(const struct subject *s, struct str address)
{
	return net_holds(&s->net, address);
}
