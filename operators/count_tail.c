/* operators/count_tail.c — see count_tail.h. */
#include "operators/count_tail.h"

#include "base/assert.h"
#include "operators/incomplete.h"

struct mr_count_tails mr_count_tails(double mean, double variance, double count)
{
    MR_ASSERT(mean > 0 && variance > mean && count >= 0);
    double size = mean * (mean / (variance - mean));
    double q = (variance - mean) / variance;
    double p = mean / variance;
    double unused;
    struct mr_count_tails tails = {0};
    if (count > 0)
        mr_log_beta(count, size, q, p, &tails.log_upper, &unused);
    mr_log_beta(count + 1, size, q, p, &unused, &tails.log_lower);
    return tails;
}
