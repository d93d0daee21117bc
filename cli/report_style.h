/* cli/report_style.h — the style sheet of a report's page: light, dark and print. */
#ifndef MR_CLI_REPORT_STYLE_H
#define MR_CLI_REPORT_STYLE_H

/* Its pieces, ended by NULL; the program's own text. */
extern const char *const mr_report_style[];

#endif
