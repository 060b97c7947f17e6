/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The most that write(2) can make of an eventfd's counter. */
#define COUNT_MAX (UINT64_MAX - 1)

/* The counter in @fdinfo, the text that /proc shows of an eventfd. */
bool parse_count(const char *fdinfo, uint64_t *count);

/* The counter of the eventfd @fd, seen from outside: it stays as it is. */
uint64_t eventfd_count(int fd);

/* What each call says of @fd just now: POLLIN, POLLOUT, POLLERR. */
int by_poll(int fd);
int by_select(int fd); /* has no word for POLLERR */
int by_epoll(int fd);

#define EVENT_NAMES_MAX 16
/* @events as "IN|OUT|ERR", or "none"; written to @out and returned. */
const char *event_names(int events, char out[EVENT_NAMES_MAX]);
