"""What rules on single properties cannot say about the template: arithmetic, the code's routes and names; and
that the rules of infra/rules do fail where they should."""

import copy
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import translation

ROOT = pathlib.Path(__file__).parents[2]
FUNCTIONS = {
    "activities", "callbacks", "deletion", "dispatch", "exports", "history", "ingest", "jobs", "notices", "notify", "people",
    "playback", "recordings", "session", "settings", "sweep",
}
TEMPLATE = translation.translated()
RESOURCES = TEMPLATE["Resources"]


def of_type(kind):
    return {name: one for name, one in RESOURCES.items() if one["Type"] == kind}


def binary(function):
    return RESOURCES[function]["Metadata"]["BuildProperties"]["Binary"]


def code_operations():
    """(method, path) of each operation in the routers' own descriptions, and the function that has it."""
    found = {}
    for source in ROOT.glob("functions/*/src/**/*.rs"):
        function, text = source.relative_to(ROOT / "functions").parts[0], source.read_text()
        for method, path in re.findall(r'#\[utoipa::path\(\s*(\w+),[^\]]*?\bpath = "([^"]+)"', text):
            assert found.setdefault((method.upper(), path), function) == function, path
        # Pages and their own files, which no description names. What catches all else, the `+` of a route does.
        if not {"tests", "tests.rs"} & set(source.parts):
            for path in re.findall(r'\.route\(\s*"(/[^"*]*[^"*/])"', text):
                found.setdefault(("GET", path), function)
    return found


class Routes(unittest.TestCase):
    def test_the_gateway_has_the_routes_of_the_code_and_no_others(self):
        deployed = {}
        for path, methods in RESOURCES["Api"]["Properties"]["Body"]["paths"].items():
            for method, operation in methods.items():
                uri = operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
                function = re.search(r"functions/\$\{(\w+)\.Arn\}/invocations$", uri).group(1)
                method = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
                # A `+` lets the last parameter hold slashes.
                deployed[method, re.sub(r"\+\}$", "}", path)] = binary(function)
        code = code_operations()
        self.assertGreater(len(code), 60)
        used = set()
        for (method, path), function in code.items():
            route = (method, path) if (method, path) in deployed else ("ANY", path)
            self.assertEqual(deployed.get(route), function, f"{method} {path}")
            used.add(route)
        self.assertEqual(set(deployed), used)
        # A function itself answers the methods that a path does not have: of two, the one with `ANY`.
        self.assertEqual({path for method, path in deployed if method == "ANY"}, {path for _, path in deployed})

    def test_every_operation_asks_for_a_key_but_those_that_say_they_do_not(self):
        keyless = set()
        for source in ROOT.glob("functions/*/src/**/*.rs"):
            text = source.read_text()
            for start in re.finditer(r"#\[utoipa::path\(", text):
                operation = text[start.start() : text.index("\n}\n", start.start())]
                path = re.search(r'path = "([^"]+)"', operation).group(1)
                if "security(())" in operation:
                    keyless.add(path)
                else:
                    self.assertRegex(operation, r"Authenticated|credentials|\w*Session\b|Unmoved", f"{path} in {source}")
        links = {"/r/{token}", "/r/{token}/audio", "/r/{token}/key"}
        # The way in, and what proves a history.
        way_in = {
            "/v1/session", "/v1/session/second-factor", "/v1/session/second-factor/sms",
            "/v1/invitations/accept", "/v1/password-resets", "/v1/password-resets/complete", "/v1/history/keys",
        }
        self.assertEqual(keyless, links | way_in | {"/v1/event-types", "/v1/event-types/{type}"})

    def test_the_gateway_may_invoke_what_it_routes_to(self):
        permitted = {
            permission["Properties"]["FunctionName"]["Ref"]
            for permission in of_type("AWS::Lambda::Permission").values()
            if permission["Properties"]["Principal"] == "apigateway.amazonaws.com"
        }
        self.assertEqual({binary(function) for function in permitted}, set(code_operations().values()))


class Functions(unittest.TestCase):
    def test_each_is_there_with_a_role_and_a_log_of_its_own(self):
        functions = of_type("AWS::Lambda::Function")
        self.assertEqual({binary(name) for name in functions}, FUNCTIONS)
        roles = {one["Properties"]["Role"]["Fn::GetAtt"][0] for one in functions.values()}
        logs = {one["Properties"]["LoggingConfig"]["LogGroup"]["Ref"] for one in functions.values()}
        self.assertEqual((len(roles), len(logs)), (len(FUNCTIONS), len(FUNCTIONS)))
        for one in functions.values():
            properties = one["Properties"]
            role = RESOURCES[properties["Role"]["Fn::GetAtt"][0]]
            [policy] = role["Properties"]["Policies"]
            [log] = [s for s in policy["PolicyDocument"]["Statement"] if s["Sid"] == "Log"]
            self.assertEqual(log["Resource"]["Fn::GetAtt"][0], properties["LoggingConfig"]["LogGroup"]["Ref"])

    def test_what_builds_binaries_builds_every_function(self):
        packages = {f"ringfence-{function}" for function in FUNCTIONS}
        configured = re.search(r"packages = \[(.*?)\]", (ROOT / "CargoLambda.toml").read_text(), re.S).group(1)
        self.assertEqual(set(re.findall(r'"([^"]+)"', configured)), packages)
        deployed = re.search(r"for function in ([\w ]+);", (ROOT / "tests/deploy/run").read_text()).group(1)
        self.assertEqual({f"ringfence-{function}" for function in deployed.split()}, packages)

    def test_what_answers_requests_ends_within_the_gateways_thirty_seconds(self):
        # What takes from a queue besides may work longer there.
        fed = {one["Properties"]["FunctionName"]["Ref"] for one in of_type("AWS::Lambda::EventSourceMapping").values()}
        for name, one in of_type("AWS::Lambda::Function").items():
            if binary(name) in code_operations().values() and name not in fed:
                self.assertLessEqual(one["Properties"]["Timeout"], 30, name)

    def test_no_code_or_value_is_left_behind_by_a_parameter_that_nobody_reads(self):
        text = json.dumps({key: value for key, value in TEMPLATE.items() if key != "Parameters"})
        for parameter in TEMPLATE["Parameters"]:
            self.assertTrue(f'{{"Ref": "{parameter}"}}' in text or f"${{{parameter}}}" in text, parameter)


class Queues(unittest.TestCase):
    def test_visibility_is_six_times_the_timeout_at_least(self):
        mappings = of_type("AWS::Lambda::EventSourceMapping")
        self.assertEqual(len(mappings), 4)
        for mapping in mappings.values():
            properties = mapping["Properties"]
            queue = RESOURCES[properties["EventSourceArn"]["Fn::GetAtt"][0]]["Properties"]
            timeout = RESOURCES[properties["FunctionName"]["Ref"]]["Properties"]["Timeout"]
            self.assertGreaterEqual(queue["VisibilityTimeout"], 6 * timeout)

    def test_a_mappings_function_may_take_from_its_queue(self):
        for mapping in of_type("AWS::Lambda::EventSourceMapping").values():
            function = RESOURCES[mapping["Properties"]["FunctionName"]["Ref"]]
            role = RESOURCES[function["Properties"]["Role"]["Fn::GetAtt"][0]]
            [policy] = role["Properties"]["Policies"]
            [poll] = [s for s in policy["PolicyDocument"]["Statement"] if s["Sid"] == "Poll"]
            self.assertEqual(poll["Resource"], mapping["Properties"]["EventSourceArn"])
            needed = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
            self.assertEqual(set(poll["Action"]), needed)

    def test_each_has_a_dead_letter_queue_that_keeps_longer_and_is_watched(self):
        alarms = [alarm["Properties"] for alarm in of_type("AWS::CloudWatch::Alarm").values()]
        queues = of_type("AWS::SQS::Queue")
        working = {name: queue for name, queue in queues.items() if "RedrivePolicy" in queue["Properties"]}
        self.assertEqual(len(working) * 2, len(queues))

        def watched(queue, metric):
            return [
                alarm
                for alarm in alarms
                if alarm.get("MetricName") == metric
                and alarm["Dimensions"] == [{"Name": "QueueName", "Value": {"Fn::GetAtt": [queue, "QueueName"]}}]
            ]

        for name, queue in working.items():
            dead = queue["Properties"]["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
            retention = queues[dead]["Properties"]["MessageRetentionPeriod"]
            self.assertGreaterEqual(retention, 2 * queue["Properties"]["MessageRetentionPeriod"])
            [some] = watched(dead, "ApproximateNumberOfMessagesVisible")
            self.assertEqual((some["Threshold"], some["TreatMissingData"]), (1, "notBreaching"))
            [old] = watched(dead, "ApproximateAgeOfOldestMessage")
            self.assertLess(old["Threshold"], retention)
            [waiting] = watched(name, "ApproximateAgeOfOldestMessage")
            # A queue holds a message back for a quarter of an hour, rightly.
            self.assertGreater(waiting["Threshold"], 900)

    def test_what_is_given_up_was_tried_for_hours(self):
        for queue in of_type("AWS::SQS::Queue").values():
            properties = queue["Properties"]
            if "RedrivePolicy" in properties:
                tried = properties["VisibilityTimeout"] * properties["RedrivePolicy"]["maxReceiveCount"]
                self.assertGreaterEqual(tried, 2 * 3600)
                self.assertLess(tried, properties["MessageRetentionPeriod"])


class Table(unittest.TestCase):
    def test_keys_and_indexes_are_those_that_the_adapter_names(self):
        code = (ROOT / "shared" / "aws" / "src" / "item.rs").read_text()
        index = r'name: "(\w+)",\s*pk: "(\w+)",\s*sk: "(\w+)"'
        table = RESOURCES["Table"]["Properties"]
        found = [
            (one["IndexName"], *(key["AttributeName"] for key in one["KeySchema"]))
            for one in table["GlobalSecondaryIndexes"]
        ]
        self.assertEqual(found, re.findall(index, code))
        for one in table["GlobalSecondaryIndexes"]:
            # Rows are read from indexes whole.
            self.assertEqual(one["Projection"], {"ProjectionType": "ALL"})
        for key, name in zip(table["KeySchema"], ("PK", "SK"), strict=True):
            self.assertIn(f'{name}: &str = "{key["AttributeName"]}"', code)
        ttl = table["TimeToLiveSpecification"]["AttributeName"]
        self.assertIn(f'TTL_ATTRIBUTE: &str = "{ttl}"', code)


class Bucket(unittest.TestCase):
    def test_it_tells_of_what_is_put_where_the_code_expects_it(self):
        code = (ROOT / "shared" / "domain" / "src" / "recording" / "mod.rs").read_text()
        told = RESOURCES["Bucket"]["Properties"]["NotificationConfiguration"]["QueueConfigurations"]
        rules = [{rule["Name"]: rule["Value"] for rule in one["Filter"]["S3Key"]["Rules"]} for one in told]
        [suffix] = re.findall(r'key\.strip_suffix\("([^"]+)"\)', code)
        folders = re.findall(r'"(\w+)" => Role::', code)
        expected = [{"prefix": f"{folder}/", "suffix": suffix} for folder in folders]
        self.assertEqual((rules, len(rules)), (expected, 2))
        # S3 asks whether it may send when notifications are set up.
        self.assertEqual(RESOURCES["Bucket"]["DependsOn"], "RecordingsQueuePolicy")

    def test_links_die_when_the_code_says_so(self):
        code = (ROOT / "shared" / "ports" / "src" / "blobs.rs").read_text()
        self.assertIn("MAX_LINK_TTL: Duration = Duration::from_mins(1);", code)
        statements = RESOURCES["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        [age] = [one["Condition"]["NumericGreaterThan"] for one in statements if one["Sid"] == "OldLinks"]
        self.assertEqual(age, {"s3:signatureAge": "60000"})

    def test_only_who_works_with_audio_knows_the_bucket(self):
        for name, one in of_type("AWS::Lambda::Function").items():
            role = RESOURCES[one["Properties"]["Role"]["Fn::GetAtt"][0]]
            [policy] = role["Properties"]["Policies"]
            statements = policy["PolicyDocument"]["Statement"]
            may = any("s3:" in json.dumps(statement["Action"]) for statement in statements)
            knows = "RINGFENCE_BUCKET" in one["Properties"]["Environment"]["Variables"]
            self.assertEqual(may, knows, name)
            self.assertEqual("with_blobs" in (ROOT / "functions" / binary(name) / "src" / "main.rs").read_text(), knows)


class Schedules(unittest.TestCase):
    def test_the_sweep_runs_every_minute(self):
        # No checker sees a wrong expression. https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
        for schedule in of_type("AWS::Scheduler::Schedule").values():
            expression = schedule["Properties"]["ScheduleExpression"]
            rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)(s?)\)", expression)
            self.assertTrue(rate and int(rate[1]) > 0 and (rate[1] == "1") == (rate[3] == ""), expression)
        [sweep] = of_type("AWS::Scheduler::Schedule").values()
        self.assertEqual(sweep["Properties"]["ScheduleExpression"], "rate(1 minute)")
        self.assertEqual(sweep["Properties"]["Target"]["Arn"], {"Fn::GetAtt": ["SweepFunction", "Arn"]})
        # Two stacks can live in one account.
        self.assertNotIn("Name", sweep["Properties"])


class Alarms(unittest.TestCase):
    def test_errors_and_throttles_of_every_function_are_watched(self):
        for alarm in ("ErrorsAlarm", "ThrottlesAlarm"):
            watched = {
                binary(metric["MetricStat"]["Metric"]["Dimensions"][0]["Value"]["Ref"])
                for metric in RESOURCES[alarm]["Properties"]["Metrics"]
                if "MetricStat" in metric
            }
            self.assertEqual(watched, FUNCTIONS, alarm)

    def test_the_dashboard_is_json_and_names_what_exists(self):
        body = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
        json.loads(body)
        for name in re.findall(r"\$\{([A-Za-z]+)(?:\.\w+)?\}", body):
            self.assertIn(name, RESOURCES)


class AccessLog(unittest.TestCase):
    def test_a_line_is_json(self):
        line = RESOURCES["ApiApiGatewayDefaultStage"]["Properties"]["AccessLogSettings"]["Format"]
        json.loads(re.sub(r'(?<!")\$context\.\w+(?:\.\w+)*', "0", line))


def changed(change):
    template = copy.deepcopy(TEMPLATE)
    change(template["Resources"])
    return template


def statement(resources, role, sid):
    [policy] = resources[role]["Properties"]["Policies"]
    [found] = [one for one in policy["PolicyDocument"]["Statement"] if one["Sid"] == sid]
    return found


# Each is a slip that the rule must refuse.
SLIPS = {
    "what_is_stored_is_kept_and_encrypted": [
        lambda r: r["Table"].pop("DeletionPolicy"),
        lambda r: r["Table"]["Properties"].pop("PointInTimeRecoverySpecification"),
        lambda r: r["Table"]["Properties"].pop("SSESpecification"),
        lambda r: r["Table"]["Properties"].pop("TimeToLiveSpecification"),
        lambda r: r["Table"]["Properties"].update(DeletionProtectionEnabled=False),
    ],
    "recordings_are_kept_private_and_encrypted": [
        lambda r: r["Bucket"].pop("DeletionPolicy"),
        lambda r: r["Bucket"]["Properties"].pop("VersioningConfiguration"),
        lambda r: r["Bucket"]["Properties"].pop("PublicAccessBlockConfiguration"),
        lambda r: r["Bucket"]["Properties"]["PublicAccessBlockConfiguration"].update(RestrictPublicBuckets=False),
        lambda r: r["Bucket"]["Properties"].pop("OwnershipControls"),
        lambda r: r["Bucket"]["Properties"].pop("BucketEncryption"),
        lambda r: r["Bucket"]["Properties"].update(CorsConfiguration={"CorsRules": []}),
    ],
    "no_recording_goes_by_itself": [
        lambda r: r["Bucket"]["Properties"].pop("LifecycleConfiguration"),
        lambda r: r["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"].pop(0),
        lambda r: r["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"][0].update(ExpirationInDays=30),
        lambda r: r["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"][1].update(
            NoncurrentVersionExpiration={"NoncurrentDays": 1}
        ),
    ],
    "buckets_answer_over_tls_and_to_young_signatures_alone": [
        lambda r: r["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"].pop(0),
        lambda r: r["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"].pop(1),
        lambda r: r["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"].pop(2),
        lambda r: r["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"].pop(3),
        lambda r: r["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"][2]["Condition"].update(
            NumericGreaterThan={"s3:signatureAge": "600000"}
        ),
        lambda r: r["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"][0].update(Effect="Allow"),
    ],
    "queues_hear_nobody_but_s3_of_this_account": [
        lambda r: r["RecordingsQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"][0].pop("Condition"),
        lambda r: r["RecordingsQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"][0].update(Principal="*"),
    ],
    "keys_are_kept_and_rotate": [
        lambda r: r["SealKey"]["Properties"].pop("EnableKeyRotation"),
        lambda r: r["MacKey"].pop("DeletionPolicy"),
    ],
    "queues_are_encrypted_and_keep_what_failed": [
        lambda r: r["JobsQueue"]["Properties"].pop("SqsManagedSseEnabled"),
        lambda r: r["JobsQueue"]["Properties"].pop("RedrivePolicy"),
        lambda r: r["DispatchDeadQueue"]["Properties"].update(MessageRetentionPeriod=345600),
    ],
    "mappings_fail_single_messages_and_are_bounded": [
        lambda r: r["DispatchFunctionDeliveries"]["Properties"].pop("FunctionResponseTypes"),
        lambda r: r["DispatchFunctionDeliveries"]["Properties"].update(FunctionResponseTypes=[]),
        lambda r: r["JobsFunctionSteps"]["Properties"].pop("ScalingConfig"),
    ],
    "functions_run_as_themselves_and_hold_no_secret": [
        lambda r: r["IngestFunction"]["Properties"]["Environment"]["Variables"].update(RINGFENCE_API_KEY="rfk_"),
        lambda r: r["IngestFunction"]["Properties"]["Environment"]["Variables"].update(RINGFENCE_ALLOW_SUBNET="::/0"),
        lambda r: r["IngestFunction"]["Properties"].update(ReservedConcurrentExecutions=1),
        lambda r: r["IngestFunction"]["Properties"].pop("LoggingConfig"),
    ],
    "no_action_is_a_wildcard": [
        lambda r: statement(r, "IngestRole", "Read").update(Action=["dynamodb:*"]),
        lambda r: statement(r, "IngestRole", "Write").update(Action="*"),
        lambda r: statement(r, "IngestRole", "Read").update(Resource="*"),
        lambda r: statement(r, "SweepRole", "ReadDue").update(Resource={"Fn::Sub": "${Table.Arn}/index/*"}),
        lambda r: statement(r, "PlaybackRole", "Hear").update(Resource={"Fn::Sub": "${Bucket.Arn}/*"}),
        lambda r: statement(r, "RecordingsRole", "Hear").update(Resource=[{"Fn::Sub": "${Bucket.Arn}/*"}]),
        lambda r: r["IngestRole"]["Properties"].update(ManagedPolicyArns=["arn:aws:iam::aws:policy/AdministratorAccess"]),
        lambda r: r["TracePolicy"]["Properties"]["PolicyDocument"]["Statement"][0].update(Action=["s3:GetObject"]),
    ],
    "nobody_scans": [
        lambda r: statement(r, "IngestRole", "Read").update(Action=["dynamodb:GetItem", "dynamodb:Scan"]),
    ],
    "secrets_are_opened_in_their_context": [
        lambda r: statement(r, "DispatchRole", "Open").pop("Condition"),
        lambda r: statement(r, "DispatchRole", "Open")["Condition"].pop("StringLike"),
        lambda r: statement(r, "PlaybackRole", "OpenBucket").pop("Condition"),
        lambda r: statement(r, "PlaybackRole", "OpenBucket")["Condition"]["StringEquals"].pop("kms:ViaService"),
        lambda r: statement(r, "RecordingsRole", "OpenAccountKeys").pop("Condition"),
        lambda r: statement(r, "RecordingsRole", "OpenAccountKeys")["Condition"]["StringEquals"].pop("aws:ResourceTag/ringfence"),
        lambda r: statement(r, "PlaybackRole", "OpenAccountKeys")["Condition"]["StringEquals"].pop("kms:ViaService"),
        lambda r: statement(r, "PlaybackRole", "OpenAccountKeys").update(Resource={"Fn::Sub": "arn:${AWS::Partition}:kms:*:*:key/*"}),
        lambda r: statement(r, "DispatchRole", "Derive").update(Action=["kms:GenerateMac", "kms:Encrypt"]),
        lambda r: statement(r, "SettingsRole", "SealAndOpen").update(Action=["kms:Decrypt", "kms:Encrypt"]),
    ],
    "mails_come_from_one_sender_and_texts_go_to_numbers_alone": [
        lambda r: statement(r, "NotifyRole", "Mail").pop("Condition"),
        lambda r: statement(r, "NotifyRole", "Mail").update(Action=["ses:SendEmail", "ses:SendRawEmail"]),
        lambda r: statement(r, "PlaybackRole", "Send").update(Action="sns:Publish"),
        lambda r: r["TextPolicy"]["Properties"]["PolicyDocument"]["Statement"].pop(1),
        lambda r: r["TextPolicy"]["Properties"].update(Roles=[{"Ref": "IngestRole"}]),
    ],
    "roles_trust_one_service": [
        lambda r: r["JobsRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0].update(
            Principal={"AWS": "arn:aws:iam::111122223333:root"}
        ),
    ],
    "logs_end": [lambda r: r["ApiLogs"]["Properties"].pop("RetentionInDays")],
    "the_gateway_is_throttled_and_its_log_names_nobody": [
        lambda r: r["ApiApiGatewayDefaultStage"]["Properties"].pop("DefaultRouteSettings"),
        lambda r: r["ApiApiGatewayDefaultStage"]["Properties"]["AccessLogSettings"].update(
            Format="$context.identity.sourceIp"
        ),
    ],
    "alarms_reach_somebody": [lambda r: r["SweepAlarm"]["Properties"].pop("AlarmActions")],
    "tracing_is_asked_for": [
        lambda r: r["IngestFunction"]["Properties"].update(TracingConfig={"Mode": "Active"}),
    ],
}


@unittest.skipUnless("RINGFENCE_GUARD" in os.environ, "run by tests/aws/validate, which brings cfn-guard")
class Rules(unittest.TestCase):
    def test_each_rule_refuses_the_slips_that_it_is_for(self):
        rules = (ROOT / "infra" / "rules" / "ringfence.guard").read_text()
        named = set(re.findall(r"^rule (\w+)", rules, re.MULTILINE))
        self.assertEqual(named - set(SLIPS), {"there_is_something_to_check"})
        with tempfile.TemporaryDirectory() as folder:
            for rule, slips in SLIPS.items():
                for number, change in enumerate(slips):
                    path = pathlib.Path(folder, f"{rule}-{number}.json")
                    path.write_text(json.dumps(changed(change)))
            run = subprocess.run(
                [os.environ["RINGFENCE_GUARD"], "validate", "--data", folder, "--rules", ROOT / "infra" / "rules",
                 "--structured", "--output-format", "json", "--show-summary", "none"],
                stdout=subprocess.PIPE, text=True,
            )
        reports = {pathlib.Path(report["name"]).stem: report for report in json.loads(run.stdout)}
        for rule, slips in SLIPS.items():
            for number in range(len(slips)):
                failed = {one["Rule"]["name"] for one in reports[f"{rule}-{number}"]["not_compliant"]}
                self.assertIn(rule, failed, f"slip {number}")


if __name__ == "__main__":
    unittest.main()
