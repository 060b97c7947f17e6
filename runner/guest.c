// SPDX-License-Identifier: MIT
#include "runner/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <nettle/sha2.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runner/init/ports.h"
#include "runner/init/receive.h"
#include "runner/initramfs.h"
#include "runner/tool.h"
#include "runner/unpack.h"

#define QEMU "qemu-system-x86_64"

/*
 * A guest may write to its ports for ever, so no file of QEMU's grows beyond
 * a limit: with SIGXFSZ ignored the write fails, QEMU drops the byte, and the
 * guest goes on. QEMU's complaints go to a file, not among the lab's output.
 * $1 is that file, $2 the limit, which ulimit takes in 512 bytes (in bash:
 * 1024).
 */
#define LIMITED                                                                \
	"trap '' XFSZ; exec 2>\"$1\"; ulimit -f $2; shift 2; exec \"$@\""

/* The same for a guest that is resumed from the snapshot $3. */
#define RESUMED                                                                \
	"trap '' XFSZ; exec 2>\"$1\" 3<\"$3\"; ulimit -f $2; shift 3; "        \
	"exec \"$@\""

enum { ARGS_MAX = 96, MEMORY_MIB = 512 };

/* The plan of /guest, see init.c. */
struct plan {
	char *text;
	size_t len;
	bool failed;
	const char *parameters; /* of the module to come */
	const char *module;
};

static void plan_add(struct plan *plan, const char *word, const char *value)
{
	size_t more = strlen(word) + 1 + strlen(value) + 1;
	char *grown = realloc(plan->text, plan->len + more);

	if (!grown) {
		plan->failed = true;
		return;
	}
	plan->text = grown;
	plan->len += sprintf(grown + plan->len, "%s %s", word, value) + 1;
}

/* Parameters belong to the module that was asked for, the last to come. */
static void plan_add_module(void *arg, const char *path)
{
	char line[PATH_MAX + 256];
	struct plan *plan = arg;
	const char *file = strrchr(path, '/') + 1;
	bool asked = strlen(file) == strlen(plan->module) + strlen(".ko");

	for (size_t i = 0; asked && plan->module[i]; i++)
		asked = file[i] == plan->module[i] ||
			(strchr("-_", file[i]) &&
			 strchr("-_", plan->module[i]));
	snprintf(line, sizeof(line), "%s%s%s", path, asked ? " " : "",
		 asked ? plan->parameters : "");
	plan_add(plan, "module", line);
}

/* Add the module of "NAME[ PARAMETERS]". */
static int add_module(struct initramfs *r, struct plan *plan,
		      const struct kernel *k, const char *wanted, char *error)
{
	size_t len = strcspn(wanted, " ");
	char name[128];

	if (!k->modules[0])
		return fail_with(error,
				 "kernel %s has no modules, so not %s either",
				 k->name, wanted);
	snprintf(name, sizeof(name), "%.*s", (int)len, wanted);
	plan->module = name;
	plan->parameters = wanted + len + (wanted[len] == ' ');
	return initramfs_add_module(r, k->modules, k->release, name,
				    plan_add_module, plan, error);
}

static int add_modules(struct initramfs *r, struct plan *plan,
		       const struct kernel *k, const struct guest_options *o,
		       char *error)
{
	if (o->svm &&
	    add_module(r, plan, k, o->npt ? "kvm-amd npt=1" : "kvm-amd npt=0",
		       error) == -1)
		return -1;
	for (const char *const *m = o->modules; m && *m; m++)
		if (add_module(r, plan, k, *m, error) == -1)
			return -1;
	return 0;
}

static int add_lab(struct initramfs *r, struct plan *plan,
		   const char *const *lab, char *error)
{
	char *path;

	if (!lab || !lab[0])
		return 0;
	if (initramfs_add_program(r, lab[0], &path, error) == -1)
		return -1;
	plan_add(plan, "arg", path);
	free(path);
	for (lab++; *lab; lab++)
		plan_add(plan, "arg", *lab);
	return 0;
}

/* What programs expect of any system: a user by name, the configuration. */
static int add_common(struct initramfs *r, const struct kernel *k, char *error)
{
	static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
				     "nobody:x:65534:65534:nobody:/:/bin/sh\n";
	static const char group[] = "root:x:0:\nnogroup:x:65534:\n";
	char config[PATH_MAX];

	if (initramfs_add_data(r, "/etc/passwd", passwd, strlen(passwd), 0644,
			       error) == -1 ||
	    initramfs_add_data(r, "/etc/group", group, strlen(group), 0644,
			       error) == -1)
		return -1;
	if (!k->config[0])
		return 0;
	pathf(config, "/boot/config-%s", k->release);
	return initramfs_add_file(r, k->config, config, error);
}

/* guest_init is built beside the runner; tests have a folder below. */
static int find_init(const struct guest_options *o, char init[PATH_MAX],
		     char *error)
{
	static const char *const beside[] = { "", "../", "../../" };
	char self[PATH_MAX];
	ssize_t len;

	if (o->init) {
		pathf(init, "%s", o->init);
		return 0;
	}
	len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (len == -1)
		return fail_with(error, "/proc/self/exe: %s", strerror(errno));
	self[len] = '\0';
	*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < sizeof(beside) / sizeof(*beside); i++)
		if (access(pathf(init, "%s/%sguest_init", self, beside[i]),
			   R_OK) == 0)
			return 0;
	return fail_with(error,
			 "no guest_init beside %s; build it: ninja "
			 "guest_init",
			 self);
}

/* What a snapshot must not have: the time, and secrets. */
static int plan_add_now(struct plan *plan, char *error)
{
	unsigned char seed[32];
	char hex[2 * sizeof(seed) + 1], clock[32];
	struct timespec now;

	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		return fail_with(error, "getrandom: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(seed); i++)
		sprintf(hex + 2 * i, "%02x", seed[i]);
	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(clock, sizeof(clock), "%lld.%09ld", (long long)now.tv_sec,
		 now.tv_nsec);
	plan_add(plan, "clock", clock);
	plan_add(plan, "entropy", hex);
	return 0;
}

static int fill_initramfs(struct initramfs *r, const struct kernel *k,
			  const char *const *lab, const struct guest_options *o,
			  char *error)
{
	struct plan plan = { 0 };
	char init[PATH_MAX];
	int ret = -1;

	/* A resumed guest has its /init. */
	if (!o->snapshot && (find_init(o, init, error) == -1 ||
			     initramfs_add_file(r, init, "/init", error) == -1))
		goto out;
	if (o->wait)
		plan_add(&plan, "wait", "");
	if ((o->snapshot && plan_add_now(&plan, error) == -1) ||
	    add_modules(r, &plan, k, o, error) == -1)
		goto out;
	plan_add(&plan, "env",
		 "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
		 "/sbin:/bin");
	plan_add(&plan, "env", "HOME=/root");
	for (const char *const *e = o->env; e && *e; e++)
		plan_add(&plan, "env", *e);
	if (o->dir) {
		plan_add(&plan, "dir", o->dir);
		if (initramfs_add_dir(r, o->dir, error) == -1)
			goto out;
	}
	if (add_lab(r, &plan, lab, error) == -1)
		goto out;
	for (const char *const *t = o->tools; t && *t; t++)
		if (initramfs_add_program(r, *t, NULL, error) == -1)
			goto out;
	for (const char *const *f = o->files; f && *f; f++)
		if (initramfs_add_file(r, *f, NULL, error) == -1)
			goto out;
	if (!o->wait && add_common(r, k, error) == -1)
		goto out;
	if (plan.failed)
		fail_with(error, "out of memory");
	else
		ret = initramfs_add_data(r, "/guest", plan.text, plan.len, 0644,
					 error);
out:
	free(plan.text);
	return ret;
}

static int write_initramfs(const struct guest *g, const struct kernel *k,
			   const char *const *lab,
			   const struct guest_options *o, char *error)
{
	struct initramfs *r;
	char path[PATH_MAX];

	r = initramfs_new(pathf(path, "%s/initramfs", g->dir), error);
	if (!r)
		return -1;
	if (fill_initramfs(r, k, lab, o, error) == -1) {
		initramfs_abandon(r);
		return -1;
	}
	return initramfs_finish(r, error);
}

struct args {
	char **argv;
	int count;
	bool failed;
};

static void arg(struct args *args, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void arg(struct args *args, const char *format, ...)
{
	va_list list;
	char *text;

	va_start(list, format);
	if (vasprintf(&text, format, list) == -1)
		args->failed = true;
	else if (args->count == ARGS_MAX) {
		args->failed = true;
		free(text);
	} else {
		args->argv[args->count++] = text;
	}
	va_end(list);
}

/* QEMU's options end at a comma, which a path doubles. */
static void escape_commas(const char *path, char *out, size_t size)
{
	size_t n = 0;

	for (; *path && n + 2 < size; path++) {
		out[n++] = *path;
		if (*path == ',')
			out[n++] = ',';
	}
	out[n] = '\0';
}

/*
 * The kernel copies the initramfs into a tmpfs of half its memory while the
 * original is still there, so a large one needs more than was asked for.
 */
static unsigned int memory_mib(const struct guest *g,
			       const struct guest_options *o)
{
	unsigned int wanted = o->memory_mib ? o->memory_mib : MEMORY_MIB, least;
	char path[PATH_MAX];
	struct stat st;

	if (stat(pathf(path, "%s/initramfs", g->dir), &st) == -1)
		return wanted;
	least = 96 + 4 * (st.st_size >> 20);
	return wanted < least ? least : wanted;
}

static void machine_args(struct args *a, const struct guest *g,
			 const struct guest_options *o)
{
	bool kvm = strcmp(g->accel, "kvm") == 0;

	arg(a, "-nodefaults");
	arg(a, "-no-user-config");
	arg(a, "-display");
	arg(a, "none");
	arg(a, "-nic");
	arg(a, "none");
	arg(a, "-no-reboot");
	arg(a, "-M");
	arg(a, "pc,usb=off,vmport=off,hpet=off,i8042=off");
	arg(a, "-accel");
	arg(a, kvm ? "kvm" : "tcg,thread=multi");
	arg(a, "-cpu");
	/* TCG's own SVM; a fifth level of page tables would cost time. */
	arg(a, "%s",
	    kvm	     ? "host"
	    : o->svm ? "max,+svm,+npt,-la57"
		     : "max,-svm,-la57");
	arg(a, "-smp");
	arg(a, "%u", o->cpus ? o->cpus : 2);
	arg(a, "-m");
	arg(a, "%uM", memory_mib(g, o));
}

static void device_args(struct args *a, const struct guest *g)
{
	char dir[2 * sizeof(g->dir)];

	escape_commas(g->dir, dir, sizeof(dir));
	arg(a, "-chardev");
	arg(a, "file,id=console,path=%s/console", dir);
	arg(a, "-serial");
	arg(a, "chardev:console");
	arg(a, "-chardev");
	arg(a, "file,id=status,path=%s/status", dir);
	arg(a, "-device");
	arg(a, "isa-debugcon,iobase=%#x,chardev=status", GUEST_STATUS_PORT);
	arg(a, "-chardev");
	arg(a, "stdio,id=lab,signal=off");
	arg(a, "-device");
	arg(a, "isa-debugcon,iobase=%#x,chardev=lab", GUEST_LAB_PORT);
	arg(a, "-device");
	arg(a, "isa-debug-exit,iobase=%#x,iosize=1", GUEST_EXIT_PORT);
}

static void kernel_args(struct args *a, const struct kernel *k,
			const struct guest_options *o)
{
	arg(a, "-kernel");
	arg(a, "%s", k->image);
	arg(a, "-append");
	arg(a,
	    "console=ttyS0,115200 quiet printk.time=1 panic=-1 reboot=t "
	    "tsc=reliable "
	    "no_timer_check random.trust_cpu=on "
	    "cryptomgr.notests%s%s",
	    o->append ? " " : "", o->append ? o->append : "");
}

static void files_args(struct args *a, const struct guest *g,
		       const struct guest_options *o)
{
	char dir[2 * sizeof(g->dir)];

	escape_commas(g->dir, dir, sizeof(dir));
	if (o->snapshot) {
		arg(a, "-fw_cfg");
		arg(a, "name=" GUEST_FILES ",file=%s/initramfs", dir);
		arg(a, "-incoming");
		arg(a, "fd:3");
	} else {
		arg(a, "-initrd");
		arg(a, "%s/initramfs", g->dir);
	}
	if (o->wait) {
		arg(a, "-monitor");
		arg(a, "unix:%s/monitor,server=on,wait=off", dir);
	}
}

static int make_argv(struct guest *g, const struct kernel *k,
		     const struct guest_options *o, char *error)
{
	struct args a = { .argv = calloc(ARGS_MAX + 1, sizeof(char *)) };

	if (!a.argv)
		return fail_with(error, "out of memory");
	g->argv = a.argv;
	arg(&a, "/bin/sh");
	arg(&a, "-c");
	arg(&a, "%s", o->snapshot ? RESUMED : LIMITED);
	arg(&a, "guest");
	arg(&a, "%s/qemu", g->dir);
	arg(&a, "%u", 2 * (o->log_kib ? o->log_kib : 16 << 10));
	if (o->snapshot)
		arg(&a, "%s", o->snapshot);
	arg(&a, "%s", QEMU);
	machine_args(&a, g, o);
	device_args(&a, g);
	kernel_args(&a, k, o);
	files_args(&a, g, o);
	for (const char *const *q = o->qemu; q && *q; q++)
		arg(&a, "%s", *q);
	return a.failed ? fail_with(error, "too many arguments for QEMU") : 0;
}

/* A file of some size, which is not read: it changes as a whole. */
static void add_stat(struct sha256_ctx *sha, const char *path)
{
	struct stat st = { 0 };
	char text[128];
	int len;

	stat(path, &st);
	len = snprintf(text, sizeof(text), "%lld %lld %lld.%09ld",
		       (long long)st.st_ino, (long long)st.st_size,
		       (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	sha256_update(sha, len + 1, (const uint8_t *)text);
}

static void add_args(struct sha256_ctx *sha, const struct kernel *k,
		     const struct guest_options *o, const char *accel)
{
	struct args a = { .argv = calloc(ARGS_MAX + 1, sizeof(char *)) };
	struct guest g = { 0 };

	if (!a.argv)
		return;
	snprintf(g.accel, sizeof(g.accel), "%s", accel);
	machine_args(&a, &g, o);
	device_args(&a, &g);
	kernel_args(&a, k, o);
	for (int i = 0; i < a.count; i++) {
		sha256_update(sha, strlen(a.argv[i]) + 1,
			      (const uint8_t *)a.argv[i]);
		free(a.argv[i]);
	}
	free(a.argv);
}

static int read_boot_id(char id[64]);

int guest_identity(const struct kernel *kernel,
		   const struct guest_options *options, char identity[17],
		   char *error)
{
	char init[PATH_MAX], qemu[PATH_MAX], boot_id[64] = "";
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx sha;
	struct bytes program;

	if (find_init(options, init, error) == -1 ||
	    bytes_read(&program, init, error) == -1)
		return -1;
	sha256_init(&sha);
	sha256_update(&sha, program.len, program.data);
	free(program.data);
	if (!tool_find(QEMU, qemu))
		return fail_with(error, "no " QEMU " on PATH");
	add_stat(&sha, qemu);
	add_stat(&sha, kernel->image);
	read_boot_id(boot_id);
	sha256_update(&sha, sizeof(boot_id), (const uint8_t *)boot_id);
	add_args(&sha, kernel, options, options->accel);
	sha256_digest(&sha, sizeof(digest), digest);
	for (int i = 0; i < 8; i++)
		sprintf(identity + 2 * i, "%02x", digest[i]);
	return 0;
}

static int make_folder(struct guest *g, char *error)
{
	const char *tmp = getenv("TMPDIR");

	if (!tmp || tmp[0] != '/')
		tmp = "/tmp";
	if (snprintf(g->dir, sizeof(g->dir), "%s/notelab-XXXXXX", tmp) >=
		    (int)sizeof(g->dir) ||
	    !mkdtemp(g->dir)) {
		fail_with(error,
			  "cannot make a folder in %.400s: %s; set TMPDIR "
			  "to another",
			  tmp, strerror(errno));
		g->dir[0] = '\0';
		return -1;
	}
	return 0;
}

int guest_prepare(struct guest *guest, const struct kernel *kernel,
		  const char *const *lab, const struct guest_options *options,
		  char *error)
{
	static const struct guest_options none;
	const struct guest_options *o = options ? options : &none;
	struct guest_options boots;
	const char *accel = o->accel;

	*guest = (struct guest){ 0 };
	if (!tool_exists(QEMU))
		return fail_with(error, "no " QEMU " on PATH; install "
					"qemu-system-x86");
	/* A guest's own /dev/kvm is emulated, so that it is the same anywhere.
	 */
	if (!accel)
		accel = o->svm ? "tcg" : guest_probe_accel(kernel, o->init);
	snprintf(guest->accel, sizeof(guest->accel), "%s", accel);
	snprintf(guest->kernel, sizeof(guest->kernel), "%s", kernel->name);
	if (make_folder(guest, error) == -1)
		return -1;
	guest->resumes = o->snapshot;
	if (write_initramfs(guest, kernel, lab, o, error) == -1)
		goto abandon;
	if (o->snapshot && memory_mib(guest, o) != MEMORY_MIB) {
		/* It was saved with too little memory for all this. */
		boots = *o;
		boots.snapshot = NULL;
		o = &boots;
		guest->resumes = false;
		if (write_initramfs(guest, kernel, lab, o, error) == -1)
			goto abandon;
	}
	if (make_argv(guest, kernel, o, error) == 0)
		return 0;
abandon:
	guest_remove(guest);
	return -1;
}

void guest_remove(struct guest *guest)
{
	static const char *const files[] = { "initramfs", "console", "status",
					     "qemu", "monitor" };
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (guest->dir[0])
			unlink(pathf(path, "%s/%s", guest->dir, files[i]));
	if (guest->dir[0])
		rmdir(guest->dir);
	for (char **a = guest->argv; a && *a; a++)
		free(*a);
	free(guest->argv);
	*guest = (struct guest){ 0 };
}

/* The NUL-terminated content of a file of the guest's; empty if none. */
static char *read_log(const struct guest *g, const char *file)
{
	char path[PATH_MAX], ignored[ERROR_MAX];
	struct bytes text;

	if (bytes_read(&text, pathf(path, "%s/%s", g->dir, file), ignored) ==
	    -1)
		return calloc(1, 1);
	/* A NUL of the guest's must not hide what follows. */
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == '\0')
			text.data[i] = ' ';
	text.data[text.len] = '\0';
	return (char *)text.data;
}

/* Copy the line at @text without its end, control characters as dots. */
static void copy_line(const char *text, char *line, size_t size)
{
	size_t n = 0;

	while (text[n] && text[n] != '\n' && text[n] != '\r' && n + 1 < size) {
		unsigned char c = text[n];

		line[n++] = (c < ' ' && c != '\t') || c == 0x7f ? '.' : c;
	}
	line[n] = '\0';
}

/* The start of the last line of @text that says something; NULL if none. */
static const char *last_said(const char *text)
{
	const char *end = text + strlen(text), *start;

	while (end > text && strchr("\r\n \t", end[-1]))
		end--;
	if (end == text)
		return NULL;
	for (start = end; start > text && start[-1] != '\n'; start--)
		;
	return start;
}

static void last_line(const char *text, char *line, size_t size)
{
	const char *last = last_said(text);

	snprintf(line, size, "%s", "nothing");
	if (last)
		copy_line(last, line, size);
}

bool guest_has_said(const struct guest *guest, const char *word)
{
	char *status = read_log(guest, "status");
	size_t len = strlen(word);
	bool said =
		status && !strncmp(status, word, len) && status[len] == '\n';

	free(status);
	return said;
}

bool guest_has_started(const struct guest *guest)
{
	return guest_has_said(guest, "started");
}

char *guest_console_tail(const struct guest *guest, int lines)
{
	char *console = read_log(guest, "console");
	char *start, *out;

	if (!console || !last_said(console)) {
		free(console);
		return NULL;
	}
	start = (char *)last_said(console);
	while (--lines > 0 && start > console)
		for (start--; start > console && start[-1] != '\n'; start--)
			;
	out = console;
	for (const char *c = start; *c; c++)
		if (*c == '\n' || *c == '\t' ||
		    ((unsigned char)*c >= ' ' && *c != 0x7f))
			*out++ = *c;
	*out = '\0';
	return console;
}

/* @line as the kernel prints it, "[    1.234567] text"; the text. */
static const char *kernel_text(const char *line)
{
	const char *c = line;

	if (*c++ != '[')
		return NULL;
	c += strspn(c, " 0123456789.");
	return c[0] == ']' && c[1] == ' ' ? c + 2 : NULL;
}

static bool is_trouble(const char *text)
{
	static const char *const signs[] = {
		"WARNING: ",	  "BUG: ",	     "Oops",
		"Kernel panic",	  "INFO: task ",     "INFO: possible ",
		"general protec", "watchdog: BUG: ", "INFO: rcu",
		"refcount_t: ",	  "kernel BUG at ",  "list_add corruption",
	};

	for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++)
		if (!strncmp(text, signs[i], strlen(signs[i])))
			return true;
	return false;
}

bool guest_trouble(const struct guest *guest, char *const *expected,
		   size_t n_expected, char *line, size_t size)
{
	char *console = read_log(guest, "console");
	char *rest = console ? strstr(console, GUEST_CONSOLE_MARK) : NULL;
	bool found = false;

	for (char *one; !found && (one = strsep(&rest, "\n"));) {
		const char *text = kernel_text(one);

		if (!text || !is_trouble(text))
			continue;
		copy_line(text, line, size);
		found = true;
		for (size_t i = 0; i < n_expected; i++)
			found = found && !strstr(line, expected[i]);
	}
	free(console);
	return found;
}

/* The rest of the first line of @console that has @words; "" without. */
static void find_line(const char *console, const char *words, char *line,
		      size_t size)
{
	const char *at = strstr(console, words);

	line[0] = '\0';
	if (at)
		copy_line(at, line, size);
}

/* The status line of a lab that ended, if it is there to its last byte. */
static bool read_end(const char *status, struct outcome *lab)
{
	static const char *const words[] = { "\nexit ", "\nsignal " };
	unsigned long long user, sys, wall;
	long rss;
	int value;

	for (int i = 0; i < 2; i++) {
		const char *at = strstr(status, words[i]);

		if (!at || !strchr(at + 1, '\n') ||
		    sscanf(at + strlen(words[i]), "%d %llu %llu %ld %llu",
			   &value, &user, &sys, &rss, &wall) != 5)
			continue;
		lab->end = i == 0 ? END_EXIT : END_SIGNAL;
		lab->value = value;
		lab->user_ms = user;
		lab->sys_ms = sys;
		lab->max_rss_kib = rss;
		lab->wall_ms = wall;
		return true;
	}
	return false;
}

static void say(struct outcome *lab, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct outcome *lab, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(lab->reason, sizeof(lab->reason), format, args);
	va_end(args);
}

/* How QEMU ended, in words. */
static void describe_qemu(const struct guest *g, const struct outcome *qemu,
			  char *text, size_t size)
{
	char *said = read_log(g, "qemu");
	char line[120];

	last_line(said ? said : "", line, sizeof(line));
	if (qemu->reason[0])
		snprintf(text, size, "%.100s", qemu->reason);
	else if (qemu->end == END_TIMEOUT)
		snprintf(text, size, "killed after %.0f s",
			 qemu->wall_ms / 1e3);
	else if (qemu->end == END_SIGNAL)
		snprintf(text, size, "QEMU was ended by SIG%s",
			 sigabbrev_np(qemu->value));
	else if (qemu->end == END_EXIT && qemu->value == 0)
		snprintf(text, size, "reset or powered off");
	else
		snprintf(text, size, "QEMU: status %d, %s", qemu->value, line);
	free(said);
}

/* No status line: the guest did not live to send it. */
static void explain_loss(const struct guest *g, const struct outcome *qemu,
			 const char *status, const char *console,
			 struct outcome *lab)
{
	bool started = strncmp(status, "started\n", 8) == 0;
	char line[160], how[160];

	describe_qemu(g, qemu, how, sizeof(how));
	find_line(console, "Kernel panic", line, sizeof(line));
	if (line[0]) {
		lab->end = END_PANIC;
		say(lab, "%s%s", line, started ? "" : " (before the lab)");
		return;
	}
	if (!strncmp(status, "broken ", 7)) {
		lab->end = END_BOOT_FAILURE;
		copy_line(status + 7, line, sizeof(line));
		say(lab, "/init could not %s", line);
		return;
	}
	last_line(console, line, sizeof(line));
	if (qemu->end == END_TIMEOUT && (started || qemu->reason[0])) {
		lab->end = END_TIMEOUT;
		lab->value = qemu->value;
		say(lab, "%s", qemu->reason); /* if it was told to stop */
	} else if (!started) {
		lab->end = END_BOOT_FAILURE;
		say(lab, "%s; the console's last line: %.80s", how, line);
	} else {
		lab->end = END_LOST;
		say(lab, "%s; the console's last line: %.80s", how, line);
	}
}

void guest_finish(const struct guest *guest, const struct outcome *qemu,
		  struct outcome *lab)
{
	char *status = read_log(guest, "status");
	char *console = read_log(guest, "console");

	*lab = (struct outcome){ .end = END_LOST, .wall_ms = qemu->wall_ms };
	if (!status || !console)
		say(lab, "out of memory");
	else if (!read_end(status, lab))
		explain_loss(guest, qemu, status, console, lab);
	else if (lab->end == END_SIGNAL && lab->value == SIGKILL)
		/* Who sent it, if it was the kernel. */
		find_line(console, "Out of memory: Killed process", lab->reason,
			  sizeof(lab->reason));
	free(status);
	free(console);
}

/* This boot of the host: hardware and its KVM may differ after another. */
static int read_boot_id(char id[64])
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	int got;

	if (!file)
		return -1;
	got = fscanf(file, "%63s", id);
	fclose(file);
	return got == 1 ? 0 : -1;
}

static bool read_answer(const char *path, const char *id, bool *kvm)
{
	char was[64], accel[8];
	FILE *file = fopen(path, "re");
	bool valid;

	if (!file)
		return false;
	valid = fscanf(file, "%63s %7s", was, accel) == 2 &&
		strcmp(was, id) == 0;
	fclose(file);
	*kvm = valid && strcmp(accel, "kvm") == 0;
	return valid;
}

/* A cache that cannot be written costs another try, nothing else. */
static void write_answer(const char *path, const char *id, bool kvm)
{
	char aside[PATH_MAX];
	FILE *file;

	file = fopen(pathf(aside, "%s.%d", path, (int)getpid()), "we");
	if (!file)
		return;
	fprintf(file, "%s %s\n", id, kvm ? "kvm" : "tcg");
	if (fclose(file) != 0 || rename(aside, path) == -1)
		unlink(aside);
}

/* Boot once with KVM, under a deadline that holds if we die, too. */
static bool boots_with_kvm(const struct kernel *kernel, const char *init)
{
	const struct guest_options options = { .accel = "kvm", .init = init };
	const char *argv[ARGS_MAX + 8] = { "timeout", "-s", "KILL", "10" };
	struct outcome qemu = { .end = END_EXIT }, lab;
	char error[ERROR_MAX];
	struct guest guest;
	int n = 4;

	if (guest_prepare(&guest, kernel, NULL, &options, error) == -1)
		return false;
	for (char **a = guest.argv; *a; a++)
		argv[n++] = *a;
	qemu.value = tool_run(argv, NULL, "/dev/null");
	guest_finish(&guest, &qemu, &lab);
	guest_remove(&guest);
	return qemu.value == GUEST_EXIT_CODE && lab.end == END_EXIT &&
	       lab.value == 0;
}

const char *guest_probe_accel(const struct kernel *kernel, const char *init)
{
	char path[PATH_MAX], id[64];
	bool kvm;

	if (access("/dev/kvm", R_OK | W_OK) == -1 || read_boot_id(id) == -1)
		return "tcg";
	pathf(path, "%s/accel", kernel->dir);
	if (read_answer(path, id, &kvm))
		return kvm ? "kvm" : "tcg";
	kvm = boots_with_kvm(kernel, init);
	write_answer(path, id, kvm);
	return kvm ? "kvm" : "tcg";
}
