/* SPDX-License-Identifier: MIT */
/*
 * The decoder of 9P replies.  Input: the request's type, its tag (2 bytes),
 * how much payload lies elsewhere (2 bytes), then the reply.  Nothing outside
 * the reply may be read, and every pointer that comes out must be into it.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "kernel/include/p9.h"

static volatile uint8_t sink;

/* Read all of a piece that the parser says is in buf. */
static void read_all(const uint8_t *buf, size_t len, const void *p, size_t n)
{
	const uint8_t *q = p;

	FUZZ_EXPECT(n == 0 ||
		    (q >= buf && n <= len && (size_t)(q - buf) <= len - n));
	for (size_t i = 0; i < n; i++)
		sink = q[i];
}

static void read_entries(const uint8_t *data, size_t n)
{
	struct p9_dirent e;
	long took;

	while ((took = p9_parse_dirent(data, n, &e)) > 0) {
		FUZZ_EXPECT((size_t)took <= n && e.name.len >= 1 &&
			    e.name.len <= 255);
		read_all(data, n, e.name.text, e.name.len);
		FUZZ_EXPECT(!memchr(e.name.text, '/', e.name.len) &&
			    !memchr(e.name.text, '\0', e.name.len));
		data += took;
		n -= (size_t)took;
	}
	FUZZ_EXPECT(took == 0 ? n == 0 : took == -5);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct p9_reply r;
	uint8_t request;
	uint16_t tag;
	size_t elsewhere, len;
	uint8_t *buf;
	int ret;

	if (size < 5)
		return 0;
	request = data[0];
	tag = (uint16_t)(data[1] | data[2] << 8);
	elsewhere = (size_t)(data[3] | data[4] << 8);
	len = size - 5;
	buf = malloc(len ? len : 1);
	memcpy(buf, data + 5, len);

	ret = p9_parse_reply(buf, len, request, tag, elsewhere, &r);
	FUZZ_EXPECT(ret <= 0 && ret >= -4095);
	if (ret == 0) {
		FUZZ_EXPECT(r.tag == tag && r.type == request + 1);
		if (request == P9_TVERSION)
			read_all(buf, len, r.version.version.text,
				 r.version.version.len);
		if (request == P9_TREADLINK)
			read_all(buf, len, r.link.text, r.link.len);
		if (request == P9_TWALK)
			FUZZ_EXPECT(r.walk.nwqid <= P9_MAX_WALK);
		if (request == P9_TREAD || request == P9_TREADDIR) {
			if (r.data.data)
				read_all(buf, len, r.data.data, r.data.count);
			else
				FUZZ_EXPECT(r.data.count <= elsewhere);
		}
		if (request == P9_TREADDIR && r.data.data)
			read_entries(r.data.data, r.data.count);
	}
	read_entries(buf, len);
	free(buf);
	return 0;
}
