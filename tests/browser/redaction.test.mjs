// Redacted recordings as Chromium hears them: every format that is taken, before and after.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";

import { chromium } from "playwright-core";

import { start } from "./server.mjs";

const SPAN = { start_ms: 700, end_ms: 1200 };
// How much more than the span may be silent on either side, s: whole frames of compressed audio go.
const FILES = [
  { name: "shared/audio/tests/samples/mono-8.mp3", type: "audio/mpeg", margin: 0.4 },
  { name: "shared/audio/tests/samples/stereo-44.mp3", type: "audio/mpeg", margin: 0.2 },
  { name: "shared/audio/tests/samples/speech_fec.opus", type: "audio/ogg", margin: 0.3 },
  { name: "shared/audio/tests/samples/stereo.opus", type: "audio/ogg", margin: 0.3 },
  { name: "shared/audio/tests/samples/mono-8.flac", type: "audio/flac", margin: 0.52 },
  { name: "shared/audio/tests/samples/mono.m4a", type: "audio/mp4", margin: 0.6 },
  { name: "shared/audio/tests/samples/stereo.m4a", type: "audio/mp4", margin: 0.3 },
  { name: "events/recordings/call.wav", type: "audio/wav", margin: 0.01 },
];

let server, browser;

before(async () => {
  server = await start();
  await server.settings({ access: "open", encryption: "client" });
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

/**
 * What Chromium hears of a recording before and after, channel by channel: whether it lasts as long, how loud the span
 * was and is at most, and how far apart the two are at most before the span and after it.
 */
function compared(page, before, after, span, margin) {
  return page.evaluate(async ([before, after, span, margin]) => {
    const [was, is] = await Promise.all([before, after].map((base64) => {
      const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
      return new OfflineAudioContext(1, 1, 48000).decodeAudioData(bytes.buffer);
    }));
    const [from, to] = [span.start_ms / 1000, span.end_ms / 1000];
    return Array.from({ length: was.numberOfChannels }, (_, number) => {
      const [old, now] = [was.getChannelData(number), is.getChannelData(number)];
      const most = (from, to, of) => {
        let found = 0;
        for (let at = Math.round(from * 48000); at < Math.round(to * 48000); at++) found = Math.max(found, Math.abs(of(at)));
        return found;
      };
      return {
        lengths: [old.length, now.length],
        was: most(from, to, (at) => old[at]),
        // What a resampler rings is no sound of the span.
        is: most(from + 0.002, to - 0.002, (at) => now[at]),
        before: most(0, from - margin, (at) => old[at] - now[at]),
        after: most(to + margin, was.duration, (at) => old[at] - now[at]),
      };
    });
  }, [before.toString("base64"), after.toString("base64"), span, margin]);
}

for (const { name, type, margin } of FILES) {
  test(`of ${name.split("/").at(-1)} the span is silent, and the rest as it was`, async () => {
    const original = await readFile(new URL(`../../${name}`, import.meta.url));
    const recording = await server.upload(original, type);
    const link = await server.link(recording);
    const ordered = await server.api("POST", `/recordings/${recording}/redactions`, { spans: [SPAN] });
    let redaction;
    for (let tries = 0; tries < 200 && redaction?.state !== "done"; tries++) {
      redaction = (await server.api("GET", `/recordings/${recording}/redactions/${ordered.json.id}`)).json;
      assert.notEqual(redaction.state, "failed", redaction.failure);
      await new Promise((again) => setTimeout(again, 50));
    }
    const copy = Buffer.from(await (await fetch(`${link}/audio`)).arrayBuffer());
    const page = await browser.newPage();
    for (const channel of await compared(page, original, copy, SPAN, margin)) {
      const told = JSON.stringify(channel);
      assert.equal(channel.lengths[0], channel.lengths[1], told);
      assert.ok(channel.was > 0.01, `something was said there: ${told}`);
      assert.ok(channel.is < 0.001, `it is silent: ${told}`);
      assert.ok(channel.before < 0.001 && channel.after < 0.001, `the rest is as it was: ${told}`);
    }
    // And the player of the page that the link opens.
    await page.goto(link);
    assert.match(await page.innerText("main"), /Parts of this recording were made inaudible on purpose/);
    if (process.env.RINGFENCE_SCREENSHOTS && type === "audio/wav") {
      for (const [colorScheme, width] of [["light", 390], ["dark", 1280]]) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 600 });
        await page.screenshot({ path: `${process.env.RINGFENCE_SCREENSHOTS}/redacted-${colorScheme}-${width}.png` });
      }
    }
    await page.evaluate(() => document.querySelector("audio").play());
    const end = await page.waitForFunction(() => {
      const audio = document.querySelector("audio");
      return audio.error ? `error ${audio.error.code}` : audio.currentTime > 1.4 && "played";
    });
    assert.equal(await end.jsonValue(), "played");
    await page.close();
  });
}
