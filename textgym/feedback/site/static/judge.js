// The judging page. All texts enter as text nodes, never as HTML. The server hands out one item at a time and
// acknowledges a judgement once it is on the disk; until then it stays here and is sent again.
"use strict";

const $ = (id) => document.getElementById(id);
const CSRF = document.querySelector("meta[name=csrf]").content;
const LABELS = "ABCDEFGHI";
const PAIR = [ // the scale: left much better … tie … right much better
  ["left", 3, "A is much better", "A ≫"], ["left", 2, "A is better", "A >"], ["left", 1, "A is slightly better", "A ≥"],
  ["tie", null, "Both are equally good", "="],
  ["right", 1, "B is slightly better", "≤ B"], ["right", 2, "B is better", "< B"], ["right", 3, "B is much better", "≪ B"],
];
const RATING = ["very poor", "poor", "fair", "good", "very good"];
const TIE = 3;
let item = null, place = null, order = [], criteria = {}, since = 0, seen = 0, isSending = false, canUndo = false, marks = null;

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") node.addEventListener("click", value);
    else if (typeof value === "boolean") node.toggleAttribute(name, value);
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

async function call(path, body) {
  const options = { method: "POST", headers: { "x-csrf-token": CSRF, "content-type": "application/json" } };
  const reply = await fetch(path, { ...options, body: JSON.stringify(body || {}) });
  const told = await reply.json().catch(() => ({ detail: "The server said nothing that could be read." }));
  if (!reply.ok) throw Object.assign(new Error(told.detail || reply.statusText), { status: reply.status });
  return told;
}

// Trouble on the way is no answer: the same judgement is sent again, and the server counts it once.
async function insist(path, body) {
  for (let wait = 500; ; wait = Math.min(2 * wait, 8000)) {
    try { return await call(path, body); } catch (error) {
      if (error.status && error.status < 500) throw error;
      toast("Not saved yet, trying again …", wait + 500);
      await new Promise((done) => setTimeout(done, wait));
    }
  }
}

function toast(text, milliseconds = 4000) {
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { $("toast").hidden = true; }, milliseconds);
}

function show(told) {
  const { judged, left, quiz_left: quiz } = told.progress;
  $("done").max = Math.max(1, judged + left);
  $("done").value = judged;
  $("count").textContent = quiz ? `quiz: ${quiz} to go` : `${judged} judged, ${left} to go`;
  canUndo = told.can_undo;
  $("undo").disabled = !canUndo;
  item = told.item;
  $("actions").hidden = !item;
  $("main").setAttribute("aria-busy", "false");
  if (!item) { showEnd(told); return; }
  place = null; order = []; criteria = {}; since = performance.now(); seen = 0;
  const kind = item.kind;
  marks = kind === "pair" ? compareTexts(item.responses[0].map((m) => m.content).join("\n"), item.responses[1].map((m) => m.content).join("\n")) : null;
  const isWorth = marks !== null && marks.shared >= 0.4;
  const parts = [];
  if (told.state === "quiz") parts.push(make("p", { class: "note" }, "Before the work begins, a few items whose answer is known. You are told after each."));
  parts.push(promptCard(), responseCards(isWorth), extras());
  $("main").replaceChildren(...parts);
  document.body.dataset.kind = kind;
  fillScale();
  fillKeys();
  $("more").setAttribute("aria-expanded", "false");
  window.scrollTo(0, 0);
  const prompt = $("prompt");
  if (prompt) prompt.scrollTop = prompt.scrollHeight; // of a long conversation the end matters
  refresh();
}

function showEnd(told) {
  const texts = {
    done: ["All done", "There is nothing left for you to judge. Thank you!"],
    wait: ["Almost done", "Others are working on what is left. This page looks again by itself."],
    paused: ["Your work is paused", `${told.reason ? told.reason + ". " : ""}Please talk to the person who invited you.`],
  };
  const [title, text] = texts[told.state];
  $("main").replaceChildren(make("div", { class: "card narrow end" }, make("h1", {}, title), make("p", {}, text)));
  if (canUndo && told.state !== "paused")
    $("main").firstChild.append(make("button", { type: "button", class: "quiet", on: takeBack }, make("kbd", {}, "u"), " Undo the last"));
  if (told.state === "wait") setTimeout(() => { if (!item) load(); }, 15000);
}

function messageNodes(messages) {
  return messages.map((m) => make("div", { class: `message ${m.role}` }, make("span", { class: "role" }, m.role), make("div", { class: "text", dir: "auto" }, m.content)));
}

function promptCard() {
  return make("section", { class: "card prompt", id: "prompt", tabindex: "0", "aria-label": "Request" }, ...messageNodes(item.prompt));
}

function responseCards(isMarked) {
  const cards = item.responses.map((messages, i) => {
    const label = item.responses.length > 1 ? LABELS[i] : "Answer";
    const head = make("h2", {}, label, make("span", { class: "rank" }));
    const card = make("section", { class: "card response", "data-index": String(i), "aria-label": `Answer ${label}` }, head);
    const isOne = messages.length === 1;
    card.append(...(isOne ? [make("div", { class: "text", dir: "auto" }, messages[0].content)] : messageNodes(messages)));
    if (item.kind !== "rating") card.addEventListener("click", (e) => { if (!e.target.closest("button") && !String(getSelection())) pick(i); });
    return card;
  });
  const grid = make("div", { class: `responses ${item.kind}`, id: "responses" }, ...cards);
  if (marks && item.responses.every((r) => r.length === 1)) {
    const button = make("button", { type: "button", id: "differences", class: "quiet small", "aria-pressed": "false", on: toggleDifferences }, make("kbd", {}, "d"), " Differences");
    cards[1].firstChild.append(button);
    if (isMarked) queueMicrotask(toggleDifferences);
  }
  return grid;
}

function toggleDifferences() {
  const button = $("differences");
  if (!button || !item) return;
  const isOn = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(isOn));
  document.querySelectorAll(".response > .text").forEach((node, i) => {
    const parts = isOn ? (i ? marks.right : marks.left) : [{ text: item.responses[i][0].content, same: true }];
    node.replaceChildren(...parts.map((p) => (p.same ? p.text : make("mark", {}, p.text))));
  });
}

function extras() {
  const box = make("section", { class: "card extras", id: "extras", hidden: true });
  if (item.criteria.length) {
    const head = make("tr", {}, make("th", {}, "Criteria, 1 (poor) to 5 (very good)"), ...item.responses.map((_, i) => make("th", { scope: "col" }, item.responses.length > 1 ? LABELS[i] : "Answer")));
    const rows = item.criteria.map((name) => make("tr", {}, make("th", { scope: "row" }, name), ...item.responses.map((_, i) => make("td", { "data-label": item.responses.length > 1 ? LABELS[i] : "" }, stars(name, i)))));
    box.append(make("div", { class: "scroll" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows))));
  }
  const comment = make("textarea", { id: "comment", rows: "2", maxlength: "4000", placeholder: "What decided it? (Ctrl+Enter sends)" });
  box.append(make("label", { for: "comment" }, "Comment"), comment);
  return box;
}

function stars(name, i) {
  const group = make("div", { class: "stars", role: "radiogroup", "aria-label": `${name}, ${LABELS[i]}` });
  for (let value = 1; value <= 5; value++)
    group.append(make("button", { type: "button", role: "radio", "aria-checked": "false", on: () => {
      criteria[name] = criteria[name] || item.responses.map(() => null);
      criteria[name][i] = criteria[name][i] === value ? null : value;
      [...group.children].forEach((b, v) => b.setAttribute("aria-checked", String(criteria[name][i] === v + 1)));
    } }, String(value)));
  return group;
}

function fillScale() {
  const steps = item.kind === "pair" ? PAIR.map((p) => [p[2], p[3]])
    : item.kind === "rating" ? RATING.map((text, i) => [text, String(i + 1)])
    : item.responses.map((_, i) => [`Answer ${LABELS[i]} is next best`, LABELS[i]]);
  $("scale").replaceChildren(...steps.map(([text, short], i) =>
    make("button", { type: "button", role: "radio", "aria-label": text, title: text, "aria-checked": "false", on: () => (item.kind === "ranking" ? pick(i) : choose(i)) }, short)));
}

function fillKeys() {
  const own = {
    pair: [["← →", "A or B, again for stronger"], ["t", "tie"], ["1 … 7", "a step of the scale"], ["d", "show differences"]],
    rating: [["1 … 5", "very poor … very good"], ["← →", "one less, one more"]],
    ranking: [[`1 … ${item.responses.length}`, "the answers, best first"], ["Backspace", "take the last one off"]],
  }[item.kind];
  const all = [...own, ["Enter", "send"], ["s", "skip"], ["u", "undo the last"], ["c", "comment and criteria"], ["g", "guidelines"], ["?", "this list"]];
  $("key-list").replaceChildren(...all.flatMap(([keys, text]) => [make("dt", {}, make("kbd", {}, keys)), make("dd", {}, text)]));
}

function pick(i) {
  if (item.kind === "pair") { choose(i ? (place > TIE ? Math.min(6, place + 1) : TIE + 1) : (place !== null && place < TIE ? Math.max(0, place - 1) : TIE - 1)); return; }
  order = order.includes(i) ? order.filter((x) => x !== i) : [...order, i];
  refresh();
}

function choose(step) { place = step; refresh(); }

function move(by) {
  if (item.kind === "pair") {
    const start = place === null || place === TIE ? TIE : place;
    choose(Math.max(0, Math.min(6, start + by)));
  } else if (item.kind === "rating") choose(place === null ? (by > 0 ? 3 : 1) : Math.max(0, Math.min(4, place + by)));
}

function answer() {
  if (item.kind === "ranking") {
    if (order.length < item.responses.length) return null;
    return { ranks: item.responses.map((_, i) => order.indexOf(i) + 1) };
  }
  if (place === null) return null;
  return item.kind === "rating" ? { rating: place + 1 } : { choice: PAIR[place][0], strength: PAIR[place][1] };
}

function refresh() {
  if (item.kind === "ranking" && order.length === item.responses.length - 1) // the last one is settled
    order = [...order, item.responses.findIndex((_, i) => !order.includes(i))];
  [...$("scale").children].forEach((b, i) => {
    const isOn = item.kind === "ranking" ? order.includes(i) : place === i;
    b.setAttribute("aria-checked", String(isOn));
  });
  document.querySelectorAll(".response").forEach((card, i) => {
    const isPicked = item.kind === "pair" ? place !== null && (i ? place > TIE : place < TIE) : order.includes(i);
    card.classList.toggle("picked", isPicked);
    card.querySelector(".rank").textContent = item.kind === "ranking" && order.includes(i) ? `rank ${order.indexOf(i) + 1}` : "";
  });
  $("send").disabled = answer() === null || isSending;
  $("send-text").textContent = place === null ? "Send" : (item.kind === "pair" ? PAIR[place][2] : RATING[place] || "Send");
}

function secondsSeen() {
  return (seen + (document.hidden ? 0 : performance.now() - since)) / 1000;
}

async function act(path, body) {
  if (isSending) return;
  isSending = true;
  $("send").disabled = true;
  let told = null;
  try {
    told = await insist(path, body);
  } catch (error) {
    toast(error.message);
    if (error.status === 409) told = await call("/api/next").catch(() => null);
  }
  isSending = false;
  if (told) { show(told); if (told.lesson) teach(told.lesson); }
  else if (item) refresh();
}

function send(verdict) {
  if (!item || !verdict) return;
  act("/api/judge", { item: item.id, ...verdict, criteria, comment: $("comment").value, seconds: secondsSeen() });
}

function takeBack() { if (canUndo) act("/api/undo"); }

function teach(lesson) {
  const right = { left: "A is better", right: "B is better", tie: "both are equally good" }[lesson.choice]
    || (lesson.rating ? `${lesson.rating}, ${RATING[Math.round(lesson.rating) - 1] || ""}` : `${LABELS[lesson.ranks.indexOf(1)]} is the best`);
  $("lesson-title").textContent = lesson.is_right ? "Right!" : "Not quite";
  $("lesson").dataset.right = String(lesson.is_right);
  $("lesson-answer").textContent = lesson.is_right ? "" : `This was a test item. The expected answer: ${right}.`;
  $("lesson-why").textContent = lesson.explanation;
  $("lesson").showModal();
}

async function openGuide() {
  const reply = await fetch(`/guide/${encodeURIComponent(item ? item.task : "general")}`);
  const page = new DOMParser().parseFromString(await reply.text(), "text/html"); // our own page, escaped by the server
  const guide = page.querySelector(".guide");
  guide.querySelectorAll(".button").forEach((b) => b.parentNode.remove());
  $("guide-text").replaceChildren(...guide.childNodes);
  $("guide").showModal();
  $("guide").scrollTop = 0; // the focus is on the button at its end
}

function toggleExtras() {
  const box = $("extras");
  box.hidden = !box.hidden;
  $("more").setAttribute("aria-expanded", String(!box.hidden));
  if (!box.hidden) { box.scrollIntoView({ block: "nearest" }); $("comment").focus(); }
}

function onKey(event) {
  const isTyping = event.target.matches("textarea, input");
  if (isTyping && event.key === "Escape") { event.target.blur(); return; }
  if (isTyping && event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); send(answer()); return; }
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.key === "u") { takeBack(); return; }
  if (event.key === "g") { openGuide(); return; }
  if (!item) return;
  if (event.key === "Enter" && event.target.closest("button:not(.scale button), a")) return; // a focused button does its own
  const digit = /^[1-9]$/.test(event.key) ? Number(event.key) - 1 : null;
  const actions = {
    ArrowLeft: () => move(-1), ArrowRight: () => move(1), Enter: () => send(answer()), s: () => send({ choice: "skip" }),
    t: () => item.kind === "pair" && choose(TIE), "=": () => item.kind === "pair" && choose(TIE), d: toggleDifferences,
    c: toggleExtras, r: toggleExtras, "?": () => $("keys").showModal(),
    Backspace: () => { order = order.slice(0, item.responses.length - 1 === order.length - 1 ? -2 : -1); refresh(); },
  };
  if (digit !== null && digit < $("scale").children.length) { event.preventDefault(); item.kind === "ranking" ? pick(digit) : choose(digit); }
  else if (Object.hasOwn(actions, event.key)) { event.preventDefault(); actions[event.key](); }
}

async function load() {
  try { show(await call("/api/next")); } catch (error) {
    $("main").replaceChildren(make("p", { class: "card narrow" }, error.message));
  }
}

document.addEventListener("keydown", onKey);
document.addEventListener("visibilitychange", () => { // time with the page out of sight is not judging time
  if (document.hidden) seen += performance.now() - since;
  else since = performance.now();
});
$("send").addEventListener("click", () => send(answer()));
$("skip").addEventListener("click", () => send({ choice: "skip" }));
$("undo").addEventListener("click", takeBack);
$("more").addEventListener("click", toggleExtras);
$("show-guide").addEventListener("click", openGuide);
$("show-keys").addEventListener("click", () => $("keys").showModal());
load();
