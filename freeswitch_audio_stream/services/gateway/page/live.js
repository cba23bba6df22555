"use strict";
// A card for each live session.
const QUIET_DB = -60;
const cards = new Map();

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

const page = new LivePage("gateway", {
  begin: () => { for (const id of [...cards.keys()]) drop(id); },  // all is told again
  show: (event) => show(event.sessions),
  hide: () => { at("none").hidden = true; },
});
page.run();
