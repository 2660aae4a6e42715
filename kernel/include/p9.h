/* SPDX-License-Identifier: MIT */
/*
 * p9.h - the 9P2000.L messages, as bytes.
 *
 * No kernel in here: encoding and decoding of buffers only, so that the
 * decoder can be fuzzed in a hosted program.  Formats and numbers are those of
 * intro(5) of Plan 9 and of the 9P2000.L protocol description (diod's
 * protocol.md); the server is QEMU's virtio-9p.  All numbers on the wire are
 * little-endian; strings are a 16-bit length and that many bytes.
 */
#ifndef KERNEL_P9_H
#define KERNEL_P9_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum p9_type {
	P9_RLERROR = 7,
	P9_TSTATFS = 8,
	P9_TLOPEN = 12,
	P9_TLCREATE = 14,
	P9_TSYMLINK = 16,
	P9_TMKNOD = 18,
	P9_TREADLINK = 22,
	P9_TGETATTR = 24,
	P9_TSETATTR = 26,
	P9_TREADDIR = 40,
	P9_TFSYNC = 50,
	P9_TLINK = 70,
	P9_TMKDIR = 72,
	P9_TRENAMEAT = 74,
	P9_TUNLINKAT = 76,
	P9_TVERSION = 100,
	P9_TATTACH = 104,
	P9_TFLUSH = 108,
	P9_TWALK = 110,
	P9_TREAD = 116,
	P9_TWRITE = 118,
	P9_TCLUNK = 120,
};
/* The reply to a request has its type plus one, or is P9_RLERROR. */

#define P9_NOTAG       0xffffu
#define P9_NOFID       0xffffffffu
#define P9_HEADER      7u  /* size[4] type[1] tag[2] */
#define P9_READ_HEADER 11u /* the header and count[4] of Rread, Rlerror */
#define P9_MAX_WALK    16u
#define P9_QID_DIR     0x80u
#define P9_QID_SYMLINK 0x02u

struct p9_qid {
	uint8_t type;
	uint32_t version;
	uint64_t path;
};

/* Points into the message: valid while the buffer is. */
struct p9_str {
	const char *text;
	uint16_t len;
};

#define P9_GETATTR_BASIC 0x7ffull
struct p9_attr {
	uint64_t valid;
	struct p9_qid qid;
	uint32_t mode, uid, gid;
	uint64_t nlink, rdev, size, blksize, blocks;
	uint64_t atime_sec, atime_nsec, mtime_sec, mtime_nsec;
	uint64_t ctime_sec, ctime_nsec;
};

struct p9_statfs {
	uint32_t type, bsize;
	uint64_t blocks, bfree, bavail, files, ffree, fsid;
	uint32_t namelen;
};

#define P9_SETATTR_MODE	     0x1u
#define P9_SETATTR_UID	     0x2u
#define P9_SETATTR_GID	     0x4u
#define P9_SETATTR_SIZE	     0x8u
#define P9_SETATTR_ATIME     0x10u
#define P9_SETATTR_MTIME     0x20u
#define P9_SETATTR_CTIME     0x40u
#define P9_SETATTR_ATIME_SET 0x80u
#define P9_SETATTR_MTIME_SET 0x100u

struct p9_reply {
	uint8_t type;
	uint16_t tag;
	union {
		struct {
			uint32_t msize;
			struct p9_str version;
		} version;
		struct p9_qid qid; /* attach, symlink, mknod, mkdir */
		struct {
			uint16_t nwqid;
			struct p9_qid wqid[P9_MAX_WALK];
		} walk;
		struct {
			struct p9_qid qid;
			uint32_t iounit;
		} open; /* lopen, lcreate */
		struct p9_attr attr;
		struct p9_statfs statfs;
		struct p9_str link; /* readlink */
		struct {
			uint32_t count;
			const uint8_t *data; /* NULL: lies elsewhere */
		} data;			     /* read, readdir */
		uint32_t count;		     /* write */
	};
};

struct p9_dirent {
	struct p9_qid qid;
	uint64_t offset; /* where to go on from, after this entry */
	uint8_t type;	 /* DT_* */
	struct p9_str name;
};

/*
 * p9_parse_reply: decode the reply in buf[0..len) to a request of type
 * `request` and tag `tag`.  `elsewhere`: bytes of buffer that the transport
 * filled apart from buf, for the payload of Rread (0: it follows in buf).
 * Returns 0 and *out; the server's own errno, negated, for Rlerror (1 ... 4095;
 * any other code is -EIO); -EIO (5) when the reply is malformed, too short,
 * longer than the buffer, or to another request.  Never reads outside buf.
 */
int p9_parse_reply(const void *buf, size_t len, uint8_t request, uint16_t tag,
		   size_t elsewhere, struct p9_reply *out);

/*
 * p9_parse_dirent: the entry at the start of data[0..len) of an Rreaddir.
 * Returns the bytes that it takes, 0 when len is 0, -EIO when malformed (a
 * name that is empty, has a NUL or a slash, is longer than 255, or runs past
 * the end).
 */
long p9_parse_dirent(const uint8_t *data, size_t len, struct p9_dirent *out);

/*
 * Encoding.  A message is built in buf[0..cap); a field that does not fit
 * sets `full`, and p9_end() then returns 0.
 */
struct p9_msg {
	uint8_t *buf;
	size_t cap, len;
	bool full;
};
void p9_begin(struct p9_msg *m, void *buf, size_t cap, uint8_t type,
	      uint16_t tag);
void p9_u8(struct p9_msg *m, uint8_t v);
void p9_u16(struct p9_msg *m, uint16_t v);
void p9_u32(struct p9_msg *m, uint32_t v);
void p9_u64(struct p9_msg *m, uint64_t v);
void p9_string(struct p9_msg *m, const char *text, size_t len);
/*
 * Write the size into the header: the message's length in buf.  `extra`: bytes
 * of payload that the transport sends from elsewhere after it.
 */
size_t p9_end(struct p9_msg *m, size_t extra);

#endif
