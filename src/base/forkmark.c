#include "base/forkmark.h"

#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

bool forkmark_init(struct forkmark *mark)
{
    void *page = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return false;
    if (madvise(page, page_size(), MADV_WIPEONFORK) < 0) {
        munmap(page, page_size());
        return false;
    }
    mark->page = page;
    *mark->page = 1;
    return true;
}

bool forkmark_is_child(const struct forkmark *mark)
{
    return *mark->page == 0;
}

void forkmark_done(struct forkmark *mark)
{
    if (mark->page)
        munmap((void *)(size_t)mark->page, page_size());
    mark->page = NULL;
}
