// SPDX-License-Identifier: MIT
/*
 * listen_backlog_refused - what a client sees of a server that is too busy,
 * and of one that is not there.
 *
 * Queues of several lengths are filled beyond their ends. Then who gets in
 * late, who only believes to be in, and which clients are refused at last.
 */
#include "listen_backlog_refused.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/lab.h"
#include "common/proc.h"
#include "common/spawn.h"

enum { CLIENTS = 12, DEADLINE_MS = 20000 };
enum { ESTABLISHED = 1, SYN_SENT = 2 }; /* of tcpi_state */

unsigned int places(int backlog, unsigned int somaxconn)
{
	/* A negative one is a very large one. */
	unsigned int limit = backlog;

	return (limit < somaxconn ? limit : somaxconn) + 1;
}

int bound_socket(int domain, int type, struct address *addr)
{
	int fd = must(socket(domain, type | SOCK_CLOEXEC, 0));
	struct sockaddr_in *in = (struct sockaddr_in *)&addr->bytes;

	*addr = (struct address){ .bytes.ss_family = domain };
	/* To bind a UNIX socket without a name gives it one. */
	addr->len = domain == AF_INET ? sizeof(*in) : sizeof(sa_family_t);
	if (domain == AF_INET)
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(bind(fd, (struct sockaddr *)&addr->bytes, addr->len));
	addr->len = sizeof(addr->bytes);
	must(getsockname(fd, (struct sockaddr *)&addr->bytes, &addr->len));
	return fd;
}

int connect_to(int fd, const struct address *addr)
{
	return errno_of(
		connect(fd, (const struct sockaddr *)&addr->bytes, addr->len));
}

static struct tcp_info tcp_info(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	must(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len));
	return info;
}

unsigned int queue_length(int listener)
{
	return tcp_info(listener).tcpi_unacked;
}

unsigned int queue_limit(int listener)
{
	return tcp_info(listener).tcpi_sacked;
}

static int listen_on(int domain, int backlog, struct address *addr)
{
	int fd = bound_socket(domain, SOCK_STREAM, addr);

	must(listen(fd, backlog));
	return fd;
}

/* How many packets, such as SYNs, @listener has thrown away. */
static unsigned int dropped(int listener)
{
	uint32_t info[SK_MEMINFO_VARS];
	socklen_t len = sizeof(info);

	must(getsockopt(listener, SOL_SOCKET, SO_MEMINFO, info, &len));
	return info[SK_MEMINFO_DROPS];
}

static int new_client(int domain)
{
	return must(
		socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

/* What became of it shows later. */
static int start_client(const struct address *addr)
{
	int fd = new_client(AF_INET);

	connect_to(fd, addr);
	return fd;
}

/* Look at what has no event to wait for, until it is so or time is up. */
#define await(cond)                                                            \
	for (uint64_t start = now_ns();                                        \
	     !(cond) && now_ns() - start < DEADLINE_MS * 1000000ull;           \
	     poll(NULL, 0, 1))

static bool is_state(int fd, int state)
{
	return tcp_info(fd).tcpi_state == state;
}

static int pending_error(int fd)
{
	socklen_t len = sizeof(int);
	int error;

	must(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len));
	return error;
}

static void close_all(const int *fds, size_t n)
{
	while (n)
		close(fds[--n]);
}

/* How CLIENTS clients fared that came one after the other. */
struct counts {
	int connected, silent, again, refused;
};

static struct counts unix_clients(int listener, const struct address *addr,
				  bool accepted)
{
	struct counts n = { 0 };
	int fds[CLIENTS];

	for (int i = 0; i < CLIENTS; i++) {
		int error = connect_to(fds[i] = new_client(AF_UNIX), addr);

		n.connected += error == 0;
		n.again += error == EAGAIN;
		n.refused += error == ECONNREFUSED;
		if (accepted)
			close(must(accept(listener, NULL, NULL)));
	}
	close_all(fds, CLIENTS);
	return n;
}

static struct counts tcp_clients(int listener, const struct address *addr,
				 bool accepted)
{
	struct counts n = { 0 };
	int fds[CLIENTS], peers[CLIENTS];

	for (int i = 0; i < CLIENTS; i++) {
		fds[i] = start_client(addr);
		/* Each is dealt with before the next comes. */
		await(accepted || pending_error(fds[i]) ||
		      queue_length(listener) + dropped(listener) > (unsigned)i);
		if (accepted)
			peers[i] = must(accept(listener, NULL, NULL));
	}
	for (int i = 0; i < CLIENTS; i++) {
		n.connected += is_state(fds[i], ESTABLISHED);
		n.silent += is_state(fds[i], SYN_SENT);
	}
	n.refused = CLIENTS - n.connected - n.silent;
	close_all(fds, CLIENTS);
	close_all(peers, accepted ? CLIENTS : 0);
	return n;
}

static void print_counts(const char *kind, int backlog, struct counts n)
{
	printf("%-4s %7d  %9d %6d %6d %7d", kind, backlog, n.connected,
	       n.silent, n.again, n.refused);
}

static void fill_queues(void)
{
	static const int backlogs[] = { 0, 1, 3, 7 };
	bool tcp_more = true, unix_more = true, silent = true, shown = true;
	bool at_most = true;
	int refused = 0;

	printf("%d clients each, and nobody accepts\n"
	       "     backlog  connected silent EAGAIN refused  "
	       "unacked sacked dropped\n",
	       CLIENTS);
	for (size_t i = 0; i < ARRAY_SIZE(backlogs); i++) {
		int backlog = backlogs[i], rest = CLIENTS - backlog - 1;
		struct address addr, path;
		int inet = listen_on(AF_INET, backlog, &addr);
		int local = listen_on(AF_UNIX, backlog, &path);
		struct counts tcp = tcp_clients(inet, &addr, false);
		struct counts un = unix_clients(local, &path, false);
		int length = queue_length(inet), limit = queue_limit(inet);
		int drops = dropped(inet);

		print_counts("TCP", backlog, tcp);
		printf("  %7d %6d %7d\n", length, limit, drops);
		print_counts("UNIX", backlog, un);
		puts("");
		point("connected", backlog, tcp.connected);
		tcp_more &= tcp.connected == backlog + 1;
		silent &= tcp.silent == rest && drops == rest;
		shown &= length == tcp.connected && limit == backlog;
		unix_more &= un.connected == backlog + 1 && un.again == rest;
		at_most &= tcp.connected <= backlog && un.connected <= backlog;
		refused += tcp.refused + un.refused;
		close_all((int[]){ inet, local }, 2);
	}
	claim("one-more", tcp_more);
	claim("silence", silent);
	claim("unix-one-more", unix_more);
	claim("info-shows-queue", shown);
	refuted("at-most-backlog", at_most);
	no_control("at-most-backlog", "no setting takes the last place away");
	refuted("full-refuses", refused > 0);
}

/* The same where the queue is never full, or not there. */
static void without_queue(void)
{
	struct address addr, path, closed;
	int inet = listen_on(AF_INET, 0, &addr);
	int local = listen_on(AF_UNIX, 0, &path);
	int deaf = bound_socket(AF_UNIX, SOCK_STREAM, &closed);
	struct counts tcp = tcp_clients(inet, &addr, true);
	struct counts un = unix_clients(local, &path, true);
	struct counts n = unix_clients(deaf, &closed, false);

	puts("each client accepted at once; then nobody listens");
	print_counts("TCP", 0, tcp);
	printf("  %7u %6u %7u\n", queue_length(inet), queue_limit(inet),
	       dropped(inet));
	print_counts("UNIX", 0, un);
	puts("");
	print_counts("UNIX", 0, n);
	puts("");
	control("one-more", tcp.connected == CLIENTS);
	control("silence", tcp.silent == 0 && dropped(inet) == 0);
	control("unix-one-more", un.connected == CLIENTS);
	control("info-shows-queue", queue_length(inet) == 0);
	control("full-refuses", n.refused == CLIENTS);
	close_all((int[]){ inet, local, deaf }, 3);
}

static void limits(void)
{
	static const int backlogs[] = { 3, INT_MAX, -1 };
	unsigned int max = proc_long("/proc/sys/net/core/somaxconn"), got[3];
	struct address addr;
	int fd;

	printf("\nsomaxconn %u\n", max);
	for (int i = 0; i < 3; i++) {
		fd = listen_on(AF_INET, backlogs[i], &addr);
		got[i] = queue_limit(fd);
		printf("  backlog %10d: limit %4u, room for %u\n", backlogs[i],
		       got[i], places(backlogs[i], max));
		close(fd);
	}
	claim("capped", got[1] == max && got[2] == max);
	control("capped", got[0] == 3);

	fd = bound_socket(AF_INET, SOCK_DGRAM, &addr);
	claim("not-for-datagrams", errno_of(listen(fd, 1)) == EOPNOTSUPP);
	close(fd);
	fd = bound_socket(AF_INET, SOCK_STREAM, &addr);
	control("not-for-datagrams", errno_of(listen(fd, 1)) == 0);
	close(fd);
}

static int impatient_client(const struct address *addr)
{
	const unsigned int ms = 10;
	int fd = new_client(AF_INET);

	must(setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms)));
	connect_to(fd, addr);
	return fd;
}

/* Two listeners have one client too many; one of them will have room. */
static void try_again(void)
{
	struct address addr, full_addr;
	int listener = listen_on(AF_INET, 0, &addr);
	int full = listen_on(AF_INET, 0, &full_addr);
	int first = impatient_client(&addr), in = start_client(&full_addr);
	int late, out, impatient, gave_up;
	unsigned int retries;

	await(queue_length(listener) && queue_length(full));
	late = start_client(&addr);
	out = start_client(&full_addr);
	impatient = impatient_client(&full_addr);
	await(dropped(listener) == 1 && dropped(full) == 2);
	close(must(accept(listener, NULL, NULL)));

	await(is_state(late, ESTABLISHED) && tcp_info(out).tcpi_total_retrans &&
	      !is_state(impatient, SYN_SENT));
	retries = tcp_info(late).tcpi_total_retrans;
	gave_up = pending_error(impatient);
	printf("\nDropped, then there was room: %s after %u more SYN\n",
	       is_state(late, ESTABLISHED) ? "connected" : "silent", retries);
	printf("Dropped, and there was none:  %s after %u more\n",
	       is_state(out, SYN_SENT) ? "silent" : "not silent",
	       tcp_info(out).tcpi_total_retrans);
	printf("An impatient client:          %s\n", errno_name(gave_up));
	claim("retry-succeeds", is_state(late, ESTABLISHED) && retries > 0);
	control("retry-succeeds", is_state(out, SYN_SENT));
	claim("gives-up", gave_up == ETIMEDOUT);
	control("gives-up", pending_error(first) == 0);
	close_all((int[]){ listener, full, first, in, late, out, impatient },
		  7);
}

static void blocking_unix(void)
{
	const struct timeval wait = { .tv_usec = 50000 };
	struct address addr;
	int listener = listen_on(AF_UNIX, 0, &addr);
	int first = must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	int second = must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	int room = connect_to(first, &addr), full;
	uint64_t start = now_ns(), ms;

	must(setsockopt(second, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)));
	full = connect_to(second, &addr);
	ms = (now_ns() - start) / 1000000;
	printf("UNIX, blocking, SO_SNDTIMEO 50 ms: %s after %d ms\n",
	       errno_name(full), (int)ms);
	/* The timer counts in ticks, which may be as long as 10 ms. */
	claim("unix-waits", full == EAGAIN && ms >= 40);
	control("unix-waits", room == 0);
	close_all((int[]){ listener, first, second }, 3);
}

static void nobody(void)
{
	struct address addr, path, port;
	int inet = bound_socket(AF_INET, SOCK_STREAM, &addr);
	int local = bound_socket(AF_UNIX, SOCK_STREAM, &path);
	int receiver = bound_socket(AF_INET, SOCK_DGRAM, &port);
	int sender = must(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	int clients[] = { new_client(AF_UNIX), new_client(AF_UNIX),
			  must(socket(AF_INET, SOCK_STREAM, 0)),
			  must(socket(AF_INET, SOCK_STREAM, 0)) };
	int tcp = connect_to(clients[2], &addr), first, second;
	int un = connect_to(clients[0], &path);
	struct pollfd answer = { sender, 0, 0 };

	claim("nobody-listens", tcp == ECONNREFUSED);
	claim("unix-nobody-listens", un == ECONNREFUSED);
	must(listen(inet, 1));
	must(listen(local, 1));
	control("nobody-listens", connect_to(clients[3], &addr) == 0);
	control("unix-nobody-listens", connect_to(clients[1], &path) == 0);

	connect_to(sender, &port);
	control("udp-second",
		send(sender, "1", 1, 0) == 1 && send(sender, "2", 1, 0) == 1);
	/* From now on it listens to itself only, and keeps the port. */
	must_zero(connect_to(receiver, &port));
	first = errno_of(send(sender, "3", 1, 0));
	must(poll(&answer, 1, DEADLINE_MS));
	second = errno_of(send(sender, "4", 1, 0));
	printf("\nNobody listens: TCP %s, UNIX %s, UDP %s, then %s\n",
	       errno_name(tcp), errno_name(un), errno_name(first),
	       errno_name(second));
	claim("udp-second", first == 0 && second == ECONNREFUSED);
	close_all(clients, 4);
	close_all((int[]){ inet, local, receiver, sender }, 4);
}

/* What came out in the network namespace; shared with the child there. */
struct there {
	int error; /* why there is no namespace, or no sysctl in it */
	int no_route, reject_route, refused;
	unsigned int before_byte, after_byte, at_once;
	struct overfull {
		bool established, silent;
		int error;
		unsigned int retries;
	} lenient, strict;
};

/* Takes the first byte of a connection to finish it. */
static int listen_deferred(int backlog, struct address *addr)
{
	const int seconds = 60;
	int fd = bound_socket(AF_INET, SOCK_STREAM, addr);

	must(setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds,
			sizeof(seconds)));
	must(listen(fd, backlog));
	return fd;
}

/*
 * The first client finishes when those behind it have taken all places. They
 * come one by one: the kernel does not let many be unfinished.
 */
static struct overfull finish_too_late(struct there *r)
{
	struct overfull o;
	struct address addr;
	int listener = listen_deferred(3, &addr), clients[5], syn;

	for (unsigned int i = 0; i < 5; i++) {
		clients[i] = start_client(&addr);
		await(is_state(clients[i], ESTABLISHED));
		if (i == 0)
			continue;
		if (i == 1)
			r->before_byte = queue_length(listener);
		must(send(clients[i], "x", 1, 0));
		await(queue_length(listener) == i);
		if (i == 1)
			r->after_byte = queue_length(listener);
	}

	syn = start_client(&addr);
	await(dropped(listener) || !is_state(syn, SYN_SENT));
	o.silent = is_state(syn, SYN_SENT);
	must(send(clients[0], "x", 1, 0));
	await(!is_state(clients[0], ESTABLISHED) ||
	      tcp_info(clients[0]).tcpi_total_retrans);
	o.established = is_state(clients[0], ESTABLISHED);
	o.retries = tcp_info(clients[0]).tcpi_total_retrans;
	o.error = pending_error(clients[0]);
	close_all(clients, 5);
	close_all((int[]){ listener, syn }, 2);
	return o;
}

/* A route that says of @to: there is no way. */
static void add_reject_route(int fd, const struct sockaddr_in *to)
{
	struct rtentry route = { .rt_flags = RTF_UP | RTF_REJECT };
	struct sockaddr_in mask = { .sin_family = AF_INET };

	mask.sin_addr.s_addr = htonl(0xffffffff);
	memcpy(&route.rt_dst, to, sizeof(*to));
	memcpy(&route.rt_genmask, &mask, sizeof(mask));
	must(ioctl(fd, SIOCADDRT, &route));
}

static void unreachable_there(struct there *r)
{
	struct address addr, here;
	struct sockaddr_in *in = (struct sockaddr_in *)&addr.bytes;
	int fd = bound_socket(AF_INET, SOCK_STREAM, &here);
	int clients[] = { new_client(AF_INET), new_client(AF_INET),
			  new_client(AF_INET) };

	addr = here;
	in->sin_addr.s_addr = htonl(0xc6336401); /* for documentation */
	r->no_route = connect_to(clients[0], &addr);
	add_reject_route(fd, in);
	r->reject_route = connect_to(clients[1], &addr);
	connect_to(clients[2], &here);
	await(!is_state(clients[2], SYN_SENT));
	r->refused = pending_error(clients[2]);
	close_all(clients, 3);
	close(fd);
}

/* In a network namespace, which ends with this child. */
static int go_there(void *arg)
{
	struct there *r = arg;
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	struct address addr;
	int sock, listener, client, sysctl;

	if (unshare(CLONE_NEWNET) == -1 &&
	    unshare(CLONE_NEWUSER | CLONE_NEWNET) == -1) {
		r->error = errno;
		return 0;
	}
	sysctl = open("/proc/sys/net/ipv4/tcp_abort_on_overflow",
		      O_WRONLY | O_CLOEXEC);
	if (sysctl == -1) {
		r->error = errno;
		return 0;
	}
	sock = must(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	must(ioctl(sock, SIOCSIFFLAGS, &lo));
	unreachable_there(r);

	listener = listen_on(AF_INET, 0, &addr);
	client = start_client(&addr);
	await(queue_length(listener));
	r->at_once = queue_length(listener);
	must(write(sysctl, "0", 1));
	r->lenient = finish_too_late(r);
	must(write(sysctl, "1", 1));
	r->strict = finish_too_late(r);
	close_all((int[]){ sysctl, sock, listener, client }, 4);
	return 0;
}

static void in_namespace(void)
{
	static const char *const ids[] = { "unfinished-not-counted", "believes",
					   "abort-resets", "abort-not-for-syn",
					   "unreachable" };
	struct there *r = must(mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0));

	must_zero(spawn_fn(go_there, r, 3 * DEADLINE_MS).status);
	if (r->error) {
		for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
			claim_skip(ids[i], "a network namespace with sysctls",
				   errno_name(r->error),
				   "root, outside of a container");
		return;
	}
	printf("No route: %s, a route that says no: %s, here: %s\n",
	       errno_name(r->no_route), errno_name(r->reject_route),
	       errno_name(r->refused));
	claim("unreachable",
	      r->no_route == ENETUNREACH && r->reject_route == EHOSTUNREACH);
	control("unreachable", r->refused == ECONNREFUSED);

	printf("\nTwo connections that their first byte finishes: %u in the "
	       "queue, after one byte %u\n",
	       r->before_byte, r->after_byte);
	claim("unfinished-not-counted",
	      r->before_byte == 0 && r->after_byte == 1);
	control("unfinished-not-counted", r->at_once == 1);
	puts("The other byte comes when the queue is full");
	printf("  tcp_abort_on_overflow 0: %s, and sent again %u times\n",
	       r->lenient.established ? "still connected" : "an end",
	       r->lenient.retries);
	printf("  tcp_abort_on_overflow 1: %s; for a new client %s\n",
	       errno_name(r->strict.error),
	       r->strict.silent ? "silence" : "an answer");
	claim("believes", r->lenient.established && r->lenient.retries > 0);
	control("believes", !r->strict.established);
	claim("abort-resets", r->strict.error == ECONNRESET);
	control("abort-resets", r->lenient.error == 0);
	claim("abort-not-for-syn", r->strict.silent);
	control("abort-not-for-syn", r->strict.error != 0);
	must(munmap(r, sizeof(*r)));
}

static void demo(void)
{
	fill_queues();
	without_queue();
	limits();
	try_again();
	blocking_unix();
	nobody();
	in_namespace();
}

const struct lab lab = {
	.name = "listen_backlog_refused",
	.demo = demo,
};
