// SPDX-License-Identifier: MIT
/*
 * kmemleak_leaks - objects that are lost, in use, or only look lost.
 *
 * One small function for each, not inlined: its name stands in kmemleak's
 * report, and that is how the lab knows which object is meant.
 */
#include <linux/fs.h>
#include <linux/kmemleak.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "kmemleak_leaks.h"

enum { SIZE = 100 };

/* As kzalloc(), which may stand in the backtrace itself, before ours. */
#define ZEROED (GFP_KERNEL | __GFP_ZERO)

/* kmemleak looks for addresses here, among the module's data. */
static u8 *kept;
static u8 *shown;
static unsigned long hidden; /* no address, for kmemleak */

static long leak_written(void)
{
	u8 *object = kmalloc(SIZE, GFP_KERNEL);

	if (!object)
		return -ENOMEM;
	memset(object, 'x', SIZE);
	barrier_data(object); /* nobody reads it, yet write it */
	return 0;
}

static long leak_zeroed(void)
{
	return kmalloc(SIZE, ZEROED) ? 0 : -ENOMEM;
}

static long leak_vmalloc(void)
{
	return vmalloc(5000) ? 0 : -ENOMEM;
}

static long leak_pages(void)
{
	return alloc_pages(GFP_KERNEL, 1) ? 0 : -ENOMEM;
}

static long keep(void)
{
	kept = kmalloc(SIZE, ZEROED);
	return kept ? 0 : -ENOMEM;
}

static long drop(void)
{
	kept = NULL;
	return 0;
}

static u8 *hidden_object(void)
{
	return hidden ? (u8 *)~hidden : NULL;
}

static long hide(void)
{
	u8 *object = kmalloc(SIZE, ZEROED);

	if (!object)
		return -ENOMEM;
	hidden = ~(unsigned long)object;
	return 0;
}

static long touch(void)
{
	u8 *object = hidden_object();

	if (!object)
		return -ENOENT;
	object[0]++;
	return 0;
}

static long show(void)
{
	WRITE_ONCE(shown, hidden_object()); /* nobody reads it, yet store it */
	return shown ? 0 : -ENOENT;
}

static long hold(void)
{
	u8 *volatile object = kmalloc(SIZE, ZEROED);

	if (!object)
		return -ENOMEM;
	schedule_timeout_killable(MAX_SCHEDULE_TIMEOUT);
	object = NULL;
	return -EINTR;
}

/*
 * kmemleak keeps a record of each object, in memory of the same kind. These
 * flags make neither the pages nor the records wait for memory to be freed,
 * so once all pages are taken, its pool is where the records come from.
 */
static long record_pages(unsigned long max)
{
	const gfp_t at_once = __GFP_NOWARN;
	struct page *page, *next;
	LIST_HEAD(pages);
	long count = 0;

	while (count < max && (page = alloc_page(at_once))) {
		list_add(&page->lru, &pages);
		count++;
	}
	list_for_each_entry(page, &pages, lru)
		kmemleak_alloc(page_address(page), PAGE_SIZE, 0, at_once);
	list_for_each_entry_safe(page, next, &pages, lru)
	{
		kmemleak_free(page_address(page));
		__free_page(page);
	}
	return count;
}

static const struct {
	unsigned int command;
	long (*act)(void);
} acts[] = {
	{ LEAK_WRITTEN, leak_written },
	{ LEAK_ZEROED, leak_zeroed },
	{ LEAK_VMALLOC, leak_vmalloc },
	{ LEAK_PAGES, leak_pages },
	{ KEEP, keep },
	{ DROP, drop },
	{ HIDE, hide },
	{ TOUCH, touch },
	{ SHOW, show },
	{ HOLD, hold },
};

static long leaks_ioctl(struct file *file, unsigned int command,
			unsigned long arg)
{
	if (command == RECORD_PAGES)
		return record_pages(arg);
	/* Through a table, so that none is inlined. */
	for (size_t i = 0; i < ARRAY_SIZE(acts); i++)
		if (acts[i].command == command)
			return acts[i].act();
	return -ENOTTY;
}

static const struct file_operations leaks_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = leaks_ioctl,
};

static struct miscdevice leaks_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "kmemleak_leaks",
	.fops = &leaks_fops,
	.mode = 0600,
};

static int __init leaks_init(void)
{
	return misc_register(&leaks_device);
}

static void __exit leaks_exit(void)
{
	misc_deregister(&leaks_device);
	kfree(kept);
	kfree(hidden_object());
}

module_init(leaks_init);
module_exit(leaks_exit);
MODULE_DESCRIPTION("Leaks memory in several ways, for kmemleak to find");
MODULE_LICENSE("Dual MIT/GPL");
