/* base/assert.h — assertions that stay on in every build.
 * Why: a programmer's error (a broken contract) must stop the process before it can commit a wrong
 * transaction; a restart is safe by design, going on is not. Errors of data, users or peers are
 * never assertions: they are statuses (base/error.h). */
#ifndef MR_BASE_ASSERT_H
#define MR_BASE_ASSERT_H

/* Print the failed condition with its place on standard error and abort. */
_Noreturn void mr_assert_failed(const char *condition, const char *file, int line);

#define MR_ASSERT(condition)                                                                       \
    ((condition) ? (void)0 : mr_assert_failed(#condition, __FILE__, __LINE__))

#define MR_ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MR_UNUSED(value) ((void)(value))

#endif
