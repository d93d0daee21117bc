"""What a pod's specification means for the processes that stand for its containers: environment,
arguments and the files of its volumes. Without side effects: what lives in the API is looked up
through `read(kind, name)`, which returns the object or None."""

import base64
import re

PATH = "/opt/millrace:/usr/local/bin:/usr/bin:/bin"
UNITS = {"": 1, "m": 0.001, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
         "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


class Invalid(Exception):
    """A container that cannot be started, as the kubelet would say it."""


def quantity(text):
    """The number of a quantity such as 512Mi or 250m."""
    match = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(text))
    return float(match[1]) * UNITS[match[2]]


def field(pod, path):
    """The text of a downward API field."""
    indexed = re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path)
    if indexed:
        return pod["metadata"].get(indexed[1], {}).get(indexed[2], "")
    found = pod
    for name in path.split("."):
        found = found.get(name, {})
    return found if isinstance(found, str) else ""


def resource(container, reference):
    """The text of a resourceFieldRef, rounded up to its divisor."""
    _, name = reference["resource"].split(".", 1)
    kind = reference["resource"].split(".", 1)[0]
    given = container.get("resources", {}).get(kind, {}).get(name)
    if given is None:
        raise Invalid(f"container {container['name']} has no {reference['resource']}")
    divisor = quantity(reference.get("divisor") or 1) or 1
    return str(int(-(-quantity(given) // divisor)))


def keyed(read, kind, reference):
    """The bytes under a key of a ConfigMap or a Secret; None when it is optional and not there."""
    found = read(kind, reference["name"])
    content = entries(found) if found else {}
    if reference["key"] in content:
        return content[reference["key"]]
    if reference.get("optional"):
        return None
    raise Invalid(f"{kind} {reference['name']} has no key {reference['key']}")


def entries(found):
    """What a ConfigMap or a Secret holds: key -> bytes."""
    plain = {key: value.encode() for key, value in found.get("data", {}).items()}
    if found["kind"] == "Secret":
        return {key: base64.b64decode(value) for key, value in plain.items()}
    binary = {key: base64.b64decode(value) for key, value in found.get("binaryData", {}).items()}
    return plain | binary


def expand(text, known):
    """$(NAME) becomes the variable's value, $$(NAME) is $(NAME), an unknown one stays."""
    def one(match):
        if match[0].startswith("$$"):
            return match[0][1:]
        return known.get(match[1], match[0])
    return re.sub(r"\$?\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)", one, text)


def value_of(pod, container, source, read):
    if "fieldRef" in source:
        return field(pod, source["fieldRef"]["fieldPath"])
    if "resourceFieldRef" in source:
        return resource(container, source["resourceFieldRef"])
    kind = "configMap" if "configMapKeyRef" in source else "secret"
    found = keyed(read, kind, source[kind + "KeyRef"])
    return None if found is None else found.decode()


def environment(pod, container, read, base=None):
    """name -> value: the runtime's own, envFrom, then env, as the kubelet orders them."""
    known = {"PATH": PATH, "HOSTNAME": pod["metadata"]["name"], **(base or {})}
    for source in container.get("envFrom", []):
        kind = "configMap" if "configMapRef" in source else "secret"
        reference = source[kind + "Ref"]
        found = read(kind, reference["name"])
        if found is None and not reference.get("optional"):
            raise Invalid(f"{kind} {reference['name']} is not there")
        known |= {source.get("prefix", "") + key: value.decode()
                  for key, value in entries(found).items()} if found else {}
    for one in container.get("env", []):
        if "valueFrom" in one:
            value = value_of(pod, container, one["valueFrom"], read)
        else:
            value = expand(one.get("value", ""), known)
        if value is not None:
            known[one["name"]] = value
    return known


def words(container, known):
    """The command line: command and args; with args alone their first word is the program, as
    the image's entry point takes them."""
    found = [expand(one, known) for one in [*container.get("command", []),
                                            *container.get("args", [])]]
    if not found:
        raise Invalid(f"container {container['name']} names neither command nor args")
    return found


def port(container, given):
    """The number of a port that is a number or the name of one of the container's ports."""
    if isinstance(given, int) or str(given).isdigit():
        return int(given)
    for one in container.get("ports", []):
        if one.get("name") == given:
            return one["containerPort"]
    raise Invalid(f"container {container['name']} has no port {given}")


def chosen(content, items, default_mode):
    """path -> (bytes, mode) of a volume: all keys, or those of items under their paths."""
    if not items:
        return {key: (value, default_mode) for key, value in content.items()}
    return {one["path"]: (content[one["key"]], one.get("mode", default_mode)) for one in items
            if one["key"] in content}


def downward(pod, items, mode):
    return {one["path"]: (field(pod, one["fieldRef"]["fieldPath"]).encode(), mode)
            for one in items}


def projected(pod, kind, source, read, mode):
    """The files of a volume's source. kind: configMap, secret, downwardAPI, projected or
    serviceAccountToken (read("token", source) gives its text)."""
    if kind == "projected":
        found = {}
        mode = source.get("defaultMode", mode)
        for part in source["sources"]:
            inner, = part
            found |= projected(pod, inner, part[inner], read, mode)
        return found
    mode = source.get("defaultMode", mode)
    if kind == "downwardAPI":
        return downward(pod, source.get("items", []), mode)
    if kind == "serviceAccountToken":
        return {source["path"]: (read("token", source).encode(), mode)}
    name = source.get("name") or source.get("secretName")
    found = read(kind, name)
    if found is None:
        if source.get("optional"):
            return {}
        raise Invalid(f"{kind} {name} is not there")
    return chosen(entries(found), source.get("items"), mode)


def volume_files(pod, volume, read):
    """path -> (bytes, mode) for a volume that is made of files; None for one that is a folder
    (emptyDir, or a claim)."""
    for kind in ("configMap", "secret", "downwardAPI", "projected"):
        if kind in volume:
            return projected(pod, kind, volume[kind], read, 0o644)
    return None
