/* SPDX-License-Identifier: MIT */
#ifndef CMD_JSON_H
#define CMD_JSON_H

#include <stdio.h>

#include "cmd/cmd.h"

#define JSON_FIELDS 32

/* One line of the report channel: a flat object of strings and integers. */
struct json_field {
	const char *name;
	const char *text; /* a string's, or NULL: a number */
	int64_t number;
};
struct json_line {
	unsigned n;
	struct json_field field[JSON_FIELDS];
};

/*
 * json_parse: read {"name":value,...} in place: escapes are resolved and
 * strings NUL-terminated in `text`, into which the fields point.  False when
 * it is not such an object (nested values, fractions, more than JSON_FIELDS).
 * Pure; a fuzz target (fuzz/json.c).
 */
bool json_parse(char *text, struct json_line *out);

/* The field's text or number; NULL or 0 when absent or of the other kind. */
const char *json_text(const struct json_line *line, const char *name);
int64_t json_number(const struct json_line *line, const char *name);
bool json_has(const struct json_line *line, const char *name);

/* Write text as a JSON string, quotes and all.  Bytes that are not ASCII are
 * passed on when they are UTF-8, else written as \u00XX (Latin-1). */
void json_put_string(FILE *f, const char *text);

#endif
