"""What our CloudFormation templates would make: parameters, conditions and functions resolved, nested stacks entered.

Only the functions that the templates use are known here; another one is an error.
"""

import json
import re
from pathlib import Path

import yaml

from provider.stand_in import ACCOUNT, REGION

TEMPLATES = Path(__file__).parents[2] / "infra/cloudformation"
PSEUDO = {
    "AWS::AccountId": ACCOUNT, "AWS::Region": REGION, "AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com", "AWS::NoValue": None,
}
# The same that the stand-in for Terraform's provider tells.
ARNS = {
    "AWS::Serverless::Function": "arn:aws:lambda:{region}:{account}:function:{FunctionName}",
    "AWS::SQS::Queue": "arn:aws:sqs:{region}:{account}:{QueueName}",
    "AWS::SNS::Topic": "arn:aws:sns:{region}:{account}:{TopicName}",
    "AWS::Events::Rule": "arn:aws:events:{region}:{account}:rule/{Name}",
    "AWS::KMS::Key": "arn:aws:kms:{region}:{account}:key/{id}",
    "AWS::S3::Bucket": "arn:aws:s3:::{Name}-trail-bucket",
    "AWS::IAM::Role": "arn:aws:iam::{account}:role/{Name}-{id}",
}
# Whose Ref is something else than the ARN.
REFS = {"AWS::S3::Bucket": "arn:aws:s3:::{Name}-trail-bucket", "AWS::SecretsManager::Secret": "secret {Name}"}
IDS = {"AppKey": "app", "SecretsKey": "secrets", "Role": "", "ScheduleRole": "schedule-"}


class Loader(yaml.SafeLoader):
    pass


def function(loader, tag, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        value = value.split(".", 1) if tag == "GetAtt" else value
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {tag if tag in ["Ref", "Condition"] else f"Fn::{tag}": value}


Loader.add_multi_constructor("!", function)


def load(name):
    return yaml.load((TEMPLATES / name).read_text(), Loader)


class Stack:
    """One template with its parameters."""

    def __init__(self, name, **parameters):
        self.template = load(name)
        defaults = {key: it.get("Default") for key, it in self.template.get("Parameters", {}).items()}
        unknown = parameters.keys() - defaults.keys()
        assert not unknown, f"{name}: no parameters {unknown}"
        self.parameters = {key: text(value) for key, value in (defaults | parameters).items()}
        missing = [key for key, value in self.parameters.items() if value is None]
        assert not missing, f"{name}: parameters {missing} are not given"
        self.check_parameters(name)
        self.nested = {}

    def check_parameters(self, name):
        for key, it in self.template.get("Parameters", {}).items():
            value = self.parameters[key]
            pattern = it.get("AllowedPattern", "(?s:.*)")
            assert re.fullmatch(pattern, value), f"{name}: {key} {value!r} is not {pattern}"
            allowed = [text(it) for it in it.get("AllowedValues", [value])]
            assert value in allowed, f"{name}: {key} {value!r} is none of {allowed}"

    def holds(self, condition):
        value = self.resolve(self.template["Conditions"][condition])
        assert isinstance(value, bool), condition
        return value

    def resolve(self, value):
        if isinstance(value, list):
            return [it for it in map(self.resolve, value) if it is not None]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, argument)] = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return getattr(self, name.removeprefix("Fn::").lower())(argument)
        resolved = {key: self.resolve(it) for key, it in value.items()}
        return {key: it for key, it in resolved.items() if it is not None}

    def ref(self, name):
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self.parameters:
            value, kind = self.parameters[name], self.template["Parameters"][name]["Type"]
            return value.split(",") if kind.startswith("List<") or kind == "CommaDelimitedList" else value
        return self.told(name, REFS | {k: v for k, v in ARNS.items() if k not in REFS})

    def told(self, name, by_type):
        resource = self.template["Resources"][name]
        properties = {key: value for key, value in resource["Properties"].items() if isinstance(value, (str, dict))}
        known = {"Name": self.parameters.get("Name"), "account": ACCOUNT, "region": REGION, "id": IDS.get(name)}
        needed = by_type[resource["Type"]]
        asked = {key: self.resolve(value) for key, value in properties.items() if f"{{{key}}}" in needed}
        return needed.format(**(known | asked))

    def getatt(self, argument):
        name, attribute = argument if isinstance(argument, list) else argument.split(".", 1)
        resource = self.template["Resources"][name]
        if attribute.startswith("Outputs."):
            nested = self.stack(name)
            return nested.resolve(nested.template["Outputs"][attribute.removeprefix("Outputs.")]["Value"])
        if attribute == "GroupId":
            return "sg: " + self.resolve(resource["Properties"]["GroupDescription"])
        assert attribute == "Arn", argument
        return self.told(name, ARNS)

    def sub(self, argument):
        template, given = argument if isinstance(argument, list) else (argument, {})

        def one(match):
            name = match[1]
            if name in given:
                return text(self.resolve(given[name]))
            return text(self.getatt(name) if "." in name else self.ref(name))

        return re.sub(r"\$\{([^}]+)\}", one, template)

    def join(self, argument):
        return argument[0].join(self.resolve(argument[1]))

    def equals(self, argument):
        one, two = map(self.resolve, argument)
        return text(one) == text(two)

    def __getattr__(self, name):
        by_name = {
            "if": self.choose, "not": lambda it: not self.truth(it[0]), "and": lambda it: all(map(self.truth, it)),
            "or": lambda it: any(map(self.truth, it)),
        }
        return by_name[name]

    def choose(self, argument):
        return self.resolve(argument[1] if self.holds(argument[0]) else argument[2])

    def truth(self, value):
        return self.holds(value["Condition"]) if "Condition" in value else self.resolve(value)

    def stack(self, name):
        if name not in self.nested:
            properties = self.template["Resources"][name]["Properties"]
            self.nested[name] = Stack(properties["TemplateURL"], **self.resolve(properties["Parameters"]))
        return self.nested[name]

    def resources(self):
        """Each that would be made: the stack that it is in, its logical name, its type and its properties."""
        for name, resource in self.template["Resources"].items():
            if "Condition" in resource and not self.holds(resource["Condition"]):
                continue
            if resource["Type"] == "AWS::CloudFormation::Stack":
                yield from self.stack(name).resources()
            else:
                yield self, name, resource["Type"], self.resolve(resource["Properties"])


def text(value):
    return json.dumps(value) if isinstance(value, (bool, int)) else value
