"""What linters that others wrote say of the templates, and whether the names in them are those that the function uses."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import facts
from cloudformation import TEMPLATES, Stack
from test_rights import EVERYTHING

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(sys.executable).parent
# checkov wants other versions of the same libraries; cargo xtask test --infra says where it is.
CHECKOV = os.environ.get("CHECKOV", "checkov")
TEMPLATE_FILES = sorted(TEMPLATES.glob("*.yaml"))
# Neither reaches a network; both want to know a region, and SAM credentials too.
ENVIRONMENT = os.environ | {
    "AWS_DEFAULT_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "TEST", "AWS_SECRET_ACCESS_KEY": "TEST", "AWS_EC2_METADATA_DISABLED": "true",
    "SAM_CLI_TELEMETRY": "0",
}


def run(*command):
    return subprocess.run([str(it) for it in command], env=ENVIRONMENT, cwd=ROOT, capture_output=True, text=True)


def clean(done):
    assert done.returncode == 0, done.stdout + done.stderr


def test_cfn_lint():
    clean(run(PROGRAMS / "cfn-lint", *TEMPLATE_FILES))


def test_cfn_lint_sees_a_misspelt_property(tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text((TEMPLATES / "tick.yaml").read_text().replace("SqsManagedSseEnabled", "SqsManagedSseEnable"))
    assert "SqsManagedSseEnable" in run(PROGRAMS / "cfn-lint", wrong).stdout


@pytest.mark.parametrize("template", [it.name for it in TEMPLATE_FILES])
def test_sam_validate(template):
    clean(run(PROGRAMS / "sam", "validate", "--lint", "--template", TEMPLATES / template))


@pytest.mark.parametrize(("framework", "folder"), [("cloudformation", "infra/cloudformation"), ("terraform", "infra/terraform")])
def test_checkov(framework, folder):
    done = run(CHECKOV, "--directory", folder, "--framework", framework, "--compact", "--skip-download", "--output", "json")
    clean(done)
    told = json.loads(done.stdout)
    assert told["summary"]["passed"] > 50, told["summary"]
    assert told["summary"]["parsing_errors"] == 0, told["summary"]
    # It skips what says so beside the resource; a reason stands there too.
    for it in told["results"]["skipped_checks"]:
        assert len(it["check_result"]["suppress_comment"].strip()) > 20, it["check_id"]


def code(*crates):
    return "".join(it.read_text() for crate in crates for it in sorted((ROOT / "crates" / crate / "src").rglob("*.rs")))


def test_every_metric_is_one_that_the_function_emits():
    source = code("twinkey-lambda")
    made = facts.of_cloudformation(Stack("twinkey.yaml", **EVERYTHING).resources())
    alarms = "".join(json.dumps(it) for (kind, _), it in made.items() if kind == "AWS::CloudWatch::Alarm")
    dashboards = made["AWS::CloudWatch::Dashboard", "twinkey"]["DashboardBody"]
    names = {it["MetricName"] for (kind, _), it in made.items() if it.get("Namespace") == "twinkey"}
    names |= {name for name in re.findall(r'\["twinkey", "(\w+)"', dashboards)} | {"LiveKeys"}
    assert "LiveKeys" in alarms and len(names) >= 8, names
    for name in names:
        assert f'"{name}"' in source, name
    assert 'NAMESPACE: &str = "twinkey"' in source
    assert '["function"]' in source and '["function", "step"]' in source
    for (kind, name), alarm in made.items():
        if kind == "AWS::CloudWatch::Alarm" and alarm.get("Namespace") == "twinkey":
            dimensions = json.loads(alarm["Dimensions"])
            assert list(dimensions) == ["function"] and name.startswith(dimensions["function"]), name


def test_every_variable_is_one_that_the_function_reads():
    source = code("twinkey-postgres", "twinkey-github", "twinkey-tls")
    variables = set(re.findall(r"TWINKEY_[A-Z_]+(?=:| )", (TEMPLATES / "rotator.yaml").read_text()))
    assert len(variables) == 3, variables
    for name in variables:
        assert f'"{name}"' in source, name


def test_the_alarms_that_were_promised_are_there():
    made = facts.of_cloudformation(Stack("twinkey.yaml").resources())
    alarms = sorted(name for kind, name in made if kind == "AWS::CloudWatch::Alarm")
    rotator = ["failed", "not-two-keys", "stray", "throttled"]
    tick = ["missing", "overdue", "stuck", "throttled", "undelivered"]
    assert alarms == sorted(
        [f"twinkey-{it}-{alarm}" for it in ["postgres", "github"] for alarm in rotator] + [f"twinkey-tick-{it}" for it in tick])
    for kind, name in made:
        if kind == "AWS::CloudWatch::Alarm":
            assert made[kind, name]["AlarmActions"] == "arn:aws:sns:eu-central-1:111122223333:twinkey", name
