// The server under test on a data folder of its own, and a client of its API.

import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import http from "node:http";
import https from "node:https";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const binary = process.env.RINGFENCE_BINARY ?? new URL("../../target/debug/ringfence", import.meta.url).pathname;

async function freePort() {
  const server = createServer();
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
}

/**
 * Hands requests on to the server. After `expire()` it refuses the URLs of audio that it has seen so far,
 * as the store does once their minute is over: a test need not wait for that. With `tls` it speaks HTTPS.
 */
async function between(port, tls) {
  let seen = new Set();
  const expired = new Set();
  const hand = (request, response) => {
    if (request.url.startsWith("/blobs/")) {
      if (expired.has(request.url)) return response.writeHead(403).end();
      seen.add(request.url);
    }
    const { method, url: path, headers } = request;
    const onward = http.request({ host: "127.0.0.1", port, method, path, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  };
  const proxy = tls ? https.createServer(tls, hand) : http.createServer(hand);
  // A busy machine may take longer between two requests than idle connections live by default.
  proxy.keepAliveTimeout = 0;
  await new Promise((listening) => proxy.listen(0, "127.0.0.1", listening));
  return {
    origin: `${tls ? "https" : "http"}://127.0.0.1:${proxy.address().port}`,
    expire() {
      for (const url of seen) expired.add(url);
      seen = new Set();
    },
    close: () => proxy.closeAllConnections() ?? proxy.close(),
  };
}

/** A key and a certificate that nobody vouches for. */
function certificate(folder) {
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  execFileSync("openssl", [
    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert,
  ], { stdio: "pipe" });
  return { key: readFileSync(key), cert: readFileSync(cert) };
}

/** Starts the server: the process, and what it printed until it ran. */
async function run(args) {
  const child = spawn(binary, args);
  let printed = "";
  await new Promise((running, failed) => {
    child.stdout.on("data", (text) => {
      printed += text;
      if (printed.includes("stops it")) running();
    });
    child.on("exit", () => failed(new Error(`the server did not start: ${printed}`)));
  });
  return { child, printed };
}

async function end(child) {
  child.removeAllListeners("exit");
  const gone = new Promise((exit) => child.on("exit", exit));
  child.kill("SIGINT");
  await gone;
}

/**
 * A running server: `origin`, `api(method, path, body)`, `recording()`, `upload()`, `link()`, `settings()`, `expireAudio()`, `stop()`.
 * With `https` it is reached over that; with `invite`, a mail address, `invitation` is the link for an administrator.
 */
export async function start({ https: secure = false, invite } = {}) {
  const folder = await mkdtemp(join(tmpdir(), "ringfence-browser-"));
  const data = join(folder, "data");
  const port = await freePort();
  const proxy = await between(port, secure ? certificate(folder) : undefined);
  const { origin } = proxy;
  const args = ["--data", data, "--listen", `127.0.0.1:${port}`, ...(secure ? ["--public-url", origin] : [])];
  let { child, printed } = await run(args);
  let invitation;
  if (invite) {
    const owner = /acc_[0-9a-f]{32}/.exec(printed)[0];
    await end(child);
    const link = execFileSync(binary, ["invite", invite, "--data", data, "--owner", owner, "--public-url", origin]);
    invitation = link.toString().split("\n")[0];
    ({ child } = await run(args));
  }
  const account = /acc_[0-9a-f]{32}/.exec(printed)[0];
  const key = /rfk_[\w-]{43}/.exec(printed)[0];

  async function api(method, path, body, headers = {}) {
    const raw = body instanceof Uint8Array;
    const answer = await fetch(`${origin}/v1/accounts/${account}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { "content-type": raw ? "application/octet-stream" : "application/json" }),
        ...headers,
      },
      body: body === undefined || raw ? body : JSON.stringify(body),
      redirect: "manual",
    });
    const text = await answer.text();
    if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return { headers: answer.headers, json: text ? JSON.parse(text) : null };
  }

  return {
    origin,
    invitation,
    api,
    expireAudio: proxy.expire,
    async settings(document) {
      const path = "/settings/recordings";
      const present = await api("GET", path);
      await api("PUT", path, document, { "if-match": present.headers.get("etag") });
    },
    recording(seconds = 90) {
      return this.upload(wav(seconds), "audio/wav", seconds);
    },
    async upload(audio, type, seconds = 3) {
      const made = await api("POST", "/recordings", {
        call_id: "call-1042", started_at: "2026-01-31T08:15:09Z", duration: seconds, content_type: type,
        size: audio.length, sha256: createHash("sha256").update(audio).digest("hex"), from: "+14155550123",
      });
      const { url, headers } = made.json.upload;
      if (url.startsWith("/v1/")) {
        await api("PUT", `/recordings/${made.json.id}/audio`, audio);
      } else {
        const put = await fetch(new URL(url, origin), { method: "PUT", headers, body: audio });
        if (!put.ok) throw new Error(`the upload: ${put.status} ${await put.text()}`);
        await api("POST", `/recordings/${made.json.id}/complete`);
      }
      return made.json.id;
    },
    async link(recording, body = {}) {
      const made = await api("POST", `/recordings/${recording}/links`, body);
      // It begins with the server's own address; people here come by way of the proxy.
      return new URL(new URL(made.json.url, origin).pathname, origin).href;
    },
    async stop() {
      proxy.close();
      await end(child);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A WAV file of 16-bit PCM, 8,000 samples a second: a quiet tone. */
function wav(seconds) {
  const samples = seconds * 8000;
  const file = Buffer.alloc(44 + samples * 2);
  file.write("RIFF", 0);
  file.writeUInt32LE(36 + samples * 2, 4);
  file.write("WAVEfmt ", 8);
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(8000, 24);
  file.writeUInt32LE(16000, 28);
  file.writeUInt16LE(2, 32);
  file.writeUInt16LE(16, 34);
  file.write("data", 36);
  file.writeUInt32LE(samples * 2, 40);
  for (let at = 0; at < samples; at++) file.writeInt16LE(Math.round(2000 * Math.sin(at / 5)), 44 + at * 2);
  return file;
}
