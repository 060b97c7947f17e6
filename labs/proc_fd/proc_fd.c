// SPDX-License-Identifier: MIT
/*
 * proc_fd - the entries of /proc/PID/fd are doors to inodes, not names.
 *
 * First one of everything that a descriptor can be, then what happens if one
 * opens the link of each, and last what the folder shows to whom.
 */
#include "proc_fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/kernel.h"
#include "common/lab.h"
#include "common/proc.h"
#include "common/spawn.h"

enum { DEADLINE_MS = 5000, NOBODY = 65534 };

static const char secret[] = "still here";

static const char *fd_path(const char *folder, int fd, char out[64])
{
	sprintf(out, "/proc/self/%s/%d", folder, fd);
	return out;
}

const char *fd_target(int fd, char out[LINK_MAX_LEN])
{
	char path[64];
	ssize_t len =
		must(readlink(fd_path("fd", fd, path), out, LINK_MAX_LEN - 1));

	out[len] = '\0';
	return out;
}

int reopen(int fd, int flags)
{
	char path[64];

	return open(fd_path("fd", fd, path), flags | O_CLOEXEC);
}

bool parse_fdinfo(const char *text, struct fdinfo *info)
{
	return sscanf(text, "pos: %lld flags: %o", &info->pos,
		      (unsigned int *)&info->flags) == 2;
}

static struct fdinfo fdinfo(int fd)
{
	char path[64], text[512] = "";
	struct fdinfo info;
	int file = must(open(fd_path("fdinfo", fd, path), O_RDONLY));

	must(read(file, text, sizeof(text) - 1));
	close(file);
	if (!parse_fdinfo(text, &info))
		die("cannot read %s", path);
	return info;
}

static struct stat link_stat(int fd)
{
	char path[64];
	struct stat st;

	must(lstat(fd_path("fd", fd, path), &st));
	return st;
}

static mode_t link_mode(int fd)
{
	return link_stat(fd).st_mode & 0777;
}

/* The listing takes a descriptor too, often the number that was closed last. */
static bool is_listed(int fd)
{
	DIR *dir = must_ptr(opendir("/proc/self/fd"));
	bool found = false;

	for (struct dirent *e; (e = readdir(dir));)
		found |= e->d_name[0] != '.' && atoi(e->d_name) == fd &&
			 fd != dirfd(dir);
	closedir(dir);
	return found;
}

/* A file that has content and no name any more. */
static int deleted_file(void)
{
	int fd = must(
		open("letter", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));

	must(write(fd, secret, sizeof(secret)));
	must(unlink("letter"));
	return fd;
}

/* One of everything. */
enum { READ, WRITE, DELETED, TMP, MEMFD, FOLDER, PIPE, SOCKET, EVENT, KINDS };
static const char *const kinds[KINDS] = { "O_RDONLY",  "O_WRONLY", "deleted",
					  "O_TMPFILE", "memfd",	   "O_PATH",
					  "pipe",      "socket",   "eventfd" };

static void open_all(int fds[KINDS])
{
	int ends[2];

	fds[READ] = must(open("file", O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
	fds[WRITE] = must(open("/dev/null", O_WRONLY | O_CLOEXEC));
	fds[DELETED] = deleted_file();
	fds[TMP] = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	fds[MEMFD] = must(memfd_create("note", MFD_CLOEXEC));
	fds[FOLDER] = must(open("/", O_PATH | O_CLOEXEC));
	must(pipe2(ends, O_CLOEXEC | O_NONBLOCK));
	fds[PIPE] = ends[0]; /* the other end stays open, too */
	fds[SOCKET] = must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	fds[EVENT] = must(eventfd(0, EFD_CLOEXEC));
}

static void print_row(const char *kind, int fd)
{
	char target[LINK_MAX_LEN];
	struct fdinfo info = fdinfo(fd);
	int again = reopen(fd, O_RDONLY | O_NONBLOCK);

	printf("%3d %-9s %04o %4ld %4lld %8o %-6s %s\n", fd, kind,
	       link_mode(fd), (long)link_stat(fd).st_size, info.pos, info.flags,
	       again == -1 ? errno_name(errno) : "works",
	       fd_target(fd, target));
	if (again != -1)
		close(again);
}

static void what_is_listed(const int fds[KINDS])
{
	struct stat folder, fdinfos;
	bool all = true;
	int extra, count;

	printf("%3s %-9s %4s %4s %4s %8s %-6s %s\n", "fd", "kind", "mode",
	       "size", "pos", "flags", "open", "target");
	for (int i = 0; i < KINDS; i++) {
		if (fds[i] == -1)
			continue;
		print_row(kinds[i], fds[i]);
		all &= is_listed(fds[i]);
	}
	claim("lists-what-is-open", all);
	extra = must(dup(fds[READ]));
	must(close(extra));
	control("lists-what-is-open", !is_listed(extra));

	must(stat("/proc/self/fd", &folder));
	must(stat("/proc/self/fdinfo", &fdinfos));
	count = proc_count_fds();
	printf("st_size of /proc/self/fd: %ld; entries: %d\n",
	       (long)folder.st_size, count);
	claim("folder-size-counts",
	      folder.st_size == (kernel_since(6, 2) ? count : 0));
	control("folder-size-counts", fdinfos.st_size == 0);
}

static void what_a_link_tells(const int fds[KINDS])
{
	struct stat plain;
	int flags = must(fcntl(fds[READ], F_GETFL));

	must(symlink("far/away", "symlink"));
	must(lstat("symlink", &plain));
	must(unlink("symlink"));
	claim("mode-is-access", link_mode(fds[READ]) == 0500 &&
					link_mode(fds[WRITE]) == 0300 &&
					link_mode(fds[MEMFD]) == 0700 &&
					link_mode(fds[FOLDER]) == 0);
	control("mode-is-access", (plain.st_mode & 0777) == 0777);
	claim("size-is-64", link_stat(fds[READ]).st_size == 64 &&
				    link_stat(fds[FOLDER]).st_size == 64);
	control("size-is-64", plain.st_size == strlen("far/away"));

	claim("fdinfo-pos-flags",
	      fdinfo(fds[READ]).pos == 1000 &&
		      fdinfo(fds[READ]).flags == (flags | O_CLOEXEC));
	must(lseek(fds[READ], 0, SEEK_SET));
	must(fcntl(fds[READ], F_SETFD, 0));
	control("fdinfo-pos-flags",
		fdinfo(fds[READ]).pos == 0 && fdinfo(fds[READ]).flags == flags);
}

static bool same_inode(int a, int b)
{
	struct stat st[2];

	must(fstat(a, &st[0]));
	must(fstat(b, &st[1]));
	return st[0].st_dev == st[1].st_dev && st[0].st_ino == st[1].st_ino;
}

/* The text of a link is a guess at a path; the link leads to the inode. */
static void recover_deleted(void)
{
	int fd = deleted_file(), again = must(reopen(fd, O_RDONLY));
	int namesake = must(open("letter", O_RDWR | O_CREAT | O_EXCL, 0600));
	char target[LINK_MAX_LEN], got[sizeof(secret)] = "";
	int by_text = errno_of(open(fd_target(fd, target), O_RDONLY));

	must(read(again, got, sizeof(got)));
	printf("the link says:       %s\n", target);
	printf("open of that text:   %s\n", errno_name(by_text));
	printf("open of the link:    \"%s\"\n", got);
	claim("deleted-is-readable", !strcmp(got, secret));
	control("deleted-is-readable", read(namesake, got, sizeof(got)) == 0);
	claim("not-its-text", by_text == ENOENT && same_inode(fd, again));
	control("not-its-text",
		errno_of(open(fd_target(namesake, target), O_RDONLY)) == 0 &&
			!same_inode(fd, namesake));
	must(unlink("letter"));
}

static int compare_files(int a, int b)
{
	return syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, a, b);
}

static void two_offsets(void)
{
	int fd = deleted_file(), copy = must(dup(fd));
	int again = must(reopen(fd, O_RDWR)), read_only;
	long at_copy, at_again;

	must(lseek(fd, 3, SEEK_SET));
	at_copy = must(lseek(copy, 0, SEEK_CUR));
	at_again = must(lseek(again, 0, SEEK_CUR));
	printf("lseek to 3:          dup is at %ld, the link's at %ld\n",
	       at_copy, at_again);
	claim("own-offset", at_again == 0 && same_inode(fd, again));
	control("own-offset", at_copy == 3);

	if (errno_of(compare_files(fd, fd)) != 0) {
		claim_skip("own-description", "kcmp(2)", errno_name(errno),
			   "a kernel with CONFIG_KCMP");
	} else {
		claim("own-description", compare_files(fd, again) > 0);
		control("own-description", compare_files(fd, copy) == 0);
	}

	read_only = must(reopen(fd, O_RDONLY));
	again = must(reopen(read_only, O_RDWR));
	claim("gains-write", errno_of(write(again, "S", 1)) == 0);
	control("gains-write", errno_of(write(read_only, "S", 1)) == EBADF);
}

static void pipe_and_socket(const int fds[KINDS])
{
	int in = must(reopen(fds[PIPE], O_WRONLY));
	char got = 0;

	must(write(in, "x", 1));
	must(read(fds[PIPE], &got, 1));
	claim("pipe-opens", got == 'x');
	control("pipe-opens", errno_of(write(fds[PIPE], "x", 1)) == EBADF);
	claim("socket-refuses", errno_of(reopen(fds[SOCKET], O_RDWR)) == ENXIO);
	control("socket-refuses", errno_of(reopen(fds[MEMFD], O_RDWR)) == 0);
}

/* readlink(2) of the entry NAME in the open folder @dir. */
static int entry_errno(int dir, int fd)
{
	char name[16], target[LINK_MAX_LEN];

	sprintf(name, "%d", fd);
	return errno_of(readlinkat(dir, name, target, sizeof(target)));
}

static void closed_while_listing(void)
{
	int doomed = must(dup(STDOUT_FILENO)), before;
	DIR *dir = must_ptr(opendir("/proc/self/fd"));
	struct dirent *e = readdir(dir);

	while (e && atoi(e->d_name) != doomed)
		e = readdir(dir);
	before = entry_errno(dirfd(dir), doomed);
	close(doomed);
	printf("listed, then closed: %s\n",
	       errno_name(entry_errno(dirfd(dir), doomed)));
	claim("closed-while-listing",
	      e && entry_errno(dirfd(dir), doomed) == ENOENT);
	control("closed-while-listing", before == 0);
	closedir(dir);
}

/* Whether /proc/self/map_files has an entry for what is mapped at @address. */
static bool is_mapped_file(const void *address)
{
	DIR *dir = must_ptr(opendir("/proc/self/map_files"));
	bool found = false;

	for (struct dirent *e; (e = readdir(dir));)
		found |= e->d_name[0] != '.' &&
			 strtoul(e->d_name, NULL, 16) == (uintptr_t)address;
	closedir(dir);
	return found;
}

static void mapped_only(void)
{
	int fd = deleted_file();
	char *map = must(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0));

	close(fd);
	printf("mapped, then closed: fd %s, map_files %s, \"%s\"\n",
	       is_listed(fd) ? "yes" : "no", is_mapped_file(map) ? "yes" : "no",
	       map);
	claim("mapping-is-not-listed", !is_listed(fd) && is_mapped_file(map));
	must(munmap(map, 4096));
	control("mapping-is-not-listed", !is_mapped_file(map));
}

/* As @arg, a user, look at our parent's descriptors; the errno. */
static int look_as(void *arg)
{
	const uid_t *uid = arg;
	char path[64];

	sprintf(path, "/proc/%d/fd", getppid());
	must(setresuid(*uid, *uid, *uid));
	return errno_of(open(path, O_RDONLY | O_DIRECTORY));
}

static void other_user(void)
{
	uid_t self = geteuid(), nobody = NOBODY;
	int as_self, as_nobody;

	if (self != 0) {
		claim_skip("other-user", "root, to become another user",
			   "an ordinary one", "run it with sudo");
		return;
	}
	as_self = spawn_fn(look_as, &self, DEADLINE_MS).status;
	as_nobody = spawn_fn(look_as, &nobody, DEADLINE_MS).status;
	printf("another user looks:  %s\n", errno_name(WEXITSTATUS(as_nobody)));
	claim("other-user", WEXITSTATUS(as_nobody) == EACCES);
	control("other-user", as_self == 0);
}

static void demo(void)
{
	int fds[KINDS];

	puts("One of everything, as /proc/self/fd shows it");
	open_all(fds);
	must(lseek(fds[READ], 1000, SEEK_SET));
	what_is_listed(fds);
	what_a_link_tells(fds);
	puts("\nThrough the door");
	recover_deleted();
	two_offsets();
	pipe_and_socket(fds);
	puts("\nWhat the folder does not show, and to whom");
	closed_while_listing();
	mapped_only();
	other_user();
	must(unlink("file"));
}

const struct lab lab = {
	.name = "proc_fd",
	.demo = demo,
};
