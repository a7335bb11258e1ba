/* SPDX-License-Identifier: MIT */
#include "conf/option_text.h"

const char *option_type_word(enum sluice_type type)
{
	switch (type) {
	case SLUICE_BOOL: return "true, false";
	case SLUICE_INT: return "number";
	case SLUICE_STRING: return "text";
	case SLUICE_ENUM: return "one of";
	case SLUICE_SIZE: return "size";
	case SLUICE_DURATION: return "duration";
	case SLUICE_PATH: return "path";
	case SLUICE_GLOB: return "pattern";
	case SLUICE_DOUBLE: return "decimal number";
	case SLUICE_ADDRESS: return "address";
	case SLUICE_REGEX: return "regular expression";
	case SLUICE_SECRET: return "secret";
	case SLUICE_MAP: return "map";
	case SLUICE_JSON: return "JSON";
	case SLUICE_RANGE: return "range of durations";
	}
	return "value";
}

void option_put_type(struct buf *out, const struct sluice_option *o, const char *quote)
{
	if (o->flags & SLUICE_LIST)
		buf_puts(out, "list of ");
	if (o->flags & OPTION_TREE) {
		buf_puts(out, "rules");
		return;
	}
	if (o->type == SLUICE_ENUM) {
		for (size_t i = 0; o->choices[i]; i++)
			buf_printf(out, "%s%s%s%s", i ? ", " : "", quote, o->choices[i], quote);
		return;
	}
	buf_puts(out, option_type_word(o->type));
	for (size_t i = 0; o->choices && o->choices[i]; i++)
		buf_printf(out, "%s%s%s:%s", i ? ", " : ": ", quote, o->choices[i], quote);
}

void option_put_range(struct buf *out, const struct sluice_option *o)
{
	if (!o->min && !o->max)
		return;
	buf_puts(out, ", ");
	option_put_number(out, o->type, o->min);
	buf_puts(out, " to ");
	option_put_number(out, o->type, o->max);
}

/* A bar would end the cell. */
void option_put_cell(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '|')
			buf_putc(out, '\\');
		buf_putc(out, *s);
	}
}

void option_put_markdown(struct buf *out, const struct sluice_option *table)
{
	buf_puts(out, "| option | value | default | |\n|---|---|---|---|\n");
	for (const struct sluice_option *o = table; o->name; o++) {
		buf_printf(out, "| `%s` | ", o->name);
		option_put_type(out, o, "`");
		option_put_range(out, o);
		buf_puts(out, " | ");
		if (o->flags & SLUICE_REQUIRED)
			buf_puts(out, "required");
		else if (o->fallback && o->fallback[0])
			buf_printf(out, "`%s`", o->fallback);
		buf_puts(out, " | ");
		option_put_cell(out, o->doc);
		buf_puts(out, " |\n");
	}
}
