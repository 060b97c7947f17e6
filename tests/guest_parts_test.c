// SPDX-License-Identifier: MIT
/* guest_parts_test.c - what of a guest can be tested without booting one. */
#include <archive.h>
#include <archive_entry.h>
#include <check.h>
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/lab.h"
#include "runner/guest.h"
#include "runner/init/ports.h"
#include "runner/initramfs.h"
#include "runner/kernels.h"
#include "runner/tool.h"
#include "runner/unpack.h"

static char base[] = "/tmp/guest-parts-XXXXXX";
static char folder[64];
static char error[ERROR_MAX];

/* Each test has an own folder and an own, empty cache of kernels. */
static void make_folder(void)
{
	sprintf(folder, "%s/XXXXXX", base);
	must_ptr(mkdtemp(folder));
	setenv("XDG_CACHE_HOME", folder, 1);
	error[0] = '\0';
}

static void remove_folder(void)
{
	ck_assert_int_eq(tool_run(ARGV("rm", "-rf", "--", folder), NULL, NULL),
			 0);
}

static const char *in_folder(const char *name)
{
	static char path[PATH_MAX];

	return pathf(path, "%s/%s", folder, name);
}

static void write_file(const char *name, const void *data, size_t len)
{
	int fd =
		must(open(in_folder(name), O_WRONLY | O_CREAT | O_TRUNC, 0666));

	ck_assert_int_eq(must(write(fd, data, len)), len);
	close(fd);
}

static void assert_error_has(const char *words)
{
	ck_assert_msg(strstr(error, words), "\"%s\" is not in \"%s\"", words,
		      error);
}

/* An ELF with one note segment, in which Xen's note 18 is the entry point. */
struct tiny_elf {
	Elf64_Ehdr header;
	Elf64_Phdr program;
	Elf64_Nhdr note;
	char name[4];
	uint32_t entry;
};

static struct tiny_elf pvh_elf(void)
{
	return (struct tiny_elf){
		.header = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
					 ELFCLASS64, ELFDATA2LSB },
			    .e_phoff = offsetof(struct tiny_elf, program),
			    .e_phnum = 1 },
		.program = { .p_type = PT_NOTE,
			     .p_offset = offsetof(struct tiny_elf, note),
			     .p_filesz = 20 },
		.note = { .n_namesz = 4, .n_descsz = 4, .n_type = 18 },
		.name = "Xen",
		.entry = 0x1000000,
	};
}

START_TEST(pvh_note_is_found)
{
	struct tiny_elf elf = pvh_elf();
	struct bytes bytes = { (void *)&elf, sizeof(elf) };

	ck_assert(elf_has_pvh(&bytes));
	elf.note.n_type = 17;
	ck_assert(!elf_has_pvh(&bytes));
}
END_TEST

START_TEST(broken_elf_is_not_followed)
{
	struct tiny_elf elf = pvh_elf();
	struct bytes bytes = { (void *)&elf, sizeof(elf) };

	elf.note.n_namesz = UINT32_MAX;
	ck_assert(!elf_has_pvh(&bytes));
	elf = pvh_elf();
	elf.program.p_offset = UINT64_MAX - 3;
	ck_assert(!elf_has_pvh(&bytes));
	elf = pvh_elf();
	elf.header.e_phnum = UINT16_MAX;
	ck_assert(!elf_has_pvh(&bytes));
	elf.header.e_shoff = UINT64_MAX;
	elf.header.e_shnum = 3;
	ck_assert_ptr_null(module_info(&bytes, "depends"));
	bytes.len = 10;
	ck_assert(!elf_has_pvh(&bytes));
}
END_TEST

/* Little endian, as the boot protocol has it. */
static void put(unsigned char *at, int bytes, uint32_t value)
{
	for (; bytes--; value >>= 8)
		*at++ = value;
}

/* A bzImage whose payload is @payload, packed by @packer. */
static struct bytes make_bzimage(const void *payload, uint32_t len,
				 const char *packer)
{
	enum { CODE = 1024, PAYLOAD = 16 };
	static unsigned char image[8192];
	struct bytes packed;

	write_file("payload", payload, len);
	ck_assert_int_eq(
		tool_run(ARGV("sh", "-c", "$0 < $1/payload > $1/packed", packer,
			      folder),
			 NULL, NULL),
		0);
	ck_assert_int_eq(bytes_read(&packed, in_folder("packed"), error), 0);
	if (strcmp(packer, "gzip") != 0) {
		/* As the kernel's build does. */
		packed.data = must_ptr(realloc(packed.data, packed.len + 4));
		memcpy(packed.data + packed.len, &len, 4);
		packed.len += 4;
	}

	memset(image, 0, sizeof(image));
	image[0x1f1] = 1; /* setup sectors */
	put(image + 0x1f4, 4, (PAYLOAD + packed.len + 15) / 16);
	put(image + 0x1fe, 2, 0xaa55);
	memcpy(image + 0x202, "HdrS", 4);
	put(image + 0x206, 2, 0x20f);
	put(image + 0x20e, 2, 0x100);
	put(image + 0x248, 4, PAYLOAD);
	put(image + 0x24c, 4, packed.len);
	strcpy((char *)image + 0x300, "6.99.0-test (somebody) #1");
	memcpy(image + CODE + PAYLOAD, packed.data, packed.len);
	free(packed.data);
	return (struct bytes){ image, CODE + PAYLOAD + packed.len };
}

START_TEST(vmlinux_comes_out_of_each_packing)
{
	static const char *const packers[] = { "gzip", "xz" };
	struct tiny_elf elf = pvh_elf();
	struct bytes image, vmlinux;

	if (!tool_exists(packers[_i])) {
		printf("left out: no %s to pack with\n", packers[_i]);
		return;
	}
	image = make_bzimage(&elf, sizeof(elf), packers[_i]);
	ck_assert_msg(bzimage_vmlinux(&vmlinux, &image, error) == 0, "%s",
		      error);
	ck_assert_int_eq(vmlinux.len, sizeof(elf));
	ck_assert_mem_eq(vmlinux.data, &elf, sizeof(elf));
	free(vmlinux.data);
}
END_TEST

START_TEST(truncated_bzimage_is_named_so)
{
	struct tiny_elf elf = pvh_elf();
	struct bytes image = make_bzimage(&elf, sizeof(elf), "gzip");

	ck_assert_int_eq(bzimage_check(&image, error), 0);
	image.len -= 32;
	ck_assert_int_eq(bzimage_check(&image, error), -1);
	assert_error_has("truncated");
	image.len = 100;
	ck_assert_int_eq(bzimage_check(&image, error), -1);
	assert_error_has("no bzImage: found 100 bytes");
}
END_TEST

static int command(const char *const *argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	return kernels_command(argc, (char **)argv);
}

START_TEST(added_kernel_is_found_and_removed)
{
	struct tiny_elf elf = pvh_elf();
	struct bytes image = make_bzimage(&elf, sizeof(elf), "gzip");
	char file[PATH_MAX], modules[PATH_MAX];
	struct kernel kernel, *list;

	write_file("bz", image.data, image.len);
	strcpy(file, in_folder("bz"));
	strcpy(modules, in_folder("modules"));
	must(mkdir(modules, 0777));
	ck_assert_int_eq(command(ARGV("kernels", "add", "mine", "--kernel",
				      file, "--modules", modules)),
			 0);
	ck_assert_int_eq(kernel_find("mine", &kernel, error), 0);
	ck_assert_str_eq(kernel.release, "6.99.0-test");
	ck_assert_ptr_nonnull(strstr(kernel.image, "/mine/vmlinux"));
	ck_assert_ptr_nonnull(strstr(kernel.modules, "/mine/modules"));
	ck_assert_str_eq(kernel.config, "");
	ck_assert_int_eq(kernel_list(&list, error), 1);
	free(list);

	/* Again: replaced, and nothing stays beside it. */
	ck_assert_int_eq(
		command(ARGV("kernels", "add", "mine", "--kernel", file)), 0);
	ck_assert_int_eq(access(in_folder("notelab/kernels/.mine.part"), F_OK),
			 -1);
	ck_assert_int_eq(kernel_find("mine", &kernel, error), 0);
	ck_assert_str_eq(kernel.modules, "");

	ck_assert_int_eq(command(ARGV("kernels", "remove", "mine")), 0);
	ck_assert_int_eq(kernel_find("mine", &kernel, error), -1);
	ck_assert_int_eq(command(ARGV("kernels", "remove", "mine")), 1);
}
END_TEST

START_TEST(kernel_that_is_missing_names_the_remedy)
{
	struct kernel kernel;

	ck_assert_int_eq(kernel_find("6.1", &kernel, error), -1);
	assert_error_has("runner kernels fetch 6.1");
	ck_assert_int_eq(kernel_find("debug", &kernel, error), -1);
	assert_error_has("runner kernels build debug");
	ck_assert_int_eq(kernel_find("mine", &kernel, error), -1);
	assert_error_has("runner kernels add mine --kernel FILE");
	ck_assert_int_eq(kernel_find("../6.1", &kernel, error), -1);
	assert_error_has("cannot name a kernel");
	ck_assert_int_eq(kernel_find("host", &kernel, error), -1);
	ck_assert_int_eq(kernel_find("", &kernel, error), -1);
}
END_TEST

START_TEST(bad_image_is_not_added)
{
	struct kernel kernel;
	char file[PATH_MAX];

	write_file("bz", "MZ", 2);
	strcpy(file, in_folder("bz"));
	ck_assert_int_eq(
		command(ARGV("kernels", "add", "mine", "--kernel", file)), 1);
	ck_assert_int_eq(kernel_find("mine", &kernel, error), -1);
	assert_error_has("not prepared");
}
END_TEST

START_TEST(unknown_kernels_command_is_a_usage_error)
{
	ck_assert_int_eq(command(ARGV("kernels", "fetsch", "6.1")), 2);
	ck_assert_int_eq(command(ARGV("kernels", "build", "6.1")), 2);
	ck_assert_int_eq(command(ARGV("kernels", "fetch")), 2);
	ck_assert_int_eq(command(ARGV("kernels", "fetch", "6.2")), 1);
}
END_TEST

/* How often @name is in the archive; @position is which member it is. */
static int count_member(const char *name, int *position)
{
	struct archive *a = archive_read_new();
	struct archive_entry *entry;
	int count = 0, at = 0;

	archive_read_support_format_cpio(a);
	ck_assert_int_eq(
		archive_read_open_filename(a, in_folder("initramfs"), 65536),
		ARCHIVE_OK);
	while (archive_read_next_header(a, &entry) == ARCHIVE_OK) {
		if (!strcmp(archive_entry_pathname(entry), name)) {
			count++;
			*position = at;
		}
		at++;
	}
	archive_read_free(a);
	return count;
}

START_TEST(program_brings_its_loader_and_libraries_once)
{
	struct initramfs *r = initramfs_new(in_folder("initramfs"), error);
	int loader, parent, loaders;

	ck_assert_ptr_nonnull(r);
	ck_assert_int_eq(initramfs_add_program(r, "sh", NULL, error), 0);
	ck_assert_int_eq(initramfs_add_program(r, "sh", NULL, error), 0);
	ck_assert_int_eq(initramfs_finish(r, error), 0);
	/* Here or there, as /lib64 is a folder or a link on this host. */
	loaders = count_member("lib64/ld-linux-x86-64.so.2", &loader) +
		  count_member("usr/lib64/ld-linux-x86-64.so.2", &loader);
	ck_assert_int_eq(loaders, 1);
	ck_assert_int_eq(count_member("usr", &parent), 1);
	ck_assert_int_lt(parent, loader);
	ck_assert_int_eq(count_member("dev/console", &parent), 1);
}
END_TEST

START_TEST(what_the_initramfs_lacks_is_named)
{
	struct initramfs *r = initramfs_new(in_folder("initramfs"), error);

	ck_assert_int_eq(initramfs_add_program(r, "no-such-tool", NULL, error),
			 -1);
	assert_error_has("no-such-tool: not on PATH");
	ck_assert_int_eq(initramfs_add_program(r, "/no/such", NULL, error), -1);
	ck_assert_int_eq(initramfs_add_file(r, "/usr", NULL, error), -1);
	assert_error_has("not a regular file");
	ck_assert_int_eq(initramfs_add_module(r, folder, "6.1", "kvm", NULL,
					      NULL, error),
			 -1);
	assert_error_has("no module kvm");
	initramfs_abandon(r);
}
END_TEST

START_TEST(full_disk_is_told)
{
	struct initramfs *r = initramfs_new("/dev/full", error);

	ck_assert_ptr_nonnull(r);
	ck_assert_int_eq(initramfs_finish(r, error), -1);
	assert_error_has("No space left");
	ck_assert_ptr_null(initramfs_new("/no/such/folder/initramfs", error));
}
END_TEST

#define ENDED_BY_INIT                                                          \
	{                                                                      \
		.end = END_EXIT, .value = GUEST_EXIT_CODE                      \
	}

/* What was written and how QEMU ended, and what follows from both. */
static const struct {
	const char *status, *console, *said;
	struct outcome qemu;
	enum end end;
	int value;
	const char *reason;
} ends[] = {
	{ "started\nexit 1 20 30 400 90\n", "", "", ENDED_BY_INIT, END_EXIT, 1,
	  "" },
	{ "started\nsignal 11 0 0 0 0\n", "", "", ENDED_BY_INIT, END_SIGNAL,
	  SIGSEGV, "" },
	/* QEMU hangs after the lab's end. */
	{ "started\nexit 0 0 0 0 0\n",
	  "",
	  "",
	  { .end = END_TIMEOUT, .value = 60 },
	  END_EXIT,
	  0,
	  "" },
	{ "started\nsignal 9 0 0 0 0\n",
	  "[ 1.0] Out of memory: Killed process 7 (lab)\n", "", ENDED_BY_INIT,
	  END_SIGNAL, SIGKILL, "Out of memory: Killed process 7" },
	{ "started\n",
	  "boot\n[ 2.0] Kernel panic - not syncing: sysrq\n[ 2.1] end\n",
	  "",
	  { .end = END_EXIT },
	  END_PANIC,
	  0,
	  "Kernel panic - not syncing: sysrq" },
	{ "",
	  "[ 2.0] Kernel panic - not syncing: VFS\n",
	  "",
	  { .end = END_EXIT },
	  END_PANIC,
	  0,
	  "(before the lab)" },
	{ "",
	  "[ 0.1] last words\n\n",
	  "",
	  { .end = END_TIMEOUT, .value = 20, .wall_ms = 20e3 },
	  END_BOOT_FAILURE,
	  0,
	  "killed after 20 s; the console's last line: [ 0.1] last words" },
	{ "",
	  "",
	  "qemu: could not load kernel\n",
	  { .end = END_EXIT, .value = 1 },
	  END_BOOT_FAILURE,
	  0,
	  "status 1, qemu: could not load kernel" },
	{ "broken load module /x.ko: Invalid argument\n", "", "", ENDED_BY_INIT,
	  END_BOOT_FAILURE, 0, "/init could not load module /x.ko" },
	{ "started\n",
	  "[ 3.0] reboot: Power down\n",
	  "",
	  { .end = END_EXIT },
	  END_LOST,
	  0,
	  "reset or powered off" },
	{ "started\n",
	  "",
	  "",
	  { .end = END_SIGNAL, .value = SIGKILL },
	  END_LOST,
	  0,
	  "QEMU was ended by SIGKILL" },
	/* The last line is not complete. */
	{ "started\nexit 0 12",
	  "",
	  "",
	  { .end = END_SIGNAL, .value = SIGKILL },
	  END_LOST,
	  0,
	  "SIGKILL" },
	{ "started\n",
	  "",
	  "",
	  { .end = END_TIMEOUT, .value = 60 },
	  END_TIMEOUT,
	  60,
	  "" },
	/* Who stops the runner in a boot has not found a fault in it. */
	{ "",
	  "",
	  "",
	  { .end = END_TIMEOUT, .value = 60, .reason = "stopped by SIGINT" },
	  END_TIMEOUT,
	  60,
	  "stopped by SIGINT" },
};

START_TEST(each_end_is_told_apart)
{
	struct outcome ended;
	struct guest guest = { 0 };

	write_file("status", ends[_i].status, strlen(ends[_i].status));
	write_file("console", ends[_i].console, strlen(ends[_i].console));
	write_file("qemu", ends[_i].said, strlen(ends[_i].said));
	strcpy(guest.dir, folder);
	guest_finish(&guest, &ends[_i].qemu, &ended);
	ck_assert_int_eq(ended.end, ends[_i].end);
	ck_assert_int_eq(ended.value, ends[_i].value);
	ck_assert_msg(strstr(ended.reason, ends[_i].reason), "\"%s\"",
		      ended.reason);
}
END_TEST

START_TEST(console_is_shown_printable)
{
	static const char log[] = "one\r\ntwo\033[31m\r\nthr\0ee\r\n";
	struct guest guest = { 0 };
	char *tail;

	strcpy(guest.dir, folder);
	ck_assert_ptr_null(guest_console_tail(&guest, 2));
	write_file("console", log, sizeof(log) - 1);
	tail = guest_console_tail(&guest, 2);
	ck_assert_str_eq(tail, "two[31m\nthr ee\n");
	free(tail);
	tail = guest_console_tail(&guest, 100);
	ck_assert_str_eq(tail, "one\ntwo[31m\nthr ee\n");
	free(tail);
}
END_TEST

START_TEST(trouble_counts_from_the_start_of_the_lab)
{
	static const char quiet[] =
		"[    0.1] WARNING: at boot\n" GUEST_CONSOLE_MARK "\r\n"
		"BUG: a lab may print this\n";
	static const char fault[] =
		"[   12.345678] WARNING: CPU: 0 PID: 1 at x.c:1\r\n";
	char log[sizeof(quiet) + sizeof(fault)], line[80];
	struct guest guest = { 0 };

	strcpy(guest.dir, folder);
	write_file("console", quiet, strlen(quiet));
	ck_assert(!guest_trouble(&guest, NULL, 0, line, sizeof(line)));
	sprintf(log, "%s%s", quiet, fault);
	write_file("console", log, strlen(log));
	ck_assert(guest_trouble(&guest, NULL, 0, line, sizeof(line)));
	ck_assert_str_eq(line, "WARNING: CPU: 0 PID: 1 at x.c:1");
	ck_assert(!guest_trouble(&guest, (char *[]){ "at x.c:1" }, 1, line,
				 sizeof(line)));
	ck_assert(guest_trouble(&guest, (char *[]){ "at y.c:1" }, 1, line,
				sizeof(line)));
}
END_TEST

int main(void)
{
	TCase *parts = tcase_create("parts");
	Suite *suite = suite_create("guest_parts");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(parts, make_folder, remove_folder);
	tcase_set_timeout(parts, 30);
	tcase_add_test(parts, pvh_note_is_found);
	tcase_add_test(parts, broken_elf_is_not_followed);
	tcase_add_loop_test(parts, vmlinux_comes_out_of_each_packing, 0, 2);
	tcase_add_test(parts, truncated_bzimage_is_named_so);
	tcase_add_test(parts, added_kernel_is_found_and_removed);
	tcase_add_test(parts, kernel_that_is_missing_names_the_remedy);
	tcase_add_test(parts, bad_image_is_not_added);
	tcase_add_test(parts, unknown_kernels_command_is_a_usage_error);
	tcase_add_test(parts, program_brings_its_loader_and_libraries_once);
	tcase_add_test(parts, what_the_initramfs_lacks_is_named);
	tcase_add_test(parts, full_disk_is_told);
	tcase_add_loop_test(parts, each_end_is_told_apart, 0, ARRAY_SIZE(ends));
	tcase_add_test(parts, console_is_shown_printable);
	tcase_add_test(parts, trouble_counts_from_the_start_of_the_lab);
	suite_add_tcase(suite, parts);
	/* A test that fails leaves its folder behind. */
	must_ptr(mkdtemp(base));
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	tool_run(ARGV("rm", "-rf", "--", base), NULL, NULL);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
