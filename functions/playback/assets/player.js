"use strict";
// What the audio comes from lives for a minute. A seek after that fails: then the page's own address
// is asked again, once, and playing goes on where it was to. When that fails as well, the PIN may be
// over: the place is kept for this tab, until the page has been loaded again.
const audio = document.querySelector("audio");
const trouble = document.getElementById("trouble");
const source = audio.getAttribute("src");
const kept = "place " + location.pathname;
let place = 0;
let moving = false;
let wanted = false;
let asked = -Infinity;
let times = 0;

// A browser may refuse to store anything: then it starts from the beginning.
function remembered() {
  try {
    const found = Number(sessionStorage.getItem(kept));
    sessionStorage.removeItem(kept);
    return Number.isFinite(found) ? found : 0;
  } catch {
    return 0;
  }
}

function remember() {
  try {
    sessionStorage.setItem(kept, String(place));
  } catch {}
}

function goTo(to) {
  // Until it is there, where it stands says nothing.
  moving = true;
  audio.addEventListener("loadedmetadata", () => { audio.currentTime = to; moving = false; }, { once: true });
}

function giveUp() {
  remember();
  const again = document.createElement("a");
  again.href = location.pathname;
  again.textContent = "Load the page again";
  trouble.replaceChildren("It cannot be played just now. ", again, " to go on from here.");
}

audio.addEventListener("play", () => { wanted = true; });
audio.addEventListener("pause", () => { if (!audio.error) wanted = false; });
audio.addEventListener("seeking", () => { if (!moving) place = audio.currentTime; });
audio.addEventListener("timeupdate", () => { if (!moving && !audio.seeking && !audio.error) place = audio.currentTime; });
audio.addEventListener("playing", () => { trouble.textContent = ""; });
audio.addEventListener("error", () => {
  if (performance.now() - asked < 5000) {
    giveUp();
    return;
  }
  asked = performance.now();
  times += 1;
  const goOn = wanted;
  goTo(place);
  audio.preload = "metadata";
  audio.src = source + "?again=" + times;
  audio.load();
  if (goOn) audio.play().catch(() => {});
});

place = remembered();
if (place > 0) goTo(place);
