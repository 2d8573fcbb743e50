// The sandbox page: redraws from the server when something changed, and sends what the person does.
// The server draws everything; nothing here builds HTML from data.
import { morph } from "./morph.js";

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const app = () => $("#app");
const me = () => app().dataset.personEmail;

// ---------------------------------------------------------------- talking to the server

async function post(path, data) {
  try {
    const response = await fetch(`/page/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ person: me(), ...data }),
    });
    const answer = await response.json();
    return answer.error ? { ok: false, warning: answer.error } : answer;
  } catch {
    return { ok: false, warning: "The sandbox does not answer. Is it still running?" };
  }
}

let drawing = false;
let again = false;

async function redraw() {
  if (drawing) {
    again = true;
    return;
  }
  drawing = true;
  try {
    do {
      again = false;
      const address = location.search;
      const response = await fetch(`/page/app${address || "?"}${address ? "" : `as=${encodeURIComponent(me())}`}`);
      if (!response.ok) break;
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      if (address === location.search) join($("#app", page));
      else again = true;
    } while (again);
  } catch {
    // The stream says when the server is back, and asks for a redraw then.
  } finally {
    drawing = false;
  }
}

let timer = 0;
const redrawSoon = () => {
  clearTimeout(timer);
  timer = setTimeout(redraw, 40);
};

function listen() {
  const stream = new EventSource("/page/events");
  stream.addEventListener("change", redrawSoon);
  stream.addEventListener("warning", (event) => {
    const { text, people } = JSON.parse(event.data);
    if (people.includes(app().dataset.userId)) toast(text, "bad");
  });
  stream.addEventListener("open", () => document.documentElement.removeAttribute("data-offline"));
  stream.addEventListener("error", () => document.documentElement.setAttribute("data-offline", ""));
}

// ---------------------------------------------------------------- drawing

const atBottom = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 80;

function join(fresh) {
  const before = new Map($$("[data-scroll]").map((box) => [box.dataset.scroll, atBottom(box)]));
  const seen = new Set($$("article[data-key]").map((m) => m.dataset.key));
  const place = app().dataset.href;
  morph(app(), fresh);
  const moved = place !== app().dataset.href;
  for (const box of $$("[data-scroll]")) {
    if (!before.has(box.dataset.scroll)) box.scrollTop = box.hasAttribute("data-bottom") ? box.scrollHeight : 0;
    else if (box.hasAttribute("data-bottom") && before.get(box.dataset.scroll)) box.scrollTop = box.scrollHeight;
  }
  settle(moved);
  if (!moved) announce(seen);
}

// Whatever must follow a drawing: open the modal, mark as read, show the chosen person.
function settle(moved) {
  const modal = $("dialog[data-modal]");
  if (modal && !modal.open) {
    modal.showModal();
    const first = $("[autofocus]", modal) || $(".sheet-body :is(input, select, textarea, button)", modal);
    if (first) first.focus();
  }
  const { unread, at, total } = app().dataset;
  const name = $(".person.chosen .name")?.textContent || "";
  document.title = `${Number(total) ? `(${total}) ` : ""}${name} · Baton sandbox`;
  if (Number(unread) && document.visibilityState === "visible") post("read", { channel: at });
  if (moved) {
    $(".person.chosen")?.scrollIntoView({ block: "nearest", inline: "center" });
    if (at === "home") post("home", {});
  }
  tick();
}

function announce(seen) {
  const news = $$(".messages article[data-key]").filter((m) => !seen.has(m.dataset.key));
  for (const message of news) message.classList.add("arrived");
  const last = news.at(-1);
  if (last) $("#announce").textContent = `${last.getAttribute("aria-label")}: ${$(".body", last).textContent.trim().slice(0, 200)}`;
}

function go(href) {
  history.pushState(null, "", href);
  redraw();
}

// The clock goes on between two drawings, from the instant the server told.
const drawnAt = new WeakMap();
const formats = new Map();
function zoned(zone) {
  if (!formats.has(zone)) {
    formats.set(zone, new Intl.DateTimeFormat("en-GB", {
      timeZone: zone, weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
    }));
  }
  return formats.get(zone);
}
function tick() {
  for (const time of $$("[data-live]")) {
    const known = drawnAt.get(time);
    const start = known && known.now === time.dataset.now ? known : { now: time.dataset.now, at: performance.now() };
    drawnAt.set(time, start);
    const instant = new Date(Date.parse(start.now) + performance.now() - start.at);
    const parts = Object.fromEntries(zoned(time.dataset.zone).formatToParts(instant).map((p) => [p.type, p.value]));
    const clock = `${parts.hour}:${parts.minute}`;
    const text = time.dataset.live === "time" ? clock : `${parts.weekday} ${parts.day} ${parts.month} ${clock}`;
    if (time.textContent !== text) time.textContent = text;
  }
}

// ---------------------------------------------------------------- toasts and confirm dialogs

function toast(text, kind = "good") {
  const box = $("#toasts");
  if (!text || [...box.children].some((t) => t.textContent === text)) return;
  const note = document.createElement("p");
  note.className = `toast ${kind}`;
  note.textContent = text;
  box.append(note);
  setTimeout(() => note.remove(), kind === "bad" ? 8000 : 4500);
}

function confirmed(element) {
  const { confirmTitle, confirmText, confirmOk, confirmDeny, confirmStyle } = element.dataset;
  if (confirmTitle === undefined) return Promise.resolve(true);
  const dialog = $("#confirm-dialog");
  $("#confirm-title").textContent = confirmTitle;
  $("#confirm-text").textContent = confirmText;
  const yes = $("[data-confirm=yes]", dialog);
  const no = $("[data-confirm=no]", dialog);
  yes.textContent = confirmOk;
  yes.className = `btn ${confirmStyle}`;
  no.textContent = confirmDeny;
  dialog.returnValue = "";
  dialog.showModal();
  (confirmStyle === "danger" ? no : yes).focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

// ---------------------------------------------------------------- Block Kit

const choiceOf = (element) => {
  if (element.type === "radio") return element.checked ? element.value : null;
  if (element.multiple) return [...element.selectedOptions].map((o) => o.value);
  if (element.matches("input, select, textarea")) return element.value || null;
  return element.dataset.value || null;
};

// What is filled in, as block id -> action id -> choice.
function filledIn(root) {
  const values = {};
  for (const field of $$("input[data-action-id], select[data-action-id], textarea[data-action-id]", root)) {
    const actions = (values[field.dataset.blockId] ||= {});
    const id = field.dataset.actionId;
    if (field.type === "checkbox") {
      actions[id] ||= [];
      if (field.checked) actions[id].push(field.value);
    } else if (field.type === "radio") {
      actions[id] ??= null;
      if (field.checked) actions[id] = field.value;
    } else {
      actions[id] = choiceOf(field);
    }
  }
  return values;
}

async function perform(element) {
  if (element.hasAttribute("data-busy")) return;
  const menu = element.closest("details.menu");
  if (menu) {
    menu.open = false;
    $("summary", menu).focus();
  }
  if (!(await confirmed(element))) {
    if (element.matches("select")) element.value = "";
    return;
  }
  const busy = menu ? $("summary", menu) : element;
  busy.setAttribute("data-busy", "");
  const view = element.closest("[data-view-id]");
  const message = element.closest("article[data-ts]");
  const { blockId, actionId } = element.dataset;
  let choice = choiceOf(element);
  if (element.type === "checkbox") choice = filledIn(element.closest(".choices"))[blockId][actionId];
  const what = { block_id: blockId, action_id: actionId, choice };
  const answer = view
    ? await post("view/click", { ...what, view: view.dataset.viewId, values: filledIn(view) })
    : await post("click", { ...what, channel: message.dataset.channel, ts: message.dataset.ts });
  busy.removeAttribute("data-busy");
  if (!answer.ok) toast(answer.warning, "bad");
  redrawSoon();
}

function showErrors(form, errors) {
  for (const slot of $$("[data-error]", form)) slot.textContent = "";
  for (const block of $$("[data-input]", form)) {
    const text = errors[block.dataset.blockId] || "";
    $("[data-error]", block).textContent = text;
    for (const field of $$("[data-action-id]", block)) {
      if (text) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    }
  }
  $("[data-form-error]", form).textContent = errors[""] || "";
  $("[aria-invalid=true]", form)?.focus();
}

async function submitView(form) {
  const dialog = form.closest("[data-view-id]");
  const button = $("[data-submit-view]", form);
  if (!button || button.hasAttribute("data-busy")) return;
  button.setAttribute("data-busy", "");
  const answer = await post("view/submit", { view: dialog.dataset.viewId, values: filledIn(dialog) });
  button.removeAttribute("data-busy");
  showErrors(form, answer.ok ? {} : (answer.errors ?? { "": answer.warning }));
  redrawSoon();
}

async function closeView(dialog) {
  await post("view/close", { view: dialog.dataset.viewId });
  redrawSoon();
}

// ---------------------------------------------------------------- leads, the clock, commands

async function postLead(form) {
  const button = $("[type=submit]", form);
  if (button.hasAttribute("data-busy")) return;
  button.setAttribute("data-busy", "");
  const sample = $("[data-sample][aria-pressed=true]", form);
  const { ok, answer, warning, following } = await post("lead", {
    lead: Object.fromEntries(new FormData(form)),
    sample: Number(sample.dataset.sample),
  });
  button.removeAttribute("data-busy");
  const result = answer?.results?.[0] ?? {};
  if (ok && result.status !== "quarantined") {
    $("#lead-dialog").close();
    const known = result.status === "updated" || result.status === "duplicate";
    toast(known ? "Baton knows this lead already: the news went to whoever has it." : "Posted, and taken by Baton.");
    sample.dataset.values = JSON.stringify(following);
    takeSample(sample);
    $("[data-form-error]", form).textContent = "";
  } else {
    const why = result.reason || result.detail || answer?.error || warning || "no reason given";
    $("[data-form-error]", form).textContent = `Baton did not take it: ${typeof why === "string" ? why : JSON.stringify(why)}`;
  }
  redrawSoon();
}

function takeSample(button) {
  for (const other of $$("[data-sample]")) other.setAttribute("aria-pressed", String(other === button));
  for (const [name, value] of Object.entries(JSON.parse(button.dataset.values))) {
    const field = $("#lead-form").elements.namedItem(name);
    if (field) field.value = value;
  }
}

async function moveClock(button) {
  if (button.hasAttribute("data-busy")) return;
  button.setAttribute("data-busy", "");
  const move = button.dataset.clock;
  const answer = await post("clock", { move: move === "next" ? "next" : Number(move) });
  button.removeAttribute("data-busy");
  if (!answer.ok) toast(answer.warning, "bad");
  await redraw();
}

async function sendCommand(form) {
  const field = $("#command", form);
  const text = field.value.trim();
  closeSuggestions();
  if (!text) return;
  if (!text.startsWith("/")) {
    toast("Only commands work here, such as /lead mine.", "bad");
    return;
  }
  field.value = "";
  const answer = await post("command", { channel: app().dataset.at, text });
  if (!answer.ok) toast(answer.warning, "bad");
  redrawSoon();
}

const suggestions = () => $$("#suggestions [data-suggestion]:not([hidden])");
let chosen = -1;

function suggest() {
  const field = $("#command");
  const typed = field.value.toLowerCase();
  let any = false;
  for (const option of $$("#suggestions [data-suggestion]")) {
    const fits = option.dataset.suggestion.startsWith(typed) && option.dataset.suggestion !== typed;
    option.hidden = !fits;
    any ||= fits;
  }
  $("#suggestions").hidden = !any;
  field.setAttribute("aria-expanded", String(any));
  choose(-1);
}

function closeSuggestions() {
  const list = $("#suggestions");
  if (!list) return;
  list.hidden = true;
  $("#command").setAttribute("aria-expanded", "false");
  choose(-1);
}

function choose(index) {
  chosen = index;
  const options = suggestions();
  options.forEach((option, i) => option.setAttribute("aria-selected", String(i === index)));
  const field = $("#command");
  if (options[index]) {
    field.setAttribute("aria-activedescendant", options[index].id);
    options[index].scrollIntoView({ block: "nearest" });
  } else field.removeAttribute("aria-activedescendant");
}

function fill(option) {
  const field = $("#command");
  field.value = option.dataset.suggestion;
  field.focus();
  closeSuggestions();
}

// ---------------------------------------------------------------- what the person does

document.addEventListener("click", (event) => {
  const on = (selector) => event.target.closest?.(selector);
  for (const menu of $$("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  if (!on("#composer")) closeSuggestions();

  const nav = on("a[data-nav]");
  if (nav && !event.metaKey && !event.ctrlKey && !event.shiftKey && event.button === 0) {
    event.preventDefault();
    go(nav.getAttribute("href"));
    return;
  }
  const element = on("button[data-dispatch], a[data-dispatch]");
  if (element) perform(element);
  else if (on("[data-clock]")) moveClock(on("[data-clock]"));
  else if (on("[data-open-lead]")) $("#lead-dialog").showModal();
  else if (on("[data-close-lead]")) $("#lead-dialog").close();
  else if (on("[data-sample]")) takeSample(on("[data-sample]"));
  else if (on("[data-close-view]")) closeView(on("dialog"));
  else if (on("[data-confirm]")) $("#confirm-dialog").close(on("[data-confirm]").dataset.confirm);
  else if (on("[data-suggestion]")) fill(on("[data-suggestion]"));
  else if (on("[data-guide-dismiss]")) hideGuide();
});

document.addEventListener("change", (event) => {
  if (event.target.matches("select[data-dispatch], input[data-dispatch]")) perform(event.target);
});

document.addEventListener("submit", (event) => {
  event.preventDefault();
  if (event.target.matches("[data-view-form]")) submitView(event.target);
  else if (event.target.id === "lead-form") postLead(event.target);
  else if (event.target.id === "composer") {
    if (chosen >= 0) fill(suggestions()[chosen]);
    else sendCommand(event.target);
  }
});

// Escape cancels a modal on the server too; the server's answer then closes it here.
document.addEventListener("cancel", (event) => {
  if (!event.target.matches("dialog[data-modal]")) return;
  event.preventDefault();
  closeView(event.target);
}, true);

// A menu opens upwards when there is no room below.
document.addEventListener("toggle", (event) => {
  const menu = event.target;
  if (!menu.matches?.("details.menu") || !menu.open) return;
  const list = $(".menu-list", menu);
  menu.removeAttribute("data-up");
  menu.removeAttribute("data-left");
  const box = menu.closest(".scroll, .sheet-body")?.getBoundingClientRect() ?? document.body.getBoundingClientRect();
  const place = list.getBoundingClientRect();
  menu.toggleAttribute("data-up", place.bottom > box.bottom && place.height < menu.getBoundingClientRect().top - box.top);
  menu.toggleAttribute("data-left", place.right > box.right);
}, true);

document.addEventListener("input", (event) => {
  if (event.target.id === "command") suggest();
  // What was wrong is being mended: the next refusal says what still is.
  const form = event.target.closest?.("[data-view-form]");
  if (form) showErrors(form, {});
});
document.addEventListener("focusin", (event) => {
  if (event.target.id === "command") suggest();
});

document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.("details.menu[open]");
  if (menu && event.key === "Escape") {
    menu.open = false;
    $("summary", menu).focus();
  }
  if (menu && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    event.preventDefault();
    const items = $$(".menu-item", menu);
    const at = items.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
    items[(at + items.length) % items.length]?.focus();
  }
  if (event.target.id !== "command") return;
  const options = suggestions();
  const open = !$("#suggestions").hidden && options.length > 0;
  if (event.key === "Escape") closeSuggestions();
  else if (open && event.key === "ArrowDown") choose((chosen + 1) % options.length);
  else if (open && event.key === "ArrowUp") choose((chosen - 1 + options.length) % options.length);
  else if (open && event.key === "Tab" && chosen >= 0) fill(options[chosen]);
  else return;
  if (open) event.preventDefault();
});

function hideGuide() {
  document.documentElement.setAttribute("data-guide", "off");
  localStorage.setItem("baton-guide", "off");
}

window.addEventListener("popstate", redraw);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && redrawSoon());

if (localStorage.getItem("baton-guide") === "off") document.documentElement.setAttribute("data-guide", "off");
// From now on the address says who and where, so that a redraw never falls back to somebody else.
history.replaceState(null, "", app().dataset.href);
for (const box of $$("[data-scroll][data-bottom]")) box.scrollTop = box.scrollHeight;
settle(true);
setInterval(tick, 1000);
listen();
