/* SPDX-License-Identifier: MIT */
/*
 * 9p.h - between the 9P client (requests over virtio) and the file system.
 */
#ifndef KERNEL_FS_9P_H
#define KERNEL_FS_9P_H

#include "fs.h"
#include "p9.h"
#include "virtio.h"

struct p9_client;

#define P9_OUT_BYTES 8192u
#define P9_IN_BYTES  8192u
#define P9_MAX_SEGS  128u /* pieces of payload in one request */
#define P9_IO_PAGES  (P9_MAX_SEGS - 2)

/* Pages of a file under way (9p_io.c). */
struct p9_io {
	struct inode *inode;
	uint32_t fid;
	uint64_t pos;	      /* of the first page in the file */
	uint32_t bytes, done; /* to move, moved */
	unsigned nr, ended;   /* pages, and how many of them are through */
	struct page *page[P9_IO_PAGES];
};

/* A request being put together, and its reply's buffer. */
struct p9_req {
	struct p9_client *client;
	struct p9_msg msg;
	struct page *pages; /* out buffer, in buffer, descriptor table */
	uint8_t *out, *in;
	uint16_t tag;
	uint8_t type;
	bool done;
	uint32_t written;	/* by the device */
	uint32_t head, payload; /* reply: bytes in `in`, and elsewhere */
	struct wait_queue wq;
	/* Not NULL: called in the client's thread when the reply is there,
	 * instead of waking a task that waits for it. */
	void (*complete)(struct p9_req *r);
	struct p9_req *next_done;
	struct p9_io io;
};

/* Connect to the export of that tag: version and attach.  The root's fid and
 * qid.  An error pointer when there is no such device or it refuses. */
struct p9_client *p9_connect(const char *tag, uint32_t *root_fid,
			     struct p9_qid *qid);
/* The most payload that one read or write may carry, bytes */
uint32_t p9_max_io(struct p9_client *c);
uint32_t p9_new_fid(struct p9_client *c);

/*
 * One request: p9_start() waits for a free slot and begins the message; the
 * caller adds fields to r->msg; p9_call() sends it and sleeps until the reply
 * is there, and decodes it: 0 or -errno; p9_end_call() frees the slot, to be
 * called after the reply's strings have been used.  p9_start: NULL when out of
 * memory.
 */
struct p9_req *p9_start(struct p9_client *c, uint8_t type);
int p9_call(struct p9_req *r, struct p9_reply *reply);
/* The same with payload in `seg`: of a write (sent), or of a read. */
int p9_call_data(struct p9_req *r, struct p9_reply *reply,
		 const struct vq_seg *seg, unsigned nr, bool write);
void p9_end_call(struct p9_req *r);
/*
 * Several at once: p9_try_start() as p9_start(), but NULL when no slot is free
 * (a task that holds some must not wait for more); p9_queue() enters each;
 * p9_kick() sends them; p9_wait() for each: as p9_call()'s result.
 */
struct p9_req *p9_try_start(struct p9_client *c, uint8_t type);
/*
 * Without waiting for the reply: p9_start_io() as p9_start(), but needs no
 * memory, and leaves slots to others; set r->complete, then p9_queue() and
 * p9_kick().  complete() decodes the reply by p9_wait(), which does not wait
 * then, and either sends the request once more (p9_again(), fields, p9_queue())
 * or ends with p9_end_call().  It may not start other requests.
 */
struct p9_req *p9_start_io(struct p9_client *c, uint8_t type);
void p9_again(struct p9_req *r);
int p9_queue(struct p9_req *r, const struct vq_seg *seg, unsigned nr,
	     bool write);
void p9_kick(struct p9_client *c);
int p9_wait(struct p9_req *r, struct p9_reply *reply);

/* Whole calls, for the file system: 0 or -errno. */
int p9_walk(struct p9_client *c, uint32_t fid, uint32_t newfid,
	    const char *name, size_t len); /* len 0: clone */
int p9_getattr(struct p9_client *c, uint32_t fid, struct p9_attr *attr);
/* path: the file's number, if it is another's by now -ENOENT (fid is open) */
int p9_lopen(struct p9_client *c, uint32_t fid, uint32_t flags, uint64_t path);
void p9_clunk(struct p9_client *c, uint32_t fid);
int p9_fsync(struct p9_client *c, uint32_t fid, bool datasync);
/* Read into pieces of memory: bytes or -errno */
long p9_read(struct p9_client *c, uint32_t fid, uint64_t pos,
	     const struct vq_seg *seg, unsigned nr, uint32_t bytes);
long p9_write(struct p9_client *c, uint32_t fid, uint64_t pos,
	      const struct vq_seg *seg, unsigned nr, uint32_t bytes);

#endif
