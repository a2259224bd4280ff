// Sends files in pieces with tus-js-client. Uploads belong to a conversation, not to the view of them:
// Streamlit may take a view away and put another in its place while they run.

const PIECE_BYTES = 16 * 1024 * 1024;
const RETRY_DELAYS = [0, 500, 1000, 2000, 4000, ...Array(30).fill(5000)];
const desks = new Map();
const base = new URL(".", document.baseURI);
let library;

function tus() {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = new URL("app/static/tus.min.js", base);
    script.onload = () => resolve(window.tus);
    script.onerror = () => reject((library = undefined) || new Error("The server does not answer."));
    document.head.append(script);
  });
  return library;
}

export default function ({ data, parentElement: root, setTriggerValue }) {
  const desk = desks.get(data.session) ?? { items: [], views: new Map() };
  desks.set(data.session, desk);
  Object.assign(desk, { ticket: data.ticket, limit: data.limit, left: data.left, asked: false });
  tus().catch(() => {});
  const field = root.querySelector(".field");
  field.hidden = !data.zone;
  root.querySelector(".label").textContent = data.label;
  root.querySelector(".hint").textContent = `${size(data.limit)} per file • ${data.kinds}`;
  const input = root.querySelector(".input");
  input.accept = data.accept;
  input.onchange = () => {
    take(desk, [...input.files]);
    input.value = "";
  };
  root.querySelector(".choose").onclick = () => input.click();
  const zone = root.querySelector(".zone");
  zone.ondragover = (event) => {
    event.preventDefault();
    zone.classList.add("over");
  };
  zone.ondragleave = () => zone.classList.remove("over");
  zone.ondrop = (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    take(desk, [...event.dataTransfer.files]);
  };
  desk.views.set(root, setTriggerValue);
  draw(desk);
  return () => desk.views.delete(root);
}

function take(desk, files) {
  for (const file of files) {
    const item = { name: file.name, size: file.size, sent: 0, speed: 0, state: "sending" };
    desk.items.push(item);
    if (file.size > desk.limit) {
      fail(desk, item, `It has ${size(file.size)}; at most ${size(desk.limit)} are taken.`);
    } else {
      send(desk, item, file);
    }
  }
  draw(desk);
}

async function send(desk, item, file) {
  const endpoint = new URL("api/uploads", base).href;
  const modified = String(file.lastModified);
  const left = desk.left.find((u) => u.name === file.name && u.size === file.size && u.modified === modified);
  let client;
  try {
    client = await tus();
  } catch (error) {
    item.again = () => send(desk, item, file);
    return fail(desk, item, error.message);
  }
  item.id = left?.id;
  item.upload = new client.Upload(file, {
    endpoint,
    uploadUrl: left ? `${endpoint}/${left.id}` : null,
    metadata: { filename: file.name, modified },
    chunkSize: PIECE_BYTES,
    uploadDataDuringCreation: file.size <= PIECE_BYTES,
    storeFingerprintForResuming: false,
    retryDelays: RETRY_DELAYS,
    onBeforeRequest: (request) => request.setHeader("Upload-Ticket", desk.ticket),
    onShouldRetry: (error) => again(desk, item, error),
    onUploadUrlAvailable: () => (item.id = item.upload.url.split("/").pop()),
    onProgress: (sent) => progress(desk, item, sent),
    onSuccess: () => finish(desk, item),
    onError: (error) => fail(desk, item, reason(error)),
  });
  item.again = () => item.upload.start();
  item.upload.start();
}

function again(desk, item, error) {
  const status = error.originalResponse?.getStatus() ?? 0;
  // The server was restarted or the page slept: the script hands out another ticket.
  if (status === 401 && !desk.asked) {
    desk.asked = true;
    tell(desk, "renew", item.id ?? "");
  }
  item.broken = status === 0 || status >= 500;
  draw(desk);
  return status === 0 || [401, 409, 423, 429].includes(status) || (status >= 500 && status !== 507);
}

function progress(desk, item, sent) {
  const now = performance.now();
  item.began ??= { at: now, sent };
  const seconds = (now - item.began.at) / 1000;
  if (seconds > 0.3) {
    const speed = (sent - item.began.sent) / seconds;
    item.speed = item.speed && speed > 0 ? 0.7 * item.speed + 0.3 * speed : Math.max(speed, 0);
    item.began = { at: now, sent };
  }
  item.broken = false;
  item.sent = sent;
  draw(desk);
}

function finish(desk, item) {
  remove(desk, item);
  say(desk, `${item.name} was uploaded.`);
  tell(desk, "finished", item.id);
}

function fail(desk, item, text) {
  Object.assign(item, { state: "failed", text });
  say(desk, `${item.name}: ${text}`);
  draw(desk);
}

function retry(desk, item) {
  Object.assign(item, { state: "sending", began: undefined, speed: 0 });
  item.again();
  draw(desk);
}

function cancel(desk, item) {
  item.upload?.abort(true).catch(() => {});
  remove(desk, item);
  say(desk, `${item.name} was cancelled.`);
}

async function discard(desk, left) {
  desk.left = desk.left.filter((other) => other !== left);
  draw(desk);
  const headers = { "Tus-Resumable": "1.0.0", "Upload-Ticket": desk.ticket };
  await fetch(new URL(`api/uploads/${left.id}`, base), { method: "DELETE", headers });
}

function remove(desk, item) {
  desk.items = desk.items.filter((other) => other !== item);
  desk.left = desk.left.filter((other) => other.id !== item.id);
  draw(desk);
}

function tell(desk, event, value) {
  [...desk.views.values()].at(-1)?.(event, value);
}

function say(desk, text) {
  for (const root of desk.views.keys()) root.querySelector(".said").textContent = text;
}

function reason(error) {
  try {
    const told = JSON.parse(error.originalResponse.getBody()).error;
    return `${told.message} ${told.action}`.trim();
  } catch {
    return "The connection to the server was lost.";
  }
}

function draw(desk) {
  const mine = new Set(desk.items.map((item) => item.id));
  const left = desk.left.filter((upload) => !mine.has(upload.id));
  for (const root of desk.views.keys()) {
    const list = root.querySelector(".files");
    const shown = [...desk.items, ...left];
    list.hidden = shown.length === 0;
    const rows = shown.map((item) => row(desk, list, item));
    if (rows.some((made, index) => list.children[index] !== made) || list.children.length !== rows.length) {
      list.replaceChildren(...rows);
    }
  }
}

const drawn = new WeakMap();

function row(desk, list, item) {
  const known = drawn.get(list) ?? new Map();
  drawn.set(list, known);
  const made = known.get(item) ?? document.createElement("li");
  known.set(item, made);
  const state = item.state ?? "waiting";
  if (made.dataset.state !== state) {
    made.dataset.state = made.className = state;
    made.replaceChildren(...parts(desk, item, state));
  }
  const percent = item.size ? Math.floor((100 * item.sent) / item.size) : 0;
  made.querySelector(".about").textContent = about(item, state, percent);
  const bar = made.querySelector(".bar");
  bar?.setAttribute("aria-valuenow", percent);
  bar?.firstChild.style.setProperty("width", `${percent}%`);
  return made;
}

function parts(desk, item, state) {
  const name = element("span", "name", item.name);
  const found = [name, element("span", "about")];
  if (state === "waiting") found.push(button("Discard", item, () => discard(desk, item)));
  if (state === "failed" && item.again) found.push(button("Retry", item, () => retry(desk, item)));
  if (state === "failed") found.push(button("Dismiss", item, () => cancel(desk, item)));
  if (state === "sending") {
    const bar = element("div", "bar");
    bar.append(document.createElement("div"));
    bar.role = "progressbar";
    bar.ariaLabel = `Uploading ${item.name}`;
    found.push(button("Cancel", item, () => cancel(desk, item)), bar);
  }
  return found;
}

function about(item, state, percent) {
  if (state === "failed") return item.text;
  if (state === "waiting") {
    const there = Math.floor((100 * item.offset) / item.size);
    return `${there} % of ${size(item.size)} is here. Choose the file again to go on.`;
  }
  const amount = `${percent} % of ${size(item.size)}`;
  if (item.broken) return `${amount} · the connection is lost, trying again`;
  if (!item.speed) return amount;
  return `${amount} · ${size(item.speed)}/s · ${time((item.size - item.sent) / item.speed)} left`;
}

function button(text, item, act) {
  const made = element("button", "", text);
  made.type = "button";
  made.ariaLabel = `${text} ${item.name}`;
  made.onclick = act;
  return made;
}

function element(tag, name, text = "") {
  const made = document.createElement(tag);
  made.className = name;
  made.textContent = text;
  return made;
}

function size(bytes) {
  for (const [unit, scale] of [["GB", 1e9], ["MB", 1e6], ["KB", 1e3]]) {
    if (bytes >= scale) return `${Number((bytes / scale).toPrecision(3))} ${unit}`;
  }
  return `${Math.round(bytes)} bytes`;
}

function time(seconds) {
  return seconds < 90 ? `${Math.max(1, Math.round(seconds))} s` : `${Math.round(seconds / 60)} min`;
}

window.addEventListener("online", () => {
  for (const desk of desks.values()) {
    for (const item of desk.items) if (item.state === "failed" && item.again) retry(desk, item);
  }
});
