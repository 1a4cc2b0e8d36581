// Warns a minute before the automatic logout. What it asks by itself carries Ringfence-Timer, so that it does
// not keep the session going; only the button does.
"use strict";

const WARN = 60;
const dialog = document.getElementById("idle");
const shown = document.getElementById("idle-left");
let endsAt = Date.now() + Number(dialog.dataset.left) * 1000;
let timer;

const left = () => Math.ceil((endsAt - Date.now()) / 1000);

async function ask(headers) {
  const answer = await fetch("/v1/session", { headers, cache: "no-store" });
  if (answer.status === 401) {
    location.replace("/login?ended");
    return;
  }
  if (answer.ok) endsAt = Date.now() + (await answer.json()).seconds_left * 1000;
}

// Another tab may have kept it going: the server knows.
async function look() {
  try {
    if (left() <= WARN) await ask({ "Ringfence-Timer": "1" });
  } catch {
    // Without a network there is nothing to tell; it is asked again.
  }
  show();
}

function show() {
  clearTimeout(timer);
  const seconds = left();
  shown.textContent = String(Math.max(seconds, 0));
  if (seconds > WARN) {
    if (dialog.open) dialog.close();
    timer = setTimeout(look, Math.min(seconds - WARN, 3600) * 1000);
  } else {
    if (!dialog.open) dialog.showModal();
    // Each second it counts; now and then, and at the end, it asks.
    timer = setTimeout(seconds <= 0 || seconds % 10 === 0 ? look : show, 1000);
  }
}

document.getElementById("stay").addEventListener("click", async () => {
  try {
    await ask({});
  } finally {
    show();
  }
});
// Escape closes a dialog; whoever presses it is there.
dialog.addEventListener("cancel", () => document.getElementById("stay").click());
document.addEventListener("visibilitychange", look);
look();
