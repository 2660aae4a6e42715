/* SPDX-License-Identifier: MIT */
/*
 * tuning.c - the options of the command line that choose Quire's policies and
 * their limits (protocol.h, 2).
 *
 * Policies have names; only the core knows which there are.  A name that it
 * does not know is most likely a typing error, so the machine does not run with
 * something else instead.
 */
#include "tuning.h"
#include "cpu.h"
#include "irq.h"
#include "klib.h"
#include "protocol.h"

static const char *readahead_name(unsigned i)
{
	const struct quire_readahead_policy *p = quire_readahead_policy(i);

	return p ? p->name : NULL;
}

static const char *fault_around_name(unsigned i)
{
	const struct quire_fault_around_policy *p =
		quire_fault_around_policy(i);

	return p ? p->name : NULL;
}

static const char *reclaim_name(unsigned i)
{
	const struct quire_reclaim_policy *p = quire_reclaim_policy(i);

	return p ? p->name : NULL;
}

static _Noreturn void refuse(const char *option, const char *value,
			     const char *(*name)(unsigned i))
{
	char names[128] = "";
	size_t at = 0;
	unsigned i;

	for (i = 0; name(i) && at < sizeof(names); i++)
		at += (size_t)snprintf(names + at, sizeof(names) - at, "%s%s",
				       i ? ", " : "", name(i));
	report_line("{\"refused\":\"--%s %s: there are %s\"}", option, value,
		    names);
	machine_exit(0);
}

/* The number of the policy that the key names, the first one by default. */
static unsigned choose(const char *key, const char *option,
		       const char *(*name)(unsigned i))
{
	char value[64];
	unsigned i;

	if (cmdline_get(key, 0, value, sizeof(value)) < 0)
		return 0;
	for (i = 0; name(i); i++)
		if (!strcmp(name(i), value))
			return i;
	refuse(option, value, name);
}

void tuning_policies(struct quire_config *config)
{
	config->readahead = quire_readahead_policy(choose(
		"quire.readahead_policy", "readahead-policy", readahead_name));
	config->fault_around = quire_fault_around_policy(
		choose("quire.fault_around_policy", "fault-around-policy",
		       fault_around_name));
	config->reclaim = quire_reclaim_policy(
		choose("quire.reclaim_policy", "reclaim", reclaim_name));
}

static void set_limit(const char *key, enum quire_tunable which)
{
	char value[32];

	if (cmdline_get(key, 0, value, sizeof(value)) < 0)
		return;
	if (quire_set_tunable(the_quire, which, strtoull(value, NULL, 10)))
		printk("%s=%s makes no sense", key, value);
}

void tuning_limits(void)
{
	set_limit("quire.fault_around", QUIRE_TUNABLE_FAULT_AROUND_BYTES);
	set_limit("quire.readahead", QUIRE_TUNABLE_READAHEAD_BYTES);
	set_limit("quire.swappiness", QUIRE_TUNABLE_SWAPPINESS);
	set_limit("quire.min_free_kbytes", QUIRE_TUNABLE_MIN_FREE_KBYTES);
	set_limit("quire.page_cluster", QUIRE_TUNABLE_PAGE_CLUSTER);
}
