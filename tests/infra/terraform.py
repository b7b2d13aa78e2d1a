"""Terraform's own idea of our module: it validates it, and tells what it would make."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
STAND_IN = Path(__file__).parent / "provider/stand_in.py"
VERSION = json.loads((STAND_IN.parent / "schema.json").read_text())["version"]


class Terraform:
    """A copy of our module, with the stand-in where Terraform looks for the AWS provider."""

    def __init__(self, folder):
        self.module = folder / "infra/terraform"
        shutil.copytree(ROOT / "infra/terraform", self.module)
        package = folder / "target/package/twinkey-lambda-arm64.zip"
        package.parent.mkdir(parents=True)
        package.write_bytes(b"TEST")
        self.package = package
        settings, mirror = folder / "terraformrc", folder / "mirror"
        settings.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n')
        self.environment = os.environ | {
            "TF_CLI_CONFIG_FILE": str(settings), "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1",
            # The stand-in's library keeps a certificate there.
            "HOME": str(folder),
        }
        processor = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
        program = mirror / self.full_name(folder / "asking") / f"{VERSION}/linux_{processor}/terraform-provider-aws_v{VERSION}"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\nexec {sys.executable} {STAND_IN}\n")
        program.chmod(0o755)

    def full_name(self, folder):
        """The AWS provider's, host and all, as Terraform completes it. A module of its own is asked, so that ours has to mean the same."""
        folder.mkdir()
        (folder / "main.tf").write_text('terraform {\n  required_providers {\n    aws = { source = "hashicorp/aws" }\n  }\n}\n')
        [name] = re.findall(r"provider\[(.+)\]", self.run("providers", folder=folder))
        return name

    def run(self, *arguments, folder="."):
        done = subprocess.run(
            ["terraform", *arguments], cwd=self.module / folder, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, f"terraform {' '.join(arguments)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def init(self, folder="."):
        self.run("init", "-input=false", "-no-color", folder=folder)

    def plan(self, folder=".", **variables):
        """Every resource that would be made: its address, type and values."""
        given = [f"-var={name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in variables.items()]
        self.run("plan", "-input=false", "-no-color", "-refresh=false", "-out=plan", *given, folder=folder)
        plan = json.loads(self.run("show", "-json", "plan", folder=folder))
        return list(resources(plan["planned_values"]["root_module"]))


def resources(module):
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from resources(child)


@cache
def missing():
    return shutil.which("terraform") is None
