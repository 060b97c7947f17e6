// SPDX-License-Identifier: MIT
#include "runner/digest.h"

#include <dirent.h>
#include <nettle/sha2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SOURCE_MAX = 4 << 20 };

static int is_source(const struct dirent *entry)
{
	const char *name = entry->d_name;
	const char *dot = strrchr(name, '.');
	size_t len = strlen(name);

	if (*name == '.' || !dot || strchr("chS", dot[1]) == NULL || !dot[1] ||
	    dot[2])
		return 0;
	return len < 7 || strcmp(name + len - 7, "_test.c") != 0;
}

static void add_folder(struct sha256_ctx *sha, const char *source,
		       const char *below)
{
	char *dir = xasprintf("%s/%s", source, below);
	struct dirent **names;
	int n = scandir(dir, &names, is_source, alphasort);

	for (int i = 0; i < n; i++) {
		char *path = xasprintf("%s/%s", dir, names[i]->d_name);
		struct error error;
		size_t len;
		char *text = read_file(path, SOURCE_MAX, &len, &error);

		/* The NUL keeps name and content apart. */
		sha256_update(sha, strlen(names[i]->d_name) + 1,
			      (uint8_t *)names[i]->d_name);
		if (text)
			sha256_update(sha, len, (uint8_t *)text);
		free(text);
		free(path);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	free(dir);
}

char *source_digest(const struct lab_dir *lab)
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	char *hex = xcalloc(2 * sizeof(digest) + 1, 1);
	struct sha256_ctx sha;

	sha256_init(&sha);
	add_folder(&sha, lab->source, ".");
	add_folder(&sha, lab->source, "mod");
	sha256_digest(&sha, sizeof(digest), digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		sprintf(hex + 2 * i, "%02x", digest[i]);
	return hex;
}
