// SPDX-License-Identifier: MIT
#include "runner/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner/tool.h"

int bytes_read(struct bytes *out, const char *path, char *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t got = 1;

	*out = (struct bytes){ 0 };
	if (fd == -1 || fstat(fd, &st) == -1) {
		fail_with(error, "cannot open %s: %s", path, strerror(errno));
		if (fd != -1)
			close(fd);
		return -1;
	}
	out->data = malloc(st.st_size + 1);
	while (out->data && got > 0 && out->len < (size_t)st.st_size) {
		got = read(fd, out->data + out->len, st.st_size - out->len);
		out->len += got > 0 ? got : 0;
	}
	close(fd);
	if (!out->data || got == -1) {
		free(out->data);
		return fail_with(error, "cannot read %s: %s", path,
				 strerror(errno));
	}
	return 0;
}

int bytes_write(const struct bytes *bytes, const char *path, char *error)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	size_t done = 0;
	ssize_t got = fd;

	while (got != -1 && done < bytes->len) {
		got = write(fd, bytes->data + done, bytes->len - done);
		done += got > 0 ? got : 0;
	}
	if (got == -1)
		fail_with(error, "cannot write %s: %s", path, strerror(errno));
	if (fd != -1)
		close(fd);
	return got == -1 ? -1 : 0;
}

static int read_stream(struct archive *a, struct bytes *out, size_t limit)
{
	struct archive_entry *entry;
	size_t room = 0;
	ssize_t got = 1;

	if (archive_read_next_header(a, &entry) != ARCHIVE_OK)
		return -1;
	while (got > 0 && out->len < limit) {
		if (out->len == room) {
			unsigned char *grown;

			room = room ? 2 * room : 1 << 20;
			grown = realloc(out->data, room + 1);
			if (!grown)
				return -1;
			out->data = grown;
		}
		got = archive_read_data(a, out->data + out->len,
					room < limit ? room - out->len
						     : limit - out->len);
		out->len += got > 0 ? got : 0;
	}
	return got < 0 ? -1 : 0;
}

int unpack(struct bytes *out, const struct bytes *packed, size_t limit,
	   char *error)
{
	struct archive *a = archive_read_new();
	int ret = -1;

	*out = (struct bytes){ 0 };
	if (!a)
		return fail_with(error, "out of memory");
	archive_read_support_filter_all(a);
	archive_read_support_format_raw(a);
	if (archive_read_open_memory(a, packed->data, packed->len) ==
	    ARCHIVE_OK)
		ret = read_stream(a, out, limit);
	if (ret == -1) {
		const char *why = archive_error_string(a);

		fail_with(error, "cannot decompress: %s",
			  why ? why : "no data");
		free(out->data);
	}
	archive_read_free(a);
	return ret;
}

/* The header of a bzImage, as Documentation/arch/x86/boot.rst gives it. */
enum {
	SETUP_SECTS = 0x1f1,
	SYSSIZE = 0x1f4,
	BOOT_FLAG = 0x1fe,
	MAGIC = 0x202,
	PROTOCOL = 0x206,
	KERNEL_VERSION = 0x20e,
	PAYLOAD_OFFSET = 0x248,
	PAYLOAD_LENGTH = 0x24c,
	HEADER_END = 0x250,
};

static uint16_t get16(const struct bytes *image, size_t at)
{
	return image->data[at] | image->data[at + 1] << 8;
}

static uint32_t get32(const struct bytes *image, size_t at)
{
	return get16(image, at) | (uint32_t)get16(image, at + 2) << 16;
}

/* Where the protected-mode part starts. */
static size_t bzimage_code(const struct bytes *image)
{
	size_t sectors = image->data[SETUP_SECTS];

	return ((sectors ? sectors : 4) + 1) * 512;
}

static int is_bzimage(const struct bytes *image)
{
	return image->len >= HEADER_END && get16(image, BOOT_FLAG) == 0xaa55 &&
	       memcmp(image->data + MAGIC, "HdrS", 4) == 0;
}

int bzimage_check(const struct bytes *image, char *error)
{
	size_t whole;

	if (!is_bzimage(image))
		return fail_with(error,
				 "no bzImage: found %zu bytes without its "
				 "header; give it an x86 kernel such as "
				 "/boot/vmlinuz",
				 image->len);
	whole = bzimage_code(image) + get32(image, SYSSIZE) * 16ull;
	/* The last paragraph of 16 bytes may be a part of one. */
	if (image->len + 15 < whole)
		return fail_with(error,
				 "truncated: found %zu bytes, its header "
				 "says %zu; copy it again",
				 image->len, whole);
	return 0;
}

/* Copy the word at @text, which ends before @end. */
static int copy_word(const unsigned char *text, const unsigned char *end,
		     char *word, size_t size)
{
	size_t n = 0;

	while (text + n < end && text[n] > ' ' && text[n] < 0x7f &&
	       n + 1 < size) {
		word[n] = text[n];
		n++;
	}
	word[n] = '\0';
	return n > 0 ? 0 : -1;
}

int image_release(const struct bytes *image, char *release, size_t size)
{
	static const char banner[] = "Linux version ";
	const unsigned char *end = image->data + image->len, *text;

	if (is_bzimage(image)) {
		size_t at = get16(image, KERNEL_VERSION) + 0x200;

		return at < image->len
			       ? copy_word(image->data + at, end, release, size)
			       : -1;
	}
	text = memmem(image->data, image->len, banner, strlen(banner));
	return text ? copy_word(text + strlen(banner), end, release, size) : -1;
}

int bzimage_vmlinux(struct bytes *out, const struct bytes *image, char *error)
{
	struct bytes payload;
	size_t start, size;

	if (bzimage_check(image, error) == -1)
		return -1;
	if (get16(image, PROTOCOL) < 0x208)
		return fail_with(error, "boot protocol %#x, before 0x208",
				 get16(image, PROTOCOL));
	start = bzimage_code(image) + get32(image, PAYLOAD_OFFSET);
	payload.len = get32(image, PAYLOAD_LENGTH);
	if (payload.len < 4 || start > image->len ||
	    payload.len > image->len - start)
		return fail_with(error,
				 "its payload of %zu bytes at %zu is beyond "
				 "its end",
				 payload.len, start);
	payload.data = image->data + start;
	/* The build appends the unpacked size; gzip ends with it anyway. */
	size = get32(&payload, payload.len - 4);
	if (get16(&payload, 0) != 0x8b1f)
		payload.len -= 4;
	if (unpack(out, &payload, size, error) == -1)
		return -1;
	if (out->len == size && size > SELFMAG &&
	    memcmp(out->data, ELFMAG, SELFMAG) == 0)
		return 0;
	free(out->data);
	return fail_with(error, "its payload unpacks to %zu bytes of %zu, %s",
			 out->len, size, "and is no ELF");
}

/* A 64-bit ELF of this byte order whose tables lie inside. */
static const Elf64_Ehdr *elf_header(const struct bytes *elf)
{
	const Elf64_Ehdr *h = (const void *)elf->data;

	if (elf->len < sizeof(*h) || memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 ||
	    h->e_ident[EI_CLASS] != ELFCLASS64 ||
	    h->e_ident[EI_DATA] != ELFDATA2LSB)
		return NULL;
	return h;
}

static int is_inside(const struct bytes *b, uint64_t at, uint64_t len)
{
	return at <= b->len && len <= b->len - at;
}

static int has_pvh_note(const unsigned char *notes, uint64_t len)
{
	enum { PHYS32_ENTRY = 18 }; /* XEN_ELFNOTE_PHYS32_ENTRY */

	for (uint64_t at = 0; at + sizeof(Elf64_Nhdr) <= len;) {
		Elf64_Nhdr note;
		uint64_t name = at + sizeof(note);

		memcpy(&note, notes + at, sizeof(note));
		if (note.n_type == PHYS32_ENTRY && note.n_namesz == 4 &&
		    name + 4 <= len && memcmp(notes + name, "Xen", 4) == 0)
			return 1;
		at = name + ((note.n_namesz + 3ull) & ~3ull) +
		     ((note.n_descsz + 3ull) & ~3ull);
	}
	return 0;
}

int elf_has_pvh(const struct bytes *elf)
{
	const Elf64_Ehdr *h = elf_header(elf);

	if (!h || !is_inside(elf, h->e_phoff,
			     h->e_phnum * (uint64_t)sizeof(Elf64_Phdr)))
		return 0;
	for (int i = 0; i < h->e_phnum; i++) {
		Elf64_Phdr ph;

		memcpy(&ph, elf->data + h->e_phoff + i * sizeof(ph),
		       sizeof(ph));
		if (ph.p_type == PT_NOTE &&
		    is_inside(elf, ph.p_offset, ph.p_filesz) &&
		    has_pvh_note(elf->data + ph.p_offset, ph.p_filesz))
			return 1;
	}
	return 0;
}

/* The section @name of @elf. */
static int find_section(const struct bytes *elf, const char *name,
			Elf64_Shdr *found)
{
	const Elf64_Ehdr *h = elf_header(elf);
	const Elf64_Shdr *sections;
	const Elf64_Shdr *names;

	if (!h || h->e_shstrndx >= h->e_shnum || h->e_shoff % 8 ||
	    !is_inside(elf, h->e_shoff, h->e_shnum * sizeof(*sections)))
		return -1;
	sections = (const void *)(elf->data + h->e_shoff);
	names = &sections[h->e_shstrndx];
	for (int i = 0; i < h->e_shnum; i++) {
		const Elf64_Shdr *s = &sections[i];

		if (s->sh_name < names->sh_size &&
		    is_inside(elf, names->sh_offset,
			      s->sh_name + strlen(name) + 1) &&
		    strcmp((char *)elf->data + names->sh_offset + s->sh_name,
			   name) == 0 &&
		    is_inside(elf, s->sh_offset, s->sh_size)) {
			*found = *s;
			return 0;
		}
	}
	return -1;
}

const char *module_info(const struct bytes *elf, const char *key)
{
	size_t len = strlen(key);
	const char *text, *end;
	Elf64_Shdr s;

	if (find_section(elf, ".modinfo", &s) == -1 || s.sh_size == 0)
		return NULL;
	text = (const char *)elf->data + s.sh_offset;
	end = text + s.sh_size;
	if (end[-1] != '\0')
		return NULL;
	for (; text < end; text += strlen(text) + 1)
		if (strncmp(text, key, len) == 0 && text[len] == '=')
			return text + len + 1;
	return NULL;
}
