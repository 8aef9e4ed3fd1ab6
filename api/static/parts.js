// What both parts of the page use: elements, numbers and questions to the API. Holds nothing.
export const count = new Intl.NumberFormat("en");
export const some = (number, what = "unit") => `${count.format(number)} ${what}${number === 1 ? "" : "s"}`;

export const make = (tag, name, text) => {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
};

export async function ask(path) {
  const answer = await fetch(path, { headers: { accept: "application/json" } });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

export async function askAll(path, pages) { // the items of a list, page after page, at most so many; whether there are `more`
  const found = [];
  let more = false;
  for (let after = ""; pages > 0; pages -= 1) {
    const answer = await ask(`${path}?limit=500${after}`);
    found.push(...answer.items);
    more = Boolean(answer.next);
    if (!more) break;
    after = `&after=${encodeURIComponent(answer.next)}`;
  }
  return { items: found, more };
}

export function moreButton(button, left, step) { // of a list of which so many are not shown; a click shows `step`
  if (left <= 0 && document.activeElement === button) button.closest(".panel").focus({ preventScroll: true }); // a hidden one would lose it
  button.hidden = left <= 0;
  button.textContent = left > step ? `Show ${step} more` : "Show all of it";
}

export function item(tone, label, title, text, when) { // of a list: a tag, what it is about, and when (an element)
  const line = make("li"), what = make("div", "what");
  what.append(make("b", "", title), make("small", "", text));
  line.append(make("span", `tag ${tone || "dull"}`, label), what, when);
  return line;
}
