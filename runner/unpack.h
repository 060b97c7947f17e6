/* SPDX-License-Identifier: MIT */
/* unpack.h - what is inside of compressed kernels and modules. */
#pragma once

#include <stddef.h>

/* A file's or an archive's bytes; free(data). */
struct bytes {
	unsigned char *data;
	size_t len;
};

/* All of the file @path. */
int bytes_read(struct bytes *out, const char *path, char *error);

/* Write @bytes to the new file @path. */
int bytes_write(const struct bytes *bytes, const char *path, char *error);

/*
 * Decompress @packed (gzip, xz, zstd, lz4, ...; plain bytes come out as they
 * are), @limit bytes at most. What stands behind them is not looked at.
 */
int unpack(struct bytes *out, const struct bytes *packed, size_t limit,
	   char *error);

/* Whether @image is a whole bzImage; @error says what is wrong with it. */
int bzimage_check(const struct bytes *image, char *error);

/* The release of @image, a bzImage or an ELF: "6.1.0-56-cloud-amd64". */
int image_release(const struct bytes *image, char *release, size_t size);

/* The ELF in @image, a bzImage: starting it saves the guest the unpacking. */
int bzimage_vmlinux(struct bytes *out, const struct bytes *image, char *error);

/* Whether @elf has the note by which QEMU finds the PVH entry point. */
int elf_has_pvh(const struct bytes *elf);

/*
 * The value of @key in the .modinfo of the module @elf, such as "depends";
 * NULL without one. It points into @elf.
 */
const char *module_info(const struct bytes *elf, const char *key);
