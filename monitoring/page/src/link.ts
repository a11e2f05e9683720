// link.ts - the connection to the engine. It opens again by itself, confirms each message once it was shown, and says
// when what was shown last is old.
import type { History, Ladder, Message } from "./types";

const PROTOCOL = "mdengine.status.1";
const SILENCE_MS = 2500;
const PAUSES_MS = [250, 500, 1000, 2000];
const HISTORY_PAUSE_MS = 5000;

export interface LinkEvents {
  message(message: Message): void;
  ladder(ladder: Ladder): void;
  history(history: History): void;
  /* is_live: messages come. */
  state(is_live: boolean): void;
  wantsToken(wasWrong: boolean): void;
}

export class Link {
  private socket: WebSocket | null = null;
  private token = sessionStorage.getItem("token") ?? "";
  private tries = 0;
  private heard_ms = 0;
  private is_live = false;
  private unconfirmed = 0;
  private newest: Message | null = null;
  private frame = 0;
  private choice = "";
  private history_ms = -HISTORY_PAUSE_MS;

  constructor(private readonly events: LinkEvents) {
    setInterval(() => this.look(), 250);
    // A page that nobody sees draws nothing, but goes on taking its messages.
    document.addEventListener("visibilitychange", () => this.show());
  }

  async open(): Promise<void> {
    try {
      await this.readHistory();
    } catch {
      this.later();
      return;
    }
    if (this.socket) return;
    const protocols = this.token ? [PROTOCOL, `bearer.${this.token}`] : [PROTOCOL];
    const socket = new WebSocket(new URL("stream", location.href.replace(/^http/, "ws")), protocols);
    this.socket = socket;
    socket.onopen = () => {
      this.tries = 0;
      this.unconfirmed = 0;
      if (this.choice) socket.send(`show ${this.choice}`);
    };
    socket.onmessage = (event) => this.take(JSON.parse(event.data as string));
    socket.onclose = () => {
      this.socket = null;
      this.setLive(false);
      this.later();
    };
  }

  useToken(token: string): void {
    this.token = token;
    sessionStorage.setItem("token", token);
    void this.open();
  }

  choose(choice: string): void {
    this.choice = choice;
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(choice ? `show ${choice}` : "show");
  }

  async readHistory(): Promise<void> {
    const headers: HeadersInit = this.token ? { Authorization: `Bearer ${this.token}` } : {};
    const answer = await fetch("history", { headers, cache: "no-store" });
    if (answer.status === 401) {
      this.events.wantsToken(this.token !== "");
      throw new Error("a token is wanted");
    }
    // Too many asked, for one: the numbers of now come all the same, and the past later.
    if (answer.ok) this.events.history((await answer.json()) as History);
  }

  // For points that are missing: not again and again.
  async readMissed(): Promise<void> {
    if (performance.now() - this.history_ms < HISTORY_PAUSE_MS) return;
    this.history_ms = performance.now();
    await this.readHistory().catch(() => undefined);
  }

  private later(): void {
    const pause = PAUSES_MS[Math.min(this.tries++, PAUSES_MS.length - 1)] ?? 2000;
    setTimeout(() => { if (!this.socket && !document.body.dataset.token) void this.open(); }, pause);
  }

  private take(data: Message | { chosen: Ladder }): void {
    if ("chosen" in data) {
      this.events.ladder(data.chosen);
      return;
    }
    const now = performance.now();
    this.heard_ms = now;
    this.newest = data;
    this.unconfirmed++;
    if (document.hidden) this.show();
    else if (!this.frame) this.frame = requestAnimationFrame(() => this.show());
  }

  // Draws the newest message and confirms all that came: the engine sends the next ones as fast as this goes.
  private show(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (this.newest) {
      this.setLive(true);
      this.events.message(this.newest);
      this.newest = null;
    }
    for (; this.unconfirmed > 0; this.unconfirmed--)
      if (this.socket?.readyState === WebSocket.OPEN) this.socket.send("ok");
  }

  private look(): void {
    if (this.is_live && performance.now() - this.heard_ms > SILENCE_MS) this.setLive(false);
  }

  private setLive(is_live: boolean): void {
    if (is_live === this.is_live) return;
    this.is_live = is_live;
    this.events.state(is_live);
  }
}
