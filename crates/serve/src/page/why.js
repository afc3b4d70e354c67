// Why an answer is what it is, as text: which words and columns speak for it and which against. All is put in as text, never as markup.

/** Words and columns that are shown at once; the rest is folded. */
const SHOWN = 12;

/** A number with its sign, so that no color is needed to tell which way it goes. */
const signed = (value) => `${value < 0 ? "\u2212" : "+"}${Math.abs(value).toFixed(2)}`;

function table(parts, caption, element) {
  const names = ["Word or column", "Speaks", "Adds"];
  const head = element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name)));
  const line = (part) => {
    const error = part.standard_error > 0 ? ` \u00b1 ${part.standard_error.toFixed(2)}` : "";
    return element("tr", {},
      element("th", { scope: "row" }, part.name),
      element("td", {}, part.value < 0 ? "against" : "for"),
      element("td", { class: "number" }, signed(part.value) + error));
  };
  const body = element("tbody", {}, ...parts.map(line));
  const whole = element("table", { class: "why" }, element("caption", {}, caption), element("thead", {}, head), body);
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, whole);
}

/** The explanation of an answer; `element` makes an element of a name, attributes and children. */
export function why(explanation, element) {
  const made = element("section", { "aria-labelledby": "why-title" });
  made.append(element("h3", { id: "why-title" }, `Why ${explanation.class}`));
  const words = explanation.words.map((word) => ({ ...word, name: word.text }));
  const parts = [...words, ...explanation.columns].sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  const from = `from ${signed(explanation.log_odds_of_nothing)} of a row without words and columns to ${signed(explanation.log_odds)}`;
  made.append(element("p", { class: "remark" }, `What each adds to the log-odds of ${explanation.class}, ${from}.`));
  if (parts.length) made.append(table(parts.slice(0, SHOWN), "The weightiest words and columns", element));
  if (parts.length > SHOWN) {
    const rest = table(parts.slice(SHOWN), "The other words and columns", element);
    made.append(element("details", {}, element("summary", {}, `${parts.length - SHOWN} more`), rest));
  }
  if (explanation.nearest?.length) {
    made.append(element("h3", {}, "Most similar rows of the training"));
    const row = (near) => element("li", {}, `${near.label} (cosine ${near.cosine.toFixed(2)}, ${near.place}): ${near.text ?? ""}`);
    made.append(element("ol", {}, ...explanation.nearest.map(row)));
  }
  return made;
}
