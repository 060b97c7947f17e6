// SPDX-License-Identifier: MIT
#include "runner/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

int fail(struct error *error, const char *format, ...)
{
	va_list args;
	size_t max = sizeof(error->text);

	va_start(args, format);
	if (vsnprintf(error->text, max, format, args) >= (int)max)
		error->text[whole_characters(error->text, max - 1)] = '\0';
	va_end(args);
	return -1;
}

static void *there(void *memory)
{
	if (!memory) {
		fputs("runner: out of memory\n", stderr);
		exit(EXIT_BROKEN);
	}
	return memory;
}

void *xcalloc(size_t n, size_t size)
{
	return there(calloc(n, size));
}

char *xstrdup(const char *text)
{
	return there(strdup(text));
}

char *xstrndup(const char *text, size_t max)
{
	return there(strndup(text, max));
}

char *xasprintf(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) == -1)
		text = NULL;
	va_end(args);
	return there(text);
}

void grow(void **array, size_t *n, size_t size)
{
	/* Double at each power of two, so n alone tells the capacity. */
	if ((*n & (*n - 1)) == 0)
		*array = there(reallocarray(*array, *n ? *n * 2 : 1, size));
	memset((char *)*array + *n * size, 0, size);
	++*n;
}

char *read_file(const char *path, size_t max, size_t *len, struct error *error)
{
	FILE *file = fopen(path, "re");
	char *text;

	if (!file) {
		fail(error, "cannot read %s: %m", path);
		return NULL;
	}
	text = xcalloc(1, max + 2);
	*len = fread(text, 1, max + 1, file);
	if (ferror(file)) {
		fail(error, "cannot read %s: %m", path);
	} else if (*len > max) {
		fail(error, "%s is larger than %zu bytes", path, max);
	} else {
		fclose(file);
		text[*len] = '\0';
		return there(realloc(text, *len + 1));
	}
	fclose(file);
	free(text);
	return NULL;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t put = write(fd, text, len);

		if (put == -1 && errno == EINTR)
			continue;
		if (put <= 0)
			return -1;
		text += put;
		len -= put;
	}
	return 0;
}

int replace_file(const char *dir, const char *name, const char *text,
		 size_t len, struct error *error)
{
	char *path = xasprintf("%s/%s", dir, name);
	char *aside = xasprintf("%s/.%s.XXXXXX", dir, name);
	int fd = -1, dir_fd = -1, ret = -1;

	if (mkdir(dir, 0777) == -1 && errno != EEXIST) {
		fail(error, "cannot make the folder %s: %m", dir);
		goto out;
	}
	fd = mkostemp(aside, O_CLOEXEC);
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 || dir_fd == -1) {
		fail(error, "cannot write in %s: %m", dir);
		goto out;
	}
	if (write_all(fd, text, len) == -1 || fchmod(fd, 0644) == -1 ||
	    fsync(fd) == -1 || rename(aside, path) == -1) {
		fail(error, "cannot write %s: %m; what was there is kept",
		     path);
		goto out;
	}
	fsync(dir_fd);
	ret = 0;
out:
	if (fd != -1) {
		close(fd);
		if (ret == -1)
			unlink(aside);
	}
	if (dir_fd != -1)
		close(dir_fd);
	free(path);
	free(aside);
	return ret;
}

/*
 * The length of the UTF-8 character at @s, and its code point; 0 if the
 * bytes are not well-formed: too long, cut, a surrogate, beyond U+10FFFF.
 */
static size_t utf8_decode(const unsigned char *s, size_t len, uint32_t *code)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t least;
	} forms[] = {
		{ 0x80, 0x00, 0 },
		{ 0xe0, 0xc0, 0x80 },
		{ 0xf0, 0xe0, 0x800 },
		{ 0xf8, 0xf0, 0x10000 },
	};

	for (size_t n = 0; n < 4; n++) {
		if ((s[0] & forms[n].mask) != forms[n].lead)
			continue;
		if (n >= len)
			return 0;
		*code = s[0] & (unsigned char)~forms[n].mask;
		for (size_t i = 1; i <= n; i++) {
			if ((s[i] & 0xc0) != 0x80)
				return 0;
			*code = *code << 6 | (s[i] & 0x3f);
		}
		if (*code < forms[n].least || *code > 0x10ffff ||
		    (*code >= 0xd800 && *code <= 0xdfff))
			return 0;
		return n + 1;
	}
	return 0;
}

size_t whole_characters(const char *text, size_t len)
{
	size_t last = len;
	uint32_t code;

	while (last && len - last < 3 && (text[last - 1] & 0xc0) == 0x80)
		last--;
	if (!last || (text[last - 1] & 0xc0) != 0xc0)
		return len;
	last--;
	return utf8_decode((const unsigned char *)text + last, len - last,
			   &code)
		       ? len
		       : last;
}

/* Controls, and the marks that reorder or hide text (Unicode TR36). */
static bool drives_terminal(uint32_t c)
{
	return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ||
	       (c >= 0x80 && c < 0xa0) || c == 0x61c ||
	       (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
	       (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef) ||
	       (c >= 0xe0000 && c <= 0xe0fff);
}

/* The length of the character at @s, and whether it is safe; at least 1. */
static size_t next_character(const char *s, size_t len, bool *safe)
{
	uint32_t code;
	size_t n = utf8_decode((const unsigned char *)s, len, &code);

	*safe = n && !drives_terminal(code);
	return n ? n : 1;
}

size_t safe_span(const char *text, size_t len)
{
	size_t span = 0;
	bool safe;

	while (span < len) {
		size_t n = next_character(text + span, len - span, &safe);

		if (!safe)
			break;
		span += n;
	}
	return span;
}

void put_safe(FILE *out, const char *text, size_t len)
{
	while (len) {
		size_t n = safe_span(text, len);
		bool safe;

		fwrite(text, 1, n, out);
		text += n;
		len -= n;
		if (!len)
			break;
		n = next_character(text, len, &safe);
		for (size_t i = 0; i < n; i++)
			fprintf(out, "\\x%02x", (unsigned char)text[i]);
		text += n;
		len -= n;
	}
}

char *safe_text(const char *text, size_t len)
{
	char *safe = NULL;
	size_t size;
	FILE *out = there(open_memstream(&safe, &size));

	put_safe(out, text, len);
	fclose(out);
	return there(safe);
}

int text_width(const char *text)
{
	size_t len = strlen(text);
	int width = 0;

	while (len) {
		uint32_t code;
		size_t n = utf8_decode((const unsigned char *)text, len, &code);
		int columns = n ? wcwidth(code) : 1;

		width += columns > 0 ? columns : 0;
		text += n ? n : 1;
		len -= n ? n : 1;
	}
	return width;
}
