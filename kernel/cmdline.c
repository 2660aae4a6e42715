/* SPDX-License-Identifier: MIT */
/*
 * cmdline.c - the kernel's command line, as the boot loader handed it over.
 */
#include "irq.h"
#include "klib.h"

static char cmdline[4096];

void cmdline_set(const char *text)
{
	strlcpy(cmdline, text, sizeof(cmdline));
}

const char *kernel_cmdline(void)
{
	return cmdline;
}

int cmdline_get(const char *key, unsigned n, char *buf, size_t cap)
{
	size_t klen = strlen(key);
	const char *p = cmdline;

	while (*p) {
		size_t len = 0;

		while (*p == ' ')
			p++;
		while (p[len] && p[len] != ' ')
			len++;
		if (len > klen && !memcmp(p, key, klen) && p[klen] == '=' &&
		    n-- == 0) {
			size_t vlen = len - klen - 1;

			if (vlen >= cap)
				vlen = cap - 1;
			memcpy(buf, p + klen + 1, vlen);
			buf[vlen] = 0;
			return (int)vlen;
		}
		p += len;
	}
	return -1;
}
