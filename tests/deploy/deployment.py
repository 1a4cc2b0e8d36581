"""Deploys the template on the emulator that `tests/aws/setup` started, and talks to what came of it."""

import copy
import io
import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile

import boto3
import botocore.config

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "aws"))

import translation  # noqa: E402

ENDPOINT = os.environ["RINGFENCE_TEST_AWS_ENDPOINT"]
CLOCK = pathlib.Path(os.environ["RINGFENCE_TEST_AWS_CLOCK"])
LINK_CLOCK = pathlib.Path(os.environ["RINGFENCE_TEST_AWS_LINK_CLOCK"])
BINARIES = pathlib.Path(os.environ.get("RINGFENCE_BINARIES", ROOT / "target" / "debug"))
REGION = "eu-west-1"
STACK = "ringfence"
SENDER = "ringfence@example.com"

# Twelve digits as an access key are an account, with all rights in it. Requests to an API's own host name no
# account, and reach this one.
_SESSION = boto3.Session(aws_access_key_id="000000000000", aws_secret_access_key="test", region_name=REGION)


def client(service, session=_SESSION, signature=None):
    config = botocore.config.Config(
        retries={"max_attempts": 1}, read_timeout=120, s3={"addressing_style": "path"}, signature_version=signature
    )
    return session.client(service, endpoint_url=ENDPOINT, config=config)


def for_emulator(template):
    """The translated template, with what the emulator does not know said otherwise."""
    template = copy.deepcopy(template)
    resources = template["Resources"]
    # It speaks no TLS, and would refuse everything.
    policy = resources["BucketPolicy"]["Properties"]["PolicyDocument"]
    policy["Statement"] = [one for one in policy["Statement"] if one["Sid"] != "InTheClear"]
    for resource in list(resources.values()):
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Lambda::Function":
            # Only here: the receivers of these tests are on loopback.
            properties["Environment"]["Variables"]["RINGFENCE_ALLOW_SUBNET"] = "127.0.0.0/8"
        if resource["Type"] == "AWS::IAM::Role":
            for policy in properties["Policies"]:
                for statement in policy["PolicyDocument"]["Statement"]:
                    # It knows neither who a mail is from nor by which identity when it asks whether that is allowed.
                    if statement.get("Sid") == "Mail":
                        del statement["Condition"]
                        statement["Resource"] = "*"
                    # On AWS this is what batches need too.
                    if statement["Action"] == "sqs:SendMessage":
                        statement["Action"] = ["sqs:SendMessage", "sqs:SendMessageBatch"]
        if resource["Type"] == "AWS::Lambda::EventSourceMapping":
            # A parameter stays a text there.
            properties["ScalingConfig"]["MaximumConcurrency"] = 10
    # It has no metric math; alarms are for CloudWatch anyway.
    for name in [name for name, resource in resources.items() if "Metrics" in resource.get("Properties", {})]:
        del resources[name]
    # It ignores an API's OpenAPI document.
    for path, methods in resources["Api"]["Properties"].pop("Body")["paths"].items():
        for method, operation in methods.items():
            method = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
            uri = operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
            function = re.search(r"\$\{(\w+)\.Arn\}/invocations$", uri).group(1)
            integration = f"{function}Integration"
            resources[integration] = {
                "Type": "AWS::ApiGatewayV2::Integration",
                "Properties": {
                    "ApiId": {"Ref": "Api"},
                    "IntegrationType": "AWS_PROXY",
                    "IntegrationUri": {"Fn::GetAtt": [function, "Arn"]},
                    "PayloadFormatVersion": "2.0",
                },
            }
            resources["Route" + re.sub(r"\W", "", method + path)] = {
                "Type": "AWS::ApiGatewayV2::Route",
                "Properties": {
                    "ApiId": {"Ref": "Api"},
                    "RouteKey": f"{method} {path}",
                    "Target": {"Fn::Sub": "integrations/${" + integration + "}"},
                },
            }
    resources["Api"]["Properties"].update(Name=STACK, ProtocolType="HTTP")
    return template


def _package(binary):
    """A function's code: its binary as `bootstrap`, without what only a debugger needs."""
    with tempfile.NamedTemporaryFile() as stripped:
        subprocess.run(["strip", "-o", stripped.name, BINARIES / binary], check=True)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
            entry = zipfile.ZipInfo("bootstrap")
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, pathlib.Path(stripped.name).read_bytes())
    return packed.getvalue()


class Deployment:
    """The stack, deployed. `key` is the operator's API key, as an operator gets it."""

    def __init__(self):
        template = translation.translated()
        s3 = client("s3")
        s3.create_bucket(Bucket="code", CreateBucketConfiguration={"LocationConstraint": REGION})
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::Lambda::Function":
                code = resource["Properties"]["Code"]
                s3.put_object(
                    Bucket=code["S3Bucket"], Key=code["S3Key"], Body=_package(code["S3Key"].removesuffix(".zip"))
                )
        client("sesv2").create_email_identity(EmailIdentity=SENDER)
        # As `sam deploy` does: it is too large to be sent along.
        s3.put_object(Bucket="code", Key="template.json", Body=json.dumps(for_emulator(template)))
        formation = client("cloudformation")
        formation.create_stack(
            StackName=STACK,
            TemplateURL=f"{ENDPOINT}/code/template.json",
            Parameters=[
                {"ParameterKey": "Architecture", "ParameterValue": "x86_64"},
                {"ParameterKey": "MailFrom", "ParameterValue": SENDER},
            ],
            Capabilities=["CAPABILITY_IAM"],
        )
        try:
            formation.get_waiter("stack_create_complete").wait(
                StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
            )
        except Exception:
            stack = formation.describe_stacks(StackName=STACK)["Stacks"][0]
            print(stack.get("StackStatusReason"), file=sys.stderr)
            raise
        stack = formation.describe_stacks(StackName=STACK)["Stacks"][0]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        pages = formation.get_paginator("list_stack_resources").paginate(StackName=STACK)
        self.physical = {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for page in pages
            for resource in page["StackResourceSummaries"]
        }
        # The API's own host name, which the emulator tells APIs apart by.
        self.host = f"{self.physical['Api']}.execute-api.localhost:{urllib.parse.urlsplit(ENDPOINT).port}"
        self.key = None

    def invoke(self, function, payload):
        """What a function answers to an operator who invokes it: whether it failed, and the answer."""
        answer = client("lambda").invoke(FunctionName=self.physical[function], Payload=json.dumps(payload))
        return "FunctionError" in answer, json.loads(answer["Payload"].read())

    def role(self, name):
        """A session with the credentials of a role, as its function gets them."""
        role = client("iam").get_role(RoleName=self.physical[name])["Role"]["Arn"]
        made = client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        return boto3.Session(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"], REGION)

    def mails_to(self, address):
        """The texts of the mails that were sent to an address."""
        _, _, answer = http("GET", f"{ENDPOINT}/_ministack/ses/messages")
        mails = [json.dumps(one) for mails in json.loads(answer)["messages"].values() for one in mails]
        return [mail for mail in mails if address in mail]

    def complaints(self):
        """What functions logged as warnings and errors, and did not mean to say."""
        logs = client("logs")
        for name in self.physical:
            if not name.endswith("Logs"):
                continue
            for event in logs.filter_log_events(logGroupName=self.physical[name])["events"]:
                if re.search(r'"level":"(WARN|ERROR)"', event["message"]):
                    yield f"{name}: {event['message'].strip()}"

    def request(self, method, path, body=None, headers=None, key=None):
        """Status, headers and parsed body of one request through the gateway."""
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        sent = {"host": self.host, "content-type": "application/json"}
        if key != "":
            sent["authorization"] = f"Bearer {key or self.key}"
        status, headers, answer = http(method, ENDPOINT + path, data, sent | (headers or {}))
        if re.search(r"[/+]json\b", headers["content-type"] or "/json"):
            answer = json.loads(answer or b"null")
        return status, headers, answer


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def http(method, url, body=None, headers=None):
    """Status, headers and body of one request. Follows no redirect."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with _OPENER.open(request, timeout=40) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def put_queues_forward(seconds):
    """Lets the queues' time pass: delays, visibility, retention."""
    _put_forward(CLOCK, seconds)


def put_links_forward(seconds):
    """Lets the time of presigned links pass: their end, the age of their signatures."""
    _put_forward(LINK_CLOCK, seconds)


def _put_forward(clock, seconds):
    ahead = struct.unpack("<d", clock.read_bytes())[0]
    with clock.open("r+b") as file:
        file.write(struct.pack("<d", ahead + seconds))
