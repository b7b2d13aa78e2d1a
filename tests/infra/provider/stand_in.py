"""Stands in for Terraform's AWS provider: it knows what can be set (schema.json), makes nothing, and tells ARNs and ids at once.

So Terraform itself validates and evaluates our module, offline: a plan has no unknown in it. What only AWS would refuse, this does not.
"""

import json
from pathlib import Path

import msgpack
from tf import provider, runner
from tf.gen import tfplugin_pb2 as pb
from tf.gen import tfplugin_pb2_grpc as rpc

SCHEMA = json.loads((Path(__file__).parent / "schema.json").read_text())
ACCOUNT, REGION = "111122223333", "eu-central-1"

DATA = {
    "aws_caller_identity": {"account_id": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:root", "id": ACCOUNT, "user_id": "TEST"},
    "aws_partition": {"partition": "aws", "dns_suffix": "amazonaws.com", "reverse_dns_prefix": "com.amazonaws", "id": "aws"},
    "aws_region": {"region": REGION, "name": REGION, "id": REGION, "description": "TEST", "endpoint": "TEST"},
}
# Where the module builds an ARN by itself, it must be the one that is told here.
ARNS = {
    "aws_lambda_function": "arn:aws:lambda:{region}:{account}:function:{function_name}",
    "aws_sqs_queue": "arn:aws:sqs:{region}:{account}:{name}",
    "aws_sns_topic": "arn:aws:sns:{region}:{account}:{name}",
    "aws_cloudwatch_event_rule": "arn:aws:events:{region}:{account}:rule/{name}",
    "aws_s3_bucket": "arn:aws:s3:::{bucket_prefix}bucket",
    "aws_kms_key": "arn:aws:kms:{region}:{account}:key/secrets",
    "aws_kms_external_key": "arn:aws:kms:{region}:{account}:key/app",
    "aws_iam_role": "arn:aws:iam::{account}:role/{name_prefix}",
}
IDS = {"aws_security_group": "sg: {description}", "aws_iam_role": "{name_prefix}", "aws_secretsmanager_secret": "secret {name}"}


def attributes(kind):
    """Those of a kind, and those that the provider adds."""
    found = {name: (it["type"], it["required"]) for name, it in kind["attributes"].items()}
    return found | {"id": ("string", False)} | {name: ("string", None) for name in kind.get("told", [])}


def block(kind, told=True):
    known = attributes(kind) if told else {name: (it["type"], it["required"]) for name, it in kind["attributes"].items()}
    return pb.Schema.Block(
        attributes=[
            pb.Schema.Attribute(
                name=name, type=json.dumps(type).encode(), required=required is True,
                optional=required is False, computed=required is None or (told and name == "id"))
            for name, (type, required) in sorted(known.items())],
        block_types=[
            pb.Schema.NestedBlock(
                type_name=name, block=block(nested, told=False), nesting=3 if nested["mode"] == "set" else 2,
                min_items=int(nested["required"]))
            for name, nested in sorted(kind["blocks"].items())])


def packed(value):
    return pb.DynamicValue(msgpack=msgpack.packb(value))


def planned(name, value):
    """What is asked for, with everything that AWS would tell only afterwards."""
    kind = SCHEMA["resources"][name]
    named = next((value[it] for it in ["name", "name_prefix", "function_name", "bucket_prefix"] if value.get(it)), "this")
    for told in [*kind["told"], "id"]:
        if value.get(told) is None:
            value[told] = f"{name}/{named}/{told}"
    told = value | {"account": ACCOUNT, "region": REGION}
    if name in ARNS:
        value["arn"] = value["id"] = ARNS[name].format(**told)
    if name in IDS:
        value["id"] = IDS[name].format(**told)
    return value


class StandIn(rpc.ProviderServicer):
    """Every request of Terraform's that a plan makes."""

    def __init__(self, _):
        pass

    def GetProviderSchema(self, request, context):
        schemas = lambda kinds: {name: pb.Schema(version=0, block=block(kind)) for name, kind in kinds.items()}
        return pb.GetProviderSchema.Response(
            provider=pb.Schema(version=0, block=pb.Schema.Block()),
            resource_schemas=schemas(SCHEMA["resources"]), data_source_schemas=schemas(SCHEMA["data"]))

    def ValidateProviderConfig(self, request, context):
        return pb.ValidateProviderConfig.Response()

    def ConfigureProvider(self, request, context):
        return pb.ConfigureProvider.Response()

    def ValidateResourceConfig(self, request, context):
        return pb.ValidateResourceConfig.Response()

    def ValidateDataResourceConfig(self, request, context):
        return pb.ValidateDataResourceConfig.Response()

    def ReadDataSource(self, request, context):
        asked = msgpack.unpackb(request.config.msgpack)
        return pb.ReadDataSource.Response(state=packed(asked | DATA[request.type_name]))

    def PlanResourceChange(self, request, context):
        asked = msgpack.unpackb(request.proposed_new_state.msgpack)
        return pb.PlanResourceChange.Response(planned_state=packed(planned(request.type_name, asked)))

    def StopProvider(self, request, context):
        return pb.StopProvider.Response()


if __name__ == "__main__":
    provider.ProviderServicer = StandIn
    runner.run_provider(None)
