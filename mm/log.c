/* SPDX-License-Identifier: MIT */
/*
 * log.c - formatting of text, for the host's log and for maps and smaps.
 *
 * The subset of printf that mm/ uses: %c %s %d %i %u %x %X %p %%, with l, ll
 * and z, the flags - and 0, width and precision (also *).  No floating point,
 * no allocation; output beyond the buffer is counted and dropped.
 *
 * Locks: none.  A line is formatted on the stack and given to the host whole.
 */
#include "report.h"

#define LOG_LINE 256

struct out {
	char *buf;
	size_t cap, len; /* len: what the whole text would take */
};

struct spec {
	bool left, zero, upper;
	int width, precision; /* precision -1: none given */
	int longs;	      /* number of l; z counts as 1 */
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->cap)
		o->buf[o->len] = c;
	o->len++;
}

static void pad(struct out *o, char c, int n)
{
	while (n-- > 0)
		put(o, c);
}

static void put_text(struct out *o, const struct spec *s, const char *text)
{
	int n = 0, i;

	if (!text)
		text = "(null)";
	while (text[n] && (s->precision < 0 || n < s->precision))
		n++;
	if (!s->left)
		pad(o, ' ', s->width - n);
	for (i = 0; i < n; i++)
		put(o, text[i]);
	if (s->left)
		pad(o, ' ', s->width - n);
}

static void put_number(struct out *o, const struct spec *s, uint64_t v,
		       unsigned base, const char *prefix)
{
	const char *digits = s->upper ? "0123456789ABCDEF" : "0123456789abcdef";
	int n = 0, zeros, len;
	char tmp[24];

	do {
		uint64_t rest = base == 16 ? v >> 4 : divide(v, base);

		tmp[n++] = digits[v - rest * base];
		v = rest;
	} while (v);
	for (len = n; prefix[len - n]; len++)
		;
	zeros = s->precision > n ? s->precision - n : 0;
	if (s->zero && !s->left && s->precision < 0 && s->width > len)
		zeros = s->width - len;
	if (!s->left)
		pad(o, ' ', s->width - len - zeros);
	while (*prefix)
		put(o, *prefix++);
	pad(o, '0', zeros);
	while (n)
		put(o, tmp[--n]);
	if (s->left)
		pad(o, ' ', s->width - len - zeros);
}

static int parse_number(const char **f)
{
	int v = 0;

	while (**f >= '0' && **f <= '9')
		v = v * 10 + (*(*f)++ - '0');
	return v;
}

/* Everything between % and the letter; *f is left at the letter. */
static void parse_spec(struct spec *s, const char **f, va_list *ap)
{
	*s = (struct spec){.precision = -1};
	for (; **f == '-' || **f == '0'; (*f)++) {
		if (**f == '-')
			s->left = true;
		else
			s->zero = true;
	}
	if (**f == '*') {
		s->width = va_arg(*ap, int);
		(*f)++;
	} else {
		s->width = parse_number(f);
	}
	if (**f == '.') {
		(*f)++;
		if (**f == '*') {
			s->precision = va_arg(*ap, int);
			(*f)++;
		} else {
			s->precision = parse_number(f);
		}
	}
	for (; **f == 'l' || **f == 'z'; (*f)++)
		s->longs++;
}

static uint64_t arg_unsigned(const struct spec *s, va_list *ap)
{
	if (s->longs >= 2)
		return va_arg(*ap, unsigned long long);
	if (s->longs == 1)
		return va_arg(*ap, unsigned long);
	return va_arg(*ap, unsigned);
}

static int64_t arg_signed(const struct spec *s, va_list *ap)
{
	if (s->longs >= 2)
		return va_arg(*ap, long long);
	if (s->longs == 1)
		return va_arg(*ap, long);
	return va_arg(*ap, int);
}

static void put_directive(struct out *o, struct spec *s, char c, va_list *ap)
{
	int64_t v;

	switch (c) {
	case 'd':
	case 'i':
		v = arg_signed(s, ap);
		put_number(o, s, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10,
			   v < 0 ? "-" : "");
		break;
	case 'u':
		put_number(o, s, arg_unsigned(s, ap), 10, "");
		break;
	case 'X':
		s->upper = true;
		/* fall through */
	case 'x':
		put_number(o, s, arg_unsigned(s, ap), 16, "");
		break;
	case 'p':
		put_number(o, s, (uintptr_t)va_arg(*ap, void *), 16, "0x");
		break;
	case 's':
		put_text(o, s, va_arg(*ap, const char *));
		break;
	case 'c':
		put(o, (char)va_arg(*ap, int));
		break;
	default:
		put(o, c); /* %% and what is not known */
		break;
	}
}

size_t quire_vsnprintf(char *buf, size_t cap, const char *fmt, va_list ap)
{
	struct out o = {.buf = buf, .cap = cap};
	struct spec s;
	va_list args;

	va_copy(args, ap);
	while (*fmt) {
		if (*fmt != '%') {
			put(&o, *fmt++);
			continue;
		}
		fmt++;
		parse_spec(&s, &fmt, &args);
		if (!*fmt)
			break;
		put_directive(&o, &s, *fmt++, &args);
	}
	va_end(args);
	if (cap)
		buf[MIN(o.len, cap - 1)] = '\0';
	return o.len;
}

size_t quire_snprintf(char *buf, size_t cap, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	n = quire_vsnprintf(buf, cap, fmt, ap);
	va_end(ap);
	return n;
}

void quire_printk(int level, const char *fmt, ...)
{
	char line[LOG_LINE];
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	n = quire_vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	quire_host_log(level, line, MIN(n, sizeof(line) - 1));
}

void report_put(struct report *r, const char *fmt, ...)
{
	size_t n;
	va_list ap;

	if (r->len >= sizeof(r->text))
		return;
	va_start(ap, fmt);
	n = quire_vsnprintf(r->text + r->len, sizeof(r->text) - r->len, fmt,
			    ap);
	va_end(ap);
	r->len = MIN(r->len + n, sizeof(r->text) - 1);
}

void report_log(const struct report *r)
{
	size_t from = 0, i;

	for (i = 0; i < r->len; i++)
		if (r->text[i] == '\n') {
			quire_host_log(0, r->text + from, i - from);
			from = i + 1;
		}
}
