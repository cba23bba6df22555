"use strict";
// What is live, and the list of all recordings.
const QUIET_DB = -60, PAGE = 20;
const live = new Map();
let offset = 0, total = 0;

const site = new LivePage("recorder", {
  begin: () => { at("content").hidden = false; return list(); },
  show: (event) => show(event),
  hide: () => { at("content").hidden = true; },
});

async function ask(path, method = "GET") {
  const answer = await site.ask(path, method);
  return answer.status === 204 ? null : answer.json();
}

function clock(seconds) {
  const whole = Math.floor(seconds), two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  return (hours ? `${hours}:${two(Math.floor(whole / 60) % 60)}` : `${Math.floor(whole / 60)}`) + `:${two(whole % 60)}`;
}

function card(one) {
  const item = document.createElement("li"), button = document.createElement("button"), about = document.createElement("p");
  button.type = "button";
  button.textContent = (one.user ? `${one.user} · ` : "") + one.id;
  button.addEventListener("click", () => choose(one.id));
  about.className = "about";
  item.append(button, about);
  for (let channel = 0; channel < one.channels; channel++) {
    const meter = document.createElement("div");
    meter.className = "level";
    meter.setAttribute("role", "meter");
    const name = one.channels === 1 ? "Level" : `Level of the ${channel ? "right" : "left"} channel`;
    for (const [key, value] of [["aria-label", `${name}, ${one.user || one.id}`], ["aria-valuemin", QUIET_DB],
                                ["aria-valuemax", 0]]) meter.setAttribute(key, value);
    meter.append(document.createElement("div"));
    item.append(meter);
  }
  return item;
}

function show({ sessions, more }) {
  let changed = false;
  for (const one of sessions) {
    if (!live.has(one.id)) {
      live.set(one.id, card(one));
      at("live").prepend(live.get(one.id));
      changed = true;
    }
    const item = live.get(one.id);
    item.querySelector(".about").textContent = [clock(one.seconds), `${one.rate} Hz`, `${one.connections} connected`,
      one.degraded].filter(Boolean).join(" · ");
    item.querySelectorAll(".level").forEach((meter, channel) => {
      const db = one.levels[channel], quiet = db <= QUIET_DB;
      meter.setAttribute("aria-valuenow", db);
      meter.setAttribute("aria-valuetext", quiet ? "silent" : `${Math.round(db)} dB`);
      meter.firstElementChild.style.width = `${100 * (1 - db / QUIET_DB)}%`;
    });
    grown(one.id, one.seconds);
  }
  const ids = new Set(sessions.map((one) => one.id));
  for (const [id, item] of live) {
    if (ids.has(id)) continue;
    item.remove();
    live.delete(id);
    changed = true;
    ended(id);
  }
  at("none").hidden = live.size > 0;
  at("more").hidden = !more;
  at("more").textContent = `and ${more} more`;
  say(live.size ? `${live.size + more} live` : "Nothing is live");
  if (changed) list().catch((error) => say(error.message));
}

async function list() {
  const text = at("text").value.trim(), status = at("status").value;
  let sessions;
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) {
    sessions = await ask(`api/audio/sessions/${text}`).then((one) => [one], () => []);
    total = sessions.length;
  } else {
    const query = new URLSearchParams({ limit: PAGE, offset });
    if (text) query.set("user_id", text);
    if (status) query.set("status", status);
    ({ sessions, total } = await ask(`api/audio/sessions?${query}`));
  }
  at("rows").replaceChildren(...sessions.map(row));
  at("newer").disabled = offset === 0;
  at("older").disabled = offset + PAGE >= total;
  at("count").textContent = total ? `${offset + 1} to ${offset + sessions.length} of ${total}` : "No recordings";
}

function row(one) {
  const line = document.createElement("tr"), button = document.createElement("button");
  button.type = "button";
  button.textContent = one.session_id;
  button.addEventListener("click", () => choose(one.session_id));
  const state = one.status === "error" ? "failed" : one.status + (one.degraded ? ", degraded" : "");
  for (const text of [new Date(one.created_at).toLocaleString(), one.user_id ?? "", clock(one.duration_seconds), state]) {
    const cell = document.createElement("td");
    cell.textContent = text;
    line.append(cell);
  }
  const cell = document.createElement("td");
  cell.append(button);
  line.append(cell);
  line.dataset.id = one.session_id;
  line.classList.toggle("chosen", one.session_id === chosen());
  return line;
}

const turn = (begin) => { offset = Math.max(0, begin); list().catch((error) => say(error.message)); };
at("search").addEventListener("submit", (event) => { event.preventDefault(); turn(0); });
at("newer").addEventListener("click", () => turn(offset - PAGE));
at("older").addEventListener("click", () => turn(offset + PAGE));
document.addEventListener("DOMContentLoaded", () => site.run());
