/* topology/json_text.c — see json_text.h. */
#include "topology/json_text.h"

#include <inttypes.h>
#include <stdio.h>

enum { NUMBER_SIZE = 512 };

enum mr_status mr_json_text_string(struct mr_buffer *buffer, const char *text)
{
    enum mr_status status = mr_buffer_append(buffer, "\"", 1);
    while (status == MR_OK && *text != '\0') {
        size_t plain = 0;
        while ((uint8_t)text[plain] >= 0x20 && text[plain] != '"' && text[plain] != '\\')
            plain++;
        status = mr_buffer_append(buffer, text, plain);
        text += plain;
        if (status != MR_OK || *text == '\0')
            continue;
        if (*text == '"' || *text == '\\')
            status = mr_buffer_append_format(buffer, "\\%c", *text);
        else if (*text == '\n')
            status = mr_buffer_append_text(buffer, "\\n");
        else
            status = mr_buffer_append_format(buffer, "\\u%04x", (unsigned)(uint8_t)*text);
        text++;
    }
    return status == MR_OK ? mr_buffer_append(buffer, "\"", 1) : status;
}

static const char *based_number(const char *text, char *output, size_t output_size)
{
    uint64_t base = text[1] == 'x' ? 16 : 8;
    uint64_t value = 0;
    for (text += 2; *text != '\0'; text++) {
        uint64_t digit =
            *text <= '9' ? (uint64_t)(*text - '0') : (uint64_t)((*text | 0x20) - 'a') + 10;
        if (__builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return NULL;
    }
    snprintf(output, output_size, "%" PRIu64, value);
    return output;
}

const char *mr_json_text_number(const char *text, char *output, size_t output_size)
{
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'o'))
        return based_number(text, output, output_size);
    const char *sign = text[0] == '-' ? "-" : "";
    text += text[0] == '-' || text[0] == '+';
    if (strpbrk(text, "nN") != NULL) /* .inf and .nan */
        return NULL;
    while (text[0] == '0' && text[1] >= '0' && text[1] <= '9')
        text++;
    size_t whole = strspn(text, "0123456789");
    const char *rest = text + whole;
    size_t fraction = *rest == '.' ? 1 + strspn(rest + 1, "0123456789") : 0;
    const char *exponent = rest + fraction;
    if (fraction == 1) /* "5." */
        fraction = 0;
    int size = snprintf(output, output_size, "%s%.*s%.*s%s", sign, whole == 0 ? 1 : (int)whole,
                        whole == 0 ? "0" : text, (int)fraction, rest, exponent);
    return size > 0 && (size_t)size < output_size ? output : NULL;
}

static enum mr_status append_scalar(struct mr_buffer *buffer, const struct mr_yaml_node *node,
                                    const struct mr_yaml_node **culprit)
{
    char number[NUMBER_SIZE];
    switch (node->scalar) {
    case MR_YAML_NULL:
        return mr_buffer_append_text(buffer, "null");
    case MR_YAML_BOOLEAN:
        return mr_buffer_append_text(buffer, (node->text[0] | 0x20) == 't' ? "true" : "false");
    case MR_YAML_INTEGER:
    case MR_YAML_FLOAT:
        if (mr_json_text_number(node->text, number, sizeof(number)) == NULL) {
            *culprit = node;
            return MR_INVALID;
        }
        return mr_buffer_append_text(buffer, number);
    case MR_YAML_STRING:
        break;
    }
    return mr_json_text_string(buffer, node->text);
}

enum mr_status mr_json_text_node(struct mr_buffer *buffer, const struct mr_yaml_node *node,
                                 const struct mr_yaml_node **culprit)
{
    if (node->kind == MR_YAML_SCALAR)
        return append_scalar(buffer, node, culprit);
    bool mapping = node->kind == MR_YAML_MAPPING;
    enum mr_status status = mr_buffer_append_text(buffer, mapping ? "{" : "[");
    for (uint32_t i = 0; status == MR_OK && i < node->count; i++) {
        if (i > 0)
            status = mr_buffer_append_text(buffer, ",");
        if (status == MR_OK && mapping)
            status = mr_json_text_string(buffer, node->pairs[i].key);
        if (status == MR_OK && mapping)
            status = mr_buffer_append_text(buffer, ":");
        if (status == MR_OK)
            status =
                mr_json_text_node(buffer, mapping ? node->pairs[i].value : node->items[i], culprit);
    }
    return status == MR_OK ? mr_buffer_append_text(buffer, mapping ? "}" : "]") : status;
}
