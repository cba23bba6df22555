"use strict";
// Fed by /live: events by fetch, because EventSource cannot show a key. The key stays in this tab's sessionStorage.
const KEY = "gateway-api-key", QUIET_DB = -60, RETRY_MS = 2000;
const at = (id) => document.getElementById(id);
const cards = new Map();

function say(text) { if (at("state").textContent !== text) at("state").textContent = text; }

function level(card, side, db) {
  const meter = card.querySelector("." + side), quiet = db <= QUIET_DB;
  const value = Math.max(QUIET_DB, Math.min(0, db));
  meter.setAttribute("aria-valuenow", value);
  meter.setAttribute("aria-valuetext", quiet ? "silent" : `${Math.round(db)} dB`);
  meter.firstElementChild.style.width = `${100 * (1 - value / QUIET_DB)}%`;
  card.querySelector(`.${side}db`).textContent = quiet ? "silent" : `${Math.round(db)} dBFS`;
}

function turns(card, times) {
  if (!times.length) return;
  const sorted = [...times].sort((a, b) => a - b), longest = sorted[sorted.length - 1];
  card.querySelector(".turns").textContent = `last ${times[times.length - 1]} ms, median ` +
    `${sorted[sorted.length >> 1]} ms, longest ${longest} ms, of ${times.length}`;
  card.querySelector(".bars").replaceChildren(...times.map((time) => {
    const bar = document.createElement("div");
    bar.style.height = `${100 * time / Math.max(1, longest)}%`;
    return bar;
  }));
}

function transcript(card, lines) {
  if (!lines.length) return;
  const list = card.querySelector(".lines");
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 20;
  for (const [speaker, text] of lines) {
    const item = document.createElement("li"), who = document.createElement("b");
    item.className = speaker;
    who.textContent = (speaker === "AI" ? "Agent" : "Caller") + ": ";
    item.append(who, text);
    list.append(item);
  }
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function cardOf(id) {
  if (!cards.has(id)) {
    const card = at("session").content.firstElementChild.cloneNode(true);
    card.querySelector(".call").textContent = id;
    card.querySelector(".lines").setAttribute("aria-label", `Transcript of ${id}`);
    at("sessions").append(card);
    cards.set(id, card);
  }
  return cards.get(id);
}

function show(sessions) {
  for (const one of sessions) {
    if (one.first === 0 && cards.has(one.callId) && one.seconds < cards.get(one.callId).seconds) drop(one.callId);
    const card = cardOf(one.callId);
    card.seconds = one.seconds;
    const minutes = Math.floor(one.seconds / 60), rest = String(one.seconds % 60).padStart(2, "0");
    card.querySelector(".about").textContent = [one.caller && `from ${one.caller}`, one.did && `to ${one.did}`,
      one.agent && `agent ${one.agent}`, `${minutes}:${rest}`].filter(Boolean).join(" · ");
    const error = card.querySelector(".error");
    error.hidden = !one.error;
    if (error.textContent !== one.error) error.textContent = one.error;
    level(card, "caller", one.callerDb);
    level(card, "agent", one.agentDb);
    turns(card, one.turns);
    transcript(card, one.lines);
  }
  const live = new Set(sessions.map((one) => one.callId));
  for (const id of [...cards.keys()]) if (!live.has(id)) drop(id);
  at("none").hidden = sessions.length > 0;
  say(sessions.length === 1 ? "1 session" : `${sessions.length} sessions`);
}

function drop(id) {
  cards.get(id).remove();
  cards.delete(id);
}

function askForKey(why) {
  say(why);
  at("none").hidden = true;
  at("ask").hidden = false;
  at("forget").hidden = true;
  at("key").focus();
}

async function listen() {
  const key = sessionStorage.getItem(KEY);
  const answer = await fetch("live", { headers: key ? { Authorization: `Bearer ${key}` } : {}, cache: "no-store" });
  if (answer.status === 401 || answer.status === 403) {
    sessionStorage.removeItem(KEY);
    askForKey(key ? "The gateway does not know this key" : "The gateway asks for an API key");
    return false;
  }
  if (!answer.ok) throw new Error((await answer.json()).detail);
  at("ask").hidden = true;
  at("forget").hidden = !key;
  for (const id of [...cards.keys()]) drop(id);  // all is told again
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error("the gateway has ended");
    const parts = (held + value).split("\n\n");
    held = parts.pop();
    for (const part of parts) show(JSON.parse(part.slice("data: ".length)).sessions);
  }
}

async function run() {
  for (;;) {
    try {
      if (!await listen()) return;
    } catch (error) {
      say(`No connection (${error.message}); trying again`);
      await new Promise((done) => setTimeout(done, RETRY_MS));
    }
  }
}

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, at("key").value.trim());
  at("key").value = "";
  run();
});
at("forget").addEventListener("click", () => {
  sessionStorage.removeItem(KEY);
  location.reload();
});
run();
