/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#define PAGE 4096

/* The blocks of 512 bytes that the file @fd occupies. */
long blocks(int fd);

/* Make a hole of @len bytes at @offset in @fd: 0, or -1 with errno. */
int punch(int fd, off_t offset, off_t len);

/*
 * One letter for a page that begins with the byte @first and ends with @last:
 * '0' for zeros, '~' for zeros at the front only, else its last byte.
 */
char page_letter(char first, char last);

/* The letters of @pages pages of @fd by pread(2), '.' behind the end. */
void look_at_file(int fd, size_t pages, char *out);

/* The same through a mapping, '!' where a load raises SIGBUS. */
void look_at_map(const char *map, size_t pages, char *out);
