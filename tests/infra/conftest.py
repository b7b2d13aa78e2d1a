"""What the tests share."""

import pytest

from terraform import Terraform, missing


@pytest.fixture(scope="session")
def terraform(tmp_path_factory):
    if missing():
        pytest.skip("terraform is not on this machine, and in no package registry; put it on the PATH")
    terraform = Terraform(tmp_path_factory.mktemp("terraform"))
    terraform.init()
    terraform.init("example")
    return terraform
