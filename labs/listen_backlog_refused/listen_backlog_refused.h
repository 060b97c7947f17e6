/* SPDX-License-Identifier: MIT */
#pragma once

#include <sys/socket.h>

struct address {
	struct sockaddr_storage bytes;
	socklen_t len;
};

/*
 * A socket of @domain and @type with an address of its own: a free port of
 * the loopback device, or a free name in the abstract name space.
 */
int bound_socket(int domain, int type, struct address *addr);

/* The errno of a connect of @fd to @addr, or 0. */
int connect_to(int fd, const struct address *addr);

/* What TCP_INFO says of a listening socket: its queue, and the limit of it. */
unsigned int queue_length(int listener);
unsigned int queue_limit(int listener);

/* How many connections a queue takes, as the kernel counts. */
unsigned int places(int backlog, unsigned int somaxconn);
