// SPDX-License-Identifier: MIT
/*
 * fd_passing - give an open file to another process.
 *
 * First a second process receives one, then the two lengths of the message
 * are tried byte by byte, then a receiver has too little room.
 */
#include "fd_passing.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/lab.h"
#include "common/proc.h"
#include "common/spawn.h"

enum { DEADLINE_MS = 5000, FAR_FD = 100 };
enum { HEADER = CMSG_LEN(0), TWO = CMSG_LEN(2 * sizeof(int)) };

void make_room(struct parcel *p, size_t room)
{
	/* Padding goes to the kernel too, so nothing stays undefined. */
	memset(p, 0, sizeof(*p));
	p->iov = (struct iovec){ &p->number, sizeof(p->number) };
	p->msg = (struct msghdr){ .msg_iov = &p->iov,
				  .msg_iovlen = 1,
				  .msg_control = &p->control,
				  .msg_controllen = room };
}

void pack_fds(struct parcel *p, int number, const int *fds, size_t n)
{
	const size_t len = n * sizeof(int);

	make_room(p, n ? CMSG_SPACE(len) : 0);
	p->number = number;
	if (n == 0)
		return;
	p->control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(len),
					    .cmsg_level = SOL_SOCKET,
					    .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(&p->control.head), fds, len);
}

size_t unpack_fds(struct parcel *p, int fds[FDS_MAX])
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(&p->msg); c;
	     c = CMSG_NXTHDR(&p->msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - HEADER) / sizeof(int);
		memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	}
	return n;
}

static void close_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

static void socket_pair(int sock[2])
{
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock));
}

static int memfd_of(const char *text)
{
	int fd = must(memfd_create("parcel", MFD_CLOEXEC));

	must(pwrite(fd, text, strlen(text), 0));
	return fd;
}

/* What the second process did with a message. */
struct answer {
	int error_of_number; /* of using the number that came as data */
	int lowest;	     /* free number before */
	int fd;		     /* received, or -1 */
	char text[7];	     /* read from it */
};

static int lowest_free(void)
{
	int fd = must(open("/", O_PATH | O_CLOEXEC));

	close(fd);
	return fd;
}

static int receiver(int sock)
{
	struct parcel p;
	int fds[FDS_MAX];

	for (;;) {
		struct answer a = { .lowest = lowest_free(), .fd = -1 };

		make_room(&p, CMSG_LEN(sizeof(int)));
		if (must(recvmsg(sock, &p.msg, 0)) == 0)
			return 0;
		if (unpack_fds(&p, fds) == 1) {
			a.fd = fds[0];
			must(read(a.fd, a.text, sizeof(a.text) - 1));
			close(a.fd);
		}
		a.error_of_number = errno_of(fcntl(p.number, F_GETFD));
		must(write(sock, &a, sizeof(a)));
	}
}

static struct answer ask(int sock, int number, const int *fds, size_t n)
{
	struct parcel p;
	struct answer a;

	pack_fds(&p, number, fds, n);
	must(sendmsg(sock, &p.msg, MSG_NOSIGNAL));
	if (must(read(sock, &a, sizeof(a))) != sizeof(a))
		die("the receiver is gone");
	return a;
}

static off_t offset(int fd)
{
	return must(lseek(fd, 0, SEEK_CUR));
}

static pid_t start_receiver(int *sock)
{
	int ends[2];
	pid_t pid;

	socket_pair(ends);
	pid = fork_tied();
	if (pid == 0) {
		close(ends[0]);
		_exit(receiver(ends[1]));
	}
	close(ends[1]);
	*sock = ends[0];
	return pid;
}

static void second_process(void)
{
	struct answer plain, passed, again;
	int sock, file, fd, reopened;
	char path[32];
	pid_t pid = start_receiver(&sock);

	/* Opened only now, and far up: the other process cannot have it. */
	file = memfd_of("first second third");
	fd = must(fcntl(file, F_DUPFD_CLOEXEC, FAR_FD));
	sprintf(path, "/proc/self/fd/%d", fd);
	reopened = must(open(path, O_RDONLY | O_CLOEXEC));

	plain = ask(sock, fd, NULL, 0);
	printf("sent only the number %d: %s there\n", fd,
	       errno_name(plain.error_of_number));
	passed = ask(sock, fd, &fd, 1);
	printf("sent descriptor %d:      %d there, reads \"%s\"; "
	       "offset here %ld\n",
	       fd, passed.fd, passed.text, (long)offset(fd));
	claim("crosses", passed.fd >= 0 && !strcmp(passed.text, "first "));
	control("crosses", plain.fd == -1 && plain.error_of_number == EBADF);
	claim("lowest-number",
	      passed.fd == passed.lowest && passed.error_of_number == EBADF);
	control("lowest-number", fd > lowest_free());
	claim("shared-offset", offset(fd) == 6);

	must(lseek(fd, 0, SEEK_SET));
	again = ask(sock, reopened, &reopened, 1);
	printf("sent a second open():     %d there, reads \"%s\"; "
	       "offset here %ld\n",
	       again.fd, again.text, (long)offset(fd));
	control("shared-offset",
		!strcmp(again.text, "first ") && offset(fd) == 0);

	close_all((int[]){ sock, file, fd, reopened }, 4);
	reap(pid, DEADLINE_MS);
}

/* One received row of ancillary data, told apart by type. */
struct row {
	size_t total, rights_len, creds_len;
	pid_t pid;
};

static struct row read_row(struct parcel *p)
{
	struct row row = { .total = p->msg.msg_controllen };
	struct ucred creds;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(&p->msg); c;
	     c = CMSG_NXTHDR(&p->msg, c)) {
		bool rights = c->cmsg_type == SCM_RIGHTS;

		printf("  at byte %2td: %-15s  cmsg_len %zu\n",
		       (char *)c - p->control.bytes,
		       rights ? "SCM_RIGHTS" : "SCM_CREDENTIALS", c->cmsg_len);
		if (rights) {
			row.rights_len = c->cmsg_len;
			continue;
		}
		row.creds_len = c->cmsg_len;
		memcpy(&creds, CMSG_DATA(c), sizeof(creds));
		row.pid = creds.pid;
	}
	printf("  msg_controllen: %zu given, %zu back\n", sizeof(p->control),
	       row.total);
	return row;
}

static struct row receive_row(int file, int pass_credentials)
{
	int sock[2], fds[FDS_MAX];
	struct parcel p;
	struct row row;

	socket_pair(sock);
	must(setsockopt(sock[1], SOL_SOCKET, SO_PASSCRED, &pass_credentials,
			sizeof(pass_credentials)));
	pack_fds(&p, 0, &file, 1);
	must(sendmsg(sock[0], &p.msg, 0));
	make_room(&p, sizeof(p.control));
	must(recvmsg(sock[1], &p.msg, 0));
	row = read_row(&p);
	close_all(fds, unpack_fds(&p, fds));
	close_all(sock, 2);
	return row;
}

static void headers(int file)
{
	struct row one, two;

	puts("received with one descriptor:");
	one = receive_row(file, 0);
	puts("the same on a socket with SO_PASSCRED:");
	two = receive_row(file, 1);
	claim("headers-in-a-row", two.rights_len && two.creds_len &&
					  two.pid == getpid() &&
					  two.total > one.total);
	control("headers-in-a-row", one.rights_len && !one.creds_len);
	claim("cmsg-len-is-bytes", one.rights_len == CMSG_LEN(sizeof(int)));
	metric("cmsg-len-of-one", one.rights_len, "bytes");
	metric("msg-controllen-of-one", one.total, "bytes");
	claim("value-result", one.total == CMSG_SPACE(sizeof(int)));
	control("value-result",
		two.total == CMSG_SPACE(sizeof(int)) +
				     CMSG_SPACE(sizeof(struct ucred)));
}

/* Send @p and receive with ample room: how many arrive, or -errno. */
static int arrivals(const struct parcel *p)
{
	struct parcel in;
	int sock[2], fds[FDS_MAX], n;

	socket_pair(sock);
	if (sendmsg(sock[0], &p->msg, 0) == -1) {
		n = -errno;
	} else {
		make_room(&in, sizeof(in.control));
		must(recvmsg(sock[1], &in.msg, 0));
		n = unpack_fds(&in, fds);
		close_all(fds, n);
	}
	close_all(sock, 2);
	return n;
}

enum { TRIED = TWO + 2 };

/* Print @n results, one line for each run of equal ones. */
static void print_runs(const char *what, const int *results, int n)
{
	puts(what);
	for (int from = 0, to; from < n; from = to + 1) {
		for (to = from; to + 1 < n && results[to + 1] == results[from];)
			to++;
		printf("  %2d..%-2d  ", from, to);
		if (results[from] < 0)
			puts(errno_name(-results[from]));
		else
			printf("succeeds, %d arrive\n", results[from]);
	}
}

static bool all_are(const int *results, int from, int to, int value)
{
	for (int i = from; i <= to; i++)
		if (results[i] != value)
			return false;
	return true;
}

static void lengths(int file)
{
	const int fds[] = { file, file };
	int by_controllen[TRIED], by_cmsg_len[TRIED], high_bit;
	struct parcel p;

	pack_fds(&p, 0, fds, 2);
	for (int len = 0; len <= TWO; len++) {
		p.msg.msg_controllen = len;
		by_controllen[len] = arrivals(&p);
	}
	print_runs("two descriptors, cmsg_len 24, msg_controllen is",
		   by_controllen, TWO + 1);
	p.msg.msg_controllen = TWO;
	for (int len = 0; len < TRIED; len++) {
		p.control.head.cmsg_len = len;
		by_cmsg_len[len] = arrivals(&p);
	}
	print_runs("two descriptors, msg_controllen 24, cmsg_len is",
		   by_cmsg_len, TRIED);
	p.control.head.cmsg_len = TWO | 1ul << 32;
	high_bit = arrivals(&p);
	printf("  24 with bit 32 set: %s\n", errno_name(-high_bit));

	refuted("controllen-is-entries", by_controllen[1] == 2);
	control("controllen-is-entries", by_controllen[TWO] == 2);
	claim("silently-none", all_are(by_controllen, 0, HEADER - 1, 0));
	control("silently-none", by_controllen[TWO] == 2);
	claim("cut-in-data", all_are(by_controllen, HEADER, TWO - 1, -EINVAL));
	control("cut-in-data", by_controllen[TWO] == 2);

	control("cmsg-len-is-bytes", by_cmsg_len[2 * sizeof(int)] == -EINVAL);
	claim("cmsg-len-out-of-range",
	      all_are(by_cmsg_len, 0, HEADER - 1, -EINVAL) &&
		      by_cmsg_len[TWO + 1] == -EINVAL);
	control("cmsg-len-out-of-range", by_cmsg_len[TWO] == 2);
	claim("cmsg-len-rounds-down",
	      all_are(by_cmsg_len, HEADER, HEADER + 3, 0) &&
		      all_are(by_cmsg_len, HEADER + 4, TWO - 1, 1));
	control("cmsg-len-rounds-down", by_cmsg_len[TWO] == 2);
	claim("cmsg-len-is-size-t", high_bit == -EINVAL);
	control("cmsg-len-is-size-t", by_cmsg_len[TWO] == 2);
}

/* What came of two descriptors in @room bytes. */
struct reception {
	int flags, n, open;	    /* msg_flags, received, open now */
	bool lowest, cloexec, lost; /* of the first; of the second */
	size_t controllen;
};

static bool hangs_up(int fd, int deadline_ms)
{
	struct pollfd wait = { fd, 0, 0 };

	return must(poll(&wait, 1, deadline_ms)) == 1 &&
	       (wait.revents & POLLHUP);
}

/*
 * The second descriptor is the only writer of a pipe, which hangs up once
 * nobody has it any more: neither this process nor a message on its way.
 */
static struct reception receive_two(int file, size_t room, int flags)
{
	int sock[2], pipes[2], fds[FDS_MAX], before, lowest;
	struct reception r = { 0 };
	struct parcel p;

	socket_pair(sock);
	must(pipe2(pipes, O_CLOEXEC));
	pack_fds(&p, 0, (int[]){ file, pipes[1] }, 2);
	must(sendmsg(sock[0], &p.msg, 0));
	close(pipes[1]);
	before = proc_count_fds();
	lowest = lowest_free();

	make_room(&p, room);
	must(recvmsg(sock[1], &p.msg, flags));
	r.open = proc_count_fds() - before;
	r.flags = p.msg.msg_flags;
	r.controllen = p.msg.msg_controllen;
	r.n = unpack_fds(&p, fds);
	r.lowest = r.n > 0 && fds[0] == lowest;
	r.cloexec = r.n > 0 && must(fcntl(fds[0], F_GETFD)) == FD_CLOEXEC;
	r.lost = hangs_up(pipes[0], r.n == 2 ? 0 : DEADLINE_MS);
	printf("%4zu %4zu  0x%08x  %11d  %12d  %s\n", room, r.controllen,
	       r.flags, r.n, r.open, r.lost ? "closed" : "open");
	close_all(fds, r.n);
	close_all((int[]){ sock[0], sock[1], pipes[0] }, 3);
	return r;
}

static void little_room(int file)
{
	const size_t len = CMSG_LEN(sizeof(int));
	const size_t space = CMSG_SPACE(sizeof(int));
	struct reception one, entry, both, ample, cloexec;

	puts("room used  msg_flags   descriptors  new in table  the second");
	entry = receive_two(file, 1, 0);
	one = receive_two(file, len, 0);
	both = receive_two(file, space, 0);
	ample = receive_two(file, 2 * space, 0);
	puts("with MSG_CMSG_CLOEXEC:");
	cloexec = receive_two(file, len, MSG_CMSG_CLOEXEC);

	claim("one-entry-of-room", entry.flags == MSG_CTRUNC && entry.n == 0);
	control("one-entry-of-room", ample.flags == 0 && ample.n == 2);
	claim("truncated", one.flags == MSG_CTRUNC && one.n == 1 && one.lowest);
	control("truncated", ample.flags == 0 && ample.n == 2);
	claim("none-leaked", one.open == 1 && one.lost);
	control("none-leaked", ample.open == 2 && !ample.lost);
	claim("space-for-one-takes-two", both.flags == 0 && both.n == 2);
	control("space-for-one-takes-two", one.n == 1);
	claim("cloexec", cloexec.cloexec && cloexec.flags == (MSG_CMSG_CLOEXEC |
							      MSG_CTRUNC));
	control("cloexec", !one.cloexec && one.flags == MSG_CTRUNC);
}

static void limits(int file)
{
	int fds[FDS_MAX], most, too_many, bad, sock[2];
	struct parcel p;
	char byte;

	for (int i = 0; i < FDS_MAX; i++)
		fds[i] = file;
	pack_fds(&p, 0, fds, FDS_MAX - 1);
	most = arrivals(&p);
	pack_fds(&p, 0, fds, FDS_MAX);
	too_many = arrivals(&p);
	printf("%d descriptors in one message: %d arrive; %d: %s\n",
	       FDS_MAX - 1, most, FDS_MAX, errno_name(-too_many));
	claim("at-most-253", too_many == -EINVAL);
	control("at-most-253", most == 253);
	metric("max-descriptors", most, "descriptors");

	fds[1] = -1;
	socket_pair(sock);
	pack_fds(&p, 0, fds, 2);
	bad = errno_of(sendmsg(sock[0], &p.msg, 0));
	printf("one of two is not open: %s\n", errno_name(bad));
	claim("all-or-nothing",
	      bad == EBADF && errno_of(recv(sock[1], &byte, 1, MSG_DONTWAIT)) ==
				      EAGAIN);
	pack_fds(&p, 0, fds, 1);
	must(sendmsg(sock[0], &p.msg, 0));
	control("all-or-nothing",
		errno_of(recv(sock[1], &byte, 1, MSG_DONTWAIT)) == 0);
	close_all(sock, 2);
}

static void in_flight(void)
{
	int sock[2], sent[2], kept[2];
	bool open, lost;
	struct parcel p;

	socket_pair(sock);
	must(pipe2(sent, O_CLOEXEC));
	must(pipe2(kept, O_CLOEXEC));
	pack_fds(&p, 0, &sent[1], 1);
	must(sendmsg(sock[0], &p.msg, 0));
	close(sent[1]);
	close(kept[1]);
	open = !hangs_up(sent[0], 0);
	close_all(sock, 2);
	lost = hangs_up(sent[0], DEADLINE_MS);
	printf("the sender closes it before it is received: %s\n",
	       open ? "open" : "closed");
	printf("both sockets closed, never received:        %s\n",
	       lost ? "closed" : "open");
	claim("open-in-flight", open);
	control("open-in-flight", hangs_up(kept[0], DEADLINE_MS));
	claim("lost-with-message", lost);
	control("lost-with-message", open);
	close_all((int[]){ sent[0], kept[0] }, 2);
}

static void demo(void)
{
	int before, file;

	puts("To another process");
	second_process();
	before = proc_count_fds();
	file = memfd_of("text");
	puts("\nAncillary data");
	headers(file);
	puts("\nTwo lengths, byte by byte");
	lengths(file);
	puts("\nA receiver with little room, and two descriptors");
	little_room(file);
	puts("\nLimits");
	limits(file);
	in_flight();
	close(file);
	printf("descriptors left open: %d\n", proc_count_fds() - before);
}

const struct lab lab = {
	.name = "fd_passing",
	.needs = NEEDS("memfd"),
	.demo = demo,
};
