// SPDX-License-Identifier: MIT
#include "runner/initramfs.h"

#include <archive.h>
#include <archive_entry.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "runner/tool.h"
#include "runner/unpack.h"

/* No kernel module is near; a broken one must not fill the memory. */
#define MODULE_MAX (256u << 20)

struct initramfs {
	struct archive *archive;
	char *path;
	char **members; /* paths in the guest, with a leading slash */
	size_t count;
};

/* Where /bin is a link to usr/bin, a guest has that link, too. */
static const char *const top_links[] = { "/bin", "/sbin", "/lib", "/lib64" };

/* The target of @path if it is one of these and a link here, else "". */
static void read_top_link(const char *path, char target[64])
{
	ssize_t len = readlink(path, target, 63);

	target[len > 0 && target[0] != '/' ? len : 0] = '\0';
}

/* @guest, by the way that has no link in it; written to @real. */
static const char *real_path(const char *guest, char real[PATH_MAX])
{
	for (size_t i = 0; i < sizeof(top_links) / sizeof(*top_links); i++) {
		size_t len = strlen(top_links[i]);
		char target[64];

		if (strncmp(guest, top_links[i], len) != 0 || guest[len] != '/')
			continue;
		read_top_link(top_links[i], target);
		if (target[0])
			return pathf(real, "/%s%s", target, guest + len);
	}
	return pathf(real, "%s", guest);
}

static bool has_member(const struct initramfs *r, const char *guest)
{
	char real[PATH_MAX];

	real_path(guest, real);
	for (size_t i = 0; i < r->count; i++)
		if (strcmp(r->members[i], real) == 0)
			return true;
	return false;
}

static int remember(struct initramfs *r, const char *guest, char *error)
{
	char **grown = reallocarray(r->members, r->count + 1, sizeof(*grown));

	if (!grown)
		return fail_with(error, "out of memory");
	r->members = grown;
	r->members[r->count] = strdup(guest);
	if (!r->members[r->count])
		return fail_with(error, "out of memory");
	r->count++;
	return 0;
}

static int fail_writing(const struct initramfs *r, char *error)
{
	return fail_with(error,
			 "cannot write %s: %s; is there room on the disk of "
			 "TMPDIR?",
			 r->path, strerror(archive_errno(r->archive)));
}

static int add_parents(struct initramfs *r, const char *guest, char *error)
{
	char parent[PATH_MAX];

	for (const char *c = strchr(guest + 1, '/'); c;
	     c = strchr(c + 1, '/')) {
		snprintf(parent, sizeof(parent), "%.*s", (int)(c - guest),
			 guest);
		if (initramfs_add_dir(r, parent, error) == -1)
			return -1;
	}
	return 0;
}

/* What is special of a member; all zeros for a folder. */
struct special {
	size_t size;
	dev_t device;
	const char *target;
};

/* Everything but the content of a member. */
static int add_header(struct initramfs *r, const char *path, mode_t mode,
		      struct special special, char *error)
{
	struct archive_entry *entry;
	char guest[PATH_MAX];
	int ret;

	real_path(path, guest);
	if (guest[0] != '/')
		return fail_with(error, "%s: not an absolute path", path);
	if (add_parents(r, guest, error) == -1 ||
	    remember(r, guest, error) == -1)
		return -1;
	entry = archive_entry_new();
	if (!entry)
		return fail_with(error, "out of memory");
	archive_entry_set_pathname(entry, guest + 1);
	archive_entry_set_mode(entry, mode);
	archive_entry_set_rdev(entry, special.device);
	archive_entry_set_size(entry, special.size);
	archive_entry_set_nlink(entry, 1);
	if (special.target)
		archive_entry_set_symlink(entry, special.target);
	ret = archive_write_header(r->archive, entry);
	archive_entry_free(entry);
	return ret == ARCHIVE_OK ? 0 : fail_writing(r, error);
}

int initramfs_add_dir(struct initramfs *r, const char *guest, char *error)
{
	if (has_member(r, guest))
		return 0;
	return add_header(r, guest, S_IFDIR | 0755, (struct special){ 0 },
			  error);
}

int initramfs_add_data(struct initramfs *r, const char *guest, const void *data,
		       size_t len, int mode, char *error)
{
	if (has_member(r, guest))
		return 0;
	if (add_header(r, guest, S_IFREG | mode,
		       (struct special){ .size = len }, error) == -1)
		return -1;
	if (len && archive_write_data(r->archive, data, len) != (ssize_t)len)
		return fail_writing(r, error);
	return 0;
}

int initramfs_add_file(struct initramfs *r, const char *host, const char *guest,
		       char *error)
{
	struct bytes content;
	struct stat st;
	int ret;

	if (!guest)
		guest = host;
	if (has_member(r, guest))
		return 0;
	if (stat(host, &st) == -1)
		return fail_with(error, "%s: %s", host, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail_with(error, "%s: not a regular file", host);
	if (bytes_read(&content, host, error) == -1)
		return -1;
	ret = initramfs_add_data(r, guest, content.data, content.len,
				 st.st_mode & 0777, error);
	free(content.data);
	return ret;
}

static int add_top_links(struct initramfs *r, char *error)
{
	for (size_t i = 0; i < sizeof(top_links) / sizeof(*top_links); i++) {
		char target[64];

		read_top_link(top_links[i], target);
		if (target[0] &&
		    add_header(r, top_links[i], S_IFLNK | 0777,
			       (struct special){ .target = target },
			       error) == -1)
			return -1;
	}
	return 0;
}

struct initramfs *initramfs_new(const char *path, char *error)
{
	static const char *const dirs[] = { "/dev", "/proc", "/root",
					    "/run", "/sys",  "/tmp" };
	struct initramfs *r = calloc(1, sizeof(*r));

	if (!r || !(r->path = strdup(path)) ||
	    !(r->archive = archive_write_new())) {
		fail_with(error, "out of memory");
		goto abandon;
	}
	archive_write_set_format_cpio_newc(r->archive);
	archive_write_add_filter_none(r->archive);
	archive_write_set_bytes_per_block(r->archive, 1 << 20);
	archive_write_set_bytes_in_last_block(r->archive, 1);
	if (archive_write_open_filename(r->archive, path) != ARCHIVE_OK) {
		fail_writing(r, error);
		goto abandon;
	}
	if (add_top_links(r, error) == -1)
		goto abandon;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
		if (initramfs_add_dir(r, dirs[i], error) == -1)
			goto abandon;
	/* The kernel opens it for /init before anything is mounted. */
	if (add_header(r, "/dev/console", S_IFCHR | 0600,
		       (struct special){ .device = makedev(5, 1) },
		       error) == -1)
		goto abandon;
	return r;

abandon:
	initramfs_abandon(r);
	return NULL;
}

void initramfs_abandon(struct initramfs *r)
{
	if (!r)
		return;
	if (r->archive)
		archive_write_free(r->archive);
	for (size_t i = 0; i < r->count; i++)
		free(r->members[i]);
	free(r->members);
	free(r->path);
	free(r);
}

int initramfs_finish(struct initramfs *r, char *error)
{
	int ret = 0;

	if (archive_write_close(r->archive) != ARCHIVE_OK)
		ret = fail_writing(r, error);
	initramfs_abandon(r);
	return ret;
}

/*
 * What runs @host: the loader of a dynamic ELF program, or the program of a
 * script's first line. Empty for anything else.
 */
static int find_interpreter(const char *host, char interpreter[PATH_MAX],
			    bool *is_script, char *error)
{
	union {
		Elf64_Ehdr elf;
		char text[256];
	} head = { 0 };
	int fd = open(host, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	interpreter[0] = '\0';
	*is_script = false;
	if (fd == -1)
		return fail_with(error, "cannot open %s: %s", host,
				 strerror(errno));
	len = pread(fd, &head, sizeof(head) - 1, 0);
	if (len > 2 && memcmp(head.text, "#!", 2) == 0) {
		*is_script = true;
		(void)sscanf(head.text + 2, "%255s", interpreter);
	} else if (len >= (ssize_t)sizeof(head.elf) &&
		   memcmp(head.text, ELFMAG, SELFMAG) == 0) {
		for (int i = 0; i < head.elf.e_phnum; i++) {
			off_t at = head.elf.e_phoff + i * sizeof(Elf64_Phdr);
			Elf64_Phdr ph;

			if (pread(fd, &ph, sizeof(ph), at) != sizeof(ph))
				break;
			if (ph.p_type == PT_INTERP && ph.p_filesz < PATH_MAX &&
			    pread(fd, interpreter, ph.p_filesz, ph.p_offset) ==
				    (ssize_t)ph.p_filesz)
				interpreter[ph.p_filesz] = '\0';
		}
	}
	close(fd);
	return 0;
}

/* pthread_cancel(3) loads it by name, so that no list shows it. */
static int add_libgcc(struct initramfs *r, const char *libc, char *error)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%.*s/libgcc_s.so.1",
		 (int)(strrchr(libc, '/') - libc), libc);
	return access(path, R_OK) == 0
		       ? initramfs_add_file(r, path, NULL, error)
		       : 0;
}

/* The libraries, as the loader itself names them: "libm.so.6 => PATH (0x)". */
static int add_libraries(struct initramfs *r, const char *loader,
			 const char *host, char *error)
{
	char *list = tool_output(ARGV(loader, "--list", host), error);
	char *rest = NULL;
	int ret = 0;

	if (!list)
		return -1;
	for (char *line = strtok_r(list, "\n", &rest); line && ret == 0;
	     line = strtok_r(NULL, "\n", &rest)) {
		char *path = strchr(line, '/');

		if (strstr(line, "not found"))
			ret = fail_with(error,
					"%s needs a library that is not "
					"here:%s; install it",
					host, line);
		else if (path) {
			path[strcspn(path, " \n")] = '\0';
			ret = initramfs_add_file(r, path, NULL, error);
			if (ret == 0 && strstr(path, "/libc.so"))
				ret = add_libgcc(r, path, error);
		}
	}
	free(list);
	return ret;
}

/* @name's path by PATH, as execvp(3) finds it; free() it. */
static char *find_program(const char *name)
{
	const char *dir = getenv("PATH");
	char path[PATH_MAX];

	if (strchr(name, '/'))
		return realpath(name, NULL);
	for (size_t len; dir && *dir; dir += len + (dir[len] == ':')) {
		len = strcspn(dir, ":");
		snprintf(path, sizeof(path), "%.*s/%s", (int)len, dir, name);
		if (access(path, X_OK) == 0)
			return strdup(path);
	}
	return NULL;
}

static int add_program(struct initramfs *r, const char *host, int depth,
		       char *error)
{
	char interpreter[PATH_MAX];
	bool is_script;

	if (find_interpreter(host, interpreter, &is_script, error) == -1 ||
	    initramfs_add_file(r, host, NULL, error) == -1)
		return -1;
	if (!interpreter[0])
		return 0;
	if (is_script)
		return depth ? add_program(r, interpreter, depth - 1, error)
			     : fail_with(error, "%s: script of scripts", host);
	/* The libraries of /usr/local are found by the cache alone. */
	if (access("/etc/ld.so.cache", R_OK) == 0 &&
	    initramfs_add_file(r, "/etc/ld.so.cache", NULL, error) == -1)
		return -1;
	if (initramfs_add_file(r, interpreter, NULL, error) == -1)
		return -1;
	return add_libraries(r, interpreter, host, error);
}

int initramfs_add_program(struct initramfs *r, const char *host, char **found,
			  char *error)
{
	enum { SCRIPTS_MAX = 4 };
	char *path = find_program(host);
	int ret;

	if (!path)
		return fail_with(error, "no program %s: %s; install it", host,
				 strchr(host, '/') ? strerror(errno)
						   : "not on PATH");
	ret = add_program(r, path, SCRIPTS_MAX, error);
	if (ret == 0 && found)
		*found = path;
	else
		free(path);
	return ret;
}

/* Module names write - as _, file names have either. */
static bool is_module_file(const char *file, const char *name)
{
	for (; *name; name++, file++)
		if (*file != *name && (*file != '-' || *name != '_') &&
		    (*file != '_' || *name != '-'))
			return false;
	return strncmp(file, ".ko", 3) == 0 &&
	       (file[3] == '\0' || file[3] == '.');
}

/* The file of @name below @modules; free() it. */
static char *find_module(const char *modules, const char *name)
{
	char *const roots[] = { (char *)modules, NULL };
	FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOSTAT, NULL);
	char *found = NULL;

	if (!walk)
		return NULL;
	for (FTSENT *e; !found && (e = fts_read(walk));)
		if (e->fts_info != FTS_D && e->fts_info != FTS_DP &&
		    is_module_file(e->fts_name, name))
			found = strdup(e->fts_path);
	fts_close(walk);
	return found;
}

static bool is_built_in(const char *modules, const char *name)
{
	char line[PATH_MAX];
	bool found = false;
	FILE *list;

	snprintf(line, sizeof(line), "%s/modules.builtin", modules);
	list = fopen(line, "re");
	if (!list)
		return false;
	while (!found && fgets(line, sizeof(line), list)) {
		char *slash = strrchr(line, '/');

		line[strcspn(line, "\n")] = '\0';
		found = is_module_file(slash ? slash + 1 : line, name);
	}
	fclose(list);
	return found;
}

struct module_walk {
	struct initramfs *r;
	const char *modules;
	const char *release;
	void (*each)(void *arg, const char *path);
	void *arg;
	char *error;
};

static int add_module(const struct module_walk *w, const char *name, int depth);

static int add_dependencies(const struct module_walk *w,
			    const struct bytes *elf, int depth)
{
	const char *names = module_info(elf, "depends");

	while (names && *names) {
		size_t len = strcspn(names, ",");
		char name[128];

		snprintf(name, sizeof(name), "%.*s", (int)len, names);
		if (add_module(w, name, depth) == -1)
			return -1;
		names += len + (names[len] == ',');
	}
	return 0;
}

static int add_module_file(const struct module_walk *w, const char *file,
			   int depth)
{
	struct bytes packed, elf;
	char guest[PATH_MAX];
	int ret = -1;

	snprintf(guest, sizeof(guest), "/lib/modules/%s%s", w->release,
		 file + strlen(w->modules));
	/* The guest loads plain modules: .ko.xz becomes .ko. */
	strstr(strrchr(guest, '/'), ".ko")[3] = '\0';
	if (has_member(w->r, guest))
		return 0;
	if (bytes_read(&packed, file, w->error) == -1)
		return -1;
	if (unpack(&elf, &packed, MODULE_MAX, w->error) == 0) {
		ret = add_dependencies(w, &elf, depth - 1);
		if (ret == 0)
			ret = initramfs_add_data(w->r, guest, elf.data, elf.len,
						 0644, w->error);
		if (ret == 0)
			w->each(w->arg, guest);
		free(elf.data);
	}
	free(packed.data);
	return ret;
}

static int add_module(const struct module_walk *w, const char *name, int depth)
{
	char *file;
	int ret;

	if (depth == 0)
		return fail_with(w->error,
				 "module %s: its dependencies go round", name);
	file = find_module(w->modules, name);
	if (!file) {
		if (is_built_in(w->modules, name))
			return 0;
		return fail_with(w->error,
				 "no module %s in %s; take a kernel that "
				 "has it, see runner kernels",
				 name, w->modules);
	}
	ret = add_module_file(w, file, depth);
	free(file);
	return ret;
}

int initramfs_add_module(struct initramfs *r, const char *modules,
			 const char *release, const char *name,
			 void (*each)(void *arg, const char *path), void *arg,
			 char *error)
{
	enum { DEPTH_MAX = 32 };
	const struct module_walk w = { r, modules, release, each, arg, error };

	return add_module(&w, name, DEPTH_MAX);
}
