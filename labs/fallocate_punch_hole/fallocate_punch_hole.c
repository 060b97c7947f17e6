// SPDX-License-Identifier: MIT
/*
 * fallocate_punch_hole - take storage away from a file that is mapped.
 *
 * One memfd with a shared and a private mapping is punched, shrunk and grown,
 * and each time all three are looked at, page by page.
 */
#include "fallocate_punch_hole.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/lab.h"

enum { PAGES = 16, SIZE = PAGES * PAGE, PER_PAGE = PAGE / 512 };

static struct stat stat_of(int fd)
{
	struct stat st;

	must(fstat(fd, &st));
	return st;
}

static off_t size_of(int fd)
{
	return stat_of(fd).st_size;
}

long blocks(int fd)
{
	return stat_of(fd).st_blocks;
}

int punch(int fd, off_t offset, off_t len)
{
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset,
			 len);
}

char page_letter(char first, char last)
{
	if (first != '\0')
		return last;
	return last == '\0' ? '0' : '~';
}

void look_at_file(int fd, size_t pages, char *out)
{
	char page[PAGE];

	for (size_t i = 0; i < pages; i++)
		out[i] = must(pread(fd, page, PAGE, i * PAGE)) == PAGE
				 ? page_letter(page[0], page[PAGE - 1])
				 : '.';
	out[pages] = '\0';
}

static sigjmp_buf back;

static void on_bus(int sig)
{
	(void)sig;
	siglongjmp(back, 1);
}

void look_at_map(const char *map, size_t pages, char *out)
{
	const volatile char *bytes = map;
	struct sigaction old, catch = { .sa_handler = on_bus };

	must(sigaction(SIGBUS, &catch, &old));
	for (volatile size_t i = 0; i < pages; i++) {
		out[i] = '!';
		if (sigsetjmp(back, true) == 0)
			out[i] = page_letter(bytes[i * PAGE],
					     bytes[(i + 1) * PAGE - 1]);
	}
	out[pages] = '\0';
	must(sigaction(SIGBUS, &old, NULL));
}

static int filled_memfd(void)
{
	int fd = must(memfd_create("demo", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	char page[PAGE];

	memset(page, 'x', PAGE);
	for (int i = 0; i < PAGES; i++)
		must(pwrite(fd, page, PAGE, i * PAGE));
	return fd;
}

/* A memfd full of x, with two mappings; in the private one, odd pages are p. */
struct subject {
	int fd;
	char *shared, *private;
};

static struct subject new_subject(void)
{
	struct subject s = { .fd = filled_memfd() };
	char seen[PAGES + 1];

	s.shared = must(mmap(NULL, SIZE, PROT_READ, MAP_SHARED, s.fd, 0));
	s.private = must(
		mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, s.fd, 0));
	look_at_map(s.shared, PAGES, seen);
	look_at_map(s.private, PAGES, seen);
	for (int i = 1; i < PAGES; i += 2)
		memset(s.private + i * PAGE, 'p', PAGE);
	return s;
}

static void end_subject(struct subject *s)
{
	must(munmap(s->shared, SIZE));
	must(munmap(s->private, SIZE));
	close(s->fd);
}

/* How many pages of @map the page table holds. */
static int mapped(const char *map)
{
	int fd = must(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
	off_t at = (uintptr_t)map / PAGE * sizeof(uint64_t);
	uint64_t entries[PAGES];
	int count = 0;

	if (must(pread(fd, entries, sizeof(entries), at)) != sizeof(entries))
		die("/proc/self/pagemap is too short");
	for (int i = 0; i < PAGES; i++)
		count += entries[i] >> 63;
	close(fd);
	return count;
}

struct view {
	off_t size;
	long blocks;
	int mapped;
	char file[PAGES + 1], shared[PAGES + 1], private[PAGES + 1];
};

static struct view row(const char *act, const struct subject *s)
{
	/* First the counts: looking into a hole fills it. */
	struct view v = {
		size_of(s->fd), blocks(s->fd), mapped(s->shared), "", "", ""
	};

	look_at_file(s->fd, PAGES, v.file);
	look_at_map(s->shared, PAGES, v.shared);
	look_at_map(s->private, PAGES, v.private);
	printf("%-20s %6ld %6ld %6d  %s  %s  %s\n", act, (long)v.size, v.blocks,
	       v.mapped, v.file, v.shared, v.private);
	return v;
}

static bool looks(const char *seen, const char *expected)
{
	return strcmp(seen, expected) == 0;
}

static void hole(void)
{
	struct subject s = new_subject();
	struct view full = row("written", &s), v;
	char edge[2] = "";

	must(punch(s.fd, 4 * PAGE, 100));
	v = row("punch 100 bytes", &s);
	control("punch-frees-whole-pages", v.blocks == full.blocks);
	must(pread(s.fd, edge, 2, 8 * PAGE + 99));
	control("partial-page-zeroed", edge[0] == 'x' && edge[1] == 'x');

	must(punch(s.fd, 4 * PAGE, 4 * PAGE + 100));
	v = row("4 pages + 100 bytes", &s);
	claim("punch-frees-whole-pages",
	      full.blocks == PAGES * PER_PAGE &&
		      v.blocks == full.blocks - 4 * PER_PAGE);
	must(pread(s.fd, edge, 2, 8 * PAGE + 99));
	claim("partial-page-zeroed",
	      v.file[8] == '~' && edge[0] == '\0' && edge[1] == 'x');
	claim("hole-reads-zero",
	      looks(v.file, "xxxx0000~xxxxxxx") && looks(v.shared, v.file));
	control("hole-reads-zero", looks(full.file, "xxxxxxxxxxxxxxxx") &&
					   looks(full.shared, full.file));
	claim("copies-survive-hole", looks(v.private, "xpxp0p0p~pxpxpxp"));
	claim("unwritten-see-hole", v.private[4] == '0' && v.private[6] == '0');
	control("unwritten-see-hole",
		v.private[5] == 'p' && v.private[7] == 'p');
	end_subject(&s);
}

static void emptied(void)
{
	struct subject s = new_subject();
	struct view v;

	must(madvise(s.shared, SIZE, MADV_DONTNEED));
	v = row("MADV_DONTNEED", &s);
	control("empties-memfd", v.mapped == 0 &&
					 v.blocks == PAGES * PER_PAGE &&
					 looks(v.shared, "xxxxxxxxxxxxxxxx"));
	must(punch(s.fd, 0, SIZE));
	v = row("punch all", &s);
	claim("empties-memfd", v.mapped == 0 && v.blocks == 0 &&
				       looks(v.shared, "0000000000000000"));
	end_subject(&s);
}

static void truncated(void)
{
	struct subject s = new_subject();
	struct view v;

	must(ftruncate(s.fd, 4 * PAGE));
	v = row("ftruncate 4 pages", &s);
	claim("shrink-is-sigbus", looks(v.shared, "xxxx!!!!!!!!!!!!") &&
					  looks(v.private, "xpxp!!!!!!!!!!!!"));

	must(ftruncate(s.fd, SIZE));
	claim("sets-length", v.size == 4 * PAGE && size_of(s.fd) == SIZE);
	v = row("ftruncate 16 pages", &s);
	control("shrink-is-sigbus",
		!strchr(v.shared, '!') && !strchr(v.private, '!'));
	claim("shrink-kills-copies", looks(v.private, "xpxp000000000000"));
	control("copies-survive-hole", v.private[5] != 'p');
	claim("growing-is-a-hole",
	      looks(v.file, "xxxx000000000000") && v.blocks == 4 * PER_PAGE);
	refuted("only-the-length", looks(v.file, "xxxxxxxxxxxxxxxx"));
	end_subject(&s);

	s = new_subject();
	must(ftruncate(s.fd, 2 * SIZE));
	must(ftruncate(s.fd, SIZE));
	v = row("32 pages and back", &s);
	control("only-the-length", looks(v.file, "xxxxxxxxxxxxxxxx"));
	control("shrink-kills-copies", looks(v.private, "xpxpxpxpxpxpxpxp"));
	end_subject(&s);
}

static void file_row(const char *act, int fd)
{
	printf("%-36s %6ld %6ld\n", act, (long)size_of(fd), blocks(fd));
}

static void sizes(void)
{
	int fd = must(memfd_create("sizes", MFD_CLOEXEC));

	must(ftruncate(fd, SIZE));
	file_row("ftruncate 16 pages", fd);
	control("allocates", blocks(fd) == 0);
	must(ftruncate(fd, 0));
	must(fallocate(fd, 0, 0, SIZE));
	file_row("fallocate 16 pages", fd);
	claim("allocates",
	      size_of(fd) == SIZE && blocks(fd) == PAGES * PER_PAGE);
	control("growing-is-a-hole", blocks(fd) != 0);

	must(punch(fd, SIZE - PAGE, 8 * PAGE));
	file_row("punch 8 pages from the last one", fd);
	claim("size-stays",
	      size_of(fd) == SIZE && blocks(fd) == (PAGES - 1) * PER_PAGE);
	must(fallocate(fd, 0, SIZE - PAGE, 2 * PAGE));
	file_row("fallocate 2 pages from there", fd);
	control("size-stays", size_of(fd) == SIZE + PAGE);
	must(ftruncate(fd, SIZE));

	must(punch(fd, 2 * SIZE, PAGE));
	file_row("punch behind the end", fd);
	claim("beyond-the-end",
	      size_of(fd) == SIZE && blocks(fd) == PAGES * PER_PAGE);
	must(fallocate(fd, FALLOC_FL_KEEP_SIZE, 2 * SIZE, PAGE));
	file_row("fallocate a page there, KEEP_SIZE", fd);
	must(punch(fd, 2 * SIZE, PAGE));
	file_row("punch behind the end again", fd);
	control("beyond-the-end", blocks(fd) < (PAGES + 1) * PER_PAGE);
	close(fd);
}

static int refusal(const char *act, int error)
{
	printf("%-36s %s\n", act, errno_name(error));
	return error;
}

static void refusals(void)
{
	int fd = filled_memfd(), sealed = filled_memfd(), ends[2], read_only;
	char path[32];

	sprintf(path, "/proc/self/fd/%d", fd);
	read_only = must(open(path, O_RDONLY | O_CLOEXEC));
	must(pipe2(ends, O_CLOEXEC));

	claim("needs-keep-size",
	      refusal("PUNCH_HOLE alone",
		      errno_of(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, PAGE))) ==
		      EOPNOTSUPP);
	control("needs-keep-size", errno_of(punch(fd, 0, PAGE)) == 0);
	claim("length-zero",
	      refusal("punch 0 bytes", errno_of(punch(fd, 0, 0))) == EINVAL);
	control("length-zero", errno_of(punch(fd, 0, 1)) == 0);
	claim("pipe-is-espipe",
	      refusal("punch a pipe", errno_of(punch(ends[1], 0, 1))) ==
		      ESPIPE);
	control("pipe-is-espipe", errno_of(punch(fd, 0, 1)) == 0);
	claim("read-only-is-ebadf",
	      refusal("punch, read only", errno_of(punch(read_only, 0, 1))) ==
		      EBADF);
	control("read-only-is-ebadf", errno_of(punch(fd, 0, 1)) == 0);
	claim("truncate-needs-write",
	      refusal("ftruncate, read only",
		      errno_of(ftruncate(read_only, 0))) == EINVAL &&
		      refusal("ftruncate a pipe",
			      errno_of(ftruncate(ends[1], 0))) == EINVAL);
	control("sets-length", size_of(fd) == SIZE);
	control("truncate-needs-write", errno_of(ftruncate(fd, 0)) == 0);

	must(ftruncate(fd, SIZE));
	claim("memfd-only-punches",
	      refusal("ZERO_RANGE on a memfd",
		      errno_of(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, PAGE))) ==
			      EOPNOTSUPP &&
		      refusal("COLLAPSE_RANGE on a memfd",
			      errno_of(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE,
						 0, PAGE))) == EOPNOTSUPP);
	control("memfd-only-punches", errno_of(punch(fd, 0, PAGE)) == 0);

	must(fcntl(sealed, F_ADD_SEALS, F_SEAL_SHRINK));
	claim("shrink-seal-lets-punch",
	      refusal("SEAL_SHRINK: ftruncate 0",
		      errno_of(ftruncate(sealed, 0))) == EPERM &&
		      refusal("SEAL_SHRINK: punch all",
			      errno_of(punch(sealed, 0, SIZE))) == 0 &&
		      blocks(sealed) == 0);
	control("write-seal-stops-punch", errno_of(punch(sealed, 0, 1)) == 0);
	must(fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE));
	claim("write-seal-stops-punch",
	      refusal("SEAL_WRITE: punch all",
		      errno_of(punch(sealed, 0, SIZE))) == EPERM);
	control("shrink-seal-lets-punch",
		errno_of(punch(sealed, 0, SIZE)) == EPERM);
	close(ends[0]);
	close(ends[1]);
	close(read_only);
	close(sealed);
	close(fd);
}

/* Ten pages, each full of its own digit. */
static void write_digits(int fd)
{
	char page[PAGE];

	for (int i = 0; i < 10; i++) {
		memset(page, '0' + i, PAGE);
		must(pwrite(fd, page, PAGE, i * PAGE));
	}
	/* Blocks are counted as asked for only once they are allocated. */
	must(fsync(fd));
}

static void disk(void)
{
	int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char seen[11] = "";
	struct statfs fs;
	long before;

	if (fd == -1 || fstatfs(fd, &fs) == -1 ||
	    fs.f_type != EXT4_SUPER_MAGIC || fs.f_bsize != PAGE) {
		for (int i = 0; i < 2; i++)
			claim_skip(i ? "disk-collapse" : "disk-punch",
				   "ext4 with blocks of 4096 bytes",
				   "another file system here",
				   "run it on such a disk");
		return;
	}
	write_digits(fd);
	file_row("10 pages on ext4", fd);
	before = blocks(fd);
	control("disk-punch", punch(fd, 1, PAGE) == 0 && blocks(fd) == before);
	must(punch(fd, 2 * PAGE, 4 * PAGE));
	file_row("punch 4 pages", fd);
	claim("disk-punch",
	      size_of(fd) == 10 * PAGE && before - blocks(fd) == 4 * PER_PAGE);
	control("disk-collapse", size_of(fd) == 10 * PAGE);

	write_digits(fd);
	must(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 2 * PAGE, 4 * PAGE));
	file_row("COLLAPSE_RANGE of them instead", fd);
	look_at_file(fd, 10, seen);
	printf("its pages: %s\n", seen);
	claim("disk-collapse",
	      size_of(fd) == 6 * PAGE && looks(seen, "016789...."));
	close(fd);
}

static void series(void)
{
	static char data[SIZE];
	int zeros, fd = filled_memfd();

	for (int len = 0; len <= 4 * PAGE; len += 128) {
		if (len > 0)
			must(punch(fd, 0, len));
		must(pread(fd, data, SIZE, 0));
		zeros = 0;
		while (data[zeros] == '\0')
			zeros++;
		point("zeros", len, zeros);
		point("freed", len, SIZE - blocks(fd) * 512);
	}
	close(fd);
}

static void demo(void)
{
	printf("%-20s %6s %6s %6s  %-16s  %-16s  %s\n", "A memfd of 16 pages",
	       "size", "blocks", "mapped", "read(2)", "shared", "private");
	hole();
	emptied();
	truncated();
	printf("\n%-36s %6s %6s\n", "Sizes and blocks", "size", "blocks");
	sizes();
	disk();
	puts("\nWhat is refused");
	refusals();
	series();
}

const struct lab lab = {
	.name = "fallocate_punch_hole",
	.needs = NEEDS("memfd"),
	.demo = demo,
};
