/* SPDX-License-Identifier: MIT */
/*
 * As much JSON (RFC 8259) as the kernel's report lines need to be read and
 * the report file needs to be written.
 */
#include "cmd/json.h"

#include <string.h>

static char *skip_blanks(char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Four hexadecimal digits; -1 when they are not. */
static int hex4(const char *p)
{
	int v = 0;

	for (int i = 0; i < 4; i++) {
		int d = hex_digit(p[i]);

		if (d < 0)
			return -1;
		v = v * 16 + d;
	}
	return v;
}

/* UTF-8 of a code point below 0x10000 (RFC 3629); the place after it. */
static char *put_utf8(char *to, int c)
{
	if (c < 0x80) {
		*to++ = (char)c;
	} else if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
		*to++ = (char)(0x80 | (c & 0x3f));
	} else {
		*to++ = (char)(0xe0 | c >> 12);
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	}
	return to;
}

/*
 * A string that starts at the quote p: its text goes to where it stands (an
 * escape is never shorter than what it means).  The place after the closing
 * quote, or NULL.
 */
static char *parse_string(char *p, const char **text)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	char *out = p + 1;

	*text = out;
	for (p++; *p != '"'; p++) {
		const char *esc;
		int c;

		if ((unsigned char)*p < 0x20)
			return NULL; /* the NUL at the end, too */
		if (*p != '\\') {
			*out++ = *p;
			continue;
		}
		p++;
		if (*p == 'u') {
			c = hex4(p + 1);
			if (c <= 0)
				return NULL;
			out = put_utf8(out, c);
			p += 4;
			continue;
		}
		esc = *p ? strchr(from, *p) : NULL;
		if (!esc)
			return NULL;
		*out++ = to[esc - from];
	}
	*out = '\0';
	return p + 1;
}

static char *parse_number(char *p, int64_t *number)
{
	bool minus = *p == '-';
	uint64_t v = 0;

	if (minus)
		p++;
	if (*p < '0' || *p > '9')
		return NULL;
	for (; *p >= '0' && *p <= '9'; p++) {
		unsigned d = (unsigned)(*p - '0');

		if (v > ((uint64_t)INT64_MAX - d) / 10)
			return NULL;
		v = v * 10 + d;
	}
	*number = minus ? -(int64_t)v : (int64_t)v;
	return p;
}

bool json_parse(char *p, struct json_line *out)
{
	out->n = 0;
	p = skip_blanks(p);
	if (*p++ != '{')
		return false;
	p = skip_blanks(p);
	if (*p == '}')
		return *skip_blanks(p + 1) == '\0';
	for (;;) {
		struct json_field *f = &out->field[out->n];

		if (out->n == JSON_FIELDS)
			return false;
		*f = (struct json_field){0};
		if (*p != '"' || !(p = parse_string(p, &f->name)))
			return false;
		p = skip_blanks(p);
		if (*p++ != ':')
			return false;
		p = skip_blanks(p);
		p = *p == '"' ? parse_string(p, &f->text)
			      : parse_number(p, &f->number);
		if (!p)
			return false;
		out->n++;
		p = skip_blanks(p);
		if (*p == '}')
			return *skip_blanks(p + 1) == '\0';
		if (*p++ != ',')
			return false;
		p = skip_blanks(p);
	}
}

static const struct json_field *find(const struct json_line *line,
				     const char *name)
{
	for (unsigned i = 0; i < line->n; i++)
		if (strcmp(line->field[i].name, name) == 0)
			return &line->field[i];
	return NULL;
}

const char *json_text(const struct json_line *line, const char *name)
{
	const struct json_field *f = find(line, name);

	return f ? f->text : NULL;
}

int64_t json_number(const struct json_line *line, const char *name)
{
	const struct json_field *f = find(line, name);

	return f && !f->text ? f->number : 0;
}

bool json_has(const struct json_line *line, const char *name)
{
	return find(line, name) != NULL;
}

/* Length of the UTF-8 sequence at p (RFC 3629, table 3-7 of Unicode), or 0. */
static unsigned utf8_len(const unsigned char *p)
{
	unsigned n = *p < 0xc2	 ? 0
		     : *p < 0xe0 ? 2
		     : *p < 0xf0 ? 3
		     : *p < 0xf5 ? 4
				 : 0;

	for (unsigned i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

void json_put_string(FILE *f, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	putc('"', f);
	while (*p) {
		unsigned n = utf8_len(p);

		if (n) {
			fwrite(p, 1, n, f);
			p += n;
			continue;
		}
		if (*p == '"' || *p == '\\')
			fprintf(f, "\\%c", *p);
		else if (*p < 0x20 || *p > 0x7e)
			fprintf(f, "\\u%04x", *p);
		else
			putc(*p, f);
		p++;
	}
	putc('"', f);
}
