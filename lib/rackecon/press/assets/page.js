/* Draws the charts in the reader's theme, opens code and definitions, filters and sorts tables. */
(function () {
  "use strict";
  var dark = window.matchMedia("(prefers-color-scheme: dark)"), views = [];
  function themed(text) {
    if (!dark.matches) return text;
    var swap = Object.assign({ "#ffffff": "#12161c", "#1c2026": "#e8eaee", "#59616d": "#a9b1bd", "#e3e6ea": "#333a45", "#0b5fa5": "#6db3ee", "#f1f2f4": "#2a313c", "#7fb0d6": "#28567c", "#d98a64": "#8a4527" }, window.rackeconDark || {});
    return text.replace(/#[0-9a-f]{6}/g, c => swap[c] || c);
  }
  function draw(figure) {
    var spec = JSON.parse(themed(figure.querySelector("script").textContent)), canvas = figure.querySelector(".canvas");
    delete spec.title; /* the page shows title and measure as text, which wraps and prints */
    if (window.innerWidth < 560) narrow(spec);
    return window.vegaEmbed(canvas, spec, { renderer: "svg", actions: false, ast: true }).then(result => {
      figure.dataset.drawn = "yes";
      var svg = canvas.querySelector("svg");
      if (svg) { svg.setAttribute("role", "img"); svg.setAttribute("aria-label", figure.getAttribute("aria-label")); }
      views.push(result.view);
      links(figure, JSON.parse(figure.querySelector("script").textContent));
    });
  }
  /* On a phone no word is cut. */
  function narrow(node) {
    if (node.config) { node.config.legend.columns = 1; node.config.axisX = { labelFontSize: 10 }; }
    Object.keys(node).forEach(k => {
      if (k === "legend" && node[k]) node[k].columns = 1;
      else if (k === "x" && node[k].axis && node[k].axis.values && /',d'/.test(node[k].axis.labelExpr)) node[k].axis.values = few(node[k].axis.values);
      else if (k !== "datasets" && k !== "config" && node[k] && typeof node[k] === "object") narrow(node[k]);
    });
  }
  /* Of a walk's steps in long figures the two ends and two between: Vega leaves out whichever comes too close, the last before others. */
  function few(values) { var n = values.length - 1; return n < 4 ? values : [0, 1, 2, 3].map(i => values[Math.round(i * n / 3)]); }
  function links(figure, spec) {
    var holder = figure.querySelector(".links");
    if (!holder || holder.children.length) return;
    button(holder, "Data as CSV", () => { save(new Blob([csv(spec)], { type: "text/csv" }), figure.id + ".csv"); });
    button(holder, "Image as PNG", () => { image(spec, figure.id + ".png"); });
    cite(holder, figure.id, text(figure.querySelector(".finding")));
  }
  /* A picture stands alone: drawn again at a fixed size, with its title, on white. */
  function image(spec, name) {
    var copy = JSON.parse(JSON.stringify(spec)), box = document.createElement("div");
    copy.width = 720; copy.background = "#ffffff"; box.hidden = true; document.body.appendChild(box);
    if (copy.title && copy.title.subtitle) copy.title.subtitle = told(copy.title).match(/.{1,110}(\s|$)/g);
    window.vegaEmbed(box, copy, { renderer: "svg", actions: false, ast: true }).then(r => r.view.toImageURL("png", 2)).then(url => { follow(url, name); box.remove(); });
  }
  /* Measure and key of a chart in one line. */
  function told(title) { return [].concat(title.subtitle || "").join(". "); }
  function button(holder, text, act) {
    var b = document.createElement("button"); b.type = "button"; b.textContent = text; b.addEventListener("click", act); holder.appendChild(b);
  }
  function csv(spec) {
    var rows = [], sets = spec.datasets || {}, best = Object.keys(sets).sort((a, b) => sets[b].length - sets[a].length)[0];
    rows = best ? sets[best] : [];
    if (!rows.length) return "";
    var keys = Object.keys(rows[0]), quote = quoted;
    var note = "# " + (typeof spec.title === "object" ? spec.title.text + " | " + told(spec.title) : spec.title || "") + "\n";
    return note + keys.join(",") + "\n" + rows.map(r => keys.map(k => quote(r[k])).join(",")).join("\n") + "\n";
  }
  function text(node) { return node ? node.textContent.replace(/\s+/g, " ").trim() : ""; }
  /* What to write under a quoted chart or table: report, edition, data, words, page, address. */
  function cite(holder, id, words) {
    var e = document.getElementById("edition"), edition = e ? ", edition " + e.dataset.edition + " (data as of " + e.dataset.vintage + ")" : "";
    button(holder, "Cite", () => {
      copied("rackecon" + edition + ": \u201c" + words + "\u201d. " + text(document.querySelector("h1")) + " " + location.href.split("#")[0] + "#" + id, this);
    });
  }
  function copied(words, b) {
    var done = function () { b.dataset.done = "copied"; setTimeout(() => { delete b.dataset.done; }, 1500); };
    if (navigator.clipboard) navigator.clipboard.writeText(words).then(done, () => { prompt("Copy:", words); }); else prompt("Copy:", words);
  }
  /* Every table as a file: figures as the machine holds them where the cell knows them, a bar by its words. */
  function tableLinks(table) {
    var scroll = table.closest(".scroll");
    if (!scroll || !scroll.id || !table.tHead) return;
    var holder = document.createElement("div"); holder.className = "links"; scroll.after(holder);
    button(holder, "Table as CSV", () => { save(new Blob([tableCsv(table)], { type: "text/csv" }), scroll.id + ".csv"); });
    cite(holder, scroll.id, text(table.caption));
  }
  function tableCsv(table) {
    function cell(c) { var bar = c.querySelector(".ibar"); return quoted(c.dataset.v || (bar ? bar.getAttribute("aria-label") : text(c))); }
    var heads = Array.from(table.tHead.rows[0].cells).map(th => quoted(th.dataset.label || text(th))), lines = [];
    Array.from(table.tBodies).forEach(body => {
      Array.from(body.rows).forEach(r => {
        var cells = Array.from(r.cells).filter(c => getComputedStyle(c).display !== "none" || !c.classList.contains("why")).map(cell);
        if (r.classList.contains("under")) lines[lines.length - 1] += "," + cells.join(","); else lines.push(cells.join(","));
      });
    });
    return "# " + text(table.caption) + "\n" + heads.join(",") + "\n" + lines.join("\n") + "\n";
  }
  function quoted(v) { v = v === null || v === undefined ? "" : String(v); return /[",\n]/.test(v) ? '"' + v.replace(/"/g, '""') + '"' : v; }
  function save(blob, name) { var url = URL.createObjectURL(blob); follow(url, name); setTimeout(() => { URL.revokeObjectURL(url); }, 1000); }
  window.rackeconButton = button; window.rackeconCopied = copied;
  window.rackeconSave = function (text, name, type) { save(new Blob([text], { type: type || "text/csv" }), name); };
  function follow(url, name) { var a = document.createElement("a"); a.href = url; a.download = name; a.click(); }
  /* Text and controls come first: the chart library is asked for when they are painted. */
  function library() {
    var later = document.querySelector("script[data-src]"), script = document.createElement("script");
    if (!later) { draws(); return; }
    script.src = later.dataset.src; script.onload = draws;
    requestAnimationFrame(() => { setTimeout(() => { document.head.appendChild(script); }, 0); });
  }
  function draws() {
    if (!window.vegaEmbed) return;
    var figures = Array.from(document.querySelectorAll("figure.chart"));
    Promise.all(figures.map(draw)).then(() => { document.documentElement.dataset.charts = "drawn"; document.documentElement.dataset.chartsAt = String(Math.round(performance.now())); });
  }
  function redraw() {
    views.forEach(v => { v.finalize(); }); views = [];
    document.querySelectorAll("figure.chart .links").forEach(l => { l.textContent = ""; });
    draws();
  }
  if (dark.addEventListener) dark.addEventListener("change", redraw);
  document.addEventListener("DOMContentLoaded", () => {
    library();
    var toggle = document.getElementById("code-toggle");
    if (toggle) toggle.addEventListener("click", () => {
      var on = toggle.getAttribute("aria-pressed") !== "true";
      toggle.setAttribute("aria-pressed", String(on)); toggle.textContent = on ? "Hide code" : "Show code";
      document.body.classList.toggle("show-code", on);
      document.querySelectorAll("details.code").forEach(d => { d.open = on; });
    });
    document.querySelectorAll("button.dfn").forEach(b => {
      b.addEventListener("click", () => {
        var next = b.nextElementSibling;
        if (next && next.classList.contains("meaning")) { next.remove(); b.setAttribute("aria-expanded", "false"); return; }
        var s = document.createElement("span"); s.className = "meaning"; s.textContent = b.dataset.meaning; b.after(s); b.setAttribute("aria-expanded", "true");
      });
    });
    document.querySelectorAll("table.searchable").forEach(searchable);
    document.querySelectorAll("main table").forEach(tableLinks);
    if (window.innerWidth < 560) document.querySelectorAll(".scroll>table:not(.ranking):not(.live-table)").forEach(t => { if (t.tHead.rows[0].cells.length > 3) stack(t); else if (units(t).length > 20) cut(t); });
  });
  /* A row with text under it is a body of its own: filter and sort move both together. */
  function units(table) { return Array.from(table.tBodies.length > 1 ? table.tBodies : table.tBodies[0].rows); }
  function cellOf(unit, i) { return (unit.cells || unit.rows[0].cells)[i]; }
  function searchable(table) {
    var box = document.createElement("div"); box.className = "filter";
    var input = document.createElement("input"); input.type = "search"; input.setAttribute("aria-label", "Filter rows: " + table.caption.textContent); input.placeholder = "Filter rows";
    box.appendChild(input); table.closest(".scroll").before(box);
    input.addEventListener("input", () => {
      var words = input.value.toLowerCase();
      whole(table);
      units(table).forEach(u => { u.hidden = u.textContent.toLowerCase().indexOf(words) < 0; });
    });
    Array.from(table.tHead.rows[0].cells).forEach((th, i) => {
      var b = document.createElement("button"); b.type = "button"; b.className = "sort"; th.dataset.label = th.textContent; b.append(...th.childNodes); th.append(b); /* paper shows the label: a repeated heading leaves its button out */
      b.addEventListener("click", () => {
        var up = th.getAttribute("aria-sort") !== "ascending";
        [...table.tHead.rows[0].cells].forEach(o => o.removeAttribute("aria-sort"));
        th.setAttribute("aria-sort", up ? "ascending" : "descending");
        units(table).sort((a, c) => {
          var x = value(cellOf(a, i)), y = value(cellOf(c, i));
          return (typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y))) * (up ? 1 : -1);
        }).forEach(u => { u.parentNode.appendChild(u); });
      });
    });
  }
  /* On a phone a wide table becomes one block per row, each figure beside its heading; roles keep it a table for readers. */
  function stack(table) {
    var heads = Array.from(table.tHead.rows[0].cells).map(c => c.textContent);
    var dashed = /dash/.test(text(table.caption)), short = heads.length > 5 && !table.querySelector("td[colspan]");
    table.classList.add("stacked"); table.setAttribute("role", "table");
    Array.from(table.tBodies).forEach(body => {
      body.setAttribute("role", "rowgroup");
      Array.from(body.rows).forEach(r => {
        r.setAttribute("role", "row");
        Array.from(r.cells).forEach((c, i) => {
          c.setAttribute("role", c.tagName === "TH" ? "rowheader" : "cell");
          if (c.tagName === "TD" && c.colSpan === 1) c.dataset.label = heads[i];
          if (c.tagName === "TH" && /^[\d.,]+$/.test(text(c))) c.dataset.unit = heads[i]; /* a bare figure is no heading */
          if (c.tagName === "TD" && text(c).length > 14) short = false;
          if (c.tagName === "TD" && text(c) === "–" && !dashed) c.classList.add("none");
        });
      });
    });
    if (short) table.classList.add("narrow");
    if (!table.closest("details.fold:not(.part)")) cut(table);
  }
  /* Of a long table a phone shows the first rows, the rest when asked; a fold that was opened is asked for already. */
  function cut(table) {
    var all = units(table), rest = document.createElement("button");
    if (all.length <= 8) return;
    all.slice(6).forEach(u => { u.classList.add("rest"); });
    table.classList.add("cut");
    rest.type = "button"; rest.className = "rest"; rest.textContent = "All " + all.length + " rows";
    rest.addEventListener("click", () => { whole(table); });
    table.after(rest);
  }
  function whole(table) { table.classList.remove("cut"); }
  /* A link to something folded opens it. */
  function unfold() {
    var target = location.hash.length > 1 ? document.getElementById(location.hash.slice(1)) : null, fold = target && target.closest("details");
    if (target && target.closest("table.cut")) { whole(target.closest("table")); target.scrollIntoView(); }
    if (fold && !fold.open) { fold.open = true; target.scrollIntoView(); }
  }
  window.addEventListener("hashchange", unfold);
  document.addEventListener("DOMContentLoaded", unfold);
  /* A chart in a folded part has no width until it opens. */
  document.addEventListener("toggle", e => { if (e.target.matches && e.target.matches("details.part[open]")) window.dispatchEvent(new Event("resize")); }, true);
  /* Paper has no clicks: what is folded is printed open, but for the cards of claims, of which the opened ones are. */
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details.fold:not([open]):not(.claim)").forEach(d => { d.open = true; d.dataset.folded = ""; });
  });
  window.addEventListener("afterprint", () => {
    document.querySelectorAll("details[data-folded]").forEach(d => { d.open = false; delete d.dataset.folded; });
  });
  function value(cell) { var v = cell.dataset.v; if (v !== undefined) return Number(v); var n = parseFloat(cell.textContent.replace(/[^0-9.−-]/g, "").replace("−", "-")); return isNaN(n) ? cell.textContent : n; }
})();
