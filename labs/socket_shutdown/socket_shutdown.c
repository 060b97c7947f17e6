// SPDX-License-Identifier: MIT
/*
 * socket_shutdown - close one direction of a connection, and see who notices.
 *
 * The same steps on TCP, UNIX and UDP sockets. Behind each stands what poll
 * says at both ends and, for TCP, in which state they are.
 */
#include "socket_shutdown.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/lab.h"
#include "common/spawn.h"

enum { DEADLINE_S = 5 };

static int new_socket(int type)
{
	return must(socket(AF_INET, type | SOCK_CLOEXEC, 0));
}

/* Bind @fd to a free port of the loopback device; returns its address. */
static struct sockaddr_in bind_loopback(int fd)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(bind(fd, (struct sockaddr *)&addr, len));
	must(getsockname(fd, (struct sockaddr *)&addr, &len));
	return addr;
}

static void connect_to(int fd, struct sockaddr_in addr)
{
	must(connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
}

struct pair tcp_pair(void)
{
	int listener = new_socket(SOCK_STREAM);
	struct sockaddr_in addr = bind_loopback(listener);
	struct pair p = { .a = new_socket(SOCK_STREAM) };

	must(listen(listener, 1));
	connect_to(p.a, addr);
	p.b = must(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	close(listener);
	return p;
}

struct pair unix_pair(void)
{
	int fds[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	return (struct pair){ fds[0], fds[1] };
}

struct pair udp_pair(void)
{
	struct pair p = { new_socket(SOCK_DGRAM), new_socket(SOCK_DGRAM) };
	struct sockaddr_in a = bind_loopback(p.a), b = bind_loopback(p.b);

	connect_to(p.a, b);
	connect_to(p.b, a);
	return p;
}

static void close_pair(struct pair p)
{
	close(p.a);
	close(p.b);
}

/* All 0 for a socket that is not TCP's. */
static struct tcp_info tcp_info(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == -1)
		return (struct tcp_info){ 0 };
	return info;
}

int tcp_state(int fd)
{
	return tcp_info(fd).tcpi_state;
}

const char *state_name(int state)
{
	static const char *const names[] = {
		"-",	      "ESTABLISHED", "SYN_SENT",  "SYN_RECV",
		"FIN_WAIT1",  "FIN_WAIT2",   "TIME_WAIT", "CLOSE",
		"CLOSE_WAIT", "LAST_ACK",    "LISTEN",	  "CLOSING",
	};

	return names[state > 0 && state < (int)ARRAY_SIZE(names) ? state : 0];
}

int poll_bits(int fd)
{
	struct pollfd ask = { fd, POLLIN | POLLRDHUP, 0 };

	must(poll(&ask, 1, 0));
	return ask.revents;
}

const char *poll_names(int bits, char out[POLL_NAMES_MAX])
{
	static const struct {
		int bit;
		const char *name;
	} table[] = {
		{ POLLIN, " IN" },
		{ POLLRDHUP, " RDHUP" },
		{ POLLERR, " ERR" },
		{ POLLHUP, " HUP" },
	};
	char joined[POLL_NAMES_MAX] = "";

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (bits & table[i].bit)
			strcat(joined, table[i].name);
	return strcpy(out, *joined ? joined + 1 : "-");
}

/* Wait until the other end has acknowledged all that @fd has sent. */
static void settle(int fd)
{
	uint64_t deadline = now_ns() + DEADLINE_S * 1000000000ull;
	int unsent = 1;

	for (;;) {
		int state = tcp_state(fd);

		if (state == 0 || state == CLOSED)
			return;
		must(ioctl(fd, SIOCOUTQ, &unsent));
		if (!unsent)
			return;
		if (now_ns() > deadline)
			die("%d bytes are never acknowledged", unsent);
		poll(NULL, 0, 1);
	}
}

static volatile sig_atomic_t sigpipes;

static void on_sigpipe(int sig)
{
	(void)sig;
	sigpipes++;
}

/* Whether SIGPIPE came with the last step. */
static bool signalled;
static bool plotting;

/*
 * Show what @call on one end of @p returned, and what both ends say now.
 * Returns @ret, or -errno.
 */
static long step(struct pair p, const char *call, long ret)
{
	static int seen, steps;
	char result[20], a[POLL_NAMES_MAX], b[POLL_NAMES_MAX];

	ret = ret == -1 ? -errno : ret;
	signalled = sigpipes > seen;
	seen = sigpipes;
	settle(p.a);
	settle(p.b);
	if (ret < 0)
		snprintf(result, sizeof(result), "%s%s", errno_name(-ret),
			 signalled ? " SIGPIPE" : "");
	else
		snprintf(result, sizeof(result), "%ld", ret);
	printf("%-16s %-13s  %-11s %-16s %-11s %s\n", call, result,
	       state_name(tcp_state(p.a)), poll_names(poll_bits(p.a), a),
	       state_name(tcp_state(p.b)), poll_names(poll_bits(p.b), b));
	steps = plotting ? steps + 1 : 0;
	if (plotting) {
		point("a", steps, tcp_state(p.a));
		point("b", steps, tcp_state(p.b));
	}
	return ret;
}

static void header(const char *title)
{
	printf("\n%s\n%-16s %-13s  %-28s %s\n", title, "", "", "a: state, poll",
	       "b: state, poll");
}

static long put(int fd, const char *text)
{
	return send(fd, text, strlen(text), 0);
}

static long get(int fd, int flags)
{
	char bytes[64];

	return recv(fd, bytes, sizeof(bytes), flags);
}

static void tcp_read_side(void)
{
	struct pair p = tcp_pair();
	long empty, queued, eof, sent, later, back;

	header("TCP: a closes its reading side");
	empty = step(p, "a recv, DONTWAIT", get(p.a, MSG_DONTWAIT));
	step(p, "b send \"queued\"", put(p.b, "queued"));
	step(p, "a shutdown RD", shutdown(p.a, SHUT_RD));
	queued = step(p, "a recv", get(p.a, 0));
	eof = step(p, "a recv", get(p.a, 0));
	claim("rd-keeps-queue", queued == 6 && eof == 0);
	control("rd-keeps-queue", empty == -EAGAIN);

	sent = step(p, "b send \"later\"", put(p.b, "later"));
	later = step(p, "a recv", get(p.a, 0));
	refuted("rd-forbids-receiving", later == 0);
	back = step(p, "a send \"back\"", put(p.a, "back"));
	claim("rd-leaves-sending", back == 4 && get(p.b, 0) == 4);
	claim("rd-not-told", sent == 5 && poll_bits(p.b) == 0 &&
				     tcp_state(p.b) == ESTABLISHED);
	must(shutdown(p.a, SHUT_WR));
	settle(p.a);
	control("rd-not-told", poll_bits(p.b) == (POLLIN | POLLRDHUP) &&
				       tcp_state(p.b) == CLOSE_WAIT);
	control("rd-leaves-sending", errno_of(put(p.a, "back")) == EPIPE);
	close_pair(p);
}

/* How many segments @how makes the end of a new connection send. */
static unsigned int segments_of(int how)
{
	struct pair p = tcp_pair();
	unsigned int before = tcp_info(p.a).tcpi_segs_out, after;

	must(shutdown(p.a, how));
	after = tcp_info(p.a).tcpi_segs_out;
	close_pair(p);
	return after - before;
}

static void segments(void)
{
	unsigned int rd = segments_of(SHUT_RD), wr = segments_of(SHUT_WR);

	printf("\nsegments that shutdown(2) sends: SHUT_RD %u, SHUT_WR %u\n",
	       rd, wr);
	claim("wr-sends-fin", wr > 0);
	control("wr-sends-fin", rd == 0);
}

static void tcp_write_side(void)
{
	struct pair p = tcp_pair();
	long request, refused, got, eof, answer, empty;

	header("TCP: a closes its writing side");
	plotting = true;
	step(p, "(connected)", 0);
	request = step(p, "a send \"request\"", put(p.a, "request"));
	control("wr-epipe", request == 7 && !signalled);
	step(p, "a shutdown WR", shutdown(p.a, SHUT_WR));
	refused = step(p, "a send \"more\"", put(p.a, "more"));
	claim("wr-epipe", refused == -EPIPE && signalled);

	got = step(p, "b recv", get(p.b, 0));
	eof = step(p, "b recv", get(p.b, 0));
	claim("wr-is-eof", got == 7 && eof == 0);
	empty = step(p, "a recv, DONTWAIT", get(p.a, MSG_DONTWAIT));
	step(p, "b send \"answer\"", put(p.b, "answer"));
	answer = step(p, "a recv", get(p.a, 0));
	claim("half-closed-answers", answer == 6);
	claim("one-is-rdhup",
	      poll_bits(p.a) == 0 && poll_bits(p.b) == (POLLIN | POLLRDHUP));
	step(p, "b shutdown WR", shutdown(p.b, SHUT_WR));
	control("wr-is-eof", empty == -EAGAIN);
	control("one-is-rdhup", poll_bits(p.a) & poll_bits(p.b) & POLLHUP);
	plotting = false;
	close_pair(p);
}

static void tcp_both_sides(void)
{
	struct pair p = tcp_pair();
	long out, in, answer, reset;
	int before, bits;

	header("TCP: a closes both sides");
	step(p, "a shutdown RDWR", shutdown(p.a, SHUT_RDWR));
	before = poll_bits(p.b);
	out = step(p, "a send \"more\"", put(p.a, "more"));
	in = step(p, "a recv, DONTWAIT", get(p.a, MSG_DONTWAIT));
	claim("rdwr-is-both", out == -EPIPE && in == 0);
	answer = step(p, "b send \"answer\"", put(p.b, "answer"));
	bits = poll_bits(p.b);
	control("half-closed-answers", errno_of(get(p.a, 0)) == ECONNRESET);
	reset = step(p, "b send \"answer\"", put(p.b, "answer"));
	claim("rdwr-resets",
	      answer == 6 && (bits & ~before) & POLLERR && reset == -EPIPE);
	close_pair(p);

	p = tcp_pair();
	must(shutdown(p.a, SHUT_WR));
	control("rdwr-is-both", errno_of(get(p.a, MSG_DONTWAIT)) == EAGAIN);
	control("rdwr-resets", put(p.b, "1") == 1 && get(p.a, 0) == 1 &&
				       put(p.b, "2") == 1 && get(p.a, 0) == 1);
	close_pair(p);
}

static void unix_read_side(void)
{
	struct pair p = unix_pair();
	long before, got, eof, refused, back;
	bool killed;

	header("UNIX: a closes its reading side");
	before = step(p, "b send \"queued\"", put(p.b, "queued"));
	step(p, "a shutdown RD", shutdown(p.a, SHUT_RD));
	refused = step(p, "b send \"later\"", put(p.b, "later"));
	killed = signalled;
	got = step(p, "a recv", get(p.a, 0));
	eof = step(p, "a recv", get(p.a, 0));
	back = step(p, "a send \"back\"", put(p.a, "back"));
	claim("unix-tells-peer", refused == -EPIPE && killed && back == 4);
	control("unix-tells-peer", before == 6);
	claim("unix-keeps-queue", got == 6 && eof == 0);
	control("rd-forbids-receiving", refused == -EPIPE && eof == 0);
	close_pair(p);

	p = unix_pair();
	control("unix-keeps-queue", errno_of(get(p.a, MSG_DONTWAIT)) == EAGAIN);
	close_pair(p);
}

static void udp(void)
{
	struct pair p = udp_pair();
	struct pair lone = { new_socket(SOCK_DGRAM), p.b };
	long before, eof, empty, later, refused, error;
	int bits;

	header("UDP: a closes one side, then the other");
	before = step(p, "a send \"before\"", put(p.a, "before"));
	control("udp-wr", before == 6);
	control("udp-rd", errno_of(get(p.a, MSG_DONTWAIT)) == EAGAIN &&
				  poll_bits(p.a) == 0);
	step(p, "a shutdown RD", shutdown(p.a, SHUT_RD));
	eof = step(p, "a recv", get(p.a, 0));
	empty = step(p, "a recv, DONTWAIT", get(p.a, MSG_DONTWAIT));
	step(p, "b send \"later\"", put(p.b, "later"));
	later = step(p, "a recv", get(p.a, 0));
	claim("udp-rd", eof == 0 && empty == -EAGAIN && later == 5 &&
				poll_bits(p.a) == (POLLIN | POLLRDHUP));
	step(p, "a shutdown WR", shutdown(p.a, SHUT_WR));
	refused = step(p, "a send \"more\"", put(p.a, "more"));
	claim("udp-wr", refused == -EPIPE && !signalled);
	close(p.a);

	bind_loopback(lone.a);
	puts("The same for a that was never connected");
	bits = poll_bits(lone.a);
	error = step(lone, "a shutdown RD", shutdown(lone.a, SHUT_RD));
	claim("fails-and-works",
	      error == -ENOTCONN && poll_bits(lone.a) == (POLLIN | POLLRDHUP) &&
		      get(lone.a, 0) == 0);
	control("fails-and-works", bits == 0);
	close_pair(lone);
}

static int shut_writing(void *fd)
{
	return errno_of(shutdown(*(int *)fd, SHUT_WR));
}

static int just_close(void *fd)
{
	return errno_of(close(*(int *)fd));
}

/* The errno of a send after @fn has been at a copy of the descriptor. */
static int send_after(int (*fn)(void *), bool in_child)
{
	struct pair p = tcp_pair();
	int copy = must(dup(p.a)), error;

	if (in_child)
		must_zero(spawn_fn(fn, &copy, DEADLINE_S * 1000).status);
	else
		must_zero(fn(&copy));
	error = errno_of(send(p.a, "more", 4, MSG_NOSIGNAL));
	close_pair(p);
	if (in_child || fn == shut_writing)
		close(copy);
	return error;
}

static void copies(void)
{
	int closed = send_after(just_close, false);
	int shut = send_after(shut_writing, false);
	int closed_there = send_after(just_close, true);
	int shut_there = send_after(shut_writing, true);

	puts("\nsend(2) on a, after ...      close      shutdown WR");
	printf("  of its dup                 %-10s %s\n", errno_name(closed),
	       errno_name(shut));
	printf("  in a child                 %-10s %s\n",
	       errno_name(closed_there), errno_name(shut_there));
	claim("dup-is-hit", shut == EPIPE);
	control("dup-is-hit", closed == 0);
	claim("fork-is-hit", shut_there == EPIPE);
	control("fork-is-hit", closed_there == 0);
}

static void errors(void)
{
	struct pair p = tcp_pair();
	int fresh = new_socket(SOCK_STREAM), pipes[2];
	int no_peer, no_socket, bad_how, good;

	must(pipe2(pipes, O_CLOEXEC));
	no_peer = errno_of(shutdown(fresh, SHUT_WR));
	no_socket = errno_of(shutdown(pipes[1], SHUT_WR));
	bad_how = errno_of(shutdown(p.a, 3));
	good = errno_of(shutdown(p.a, SHUT_RDWR));
	printf("\nnever connected: %s   a pipe: %s   how = 3: %s   how = 2: "
	       "%s\n",
	       errno_name(no_peer), errno_name(no_socket), errno_name(bad_how),
	       errno_name(good));
	claim("not-connected", no_peer == ENOTCONN);
	claim("not-a-socket", no_socket == ENOTSOCK);
	claim("how-is-checked", bad_how == EINVAL);
	control("not-connected", good == 0);
	control("not-a-socket", good == 0);
	control("how-is-checked", good == 0);
	close_pair(p);
	close_pair((struct pair){ pipes[0], pipes[1] });
	close(fresh);
}

static void demo(void)
{
	const struct sigaction count = { .sa_handler = on_sigpipe };

	must(sigaction(SIGPIPE, &count, NULL));
	alarm(30); /* should a recv wait after all */
	tcp_read_side();
	tcp_write_side();
	segments();
	tcp_both_sides();
	unix_read_side();
	udp();
	copies();
	errors();
}

const struct lab lab = {
	.name = "socket_shutdown",
	.demo = demo,
};
