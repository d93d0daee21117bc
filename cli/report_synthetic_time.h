/* cli/report_synthetic_time.h — dates and times of a table's column, by the format that sdmetrics'
 * metadata gives (`datetime_format`, as C's and Python's strptime), or any of the forms that data
 * have most: 2026-01-28, 2026-01-28 10:30[:00[.250]], RFC 3339.
 * Directives: %Y %y %m %d %H %I %M %S %f %p %b %B %j %z %T %D %F %%, with %-d and the like for
 * digits without zeros. The names of months are the English ones. Years 1678 to 2261, as pandas. */
#ifndef MR_CLI_REPORT_SYNTHETIC_TIME_H
#define MR_CLI_REPORT_SYNTHETIC_TIME_H

#include "base/slice.h"

/* Whether all directives of a format are known; *wrong: the first that is not, or the end. */
bool mr_synthetic_time_check(const char *format, const char **wrong);
/* Nanoseconds since the epoch. format NULL: the usual forms. False: the text is no such time. */
bool mr_synthetic_time_parse(const char *format, struct mr_slice text, int64_t *nanoseconds);

#endif
