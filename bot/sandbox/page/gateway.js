// One person's connection to the gateway.

/** Identifies, sends heartbeats, resumes after a drop, and identifies again if the resume is refused. */
export class Gateway {
  constructor(token, onEvent, onStatus) {
    Object.assign(this, { token, onEvent, onStatus, session: null, sequence: null, failures: 0, closed: false });
    this.open();
  }

  open() {
    clearTimeout(this.retry);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket = new WebSocket(`${scheme}://${location.host}/gateway?v=10&encoding=json`);
    this.socket.onmessage = ({ data }) => this.receive(JSON.parse(data));
    this.socket.onclose = ({ code }) => this.dropped(code);
  }

  send(op, d) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ op, d }));
  }

  receive({ op, d, s, t }) {
    if (s) this.sequence = s;
    if (op === 0) {
      if (t === "READY") this.session = d.session_id;
      if (t === "READY" || t === "RESUMED") {
        this.failures = 0;
        this.onStatus("connected");
      }
      this.onEvent(t, d);
    } else if (op === 1) this.beat();
    else if (op === 7) this.socket.close(4000);
    else if (op === 9) {
      if (!d) this.session = null;
      setTimeout(() => this.identify(), 250);
    } else if (op === 10) {
      this.acknowledged = true;
      clearInterval(this.heart);
      this.heart = setInterval(() => this.beat(), d.heartbeat_interval);
      this.identify();
    } else if (op === 11) this.acknowledged = true;
  }

  identify() {
    if (this.session) this.send(6, { token: this.token, session_id: this.session, seq: this.sequence });
    else {
      const properties = { os: "browser", browser: "fillbot page", device: "fillbot page" };
      this.send(2, { token: this.token, intents: 53608447, properties });
    }
  }

  beat() {
    if (!this.acknowledged) return this.socket.close(4000);
    this.acknowledged = false;
    this.send(1, this.sequence);
  }

  dropped(code) {
    clearInterval(this.heart);
    if (this.closed) return;
    if ([4003, 4007, 4009].includes(code)) this.session = null;
    if (code === 4004) return this.onStatus("refused");
    this.failures += 1;
    this.onStatus("lost");
    this.retry = setTimeout(() => this.open(), Math.min(5_000, 250 * 2 ** this.failures));
  }

  close() {
    this.closed = true;
    clearTimeout(this.retry);
    clearInterval(this.heart);
    this.socket.close(1000);
  }
}
