#include "support/check.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

static char dir[64];
static int dirfd_;

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/rouse-fd-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dirfd_ < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const files[] = {"file", "big", "a/b/c", "a/b", "a"};
    for (size_t i = 0; i < COUNT(files); i++)
        unlinkat(dirfd_, files[i], i < 2 ? 0 : AT_REMOVEDIR);
    close(dirfd_);
    return rmdir(dir);
}

static void test_write_and_read(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(0);
    struct stat st;
    assert_works(fd_write_file(dirfd_, "file", "one", 3, false, &err));
    assert_works(fd_write_file(dirfd_, "file", "two\0!", 5, true, &err));
    assert_works(fd_read_file(dirfd_, "file", 100, &out, &err));
    assert_int_equal(out.len, 5);
    assert_memory_equal(out.data, "two\0!", 6);
    assert_int_equal(fstatat(dirfd_, "file", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    buf_done(&out);
}

static void test_refusals(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(0);
    char name[300];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_works(fd_write_file(dirfd_, "big", "0123456789", 10, false, &err));
    assert_refused(fd_read_file(dirfd_, "big", 9, &out, &err), ROUSE_ELIMIT, "'big' is larger than 9 bytes");
    assert_refused(fd_read_file(dirfd_, "none", 9, &out, &err), ROUSE_ENOTFOUND, "'none'");
    assert_refused(fd_write_file(dirfd_, name, "", 0, false, &err), ROUSE_EINVAL, "file name 'nnn");
    assert_refused(fd_write_file(dirfd_, "no/such", "", 0, false, &err), ROUSE_EIO, "'no/such'");
    buf_done(&out);
}

static void test_directories(void **state)
{
    (void)state;
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/a/b/c", dir);
    assert_works(fd_make_dirs(path, &err));
    assert_works(fd_make_dirs(path, &err));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_refused(fd_make_dirs("", &err), ROUSE_EINVAL, "empty");
}

static void test_close_keeps_errno(void **state)
{
    (void)state;
    int fd = dup(dirfd_);
    errno = E2BIG;
    fd_close(&fd);
    assert_int_equal(errno, E2BIG);
    assert_int_equal(fd, -1);
    fd_close(&fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_and_read),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_directories),
        cmocka_unit_test(test_close_keeps_errno),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
