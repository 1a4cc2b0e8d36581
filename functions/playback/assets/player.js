"use strict";
// What the audio comes from lives for a minute. A seek after that fails: then the page's own address
// is asked again, once, and playing goes on where it was to.
const audio = document.querySelector("audio");
const trouble = document.getElementById("trouble");
const source = audio.getAttribute("src");
let place = 0;
let wanted = false;
let asked = -Infinity;
let times = 0;

audio.addEventListener("play", () => { wanted = true; });
audio.addEventListener("pause", () => { if (!audio.error) wanted = false; });
audio.addEventListener("seeking", () => { place = audio.currentTime; });
audio.addEventListener("timeupdate", () => { if (!audio.seeking && !audio.error) place = audio.currentTime; });
audio.addEventListener("playing", () => { trouble.textContent = ""; });
audio.addEventListener("error", () => {
  if (performance.now() - asked < 5000) {
    trouble.textContent = "It cannot be played just now. Reload the page to try again.";
    return;
  }
  asked = performance.now();
  times += 1;
  const to = place;
  const goOn = wanted;
  audio.addEventListener("loadedmetadata", () => { audio.currentTime = to; }, { once: true });
  audio.preload = "metadata";
  audio.src = source + "?again=" + times;
  audio.load();
  if (goOn) audio.play().catch(() => {});
});
