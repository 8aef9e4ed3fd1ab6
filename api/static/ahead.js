// What is to come: forecasts' alerts and what to order, one entry per SKU and location, the earliest day first.
// Asked for anew when the live stream says that plans changed; a round of the forecaster changes all of them at once.
import { askAll, count, item, make, moreButton } from "./parts.js";

const STEP = 6, MORE_STEP = 200, PAGES_MAX = 10, WAIT_MS = 1000;
const KINDS = { stockout_predicted: ["bad", "runs out"], expiring_before_sold: ["wait", "expires unsold"], overstock: ["dull", "too much"] };
const URGENCY = Object.keys(KINDS);
const $ = (id) => document.getElementById(id);
const opened = new Set(); // reasons that somebody looks at
let shown = STEP, asked = null, found = [], partial = false;

export function plansAre(number) { // `number`: of the last change, by the live stream
  if (number === asked) return;
  setTimeout(() => load(number), asked === null ? 0 : WAIT_MS); // the rest of a round comes meanwhile
  asked = number;
}

export function forgetPlans() { // another stream may count anew
  asked = null;
}

async function load(number) {
  if (number !== asked) return; // there is news already
  try {
    const [alerts, reorders] = await Promise.all([askAll("/v1/forecast-alerts", PAGES_MAX), askAll("/v1/reorders", PAGES_MAX)]);
    if (number !== asked) return;
    found = entries(alerts.items, reorders.items);
    partial = alerts.more || reorders.more;
    draw();
  } catch { // the view is catching up, or the connection is gone: the next tick asks again
    if (number === asked) asked = -1;
  }
}

function entries(alerts, reorders) {
  const places = new Map(); // SKU and location -> what is to come there
  const at = ({ sku, location }) => {
    const key = JSON.stringify([sku, location]);
    if (!places.has(key)) places.set(key, { sku, location, alerts: [], order: null, decided: null });
    return places.get(key);
  };
  for (const alert of alerts) if (KINDS[alert.kind]) at(alert).alerts.push(alert);
  for (const one of reorders) if (one.quantity > 0) at(one)[one.decision ? "decided" : "order"] = one;
  for (const [key, place] of places) {
    if (!place.order && !place.alerts.length) { // what was decided is nobody's to do any more
      places.delete(key);
      continue;
    }
    place.alerts.sort((a, b) => URGENCY.indexOf(a.kind) - URGENCY.indexOf(b.kind));
    place.kind = place.alerts[0]?.kind || "";
    place.day = place.kind === URGENCY[0] || !place.order ? place.alerts[0].day : place.order.order_by;
  }
  return [...places.values()].sort((a, b) => rank(a) - rank(b) || (a.day < b.day ? -1 : a.day > b.day ? 1 : 0));
}

function rank({ kind, order, decided }) { // what is ordered is on its way; what was dismissed runs out all the same
  if (!order && decided?.decision.decision === "accepted") return 3;
  return kind === URGENCY[0] ? 0 : order ? 1 : 2;
}

function toDo(order) {
  const units = count.format(order.quantity), there = order.expected ? `, there ${order.expected}` : "";
  if (order.kind === "transfer") return `Move ${units} from ${order.from_location} by ${order.order_by}${there}.`;
  return `Order ${units}${order.supplier ? ` from ${order.supplier}` : ""} by ${order.order_by}${there}.`;
}

function done({ decision, kind }) {
  if (decision.decision === "dismissed") return `Dismissed${decision.reason ? `: ${decision.reason}` : ""}.`;
  return `${count.format(decision.quantity)} ${kind === "transfer" ? "to be moved" : "ordered"}${decision.by ? ` by ${decision.by}` : ""}.`;
}

function why(reason, key) {
  const details = make("details", "lots");
  details.dataset.key = key;
  details.append(make("summary", "", "Why"), make("p", "", reason));
  details.open = opened.has(key);
  details.addEventListener("toggle", () => { if (details.open) opened.add(key); else opened.delete(key); });
  return details;
}

function draw() {
  const held = $("ahead").contains(document.activeElement) && document.activeElement.parentElement.dataset.key;
  $("ahead").replaceChildren(...found.slice(0, shown).map((one) => {
    const [tone, label] = KINDS[one.kind] || ["wait", one.order.kind === "transfer" ? "move" : "order"];
    const said = [...one.alerts.map((alert) => `${alert.note}.`), ...(one.order ? [toDo(one.order)] : []), ...(one.decided ? [done(one.decided)] : [])];
    const when = make("time", "", one.day);
    when.dateTime = one.day;
    const line = item(tone, label, one.sku, `${one.location}: ${said.join(" ")}`, when);
    const reason = (one.order || one.decided)?.reason;
    if (reason) line.querySelector(".what").append(why(reason, `${one.sku}|${one.location}`));
    return line;
  }));
  if (held) ([...$("ahead").querySelectorAll("details")].find(({ dataset }) => dataset.key === held)?.firstChild || $("ahead-panel")).focus({ preventScroll: true });
  const more = partial ? "; there are more: only the first by name were loaded" : "";
  $("ahead-hint").textContent = found.length ? `${count.format(found.length)} to look at${more}` : "";
  moreButton($("more-ahead"), found.length - shown, MORE_STEP);
  $("no-ahead").hidden = found.length > 0;
}

$("more-ahead").addEventListener("click", () => { shown += MORE_STEP; draw(); });
