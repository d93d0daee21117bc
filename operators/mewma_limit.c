/* operators/mewma_limit.c — see mewma_limit.h.
 * Design: k(v | u) = 2 v f(v^2), where f is a mixture of chi-square densities by Poisson's
 * probabilities; its terms are summed from the largest one on, whose logarithm comes from a table
 * of ln Gamma. Panels are two wide, as u has a standard deviation of about one. */
#include "operators/mewma_limit.h"

#include <math.h>
#include <stddef.h>

#include "base/assert.h"
#include "base/memory.h"
#include "operators/incomplete.h"
#include "operators/natural_log.h"
#include "operators/quantile.h"
#include "operators/root.h"
#include "operators/tail.h"

enum { PANEL_NODES = 8, FIELDS_MAX = 64 };

/* Of Gauss and Legendre on -1 to 1: the positive half. */
static const double panel_nodes[PANEL_NODES / 2][2] = {
    {0.18343464249564980, 0.36268378337836198},
    {0.52553240991632899, 0.31370664587788729},
    {0.79666647741362674, 0.22238103445337447},
    {0.96028985649753623, 0.10122853629037626},
};

struct equation {
    uint32_t nodes_count;
    uint32_t terms_count; /* of the tables */
    double half_fields;
    double keep; /* 1 - lambda */
    double *nodes;
    double *weights;
    double *logs;       /* of the nodes */
    double *factorials; /* ln j! */
    double *gammas;     /* ln Gamma(fields / 2 + j) */
    double *matrix;     /* nodes_count rows of nodes_count + 1 */
};

static void fill_nodes(struct equation *equation, double end, uint32_t panels)
{
    double half = end / panels / 2;
    uint32_t node = 0;
    for (uint32_t panel = 0; panel < panels; panel++)
        for (uint32_t pair = 0; pair < PANEL_NODES; pair++) {
            const double *given = panel_nodes[pair / 2];
            double place = pair % 2 == 0 ? given[0] : -given[0];
            equation->nodes[node] = half * (2 * panel + 1 + place);
            equation->weights[node] = half * given[1];
            equation->logs[node] = mr_natural_log(equation->nodes[node]);
            node++;
        }
}

/* end: of u. */
static struct equation equation_new(uint32_t fields_count, double lambda, double end)
{
    uint32_t panels = (uint32_t)(end / 2) + 2;
    struct equation equation = {
        .nodes_count = panels * PANEL_NODES,
        .terms_count = (uint32_t)(end * end / 2) + 2,
        .half_fields = fields_count / 2.0,
        .keep = 1 - lambda,
    };
    size_t nodes = equation.nodes_count;
    equation.nodes = mr_memory_new(nodes, sizeof(double));
    equation.weights = mr_memory_new(nodes, sizeof(double));
    equation.logs = mr_memory_new(nodes, sizeof(double));
    equation.matrix = mr_memory_new(nodes * (nodes + 1), sizeof(double));
    equation.factorials = mr_memory_new(equation.terms_count, sizeof(double));
    equation.gammas = mr_memory_new(equation.terms_count, sizeof(double));
    fill_nodes(&equation, end, panels);
    equation.gammas[0] = mr_log_gamma(equation.half_fields);
    for (uint32_t term = 1; term < equation.terms_count; term++) {
        equation.factorials[term] = equation.factorials[term - 1] + mr_natural_log(term);
        equation.gammas[term] =
            equation.gammas[term - 1] + mr_natural_log(equation.half_fields + term - 1);
    }
    return equation;
}

static void equation_free(struct equation *equation)
{
    mr_memory_free(equation->nodes);
    mr_memory_free(equation->weights);
    mr_memory_free(equation->logs);
    mr_memory_free(equation->matrix);
    mr_memory_free(equation->factorials);
    mr_memory_free(equation->gammas);
}

/* k(node | from). */
static double kernel(const struct equation *equation, uint32_t node, double from)
{
    double half = equation->half_fields;
    double value = equation->nodes[node];
    double center = equation->keep * from;
    double product = center * value / 2; /* sqrt of (noncentrality / 2) (v^2 / 2) */
    double square = product * product;
    /* The largest term: where the next is no larger, (j + 1) (half + j) = square. */
    double root = sqrt((half - 1) * (half - 1) + 4 * square) - half - 1;
    uint32_t mode = root > 0 ? (uint32_t)(root / 2) : 0;
    MR_ASSERT(mode < equation->terms_count);
    double exponent = -(center - value) * (center - value) / 2 - 2 * product +
                      (2 * half - 1) * equation->logs[node] - (half - 1) * 0.69314718055994530942 -
                      equation->factorials[mode] - equation->gammas[mode];
    if (mode > 0)
        exponent += mode * mr_natural_log(square);
    double sum = 1;
    double term = 1;
    for (double step = mode; term > 1e-18 * sum; step++) {
        term *= square / ((step + 1) * (half + step));
        sum += term;
    }
    term = 1;
    for (double step = mode; step > 0 && term > 1e-18 * sum; step--) {
        term *= step * (half + step - 1) / square;
        sum += term;
    }
    return sum * mr_tail_exponential(exponent);
}

/* Gaussian elimination of (1 - K W) L = 1. Off the diagonal nothing is above 0, and rows sum up to
 * more than 0, the chance to be told: pivots stay above 0 without exchanges. */
static void solve(struct equation *equation)
{
    uint32_t count = equation->nodes_count;
    size_t stride = count + 1;
    for (uint32_t row = 0; row < count; row++) {
        double *line = equation->matrix + row * stride;
        for (uint32_t column = 0; column < count; column++)
            line[column] =
                -equation->weights[column] * kernel(equation, column, equation->nodes[row]);
        line[row] += 1;
        line[count] = 1;
    }
    for (uint32_t pivot = 0; pivot < count; pivot++) {
        const double *upper = equation->matrix + pivot * stride;
        for (uint32_t row = pivot + 1; row < count; row++) {
            double *line = equation->matrix + row * stride;
            double factor = line[pivot] / upper[pivot];
            for (uint32_t column = pivot; column <= count; column++)
                line[column] -= factor * upper[column];
        }
    }
    for (uint32_t row = count; row-- > 0;) {
        double *line = equation->matrix + row * stride;
        for (uint32_t column = row + 1; column < count; column++)
            line[count] -= line[column] * equation->matrix[column * stride + count];
        line[count] /= line[row];
    }
}

double mr_mewma_run_length(uint32_t fields_count, double lambda, double limit)
{
    MR_ASSERT(fields_count >= 1 && fields_count <= FIELDS_MAX && limit > 0);
    struct equation equation =
        equation_new(fields_count, lambda, sqrt(limit / (lambda * (2 - lambda))));
    double length = 1;
    solve(&equation);
    for (uint32_t node = 0; node < equation.nodes_count; node++)
        length += equation.weights[node] * kernel(&equation, node, 0) *
                  equation.matrix[node * ((size_t)equation.nodes_count + 1) + equation.nodes_count];
    equation_free(&equation);
    return length;
}

/* ---- The limit ---- */

struct design {
    uint32_t fields_count;
    double lambda;
    double run_length;
};

/* In logarithms: nearly a straight line. */
static double off_by(const void *argument, double limit)
{
    const struct design *design = argument;
    double found = mr_mewma_run_length(design->fields_count, design->lambda, limit);
    return mr_natural_log(found / design->run_length);
}

double mr_mewma_limit(uint32_t fields_count, double lambda, double run_length)
{
    const struct design design = {fields_count, lambda, run_length};
    MR_ASSERT(run_length >= 2 && run_length <= MR_MEWMA_RUN_LENGTH_MAX);
    /* Without memory a point is told once in run_length; neighbours that are alike tell less. */
    double most = mr_chi_square_quantile(fields_count, 1 / run_length);
    const struct mr_root_search search = {0.8 * most, 0.1 * most, most / 1024, most, 1e-12 * most};
    return mr_root(off_by, &design, &search);
}
