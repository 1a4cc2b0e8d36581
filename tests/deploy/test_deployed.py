"""The template, deployed: from the FreeSWITCH event at the gateway to the receiver that verifies it, by the
real binaries, each with its role's permissions and no others."""

import csv
import hashlib
import io
import json
import pathlib
import queue
import re
import time
import unittest
import urllib.parse
import uuid
import wave

import standardwebhooks

from deployment import Deployment, client, http, put_links_forward, put_queues_forward
from operations import described, operations
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


SECOND = b"".join((n * 7 % 20000).to_bytes(2, "little") for n in range(7999))


def wav(seconds):
    """Telephone audio, no two seconds alike."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        for second in range(seconds):
            out.writeframes(second.to_bytes(2, "little") + SECOND)
    return file.getvalue()


# Searches that read another index than the plain ones.
FILTERED = [
    "/history?item=settings", "/history?actor=key", "/recordings?agent_id=agent-7", "/recordings?team=Sales",
    "/recordings?call_id=another", "/deliveries?status=failed", "/deliveries?call_id=another",
]


class Deployed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.deployment = Deployment()
        failed, answer = cls.deployment.invoke("SettingsFunction", {"bootstrap": {}})
        if failed:
            cls.fail_with_logs(f"the settings function answered {answer}")
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

        again = self.without("IngestRole", "Write")
        record = self.cdr()
        status, headers, answer = self.deployment.request("POST", path, record)
        self.assertEqual((status, headers["content-type"]), (503, "application/problem+json"), answer)
        self.assertTrue(self.receiver.posts.empty())
        again()
        self.assertEqual(self.ask("POST", path, record, 202)["accepted"], 1)
        self.webhook.verify(*reversed(self.callback()[1:]))

    def without(self, role, sid):
        """Takes a statement away from a role. Answers with what gives it back, which the test's end does too."""
        iam, role = client("iam"), self.deployment.physical[role]
        [name] = iam.list_role_policies(RoleName=role)["PolicyNames"]
        policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]

        def put(document):
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))

        self.addCleanup(put, policy)
        statements = [one for one in policy["Statement"] if one["Sid"] != sid]
        self.assertEqual(len(statements), len(policy["Statement"]) - 1)
        put({**policy, "Statement": statements})
        return lambda: put(policy)

    def register(self, audio):
        """Registers a recording: what is answered."""
        facts = {
            "call_id": str(uuid.uuid4()), "started_at": "2026-01-31T08:15:09Z", "duration": 2,
            "content_type": "audio/wav", "size": len(audio), "sha256": hashlib.sha256(audio).hexdigest(),
        }
        return self.ask("POST", f"{self.account}/recordings", facts, 201)

    def put(self, audio):
        """Registers a recording, and puts its audio where the answer says: the recording's path."""
        registered = self.register(audio)
        upload = registered["upload"]
        status, _, answer = http(upload["method"], upload["url"], audio, upload["headers"])
        self.assertEqual(status, 200, answer)
        return f"{self.account}/recordings/{registered['id']}"

    def test_a_recording_is_put_announced_with_a_link_and_heard_with_its_pin(self):
        self.change("recordings", {"access": "pin", "pin": "402817"})
        time.sleep(4)
        audio = wav(2)
        recording = self.put(audio)
        # S3 tells of it; nobody else does.
        wait_for("the recording", lambda: self.ask("GET", recording)["status"] == "available", seconds=30)
        _, headers, body = self.callback()
        event = self.webhook.verify(body, headers)
        self.assertEqual(event["type"], "recording.available")
        link = urllib.parse.urlsplit(event["data"]["recording"]["url"])
        self.assertEqual(link.hostname, urllib.parse.urlsplit(self.deployment.outputs["Url"]).hostname)

        def knock(path, method="GET", body=None, headers=None):
            return self.deployment.request(method, path, body, {"accept": "application/json"} | (headers or {}), key="")

        self.assertEqual(knock(link.path)[2]["state"], "pin_required")
        self.assertEqual(knock(link.path + "/audio")[0], 403)
        # Forged, it opens nothing.
        self.assertEqual(knock(link.path[:-1] + ("A" if link.path[-1] != "A" else "B"))[0], 404)
        status, _, answer = knock(link.path, "POST", {"pin": "402818"})
        self.assertEqual(status, 403, answer)
        status, headers, answer = knock(link.path, "POST", {"pin": "402817"})
        self.assertEqual(status, 200, answer)
        cookie = headers["set-cookie"].split(";")[0]
        status, headers, _ = knock(link.path + "/audio", headers={"cookie": cookie})
        self.assertEqual(status, 302)
        status, _, heard = http("GET", headers["location"], headers={"range": "bytes=44-"})
        self.assertEqual((status, heard), (206, audio[44:]))
        # The page, its files, and who listened.
        status, headers, page = knock(link.path, headers={"cookie": cookie, "accept": "text/html"})
        self.assertEqual((status, b"<audio" in page), (200, True))
        for file in set(re.findall(rb'(?:href|src)="(/r/-/[^"]+)"', page)):
            self.assertEqual(knock(file.decode())[0], 200, file)
        [listen] = self.ask("GET", f"{recording}/listens")["items"]
        self.assertEqual(listen["to_byte"], len(audio))
        # Revoked, it opens nothing more.
        self.ask("DELETE", f"{recording}/links", None, 204)
        self.assertEqual(knock(link.path, headers={"cookie": cookie})[0], 410)

    def test_a_presigned_url_is_good_for_a_minute_whatever_it_says_itself(self):
        audio = wav(2)
        recording = self.put(audio)
        wait_for("the recording", lambda: self.ask("GET", recording)["status"] == "available", seconds=30)
        _, headers, _ = self.deployment.request("GET", f"{recording}/audio")
        own = headers["location"]
        key = urllib.parse.urlsplit(own).path.split("/", 2)[2]
        # As a role's credentials could be used to sign them, against the rules.
        order = {"Bucket": self.deployment.physical["Bucket"], "Key": key}
        role = self.deployment.role("PlaybackRole")
        long, old = (client("s3", role, kind).generate_presigned_url("get_object", order, 3600) for kind in ("s3v4", "s3"))
        self.addCleanup(put_links_forward, -61)
        self.assertEqual([http("GET", url)[0] for url in (own, long, old)], [200, 200, 403])
        put_links_forward(50)
        self.assertEqual([http("GET", url)[0] for url in (own, long)], [200, 200])
        put_links_forward(11)
        self.assertEqual([http("GET", url)[0] for url in (own, long)], [403, 403])

    def test_what_ringfence_encrypts_itself_is_nowhere_in_the_clear_and_heard_all_the_same(self):
        self.change("recordings", {"access": "open", "encryption": "client"})
        time.sleep(4)
        bucket, s3 = self.deployment.physical["Bucket"], client("s3")
        account = self.account.removeprefix("/v1/accounts/")

        def stored():
            listed = s3.list_object_versions(Bucket=bucket)
            self.assertFalse(listed["IsTruncated"])
            return [one["Key"] for one in listed.get("Versions", []) + listed.get("DeleteMarkers", []) if account in one["Key"]]

        # Longer than a request or an answer of a function can be.
        audio = wav(300)
        recording = self.put(audio)
        wait_for("the recording", lambda: self.ask("GET", recording)["status"] == "available", seconds=40)
        # It was put beside the way; neither version nor marker of that is left.
        [key] = wait_for("one object", lambda: len(stored()) == 1 and stored())
        sealed = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        self.assertGreater(len(sealed), len(audio))
        self.assertNotIn(audio[44:1044], sealed)

        def hear(path, wanted):
            return self.deployment.request("GET", f"{path}/audio", headers={"range": wanted} if wanted else None)

        status, headers, heard = hear(recording, "bytes=70000-70099")
        self.assertEqual((status, headers["content-range"]), (206, f"bytes 70000-70099/{len(audio)}"), heard)
        self.assertEqual(heard, audio[70000:70100])
        # A player asks for the rest, and goes on where a part ends.
        whole = b""
        while len(whole) < len(audio):
            status, _, part = hear(recording, f"bytes={len(whole)}-")
            self.assertEqual((status, len(part) > 0), (206, True))
            whole += part
        self.assertEqual(whole, audio)
        status, headers, answer = hear(recording, None)
        self.assertEqual(headers["content-type"], "application/problem+json", answer)
        # What is short may come and go in one piece.
        audio = wav(20)
        registered = self.register(audio)
        short = f"{self.account}/recordings/{registered['id']}"
        kind = {"content-type": "audio/wav"}
        status, _, answer = self.deployment.request("PUT", f"{short}/audio", audio, kind)
        self.assertEqual((status, answer["status"]), (200, "available"), answer)
        self.assertEqual(hear(short, None)[2], audio)

    def test_what_is_redacted_is_heard_no_more_and_kept_only_where_it_was_to_be(self):
        bucket, s3 = self.deployment.physical["Bucket"], client("s3")
        account = self.account.removeprefix("/v1/accounts/")

        def stored():
            listed = s3.list_object_versions(Bucket=bucket)
            return [one["Key"] for one in listed.get("Versions", []) + listed.get("DeleteMarkers", []) if account in one["Key"]]

        def hear(path):
            status, headers, heard = self.deployment.request("GET", path, headers={"range": "bytes=0-"})
            if status == 302:
                status, _, heard = http("GET", headers["location"], headers={"range": "bytes=0-"})
            self.assertEqual(status, 206, heard)
            return heard

        audio = wav(3)
        second = (len(audio) - 44) // 3
        for count, encryption in enumerate(("provider", "client")):
            self.change("recordings", {"access": "open", "encryption": encryption})
            time.sleep(4)
            recording = self.put(audio)
            wait_for("the recording", lambda: self.ask("GET", recording)["status"] == "available", seconds=40)
            order = {"spans": [{"start_ms": 1000, "end_ms": 2000}], "keep_original": True}
            redaction = f"{recording}/redactions/" + self.ask("POST", f"{recording}/redactions", order, 202)["id"]
            done = wait_for(
                "the redaction", lambda: (found := self.ask("GET", redaction))["state"] != "running" and found, seconds=40
            )
            self.assertEqual((done["state"], done["silenced_ms"]), ("done", 1000), done)
            heard = hear(f"{recording}/audio")
            self.assertEqual(heard[: 44 + second] + heard[44 + 2 * second :], audio[: 44 + second] + audio[44 + 2 * second :])
            self.assertEqual(len(set(heard[44 + second : 44 + 2 * second])), 1)
            self.assertEqual(hear(f"{recording}/original"), audio)
            self.assertEqual(len(stored()), count + 2)
            self.ask("DELETE", f"{recording}/original", None, 204)
            self.assertEqual(len(stored()), count + 1)
            self.assertEqual(hear(f"{recording}/audio"), heard)

    def test_what_is_no_audio_is_refused_and_removed_and_without_the_permission_it_stays_undecided(self):
        again = self.without("RecordingsRole", "Hear")
        recording = self.put(b"<html>no audio, whatever it is called</html>")
        complete = f"{recording}/complete"
        status, headers, answer = self.deployment.request("POST", complete)
        self.assertEqual((status, headers["content-type"]), (503, "application/problem+json"), answer)
        self.assertEqual(self.ask("GET", recording)["status"], "pending")
        again()
        status, _, answer = self.deployment.request("POST", complete)
        self.assertEqual((status, answer["type"]), (422, "/problems/not-audio"), answer)
        self.assertEqual(self.ask("GET", recording)["status"], "refused")
        bucket, s3 = self.deployment.physical["Bucket"], client("s3")
        left = s3.list_objects_v2(Bucket=bucket, Prefix=recording.removeprefix("/v1/accounts/"))
        self.assertEqual(left["KeyCount"], 0)

    def log_in(self, users, what):
        """Invites somebody, who sets a password and logs in: the mail address, what reads, and what changes."""
        address, password = f"{uuid.uuid4().hex}@example.com", "a long line that nobody else thought of"
        invited = {"email": address, "name": "Ada Quist", **what}
        self.assertEqual(self.ask("POST", users, invited, 201)["status"], "invited")
        try:
            [mail] = wait_for("the mail", lambda: self.deployment.mails_to(address), seconds=30)
        except AssertionError as error:
            self.fail_with_logs(str(error))
        link = re.search(r"https?://[^/\s\"]+/invitation/([\w.~-]+)", mail)
        self.assertIn(urllib.parse.urlsplit(self.deployment.outputs["Url"]).netloc, link.group(0))
        accepted = {"token": link.group(1), "name": "Ada Quist", "password": password}
        self.assertEqual(self.without_key("POST", "/v1/invitations/accept", accepted)[0], 201)
        wrong = {"email": address, "password": password + "!"}
        self.assertEqual(self.without_key("POST", "/v1/session", wrong)[0], 401)
        status, headers, session = self.without_key("POST", "/v1/session", {"email": address, "password": password})
        self.assertEqual(status, 201, session)
        cookies = [one.split(";")[0] for one in headers.get_all("set-cookie")]
        reads = {"cookie": next(one for one in cookies if one.startswith("__Host-ringfence="))}
        return address, reads, reads | {"ringfence-csrf": session["csrf_token"], "origin": f"https://{self.deployment.host}"}

    def without_key(self, method, path, body=None, headers=None):
        return self.deployment.request(method, path, body, headers, key="")

    def test_who_is_invited_by_mail_logs_in_and_works_within_their_role(self):
        ask = self.without_key
        address, person, changing = self.log_in(f"{self.account}/users", {"role": "administrator"})
        # A person reads, and changes with the session's token and from our own pages.
        self.assertEqual(ask("GET", "/v1/me", headers=person)[2]["email"], address)
        self.assertEqual(ask("GET", f"{self.account}/deliveries", headers=person)[0], 200)
        self.assertEqual(ask("GET", f"/v1/agencies/{self.agency}", headers=person)[0], 404)
        team = {"name": "Sales"}
        self.assertEqual(ask("POST", f"{self.account}/teams", team, person)[0], 403)
        status, _, answer = ask("POST", f"{self.account}/teams", team, changing)
        self.assertEqual(status, 201, answer)
        status, _, answer = ask("DELETE", "/v1/session", None, changing)
        self.assertEqual(status, 204, answer)
        self.assertEqual(ask("GET", "/v1/me", headers=person)[0], 401)

    def test_zy_every_operation_may_do_what_it_does(self):
        """Each with its documented example: by the operator's key, by an administrator, by a report manager,
        who is looked up in groups. What a role lacks shows as 503."""
        self.agency = self.ask("POST", "/v1/agencies", {"name": "Walked"}, 201)["id"]
        agency = f"/v1/agencies/{self.agency}"
        self.account = "/v1/accounts/" + self.ask("POST", f"{agency}/accounts", {"name": "Walked"}, 201)["id"]
        self.change("callbacks", {"cdr": {"url": self.receiver.url}})
        self.change("recordings", {"access": "pin", "pin": "402817"})
        time.sleep(4)
        self.post_cdr()
        [delivery] = self.delivered("the delivery in the log")
        recording = self.put(wav(1))
        wait_for("the recording", lambda: self.ask("GET", recording)["status"] == "available", seconds=30)
        link = self.ask("POST", f"{recording}/links", {}, 201)
        batch = {"from_date": "2026-01-01", "to_date": "2026-03-01", "dry_run": True}
        dry = self.ask("POST", f"{self.account}/deletions", batch)
        replay = {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"}
        new_key = {"name": "A key", "scopes": ["events:write"]}
        known = {
            "account": self.account.rpartition("/")[2],
            "agency": self.agency,
            "call": self.ask("GET", recording)["call_id"],
            "callback": "cdr",
            "deletion": dry["id"],
            "export": self.ask("POST", f"{self.account}/exports", {"kind": "recordings"}, 202)["id"],
            "delivery": delivery["id"],
            "group": self.ask("POST", f"{agency}/access-groups", {"name": "Group"}, 201)["id"],
            "hold": self.ask("POST", f"{self.account}/holds", {"call_id": "another", "reason": "Case 7"}, 201)["id"],
            "job": self.ask("POST", f"{self.account}/callbacks/cdr/replay", replay, 202)["id"],
            "key": self.ask("POST", f"{self.account}/api-keys", new_key, 201)["id"],
            "link": link["id"],
            "redaction": self.ask("POST", f"{recording}/redactions", {"spans": [{"start_ms": 0, "end_ms": 9}], "keep_original": True}, 202)["id"],
            "recording": recording.rpartition("/")[2],
            "seq": "1",
            "team": self.ask("POST", f"{self.account}/teams", {"name": "Team"}, 201)["id"],
            "token": link["url"].rpartition("/")[2],
            "type": "cdr.created",
        }
        grants = {"grants": [{"on": self.agency, "role": "agency_administrator"}]}
        _, _, administrator = self.log_in(f"{agency}/users", grants)
        _, _, manager = self.log_in(f"{self.account}/users", {"role": "report_manager"})
        invited = {"email": f"{uuid.uuid4().hex}@example.com", "name": "Kim Roe", "role": "administrator"}
        spare = self.ask("POST", f"{self.account}/users", invited, 201)["id"]
        description = described()
        failed, answered = [], set()
        for who, headers in {"manager": manager, "administrator": administrator, "key": {}}.items():
            filtered = [("GET", self.account + one, None, None) for one in FILTERED]
            for method, path, body, kind in filtered + operations(description, known | {"user": spare}):
                # What it says of itself and of its callers is not what is walked here.
                if path.startswith("/v1/session") and method == "DELETE":
                    continue
                sent = headers | ({"content-type": kind} if kind else {})
                if method in ("PUT", "PATCH", "DELETE"):
                    seen = self.deployment.request("GET", path, None, headers, key=None if who == "key" else "")
                    sent |= {"if-match": seen[1]["etag"]} if seen[0] == 200 and seen[1]["etag"] else {}
                status, _, answer = self.deployment.request(method, path, body, sent, key=None if who == "key" else "")
                if status >= 500:
                    failed.append(f"{who}: {method} {path} answered {status} {answer}")
                answered.add((status // 100, method))
        self.assertLessEqual({(2, "GET"), (2, "POST"), (2, "PUT"), (2, "PATCH"), (2, "DELETE"), (4, "GET")}, answered)
        if failed:
            self.fail_with_logs("\n".join(failed))
        # Also what no answer depends on.
        denied = [line for line in self.deployment.complaints() if "AccessDenied" in line and known["account"] in line]
        self.assertEqual(denied, [])

    def test_recordings_are_exported_with_links_and_the_file_goes_with_every_version(self):
        bucket, s3 = self.deployment.physical["Bucket"], client("s3")
        account = self.account.removeprefix("/v1/accounts/")

        def stored():
            listed = s3.list_object_versions(Bucket=bucket, Prefix=f"exports/{account}/")
            return [one["Key"] for one in listed.get("Versions", []) + listed.get("DeleteMarkers", [])]

        recording = self.put(wav(2))
        wait_for("the recording", lambda: self.ask("GET", recording)["status"] == "available", seconds=30)
        order = {"kind": "recordings", "from_date": "2026-01-01", "to_date": "2026-03-01", "links": True}
        export = f"{self.account}/exports/" + self.ask("POST", f"{self.account}/exports", order, 202)["id"]
        done = wait_for("the export", lambda: (found := self.ask("GET", export))["state"] == "done" and found)
        status, headers, file = http("GET", done["download"])
        self.assertEqual((status, len(file)), (200, done["size"]))
        self.assertIn("attachment", headers["content-disposition"])
        [row] = csv.DictReader(io.StringIO(file.decode()))
        self.assertEqual(row["id"], recording.rpartition("/")[2])
        link = urllib.parse.urlsplit(row["link"])
        self.assertEqual(link.hostname, urllib.parse.urlsplit(self.deployment.outputs["Url"]).hostname)
        knock = {"accept": "application/json"}
        self.assertEqual(self.deployment.request("GET", link.path, None, knock, key="")[0], 200)
        self.ask("DELETE", export, None, 204)
        self.assertEqual(self.deployment.request("GET", link.path, None, knock, key="")[0], 410)
        wait_for("the file to go", lambda: not stored())
        self.ask("GET", export, None, 404)

    def test_recordings_are_deleted_with_every_version_and_a_receipt_but_not_under_a_hold(self):
        bucket, s3 = self.deployment.physical["Bucket"], client("s3")
        account = self.account.removeprefix("/v1/accounts/")

        def stored():
            listed = s3.list_object_versions(Bucket=bucket)
            return [one["Key"] for one in listed.get("Versions", []) + listed.get("DeleteMarkers", []) if account in one["Key"]]

        recordings = [self.put(wav(2)) for _ in range(3)]
        for recording in recordings:
            wait_for("the recording", lambda: self.ask("GET", recording)["status"] == "available", seconds=30)
        one, held, other = recordings
        hold = self.ask("POST", f"{self.account}/holds", {"recording_id": held.rpartition("/")[2], "reason": "Case 7"}, 201)
        self.ask("DELETE", held, None, 409)
        receipt = self.ask("DELETE", one)["receipt"]
        self.assertEqual((receipt["planned"], receipt["deleted"], receipt["signature_valid"]), (1, 1, True))
        self.assertEqual(len(stored()), 2)
        # By a job, of which the store is asked in the name of its own role.
        again = self.without("JobsRole", "Erase")
        batch = {"from_date": "2026-01-01", "to_date": "2026-03-01", "reason": "end of contract"}
        job = f"{self.account}/deletions/" + self.ask("POST", f"{self.account}/deletions", batch, 202)["id"]
        time.sleep(3)
        self.assertEqual(len(stored()), 2)
        again()
        put_queues_forward(5500)
        done = wait_for("the deletion", lambda: (found := self.ask("GET", job))["state"] == "done" and found, seconds=60)
        receipt = done["receipt"]
        if receipt["failed"]:
            self.ask("POST", f"{job}/resume", None, 202)
            done = wait_for(
                "the rest of it", lambda: not (found := self.ask("GET", job)).get("receipt", {"failed": 1})["failed"] and found
            )
            receipt = done["receipt"]
        counts = {name: receipt[name] for name in ("planned", "deleted", "already_absent", "held", "failed")}
        self.assertEqual(counts, {"planned": 2, "deleted": 1, "already_absent": 0, "held": 1, "failed": 0})
        self.assertEqual([key for key in stored() if held.rpartition("/")[2] not in key], [])
        self.assertEqual(self.ask("GET", other)["status"], "deleted")
        self.ask("DELETE", f"{self.account}/holds/{hold['id']}", None, 204)
        self.assertEqual(self.ask("DELETE", held)["receipt"]["deleted"], 1)
        self.assertEqual(stored(), [])

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
