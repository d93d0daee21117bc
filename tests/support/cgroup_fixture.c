/* tests/support/cgroup_fixture.c — see cgroup_fixture.h. */
#include "tests/support/cgroup_fixture.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

enum { OPEN_FILES = 16, PATH_SIZE = 8192 };

void cgroup_root_open(char root[CGROUP_ROOT_SIZE])
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(root, CGROUP_ROOT_SIZE, "%.30s/millrace-cgroup-XXXXXX",
                   base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(root));
}

void cgroup_root_write(const char *root, const char *path, const char *text)
{
    char full[PATH_SIZE];
    assert_true(snprintf(full, sizeof(full), "%s%s", root, path) < (int)sizeof(full));
    for (char *at = full + strlen(root) + 1; *at != '\0'; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        (void)mkdir(full, 0755);
        *at = '/';
    }
    FILE *file = fopen(full, "wb");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) < 0, 0);
    assert_int_equal(fclose(file), 0);
}

static int remove_one(const char *path, const struct stat *facts, int kind, struct FTW *place)
{
    (void)facts;
    (void)kind;
    (void)place;
    return remove(path);
}

void cgroup_root_close(const char *root)
{
    assert_int_equal(nftw(root, remove_one, OPEN_FILES, FTW_DEPTH | FTW_PHYS), 0);
}
