// Tables of the page: read from a file's text, and written with their answers. Nothing here touches the page.

/** Whether two names of columns are one. */
export const same = (a, b) => a.toLowerCase() === b.toLowerCase();

/** The records of a delimited table (RFC 4180): quotes may hold delimiters, quotes and line ends. */
function records(text, delimiter) {
  const all = [];
  let record = [], cell = "", quoted = false, started = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      if (c !== '"') cell += c;
      else if (text[i + 1] === '"') { cell += '"'; i++; }
      else quoted = false;
    } else if (c === '"' && cell === "") { quoted = true; started = true; }
    else if (c === delimiter) { record.push(cell); cell = ""; started = true; }
    else if (c === "\n" || c === "\r") {
      if (c === "\r" && text[i + 1] === "\n") i++;
      if (started || cell) all.push([...record, cell]);
      record = []; cell = ""; started = false;
    } else cell += c;
  }
  if (quoted) throw new Error("a quoted cell has no end");
  if (started || cell) all.push([...record, cell]);
  return all;
}

/** The delimiter that stands most often in the first line, outside of quotes. */
function delimiterOf(text) {
  const first = text.split(/\r?\n/, 1)[0].replace(/"[^"]*"/g, "");
  const counts = [",", ";", "\t", "|"].map((each) => [first.split(each).length - 1, each]);
  return counts.sort((a, b) => b[0] - a[0])[0][1];
}

/** A file as names of columns and rows by these names. */
export function tableOf(name, text) {
  text = text.replace(/^\uFEFF/, "");
  if (/\.(jsonl|ndjson|json)$/i.test(name)) {
    const lines = text.split(/\r?\n/).map((line, i) => [line, i + 1]).filter(([line]) => line.trim());
    const rows = lines.map(([line, number]) => {
      let row;
      try { row = JSON.parse(line); } catch (error) { throw new Error(`line ${number}: ${error.message}`); }
      if (row === null || typeof row !== "object" || Array.isArray(row)) throw new Error(`line ${number} is no object`);
      return row;
    });
    return { name, json: true, columns: [...new Set(rows.flatMap(Object.keys))], rows };
  }
  const delimiter = /\.(tsv|tab)$/i.test(name) ? "\t" : delimiterOf(text);
  const [columns = [], ...cells] = records(text, delimiter);
  const twice = columns.find((column, i) => columns.indexOf(column) !== i);
  if (twice !== undefined) throw new Error(`two columns are called "${twice}"`);
  const rows = cells.map((line) => Object.fromEntries(columns.map((column, i) => [column, line[i] ?? ""])));
  return { name, json: false, delimiter, columns, rows };
}

/** The name of an answer's column, where the table has one of that name. */
function free(name, taken) {
  let different = name;
  for (let times = 1; taken.some((other) => same(other, different)); times++) {
    different = times === 1 ? `${name} (answer)` : `${name} (answer ${times})`;
  }
  taken.push(different);
  return different;
}

/** The columns of the answers: their names, and what stands there. */
function answerColumns(answers, taken) {
  const first = answers.find((answer) => answer.probabilities) ?? {};
  const columns = [["label", (a) => a.label], ["probability", (a) => a.probability]];
  for (const name of Object.keys(first.probabilities ?? {})) columns.push([name, (a) => a.probabilities?.[name]]);
  for (const name of Object.keys(first.range ?? {})) columns.push([name, (a) => a.range?.[name]]);
  for (const name of Object.keys(first.tasks ?? {})) {
    columns.push([name, (a) => a.tasks?.[name]?.label], [`${name} probability`, (a) => a.tasks?.[name]?.probability]);
  }
  columns.push(["unlike training", (a) => a.unlike_training], ["reason", (a) => a.reason]);
  return columns.map(([name, of]) => [free(name, taken), of]);
}

/** A cell that no spreadsheet takes for a formula. */
function cellOf(value, delimiter) {
  let text = value == null ? "" : String(value);
  if (text.length > 1 && /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text))) text = `'${text}`;
  return text.includes(delimiter) || /["\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A table with its answers, in the form that it had. */
export function written(table, answers) {
  if (table.json) {
    const lines = answers.map((answer, i) => JSON.stringify({ input: table.rows[i], ...answer, line: i + 1 }));
    return lines.join("\n") + "\n";
  }
  const columns = answerColumns(answers, [...table.columns]);
  const line = (cells) => cells.map((cell) => cellOf(cell, table.delimiter)).join(table.delimiter);
  const head = line([...table.columns, ...columns.map(([name]) => name)]);
  const body = answers.map((answer, i) =>
    line([...table.columns.map((column) => table.rows[i][column]), ...columns.map(([, of]) => of(answer))]));
  return [head, ...body].join("\r\n") + "\r\n";
}
