"""The template of infra/ as CloudFormation gets it: SAM's own resources translated into AWS's."""

import json
import pathlib
import sys

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

TEMPLATE = pathlib.Path(__file__).parents[2] / "infra" / "template.yaml"


def source(path=TEMPLATE):
    """The template as it is written, its short functions (`!Ref`) spelled out."""
    return yaml_parse(path.read_text())


def translated(path=TEMPLATE):
    """The translated template. The code of function `X` is taken to lie at `s3://code/<binary>.zip`."""
    template = source(path)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # As `sam package` leaves it; the translator refuses a folder.
            binary = resource["Metadata"]["BuildProperties"]["Binary"]
            resource["Properties"]["CodeUri"] = f"s3://code/{binary}.zip"
    session = boto3.Session(region_name="eu-west-1")
    # No role names a managed policy, so there are none to ask AWS for.
    return Translator({}, Parser(), boto_session=session).translate(template, {})


if __name__ == "__main__":
    json.dump(translated(), sys.stdout, indent=2)
