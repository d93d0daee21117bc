"""Every manifest is valid for Kubernetes 1.28 to 1.33, strictly: no field that it does not know."""

import copy

import jsonschema
import kubernetes_validate
import pytest
import yaml

from manifests import (CACHE, DEPLOY, FOREIGN_KINDS, VARIANTS, documents, helm_template, own,
                       templated)

VERSIONS = ["1.28", "1.29", "1.30", "1.31", "1.32", "1.33"]


def check(document, version):
    kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_strictly_valid(variant, version):
    checked = 0
    for document in own(variant):
        if document["kind"] not in FOREIGN_KINDS:
            check(document, version)
            checked += 1
    assert checked >= 15


@pytest.mark.parametrize("version", VERSIONS)
def test_the_chart_s_own_are_valid_too(version):
    everything = documents(templated("base")) + documents(helm_template().stdout)
    kinds = {document["kind"] for document in everything}
    assert {"Pod", "CustomResourceDefinition"} <= kinds
    for document in everything:
        check(document, version)
    check(yaml.safe_load((DEPLOY / "namespace.yaml").read_text()), version)


def test_strictness_can_fail():
    worker = next(document for document in own("base") if document["kind"] == "StatefulSet")
    for change in ("servceName", "replicaCount"):
        wrong = copy.deepcopy(worker)
        wrong["spec"][change] = 1
        with pytest.raises(kubernetes_validate.ValidationError):
            check(wrong, "1.30")


def closed(schema):
    """A CRD's schema in which unknown fields are errors, as the API server's strict mode has it."""
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) if key not in ("properties", "allOf", "anyOf", "oneOf") else value
            for key, value in schema.items()}
    if "pattern" in schema:  # Go has the flag behind the anchor, Python before it
        made["pattern"] = schema["pattern"].replace("^(?i)", "(?i)^")
    if "properties" in schema:
        made["properties"] = {key: closed(value) for key, value in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            made.setdefault("additionalProperties", False)
    return made


@pytest.mark.parametrize("kind", FOREIGN_KINDS)
def test_foreign_kinds_fit_their_definitions(kind):
    path = CACHE / "crds" / FOREIGN_KINDS[kind]
    if not path.exists():
        pytest.skip(f"skipped: the definition of {kind} is missing (script/kubernetes-tools)")
    version = yaml.safe_load(path.read_text())["spec"]["versions"][0]
    schema = closed(version["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object"}
    found = [document for variant in VARIANTS for document in own(variant)
             if document["kind"] == kind]
    assert found
    for document in found:
        jsonschema.validate(document, schema)
        wrong = copy.deepcopy(document)
        wrong["spec"]["unknown"] = True
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)
