// SPDX-License-Identifier: MIT
/*
 * receive.c - a guest that was resumed from a snapshot gets its files by
 * QEMU's fw_cfg device: its content is not part of the snapshot, it needs no
 * driver, and its DMA copies a page at a time.
 *
 * The device is told the address of a command, big-endian like all of its
 * numbers, and has obeyed before the port write returns.
 */
#include "runner/init/receive.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

enum {
	DMA_PORT = 0x514, /* high half of the address; low half behind it */
	PORTS = 8,
	KEY_DIRECTORY = 0x19,
	PAGE = 4096,
	ENTRIES_MAX = 256,
	POLL_NS = 1000000,
};

enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SELECT = 8 };

struct command {
	uint32_t control;
	uint32_t length;
	uint64_t address;
};

struct entry {
	uint32_t size;
	uint16_t key;
	uint16_t reserved;
	char name[56];
};

/*
 * One page each, so that no huge page ever takes their place; locked. The
 * kernel could still move them, so each use looks up where they are.
 */
static volatile struct command *command;
static unsigned char *page;
static int pagemap = -1;

static int physical(const volatile void *address, uint64_t *where)
{
	uint64_t entry;
	off_t at = (uintptr_t)address / PAGE * sizeof(entry);

	if (pread(pagemap, &entry, sizeof(entry), at) != sizeof(entry))
		return -1;
	errno = EFAULT;
	/* Bit 63: present; bits 0 to 54: the frame. */
	if (!(entry >> 63) || !(entry & ((1ull << 55) - 1)))
		return -1;
	*where = (entry & ((1ull << 55) - 1)) * PAGE;
	return 0;
}

static void *locked_page(void)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED || mlock(p, PAGE) == -1)
		return NULL;
	return p;
}

int receive_open(void)
{
	pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	command = locked_page();
	page = locked_page();
	if (pagemap == -1 || !command || !page)
		return -1;
	return ioperm(DMA_PORT, PORTS, 1);
}

/* Read @len bytes, a page at most, from @key, or go on where we were (0). */
static int dma(unsigned int key, void *data, size_t len)
{
	uint64_t at, command_at, after;

	if (physical(command, &command_at) == -1 || physical(page, &at) == -1)
		return -1;
	command->control = htobe32(
		DMA_READ | (key ? key << 16 | (unsigned int)DMA_SELECT : 0));
	command->length = htobe32(len);
	command->address = htobe64(at);
	__asm__ volatile("" ::: "memory");
	outl(htobe32(command_at >> 32), DMA_PORT);
	outl(htobe32(command_at), DMA_PORT + 4);
	__asm__ volatile("" ::: "memory");
	errno = EIO;
	if (command->control != 0 || physical(page, &after) == -1 ||
	    after != at)
		return -1;
	memcpy(data, page, len);
	return 0;
}

static int read_all(unsigned int key, unsigned char *data, size_t len)
{
	for (size_t n, done = 0; done < len; done += n, key = 0) {
		n = len - done < PAGE ? len - done : PAGE;
		if (dma(key, data + done, n) == -1)
			return -1;
	}
	return 0;
}

/* 1 and the file's key and size, 0 if it is not there, -1 on errors. */
static int find_files(unsigned int *key, size_t *size)
{
	uint32_t count;

	if (dma(KEY_DIRECTORY, &count, sizeof(count)) == -1)
		return -1;
	count = be32toh(count);
	for (uint32_t i = 0; i < count && i < ENTRIES_MAX; i++) {
		struct entry entry;

		if (dma(0, &entry, sizeof(entry)) == -1)
			return -1;
		if (strncmp(entry.name, GUEST_FILES, sizeof(entry.name)) != 0)
			continue;
		*key = be16toh(entry.key);
		*size = be32toh(entry.size);
		return 1;
	}
	return 0;
}

/*
 * The snapshot may be taken while we read, so that half of what we have read
 * is of before: what was found is looked up once more.
 */
static int wait_for_files(unsigned int *key, size_t *size)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	int found;

	while ((found = find_files(key, size)) == 0)
		nanosleep(&pause, NULL);
	return found == 1 ? find_files(key, size) : found;
}

/* A field of a newc header: eight hexadecimal digits. */
static unsigned long field(const unsigned char *header, int n)
{
	char text[9] = "";

	memcpy(text, header + 6 + 8 * n, 8);
	return strtoul(text, NULL, 16);
}

static int write_file(const char *path, mode_t mode, const void *data,
		      size_t len)
{
	int fd, ret = 0;

	/* Never write into a program that runs, such as ours. */
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd == -1)
		return -1;
	if (write(fd, data, len) != (ssize_t)len || fchmod(fd, mode) == -1)
		ret = -1;
	close(fd);
	return ret;
}

/* Folders, links and devices may be there from the first initramfs. */
static int make_member(const char *path, mode_t mode, dev_t device,
		       const unsigned char *data, size_t len)
{
	char target[256] = "";
	int ret;

	switch (mode & S_IFMT) {
	case S_IFREG:
		return write_file(path, mode & 07777, data, len);
	case S_IFDIR:
		ret = mkdir(path, mode & 07777);
		break;
	case S_IFLNK:
		memcpy(target, data, len < 255 ? len : 255);
		ret = symlink(target, path);
		break;
	default:
		ret = mknod(path, mode, device);
	}
	return ret == -1 && errno == EEXIST ? 0 : ret;
}

/* A newc cpio archive: header, name, content, the last two padded to 4. */
static int unpack(const unsigned char *archive, size_t size, const char **what)
{
	enum { HEADER = 110, MODE = 1, SIZE = 6, MAJOR = 9, MINOR, NAME };
	size_t at = 0;

	while (at + HEADER <= size) {
		const unsigned char *header = archive + at;
		size_t name = field(header, NAME), len = field(header, SIZE);
		size_t data = (at + HEADER + name + 3) & ~3ul;
		char path[4096] = "/";

		errno = EBADMSG;
		if (memcmp(header, "070701", 6) != 0 ||
		    name >= sizeof(path) - 1 || data + len > size)
			return -1;
		memcpy(path + 1, header + HEADER, name);
		if (strcmp(path, "/TRAILER!!!") == 0)
			return 0;
		*what = strdup(path);
		if (make_member(
			    path, field(header, MODE),
			    makedev(field(header, MAJOR), field(header, MINOR)),
			    archive + data, len) == -1)
			return -1;
		free((char *)*what);
		*what = "the archive";
		at = (data + len + 3) & ~3ul;
	}
	errno = EBADMSG;
	return -1;
}

int receive_files(const char **what)
{
	unsigned char *archive;
	unsigned int key;
	size_t size;
	int ret = -1;

	*what = "the archive";
	if (wait_for_files(&key, &size) == -1)
		return -1;
	archive = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (archive == MAP_FAILED)
		return -1;
	if (read_all(key, archive, size) == 0)
		ret = unpack(archive, size, what);
	munmap(archive, size);
	ioperm(DMA_PORT, PORTS, 0);
	return ret;
}

void receive_clock(const char *seconds)
{
	char *rest;
	struct timespec now = { .tv_sec = strtoll(seconds, &rest, 10) };

	if (*rest == '.')
		now.tv_nsec = strtol(rest + 1, NULL, 10);
	if (now.tv_sec > 0)
		clock_settime(CLOCK_REALTIME, &now);
}

void receive_entropy(const char *hex)
{
	enum { BYTES_MAX = 64 };
	union {
		struct rand_pool_info info;
		unsigned char room[sizeof(struct rand_pool_info) + BYTES_MAX];
	} pool = { 0 };
	unsigned char *bytes = (unsigned char *)pool.info.buf;
	int fd = open("/dev/random", O_RDWR | O_CLOEXEC), n = 0;
	unsigned int byte;

	for (; n < BYTES_MAX && sscanf(hex + 2 * n, "%2x", &byte) == 1; n++)
		bytes[n] = byte;
	pool.info.entropy_count = 8 * n;
	pool.info.buf_size = n;
	if (fd == -1)
		return;
	ioctl(fd, RNDADDENTROPY, &pool);
	ioctl(fd, RNDRESEEDCRNG);
	close(fd);
}
