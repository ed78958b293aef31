/* A SQLite VFS, put before the real one as the default, that fails on demand and knows what a power cut would leave.
 *
 * Faults: the n-th call of one kind fails, once or from then on always.
 *
 * Power: while it records, every file keeps in memory what is durable (as of its last sync) and the changes made since, in
 * order. A cut makes every later call fail; vfs_rebuild then writes the files as they might be found after it: each change
 * since the last sync is kept, lost, or torn at 512-byte sectors, as the seed has it; a file that was deleted may be back until
 * the directory was synced, which SQLite does with the first sync of a new journal or log; the -shm file is gone. A sync of a
 * file is taken to make its own name durable too, as ext4 and XFS do.
 * A sync that fails loses what it should have written, for good: a later sync that succeeds does not bring it back.
 *
 * It syncs nothing for real, does not really sleep, and gives the same random bytes in every run. One thread at a time. */
#ifndef TESTS_TORTURE_VFS_H
#define TESTS_TORTURE_VFS_H

#include <stdbool.h>
#include <stdint.h>

#include "seed.h"

enum vfs_call {
    VFS_OPEN,
    VFS_READ,
    VFS_WRITE,
    VFS_TRUNCATE,
    VFS_SYNC,
    VFS_SIZE,
    VFS_LOCK,
    VFS_DELETE,
    VFS_ACCESS,
    VFS_SHM_MAP,
    VFS_SHM_LOCK,
    VFS_CALLS
};
extern const char *const vfs_call_names[VFS_CALLS];

void vfs_install(void); /* once, before SQLite's first use */

/* The n-th call of this kind from now on (1 = the next one) returns result; with always, so do all behind it. With torn, a
 * failing write has written half. */
struct vfs_fault {
    enum vfs_call call;
    int result;
    bool always, torn;
};
void vfs_fail_at(unsigned long n, const struct vfs_fault *fault);
bool vfs_stop(void); /* no more faults. Was there one? */

void vfs_record(void); /* forgets what was recorded, and begins */
void vfs_cut_at(
    unsigned long n); /* the power goes at the n-th change (write, truncate, sync, delete) from now on; 0: not */
bool vfs_is_cut(void);
unsigned long vfs_changes(void); /* since vfs_record */
/* The files that a cut now would leave, into directory. Ends the recording. */
void vfs_rebuild(const char *directory, uint64_t seed);

#endif
