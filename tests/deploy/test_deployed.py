"""The template, deployed: from the FreeSWITCH event at the gateway to the receiver that verifies it, by the
real binaries, each with its role's permissions and no others."""

import json
import pathlib
import queue
import re
import time
import unittest
import uuid

import standardwebhooks

from deployment import Deployment, client, put_queues_forward
from receiver import Receiver

CDR = pathlib.Path(__file__).parents[2] / "events" / "ingest" / "freeswitch-cdr.json"


def wait_for(what, check, seconds=60):
    """The first answer of `check` that is true."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = check()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"{what}: not within {seconds} seconds")


class Deployed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.deployment = Deployment()
        failed, answer = cls.deployment.invoke("SettingsFunction", {"bootstrap": {}})
        assert not failed, answer
        cls.deployment.key = answer["key"]
        cls.agency = cls.ask("POST", "/v1/agencies", {"name": "Agency"}, 201)["id"]

    @classmethod
    def ask(cls, method, path, body=None, expected=200, headers=None):
        status, _, answer = cls.deployment.request(method, path, body, headers)
        if status != expected:
            cls.fail_with_logs(f"{method} {path} answered {status} {answer}")
        return answer

    @classmethod
    def fail_with_logs(cls, what):
        raise AssertionError(what + ". Functions logged:\n" + "\n".join(cls.deployment.complaints()))

    def setUp(self):
        self.receiver = Receiver()
        self.addCleanup(self.receiver.stop)
        path = f"/v1/agencies/{self.agency}/accounts"
        self.account = "/v1/accounts/" + self.ask("POST", path, {"name": self.id()}, 201)["id"]
        answer = self.change("callbacks", {"cdr": {"url": self.receiver.url}})
        self.webhook = standardwebhooks.Webhook(re.search(r"whsec_[\w+/=]+", json.dumps(answer)).group(0))

    def change(self, area, document):
        """Replaces a settings document of the account."""
        path = f"{self.account}/settings/{area}"
        _, headers, _ = self.deployment.request("GET", path)
        return self.ask("PUT", path, document, 200, {"if-match": headers["etag"]})

    def callback(self, timeout=30):
        """When the next callback came, its headers and its body."""
        try:
            return self.receiver.posts.get(timeout=timeout)
        except queue.Empty:
            deliveries = self.ask("GET", f"{self.account}/deliveries")["items"]
            self.fail_with_logs(f"no callback within {timeout} seconds; deliveries are {deliveries}")

    def cdr(self):
        """The FreeSWITCH record, of a call of its own."""
        record = json.loads(CDR.read_bytes())
        return json.dumps(record).replace(record["variables"]["uuid"], str(uuid.uuid4())).encode()

    def post_cdr(self):
        answer = self.ask("POST", f"{self.account}/ingest/freeswitch", self.cdr(), 202)
        self.assertEqual(answer["accepted"], 1, answer)

    def deliveries(self, status):
        return self.ask("GET", f"{self.account}/deliveries?status={status}")["items"]

    def delivered(self, what):
        return wait_for(what, lambda: self.deliveries("delivered"))

    def test_a_cdr_goes_from_the_gateway_to_the_receiver_signed_and_masked(self):
        self.change("security", {"phone_number_masking": True})
        # For what a process may remember of settings.
        time.sleep(4)
        self.post_cdr()
        _, headers, body = self.callback()
        event = self.webhook.verify(body, headers)
        self.assertEqual(event["type"], "cdr.created")
        self.assertEqual((event["data"]["from"], event["data"]["to"]), ("****", "****"))
        self.assertEqual(event["data"]["billsec"], 68)
        [delivery] = self.delivered("the delivery in the log")
        self.assertEqual(delivery["id"], headers["webhook-id"])
        call = self.ask("GET", f"{self.account}/calls/{event['data']['call_id']}")
        self.assertEqual(call["call_id"], event["data"]["call_id"])

    def test_a_failed_attempt_is_made_again_after_its_delay(self):
        self.receiver.answers.put((500, {}))
        self.post_cdr()
        first, headers, body = self.callback()
        self.webhook.verify(body, headers)
        second, again, body = self.callback()
        self.webhook.verify(body, again)
        self.assertEqual(again["webhook-id"], headers["webhook-id"])
        self.assertGreater(second - first, 3.9, "five seconds, less a fifth")
        [delivery] = self.delivered("the second attempt in the log")
        self.assertEqual([attempt["ok"] for attempt in delivery["attempts"]], [False, True])

    def test_what_waits_longer_than_a_queue_can_hold_is_sent_by_the_schedule(self):
        self.receiver.answers.put((503, {"retry-after": "7200"}))
        self.post_cdr()
        _, headers, _ = self.callback()
        [delivery] = wait_for("the retry in the log", lambda: self.deliveries("retrying"))
        # Two hours pass, for this row.
        table, dynamo = self.deployment.physical["Table"], client("dynamodb")
        [row] = [
            item
            for shard in range(8)
            for item in dynamo.query(
                TableName=table,
                IndexName="index1",
                KeyConditionExpression="i1pk = :due",
                ExpressionAttributeValues={":due": {"S": f"due/{shard}"}},
            )["Items"]
            if item["sk"]["S"] == delivery["id"]
        ]
        dynamo.update_item(
            TableName=table,
            Key={"pk": row["pk"], "sk": row["sk"]},
            UpdateExpression="SET i1sk = :past",
            ExpressionAttributeValues={":past": {"S": f"{1:015}/{delivery['id']}"}},
        )
        # By then another process sends, which knows nothing of the pause that this one makes.
        client("lambda").update_function_code(
            FunctionName=self.deployment.physical["DispatchFunction"], S3Bucket="code", S3Key="dispatch.zip"
        )
        _, again, body = self.callback(timeout=90)
        self.webhook.verify(body, again)
        self.assertEqual(again["webhook-id"], headers["webhook-id"])
        self.delivered("the delivery in the log")

    def test_settings_change_only_for_who_has_seen_them_and_each_change_is_on_record(self):
        path = f"{self.account}/settings/security"
        _, headers, _ = self.deployment.request("GET", path)
        etag = headers["etag"]
        changed = {"phone_number_masking": True}
        status, headers, answer = self.deployment.request("PUT", path, changed, {"if-match": etag})
        self.assertEqual(status, 200, answer)
        self.assertNotEqual(headers["etag"], etag)
        status, headers, answer = self.deployment.request("PUT", path, changed, {"if-match": etag})
        self.assertEqual((status, headers["content-type"]), (412, "application/problem+json"), answer)
        status, _, answer = self.deployment.request("PUT", path, changed)
        self.assertEqual(status, 428, answer)
        history = self.ask("GET", f"{self.account}/history")["items"]
        self.assertEqual(history[0]["item"], "settings/security")
        self.assertEqual(history[0]["after"], {"phone_number_masking": True} | history[0]["after"])

    def test_what_was_held_is_replayed_by_a_job(self):
        self.ask("POST", f"{self.account}/callbacks/cdr/pause")
        time.sleep(4)
        self.post_cdr()
        wait_for("the held delivery", lambda: self.deliveries("held"))
        self.assertTrue(self.receiver.posts.empty())
        self.ask("POST", f"{self.account}/callbacks/cdr/resume")
        _, headers, body = self.callback()
        self.webhook.verify(body, headers)
        self.delivered("the delivery in the log")

    def test_without_a_key_nothing_and_without_its_permission_a_function_nothing(self):
        path = f"{self.account}/ingest/freeswitch"
        status, headers, _ = self.deployment.request("POST", path, self.cdr(), key="")
        self.assertEqual((status, headers["content-type"]), (401, "application/problem+json"))
        status, headers, _ = self.deployment.request("DELETE", path)
        self.assertEqual((status, headers["content-type"]), (405, "application/problem+json"))

        iam, role = client("iam"), self.deployment.physical["IngestRole"]
        policy = iam.get_role_policy(RoleName=role, PolicyName="ingest")["PolicyDocument"]
        less = json.loads(json.dumps(policy))
        less["Statement"] = [one for one in less["Statement"] if one["Sid"] != "Write"]
        self.assertLess(len(less["Statement"]), len(policy["Statement"]))
        record = self.cdr()

        def put(document):
            iam.put_role_policy(RoleName=role, PolicyName="ingest", PolicyDocument=json.dumps(document))

        self.addCleanup(put, policy)
        put(less)
        status, headers, answer = self.deployment.request("POST", path, record)
        self.assertEqual((status, headers["content-type"]), (503, "application/problem+json"), answer)
        self.assertTrue(self.receiver.posts.empty())
        put(policy)
        self.assertEqual(self.ask("POST", path, record, 202)["accepted"], 1)
        self.webhook.verify(*reversed(self.callback()[1:]))

    def test_there_is_one_first_key(self):
        failed, answer = self.deployment.invoke("SettingsFunction", {"bootstrap": {}})
        self.assertFalse(failed)
        self.assertEqual(list(answer), ["refused"])
        failed, _ = self.deployment.invoke("SettingsFunction", {"bootstrap": {}, "also": 1})
        self.assertTrue(failed)

    def test_zz_a_poison_message_ends_among_the_dead_letters_and_holds_up_nobody(self):
        # Last: it puts the queues' time forward.
        sqs = client("sqs")
        url, dead = (self.deployment.physical[name] for name in ("DispatchQueue", "DispatchDeadQueue"))
        sent = sqs.send_message(QueueUrl=url, MessageBody="{}", MessageGroupId="poison")["MessageId"]
        self.post_cdr()
        _, headers, body = self.callback()
        self.webhook.verify(body, headers)
        redrive = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        visibility = int(redrive["VisibilityTimeout"])
        tries = json.loads(redrive["RedrivePolicy"])["maxReceiveCount"]

        def given_up():
            put_queues_forward(visibility + 1)
            time.sleep(0.5)
            return sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=0, VisibilityTimeout=0).get("Messages")

        [message] = wait_for("the dead letter", given_up, seconds=tries * 3)
        self.assertEqual((message["MessageId"], message["Body"]), (sent, "{}"))


if __name__ == "__main__":
    unittest.main()
