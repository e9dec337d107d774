"use strict";
(async () => {
  const find = (id) => document.getElementById(id);
  const make = (name, text) => {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const count = (number) => number.toLocaleString("en");
  const size = (bytes) => {
    if (bytes < 1024) return bytes + " B";
    let [value, unit] = [bytes / 1024, 0];
    for (; value >= 1023.95 && unit < 5; unit++) value /= 1024;
    return value.toFixed(1) + " " + ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"][unit];
  };
  const duration = (ns) => {
    const s = Math.floor(ns / 1e9);
    if (ns < 1e3) return ns + " ns";
    if (ns < 999950) return (ns / 1e3).toFixed(1) + " µs";
    if (ns < 999950000) return (ns / 1e6).toFixed(1) + " ms";
    if (s < 60) return (ns / 1e9).toFixed(1) + " s";
    if (s < 3600) return Math.floor(s / 60) + " min " + (s % 60) + " s";
    if (s < 360000) return Math.floor(s / 3600) + " h " + (Math.floor(s / 60) % 60) + " min";
    return count(Math.floor(s / 3600)) + " h";
  };
  const when = (seconds) => {
    const time = new Date(seconds * 1000);
    const two = (number) => String(number).padStart(2, "0");
    const day = time.getFullYear() + "-" + two(time.getMonth() + 1) + "-" + two(time.getDate());
    return day + " " + two(time.getHours()) + ":" + two(time.getMinutes());
  };

  // Says what was done to those who don't see it, too.
  const copy = async (button, line) => {
    let done = true;
    try {
      await navigator.clipboard.writeText(line);
    } catch {
      const area = make("textarea", line);
      document.body.append(area);
      area.select();
      done = document.execCommand("copy");
      area.remove();
      button.focus();
    }
    button.textContent = done ? "copied" : "failed";
    setTimeout(() => (button.textContent = "copy"), 1500);
  };
  const copier = (line) => {
    const button = make("button", "copy");
    button.type = "button";
    button.title = line;
    button.setAttribute("aria-label", "copy " + line);
    button.dataset.line = line;
    return button;
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-line]");
    if (button) copy(button, button.dataset.line);
  });
  for (const line of document.querySelectorAll(".command")) line.append(copier(line.textContent));

  const packed = Uint8Array.from(atob(find("data").textContent), (char) => char.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const data = await new Response(stream).json();
  const total = data.bytes.length;
  const short = (name) => {
    let depth = 0;
    for (let at = name.length - 1; at >= 0; at--) {
      if (name[at] === ">") depth++;
      else if (name[at] === "<") depth--;
      else if ((name[at] === ":" || name[at] === "/") && depth === 0) return name.slice(at + 1);
    }
    return name;
  };
  const names = data.functions.map(short);
  const key = (row) => data.keys.slice(row * data.digits, (row + 1) * data.digits);
  const text = {
    key,
    function: (row) => names[data.function[row]],
    arguments: (row) => data.arguments[row],
    result: (row) => data.results[data.result[row]],
  };
  const haystack = Array.from({ length: total }, (_, row) =>
    [key(row), data.functions[data.function[row]], data.arguments[row], text.result(row)].join(" ").toLowerCase());

  const [STEP, FIRST] = [500, 100];
  const body = find("table").tBodies[0];
  const table = { rows: [...haystack.keys()], shown: FIRST, by: "created", down: true };
  const cells = (row) => {
    const line = make("tr");
    const head = make("th");
    head.scope = "row";
    head.append(make("code", key(row)), copier("ndcache show " + key(row)));
    const name = make("bdi", text.function(row));
    name.title = data.functions[data.function[row]];
    const function_ = make("td");
    function_.append(name);
    line.append(head, function_);
    const values = [text.arguments(row), text.result(row), size(data.bytes[row]), duration(data.took[row]),
      when(data.created[row]), when(data.used[row])];
    for (const value of values) line.append(make("td", value));
    return line;
  };
  const more = make("button");
  more.type = "button";
  const draw = () => {
    body.replaceChildren(...table.rows.slice(0, table.shown).map(cells));
    const shown = Math.min(table.shown, table.rows.length);
    const of = table.rows.length === total ? "" : " that match, of " + count(total);
    find("shown").textContent = count(shown) + " of " + count(table.rows.length) + (total === 1 ? " entry" : " entries") + of;
    more.hidden = shown === table.rows.length;
    more.textContent = "show " + count(Math.min(STEP, table.rows.length - shown)) + " more";
  };
  const compare = (a, b) => {
    const { by } = table;
    const of = text[by] || ((row) => data[by][row]);
    const [left, right] = [of(a), of(b)];
    return left < right ? -1 : left > right ? 1 : a - b;
  };
  const sort = () => {
    table.rows.sort((a, b) => (table.down ? compare(b, a) : compare(a, b)));
    for (const head of document.querySelectorAll("#table thead th")) {
      const is = head.dataset.by === table.by;
      head.setAttribute("aria-sort", is ? (table.down ? "descending" : "ascending") : "none");
      head.firstChild.textContent = head.dataset.name + (is ? (table.down ? " ↓" : " ↑") : "");
    }
  };
  for (const head of document.querySelectorAll("#table thead th")) {
    head.dataset.name = head.textContent;
    const button = make("button", head.textContent);
    button.type = "button";
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const { by } = head.dataset;
      // Numbers and times begin with the greatest, texts with the first.
      table.down = table.by === by ? !table.down : !(by in text);
      table.by = by;
      sort();
      draw();
    });
  }
  const filter = make("input");
  filter.type = "search";
  filter.id = "filter";
  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    table.rows = [...haystack.keys()].filter((row) => words.every((word) => haystack[row].includes(word)));
    table.shown = FIRST;
    sort();
    draw();
  });
  more.addEventListener("click", () => {
    const first = table.shown;
    table.shown += STEP;
    draw();
    // Where the reader was goes on at what is new.
    body.rows[first]?.querySelector("button").focus();
  });
  const label = make("label", "Only entries with all of these words");
  label.htmlFor = filter.id;
  find("tools").append(label, filter);
  body.parentNode.parentNode.after(more);
  sort();
  draw();
  document.documentElement.dataset.ready = "";
})();
