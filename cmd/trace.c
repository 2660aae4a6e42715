/* SPDX-License-Identifier: MIT */
/*
 * Turns the kernel's trace records into lines of text: one event a line, the
 * same five columns first, then name=value pairs.  docs/trace-format.md.
 */
#include "cmd/trace.h"

#include <inttypes.h>
#include <string.h>

#include <quire/trace.h>

#include "kernel/include/protocol.h"

_Static_assert(sizeof(struct trace_record) == TRACE_RECORD_BYTES,
	       "the record is 64 bytes on the wire");

/* What an event's fields mean, by letters: a addr, l len, n new length, p
 * prot, f flags, A advice, e error code, k kind, v VM_FAULT_* result, c child's
 * mm, r result. */
static const struct {
	const char *name, *fields;
} events[] = {
	[QE_FAULT_BEGIN] = {"fault-begin", "ae"},
	[QE_FAULT_END] = {"fault-end", "aekvb"},
	[QE_MMAP] = {"mmap", "alpfr"},
	[QE_MUNMAP] = {"munmap", "alr"},
	[QE_MPROTECT] = {"mprotect", "alpr"},
	[QE_MREMAP] = {"mremap", "alnr"},
	[QE_MADVISE] = {"madvise", "alAr"},
	[QE_BRK] = {"brk", "ar"},
	[QE_FORK] = {"fork", "cr"},
	[QE_EXIT_MM] = {"exit-mm", ""},
};

static const char *const kinds[QF_COUNT] = QUIRE_FAULT_KIND_NAMES;

void trace_begin(FILE *f)
{
	fprintf(f, "# quire trace 1\n# ns cpu task mm event fields\n");
}

static void put_bits(FILE *f, unsigned bits)
{
	fprintf(f, " mode=%s%s%s", bits & QUIRE_EVENT_USER ? "user" : "kernel",
		bits & QUIRE_EVENT_MAJOR ? ",major" : "",
		bits & QUIRE_EVENT_STACK_GROWTH ? ",growth" : "");
}

static void put_field(FILE *f, char field, const struct trace_record *r)
{
	switch (field) {
	case 'a':
		fprintf(f, " addr=0x%" PRIx64, r->addr);
		break;
	case 'l':
		fprintf(f, " len=0x%" PRIx64, r->len);
		break;
	case 'n':
		fprintf(f, " new-len=0x%" PRIx64, r->aux);
		break;
	case 'p':
		fprintf(f, " prot=0x%" PRIx32, r->prot);
		break;
	case 'f':
		fprintf(f, " flags=0x%" PRIx32, r->flags);
		break;
	case 'A':
		fprintf(f, " advice=%" PRIu32, r->flags);
		break;
	case 'e':
		fprintf(f, " error=0x%" PRIx32, r->error);
		break;
	case 'k':
		if (r->kind < QF_COUNT && kinds[r->kind])
			fprintf(f, " kind=%s", kinds[r->kind]);
		else
			fprintf(f, " kind=%u", r->kind);
		break;
	case 'v':
		fprintf(f, " result=0x%" PRIx64, (uint64_t)r->result);
		break;
	case 'b':
		put_bits(f, r->bits);
		break;
	case 'c':
		fprintf(f, " child=%" PRIu64, r->aux);
		break;
	case 'r': /* an address reads best in hex, an errno in decimal */
		if (r->result < 0 || r->result < 4096)
			fprintf(f, " result=%" PRId64, r->result);
		else
			fprintf(f, " result=0x%" PRIx64, (uint64_t)r->result);
		break;
	}
}

size_t trace_records(FILE *f, const uint8_t *data, size_t n)
{
	size_t done = 0;

	for (; n - done * TRACE_RECORD_BYTES >= TRACE_RECORD_BYTES; done++) {
		struct trace_record r;
		const char *fields = "";

		memcpy(&r, data + done * TRACE_RECORD_BYTES, sizeof(r));
		fprintf(f, "%" PRIu64 " %u %" PRIu32 " %" PRIu32, r.ns, r.cpu,
			r.task, r.mm);
		if (r.type < sizeof(events) / sizeof(events[0]) &&
		    events[r.type].name) {
			fprintf(f, " %s", events[r.type].name);
			fields = events[r.type].fields;
		} else {
			fprintf(f, " event-%u", r.type);
		}
		for (; *fields; fields++)
			put_field(f, *fields, &r);
		putc('\n', f);
	}
	return done;
}
