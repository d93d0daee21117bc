/* tests/support/cgroup_fixture.h — a folder that stands for a machine's root, with the files of its
 * control groups. Threads: one. */
#ifndef MR_TESTS_SUPPORT_CGROUP_FIXTURE_H
#define MR_TESTS_SUPPORT_CGROUP_FIXTURE_H

enum { CGROUP_ROOT_SIZE = 64 };

/* Makes an empty folder. */
void cgroup_root_open(char root[CGROUP_ROOT_SIZE]);
/* Writes a file below it, with its folders: "/proc/self/cgroup". */
void cgroup_root_write(const char *root, const char *path, const char *text);
/* Removes it with everything in it. */
void cgroup_root_close(const char *root);

#endif
