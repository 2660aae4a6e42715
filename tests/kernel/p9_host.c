/* SPDX-License-Identifier: MIT */
/*
 * The 9P decoder on the host: whole replies, and the same ones cut short,
 * stretched and for somebody else.  Each buffer ends at a page that cannot be
 * read, so that a byte too far is a crash.
 */
#include <stdint.h>
#include <sys/mman.h>
#include "check.h"
#include "p9.h"

#define PG 4096u

static uint8_t *wall; /* the first byte that cannot be read */

static void make_wall(void)
{
	uint8_t *p = mmap(NULL, 2 * PG, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p + PG, PG, PROT_NONE))
		exit(1);
	wall = p + PG;
}

/* The first n bytes of a message, right before the wall. */
static const uint8_t *place(const void *from, size_t n)
{
	return memcpy(wall - n, from, n);
}

static int parse(const void *msg, size_t n, uint8_t request,
		 struct p9_reply *out)
{
	return p9_parse_reply(place(msg, n), n, request, 7, 0, out);
}

/* Every shorter piece of it is refused; so is a wrong tag or type. */
static void never_short(uint8_t *msg, size_t n, uint8_t request)
{
	struct p9_reply r;
	size_t cut;

	for (cut = 0; cut < n; cut++)
		CHECK(parse(msg, cut, request, &r) == -5);
	for (cut = P9_HEADER; cut < n; cut++) {
		/* also when the size field says that this is all of it */
		msg[0] = (uint8_t)cut;
		CHECK(parse(msg, cut, request, &r) == -5);
	}
	msg[0] = (uint8_t)n;
	CHECK(p9_parse_reply(place(msg, n), n, request, 8, 0, &r) == -5);
	CHECK(parse(msg, n, (uint8_t)(request + 2), &r) == -5);
	msg[3] = 0x7f;
	CHECK(parse(msg, n, request, &r) == -5);
	msg[3] = 0;
}

static void put_qid(struct p9_msg *m, uint8_t type, uint64_t path)
{
	p9_u8(m, type);
	p9_u32(m, 5);
	p9_u64(m, path);
}

static void versions(void)
{
	struct p9_reply r;
	struct p9_msg m;
	uint8_t buf[64];
	size_t n;

	p9_begin(&m, buf, sizeof(buf), P9_TVERSION + 1, 7);
	p9_u32(&m, 65536);
	p9_string(&m, "9P2000.L", 8);
	n = p9_end(&m, 0);
	CHECK(n == 7 + 4 + 2 + 8);
	CHECK(parse(buf, n, P9_TVERSION, &r) == 0);
	CHECK(r.version.msize == 65536 && r.version.version.len == 8);
	CHECK(!memcmp(r.version.version.text, "9P2000.L", 8));
	never_short(buf, n, P9_TVERSION);
}

static void walks(void)
{
	struct p9_reply r;
	struct p9_msg m;
	uint8_t buf[512];
	size_t n;
	unsigned i;

	p9_begin(&m, buf, sizeof(buf), P9_TWALK + 1, 7);
	p9_u16(&m, 3);
	for (i = 0; i < 3; i++)
		put_qid(&m, (uint8_t)(i == 2 ? 0 : P9_QID_DIR), 100 + i);
	n = p9_end(&m, 0);
	CHECK(parse(buf, n, P9_TWALK, &r) == 0 && r.walk.nwqid == 3);
	CHECK(r.walk.wqid[2].path == 102 && r.walk.wqid[0].type == P9_QID_DIR);
	never_short(buf, n, P9_TWALK);
	buf[7] = 17; /* more than a walk may have */
	CHECK(parse(buf, n, P9_TWALK, &r) == -5);
}

static void attributes(void)
{
	struct p9_reply r;
	struct p9_msg m;
	uint8_t buf[256];
	size_t n;
	unsigned i;

	p9_begin(&m, buf, sizeof(buf), P9_TGETATTR + 1, 7);
	p9_u64(&m, P9_GETATTR_BASIC);
	put_qid(&m, 0, 77);
	p9_u32(&m, 0100644);
	p9_u32(&m, 1000);
	p9_u32(&m, 100);
	for (i = 0; i < 15; i++)
		p9_u64(&m, 1000 + i);
	n = p9_end(&m, 0);
	CHECK(n == 160);
	CHECK(parse(buf, n, P9_TGETATTR, &r) == 0);
	CHECK(r.attr.mode == 0100644 && r.attr.uid == 1000);
	CHECK(r.attr.nlink == 1000 && r.attr.rdev == 1001);
	CHECK(r.attr.size == 1002 && r.attr.blocks == 1004);
	CHECK(r.attr.atime_sec == 1005 && r.attr.ctime_nsec == 1010);
	never_short(buf, n, P9_TGETATTR);
	memset(buf + 56, 0xff, 8); /* a length that is negative as off_t */
	CHECK(parse(buf, n, P9_TGETATTR, &r) == -5);
}

static void errors(void)
{
	static const uint32_t bad[] = {0, 4096, 0x80000001};
	struct p9_reply r;
	struct p9_msg m;
	uint8_t buf[16];
	unsigned i;

	p9_begin(&m, buf, sizeof(buf), P9_RLERROR, 7);
	p9_u32(&m, 13);
	CHECK(p9_end(&m, 0) == 11);
	CHECK(parse(buf, 11, P9_TLOPEN, &r) == -13);
	CHECK(p9_parse_reply(place(buf, 11), 11, P9_TREAD, 7, 8192, &r) == -13);
	for (i = 0; i < 3; i++) {
		memcpy(buf + 7, &bad[i], 4);
		CHECK(parse(buf, 11, P9_TLOPEN, &r) == -5);
	}
}

static void data(void)
{
	struct p9_reply r;
	struct p9_msg m;
	uint8_t buf[32];
	size_t n;

	p9_begin(&m, buf, sizeof(buf), P9_TREAD + 1, 7);
	p9_u32(&m, 5);
	p9_u32(&m, 0x64636261);
	p9_u8(&m, 'e');
	n = p9_end(&m, 0);
	CHECK(parse(buf, n, P9_TREAD, &r) == 0 && r.data.count == 5);
	CHECK(!memcmp(r.data.data, "abcde", 5));
	never_short(buf, n, P9_TREAD);
	buf[7] = 6; /* says more than there is */
	CHECK(parse(buf, n, P9_TREAD, &r) == -5);
	/* the payload lies elsewhere: the count is held against its room */
	p9_begin(&m, buf, sizeof(buf), P9_TREAD + 1, 7);
	p9_u32(&m, 4096);
	n = p9_end(&m, 4096);
	CHECK(n == P9_READ_HEADER);
	CHECK(p9_parse_reply(place(buf, n), n, P9_TREAD, 7, 4096, &r) == 0);
	CHECK(r.data.count == 4096 && !r.data.data);
	CHECK(p9_parse_reply(place(buf, n), n, P9_TREAD, 7, 4095, &r) == -5);
}

static void names(void)
{
	static const char *const bad[] = {"", "a/b", "a\0b"};
	static const size_t bad_len[] = {0, 3, 3};
	struct p9_dirent e;
	struct p9_msg m;
	uint8_t buf[512];
	char longest[256];
	size_t n, cut;
	unsigned i;

	memset(longest, 'x', sizeof(longest));
	m = (struct p9_msg){.buf = buf, .cap = sizeof(buf)};
	put_qid(&m, 0, 9);
	p9_u64(&m, 1234);
	p9_u8(&m, 8);
	p9_string(&m, "file", 4);
	n = m.len;
	CHECK(p9_parse_dirent(place(buf, n), n, &e) == (long)n);
	CHECK(e.qid.path == 9 && e.offset == 1234 && e.type == 8);
	CHECK(e.name.len == 4 && !memcmp(e.name.text, "file", 4));
	CHECK(p9_parse_dirent(wall, 0, &e) == 0);
	for (cut = 1; cut < n; cut++)
		CHECK(p9_parse_dirent(place(buf, cut), cut, &e) == -5);
	for (i = 0; i < 3; i++) {
		m.len = 22;
		p9_string(&m, bad[i], bad_len[i]);
		CHECK(p9_parse_dirent(place(buf, m.len), m.len, &e) == -5);
	}
	m.len = 22;
	p9_string(&m, longest, 255);
	CHECK(p9_parse_dirent(place(buf, m.len), m.len, &e) == (long)m.len);
	m.len = 22;
	p9_string(&m, longest, 256);
	CHECK(p9_parse_dirent(place(buf, m.len), m.len, &e) == -5);
}

static void encoding(void)
{
	struct p9_msg m;
	uint8_t buf[20];

	p9_begin(&m, buf, sizeof(buf), P9_TREADLINK, 0x1234);
	p9_u32(&m, 0xdeadbeef);
	CHECK(p9_end(&m, 0) == 11);
	CHECK(!memcmp(buf, "\x0b\0\0\0\x16\x34\x12\xef\xbe\xad\xde", 11));
	p9_u64(&m, 1);
	p9_u16(&m, 1); /* does not fit any more */
	CHECK(m.full && p9_end(&m, 0) == 0);
	p9_begin(&m, buf, sizeof(buf), P9_TREADLINK, 1);
	p9_string(&m, "0123456789ab", 12);
	CHECK(m.full && p9_end(&m, 0) == 0);
}

int main(void)
{
	make_wall();
	versions();
	walks();
	attributes();
	errors();
	data();
	names();
	encoding();
	return check_done();
}
