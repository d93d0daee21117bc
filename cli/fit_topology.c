/* cli/fit_topology.c — see fit_topology.h. */
#include "cli/fit_topology.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define RATE_MIN 1e-3
#define RATE_MAX 1e9
#define MS_PER_SECOND 1000.0
enum { NAME_BYTES = 40, NUMBER_BYTES = 64 };

/* Names of topologies are lower-case letters, digits and dashes between them. */
static void put_name(struct mr_document_writer *writer, const char *name)
{
    char made[NAME_BYTES + 1];
    size_t size = 0;
    for (size_t at = 0; name[at] != '\0' && size < NAME_BYTES; at++) {
        unsigned char byte = (unsigned char)name[at];
        bool is_plain = byte < 0x80 && isalnum(byte);
        if (is_plain)
            made[size++] = (char)tolower(byte);
        else if (size > 0 && made[size - 1] != '-')
            made[size++] = '-';
    }
    while (size > 0 && made[size - 1] == '-')
        size--;
    made[size] = '\0';
    mr_document_put(writer, size == 0                         ? "fitted"
                            : isdigit((unsigned char)made[0]) ? "fitted-"
                                                              : "");
    mr_document_put(writer, made);
    mr_document_put(writer, "-like");
}

static void put_times(struct mr_document_writer *writer, const struct mr_sample_observed *observed)
{
    char text[NUMBER_BYTES + MR_CLOCK_TEXT_SIZE];
    double rate = observed->arrival.rate;
    if (!observed->has_arrival)
        return;
    if (rate >= RATE_MIN)
        (void)snprintf(text, sizeof(text), "      rate: %.6f/s\n",
                       rate < RATE_MAX ? rate : RATE_MAX);
    else if (rate > 0)
        (void)snprintf(text, sizeof(text), "      step: %.0fms\n", MS_PER_SECOND / rate);
    else
        text[0] = '\0';
    mr_document_put(writer, text);
    mr_document_put(writer, "      arrival: ");
    mr_document_put(writer, mr_arrival_kinds[observed->arrival.kind]);
    mr_document_put(writer, "\n      start: '");
    (void)mr_clock_format_rfc3339(observed->begin_ms, text);
    mr_document_put(writer, text);
    mr_document_put(writer, "'\n");
}

static void put_sink(struct mr_document_writer *writer, const struct mr_fit_topology *topology)
{
    char text[NUMBER_BYTES];
    if (topology->topic == NULL) {
        mr_document_put(writer, "    - {name: shown, type: stdout, from: made}\n");
        return;
    }
    mr_document_put(writer, "    - name: written\n      type: kafka\n      from: made\n"
                            "      topic: ");
    mr_document_put(writer, "\"");
    mr_document_put(writer, topology->topic); /* Kafka's names need no escapes */
    mr_document_put(writer, "-like\"\n");
    if (topology->observed->key != NULL) {
        mr_document_put(writer, "      key: [");
        mr_document_put_text(writer, mr_slice_text(topology->observed->key));
        mr_document_put(writer, "]\n");
    }
    (void)snprintf(text, sizeof(text), "      create_topic: {partitions: %d}\n",
                   topology->partitions);
    mr_document_put(writer, text);
}

enum mr_status mr_fit_topology_write(const struct mr_fit_topology *topology,
                                     struct mr_buffer *output)
{
    struct mr_document_writer writer = {.output = output};
    mr_document_put(&writer, "# Makes records like those of ");
    mr_document_put_text(&writer, mr_slice_text(topology->from));
    mr_document_put(&writer, ": `millrace fit` wrote it. Without `rate` it runs as fast as it can; "
                             "then say `step`.\n"
                             "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata:\n"
                             "  name: ");
    put_name(&writer, topology->name);
    mr_document_put(&writer, "\nspec:\n  sources:\n    - name: made\n      type: generate.copula\n"
                             "      model: ");
    mr_document_put_text(&writer, mr_slice_text(topology->model));
    mr_document_put(&writer, "\n");
    put_times(&writer, topology->observed);
    mr_document_put(&writer, "      include_metadata: false\n  sinks:\n");
    put_sink(&writer, topology);
    return writer.status;
}
