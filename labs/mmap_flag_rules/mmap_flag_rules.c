// SPDX-License-Identifier: MIT
/*
 * mmap_flag_rules - what the flags of mmap(2) allow, and what they promise.
 *
 * First a table of types and flags with the errno of each, then what each
 * type promises about the file, and last which bytes and addresses a mapping
 * gets.
 */
#include "mmap_flag_rules.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/kernel.h"
#include "common/lab.h"
#include "common/spawn.h"

/* Newer than the headers of some distributions. */
#define DROPPABLE 0x08 /* MAP_DROPPABLE, Linux 6.11 */
/* Not in the headers of the C library. */
#define UNINITIALIZED 0x4000000 /* MAP_UNINITIALIZED */

#define UNKNOWN	      (1 << 24) /* no flag of any kernel so far */
#define BOTH	      (MAP_SHARED | MAP_PRIVATE)
#define ANON	      MAP_ANONYMOUS
enum { CLOSED_FD = 999 };

const char *type_name(int type)
{
	switch (type) {
	case MAP_SHARED:
		return "SHARED";
	case MAP_PRIVATE:
		return "PRIVATE";
	case MAP_SHARED_VALIDATE:
		return "SHARED_VALIDATE";
	case DROPPABLE:
		return "DROPPABLE";
	default:
		return "";
	}
}

bool parse_maps_line(const char *line, struct maps_line *out)
{
	*out = (struct maps_line){ 0 };
	return sscanf(line, "%lx-%lx %*s %*s %*s %lu %63[^\n]", &out->start,
		      &out->end, &out->inode, out->name) >= 3;
}

/* The line of the mapping that @at lies in. */
static struct maps_line maps_line_of(const void *at)
{
	FILE *file = must_ptr(fopen("/proc/self/maps", "re"));
	struct maps_line found;
	char line[512];

	do
		if (!fgets(line, sizeof(line), file))
			die("%p is not mapped", at);
	while (!parse_maps_line(line, &found) || (uintptr_t)at < found.start ||
	       (uintptr_t)at >= found.end);
	fclose(file);
	return found;
}

static char *map(size_t len, int flags, int fd, off_t offset)
{
	return must(mmap(NULL, len, PROT_READ | PROT_WRITE, flags, fd, offset));
}

int flags_errno(int flags, int fd)
{
	/* A free place; for NOREPLACE the address 0 would be one, and refused.
	 */
	void *place = map(PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *at;

	must(munmap(place, PAGE));
	at = mmap(place, PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (at == MAP_FAILED)
		return errno;
	must(munmap(at, PAGE));
	return 0;
}

int numbered_file(size_t size)
{
	int fd = must(memfd_create("numbered", MFD_CLOEXEC));
	char page[PAGE];

	for (size_t at = 0; at < size; at += PAGE) {
		memset(page, '0' + at / PAGE, sizeof(page));
		must(write(fd, page, sizeof(page)));
	}
	must(ftruncate(fd, size));
	return fd;
}

static char byte_of(int fd, off_t at)
{
	char byte;

	must(pread(fd, &byte, 1, at));
	return byte;
}

static const char *verdict(int error)
{
	return error ? errno_name(error) : "ok";
}

static void print_type(int type, int fd)
{
	printf("%2d %-16s %-8s %-10s %-13s %-11s %s\n", type, type_name(type),
	       verdict(flags_errno(type, fd)),
	       verdict(flags_errno(type | MAP_ANONYMOUS, -1)),
	       verdict(flags_errno(type | UNKNOWN, fd)),
	       verdict(flags_errno(type | MAP_SYNC, fd)),
	       verdict(flags_errno(type | MAP_FIXED_NOREPLACE, fd)));
}

static bool all_other_types_fail(int fd)
{
	for (int type = 0; type < 16; type++)
		if (!*type_name(type) &&
		    (flags_errno(type, fd) != EINVAL ||
		     flags_errno(type | MAP_ANONYMOUS, -1) != EINVAL))
			return false;
	return true;
}

static void types(int fd)
{
	puts("type                file     anonymous  unknown flag  MAP_SYNC   "
	     " "
	     "NOREPLACE");
	for (int type = 0; type <= 4; type++)
		print_type(type, fd);
	print_type(DROPPABLE, fd);

	claim("type-required", all_other_types_fail(fd));
	control("type-required", flags_errno(MAP_SHARED, fd) == 0 &&
					 flags_errno(MAP_PRIVATE, fd) == 0);
	claim("droppable", flags_errno(DROPPABLE | MAP_ANONYMOUS, -1) ==
					   (kernel_since(6, 11) ? 0 : EINVAL) &&
				   flags_errno(DROPPABLE, fd) == EINVAL);
	control("droppable",
		flags_errno(MAP_PRIVATE | MAP_ANONYMOUS, -1) == 0 &&
			flags_errno(MAP_PRIVATE, fd) == 0);

	refuted("types-exclude", flags_errno(BOTH, fd) == EINVAL);
	control("types-exclude",
		flags_errno(BOTH | MAP_ANONYMOUS, -1) == EINVAL);
	refuted("validate-is-shared",
		flags_errno(MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1) == 0);
	control("validate-is-shared",
		flags_errno(MAP_SHARED | MAP_ANONYMOUS, -1) == 0);
}

static void flag_checks(int fd)
{
	const int validate = MAP_SHARED_VALIDATE;

	claim("validate-checks",
	      flags_errno(validate | UNKNOWN, fd) == EOPNOTSUPP);
	control("validate-checks", flags_errno(MAP_SHARED | UNKNOWN, fd) == 0);
	claim("old-flags-pass", flags_errno(validate | UNINITIALIZED, fd) == 0);
	control("old-flags-pass",
		flags_errno(validate | UNKNOWN, fd) == EOPNOTSUPP);
	claim("sync-needs-dax",
	      flags_errno(validate | MAP_SYNC, fd) == EOPNOTSUPP);
	control("sync-needs-dax", flags_errno(MAP_SHARED | MAP_SYNC, fd) == 0);
	claim("validate-no-noreplace",
	      flags_errno(validate | MAP_FIXED_NOREPLACE, fd) == EOPNOTSUPP);
	control("validate-no-noreplace",
		flags_errno(MAP_SHARED | MAP_FIXED_NOREPLACE, fd) == 0 &&
			flags_errno(validate, fd) == 0);
}

static int first_byte(void *fd)
{
	return *map(PAGE, MAP_SHARED, *(int *)fd, 0);
}

/* Who sees an 'S' that is stored through a mapping of the first page? */
struct seen {
	char read;    /* by read(2) */
	char process; /* by another process, in its own mapping */
};

static struct seen store(int type)
{
	int fd = numbered_file(PAGE);
	char *at = map(PAGE, type, fd, 0);
	struct seen seen;

	*at = 'S';
	seen.read = byte_of(fd, 0);
	seen.process = WEXITSTATUS(spawn_fn(first_byte, &fd, 5000).status);
	printf("%-16s store 'S':  read(2) sees '%c', another process '%c'\n",
	       type_name(type), seen.read, seen.process);
	must(munmap(at, PAGE));
	close(fd);
	return seen;
}

static void who_sees_a_store(void)
{
	struct seen shared = store(MAP_SHARED), private = store(MAP_PRIVATE),
		    both = store(BOTH);
	bool is_private = private.read == '0' && private.process == '0';
	bool is_shared = shared.read == 'S' && shared.process == 'S';

	claim("shared-reaches-all", is_shared);
	control("shared-reaches-all", is_private);
	claim("private-stays", is_private);
	control("private-stays", is_shared);
	claim("both-is-validate", both.read == 'S' && both.process == 'S');
	control("both-is-validate", is_private);
}

static void who_sees_the_file(void)
{
	int fd = numbered_file(PAGE);
	char *at = map(PAGE, MAP_PRIVATE, fd, 0), before, after;

	must(pwrite(fd, "A", 1, 0));
	before = at[0];
	at[1] = 'c'; /* now the page is a copy */
	must(pwrite(fd, "B", 1, 0));
	after = at[0];
	printf("PRIVATE, while the file becomes 'A': '%c'; after a store "
	       "elsewhere, 'B': '%c'\n",
	       before, after);
	claim("private-sees-file", before == 'A');
	control("private-sees-file", after == 'A');
	must(munmap(at, PAGE));
	close(fd);
}

static void anonymous(void)
{
	int fd = numbered_file(PAGE);
	char *private = map(PAGE, MAP_PRIVATE | MAP_ANONYMOUS, CLOSED_FD, 0);
	char *with_fd = map(PAGE, MAP_PRIVATE | MAP_ANONYMOUS, fd, 0);
	char *shared = map(PAGE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *file = map(PAGE, MAP_PRIVATE, fd, 0);
	struct maps_line private_line = maps_line_of(private);
	struct maps_line shared_line = maps_line_of(shared);

	printf("in maps: private anonymous, inode %lu \"%s\"\n"
	       "         shared anonymous,  inode %lu \"%s\"\n",
	       private_line.inode, private_line.name, shared_line.inode,
	       shared_line.name);
	claim("anon-ignores-fd", *with_fd == 0); /* and that of 999 worked */
	control("anon-ignores-fd",
		*file == '0' && flags_errno(MAP_PRIVATE, CLOSED_FD) == EBADF);
	refuted("anon-has-no-file", shared_line.inode == 0);
	control("anon-has-no-file", private_line.inode == 0);

	memset(private, 'x', PAGE);
	control("anon-is-zero", *private == 'x');
	must(mmap(private, PAGE, PROT_READ,
		  MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	claim("anon-is-zero", *private == 0 && *shared == 0);

	must(munmap(private, PAGE));
	must(munmap(with_fd, PAGE));
	must(munmap(shared, PAGE));
	must(munmap(file, PAGE));
	close(fd);
}

static int load(void *at)
{
	signal(SIGBUS, SIG_DFL);
	return *(volatile char *)at == 1; /* valgrind skips unused loads */
}

static void which_bytes(void)
{
	enum { TAIL = 100 };
	int fd = numbered_file(PAGE + TAIL);
	char *one = map(1, MAP_SHARED, fd, 0);
	char *all = map(3 * PAGE, MAP_SHARED, fd, 0);
	char *second = map(PAGE, MAP_SHARED, fd, PAGE);
	char tail, byte;
	ssize_t stored;
	int behind, beyond;

	printf("1 byte from offset 0:     byte 0 is '%c', byte 4095 is '%c'\n"
	       "1 byte from offset 4096:  byte 0 is '%c'\n",
	       one[0], one[PAGE - 1], second[0]);
	claim("starts-at-offset", second[0] == '1');
	control("starts-at-offset", one[0] == '0');
	refuted("length-in-bytes", one[PAGE - 1] != '0');
	control("length-in-bytes", second[PAGE - 1] != '1');
	claim("offset-aligned", errno_of(mmap(NULL, 1, PROT_READ, MAP_SHARED,
					      fd, TAIL)) == EINVAL);
	control("offset-aligned", errno_of(mmap(NULL, 1, PROT_READ, MAP_SHARED,
						fd, 2 * PAGE)) == 0);
	claim("no-empty-map",
	      errno_of(mmap(NULL, 0, PROT_READ, MAP_SHARED, fd, 0)) == EINVAL);
	control("no-empty-map", one[0] == '0');

	tail = all[PAGE + TAIL];
	all[PAGE + TAIL] = 't';
	stored = pread(fd, &byte, 1, PAGE + TAIL);
	behind = spawn_fn(load, all + PAGE + TAIL, 5000).status;
	beyond = spawn_fn(load, all + 2 * PAGE, 5000).status;
	printf("file of %d bytes: the byte behind is %d, the page behind: "
	       "SIG%s\n",
	       PAGE + TAIL, tail,
	       WIFSIGNALED(beyond) ? sigabbrev_np(WTERMSIG(beyond)) : "-");
	claim("tail-is-zero", tail == 0 && stored == 0);
	control("tail-is-zero", all[PAGE + TAIL - 1] == '1');
	claim("beyond-is-sigbus", WTERMSIG(beyond) == SIGBUS);
	control("beyond-is-sigbus", behind == 0);
	close(fd);
}

static void which_addresses(void)
{
	const int anon = MAP_PRIVATE | MAP_ANONYMOUS;
	char *at = map(3 * PAGE, anon, -1, 0), *middle = at + PAGE;
	char kept;
	int again;

	memset(at, 'x', 3 * PAGE);
	claim("fixed-aligned",
	      errno_of(mmap(middle + 1, PAGE, PROT_READ, anon | MAP_FIXED, -1,
			    0)) == EINVAL);
	control("fixed-aligned",
		errno_of(mmap(middle + 1, PAGE, PROT_READ, anon, -1, 0)) == 0);

	again = errno_of(mmap(middle, PAGE, PROT_READ,
			      anon | MAP_FIXED_NOREPLACE, -1, 0));
	kept = *middle;
	must(mmap(middle, PAGE, PROT_READ, anon | MAP_FIXED, -1, 0));
	printf("three pages 'x'; MAP_FIXED_NOREPLACE on the second: %s, '%c'; "
	       "MAP_FIXED: %d\n",
	       verdict(again), kept, *middle);
	claim("fixed-discards",
	      at[PAGE - 1] == 'x' && *middle == 0 && at[2 * PAGE] == 'x');
	control("fixed-discards", kept == 'x');
	claim("noreplace-keeps", again == EEXIST && kept == 'x');
	must(munmap(middle, PAGE));
	control("noreplace-keeps",
		errno_of(mmap(middle, PAGE, PROT_READ,
			      anon | MAP_FIXED_NOREPLACE, -1, 0)) == 0);
	must(munmap(at, 3 * PAGE));
}

static void demo(void)
{
	int fd = numbered_file(PAGE);

	puts("Which types and flags go together");
	types(fd);
	flag_checks(fd);
	close(fd);
	puts("\nWho sees what");
	who_sees_a_store();
	who_sees_the_file();
	puts("\nWhat is behind anonymous memory");
	anonymous();
	puts("\nWhich bytes");
	which_bytes();
	puts("\nWhich addresses");
	which_addresses();
}

const struct lab lab = {
	.name = "mmap_flag_rules",
	.demo = demo,
};
