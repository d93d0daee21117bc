/* tools/network_probe.c — the network of a model document, driven from outside: so that another
 * implementation can compare its own (tests/generators), and for its speed.
 *   network_probe layers DOCUMENT < rows  each row: the latents as 32-bit floats, and the place of
 * the condition that is 1 as 32 bits (all bits 1: none), little-endian. Answers each row's outputs
 * as 32-bit floats.
 *   network_probe records DOCUMENT COUNT [CONDITIONS]  records as JSON lines, of seed 1.
 *   network_probe speed DOCUMENT COUNT  how many records a CPU second makes.
 * Exit code 1: something else was said, or the document is refused, with the reason. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "operators/sample_model_network.h"

enum { OUTPUT_BYTES_MAX = 1 << 20 };

static struct mr_sample_model *read_model(const char *path)
{
    struct mr_sample_model *model = NULL;
    struct mr_error error;
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = mr_memory_new(MR_SAMPLE_DOCUMENT_BYTES_MAX, 1);
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    size_t size = fread(bytes, 1, MR_SAMPLE_DOCUMENT_BYTES_MAX, file);
    fclose(file);
    if (mr_sample_model_read(mr_slice_from(bytes, size), &model, &error) != MR_OK) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    mr_memory_free(bytes);
    return model;
}

static void answer(const struct mr_network_layers *layers)
{
    uint32_t width = mr_network_layers_width(layers);
    uint32_t outputs_count = layers->layers[layers->hidden_count].outputs;
    float *activations = mr_memory_new((size_t)width * MR_NETWORK_ROWS, sizeof(*activations));
    float *outputs =
        mr_memory_new((size_t)mr_network_layers_stride(layers) * MR_NETWORK_ROWS, sizeof(*outputs));
    uint32_t hot[MR_NETWORK_ROWS] = {0};
    float *latents = activations + width - layers->latents;
    while (fread(latents, sizeof(*latents), layers->latents, stdin) == layers->latents &&
           fread(hot, sizeof(*hot), 1, stdin) == 1) {
        mr_network_layers_run(layers, activations, hot, 1, outputs);
        fwrite(outputs, sizeof(*outputs), outputs_count, stdout);
    }
    mr_memory_free(activations);
    mr_memory_free(outputs);
}

static struct mr_sample *open_sample(const struct mr_sample_model *model, const char *conditions)
{
    struct mr_sample *sample = NULL;
    struct mr_error error;
    if (mr_sample_open(model, mr_slice_text(conditions), 1, &sample, &error) != MR_OK) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    return sample;
}

static void show(const struct mr_sample_model *model, const char *conditions, uint64_t count)
{
    struct mr_sample *sample = open_sample(model, conditions);
    struct mr_buffer output;
    mr_buffer_init(&output, OUTPUT_BYTES_MAX);
    for (uint64_t row = 0; row < count; row++) {
        mr_buffer_clear(&output);
        if (mr_sample_write(sample, row, 1, NULL, NULL, &output) != MR_OK)
            exit(1);
        printf("%.*s\n", (int)output.size, (const char *)output.data);
    }
    mr_buffer_deinit(&output);
    mr_sample_close(sample);
}

static void measure(const struct mr_sample_model *model, uint64_t count)
{
    struct mr_sample *sample = open_sample(model, "");
    struct mr_arena arena;
    uint32_t fields_count = mr_sample_model_facts(model)->fields_count;
    struct mr_value *cells = mr_memory_new((size_t)fields_count * MR_SAMPLE_ROWS, sizeof(*cells));
    mr_arena_init(&arena, 1 << 16);
    uint64_t begun_ns = mr_clock_thread_cpu_ns();
    for (uint64_t row = 0; row < count; row += MR_SAMPLE_ROWS)
        mr_sample_cells(sample, row, MR_SAMPLE_ROWS, &arena, cells);
    printf("%.0f\n", (double)count * 1e9 / (double)(mr_clock_thread_cpu_ns() - begun_ns));
    mr_arena_deinit(&arena);
    mr_sample_close(sample);
    mr_memory_free(cells);
}

int main(int count, char **arguments)
{
    if (count < 3)
        return 1;
    struct mr_sample_model *model = read_model(arguments[2]);
    const struct mr_network *network = mr_sample_model_network(model);
    uint64_t rows = count > 3 ? strtoull(arguments[3], NULL, 10) : 0;
    int code = 0;
    if (strcmp(arguments[1], "layers") == 0 && network != NULL)
        answer(&network->layers);
    else if (strcmp(arguments[1], "records") == 0)
        show(model, count > 4 ? arguments[4] : "", rows);
    else if (strcmp(arguments[1], "speed") == 0)
        measure(model, rows);
    else
        code = 1;
    mr_sample_model_destroy(model);
    return code;
}
