"use strict";
// What every page of live things has. Events come by fetch, because EventSource cannot show a key.
const RETRY_MS = 2000;
const at = (id) => document.getElementById(id);

function say(text) { if (at("state").textContent !== text) at("state").textContent = text; }

class KeyWanted extends Error {}

class LivePage {
  // `service` is what the page calls its program. `begin` runs when the service can be reached, then `show` with each
  // event; `hide` runs when a key is asked for.
  constructor(service, { begin = () => {}, show, hide = () => {} }) {
    Object.assign(this, { service, begin, show, hide, place: `${service}-api-key` });
    at("ask").addEventListener("submit", (event) => {
      event.preventDefault();
      sessionStorage.setItem(this.place, at("key").value.trim());  // it stays in this tab
      at("key").value = "";
      this.run();
    });
    at("forget").addEventListener("click", () => {
      sessionStorage.removeItem(this.place);
      location.reload();
    });
  }

  get key() { return sessionStorage.getItem(this.place); }

  // Asks the service for something. Throws what it says, and KeyWanted where the user has been asked for another key.
  async ask(path, method = "GET") {
    const headers = this.key ? { Authorization: `Bearer ${this.key}` } : {};
    const answer = await fetch(path, { method, headers, cache: "no-store" });
    if (answer.status === 401 || answer.status === 403) {
      this.askForKey(`The ${this.service} ${this.key ? "does not know this key" : "asks for an API key"}`);
      throw new KeyWanted(at("state").textContent);
    }
    if (!answer.ok) {
      const body = await answer.json();
      throw new Error(body.detail || body.error);
    }
    return answer;
  }

  askForKey(why) {
    say(why);
    sessionStorage.removeItem(this.place);
    at("forget").hidden = true;
    this.hide();
    at("ask").hidden = false;
    at("key").focus();
  }

  async listen() {
    const answer = await this.ask("live");
    at("ask").hidden = true;
    at("forget").hidden = !this.key;
    await this.begin();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let held = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`the ${this.service} has ended`);
      const parts = (held + value).split("\n\n");
      held = parts.pop();
      for (const part of parts) this.show(JSON.parse(part.slice("data: ".length)));
    }
  }

  async run() {
    for (;;) {
      try {
        await this.listen();
      } catch (error) {
        if (error instanceof KeyWanted) return;
        say(`No connection (${error.message}); trying again`);
        await new Promise((done) => setTimeout(done, RETRY_MS));
      }
    }
  }
}
