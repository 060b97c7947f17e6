/* SPDX-License-Identifier: MIT */
/*
 * initramfs.h - the file that a guest boots from: a plain newc cpio archive,
 * which the kernel unpacks faster than any compressed one.
 *
 * Host files keep their paths. A program brings the shared libraries that
 * the dynamic loader would give it here. Parent folders come by themselves;
 * what is added twice is there once. All return 0, or -1 with @error.
 */
#pragma once

#include <stddef.h>

struct initramfs;

/* Start to write @path. NULL, with @error, if it cannot be made. */
struct initramfs *initramfs_new(const char *path, char *error);

/* The regular file @guest with these bytes. */
int initramfs_add_data(struct initramfs *r, const char *guest, const void *data,
		       size_t len, int mode, char *error);

/* The host's file @host as @guest, or under its own path if NULL. */
int initramfs_add_file(struct initramfs *r, const char *host, const char *guest,
		       char *error);

/*
 * The host's file @host, which is found on PATH if it has no slash; a program
 * with its interpreter and libraries. @found, if not NULL, receives its path;
 * free() it.
 */
int initramfs_add_program(struct initramfs *r, const char *host, char **found,
			  char *error);

int initramfs_add_dir(struct initramfs *r, const char *guest, char *error);

/*
 * The kernel module @name out of @modules, the folder of the kernel
 * @release, after those that it depends on. @each is called with the guest's
 * path of each, in the order to load them; a built-in one needs none.
 */
int initramfs_add_module(struct initramfs *r, const char *modules,
			 const char *release, const char *name,
			 void (*each)(void *arg, const char *path), void *arg,
			 char *error);

/* Complete the file and free @r; frees it on errors too. */
int initramfs_finish(struct initramfs *r, char *error);

/* Free @r and leave the file as it is: after an error. */
void initramfs_abandon(struct initramfs *r);
