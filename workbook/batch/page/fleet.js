"use strict";
// One page of a fleet: columns come as arrays, only the rows in sight are elements of the page.
(() => {
  const { texts, columns, coded } = JSON.parse(document.getElementById("data").textContent);
  const count = (columns.source || []).length;
  const SHOWN = [
    ["source", "VM"], ["verdict", "verdict"], ["memslots_mapped", "memslots"], ["memslots_promised", "promised"],
    ["metadata_now", "metadata"], ["metadata_dynamic", "with dynamic"], ["metadata_nested", "nested"],
    ["exposed", "exposed"], ["room", "room"], ["binds", "binds"],
  ];
  const SIZES = new Set(["metadata_now", "metadata_dynamic", "metadata_nested", "exposed"]);
  const NUMBERS = new Set([...SIZES, "memslots_mapped", "memslots_promised", "room", "kvm_used", "kvm_limit"]);
  const ROW = 28;
  const isCoded = new Set(coded);
  const value = (name, row) => {
    const cell = columns[name][row];
    if (Array.isArray(cell)) return cell.map((one) => texts[one]);
    return isCoded.has(name) ? texts[cell] : cell;
  };
  const size = (bytes) => {
    const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let unit = 0;
    while (bytes >= 1024 && unit < units.length - 1) { bytes /= 1024; unit += 1; }
    return `${Number(bytes.toFixed(1))} ${units[unit]}`;
  };
  const shown = (name, row) => {
    const cell = value(name, row);
    if (cell === null || cell === undefined) return "-";
    if (SIZES.has(name)) return size(cell);
    return NUMBERS.has(name) ? cell.toLocaleString("en") : String(cell);
  };
  const element = (tag, text, attributes = {}) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    for (const [key, one] of Object.entries(attributes)) made.setAttribute(key, one);
    return made;
  };

  const lower = texts.map((one) => one.toLowerCase());
  const sources = (columns.source || []).map((one) => one.toLowerCase());
  const scroll = document.getElementById("scroll");
  const body = document.getElementById("body");
  const head = document.getElementById("head");
  let order = Uint32Array.from({ length: count }, (_, row) => row);
  let visible = order;
  let sorted = { name: "", down: false };
  let chosen = -1;

  const filter = () => {
    const words = document.getElementById("search").value.toLowerCase();
    const verdict = texts.indexOf(document.getElementById("verdict").value);
    const all = document.getElementById("verdict").value === "";
    const hit = new Set();
    if (words) lower.forEach((one, at) => { if (one.includes(words)) hit.add(at); });
    visible = order.filter((row) => (all || columns.verdict[row] === verdict) && (
      !words || sources[row].includes(words) || hit.has(columns.message[row]) || hit.has(columns.change[row])
      || hit.has(columns.binds[row]) || columns.notes[row].some((one) => hit.has(one))));
    document.getElementById("shown").textContent = `${visible.length.toLocaleString("en")} of ${count.toLocaleString("en")}`;
    scroll.scrollTop = 0;
    paint();
  };

  // the place of every row in a column's ascending order, equal values having equal places; no value is NaN
  const places = new Map();
  const placesOf = (name) => {
    if (places.has(name)) return places.get(name);
    let numbers = columns[name];
    if (!NUMBERS.has(name)) {
      const words = isCoded.has(name) ? texts : numbers;
      const rank = new Map([...new Set(words)].sort().map((one, at) => [one, at]));
      numbers = isCoded.has(name) ? numbers.map((one) => rank.get(texts[one])) : numbers.map((one) => rank.get(one));
    }
    const made = Float64Array.from(numbers, (one) => (one === null ? NaN : one));
    places.set(name, made);
    return made;
  };

  const sort = (name) => {
    sorted = { name, down: sorted.name === name ? !sorted.down : NUMBERS.has(name) };
    const key = placesOf(name);
    const sign = sorted.down ? -1 : 1;
    order = Uint32Array.from({ length: count }, (_, row) => row).sort((a, b) => {
      const difference = key[a] - key[b];
      if (difference) return sign * difference;
      if (difference === 0) return a - b;
      return Number.isNaN(key[a]) - Number.isNaN(key[b]) || a - b; // what has no number stays at the end
    });
    for (const one of head.children) {
      one.setAttribute("aria-sort", one.dataset.name !== name ? "none" : sorted.down ? "descending" : "ascending");
    }
    filter();
  };

  const details = (row) => {
    chosen = row;
    const list = element("dl");
    for (const name of Object.keys(columns)) {
      const cell = value(name, row);
      if (cell === null || cell === "" || (Array.isArray(cell) && !cell.length)) continue;
      list.append(element("dt", name), element("dd", Array.isArray(cell) ? cell.join("\n") : shown(name, row)));
    }
    document.getElementById("details").replaceChildren(element("h2", value("source", row)), list);
    paint();
  };

  const paint = () => {
    const first = Math.max(0, Math.floor(scroll.scrollTop / ROW) - 5);
    const last = Math.min(visible.length, first + Math.ceil(scroll.clientHeight / ROW) + 10);
    const space = (rows) => {
      const made = element("tr", undefined, { class: "space", "aria-hidden": "true" });
      const cell = element("td", undefined, { colspan: SHOWN.length });
      cell.style.height = `${rows * ROW}px`;
      made.append(cell);
      return made;
    };
    const rows = [space(first)];
    for (const row of visible.slice(first, last)) {
      const made = element("tr", undefined, { tabindex: "0", "aria-selected": String(row === chosen) });
      for (const [name] of SHOWN) {
        const text = shown(name, row);
        made.append(element("td", text, { title: text, ...(NUMBERS.has(name) ? { class: "number" } : {}) }));
      }
      made.addEventListener("click", () => details(row));
      made.addEventListener("keydown", (event) => { if (event.key === "Enter") details(row); });
      rows.push(made);
    }
    rows.push(space(visible.length - last));
    body.replaceChildren(...rows);
  };

  const histogram = () => {
    const sizes = (columns.metadata_now || []).filter((one) => one !== null);
    const bins = new Map();
    for (const one of sizes) {
      const power = one ? Math.floor(Math.log2(one)) : -1;
      bins.set(power, (bins.get(power) || 0) + 1);
    }
    const powers = [...bins.keys()].sort((a, b) => a - b);
    if (!powers.length) return;
    const range = [];
    if (bins.has(-1)) range.push(-1);
    const real = powers.filter((one) => one >= 0);
    for (let one = real[0]; one <= real[real.length - 1]; one += 1) range.push(one);
    const most = Math.max(...bins.values());
    const name = (kind) => document.createElementNS("http://www.w3.org/2000/svg", kind);
    const svg = name("svg");
    svg.setAttribute("viewBox", "0 0 1000 150");
    const width = 1000 / range.length;
    range.forEach((power, at) => {
      const height = (100 * (bins.get(power) || 0)) / most;
      const bar = name("rect");
      for (const [key, one] of Object.entries({ x: at * width + 2, y: 120 - height, width: Math.min(width - 4, 120), height })) bar.setAttribute(key, one);
      const title = name("title");
      title.textContent = `${bins.get(power) || 0} VMs`;
      bar.append(title);
      const put = (text, y) => {
        const label = name("text");
        label.setAttribute("x", at * width + 2);
        label.setAttribute("y", y);
        label.textContent = text;
        svg.append(label);
      };
      svg.append(bar);
      put(power < 0 ? "none" : size(2 ** power), 138);
      if (bins.get(power)) put(bins.get(power).toLocaleString("en"), 114 - height);
    });
    document.getElementById("histogram").replaceChildren(svg);
  };

  for (const [name, label] of SHOWN) {
    const cell = element("th", undefined, { scope: "col", "aria-sort": "none", ...(NUMBERS.has(name) ? { class: "number" } : {}) });
    cell.dataset.name = name;
    const button = element("button", label, { type: "button" });
    button.addEventListener("click", () => sort(name));
    cell.append(button);
    head.append(cell);
  }
  const worst = Array.from(order).filter((row) => columns.metadata_now[row]).sort((a, b) => columns.metadata_now[b] - columns.metadata_now[a]);
  document.getElementById("worst").append(...worst.slice(0, 10).map((row) => {
    const saved = columns.metadata_dynamic[row];
    const more = saved === null ? "" : `, ${size(saved)} with dynamic-memslots=on`;
    return element("li", `${value("source", row)}: ${size(columns.metadata_now[row])}${more}`);
  }));
  histogram();
  document.getElementById("search").addEventListener("input", filter);
  document.getElementById("verdict").addEventListener("input", filter);
  scroll.addEventListener("scroll", paint, { passive: true });
  filter();
})();
