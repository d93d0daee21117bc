/* cli/kubernetes_flags.c — see kubernetes_flags.h. */
#include "cli/kubernetes_flags.h"

#include "cli/settings.h"

enum mr_status mr_kubernetes_flags_read(const struct mr_arguments *arguments,
                                        struct mr_arena *arena,
                                        struct mr_kubernetes_options *options,
                                        struct mr_error *error)
{
    *options = (struct mr_kubernetes_options){
        .url = mr_settings_text(arguments, "kubernetes", NULL),
        .authority_file = mr_settings_text(arguments, "kubernetes-authority", NULL),
        .token_file = mr_settings_text(arguments, "kubernetes-token-file", NULL),
        .name_space = mr_settings_text(arguments, "kubernetes-namespace", NULL)};
    return mr_kubernetes_options_fill(options, arena, error);
}
