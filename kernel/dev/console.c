/* SPDX-License-Identifier: MIT */
/*
 * The console: the bytes of the host's stdin, stdout and stderr, as frames
 * (kernel/include/protocol.h) over a virtio console.
 *
 *     host ─ receive queue → rx pages ─ parser ─ FRAME_STDIN → input ring
 *                                             └ FRAME_SIGNAL, _WINSIZE → tty
 *     tasks ─ console_frame ─ tx buffers → transmit queue → host
 *
 * The parser runs in the interrupt and stops when the ring is full; what was
 * received but not parsed waits in a queue, and its pages are given back to
 * the device only when parsed, so that the host is held back and nothing is
 * lost.  Without the virtio device the raw serial port takes its place.
 *
 * in_lock (spinlock, interrupts off) guards ring, parser and receive side;
 * in_mutex keeps readers apart, who copy to user memory; tx_mutex (mutex)
 * keeps frames whole.
 */
#include "dev.h"
#include "protocol.h"
#include "virtio.h"

#define RX_PAGES   16u
#define TX_BUFS	   8u
#define TX_ORDER   2
#define TX_BYTES   (QUIRE_PAGE_SIZE << TX_ORDER)
#define FRAME_HEAD 4u
#define RING	   65536u

struct rx_buf {
	struct page *page;
	uint32_t len, off;
};
struct tx_buf {
	struct page *pages;
	bool busy;
};

/*
 * The device's second kind of port (Virtual I/O Device specification 1.1,
 * 5.3): QEMU's virtserialport holds the guest back while the host does not
 * read; its virtconsole throws output away.  Ports are opened by messages on
 * a pair of control queues.
 */
#define F_MULTIPORT (1ull << 1)
#define PORT	    1u
#define CONTROL_RX  2u
#define CONTROL_TX  3u
enum { DEVICE_READY, PORT_ADD, PORT_READY = 3, PORT_OPEN = 6 };

struct control {
	uint32_t id;
	uint16_t event, value;
};
#define CONTROL_RX_BUFS 16u
#define CONTROL_TX_BUFS 16u

static struct virtio_dev *dev;
static struct virtqueue rxq, txq;
static struct virtqueue control_rxq, control_txq;
static struct page *control_page; /* first half in, second half out */
static unsigned control_sent;
static struct rx_buf rx[RX_PAGES];
static struct rx_buf *waiting[RX_PAGES]; /* received, not parsed; in order */
static unsigned nr_waiting;
static struct tx_buf tx[TX_BUFS];

static struct spinlock in_lock = SPINLOCK_INIT;
static struct mutex in_mutex = MUTEX_INIT(in_mutex);
static struct wait_queue in_wq = WAIT_QUEUE_INIT(in_wq);
static char *ring;
static uint32_t head, tail; /* counting bytes */
static bool in_eof;

static struct mutex tx_mutex = MUTEX_INIT(tx_mutex);
static struct wait_queue tx_wq = WAIT_QUEUE_INIT(tx_wq);

static struct { /* the parser: a header, then its payload */
	uint8_t header[FRAME_HEAD];
	unsigned have;
	uint32_t left;
	uint8_t small[4];
	unsigned nr_small;
} parser;

/* ------------------------------------------------------------------- input */

static void give_page(struct rx_buf *b)
{
	struct vq_seg seg = {quire_page_phys(the_quire, b->page),
			     QUIRE_PAGE_SIZE};

	b->len = b->off = 0;
	(void)vq_add(&rxq, &seg, 0, 1, NULL, b);
}

static unsigned small16(unsigned at)
{
	return parser.small[at] | (unsigned)parser.small[at + 1] << 8;
}

static void frame_done(void)
{
	switch (parser.header[0]) {
	case FRAME_EOF:
		in_eof = true;
		break;
	case FRAME_SIGNAL:
		tty_host_signal(parser.small[0]);
		break;
	case FRAME_WINSIZE:
		tty_host_winsize(small16(0), small16(2));
		break;
	default:
		break;
	}
	parser.have = 0;
	parser.nr_small = 0;
}

static uint32_t take_stdin(const uint8_t *p, uint32_t n)
{
	uint32_t i, room = RING - (tail - head);

	if (n > room)
		n = room;
	for (i = 0; i < n; i++)
		ring[(tail + i) % RING] = (char)p[i];
	__atomic_store_n(&tail, tail + n, __ATOMIC_RELEASE);
	return n;
}

/* Parse n bytes: how many were taken (fewer: the ring is full). */
static uint32_t parse(const uint8_t *p, uint32_t n)
{
	uint32_t done = 0, now, i;

	while (done < n) {
		if (parser.have < FRAME_HEAD) {
			parser.header[parser.have++] = p[done++];
			if (parser.have < FRAME_HEAD)
				continue;
			parser.left = parser.header[2] |
				      (uint32_t)parser.header[3] << 8;
			if (!parser.left)
				frame_done();
			continue;
		}
		now = n - done < parser.left ? n - done : parser.left;
		if (parser.header[0] == FRAME_STDIN) {
			now = take_stdin(p + done, now);
			if (!now)
				break;
		} else {
			for (i = 0; i < now && parser.nr_small < 4; i++)
				parser.small[parser.nr_small++] = p[done + i];
		}
		done += now;
		parser.left -= now;
		if (!parser.left)
			frame_done();
	}
	return done;
}

/* Parse what waits, as far as the ring takes it.  in_lock held. */
static void parse_waiting(void)
{
	bool given = false;

	while (nr_waiting) {
		struct rx_buf *b = waiting[0];
		const uint8_t *p = quire_page_address(the_quire, b->page);

		b->off += parse(p + b->off, b->len - b->off);
		if (b->off < b->len)
			break;
		nr_waiting--;
		memmove(waiting, waiting + 1, nr_waiting * sizeof(waiting[0]));
		give_page(b);
		given = true;
	}
	if (given)
		vq_kick(&rxq);
}

static struct control *control_at(unsigned i)
{
	return (struct control *)quire_page_address(the_quire, control_page) +
	       i;
}

static struct vq_seg control_seg(const struct control *c)
{
	const char *base = quire_page_address(the_quire, control_page);

	return (struct vq_seg){quire_page_phys(the_quire, control_page) +
				       (paddr_t)((const char *)c - base),
			       sizeof(*c)};
}

static void control_give(struct control *c)
{
	struct vq_seg seg = control_seg(c);

	(void)vq_add(&control_rxq, &seg, 0, 1, NULL, c);
}

/* A few messages in all: their buffers are not used twice in a hurry. */
static void control_send(uint32_t id, uint16_t event, uint16_t value)
{
	struct control *c =
		control_at(CONTROL_RX_BUFS + control_sent++ % CONTROL_TX_BUFS);
	struct vq_seg seg = control_seg(c);

	*c = (struct control){id, event, value};
	(void)vq_add(&control_txq, &seg, 1, 0, NULL, c);
	vq_kick(&control_txq);
}

static void control_interrupt(void)
{
	struct control *c;

	while (vq_get(&control_txq, NULL))
		;
	while ((c = vq_get(&control_rxq, NULL)) != NULL) {
		if (c->event == PORT_ADD && c->id == PORT) {
			control_send(PORT, PORT_READY, 1);
			control_send(PORT, PORT_OPEN, 1);
		}
		control_give(c);
		vq_kick(&control_rxq);
	}
}

static void on_interrupt(struct virtio_dev *d)
{
	struct rx_buf *b;
	struct tx_buf *t;
	uint32_t n;
	bool sent = false;

	if (d->features & F_MULTIPORT)
		control_interrupt();
	spin_lock(&in_lock);
	while ((b = vq_get(&rxq, &n)) != NULL) {
		b->len = n < QUIRE_PAGE_SIZE ? n : QUIRE_PAGE_SIZE;
		b->off = 0;
		waiting[nr_waiting++] = b;
	}
	parse_waiting();
	spin_unlock(&in_lock);
	wake_up_all(&in_wq);
	while ((t = vq_get(&txq, &n)) != NULL) {
		__atomic_store_n(&t->busy, false, __ATOMIC_RELEASE);
		sent = true;
	}
	if (sent)
		wake_up_all(&tx_wq);
}

struct wait_queue *console_input_queue(void)
{
	return &in_wq;
}

/* Without the device: whatever the serial port has.  No interrupt tells of
 * it, so waiters look again from time to time. */
static void poll_serial(void)
{
	unsigned long flags = spin_lock_irqsave(&in_lock);
	uint8_t byte;
	int c;

	while (tail - head < RING && (c = serial_getc()) >= 0) {
		byte = (uint8_t)(c == '\r' ? '\n' : c);
		if (byte == 4) /* ^D */
			in_eof = true;
		else
			take_stdin(&byte, 1);
	}
	spin_unlock_irqrestore(&in_lock, flags);
}

uint32_t console_input_bytes(void)
{
	if (!dev && ring)
		poll_serial();
	return __atomic_load_n(&tail, __ATOMIC_ACQUIRE) -
	       __atomic_load_n(&head, __ATOMIC_ACQUIRE);
}

bool console_input_ready(void)
{
	return console_input_bytes() ||
	       __atomic_load_n(&in_eof, __ATOMIC_ACQUIRE);
}

/* Copy out of the ring.  in_mutex held. */
static long ring_take(struct iter *to)
{
	unsigned long flags;
	long done = 0;

	while (to->count && console_input_bytes()) {
		uint32_t n = console_input_bytes(), at = head % RING;
		size_t ok;

		if (n > RING - at)
			n = RING - at;
		if (n > to->count)
			n = (uint32_t)to->count;
		ok = iter_copy_to(to, ring + at, n);
		done += (long)ok;
		flags = spin_lock_irqsave(&in_lock);
		__atomic_store_n(&head, head + (uint32_t)ok, __ATOMIC_RELEASE);
		if (dev)
			parse_waiting();
		spin_unlock_irqrestore(&in_lock, flags);
		if (ok < n)
			return done ? done : -EFAULT;
	}
	return done;
}

/* Wait for input; the serial port has to be asked again and again. */
static long wait_input(void)
{
	long err;

	if (dev)
		return wait_event_interruptible(&in_wq, console_input_ready());
	do {
		err = wait_event_interruptible_until(
			&in_wq, console_input_ready(), deadline_in(10000000));
	} while (err == -ETIMEDOUT);
	return err;
}

long console_input_read(struct iter *to, bool nonblock)
{
	long ret;

	if (!ring || !to->count)
		return 0;
	for (;;) {
		mutex_lock(&in_mutex);
		ret = ring_take(to);
		mutex_unlock(&in_mutex);
		if (ret)
			return ret;
		if (__atomic_load_n(&in_eof, __ATOMIC_ACQUIRE) &&
		    !console_input_bytes())
			return 0;
		if (nonblock)
			return -EAGAIN;
		ret = wait_input();
		if (ret)
			return ret;
	}
}

/* ------------------------------------------------------------------ output */

static struct tx_buf *free_tx(void)
{
	unsigned i;

	for (i = 0; i < TX_BUFS; i++)
		if (!__atomic_load_n(&tx[i].busy, __ATOMIC_ACQUIRE))
			return &tx[i];
	return NULL;
}

/* A frame's header in an empty buffer; its payload goes after it.  Called
 * with tx_mutex held. */
static char *tx_begin(struct tx_buf **b)
{
	wait_event(&tx_wq, (*b = free_tx()) != NULL);
	return quire_page_address(the_quire, (*b)->pages);
}

static void tx_send(struct tx_buf *b, unsigned type, size_t n)
{
	uint8_t *p = quire_page_address(the_quire, b->pages);
	struct vq_seg seg = {quire_page_phys(the_quire, b->pages),
			     (uint32_t)(n + FRAME_HEAD)};

	p[0] = (uint8_t)type;
	p[1] = 0;
	p[2] = (uint8_t)n;
	p[3] = (uint8_t)(n >> 8);
	b->busy = true;
	(void)vq_add(&txq, &seg, 1, 0, NULL, b);
	vq_kick(&txq);
}

long console_frame(unsigned type, const void *data, unsigned n)
{
	const char *p = data;
	struct tx_buf *b;
	unsigned done = 0;
	char *to;

	if (!dev)
		return (long)n;
	mutex_lock(&tx_mutex);
	do {
		unsigned now = n - done;

		if (now > TX_BYTES - FRAME_HEAD)
			now = TX_BYTES - FRAME_HEAD;
		to = tx_begin(&b);
		memcpy(to + FRAME_HEAD, p + done, now);
		tx_send(b, type, now);
		done += now;
	} while (done < n);
	mutex_unlock(&tx_mutex);
	return (long)n;
}

static long serial_output(struct iter *from)
{
	char buf[512];
	long done = 0;

	while (from->count) {
		size_t n =
			from->count < sizeof(buf) ? from->count : sizeof(buf);
		size_t ok = iter_copy_from(from, buf, n);

		serial_write(buf, ok);
		done += (long)ok;
		if (ok < n)
			return done ? done : -EFAULT;
	}
	return done;
}

long console_output(struct iter *from, unsigned type)
{
	struct tx_buf *b;
	long done = 0;
	char *to;

	if (!dev)
		return serial_output(from);
	mutex_lock(&tx_mutex);
	while (from->count) {
		size_t n = from->count, ok;

		if (n > TX_BYTES - FRAME_HEAD)
			n = TX_BYTES - FRAME_HEAD;
		to = tx_begin(&b);
		ok = iter_copy_from(from, to + FRAME_HEAD, n);
		if (ok)
			tx_send(b, type, ok);
		done += (long)ok;
		if (ok < n) {
			done = done ? done : -EFAULT;
			break;
		}
	}
	mutex_unlock(&tx_mutex);
	return done;
}

static bool all_sent(void)
{
	unsigned i;

	for (i = 0; i < TX_BUFS; i++)
		if (__atomic_load_n(&tx[i].busy, __ATOMIC_ACQUIRE))
			return false;
	return true;
}

void console_flush(void)
{
	if (!dev)
		return;
	mutex_lock(&tx_mutex);
	wait_event(&tx_wq, all_sent());
	mutex_unlock(&tx_mutex);
}

/* ------------------------------------------------------------------- start */

static int get_memory(void)
{
	unsigned i;

	ring = fs_alloc(RING);
	if (!ring)
		return -ENOMEM;
	for (i = 0; i < RX_PAGES; i++) {
		rx[i].page = quire_alloc_pages(the_quire, QUIRE_GFP_KERNEL, 0);
		if (!rx[i].page)
			return -ENOMEM;
	}
	for (i = 0; i < TX_BUFS; i++) {
		tx[i].pages = quire_alloc_pages(the_quire, QUIRE_GFP_KERNEL,
						TX_ORDER);
		if (!tx[i].pages)
			return -ENOMEM;
	}
	return 0;
}

static int control_init(struct virtio_dev *d)
{
	int err;

	control_page = quire_alloc_pages(the_quire,
					 QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO, 0);
	if (!control_page)
		return -ENOMEM;
	err = vq_init(d, &control_rxq, CONTROL_RX);
	return err ? err : vq_init(d, &control_txq, CONTROL_TX);
}

static void control_start(void)
{
	unsigned i;

	for (i = 0; i < CONTROL_RX_BUFS; i++)
		control_give(control_at(i));
	vq_kick(&control_rxq);
	control_send(UINT32_MAX, DEVICE_READY, 1);
}

int console_init(void)
{
	struct virtio_dev *d = virtio_find(VIRTIO_ID_CONSOLE, 0);
	unsigned i;
	bool ports;
	int err = get_memory();

	if (err || !d)
		return err ? err : -ENODEV;
	err = virtio_start(d, F_MULTIPORT, on_interrupt);
	if (err)
		return err;
	ports = (d->features & F_MULTIPORT) != 0;
	/* port 0 has queues 0 and 1, control 2 and 3, port n the next pairs */
	err = vq_init(d, &rxq, ports ? 2 * PORT + 2 : 0);
	if (!err)
		err = vq_init(d, &txq, ports ? 2 * PORT + 3 : 1);
	if (!err && ports)
		err = control_init(d);
	if (!err)
		err = virtio_ready(d);
	if (err)
		return err;
	if (ports)
		control_start();
	for (i = 0; i < RX_PAGES; i++)
		give_page(&rx[i]);
	vq_kick(&rxq);
	dev = d;
	return 0;
}
