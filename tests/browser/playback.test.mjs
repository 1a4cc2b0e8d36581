// The listener's pages in Chromium: what people see, hear and do. RINGFENCE_SCREENSHOTS=<folder> keeps
// a picture of each page, phone and desktop, light and dark.

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";

import { chromium } from "playwright-core";

import { start } from "./server.mjs";

const PIN = "402817";
const customerKey = () => readFile(new URL("../../shared/sealing/tests/customer.public.pem", import.meta.url), "utf8");
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
let server, browser;

before(async () => {
  server = await start();
  await server.settings({ access: "pin", pin: PIN });
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
    ],
  });
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A page in a fresh profile that fails the test on any request elsewhere and any error in the console. */
async function visit(options = {}) {
  const context = await browser.newContext({ viewport: { width: 390, height: 780 }, ...options });
  const page = await context.newPage();
  const faults = [];
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== server.origin) faults.push(`a request to ${request.url()}`);
  });
  page.on("console", (message) => {
    // The browser's own note of an answer that is an error says nothing new.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) faults.push(message.text());
  });
  page.on("pageerror", (error) => faults.push(String(error)));
  return { page, context, faults };
}

async function accessible(page) {
  // By the debugger, as our own policy lets in no script but the page's.
  const source = await readFile(axe, "utf8");
  await page.evaluate(source);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  assert.deepEqual(violations.map((violation) => `${violation.id}: ${violation.nodes[0].html}`), []);
}

async function give(page, pin) {
  await page.getByLabel("PIN", { exact: true }).fill(pin);
  await Promise.all([page.waitForEvent("load"), page.keyboard.press("Enter")]);
}

const state = (page) => page.evaluate(() => {
  const audio = document.querySelector("audio");
  return { at: audio.currentTime, paused: audio.paused, error: audio.error?.code ?? 0, length: audio.duration };
});

async function until(page, holds, what) {
  for (let tries = 0; tries < 100; tries++) {
    const now = await state(page);
    if (holds(now)) return now;
    await page.waitForTimeout(100);
  }
  assert.fail(`${what}: ${JSON.stringify(await state(page))}`);
}

test("a wrong PIN, the right one, and it plays and seeks, with the keyboard alone", async () => {
  const { page, faults } = await visit();
  const recording = await server.recording();
  const answer = await page.goto(await server.link(recording));
  assert.equal(answer.status(), 200);
  assert.equal(answer.headers()["referrer-policy"], "no-referrer");
  assert.equal(answer.headers()["cache-control"], "no-store");
  assert.match(await page.innerText("main"), /31 January 2026, 08:15 UTC/);
  assert.match(await page.innerText("main"), /1 minute 30 seconds/);
  assert.doesNotMatch(await page.content(), /4155550123/);
  assert.equal(await page.evaluate(() => document.activeElement.id), "pin", "the field has the focus");
  await accessible(page);

  await page.keyboard.type("0000");
  await page.keyboard.press("Enter");
  await page.waitForSelector("[role=alert]");
  assert.match(await page.innerText("[role=alert]"), /not the PIN/);
  assert.equal(await page.inputValue("#pin"), "", "what was given is not shown again");
  await accessible(page);

  await page.keyboard.type(PIN);
  await page.keyboard.press("Enter");
  await page.waitForSelector("audio");
  assert.doesNotMatch(page.url(), new RegExp(PIN));
  await accessible(page);
  assert.equal((await server.api("GET", `/recordings/${recording}/listens`)).json.items.length, 0, "not heard yet");

  await page.evaluate(() => document.querySelector("audio").play());
  await until(page, (now) => now.at > 0.2 && !now.paused, "it plays");
  await page.evaluate(() => { document.querySelector("audio").currentTime = 60; });
  const now = await until(page, (now) => now.at > 60.2, "it seeks");
  assert.ok(Math.abs(now.length - 90) < 0.1, `${now.length} s`);
  assert.ok((await server.api("GET", `/recordings/${recording}/listens`)).json.items.length >= 1);
  assert.deepEqual(faults, []);
});

test("a seek after the audio's URL has expired asks for another and goes on", async () => {
  const { page, faults } = await visit();
  const recording = await server.recording(3600);
  let asked = 0;
  page.on("request", (request) => { asked += /^\/r\/[^/]+\/audio$/.test(new URL(request.url()).pathname); });
  await page.goto(await server.link(recording));
  await give(page, PIN);
  await page.evaluate(() => document.querySelector("audio").play());
  await until(page, (now) => now.at > 0.2, "it plays");
  server.expireAudio();
  await page.evaluate(() => { document.querySelector("audio").currentTime = 3000; });
  const now = await until(page, (now) => now.at > 3000.2 && !now.paused, "it plays on where it was sought to");
  assert.equal(now.error, 0);
  assert.equal(await page.innerText("#trouble"), "");
  assert.ok(asked >= 2, "for another URL");
  const { items } = (await server.api("GET", `/recordings/${recording}/listens`)).json;
  assert.ok(items.some((one) => one.to_second > 3000), JSON.stringify(items));
  assert.deepEqual(faults, []);
});

test("when the PIN is over it says so, and goes on from there once that is given again", async () => {
  const { page, context, faults } = await visit();
  const recording = await server.recording(1800);
  await page.goto(await server.link(recording));
  await give(page, PIN);
  await page.evaluate(() => document.querySelector("audio").play());
  await until(page, (now) => now.at > 0.2, "it plays");
  await context.clearCookies();
  server.expireAudio();
  await page.evaluate(() => { document.querySelector("audio").currentTime = 1500; });
  const again = page.getByRole("link", { name: "Load the page again" });
  await again.waitFor();
  await accessible(page);
  await again.focus();
  await Promise.all([page.waitForEvent("load"), page.keyboard.press("Enter")]);
  await give(page, PIN);
  await page.evaluate(() => document.querySelector("audio").play());
  await until(page, (now) => now.at > 1500.2, "it goes on where it was");
  assert.deepEqual(faults, []);
});

test("what only the customer can open is there to be downloaded, with its key", async () => {
  await server.settings({ access: "pin", pin: PIN, encryption: "customer", public_key: await customerKey() });
  const recording = await server.recording(5);
  await server.settings({ access: "pin", pin: PIN });
  const { page, faults } = await visit();
  await page.goto(await server.link(recording));
  await give(page, PIN);
  assert.equal(await page.locator("audio").count(), 0, "no player");
  await accessible(page);
  const files = {};
  for (const name of ["Download the recording, encrypted", "Download its key, encrypted"]) {
    await page.getByRole("link", { name }).focus();
    const [download] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("Enter")]);
    files[download.suggestedFilename().replace(recording, "")] = await readFile(await download.path());
  }
  assert.equal(JSON.parse(files[".key.json"]).format, "ringfence/sealing/1");
  assert.equal(files[".sealed"].toString("latin1", 0, 6), "RFSEAL");
  assert.deepEqual(faults, []);
});

test("audio that Ringfence decrypts itself plays and seeks as well", async () => {
  await server.settings({ access: "pin", pin: PIN, encryption: "client" });
  const { page, faults } = await visit();
  await page.goto(await server.link(await server.recording(600)));
  await server.settings({ access: "pin", pin: PIN });
  await give(page, PIN);
  await page.evaluate(() => document.querySelector("audio").play());
  await until(page, (now) => now.at > 0.2, "it plays");
  await page.evaluate(() => { document.querySelector("audio").currentTime = 500; });
  await until(page, (now) => now.at > 500.2, "it seeks");
  assert.deepEqual(faults, []);
});

test("after five wrong PINs it says when to come back", async () => {
  const { page, faults } = await visit();
  await page.goto(await server.link(await server.recording()));
  for (let tries = 0; tries < 5; tries++) await give(page, "0000");
  await give(page, PIN);
  assert.match(await page.innerText("h1"), /Locked for a while/);
  assert.match(await page.innerText("main"), /Come back after \d+ \w+ \d{4}, \d\d:\d\d UTC/);
  await accessible(page);
  assert.deepEqual(faults, []);
});

test("without JavaScript the PIN and the player work all the same", async () => {
  const { page } = await visit({ javaScriptEnabled: false });
  await page.goto(await server.link(await server.recording()));
  await page.fill("#pin", PIN);
  await page.click("button");
  await page.waitForSelector("audio[controls]");
});

test("an expired, a revoked and an unknown link each say what they are", async () => {
  const { page, faults } = await visit();
  const recording = await server.recording();
  const soon = new Date(Date.now() + 1500).toISOString();
  const expiring = await server.link(recording, { expires_at: soon });
  assert.equal((await page.goto(expiring)).status(), 200);
  await page.waitForTimeout(1600);
  assert.equal((await page.goto(expiring)).status(), 410);
  assert.match(await page.innerText("h1"), /expired/);
  await accessible(page);
  const revoked = await server.link(recording);
  await server.api("DELETE", `/recordings/${recording}/links`);
  assert.equal((await page.goto(revoked)).status(), 410);
  assert.match(await page.innerText("h1"), /withdrawn/);
  assert.equal((await page.goto(`${server.origin}/r/v1.1.x.y`)).status(), 404);
  assert.match(await page.innerText("h1"), /No such link/);
  await accessible(page);
  assert.deepEqual(faults, []);
});

test("no page is wider than the screen, in either scheme", async () => {
  const folder = process.env.RINGFENCE_SCREENSHOTS;
  if (folder) await mkdir(folder, { recursive: true });
  const [first, second, third] = [await server.recording(), await server.recording(), await server.recording()];
  await server.settings({ access: "pin", pin: PIN, encryption: "customer", public_key: await customerKey() });
  const sealed = await server.link(await server.recording(5));
  await server.settings({ access: "pin", pin: PIN });
  const gone = await server.link(third);
  await server.api("DELETE", `/recordings/${third}/links`);
  const locked = await server.link(second);
  for (let tries = 0; tries < 5; tries++) {
    await fetch(locked, { method: "POST", headers: { accept: "application/json", "content-type": "application/json" }, body: '{"pin":"0000"}' });
  }
  for (const [size, viewport] of [["phone", { width: 360, height: 740 }], ["desktop", { width: 1280, height: 800 }]]) {
    for (const colorScheme of ["light", "dark"]) {
      const { page, faults } = await visit({ viewport, colorScheme, deviceScaleFactor: 1 });
      const shoot = async (name) => {
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${name} is ${wide} pixels wider than a ${size}`);
        await accessible(page);
        if (folder) await page.screenshot({ path: `${folder}/${name}-${size}-${colorScheme}.png` });
      };
      const link = await server.link(first);
      await page.goto(link);
      await shoot("pin");
      if (size === "desktop") {
        await give(page, "0000");
        await shoot("wrong");
      }
      await give(page, PIN);
      await shoot("player");
      await page.goto(sealed);
      await give(page, PIN);
      await shoot("download");
      await page.goto(gone);
      await shoot("gone");
      await page.goto(locked);
      await give(page, PIN);
      await shoot("locked");
      await page.goto(`${server.origin}/r/nothing`);
      await shoot("unknown");
      assert.deepEqual(faults, []);
    }
  }
});
