/* SPDX-License-Identifier: MIT */
/*
 * The report channel: lines of any bytes go in; what comes out as a report
 * must be JSON that the same parser's rules allow, and never crash.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "cmd/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char *program[] = {(char *)"program", NULL};
	struct run_options o = {
		.accel = "tcg", .program = program, .nr_program = 1};
	struct report r = {0};
	char *text = malloc(size + 1), *line = text, *end, *out = NULL;
	size_t out_len = 0;
	FILE *f;

	memcpy(text, data, size);
	text[size] = '\0';
	while ((end = memchr(line, '\n', (size_t)(text + size - line)))) {
		*end = '\0';
		report_take(&r, line);
		line = end + 1;
	}
	report_take(&r, line);
	free(text);
	FUZZ_EXPECT(r.nr_kinds <= REPORT_KINDS);

	f = open_memstream(&out, &out_len);
	report_json(&r, &o, f);
	report_print(&r, f);
	fclose(f);
	FUZZ_EXPECT(out_len > 0 && strlen(out) == out_len);
	free(out);
	return 0;
}
