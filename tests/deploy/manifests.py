"""What deploy/k8s renders, for the tests beside this file: tools, variants and comparable forms."""

import functools
import importlib.machinery
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
DEPLOY = ROOT / "deploy" / "k8s"
CHART = DEPLOY / "chart" / "millrace"
CACHE = Path(os.environ.get("MILLRACE_CACHE", Path.home() / ".cache" / "millrace")) / "kubernetes"
BUILD = Path(os.environ.get("MILLRACE_BUILD", ROOT / "build" / "dev"))

# What kustomize builds from a folder equals the chart with these profiles.
VARIANTS = {
    "base": ("base", []),
    "dev": ("overlays/dev", ["dev"]),
    "production": ("overlays/production", ["production"]),
    "production-hpa": ("overlays/production-hpa", ["production", "hpa"]),
    "production-keda": ("overlays/production-keda", ["production", "keda"]),
    "tls": ("overlays/tls", ["production", "tls"]),
}
# Kinds that Kubernetes does not know by itself, and the file of their CRD in CACHE/crds.
FOREIGN_KINDS = {
    "PodMonitor": "monitoring.coreos.com_podmonitors.yaml",
    "PrometheusRule": "monitoring.coreos.com_prometheusrules.yaml",
    "ScaledObject": "keda.sh_scaledobjects.yaml",
}
HELM_LABELS = ("app.kubernetes.io/managed-by", "helm.sh/chart")


def tool(name):
    """The path of a program; without it the test is skipped."""
    built = CACHE / "bin" / name
    found = str(built) if built.exists() else shutil.which(name)
    if found is None:
        how = "Debian's prometheus has it" if name == "promtool" else "script/kubernetes-tools"
        pytest.skip(f"skipped: {name} is not installed ({how})")
    return found


def run(*words):
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)


@functools.cache
def documents(text):
    """Read once: whoever changes one takes a copy."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [document for document in yaml.load_all(text, loader) if document]


@functools.cache
def kustomized(variant):
    """Text that kustomize builds. The base needs no kustomize: its files are read."""
    folder = DEPLOY / VARIANTS[variant][0]
    if variant == "base":
        listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
        return "\n---\n".join((folder / name).read_text() for name in listed)
    done = run(tool("kustomize"), "build", str(folder))
    assert done.returncode == 0, done.stderr
    return done.stdout


def helm_template(*words):
    """`helm template` of the chart in the namespace millrace, with more arguments."""
    return run(tool("helm"), "template", "millrace", str(CHART), "--namespace=millrace",
               "--kube-version=1.30.0", *words)


@functools.cache
def templated(variant):
    """Text that helm renders, without the test pod, with the definitions of custom resources."""
    values = [f"--values={CHART}/profiles/{name}.yaml" for name in VARIANTS[variant][1]]
    done = helm_template("--skip-tests", "--include-crds", *values)
    assert done.returncode == 0, done.stderr
    return done.stdout


@functools.cache
def own(variant):
    """The variant's documents but definitions of custom resources."""
    return [document for document in documents(kustomized(variant))
            if document["kind"] != "CustomResourceDefinition"]


def find(variant, kind, name):
    return next(document for document in own(variant)
                if (document["kind"], document["metadata"]["name"]) == (kind, name))


def pods(variant):
    """(kind, name, pod's spec, pod's labels) of everything that makes pods."""
    return [(document["kind"], document["metadata"]["name"], document["spec"]["template"]["spec"],
             document["spec"]["template"]["metadata"]["labels"])
            for document in own(variant) if document["kind"] in ("Deployment", "StatefulSet")]


def comparable(value):
    """Without Helm's own labels; lists of what has a name in the names' order."""
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items() if key not in HELM_LABELS}
    if isinstance(value, list):
        items = [comparable(item) for item in value]
        if items and all(isinstance(item, dict) and "name" in item for item in items):
            items.sort(key=lambda item: item["name"])
        return items
    return value


def by_identity(text):
    found = {}
    for document in documents(text):
        metadata = document["metadata"]
        identity = (document["kind"], metadata.get("namespace"), metadata["name"])
        assert identity not in found, identity
        found[identity] = comparable(document)
    return found


def generator():
    """The module deploy/k8s/generate."""
    loader = importlib.machinery.SourceFileLoader("generate", str(DEPLOY / "generate"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("generate", loader))
    loader.exec_module(module)
    return module
