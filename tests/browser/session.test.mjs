// Logging in, in Chromium, over HTTPS: what people see, which cookies they get, and what warns them before they
// are logged out. RINGFENCE_SCREENSHOTS=<folder> keeps a picture of each page, phone and desktop, light and dark.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";

import { chromium } from "playwright-core";

import { start } from "./server.mjs";

const EMAIL = "ada@example.com";
const PASSWORD = "correct horse battery staple";
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
let server, browser, invitation;

before(async () => {
  server = await start({ https: true, invite: EMAIL });
  invitation = server.invitation;
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync",
    ],
  });
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A page in a fresh profile that fails the test on any request elsewhere and any error in the console. */
async function visit(options = {}) {
  const context = await browser.newContext({
    viewport: { width: 390, height: 780 }, ignoreHTTPSErrors: true, ...options,
  });
  const page = await context.newPage();
  const faults = [];
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== server.origin) faults.push(`a request to ${request.url()}`);
  });
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) faults.push(message.text());
  });
  page.on("pageerror", (error) => faults.push(String(error)));
  return { page, context, faults };
}

async function accessible(page) {
  await page.evaluate(await readFile(axe, "utf8"));
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  assert.deepEqual(violations.map((violation) => `${violation.id}: ${violation.nodes[0].html}`), []);
}

async function picture(page, name) {
  const folder = process.env.RINGFENCE_SCREENSHOTS;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  for (const [device, width, height] of [["phone", 390, 780], ["desktop", 1280, 800]]) {
    for (const colorScheme of ["light", "dark"]) {
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: `${folder}/${name}-${device}-${colorScheme}.png`, fullPage: true });
    }
  }
  await page.setViewportSize({ width: 390, height: 780 });
}

/** RFC 6238, by the text that people type into an app. */
function code(text, at = Date.now()) {
  const bits = [...text.replaceAll(" ", "")]
    .map((digit) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(digit).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)));
  const mac = createHmac("sha1", key).update(step).digest();
  const number = mac.readUInt32BE(mac[19] & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

const press = (page, name) => Promise.all([
  page.waitForEvent("load"), page.getByRole("button", { name, exact: true }).click(),
]);

async function logIn(page) {
  await page.goto(`${server.origin}/login`);
  await page.getByLabel("Mail address").fill(EMAIL);
  await page.getByLabel("Password").fill(PASSWORD);
  await press(page, "Log in");
}

let secret, recovery;

test("an invitation is accepted, and an app is set up by what the page shows", async () => {
  const { page, context, faults } = await visit();
  const answer = await page.goto(invitation);
  assert.equal(answer.status(), 200);
  assert.equal(answer.headers()["referrer-policy"], "strict-origin");
  assert.equal(answer.headers()["cache-control"], "no-store");
  assert.deepEqual(await context.cookies(), [], "looking at a link sets nothing");
  await accessible(page);
  await picture(page, "invitation");
  await page.getByLabel("Your name").fill("Ada Lovelace");
  await page.getByLabel("Password").fill("password123456789");
  await press(page, "Set password");
  assert.match(await page.innerText("[role=alert]"), /most common/);
  assert.equal(await page.inputValue("#name"), "Ada Lovelace", "what was right stays");
  await page.getByLabel("Password").fill(PASSWORD);
  await press(page, "Set password");
  assert.equal(new URL(page.url()).pathname, "/account");
  await accessible(page);

  await press(page, "Set up an authenticator app");
  secret = await page.innerText(".secret");
  assert.equal(await page.locator(".qr svg[role=img]").count(), 1);
  await accessible(page);
  await picture(page, "authenticator-app");
  await page.getByLabel("Code of the app").fill("000000");
  await press(page, "Complete");
  assert.match(await page.innerText("[role=alert]"), /not the code/);
  await page.getByLabel("Code of the app").fill(code(secret));
  await press(page, "Complete");
  recovery = (await page.innerText(".codes")).split(/\s+/).filter(Boolean);
  assert.equal(recovery.length, 10);
  await accessible(page);
  await picture(page, "recovery-codes");
  await page.goto(invitation);
  assert.match(await page.innerText("main"), /does not work any more/);
  assert.deepEqual(faults, []);
});

test("the cookies are out of reach: of scripts, of other sites, and of plain HTTP", async () => {
  const { page, context, faults } = await visit();
  await logIn(page);
  assert.equal(new URL(page.url()).pathname, "/login/second-factor");
  await accessible(page);
  await picture(page, "second-factor");
  await page.getByLabel("Recovery codes").check();
  await page.getByLabel("Code", { exact: true }).fill(recovery[0].toLowerCase());
  await press(page, "Continue");
  assert.equal(new URL(page.url()).pathname, "/account");
  const cookies = await context.cookies();
  const session = cookies.find((cookie) => cookie.name === "__Host-ringfence");
  const device = cookies.find((cookie) => cookie.name.startsWith("__Host-ringfence-device-"));
  assert.deepEqual(cookies.length, 2, cookies.map((cookie) => cookie.name).join());
  for (const cookie of [session, device]) {
    const { httpOnly, secure, sameSite, path, domain } = cookie;
    assert.deepEqual(
      { httpOnly, secure, sameSite, path, domain },
      { httpOnly: true, secure: true, sameSite: "Lax", path: "/", domain: new URL(server.origin).hostname },
    );
  }
  assert.equal(session.expires, -1, "it goes with the browser's window");
  assert.ok(device.expires > Date.now() / 1000 + 300 * 86_400);
  assert.equal(await page.evaluate(() => document.cookie), "");
  assert.match(await page.innerText("main"), /Recovery codes left: 9/);

  // Another site's form, with everything that a browser adds by itself, changes nothing.
  const token = await page.locator("input[name=csrf]").first().inputValue();
  for (const headers of [{ origin: "https://evil.example" }, { origin: "null" }, {}]) {
    const answer = await context.request.post(`${server.origin}/account/logout`, { headers, form: { csrf: token } });
    assert.equal(answer.status(), 403, JSON.stringify(headers));
  }
  const forged = await context.request.post(`${server.origin}/account/logout`, {
    headers: { origin: server.origin }, form: { csrf: "0".repeat(64) },
  });
  assert.equal(forged.status(), 403);
  await page.reload();
  assert.equal(new URL(page.url()).pathname, "/account", "still logged in");
  assert.deepEqual(faults, []);
});

test("a wrong password, a wrong code, the right ones, and out again, with the keyboard and without scripts", async () => {
  const { page, context, faults } = await visit({ javaScriptEnabled: false });
  await page.goto(`${server.origin}/account`);
  assert.equal(new URL(page.url()).pathname, "/login", "first the login");
  assert.equal(await page.locator("#email:focus").count(), 1);
  await page.keyboard.type(EMAIL);
  await page.keyboard.press("Tab");
  await page.keyboard.type("not the password");
  await Promise.all([page.waitForEvent("load"), page.keyboard.press("Enter")]);
  assert.match(await page.innerText("[role=alert]"), /is wrong/);
  assert.equal(await page.inputValue("#email"), EMAIL);
  assert.equal(await page.inputValue("#password"), "");
  await picture(page, "login");
  assert.equal(await page.locator("#password:focus").count(), 1);
  await page.keyboard.type(PASSWORD);
  await Promise.all([page.waitForEvent("load"), page.keyboard.press("Enter")]);
  await page.getByLabel("Code", { exact: true }).fill("000000");
  await press(page, "Continue");
  assert.match(await page.innerText("[role=alert]"), /not the code/);
  // A code is good once, and the one of now may have been used above: the one of the next step comes.
  for (let tries = 0; new URL(page.url()).pathname !== "/account"; tries++) {
    assert.ok(tries < 4, "no code was taken");
    if (tries > 0) await page.waitForTimeout(30_000 - (Date.now() % 30_000));
    await page.getByLabel("Code", { exact: true }).fill(code(secret));
    await press(page, "Continue");
  }
  await picture(page, "account");
  await press(page, "Log out");
  assert.match(await page.innerText("[role=status]"), /logged out/);
  const names = (await context.cookies()).map((cookie) => cookie.name);
  assert.ok(!names.includes("__Host-ringfence"), names.join());
  await page.goto(`${server.origin}/account`);
  assert.equal(new URL(page.url()).pathname, "/login");
  assert.deepEqual(faults, []);
});

test("a minute before the logout a warning comes, which counts as nobody; a press of its button goes on", async () => {
  const { page, context, faults } = await visit();
  await logIn(page);
  await page.getByLabel("Recovery codes").check();
  await page.getByLabel("Code", { exact: true }).fill(recovery[1]);
  await press(page, "Continue");

  // The server's clock is not ours to move: what it answers is. `ends` is by the page's clock.
  const now = () => page.evaluate(() => Date.now());
  const asked = [];
  let ends;
  await page.route("**/v1/session", async (route) => {
    const timer = route.request().headers()["ringfence-timer"];
    asked.push(timer ?? "person");
    const at = await now().catch(() => null);
    // The page has just gone where it is sent.
    if (at === null) return route.abort();
    if (timer === undefined) ends = at + 1_800_000;
    const left = Math.ceil((ends - at) / 1000);
    if (left <= 0) {
      await context.clearCookies({ name: "__Host-ringfence" });
      return route.fulfill({ status: 401, contentType: "application/problem+json", body: "{}" });
    }
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), seconds_left: left } });
  });
  await page.clock.install();
  await page.reload();
  const dialog = page.getByRole("dialog", { name: "Are you still there?" });
  await page.clock.runFor(1_730_000);
  assert.equal(await dialog.count(), 0, "not yet");
  assert.deepEqual(asked, [], "nor is anything asked");

  ends = (await now()) + 70_000;
  await page.clock.runFor(15_000);
  await dialog.waitFor();
  assert.ok(asked.length > 0 && asked.every((who) => who === "1"), asked.join());
  await accessible(page);
  await picture(page, "idle");
  await dialog.getByRole("button", { name: "Stay logged in" }).click();
  await dialog.waitFor({ state: "hidden" });
  assert.equal(asked.at(-1), "person");

  await page.clock.runFor(1_745_000);
  await dialog.waitFor();
  const seconds = async () => Number(await page.innerText("#idle-left"));
  const before = await seconds();
  await page.clock.runFor(5_000);
  assert.ok(await seconds() < before, "it counts down");
  await page.clock.runFor(60_000);
  await page.waitForURL("**/login?ended");
  assert.equal(asked.filter((who) => who === "person").length, 1);
  assert.deepEqual(faults, []);
  await context.close();
});

test("a new password is asked for without telling who is here", async () => {
  const { page, faults } = await visit();
  await page.goto(`${server.origin}/login`);
  await page.getByRole("link", { name: "Forgot your password?" }).click();
  await page.getByLabel("Mail address").fill("nobody@example.com");
  await accessible(page);
  await press(page, "Send the link");
  const nobody = await page.innerText("main");
  await page.goto(`${server.origin}/reset`);
  await page.getByLabel("Mail address").fill(EMAIL);
  await press(page, "Send the link");
  assert.equal(await page.innerText("main"), nobody);
  await page.goto(`${server.origin}/reset/usr_${"0".repeat(32)}.${"A".repeat(43)}`);
  assert.match(await page.innerText("main"), /does not work any more/);
  await accessible(page);
  assert.deepEqual(faults, []);
});
