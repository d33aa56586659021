// What the agent did, in its order, kept over reloads and lost connections until the service has it.
import { recall, remember } from "./storage.js";

const KEPT = "nbo-unsent";
const AGAIN_AFTER_MS = 1500;
const PATIENCE_MS = 10000;

export class Outbox {
  hasFailed = false;
  #kept = JSON.parse(recall("sessionStorage", KEPT) ?? "[]");
  #isSending = false;
  #onTaken;
  #onChange;

  // `onTaken(item, response)` is awaited for each item the service took or refused; `onChange()` follows every attempt.
  constructor(onTaken, onChange) {
    this.#onTaken = onTaken;
    this.#onChange = onChange;
  }

  get answers() {
    return this.#kept.filter(({ url }) => url.includes("/answers")).length;
  }

  add(url, fields) {
    this.#kept.push({ url, body: fields.toString() });
    this.#keep();
    this.send();
  }

  async send() {
    if (this.#isSending) return;
    this.#isSending = true;
    while (this.#kept.length) {
      const response = await this.#post(this.#kept[0]);
      this.hasFailed = response === null;
      if (this.hasFailed) {
        setTimeout(() => this.send(), AGAIN_AFTER_MS);
        break;
      }
      const item = this.#kept.shift();
      this.#keep();
      await this.#onTaken(item, response);
    }
    this.#isSending = false;
    this.#onChange();
  }

  async #post({ url, body }) {
    try {
      const headers = { "Content-Type": "application/x-www-form-urlencoded" };
      const signal = AbortSignal.timeout(PATIENCE_MS);
      const response = await fetch(url, { method: "POST", headers, body, signal });
      if (response.redirected) location.reload(); // signed out: the page asks who works here, and sends on afterwards
      if (response.redirected) return null;
      return response.status >= 500 ? null : { isTaken: response.ok, text: await response.text() };
    } catch {
      return null;
    }
  }

  #keep() {
    remember("sessionStorage", KEPT, JSON.stringify(this.#kept));
  }
}
