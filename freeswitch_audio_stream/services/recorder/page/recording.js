"use strict";
// One recording: waveform, player, downloads, deletion. It may still be growing: what plays is a part with a fixed end,
// and is followed by what has come since.
const STEP_SECONDS = 5, LEAST_SECONDS = 0.05;
const player = at("player"), wave = at("wave"), canvas = wave.querySelector("canvas");
let now = null;  // {id, seconds, rate, channels, live}
let view = [0, 0], follows = true, peaks = null, loaded = 0, drawing = 0;

const chosen = () => now?.id;
const base = () => `api/audio/sessions/${now.id}`;

function link(query) {
  return `${base()}/audio?${new URLSearchParams({ ...query, ...(site.key ? { api_key: site.key } : {}) })}`;
}

async function choose(id) {
  try {
    const one = await ask(`api/audio/sessions/${id}`);
    now = { id, seconds: one.duration_seconds, rate: one.sample_rate, channels: one.channels,
      live: one.status === "active" };
    tell(one);
  } catch (error) {
    return say(error.message);
  }
  follows = true;
  view = [0, now.seconds];
  load(0, false);
  at("recording").hidden = false;
  at("title").focus();
  for (const line of at("rows").children) line.classList.toggle("chosen", line.dataset.id === id);
  await look();
}

function tell(one) {
  at("title").textContent = (one.user_id ? `${one.user_id} · ` : "") + one.session_id;
  at("facts").textContent = [new Date(one.created_at).toLocaleString(), `${one.sample_rate} Hz`,
    one.channels === 2 ? "two channels" : "one channel", `${one.total_chunks} ${one.total_chunks === 1 ? "chunk" : "chunks"}`, one.status].join(" · ");
  at("trouble").hidden = !(one.error || one.degraded);
  at("trouble").textContent = one.error || one.degraded || "";
  at("close").hidden = one.status !== "active";
  for (const one of document.querySelectorAll("[data-format]")) {
    one.href = link({ format: one.dataset.format });
    one.download = `${now.id}.${one.dataset.format}`;
  }
}

function load(seconds, plays) {
  loaded = now.seconds;
  player.src = link({ end: loaded.toFixed(6) });
  player.addEventListener("loadedmetadata", () => {
    player.currentTime = Math.min(seconds, player.duration || 0);
    if (plays) player.play();
  }, { once: true });
}

function seek(seconds) {
  const wanted = Math.max(0, Math.min(seconds, now.seconds));
  if (wanted > loaded) load(wanted, !player.paused);
  else player.currentTime = wanted;
  draw();
}

async function look() {
  const [begin, end] = view, number = ++drawing, pixels = Math.max(200, canvas.clientWidth);
  const wanted = Math.max(1, (end - begin) * now.rate / pixels);
  const perPixel = wanted <= 4096 ? Math.ceil(wanted) : Math.ceil(wanted / 4096) * 4096;
  const query = new URLSearchParams({ samples_per_pixel: perPixel, bits: 8, start: begin.toFixed(6), end: end.toFixed(6) });
  try {
    const found = await ask(`${base()}/waveform?${query}`);
    if (number !== drawing) return;  // another was asked for meanwhile
    peaks = { ...found, begin: Math.floor(begin * now.rate / perPixel) * perPixel / now.rate };
  } catch (error) {
    if (number === drawing) say(error.message);
  }
  draw();
}

function draw() {
  const scale = devicePixelRatio, width = canvas.width = canvas.clientWidth * scale;
  const height = canvas.height = canvas.clientHeight * scale, paint = canvas.getContext("2d");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
  const [begin, end] = view, x = (seconds) => (seconds - begin) / Math.max(end - begin, 1e-9) * width;
  if (peaks) {
    const step = peaks.samples_per_pixel / peaks.sample_rate, lane = height / peaks.channels;
    for (let channel = 0; channel < peaks.channels; channel++) {
      paint.fillStyle = colour(channel ? "--green" : "--blue");
      for (let at = 0; at < peaks.length; at++) {
        const index = 2 * (at * peaks.channels + channel), low = peaks.data[index], high = peaks.data[index + 1];
        const left = Math.round(x(peaks.begin + at * step)), right = Math.round(x(peaks.begin + (at + 1) * step));
        paint.fillRect(left, lane * (channel + .5 - (high + 1) / 256), Math.max(1, right - left),
          Math.max(1, lane * (high - low + 1) / 256));
      }
    }
  }
  paint.fillStyle = colour("--bad");
  paint.fillRect(x(player.currentTime) - scale, 0, 2 * scale, height);
  at("range").textContent = `${clock(begin)} to ${clock(end)} of ${clock(now?.seconds ?? 0)}`;
  wave.setAttribute("aria-valuemax", now?.seconds ?? 0);
  wave.setAttribute("aria-valuenow", player.currentTime);
  wave.setAttribute("aria-valuetext", `${clock(player.currentTime)} of ${clock(now?.seconds ?? 0)}`);
}

function zoom(factor) {
  const [begin, end] = view, middle = player.currentTime >= begin && player.currentTime <= end ? player.currentTime : (begin + end) / 2;
  const length = Math.min(now.seconds, Math.max(LEAST_SECONDS, (end - begin) * factor));
  move(middle - (middle - begin) / Math.max(end - begin, 1e-9) * length, length);
}

function move(begin, length) {
  const first = Math.max(0, Math.min(begin, now.seconds - length));
  view = [first, Math.min(now.seconds, first + length)];
  follows = length >= now.seconds;
  look();
}

function grown(id, seconds) {  // of a live session
  if (now?.id !== id || seconds <= now.seconds) return;
  now.seconds = seconds;
  if (follows) view = [0, seconds];
  if (follows) look(); else draw();
}

async function ended(id) {
  if (now?.id !== id) return;
  try {
    const one = await ask(base());
    now.live = false;
    now.seconds = one.duration_seconds;
    tell(one);
    if (follows) view = [0, now.seconds];
    await look();
  } catch (error) {
    at("recording").hidden = true;  // it has been deleted
    now = null;
  }
}

player.addEventListener("ended", () => { if (now && now.seconds > loaded + LEAST_SECONDS) load(loaded, true); });
player.addEventListener("timeupdate", draw);
player.addEventListener("seeked", draw);
addEventListener("resize", () => { if (now) look(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
wave.addEventListener("click", (event) => {
  const box = canvas.getBoundingClientRect();
  seek(view[0] + (event.clientX - box.left) / box.width * (view[1] - view[0]));
});
wave.addEventListener("keydown", (event) => {
  const length = view[1] - view[0];
  const steps = { ArrowLeft: () => seek(player.currentTime - STEP_SECONDS), ArrowRight: () => seek(player.currentTime + STEP_SECONDS),
    Home: () => seek(0), End: () => seek(now.seconds), PageUp: () => move(view[0] - length / 2, length),
    PageDown: () => move(view[0] + length / 2, length), "+": () => zoom(.5), "-": () => zoom(2),
    " ": () => (player.paused ? player.play() : player.pause()) };
  if (!now || !steps[event.key]) return;
  event.preventDefault();
  steps[event.key]();
});
at("in").addEventListener("click", () => zoom(.5));
at("out").addEventListener("click", () => zoom(2));
at("whole").addEventListener("click", () => move(0, now.seconds));
at("earlier").addEventListener("click", () => move(view[0] - (view[1] - view[0]) / 2, view[1] - view[0]));
at("later").addEventListener("click", () => move(view[0] + (view[1] - view[0]) / 2, view[1] - view[0]));
at("close").addEventListener("click", () => ask(`${base()}/close`, "POST").catch((error) => say(error.message)));
at("delete").addEventListener("click", () => {
  at("which").textContent = `${at("title").textContent}, ${clock(now.seconds)}`;
  at("question").returnValue = "no";  // what Escape leaves
  at("question").showModal();
});
at("question").addEventListener("close", async () => {
  if (at("question").returnValue !== "yes") return at("delete").focus();
  const id = now.id;
  try {
    await ask(base(), "DELETE");
    player.removeAttribute("src");
    player.load();
    now = null;
    at("recording").hidden = true;
    if (at("text").value.trim() === id) at("text").value = "";
    await list();
    say("The recording is deleted");
    at("text").focus();
  } catch (error) {
    say(error.message);
  }
});
