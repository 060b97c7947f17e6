/* SPDX-License-Identifier: MIT */
#pragma once

/* Two sockets that are connected to each other. */
struct pair {
	int a, b;
};

struct pair tcp_pair(void);
struct pair unix_pair(void);
struct pair udp_pair(void);

/* The numbers that TCP_INFO gives the states; 0 for other sockets. */
enum { ESTABLISHED = 1, FIN_WAIT2 = 5, CLOSED = 7, CLOSE_WAIT = 8 };
int tcp_state(int fd);
const char *state_name(int state); /* "-" if it is none */

/* What poll(2) says of @fd just now; room for writing is not asked for. */
int poll_bits(int fd);

#define POLL_NAMES_MAX 20
/* @bits as "IN RDHUP ERR HUP", or "-"; written to @out and returned. */
const char *poll_names(int bits, char out[POLL_NAMES_MAX]);
