#!/usr/bin/env python3
"""Writes what the image consists of (SBOM) as SPDX 2.3 JSON: Millrace and every Debian package.

    sbom.py --root FOLDER --time SECONDS --out FILE

Versions, sources and dependencies come from dpkg's status file in the root, licences from the
copyright files of the packages. The same root gives the same bytes.
"""

import argparse
import datetime
import hashlib
import json
import re
from pathlib import Path
from urllib.parse import quote

CHECKOUT = Path(__file__).resolve().parents[2]
PROGRAMS = ("millrace", "millrace-coordinator", "millrace-worker")
# Debian's short names of licences (without a final "+") -> SPDX's. A package under anything else
# is listed under LicenseRef-debian-NAME with the whole text of its copyright file.
LICENCES = {
    "agpl-3": "AGPL-3.0", "apache-2.0": "Apache-2.0", "artistic": "Artistic-1.0-Perl",
    "artistic-2": "Artistic-2.0", "beerware": "Beerware", "boost-1.0": "BSL-1.0",
    "bsd-2-clause": "BSD-2-Clause", "bsd-3-clause": "BSD-3-Clause", "bsd-4-clause": "BSD-4-Clause",
    "bsl-1.0": "BSL-1.0", "cc0-1.0": "CC0-1.0", "curl": "curl", "expat": "MIT",
    "fsfap": "FSFAP", "fsful": "FSFUL", "fsfullr": "FSFULLR", "gfdl-1.2": "GFDL-1.2",
    "gfdl-1.3": "GFDL-1.3", "gpl-1": "GPL-1.0", "gpl-2": "GPL-2.0", "gpl-2.0": "GPL-2.0",
    "gpl-3": "GPL-3.0", "gpl-3.0": "GPL-3.0", "isc": "ISC", "lgpl-2": "LGPL-2.0",
    "lgpl-2.0": "LGPL-2.0", "lgpl-2.1": "LGPL-2.1", "lgpl-3": "LGPL-3.0", "lgpl-3.0": "LGPL-3.0",
    "mit": "MIT", "mpl-1.1": "MPL-1.1", "mpl-2.0": "MPL-2.0", "openldap-2.8": "OLDAP-2.8",
    "openssl": "OpenSSL", "unicode": "Unicode-DFS-2016", "unlicense": "Unlicense", "x11": "X11",
    "zlib": "Zlib",
}
COMMENT = ("Every licence that the copyright file names, for whichever files of the source, and "
           "where it leaves a choice, too.")
VERSIONED = ("AGPL-", "GFDL-", "GPL-", "LGPL-")  # say "only" or "or later"


def stanzas(text):
    """The fields of each stanza of a Debian control file, names in lower case."""
    for part in re.split(r"\n\s*\n", text):
        fields, name = {}, None
        for line in part.splitlines():
            if line[:1] in " \t":
                if name is not None:
                    fields[name] += "\n" + line
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.lower()
                fields[name] = value.strip()
        if fields:
            yield fields


def installed(root):
    """The stanzas of the packages that are installed in the root, by name."""
    text = (root / "var/lib/dpkg/status").read_text()
    found = [one for one in stanzas(text) if one.get("status", "").endswith(" installed")]
    return {one["package"]: one for one in sorted(found, key=lambda one: one["package"])}


def one_licence(name):
    """SPDX's identifier of a licence that Debian calls name, or None."""
    short = name.lower()
    later = short.endswith("+")
    spdx = LICENCES.get(short[:-1] if later else short)
    if spdx is None or not spdx.startswith(VERSIONED):
        return None if later else spdx
    return spdx + ("-or-later" if later else "-only")


def licences(text):
    """(SPDX identifiers, names that SPDX does not have) of a copyright file's text."""
    names = set()
    if re.match(r"(?i)\s*format", text):
        for fields in stanzas(text):
            line = fields.get("license", "").split("\n")[0]
            names |= {one for one in re.split(r"\s+(?:and/or|and|or)\s+|[,|()]+\s*", line) if one}
    else:  # free text: which of the licences that Debian keeps centrally does it point to?
        names |= set(re.findall(r"/usr/share/common-licenses/([\w.-]*\w)", text))
    names = {name.strip() for name in names if re.fullmatch(r"[\w.+ -]+", name.strip())}
    known = {name: one_licence(name) for name in names}
    return ({spdx for spdx in known.values() if spdx},
            {name for name, spdx in known.items() if not spdx})


def copyright_text(root, package):
    """The text of a package's copyright file; links stay inside the root."""
    folder = root / "usr/share/doc" / package
    for _ in range(3):
        if not folder.is_symlink():
            break
        folder = folder.parent / folder.readlink()
    try:
        return (folder / "copyright").read_text(errors="replace")
    except FileNotFoundError:
        return ""


def identifier(kind, name):
    return f"SPDXRef-{kind}-" + re.sub(r"[^A-Za-z0-9.-]", "-", name)


def licence_of(root, package, extracted):
    """What SPDX states as the declared licence; adds to extracted what it has no name for."""
    text = copyright_text(root, package)
    if not text:
        return "NOASSERTION"
    spdx, others = licences(text)
    if others or not spdx:
        reference = "LicenseRef-debian-" + re.sub(r"[^A-Za-z0-9.-]", "-", package)
        extracted[reference] = {
            "licenseId": reference, "extractedText": text,
            "name": f"copyright file of {package}" +
                    (": " + ", ".join(sorted(others)) if others else "")}
        spdx.add(reference)
    return " AND ".join(sorted(spdx))


def source_of(fields):
    """(name, version) of the source package."""
    match = re.match(r"(\S+)(?:\s+\((.*)\))?", fields.get("source", fields["package"]))
    return match[1], match[2] or fields["version"]


def debian_package(root, fields, extracted):
    name, version, architecture = (fields[key] for key in ("package", "version", "architecture"))
    source, source_version = source_of(fields)
    locator = (f"pkg:deb/debian/{quote(name)}@{quote(version, safe='')}"
               f"?arch={architecture}&distro=debian-13")
    return {
        "SPDXID": identifier("deb", name), "name": name, "versionInfo": version,
        "supplier": "Person: " + fields.get("maintainer", "Debian"),
        "homepage": fields.get("homepage", "NOASSERTION"),
        "sourceInfo": f"Debian source package {source} {source_version}",
        "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION", "copyrightText": "NOASSERTION",
        "licenseDeclared": licence_of(root, name, extracted), "licenseComments": COMMENT,
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                          "referenceLocator": locator}]}


def version_of_millrace():
    text = (CHECKOUT / "CMakeLists.txt").read_text()
    return re.search(r"project\(millrace VERSION (\S+)", text)[1]


def program(root, name):
    content = (root / "usr/bin" / name).read_bytes()
    return {"SPDXID": identifier("program", name), "fileName": f"./usr/bin/{name}",
            "fileTypes": ["BINARY"], "licenseConcluded": "Apache-2.0",
            "licenseInfoInFiles": ["Apache-2.0"], "copyrightText": "NOASSERTION",
            "checksums": [{"algorithm": kind, "checksumValue": hashlib.new(kind.lower(),
                                                                           content).hexdigest()}
                          for kind in ("SHA1", "SHA256")]}


def related(one, kind, other):
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def dependencies(found, wanted):
    """The installed packages that packages.run brought for the programs: names of the list."""
    return [name for name in wanted if name in found]


def document(root, seconds):
    found, extracted = installed(root), {}
    version = version_of_millrace()
    files = [program(root, name) for name in PROGRAMS]
    hashes = "".join(sorted(one["checksums"][0]["checksumValue"] for one in files))
    us, image = "SPDXRef-millrace", "SPDXRef-image"
    common = {"downloadLocation": "NOASSERTION", "licenseConcluded": "NOASSERTION",
              "copyrightText": "NOASSERTION", "versionInfo": version}
    packages = [
        {"SPDXID": image, "name": "millrace-image", "filesAnalyzed": False, **common,
         "licenseDeclared": "NOASSERTION", "primaryPackagePurpose": "CONTAINER"},
        {"SPDXID": us, "name": "millrace", "filesAnalyzed": True, **common,
         "licenseDeclared": "Apache-2.0", "licenseInfoFromFiles": ["Apache-2.0"],
         "packageVerificationCode": {
             "packageVerificationCodeValue": hashlib.sha1(hashes.encode()).hexdigest()}},
        *(debian_package(root, fields, extracted) for fields in found.values())]
    wanted = re.sub(r"#.*", "", (Path(__file__).parent / "packages.run").read_text()).split()
    relations = [related("SPDXRef-DOCUMENT", "DESCRIBES", image),
                 *(related(image, "CONTAINS", one["SPDXID"]) for one in packages[1:]),
                 *(related(us, "CONTAINS", one["SPDXID"]) for one in files),
                 *(related(us, "DEPENDS_ON", identifier("deb", name))
                   for name in dependencies(found, wanted))]
    content = {"packages": packages, "files": files, "relationships": relations,
               "hasExtractedLicensingInfos": [extracted[key] for key in sorted(extracted)]}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    created = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
            "name": f"millrace-{version}",
            "documentNamespace": f"https://millrace.io/spdx/millrace-{version}-{digest}",
            "creationInfo": {"created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
                             "creators": [f"Tool: millrace-sbom-{version}"]}, **content}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--time", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    found = document(options.root, options.time)
    options.out.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
