/* SPDX-License-Identifier: MIT */
/* The formatter against the C library's, and its own bounds. */
#include <limits.h>

#include <mm/internal/system.h>
#include <tests/harness/harness.h>

/* The same arguments to both; the texts and lengths must be the same. */
#define SAME(...)                                                              \
	do {                                                                   \
		char a_[128], b_[128];                                         \
		int want_ = snprintf(a_, sizeof(a_), __VA_ARGS__);             \
		size_t got_ = quire_snprintf(b_, sizeof(b_), __VA_ARGS__);     \
		CHECK_STR(b_, a_);                                             \
		CHECK_EQ(got_, want_);                                         \
	} while (0)

TEST_PLAIN(log_format)
{
	UNUSED_MACHINE;
	SAME("%s", "plain");
	SAME("100%%");
	SAME("%d %d %d", 0, -1, INT_MAX);
	SAME("%d", INT_MIN);
	SAME("%ld %lld", LONG_MIN, LLONG_MIN);
	SAME("%u %lu %llu", UINT_MAX, ULONG_MAX, ULLONG_MAX);
	SAME("%x %X %lx", 0xbeefu, 0xbeefu, 0xdeadbeefcafeul);
	SAME("[%8x] [%08x] [%-8x]", 0x12u, 0x12u, 0x12u);
	SAME("[%5d] [%05d] [%-5d]", -42, -42, -42);
	SAME("[%.3d] [%8.3d] [%-8.3d]", 7, 7, 7);
	SAME("[%10s] [%-10s] [%.2s] [%*s]", "abc", "abc", "abc", 6, "abc");
	SAME("[%.*s]", 2, "abcdef");
	SAME("%c%c", 'x', 'y');
	SAME("%zu", (size_t)12345);
	SAME("%08lx-%08lx %c%c%c%c %08llx %02x:%02x %lu", 0x400000ul,
	     0x401000ul, 'r', '-', 'x', 'p', 0ull, 8u, 1u, 123ul);
	SAME("%p", (void *)0x7fff1234);
}

TEST_PLAIN(log_bounds)
{
	char buf[8];

	UNUSED_MACHINE;
	memset(buf, 'Z', sizeof(buf));
	CHECK_EQ(quire_snprintf(buf, 4, "%s", "abcdef"), 6);
	CHECK_STR(buf, "abc");
	CHECK_EQ(buf[4], 'Z');
	CHECK_EQ(quire_snprintf(buf, 1, "%d", 12345), 5);
	CHECK_STR(buf, "");
	CHECK_EQ(quire_snprintf(NULL, 0, "%s", "abc"), 3);
}

TEST(log_long_line_is_cut)
{
	sim_quiet(m, true);
	quire_printk(6, "%300s|", "x");
	CHECK(!sim_log_contains(m, "|"));
	quire_printk(6, "short %d", 5);
	CHECK(sim_log_contains(m, "short 5"));
}
