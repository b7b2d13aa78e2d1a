"""Reads what the AWS provider of Terraform takes and tells, from the bindings that are generated from it.

The provider itself is in no package registry; the npm package @cdktf/provider-aws is. To read another version of it:

    npm install --ignore-scripts --legacy-peer-deps --omit=peer @cdktf/provider-aws@21.22.1
    python tests/infra/provider/read_bindings.py node_modules/@cdktf/provider-aws/lib > tests/infra/provider/schema.json
"""

import json
import re
import sys
from pathlib import Path

RESOURCES = [
    "cloudtrail", "cloudwatch_dashboard", "cloudwatch_event_rule", "cloudwatch_event_target", "cloudwatch_log_group",
    "cloudwatch_metric_alarm", "iam_role", "iam_role_policy", "kms_alias", "kms_external_key", "kms_key", "lambda_function",
    "lambda_function_event_invoke_config", "lambda_permission", "s3_bucket", "s3_bucket_lifecycle_configuration",
    "s3_bucket_policy", "s3_bucket_public_access_block", "s3_bucket_server_side_encryption_configuration",
    "s3_bucket_versioning", "scheduler_schedule", "secretsmanager_secret", "secretsmanager_secret_rotation", "security_group",
    "sns_topic", "sns_topic_policy", "sns_topic_subscription", "sqs_queue", "vpc_endpoint", "vpc_security_group_egress_rule",
    "vpc_security_group_ingress_rule",
]
DATA = ["caller_identity", "partition", "region"]

ATTRIBUTE = re.compile(
    r"^ +(?P<name>\w+): \{\n\s+value: (?P<value>.*),\n\s+isBlock: (?P<block>true|false),\n"
    r"\s+type: \"(?P<type>\w+)\",\n\s+storageClassType: \"(?P<storage>\w+)\",", re.M)
TYPES = {
    "string": "string", "number": "number", "boolean": "bool", "stringMap": ["map", "string"], "booleanMap": ["map", "bool"],
    "numberMap": ["map", "number"], "anyMap": ["map", "string"],
}
ITEMS = {"stringList": "string", "numberList": "number", "booleanList": "bool"}


def camel(name):
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


class Bindings:
    def __init__(self, folder):
        self.code = (folder / "index.js").read_text()
        self.types = (folder / "index.d.ts").read_text()
        structs = folder / "index-structs"
        for file in sorted(structs.glob("*.js")) if structs.is_dir() else []:
            self.code += file.read_text()
        for file in sorted(structs.glob("*.d.ts")) if structs.is_dir() else []:
            self.types += file.read_text()

    def block(self, attributes, interface):
        """What stands in a body of this kind, by the function that writes it and the interface that types it."""
        found = {"attributes": {}, "blocks": {}}
        for match in ATTRIBUTE.finditer(attributes):
            name, required = match["name"], f"readonly {camel(match['name'])}: " in interface
            if match["block"] == "true":
                writer = re.search(r"(\w+)ToHclTerraform", match["value"])[1]
                if writer.endswith("Timeouts"):
                    continue
                mode = "set" if match["type"] == "set" else "list"
                found["blocks"][name] = {"mode": mode, "required": required, **self.struct(writer)}
            elif match["storage"] in ITEMS:
                kind = [match["type"], ITEMS[match["storage"]]]
                found["attributes"][name] = {"type": kind, "required": required}
            elif match["storage"] in TYPES:
                found["attributes"][name] = {"type": TYPES[match["storage"]], "required": required}
        return found

    def struct(self, writer):
        body = re.search(rf"^function {writer}ToHclTerraform\(struct\) \{{\n(.*?)^\}}", self.code, re.M | re.S)[1]
        name = writer[0].upper() + writer[1:]
        interface = re.search(rf"^export interface {name} \{{\n(.*?)^\}}", self.types, re.M | re.S)[1]
        return self.block(body, interface)

    def resource(self):
        body = re.search(r"synthesizeHclAttributes\(\) \{\n(.*?)^    \}", self.code, re.M | re.S)[1]
        interface = re.search(r"^export interface \w+Config extends .*?\{\n(.*?)^\}", self.types, re.M | re.S)[1]
        found = self.block(body, interface)
        # What the provider tells and nobody sets: the class reads it and the interface does not know it.
        klass = self.types[self.types.index("static readonly tfResourceType"):]
        told = {re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for name in re.findall(r"^    get (\w+)\(\): string;", klass, re.M)}
        known = found["attributes"].keys() | found["blocks"].keys()
        found["told"] = sorted(name for name in told - known if f"{name}_input" not in told)
        return found


def main(folder):
    read = lambda name: Bindings(folder / name.replace("_", "-")).resource()
    version = re.search(r"providers/hashicorp/aws/([\d.]+)/", (folder / "sns-topic/index.d.ts").read_text())[1]
    schema = {
        "version": version,
        "resources": {f"aws_{name}": read(name) for name in RESOURCES},
        "data": {f"aws_{name}": read(f"data_aws_{name}") for name in DATA},
    }
    json.dump(schema, sys.stdout, indent=1, sort_keys=True)
    print()


main(Path(sys.argv[1]))
