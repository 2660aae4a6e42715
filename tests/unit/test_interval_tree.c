/* SPDX-License-Identifier: MIT */
/* The tree of ranges against a plain array of them. */
#include <mm/internal/interval_tree.h>
#include <tests/harness/harness.h>

#define N      300
#define ROUNDS 6000

static struct itree_node node[N];
static uint64_t from[N], to[N];
static bool inside[N];

static uint64_t rnd(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

/* Ranges of all lengths, many of them with a common start or end. */
static void pick(uint64_t *s, unsigned i, uint64_t span)
{
	uint64_t a = rnd(s) % span, len = rnd(s) % span >> (rnd(s) % 12);

	from[i] = a;
	to[i] = a + len;
	if (rnd(s) % 16 == 0)
		from[i] = 0;
	if (rnd(s) % 16 == 0)
		to[i] = UINT64_MAX;
}

/* What the tree answers for [a, b] is what the array says, in order. */
static void compare(const struct itree *t, uint64_t a, uint64_t b)
{
	struct itree_node *n;
	uint64_t last_start = 0;
	unsigned want = 0, got = 0, i;

	for (i = 0; i < N; i++)
		want += inside[i] && from[i] <= b && to[i] >= a;
	itree_for_each(t, n, a, b)
	{
		i = (unsigned)(n - node);
		CHECK(i < N && inside[i] && from[i] <= b && to[i] >= a);
		CHECK(n->start == from[i] && n->last == to[i]);
		CHECK(n->start >= last_start);
		last_start = n->start;
		CHECK(++got <= want);
	}
	CHECK_EQ(got, want);
}

static unsigned depth(const struct itree_node *n)
{
	unsigned l = n ? depth(n->left) : 0, r = n ? depth(n->right) : 0;

	return n ? 1 + (l > r ? l : r) : 0;
}

TEST_WITH(interval_tree_as_an_array, .plain = true)
{
	uint64_t s = 88172645463325252ull, count, span;
	struct itree t;
	unsigned round, i, in = 0;

	(void)m;
	itree_init(&t);
	for (i = 0; i < N; i++)
		itree_node_init(&node[i]);
	for (round = 0; round < ROUNDS; round++) {
		span = round / 1000 % 2 ? 40 : 1ull << 40;
		i = (unsigned)(rnd(&s) % N);
		if (inside[i]) {
			itree_remove(&t, &node[i]);
			CHECK(!itree_linked(&node[i]));
			in--;
		} else {
			pick(&s, i, span);
			itree_insert(&t, &node[i], from[i], to[i]);
			in++;
		}
		inside[i] = !inside[i];
		CHECK_EQ(itree_check(&t, &count), 0);
		CHECK_EQ(count, in);
		compare(&t, rnd(&s) % span, rnd(&s) % span);
		if (round % 16 == 0) {
			compare(&t, 0, UINT64_MAX);
			compare(&t, UINT64_MAX, UINT64_MAX);
		}
	}
	for (i = 0; i < N; i++)
		if (inside[i])
			itree_remove(&t, &node[i]);
	CHECK(itree_empty(&t));
}

/* Ascending starts, the worst order for a plain tree, stay shallow. */
TEST_WITH(interval_tree_stays_balanced, .plain = true)
{
	enum { MANY = 20000 };
	struct itree_node *nodes = calloc(MANY, sizeof(*nodes));
	struct itree t;
	uint64_t count;
	unsigned i;

	(void)m;
	itree_init(&t);
	for (i = 0; i < MANY; i++)
		itree_insert(&t, &nodes[i], i * 10, i * 10 + 15);
	CHECK_EQ(itree_check(&t, &count), 0);
	CHECK_EQ(count, MANY);
	CHECK(depth(t.root) < 64);
	free(nodes);
}
