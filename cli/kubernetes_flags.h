/* cli/kubernetes_flags.h — where the API server of Kubernetes is, and who asks it. A pod needs none
 * of these flags. */
#ifndef MR_CLI_KUBERNETES_FLAGS_H
#define MR_CLI_KUBERNETES_FLAGS_H

#include "cli/arguments.h"
#include "coordinator/kubernetes_client.h"

#define MR_FLAGS_KUBERNETES                                                                        \
    {.name = "kubernetes",                                                                         \
     .kind = MR_FLAG_TEXT,                                                                         \
     .value = "URL",                                                                               \
     .help = "The API server of Kubernetes (default: as a pod finds it)."},                        \
        {.name = "kubernetes-authority",                                                           \
         .kind = MR_FLAG_TEXT,                                                                     \
         .value = "FILE",                                                                          \
         .help = "Whom its certificate must come from (PEM; default: as a pod finds it)."},        \
        {.name = "kubernetes-token-file",                                                          \
         .kind = MR_FLAG_TEXT,                                                                     \
         .value = "FILE",                                                                          \
         .help = "The token that it is asked with (default: the pod's service account's)."},       \
    {                                                                                              \
        .name = "kubernetes-namespace", .kind = MR_FLAG_TEXT, .value = "NAME",                     \
        .help = "The namespace (default: the pod's)."                                              \
    }

/* What was given, and what a pod finds. Owner: arena. MR_INVALID: neither. */
enum mr_status mr_kubernetes_flags_read(const struct mr_arguments *arguments,
                                        struct mr_arena *arena,
                                        struct mr_kubernetes_options *options,
                                        struct mr_error *error) MR_NODISCARD;

#endif
