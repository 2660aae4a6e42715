/* SPDX-License-Identifier: MIT */
/* The radix tree of a file's pages against a plain array of what is in it. */
#include <errno.h>

#include <mm/internal/filemap.h>
#include <tests/harness/harness.h>

#define N 600

static uint64_t rnd(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

static struct page pages[N];
static uint64_t place[N];
static bool inside[N];

/* Indices of all magnitudes, neighbours among them, each only once. */
static void pick_places(uint64_t *s)
{
	unsigned i, j;

	place[0] = 0;
	place[1] = UINT64_MAX;
	for (i = 2; i < N; i++)
		do {
			place[i] = rnd(s) >> (rnd(s) % 64);
			if (rnd(s) % 4 == 0)
				place[i] = place[i - 1] + 1;
			for (j = 0; j < i && place[j] != place[i]; j++)
				;
		} while (j < i);
}

static uint64_t next_place(uint64_t from)
{
	uint64_t best = UINT64_MAX;
	unsigned i;

	for (i = 0; i < N; i++)
		if (inside[i] && place[i] >= from && place[i] < best)
			best = place[i];
	return best;
}

static void check_gang(struct page_tree *t, uint64_t s)
{
	struct page *got[7];
	uint64_t start = s % 3 ? place[s % N] : s, at;
	unsigned n = page_tree_gang(t, start, got, 7), i;

	at = start;
	for (i = 0; i < n; i++) {
		uint64_t want = next_place(at);
		size_t k = (size_t)(got[i] - pages);

		REQUIRE(k < N);
		CHECK(inside[k]);
		CHECK_EQ(place[k], want);
		at = want + 1;
		if (at == 0)
			return;
	}
	if (n < 7 && next_place(at) != UINT64_MAX)
		CHECK_EQ(next_place(at), UINT64_MAX);
}

TEST(pagetree_random)
{
	struct quire *q = sim_quire(m);
	struct page_tree t = {NULL, 0};
	uint64_t s = 4711;
	unsigned round, i, count = 0;

	pick_places(&s);
	for (round = 0; round < 30000; round++) {
		i = (unsigned)(rnd(&s) % N);
		pages[i].index = place[i];
		CHECK(page_tree_lookup(&t, place[i]) ==
		      (inside[i] ? &pages[i] : NULL));
		if (inside[i] && rnd(&s) % 4 == 0) {
			CHECK_EQ(page_tree_insert(q, &t, place[i], &pages[0]),
				 -EEXIST);
		} else if (inside[i]) {
			CHECK(page_tree_remove(q, &t, place[i]) == &pages[i]);
			CHECK(!page_tree_remove(q, &t, place[i]));
			inside[i] = false;
			count--;
		} else {
			CHECK_EQ(page_tree_insert(q, &t, place[i], &pages[i]),
				 0);
			inside[i] = true;
			count++;
		}
		if (round % 50 == 0)
			check_gang(&t, rnd(&s));
	}
	CHECK(count > 100);
	for (i = 0; i < N; i++)
		if (inside[i])
			CHECK(page_tree_remove(q, &t, place[i]) == &pages[i]);
	/* an empty tree holds no memory */
	CHECK(!t.root);
	CHECK_EQ(t.height, 0);
	CHECK_EQ(kmem_cache_inuse(q->ptree_cache), 0);
}

static bool tagged[N][PTREE_TAGS];

/* Where the next page with the tag is, or UINT64_MAX (and *none). */
static uint64_t next_tagged_place(uint64_t from, uint64_t last, unsigned tag,
				  bool *none)
{
	uint64_t best = UINT64_MAX;
	unsigned i;

	*none = true;
	for (i = 0; i < N; i++)
		if (inside[i] && tagged[i][tag] && place[i] >= from &&
		    place[i] <= last && place[i] <= best) {
			best = place[i];
			*none = false;
		}
	return best;
}

static void check_gang_tag(struct page_tree *t, uint64_t *s)
{
	uint64_t start = rnd(s) % 3 ? place[rnd(s) % N] : rnd(s), at = start;
	uint64_t last = rnd(s) % 2 ? UINT64_MAX : place[rnd(s) % N], want;
	unsigned tag = (unsigned)(rnd(s) % PTREE_TAGS), i;
	struct page *got[9];
	unsigned n =
		page_tree_gang_tag(t, start, last, (enum ptree_tag)tag, got, 9);
	bool none;

	for (i = 0; i < n; i++) {
		want = next_tagged_place(at, last, tag, &none);
		REQUIRE(!none);
		CHECK_EQ(got[i]->index, want);
		at = want + 1;
		if (at == 0)
			return;
	}
	if (n < 9 && at <= last) {
		(void)next_tagged_place(at, last, tag, &none);
		CHECK(none);
	}
}

/* Copy a tag, some pages at a time, and compare every page's tags. */
static void check_retag(struct page_tree *t, uint64_t *s)
{
	uint64_t first = place[rnd(s) % N], last = place[rnd(s) % N];
	uint64_t index = first;
	unsigned i;

	if (first > last)
		return;
	while (page_tree_retag(t, &index, last, PTREE_DIRTY, PTREE_TOWRITE, 7))
		REQUIRE(index > first && index <= last);
	for (i = 0; i < N; i++) {
		if (!inside[i])
			continue;
		if (tagged[i][PTREE_DIRTY] && place[i] >= first &&
		    place[i] <= last)
			tagged[i][PTREE_TOWRITE] = true;
		CHECK_EQ(page_tree_has_tag(t, place[i], PTREE_TOWRITE),
			 tagged[i][PTREE_TOWRITE]);
	}
}

static void change_page(struct quire *q, struct page_tree *t, unsigned i,
			uint64_t *s)
{
	unsigned tag = (unsigned)(rnd(s) % PTREE_TAGS);
	enum ptree_tag g = (enum ptree_tag)tag;

	CHECK_EQ(page_tree_has_tag(t, place[i], g),
		 inside[i] && tagged[i][tag]);
	if (!inside[i]) {
		pages[i].index = place[i];
		CHECK_EQ(page_tree_insert(q, t, place[i], &pages[i]), 0);
		inside[i] = true;
		memset(tagged[i], 0, sizeof(tagged[i]));
	} else if (rnd(s) % 8 == 0) {
		CHECK(page_tree_remove(q, t, place[i]) == &pages[i]);
		inside[i] = false;
	} else if (rnd(s) % 2) {
		CHECK_EQ(page_tree_set_tag(t, place[i], g), !tagged[i][tag]);
		tagged[i][tag] = true;
	} else {
		CHECK_EQ(page_tree_clear_tag(t, place[i], g), tagged[i][tag]);
		tagged[i][tag] = false;
	}
}

/* Tags against an array of them, while the tree grows and shrinks. */
TEST(pagetree_tags)
{
	struct quire *q = sim_quire(m);
	struct page_tree t = {NULL, 0};
	uint64_t s = 815;
	unsigned round, i;

	pick_places(&s);
	for (round = 0; round < 40000; round++) {
		/* now and then few pages are left */
		i = (unsigned)(rnd(&s) % (round / 1000 % 4 ? N : 9));
		change_page(q, &t, i, &s);
		if (round % 10 == 0)
			check_gang_tag(&t, &s);
		if (round % 200 == 0)
			check_retag(&t, &s);
	}
	/* with the last page its tags are gone */
	for (i = 0; i < N; i++)
		if (inside[i])
			CHECK(page_tree_remove(q, &t, place[i]) == &pages[i]);
	CHECK(!t.root);
	CHECK_EQ(page_tree_gang_tag(&t, 0, UINT64_MAX, PTREE_DIRTY,
				    (struct page *[1]){NULL}, 1),
		 0);
	CHECK_EQ(kmem_cache_inuse(q->ptree_cache), 0);
}

/* Out of memory at every node: nothing changes, nothing is lost. */
TEST(pagetree_no_memory)
{
	struct quire *q = sim_quire(m);
	struct page_tree t = {NULL, 0};
	static const uint64_t at[] = {5, 1ull << 40, 63, 64, UINT64_MAX, 4096};
	uint64_t held;
	unsigned i, n;

	if (!sim_has_injection())
		return;
	for (i = 0; i < 6; i++) {
		for (n = 1;; n++) {
			int err;

			held = kmem_cache_inuse(q->ptree_cache);
			sim_inject_reset(m);
			sim_inject_nth(m, n, true);
			err = page_tree_insert(q, &t, at[i], &pages[i]);
			sim_inject_reset(m);
			if (!err)
				break;
			CHECK_EQ(err, -ENOMEM);
			CHECK(!page_tree_lookup(&t, at[i]));
			CHECK_EQ(kmem_cache_inuse(q->ptree_cache), held);
			REQUIRE(n < 20);
		}
		CHECK(page_tree_lookup(&t, at[i]) == &pages[i]);
	}
	for (i = 0; i < 6; i++)
		CHECK(page_tree_remove(q, &t, at[i]) == &pages[i]);
	CHECK_EQ(kmem_cache_inuse(q->ptree_cache), 0);
}

static void *value_of(unsigned i)
{
	return (void *)((uintptr_t)i << 1 | 1u);
}

/* Pages and values in each other's place: what looks for pages passes values
 * over, what looks for both finds both, and no place is lost.
 * behaviour: C5 */
TEST(pagetree_values)
{
	struct quire *q = sim_quire(m);
	struct page_tree t = {NULL, 0};
	static bool value[N];
	uint64_t s = 99, at[5], from;
	void *got[5], *here;
	unsigned round, i, n, k;

	pick_places(&s);
	for (i = 0; i < N; i += 2) {
		pages[i].index = place[i];
		CHECK_EQ(page_tree_insert(q, &t, place[i], &pages[i]), 0);
		inside[i] = true;
	}
	for (round = 0; round < 20000; round++) {
		i = (unsigned)(rnd(&s) % N);
		here = !inside[i] ? NULL : value[i] ? value_of(i) : &pages[i];
		CHECK(page_tree_get(&t, place[i]) == here);
		CHECK(page_tree_lookup(&t, place[i]) ==
		      (value[i] ? NULL : here));
		if (!here) {
			CHECK_EQ(page_tree_insert(q, &t, place[i], &pages[i]),
				 0);
			inside[i] = true;
		} else if (rnd(&s) % 4 == 0) {
			CHECK_EQ(page_tree_insert(q, &t, place[i], &pages[i]),
				 -EEXIST);
			CHECK(page_tree_remove(q, &t, place[i]) == here);
			inside[i] = value[i] = false;
		} else {
			value[i] = !value[i];
			CHECK(page_tree_replace(&t, place[i],
						value[i] ? value_of(i)
							 : &pages[i]) == here);
		}
		if (round % 20)
			continue;
		from = place[rnd(&s) % N];
		n = page_tree_gang_any(&t, from, got, at, 5);
		for (k = 0; k < n; k++) {
			CHECK_EQ(at[k], next_place(from));
			for (i = 0; place[i] != at[k]; i++)
				;
			CHECK(got[k] == (value[i] ? value_of(i) : &pages[i]));
			from = at[k] + 1;
			if (!from)
				break;
		}
		if (n < 5 && from && next_place(from) != UINT64_MAX)
			CHECK_EQ(next_place(from), UINT64_MAX);
		from = place[rnd(&s) % N];
		if (page_tree_gang(&t, from, (struct page **)got, 1))
			CHECK(!ptree_is_value(got[0]));
	}
	for (i = 0; i < N; i++)
		if (inside[i])
			CHECK(page_tree_remove(q, &t, place[i]) != NULL);
	CHECK_EQ(kmem_cache_inuse(q->ptree_cache), 0);
}
