/* SPDX-License-Identifier: MIT */
/*
 * printf.c - formatted text: snprintf as klib.h describes it.
 */
#include "klib.h"

struct out {
	char *buf;
	size_t cap, len;
};

struct spec {
	bool left, zero, plus, space, alt;
	int width, precision; /* -1: not given */
	int size;	      /* -2 hh, -1 h, 0, 1 l, 2 ll */
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->cap)
		o->buf[o->len] = c;
	o->len++;
}

static void pad(struct out *o, char c, int n)
{
	for (; n > 0; n--)
		put(o, c);
}

static void put_text(struct out *o, const struct spec *s, const char *text)
{
	size_t n = s->precision >= 0 ? strnlen(text, (size_t)s->precision)
				     : strlen(text);
	size_t i;

	if (!s->left)
		pad(o, ' ', s->width - (int)n);
	for (i = 0; i < n; i++)
		put(o, text[i]);
	if (s->left)
		pad(o, ' ', s->width - (int)n);
}

static void put_number(struct out *o, const struct spec *s, uint64_t v,
		       bool negative, unsigned base, bool upper)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char tmp[24];
	const char *prefix = "";
	int n = 0, zeros, plen, total;

	if (negative)
		prefix = "-";
	else if (s->plus)
		prefix = "+";
	else if (s->space)
		prefix = " ";
	else if (s->alt && base == 16 && v)
		prefix = upper ? "0X" : "0x";
	else if (s->alt && base == 8)
		prefix = "0";
	while (v) {
		tmp[n++] = digits[v % base];
		v /= base;
	}
	if (!n && s->precision != 0)
		tmp[n++] = '0';
	plen = (int)strlen(prefix);
	zeros = s->precision > n ? s->precision - n : 0;
	total = n + zeros + plen;
	if (s->zero && !s->left && s->precision < 0 && s->width > total) {
		zeros += s->width - total;
		total = s->width;
	}
	if (!s->left)
		pad(o, ' ', s->width - total);
	while (*prefix)
		put(o, *prefix++);
	pad(o, '0', zeros);
	while (n)
		put(o, tmp[--n]);
	if (s->left)
		pad(o, ' ', s->width - total);
}

static const char *parse_int(const char *f, int *v, va_list *ap)
{
	if (*f == '*') {
		*v = va_arg(*ap, int);
		return f + 1;
	}
	for (*v = 0; *f >= '0' && *f <= '9'; f++)
		*v = *v * 10 + (*f - '0');
	return f;
}

static const char *parse_spec(const char *f, struct spec *s, va_list *ap)
{
	memset(s, 0, sizeof(*s));
	s->precision = -1;
	for (;; f++) {
		if (*f == '-')
			s->left = true;
		else if (*f == '0')
			s->zero = true;
		else if (*f == '+')
			s->plus = true;
		else if (*f == ' ')
			s->space = true;
		else if (*f == '#')
			s->alt = true;
		else
			break;
	}
	f = parse_int(f, &s->width, ap);
	if (s->width < 0) {
		s->left = true;
		s->width = -s->width;
	}
	if (*f == '.')
		f = parse_int(f + 1, &s->precision, ap);
	for (;; f++) {
		if (*f == 'l')
			s->size++;
		else if (*f == 'h')
			s->size--;
		else if (*f == 'z' || *f == 't')
			s->size = 1;
		else if (*f == 'j')
			s->size = 2;
		else
			break;
	}
	return f;
}

static uint64_t arg_unsigned(const struct spec *s, va_list *ap)
{
	if (s->size > 1)
		return va_arg(*ap, unsigned long long);
	if (s->size == 1)
		return va_arg(*ap, unsigned long);
	if (s->size == 0)
		return va_arg(*ap, unsigned);
	if (s->size == -1)
		return (uint16_t)va_arg(*ap, unsigned);
	return (uint8_t)va_arg(*ap, unsigned);
}

static int64_t arg_signed(const struct spec *s, va_list *ap)
{
	if (s->size > 1)
		return va_arg(*ap, long long);
	if (s->size == 1)
		return va_arg(*ap, long);
	if (s->size == 0)
		return va_arg(*ap, int);
	if (s->size == -1)
		return (int16_t)va_arg(*ap, int);
	return (int8_t)va_arg(*ap, int);
}

static void put_spec(struct out *o, const struct spec *s, char c, va_list *ap)
{
	char one[2] = {0, 0};
	struct spec t = *s;
	int64_t d;

	switch (c) {
	case 'd':
	case 'i':
		d = arg_signed(s, ap);
		put_number(o, s, d < 0 ? 0 - (uint64_t)d : (uint64_t)d, d < 0,
			   10, false);
		break;
	case 'u':
		put_number(o, s, arg_unsigned(s, ap), false, 10, false);
		break;
	case 'x':
	case 'X':
		put_number(o, s, arg_unsigned(s, ap), false, 16, c == 'X');
		break;
	case 'o':
		put_number(o, s, arg_unsigned(s, ap), false, 8, false);
		break;
	case 'p':
		t.alt = true;
		put_number(o, &t, (uint64_t)(uintptr_t)va_arg(*ap, void *),
			   false, 16, false);
		break;
	case 'c':
		one[0] = (char)va_arg(*ap, int);
		t.precision = 1;
		put_text(o, &t, one);
		break;
	case 's': {
		const char *text = va_arg(*ap, const char *);

		put_text(o, s, text ? text : "(null)");
		break;
	}
	default:
		put(o, c);
	}
}

int vsnprintf(char *buf, size_t cap, const char *f, va_list args)
{
	struct out o = {buf, cap, 0};
	va_list ap;

	va_copy(ap, args);
	for (; *f; f++) {
		struct spec s;

		if (*f != '%') {
			put(&o, *f);
			continue;
		}
		f = parse_spec(f + 1, &s, &ap);
		if (!*f)
			break;
		put_spec(&o, &s, *f, &ap);
	}
	va_end(ap);
	if (cap)
		buf[o.len < cap ? o.len : cap - 1] = 0;
	return (int)o.len;
}

size_t vscnprintf(char *buf, size_t cap, const char *fmt, va_list ap)
{
	size_t n = (size_t)vsnprintf(buf, cap, fmt, ap);

	return n < cap ? n : cap - 1;
}

int snprintf(char *buf, size_t cap, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, cap, fmt, ap);
	va_end(ap);
	return n;
}
