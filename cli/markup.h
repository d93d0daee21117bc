/* cli/markup.h — a page of HTML and SVG that is being written, escaped.
 * Invariant: what comes from data goes through mr_markup_text, and numbers through formats; no
 * other text of a page is not the program's own. Limits: MR_MARKUP_BYTES_MAX; what does not fit is
 * left out and `full` says so. */
#ifndef MR_CLI_MARKUP_H
#define MR_CLI_MARKUP_H

#include "base/buffer.h"

enum { MR_MARKUP_BYTES_MAX = 32 << 20 };

struct mr_markup {
    struct mr_buffer buffer;
    bool full;
};

void mr_markup_init(struct mr_markup *markup);
void mr_markup_deinit(struct mr_markup *markup);

/* The program's own text. */
void mr_markup_add(struct mr_markup *markup, const char *format, ...) MR_PRINTF(2, 3);
/* Anybody's text, between tags or in a quoted attribute: the characters that mean something there
 * become entities, control characters and bytes that are no UTF-8 become "\xNN". */
void mr_markup_text(struct mr_markup *markup, const char *text);
/* A number to so many decimals, with an exponent where it is very large or small; "-" for NaN. */
void mr_markup_number(struct mr_markup *markup, double number, int decimals);

#endif
