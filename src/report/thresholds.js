// Precision and recall of one class at the threshold chosen, and what errors cost. Every count comes with the page.
(() => {
  const get = (id) => document.getElementById("threshold-" + id);
  const classes = JSON.parse(get("data").textContent);
  const [choice, slider, alarm, miss] = ["class", "slider", "alarm", "miss"].map(get);
  const percent = (share) => (100 * share).toFixed(1) + " %";
  const range = ([low, high]) => percent(low) + " – " + percent(high);
  const price = (field) => Math.max(0, Number(field.value) || 0);
  const x = (recall) => 52 + 272 * recall;
  const y = (precision) => 276 - 260 * precision;

  function cost(of, i) {
    const [found, alarms] = i < 0 ? [0, 0] : [of.found[i], of.alarms[i]];
    return (1000 * (alarms * price(alarm) + (of.positives - found) * price(miss))) / of.rows;
  }

  function cheapest(of) {
    let best = -1;
    for (let i = 0; i < of.found.length; i++) if (cost(of, i) < cost(of, best)) best = i;
    return best;
  }

  function show() {
    const of = classes[choice.value];
    const i = Number(slider.value);
    const precision = of.found[i] / (of.found[i] + of.alarms[i]);
    const recall = of.found[i] / of.positives;
    slider.setAttribute("aria-valuetext", "from probability " + of.threshold[i].toFixed(3));
    get("said").textContent =
      `Named from probability ${of.threshold[i].toFixed(3)} on: precision ${percent(precision)} (${range(of.precision[i])}), ` +
      `recall ${percent(recall)} (${range(of.recall[i])}); ${of.found[i]} rows found, ${of.positives - of.found[i]} missed, ` +
      `${of.alarms[i]} false alarms; errors cost ${cost(of, i).toFixed(1)} per 1,000 rows.`;
    const best = cheapest(of);
    get("cheapest").textContent =
      `Cheapest: ${best < 0 ? "never to name it" : "from probability " + of.threshold[best].toFixed(3) + " on"}, ` +
      `${cost(of, best).toFixed(1)} per 1,000 rows.`;
    get("dot").setAttribute("cx", x(recall));
    get("dot").setAttribute("cy", y(precision));
  }

  function choose() {
    const of = classes[choice.value];
    slider.max = of.found.length - 1;
    slider.value = Math.max(0, cheapest(of));
    const at = (i) => x(of.found[i] / of.positives) + "," + y(of.found[i] / (of.found[i] + of.alarms[i]));
    get("line").setAttribute("points", of.found.map((_, i) => at(i)).join(" "));
    show();
  }

  classes.forEach((of, i) => choice.add(new Option(of.class, i)));
  choice.addEventListener("change", choose);
  [slider, alarm, miss].forEach((field) => field.addEventListener("input", show));
  get("tool").hidden = false;
  choose();
})();
