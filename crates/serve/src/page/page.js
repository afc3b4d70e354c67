// The page at /: asks /info what there is and /predict for labels. What people type or drop is only ever put in as text.

import { same, tableOf, written } from "./table.js";
import { why } from "./why.js";

const at = (id) => document.getElementById(id);
const state = { models: [], limits: { request_texts: 64 }, key: "", table: null, answers: [], stopped: null };

/** Rows that are asked at once: few enough for a moving bar. */
const ROWS_AT_ONCE = 64;
const ROWS_SHOWN = 50;
/** Times that a busy server is asked. */
const MOST_TRIES = 30;

/** An element with attributes and children; a string becomes text, never markup. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function say(problem) {
  at("problem").textContent = problem;
  at("problem").hidden = !problem;
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;
const pause = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

/** The answer of the server; waits where it is told to. */
async function ask(path, body, signal) {
  const headers = { "content-type": "application/json" };
  if (state.key) headers.authorization = `Bearer ${state.key}`;
  const init = { method: body ? "POST" : "GET", headers, signal };
  if (body) init.body = JSON.stringify(body);
  for (let tries = 1; ; tries++) {
    const response = await fetch(path, init);
    if (tries < MOST_TRIES && (response.status === 429 || (response.status === 503 && body))) {
      await pause(Number(response.headers.get("retry-after")) || 1);
      if (signal?.aborted) throw new DOMException("stopped", "AbortError");
      continue;
    }
    const answer = await response.json();
    if (response.ok) return answer;
    at("key-control").hidden = at("key-control").hidden && response.status !== 401;
    throw new Error(answer.error?.message ?? `${response.status}`);
  }
}

const chosen = () => state.models.find((model) => model.name === at("model").value);

async function load() {
  try {
    const info = await ask("/info");
    state.limits = info.limits;
    state.models = info.models.filter((model) => model.classes.length > 0);
    at("model").replaceChildren(...state.models.map((model) => element("option", { value: model.name }, model.name)));
    const none = info.ready ? "There is no model with labels here." : "The models are being loaded.";
    say(state.models.length ? "" : none);
    if (!info.ready) setTimeout(load, 1000);
    showFields();
  } catch (error) {
    say(error.message);
  }
}

/** A box for one text, or one for each column of the model. */
function showFields() {
  const model = chosen();
  const texts = model?.text_fields ?? [];
  const columns = (model?.columns ?? []).length > 1 ? model.columns : [""];
  const boxes = columns.map((name, place) => {
    const id = `field-${place}`;
    const long = !name || texts.includes(name);
    const box = long ? element("textarea", { id, rows: columns.length > 1 ? "2" : "4" }) : element("input", { id, type: "text" });
    box.dataset.column = name;
    return element("div", { class: "field" }, element("label", { for: id }, name || "Text"), box);
  });
  at("fields").replaceChildren(...boxes);
  at("answer").replaceChildren();
  at("ask").disabled = !model;
  showColumns();
}

function threshold() {
  const share = Number(at("below").value) / 100;
  return share >= 0 && share <= 1 ? share : 0;
}

async function askOne(event) {
  event?.preventDefault();
  const boxes = [...at("fields").querySelectorAll("[data-column]")];
  const body = { model: at("model").value, abstain_below: threshold() };
  if (boxes.length === 1) body.texts = [boxes[0].value];
  else body.rows = [Object.fromEntries(boxes.map((box) => [box.dataset.column, box.value]))];
  if (at("why").checked) body.explain = true;
  at("ask").disabled = true;
  at("answer").setAttribute("aria-busy", "true");
  try {
    const { answers, notes } = await ask("/predict", body);
    say("");
    at("answer").replaceChildren(shown(answers[0]), ...notes.map((note) => element("p", { class: "remark" }, note)));
  } catch (error) {
    say(error.message);
  }
  at("ask").disabled = false;
  at("answer").removeAttribute("aria-busy");
}

/** A bar as long as a share. Its number stands beside it, so that nobody needs to see it. */
function bar(share) {
  const made = at("bar").content.firstElementChild.cloneNode(true);
  made.querySelector(".share").setAttribute("width", 100 * share);
  return made;
}

function shown(answer) {
  const made = element("div");
  const label = answer.label ?? `No label: ${answer.reason}`;
  made.append(element("p", { class: "label" }, label));
  if (answer.unlike_training) {
    made.append(element("p", { class: "remark" }, "This is unlike what the model has learned from; take its probabilities with care."));
  }
  if (answer.probabilities) {
    const sorted = Object.entries(answer.probabilities).sort((a, b) => b[1] - a[1]);
    const line = ([name, share]) =>
      element("div", {}, element("dt", {}, name), element("dd", {}, bar(share)), element("dd", { class: "number" }, percent(share)));
    made.append(element("dl", { class: "bars" }, ...sorted.map(line)));
  }
  const more = element("dl");
  for (const [name, value] of Object.entries(answer.range ?? {})) {
    more.append(element("dt", {}, name), element("dd", {}, Number(value).toFixed(1)));
  }
  for (const [name, task] of Object.entries(answer.tasks ?? {})) {
    more.append(element("dt", {}, name), element("dd", {}, `${task.label} (${percent(task.probability)})`));
  }
  if (more.childElementCount) made.append(element("details", {}, element("summary", {}, "More answers"), more));
  if (answer.explanation) made.append(why(answer.explanation, element));
  return made;
}

async function take(file) {
  if (!file) return;
  stop();
  state.answers = [];
  state.table = null;
  try {
    state.table = tableOf(file.name, new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer()));
    if (!state.table.rows.length) throw new Error("it has no rows below its first line");
    at("file-status").textContent = `${file.name}: ${state.table.rows.length} rows, columns ${state.table.columns.join(", ")}`;
    say("");
  } catch (error) {
    state.table = null;
    const reason = error instanceof TypeError ? "it is not UTF-8; save it as such" : error.message;
    at("file-status").textContent = "";
    say(`${file.name} cannot be read: ${reason}`);
  }
  at("download").hidden = true;
  at("preview").hidden = true;
  showColumns();
}

/** A choice of the text column, where the table has none of the model's. */
function showColumns() {
  const [table, model] = [state.table, chosen()];
  const known = table && model && table.columns.some((column) => model.text_fields.some((field) => same(field, column)));
  at("start").hidden = !table || !model;
  at("column-control").hidden = !table || known;
  const columns = table?.columns ?? [];
  at("column").replaceChildren(...columns.map((name) => element("option", { value: name }, name)));
  const likely = columns.find((name) => /text|title|message|body|comment/i.test(name));
  if (likely) at("column").value = likely;
}

function stop() {
  state.stopped?.abort();
  state.stopped = null;
}

async function labelAll() {
  const { table } = state;
  stop();
  const control = new AbortController();
  state.stopped = control;
  state.answers = [];
  const own = at("column-control").hidden ? null : at("column").value;
  const [model, below] = [at("model").value, threshold()];
  const progress = at("progress");
  progress.max = table.rows.length;
  progress.value = 0;
  at("work").hidden = false;
  at("start").hidden = true;
  at("download").hidden = true;
  say("");
  const size = Math.min(ROWS_AT_ONCE, state.limits.request_texts);
  try {
    for (let i = 0; i < table.rows.length; i += size) {
      const rows = table.rows.slice(i, i + size);
      const text = (value) => (value == null ? "" : typeof value === "string" ? value : JSON.stringify(value));
      const body = { model, abstain_below: below };
      if (own) body.texts = rows.map((row) => text(row[own]));
      else body.rows = rows;
      const { answers } = await ask("/predict", body, control.signal);
      state.answers.push(...answers);
      progress.value = state.answers.length;
      at("file-status").textContent = `${state.answers.length} of ${table.rows.length} rows`;
      if (i === 0) preview();
    }
  } catch (error) {
    if (error.name !== "AbortError") say(error.message);
  }
  if (state.stopped !== control && state.stopped !== null) return;
  at("work").hidden = true;
  at("start").hidden = !state.table;
  at("download").hidden = state.answers.length === 0;
  preview();
}

function preview() {
  const { table, answers } = state;
  if (!answers.length) return;
  const names = ["label", "probability", ...table.columns.slice(0, 6)];
  const head = element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name)));
  const text = (value) => (value == null ? "" : typeof value === "string" ? value : JSON.stringify(value)).slice(0, 200);
  const lines = answers.slice(0, ROWS_SHOWN).map((answer, i) => {
    const cells = [answer.label ?? `(${answer.reason})`, answer.probability === undefined ? "" : percent(answer.probability)];
    cells.push(...table.columns.slice(0, 6).map((column) => text(table.rows[i][column])));
    return element("tr", {}, ...cells.map((cell) => element("td", {}, cell)));
  });
  const shownRows = Math.min(ROWS_SHOWN, answers.length);
  const caption = element("caption", {}, `The first ${shownRows} of ${answers.length} rows with answers`);
  const whole = element("table", {}, caption, element("thead", {}, head), element("tbody", {}, ...lines));
  at("preview").replaceChildren(whole);
  at("preview").hidden = false;
}

function download() {
  const { table } = state;
  const address = URL.createObjectURL(new Blob([written(state.table, state.answers)], { type: table.json ? "application/jsonl" : "text/csv" }));
  const [, stem, end] = /^(.*?)(\.[^.]*)?$/.exec(table.name);
  element("a", { href: address, download: `${stem}-labelled${end ?? ".csv"}` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

at("model").addEventListener("change", showFields);
at("text-form").addEventListener("submit", askOne);
at("text-form").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) askOne(event);
});
at("key-use").addEventListener("click", () => {
  state.key = at("key").value.trim();
  load();
});
at("file").addEventListener("change", (event) => take(event.target.files[0]));
at("start").addEventListener("click", labelAll);
at("cancel").addEventListener("click", stop);
at("download").addEventListener("click", download);
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    at("drop").classList.add("over");
  });
}
for (const kind of ["dragleave", "drop"]) document.addEventListener(kind, () => at("drop").classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  take(event.dataTransfer?.files[0]);
});

load();
