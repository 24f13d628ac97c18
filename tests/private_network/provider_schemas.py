"""Write tests/private_network/providers/*.json: the schemas of the resources that deploy/private-link uses, and of no other.

The providers of AWS, Google and Azure are programs of hundreds of megabytes from a registry of their own. HashiCorp publishes their
schemas a second time, as the npm packages `@cdktf/provider-…`, from which this script reads them:

    npm pack @cdktf/provider-aws@21.22.1 @cdktf/provider-google@16.12.1 @cdktf/provider-azurerm@14.23.1
    python tests/private_network/provider_schemas.py cdktf-provider-*.tgz
"""

from __future__ import annotations

import json
import re
import sys
import tarfile
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent

_PROPERTY: Final = re.compile(
    r"// (\w+) - computed: (true|false), optional: (true|false), required: (true|false)\n(.*?)(?=\n\s*// \w+ - computed|\Z)",
    re.DOTALL,
)
_NESTED: Final = re.compile(r'new (\w+?)(OutputReference|List|Map)\(this, "\w+"')
_INPUT: Final = re.compile(
    r'(\w+): \{\s*value: [^\n]*?(?:this\._|struct(?:\.|!\.))(\w+)[^\n]*\n\s*isBlock: (true|false),\s*type: "(\w+)",\s*storageClassType: "(\w+)"'
)
_STORED: Final = {"string": "string", "number": "number", "boolean": "bool"}
_GETTERS: Final = (
    (r"Fn\.tolist\(this\.getListAttribute", ["set", "string"]),
    (r"Token\.asNumberList\(cdktf\.Fn\.tolist", ["set", "number"]),
    (r"getListAttribute", ["list", "string"]),
    (r"getNumberListAttribute", ["list", "number"]),
    (r"getStringMapAttribute", ["map", "string"]),
    (r"getStringAttribute", "string"),
    (r"getNumberAttribute", "number"),
    (r"getBooleanAttribute", "bool"),
    (r"StringMap\(", ["map", "string"]),
)


def wanted() -> set[str]:
    """The types of resources and data that the modules name; data with `data.` before them."""
    found = set()
    for file in (HERE.parents[1] / "deploy/private-link").glob("*/*/*.tf"):
        for kind, name in re.findall(r'^(resource|data) "(\w+)"', file.read_text(), re.MULTILINE):
            found.add(f"data.{name}" if kind == "data" else name)
    return found


class Module:
    """One generated file of a provider's package, and its declarations."""

    def __init__(self, source: str, declarations: str) -> None:
        parts = re.split(r"^class (\w+) extends cdktf\.\w+ \{$", source, flags=re.MULTILINE)
        self.classes = dict(zip(parts[1::2], parts[2::2], strict=True))
        self.inputs = {
            name[0].upper() + name[1:]: body
            for name, body in re.findall(
                r"^function (\w+)ToHclTerraform\(.*?\{(.*?)^\}", source, re.MULTILINE | re.DOTALL
            )
        }
        self.required = {
            name: set(re.findall(r"^    readonly (\w+):", body, re.MULTILINE))
            for name, body in re.findall(
                r"^export interface (\w+)[^{]*\{(.*?)^\}", declarations, re.MULTILINE | re.DOTALL
            )
        }

    def schema(self, name: str) -> dict[str, Any]:
        """Of the resource that is the class `name`."""
        body = self.classes[name]
        return {"block": self._block(body, body.partition("synthesizeHclAttributes")[2], f"{name}Config")}

    def _block(self, body: str, inputs: str, interface: str) -> dict[str, Any]:
        """From the properties that a class has by itself, and from what it writes into a configuration."""
        attributes, blocks, nested = {}, {}, {}
        for name, computed, _, _, code in _PROPERTY.findall(body):
            if (one := _NESTED.search(code)) and one[1] != "cdktf.String":
                nested[name] = one
            elif computed == "true":
                attributes[name] = {"type": scalar(name, code), "computed": True}
        for name, property_name, is_block, kind, stored in _INPUT.findall(inputs):
            required = property_name in self.required[interface]
            if name in nested:
                single = nested[name][2] == "OutputReference"
                mode = "single" if kind == "struct" else kind
                inner = self._nested(nested.pop(name)[1])
                if is_block == "true":
                    blocks[name] = {"nesting_mode": mode, "block": inner}
                    if mode != "single":
                        blocks[name] |= {"min_items": int(required), "max_items": int(single)}
                    continue
                of: Any = [mode, object_type(inner)]
            else:
                of = stored_type(kind, stored)
            # what a person may leave out, the provider may fill in: which of these it does is not in the package
            attributes[name] = {
                "type": of,
                **({"required": True} if required else {"optional": True, "computed": True}),
            }
        for name, one in nested.items():  # no input
            attributes[name] = {"type": ["list", object_type(self._nested(one[1]))], "computed": True}
        return {"attributes": attributes, **({"block_types": blocks} if blocks else {})}

    def _nested(self, name: str) -> dict[str, Any]:
        return self._block(self.classes[f"{name}OutputReference"], self.inputs.get(name, ""), name)


def stored_type(kind: str, stored: str) -> Any:
    if kind == "simple":
        return _STORED[stored]
    return [kind, _STORED[re.sub(r"(List|Map|Set)$", "", stored)]]


def scalar(name: str, code: str) -> Any:
    for pattern, kind in _GETTERS:
        if re.search(pattern, code.partition(";")[0]):
            return kind
    raise ValueError(f"{name}: unknown type in {code[:200]}")


def object_type(block: dict[str, Any]) -> list[Any]:
    fields = {name: one["type"] for name, one in block["attributes"].items()}
    for name, one in block.get("block_types", {}).items():
        fields[name] = [one["nesting_mode"], object_type(one["block"])]
    return ["object", fields]


def folder(kind: str, provider: str) -> str:
    """Where the package of the provider has a type: data.aws_vpc in data-aws-vpc, aws_lb in lb."""
    if kind.startswith("data."):
        return kind.replace(".", "-").replace("_", "-")
    return kind.removeprefix(f"{provider}_").replace("_", "-")


def extracted(package: Path) -> dict[str, Any]:
    """What the package says of the wanted resources of its provider."""
    provider = re.search(r"provider-([a-z]+)-", package.name)[1]  # type: ignore[index]
    kinds = sorted(one for one in wanted() if one.removeprefix("data.").startswith(f"{provider}_"))
    paths = {f"package/lib/{folder(one, provider)}/index.js": one for one in kinds}
    found, version = {}, ""
    sources: dict[str, str] = {}
    with tarfile.open(package) as archive:
        for member in archive:
            if member.name.removesuffix(".d.ts").removesuffix(".js") + ".js" in paths:
                sources[member.name] = archive.extractfile(member).read().decode()  # type: ignore[union-attr]
    for path, kind in paths.items():
        source = sources[path].partition("//# sourceMappingURL")[0]
        version = re.search(r"providerVersion: '([\d.]+)'", source)[1]  # type: ignore[index]
        name = re.search(
            r"^class (\w+) extends cdktf\.Terraform(?:Resource|DataSource)", source, re.MULTILINE
        )
        found[kind] = Module(source, sources[path.removesuffix(".js") + ".d.ts"]).schema(name[1])  # type: ignore[index]
    return {
        "source": package.name,
        "name": provider,
        "version": version,
        "provider": {"block": {"attributes": PROVIDERS[provider], "block_types": FEATURES.get(provider, {})}},
        "resource_schemas": {one: found[one] for one in kinds if not one.startswith("data.")},
        "data_source_schemas": {
            one.removeprefix("data."): found[one] for one in kinds if one.startswith("data.")
        },
    }


_OPTIONAL: Final = {"type": "string", "optional": True}
PROVIDERS: Final = {
    "aws": {"region": _OPTIONAL, "profile": _OPTIONAL},
    "google": {"project": _OPTIONAL, "region": _OPTIONAL},
    "azurerm": {"subscription_id": _OPTIONAL},
}
"""Of the providers themselves, what a module's examples set."""
FEATURES: Final = {
    "azurerm": {"features": {"nesting_mode": "list", "block": {}, "min_items": 1, "max_items": 1}}
}

if __name__ == "__main__":
    for argument in sys.argv[1:]:
        known = extracted(Path(argument))
        target = HERE / "providers" / f"{known['name']}.json"
        target.write_text(json.dumps(known, indent=1) + "\n")
        print(target, known["version"], *known["resource_schemas"], *known["data_source_schemas"])
