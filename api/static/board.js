// The board: loads what is there, then listens to /v1/live. Rows are kept and changed in place, never rebuilt whole.
// Of a SKU the highest version stands, whichever way it came. Paused, nothing is taken in; going on loads anew.
import { forgetPlans, plansAre } from "./ahead.js";
import { ask, askAll, count, item, make, moreButton, some } from "./parts.js";

const ROWS_STEP = matchMedia("(max-width: 640px)").matches ? 8 : 24, ROWS_MAX = 500, FEED_MAX = 6, WORK_STEP = 6, WORK_MORE_STEP = 200, WORK_MAX = 500, WORK_DAYS = 7, RETRY_MS = 1000, FIND_MS = 300, SILENT_MS = 10000, SKU_PAGES_MAX = 10, RATES_MS = 120000;
const PARTS = [["available", "available"], ["reserved", "reserved"], ["allocated", "allocated"], ["safety_stock", "safety"], ["unavailable", "unavailable"]];
const TONE = { confirmed: "good", rejected: "bad", expired: "dull", cancelled: "wait", low: "wait", out: "bad", short: "bad", shortage: "bad", restored: "good", covered: "good", recount: "dull",
  discrepancy: "wait", expiring: "wait", recalled: "bad", paid_unallocated: "bad", on_hold: "wait", pending: "wait", picked: "good", packed: "good",
  partially_picked: "good", partially_packed: "good", partially_shipped: "good", shipped: "good", delivered: "good", returned: "dull" };
const WORDS = {
  insufficient: "not enough stock", contended: "claimed by other orders", no_answer: "no answer in time", cancelled: "cancelled by the buyer",
  payment_deadline: "payment did not arrive in time", payment_failed: "payment failed", check_deadline: "a check stayed open too long", check_failed: "a check failed",
  shelf_life: "no lot lives long enough", channel_not_allowed: "not sold in this channel", location_not_allowed: "no location may serve it",
  unknown_sku: "unknown SKU", discontinued: "no longer sold", malformed_quantity: "impossible quantity", too_old: "asked too late",
};
const $ = (id) => document.getElementById(id);
const LEVEL_KINDS = ["low", "out", "restored"], OWED_KINDS = ["shortage", "covered"]; // the others are work
const URGENCY = { recalled: 0, paid_unallocated: 1, short: 2, expired: 3, expiring: 4, discrepancy: 5, recount: 6 };
const LOT_TONE = { approved: "good", inspection: "wait", on_hold: "wait", recalled: "bad", expired: "bad" };
const RANK = { short: 0, out: 1, low: 2, "": 3, discontinued: 4 };
const skus = new Map(); // sku -> {level, moved, state}
const rows = new Map(); // sku -> its row
const rates = []; // {rate, at}: of the last two minutes, however often ticks come
const noted = new Map(); // what alerts say is to be done, by what it is about
const shortSince = new Map(); // sku|location -> when; whether it still is, the level tells
const paid = new Map(); // order_id -> an order that was paid for and holds nothing
let orders = [], workShown = WORK_STEP, decisions = [], alerts = [], partial = false, asking = 0, counters = null, lag = null, waiting = 0, halted = 0, unserved = 0, told = 0, rowsShown = ROWS_STEP, paused = false, dirty = false, source = null;
let loads = 0, loading = false, loaded = false, heard = 0, meanwhile = []; // ticks since the newest load began: what is loaded may not hold them yet

const plain = (code) => code.replaceAll("_", " ");
const words = (code) => WORDS[code] || plain(code); // why something was decided
const clock = (time) => {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? "" : date.toLocaleTimeString("en-GB");
};
const day = (time) => new Date(time).toLocaleDateString("sv-SE"); // YYYY-MM-DD, where the reader is, as `clock`

async function load() {
  const mine = ++loads; // a later load makes an earlier one pointless
  loading = true;
  meanwhile = [];
  try {
    await fetchAll(() => mine === loads && !paused);
  } catch { // the view is catching up, or the connection is gone
    if (mine !== loads) return;
    loaded = false;
    if (source.readyState === EventSource.OPEN) say("wait", "Catching up");
    setTimeout(() => { if (mine === loads && !paused) load(); }, RETRY_MS);
  }
}

async function fetchAll(wanted) {
  const found = await askAll("/v1/skus", SKU_PAGES_MAX);
  const [decided, alerted, tasks, latest, unserved, status] = await Promise.all([
    ask(`/v1/decisions?limit=${FEED_MAX}`), ask(`/v1/alerts?limit=200&kind=${LEVEL_KINDS.join("&kind=")}`), ask("/v1/alerts?limit=1000&kind=shortage&kind=recount&kind=discrepancy&kind=expiring"), ask(`/v1/orders?limit=${FEED_MAX}`), ask(`/v1/orders?status=paid_unallocated&limit=${WORK_MAX}`), ask("/status"),
  ]);
  if (!wanted()) return;
  skus.clear();
  for (const level of found.items) keep(level, 0);
  partial = found.more;
  decisions = decided.items;
  alerts = [];
  orders = [];
  noted.clear();
  shortSince.clear();
  paid.clear();
  for (const order of unserved.items) if (paid.size < WORK_MAX) paid.set(order.order_id, order); // work, not news
  for (const order of [...latest.items].reverse()) placed(order);
  for (const alert of [...tasks.items, ...alerted.items].reverse()) remember(alert);
  counters = status.counters;
  for (const [tick, now] of meanwhile) happened(tick, now);
  loading = false;
  loaded = true;
  find();
}

function find() { // where the page does not hold every SKU, the API knows the others
  show();
  clearTimeout(asking);
  const wanted = $("find").value.trim().slice(0, 64);
  if (partial && wanted) asking = setTimeout(() => fetchOthers(wanted), FIND_MS);
}

async function fetchOthers(wanted) {
  const found = await ask(`/v1/skus?limit=${ROWS_MAX}&q=${encodeURIComponent(wanted)}`).catch(() => null); // the next load tries again
  for (const level of found?.items || []) if (!skus.has(level.sku)) keep(level, 0);
  show();
}

function keep(level, moved) {
  const held = skus.get(level.sku);
  if (held && !newer(level.version, held.level.version)) return;
  const places = level.locations.map(stateOf);
  const state = places.includes("short") ? "short" : level.discontinued ? "discontinued" : level.available <= 0 ? "out" : places.some(Boolean) ? "low" : "";
  skus.set(level.sku, { level, moved, state });
}

function newer(one, other) {
  const place = one.findIndex((part, n) => part !== other[n]);
  return place >= 0 && one[place] > other[place];
}

function stateOf(level) { // of one location
  if (level.shortage > 0) return "short";
  if (level.available <= 0) return "out";
  return level.available <= level.reorder_point ? "low" : "";
}

function remember(alert) { // the latest word about a SKU at a location, or about one lot, document or order of it
  if (LEVEL_KINDS.includes(alert.kind)) {
    const key = `${alert.sku}|${alert.location}`;
    alerts = [{ ...alert, key }, ...alerts.filter((one) => one.key !== key)].slice(0, 500);
  } else if (OWED_KINDS.includes(alert.kind)) {
    shortSince.set(`${alert.sku}|${alert.location}`, alert.time);
  } else if (!["paid_unallocated", "recalled"].includes(alert.kind)) { // its order, or its lot, tells it
    const key = [alert.kind, alert.sku, alert.location, alert.lot || alert.note || ""].join("|");
    noted.delete(key);
    noted.set(key, alert);
    if (noted.size > WORK_MAX) noted.delete(noted.keys().next().value);
  }
}

function decided(decision) {
  const isIt = (one) => one.order_id === decision.order_id && one.status === decision.status && one.decided_at === decision.decided_at;
  decisions = [decision, ...decisions.filter((one) => !isIt(one))].slice(0, FEED_MAX);
}

function placed(order) {
  orders = [order, ...orders.filter((one) => one.order_id !== order.order_id)].slice(0, FEED_MAX);
  if (order.status !== "paid_unallocated") paid.delete(order.order_id);
  else if (paid.size < WORK_MAX) paid.set(order.order_id, order);
}

function listen() {
  source?.close();
  source = new EventSource("/v1/live");
  heard = Date.now();
  for (const kind of ["open", "tick", "reload"]) source.addEventListener(kind, () => { heard = Date.now(); });
  source.addEventListener("open", () => { forgetPlans(); if (paused) say("wait", "Paused"); else load(); });
  source.addEventListener("tick", (event) => { if (!paused) take(JSON.parse(event.data)); });
  source.addEventListener("reload", () => { if (!paused) load(); });
  source.addEventListener("error", lost);
}

function lost() {
  say("down", "Connection lost, trying again");
  if (source.readyState === EventSource.CLOSED) setTimeout(listen, 2000); // the browser gave up: we do not
}

function notice() { // a tick comes each second: a connection without any is gone, though nobody has said so
  if (Math.abs(Date.now() - heard) < SILENT_MS) return; // a clock that is set back must not hide that until it has caught up
  say("down", "Connection lost, trying again");
  listen();
}

function take(tick) {
  counters = tick.counters;
  lag = tick.lag;
  waiting = tick.waiting;
  halted = tick.halted;
  unserved = tick.unserved;
  plansAre(tick.plans);
  const now = told = Date.now();
  rates.push({ rate: counters.orders_per_second, at: now });
  while (Math.abs(now - rates[0].at) > RATES_MS) rates.shift(); // before, or after: the clock was set back
  if (loading) meanwhile.push([tick, now]);
  happened(tick, now);
  show();
}

function happened(tick, now) { // told twice, it is there once
  for (const level of tick.skus) keep(level, now);
  tick.decisions.forEach(decided);
  tick.alerts.forEach(remember);
  tick.orders.forEach(placed);
}

function say(state, text) {
  if ($("state-text").textContent !== text) $("state-text").textContent = text;
  $("state").dataset.state = state;
}

function show() {
  if (dirty) return;
  dirty = true;
  requestAnimationFrame(() => { dirty = false; draw(); });
}

function draw() {
  if (counters) {
    $("rate").textContent = count.format(counters.orders_per_second);
    for (const name of ["confirmed", "rejected", "on_hold", "expired"]) $(name).textContent = count.format(counters[name]);
  }
  drawLow();
  drawLeftOut();
  if (source?.readyState === EventSource.OPEN && !paused && loaded) {
    if (lag === null) say("wait", "Broker does not answer");
    else if (halted) say("down", `${some(halted, "partition")} ${halted === 1 ? "stands" : "stand"} still, see Status`);
    else if (unserved) say("wait", `No worker for ${some(unserved, "partition")}, see Status`);
    else if (lag > 1000) say("wait", `${count.format(lag)} records behind`);
    else if (undecided() > 1000) say("wait", `${count.format(undecided())} wait to be decided`);
    else say("live", "Live");
  }
  spark();
  drawWork();
  drawStock();
  drawOrders();
  drawDecisions();
  drawAlerts();
  $("freshness").textContent = lag === null ? "Read from the topics of the pipeline." : `Read from the topics of the pipeline; ${count.format(lag)} records behind at ${clock(told)}.`;
}

function undecided() { // orders, or records of the logs that nobody has handled; an order may be among both, as they are told at two times
  return Math.max(counters.pending, waiting);
}

function drawLow() {
  const states = [...skus.values()].map((one) => one.state).filter((state) => RANK[state] < RANK[""]), urgent = states.filter((state) => state !== "low").length;
  $("low").textContent = count.format(states.length);
  $("low-hint").textContent = urgent ? `${count.format(urgent)} urgent` : "";
  $("low-card").className = `card ${urgent ? "bad" : states.length ? "wait" : "good"}`;
}

function drawLeftOut() {
  const left = partial && counters && counters.skus > skus.size;
  $("left-out").hidden = !left;
  if (left) $("held").textContent = `${count.format(skus.size)} of ${count.format(counters.skus)} SKUs`;
}

function spark() {
  const [area, line] = $("spark").children;
  if (rates.length < 2) return;
  const top = Math.max(...rates.map(({ rate }) => rate), 1) * 1.1;
  const points = rates.map(({ rate, at }) => `${(240 * (1 - (told - at) / RATES_MS)).toFixed(1)},${(54 - (rate / top) * 50).toFixed(1)}`);
  line.setAttribute("d", `M${points.join("L")}`);
  area.setAttribute("d", `M${points[0].split(",")[0]},56L${points.join("L")}L240,56Z`);
}

const folded = (text) => text.normalize("NFKD").replace(/\p{Mn}/gu, "").toUpperCase().toLowerCase(); // as the API's `q`

function chosen() {
  const wanted = folded($("find").value.trim()), order = $("sort").value;
  let found = [...skus.values()];
  if (wanted) found = found.filter(({ level }) => folded(`${level.sku} ${level.flavor} ${level.packaging} ${level.size}`).includes(wanted));
  const byName = (a, b) => (a.level.sku < b.level.sku ? -1 : 1);
  if (order === "moved") found.sort((a, b) => b.moved - a.moved || byName(a, b));
  else if (order === "least") found.sort((a, b) => a.level.available - b.level.available || byName(a, b));
  else if (order === "name") found.sort(byName);
  else found.sort((a, b) => RANK[a.state] - RANK[b.state] || byName(a, b));
  $("stock-hint").textContent = found.length > rowsShown ? `${rowsShown} of ${count.format(found.length)} SKUs` : some(found.length, "SKU");
  moreButton($("more"), Math.min(found.length, ROWS_MAX) - rowsShown, 4 * ROWS_STEP);
  return found.slice(0, rowsShown);
}

function drawStock() {
  const found = chosen(), body = $("levels"), wanted = new Set(found.map(({ level }) => level.sku)), focused = document.activeElement;
  for (const [sku, row] of rows) if (!wanted.has(sku)) { row.remove(); rows.delete(sku); }
  found.forEach(({ level, moved, state }, place) => {
    let row = rows.get(level.sku);
    if (!row) rows.set(level.sku, (row = makeRow(level)));
    if (row.version !== String(level.version)) fill(row, level, moved, state);
    if (body.children[place] !== row) body.insertBefore(row, body.children[place] || null);
  });
  if (document.activeElement !== focused && focused?.isConnected) focused.focus({ preventScroll: true }); // a row that is moved loses it
  $("no-stock").hidden = !loaded || found.length > 0;
  $("no-stock").textContent = skus.size ? "No SKU, flavor, packaging or size has this in it." : "No stock yet. It appears here as it is received.";
  body.parentElement.hidden = found.length === 0;
}

function makeRow(level) {
  const row = make("tr"), head = make("th", "sku");
  head.scope = "row";
  const lots = make("details", "lots");
  lots.append(make("summary", "", ""), make("ul", "", undefined));
  head.append(make("b", "", level.sku), make("em", "tag", ""), make("span", "", ""), lots);
  row.append(head, make("td", "num available-cell"), make("td", "num onhand-cell"), make("td", "places"));
  row.role = "row"; // on a phone the row is a grid, and a grid would lose the table's roles
  for (const cell of row.children) cell.role = cell === head ? "rowheader" : "cell";
  return row;
}

function fill(row, level, moved, state) {
  const [head, available, onHand, places] = row.children;
  head.children[2].textContent = [level.flavor, level.packaging, level.size].filter(Boolean).join(" · ");
  available.textContent = count.format(level.available);
  onHand.textContent = count.format(level.on_hand);
  const tag = head.children[1];
  tag.textContent = state;
  tag.hidden = !state;
  tag.className = `tag ${TONE[state] || ""}`;
  row.dataset.state = state;
  drawLots(head.children[3], level);
  const most = Math.max(1, ...level.locations.map((one) => one.on_hand));
  level.locations.forEach((one, place) => drawPlace(places.children[place] || places.appendChild(makePlace()), one, most));
  while (places.children.length > level.locations.length) places.lastChild.remove();
  if (row.version && moved) { row.classList.remove("moved"); void row.offsetWidth; row.classList.add("moved"); }
  row.version = String(level.version);
}

function drawLots(details, level) {
  const found = level.locations.flatMap((at) => at.lots.map((lot) => ({ ...lot, at: at.location })));
  found.sort((a, b) => (a.best_before || "9999") < (b.best_before || "9999") ? -1 : 1);
  const [summary, list] = details.children, held = found.filter((lot) => lot.status !== "approved").length;
  details.hidden = found.length === 0;
  summary.textContent = `${some(found.length, "lot")}${held ? `, ${held} held back` : ""}`;
  list.replaceChildren(...found.map((lot) => {
    const item = make("li"), blocked = lot.blocked ? `, ${count.format(lot.blocked)} blocked` : "";
    item.append(make("b", "", lot.lot), make("span", "", `${lot.at}, ${some(lot.on_hand)}${blocked}`));
    item.append(make("span", "", lot.best_before ? `best before ${lot.best_before}` : "no best-before"), make("span", `tag ${LOT_TONE[lot.status] || "dull"}`, plain(lot.status)));
    return item;
  }));
}

function makePlace() {
  const place = make("div", "place"), bar = make("span", "bar");
  bar.setAttribute("role", "img");
  for (const [, name] of PARTS) bar.append(make("i", name));
  place.append(make("span", "name"), bar, make("span", "count"), make("span", "coming"));
  return place;
}

function drawPlace(place, level, most) {
  const [name, bar, shown, coming] = place.children;
  coming.textContent = comingText(level);
  coming.hidden = !coming.textContent;
  place.dataset.state = stateOf(level);
  name.textContent = name.title = level.location;
  shown.textContent = count.format(level.available);
  PARTS.forEach(([field], part) => { bar.children[part].style.width = `${(100 * Math.max(level[field], 0)) / most}%`; });
  const text = PARTS.filter(([field]) => level[field]).map(([field]) => `${level[field]} ${field.replace("_", " ")}`).join(", ");
  bar.setAttribute("aria-label", `${level.location}: ${text || "nothing"}`);
  bar.title = text || "nothing";
}

function comingText(level) {
  const units = level.incoming.reduce((sum, one) => sum + one.quantity, 0);
  const days = level.incoming.map((one) => one.expected).filter(Boolean).sort();
  const parts = [];
  if (level.out_since) parts.push(`out since ${day(level.out_since)}, ${clock(level.out_since)}`);
  if (units) parts.push(`${count.format(units)} incoming${days.length ? `, first ${days[0]}` : ""}`);
  if (level.backordered) parts.push(`${count.format(level.backordered)} backordered`);
  if (level.shortage) parts.push(`${count.format(level.shortage)} short`);
  return parts.join("; ");
}

function workItems() { // what is open, the most urgent first
  const found = [], begun = Date.now() - WORK_DAYS * 86400000;
  for (const { level } of skus.values()) {
    for (const at of level.locations) found.push(...heldBack(level.sku, at));
    for (const at of level.locations) if (at.shortage > 0) found.push({ kind: "short", title: level.sku, text: `${at.location}: ${count.format(at.shortage)} owed and not there`, time: shortSince.get(`${level.sku}|${at.location}`) || "" });
  }
  for (const order of paid.values()) found.push({ kind: "paid_unallocated", title: order.order_id, text: `${order.channel}: paid after it expired, ${some(order.units)} not held`, time: order.time });
  for (const alert of noted.values()) {
    const item = notedItem(alert, begun);
    if (item) found.push({ title: alert.sku, time: alert.time, ...item });
  }
  return found.sort((a, b) => URGENCY[a.kind] - URGENCY[b.kind] || (a.time < b.time ? 1 : -1));
}

function heldBack(sku, at) { // lots that must not stay where they are
  const text = { recalled: "frozen", expired: "past best before" };
  return at.lots.filter((lot) => text[lot.status]).map((lot) => ({ kind: lot.status, title: sku, text: `${at.location}: ${some(lot.on_hand)} of lot ${lot.lot}, ${text[lot.status]}`, time: "" }));
}

function notedItem(alert, begun) { // null: it is over
  const place = skus.get(alert.sku)?.level.locations.find((one) => one.location === alert.location);
  const lot = place?.lots.find((one) => one.lot === alert.lot), off = Math.abs(alert.units), more = alert.note ? ` (${alert.note})` : "";
  if (alert.kind === "expiring") return lot && !["recalled", "expired"].includes(lot.status) ? { kind: "expiring", text: `${alert.location}: ${some(lot.on_hand)} of lot ${alert.lot}, best before ${lot.best_before}` } : null;
  if (alert.time && Date.parse(alert.time) < begun) return null; // nothing says when these are over
  if (alert.kind === "discrepancy") return { kind: "discrepancy", text: `${alert.location}: ${some(off)} ${alert.units < 0 ? "missing" : "too many"}${more}` };
  return { kind: "recount", text: `${alert.location}: ${alert.units ? `a count is off by ${count.format(off)}; count again` : "a count came too late; count again"}${more}` };
}

function drawWork() {
  const found = workItems();
  $("work").replaceChildren(...found.slice(0, workShown).map((one) => entry(one.kind === "expired" ? "out" : one.kind, plain(one.kind), one.title, one.text, one.time)));
  const full = noted.size >= WORK_MAX || paid.size >= WORK_MAX; // what came before these is not held
  $("work-hint").textContent = found.length ? `${count.format(found.length)}${full ? " or more" : ""} to do` : "";
  moreButton($("more-work"), found.length - workShown, WORK_MORE_STEP);
  $("no-work").hidden = !loaded || found.length > 0;
}

function drawOrders() {
  $("orders").replaceChildren(...orders.map((one) => {
    const parts = [`${one.channel}, ${some(one.units)}`];
    for (const at of one.fulfilments) parts.push([at.location, plain(at.state), at.tracking.join(", "), plain(at.tracking_status)].filter(Boolean).join(" "));
    for (const back of one.returns) parts.push(`return ${back.return_id} ${plain(back.state)}, ${some(back.units)}`);
    if (one.payment_wanted) parts.push(`${one.payment_wanted} the payment`);
    return entry(one.status, plain(one.status), one.order_id, parts.join("; "), one.time);
  }));
  $("no-orders").hidden = !loaded || orders.length > 0;
}

function drawDecisions() {
  $("decisions").replaceChildren(...decisions.map((one) => {
    const first = one.lines[0], more = one.lines.length - 1;
    const lines = first ? `${count.format(first.quantity)} × ${first.sku}${more > 0 ? ` and ${more} more` : ""}` : "no lines";
    const why = one.reason && one.status !== "confirmed" ? `: ${words(one.reason)}` : "";
    return entry(one.status, one.status, one.order_id, `${one.channel}, ${lines}${why}`, one.decided_at);
  }));
  $("no-decisions").hidden = !loaded || decisions.length > 0;
}

function drawAlerts() {
  const shown = [...alerts.filter((one) => one.kind !== "restored"), ...alerts.filter((one) => one.kind === "restored")].slice(0, FEED_MAX);
  $("alerts").replaceChildren(...shown.map((one) => {
    const text = `${count.format(one.available)} available${one.reorder_point ? `, reorder point ${count.format(one.reorder_point)}` : ""}`;
    return entry(one.kind, one.kind, one.sku, `${one.location}: ${text}`, one.time);
  }));
  $("no-alerts").hidden = !loaded || shown.length > 0;
}

function entry(kind, label, title, text, time) {
  const shown = clock(time), when = make("time", "", shown && day(time) !== day(Date.now()) ? day(time) : shown);
  if (time) when.dateTime = time;
  if (shown) when.title = `${day(time)}, ${shown}`;
  return item(TONE[kind], label, title, text, when);
}

$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  $("pause").textContent = paused ? "Resume" : "Pause";
  if (paused) say("wait", "Paused");
  else load();
});
$("more").addEventListener("click", () => { rowsShown = Math.min(rowsShown + 4 * ROWS_STEP, ROWS_MAX); show(); });
$("more-work").addEventListener("click", () => { workShown += WORK_MORE_STEP; show(); });
$("find").addEventListener("input", find);
$("sort").addEventListener("change", show);
listen();
setInterval(notice, 1000);
