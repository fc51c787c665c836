/* The two charts that follow the controls. The library drew them for the report's own case; here their lines, cells and words
   are set again for the reader's, from the money step of live.js, when a movement rests. */
(function () {
  "use strict";
  var WIDE = 5, GAP = 6.2, NARROW = 0.01, NEAR = [26, 10]; /* columns that hold a name; least distances of two names, and of a name and the ring, of 100 */
  function round(x) { return Math.round(x * 10) / 10; }
  function set(node, text) { if (node.textContent !== text) node.textContent = text; }
  /* An element with a text, inside a further element where one is named. */
  function element(tag, inner, text) {
    var outer = document.createElement(tag);
    (inner ? outer.appendChild(document.createElement(inner)) : outer).textContent = text;
    return outer;
  }
  function words(figure, finding, measure, rest) {
    set(figure.querySelector(".finding"), finding); set(figure.querySelector(".measure"), measure);
    figure.querySelector("[role=img]").setAttribute("aria-label", finding + ". " + measure + ". " + rest);
  }
  function button(figure, make) {
    var holder = figure.querySelector(".links");
    if (!holder.children.length) window.rackeconButton(holder, "Data as CSV", () => { window.rackeconSave(make(), figure.id + ".csv"); });
  }
  function axis(text) { return text.replace(/(\.\d*?)0+(?=\D*$)/, "$1").replace(/\.(?=\D*$)/, ""); }

  /* Round values from the lowest to above the highest, at most six of them. */
  function ticks(low, high) {
    var unit = Math.pow(10, Math.floor(Math.log10((high - low) / 5 || 1))), step = [1, 2, 5, 10].map(m => m * unit).filter(s => (high - low) / s <= 5)[0];
    var out = [];
    for (var i = Math.ceil(low / step - 1e-9); i <= Math.ceil(high / step - 1e-9); i++) out.push(i * step);
    return out;
  }
  /* Heights pushed apart: lines.spread. */
  function spread(tops) {
    var order = tops.map((_, i) => i).sort((a, b) => tops[a] - tops[b]), out = [], runs = [], k = 0;
    order.forEach((i, nth) => {
      var run = [tops[i] - nth * GAP, 1], last;
      while ((last = runs[0]) && last[0] > run[0]) { run = [(run[0] * run[1] + last[0] * last[1]) / (run[1] + last[1]), run[1] + last[1]]; runs.shift(); }
      runs.unshift(run);
    });
    runs.reverse().forEach(run => { for (var n = run[1]; n--; k++) out[order[k]] = Math.min(100 + GAP - GAP * tops.length, Math.max(0, run[0])) + k * GAP; });
    return out;
  }
  /* Who leads up to which speed, neighbours with the same leader joined. */
  function reigns(lines) {
    var speeds = [], out = [];
    lines.forEach(l => { l.steps.forEach(p => { speeds.push(p[0]); }); });
    speeds.sort((a, b) => a - b).forEach((s, i) => {
      if (i && speeds[i - 1] === s) return;
      var best = -Infinity, id = "";
      lines.forEach(l => { var v = at(l.steps, s); if (v !== null && v > best) { best = v; id = l.id; } });
      if (best <= 0) id = "none";
      if (out.length && out[out.length - 1].id === id) out.pop();
      out.push({ upto: s, id: id });
    });
    return out;
  }
  /* The same without leads that last for less than their place is known to (lasting, answer/lead_map.py), unless none is left. */
  function lasting(found) {
    var kept = [];
    found.slice(1).forEach((f, i) => {
      var flip = { upto: found[i].upto, id: found[i].id, after: f.id }, last = kept[kept.length - 1];
      if (!last || flip.upto - last.upto >= NARROW * flip.upto) { kept.push(flip); return; }
      kept.pop();
      if (last.id !== flip.after) kept.push({ upto: last.upto, id: last.id, after: flip.after });
    });
    return kept.length ? kept.concat(found.slice(-1)) : found;
  }
  function at(steps, speed) {
    for (var i = 0; i < steps.length; i++) if (steps[i][0] >= speed * (1 - 1e-9)) return steps[i][1];
    return null;
  }
  /* Platforms with the highest profit at the slowest speed and at the fastest that any reaches. */
  function aheadAtEnds(drawn) {
    var last = Math.max.apply(null, drawn.map(l => l.steps[l.steps.length - 1][0])), top = (all, at) => all.reduce((a, b) => b.steps[at(b)][1] > a.steps[at(a)][1] ? b : a, all[0]);
    return [top(drawn, () => 0), top(drawn.filter(l => l.steps[l.steps.length - 1][0] === last), l => l.steps.length - 1)];
  }
  /* Path of steps from a place on: ends of each, and its height. */
  function stepped(steps, left, x, y) { return steps.length ? "M" + left + " " + y(steps[0][1]) + steps.map((p, k) => (k ? "V" + y(p[1]) : "") + "H" + x(p[0])).join("") : ""; }
  function banded(l, x, y) {
    var below = l.ends.map((e, k) => "V" + y(e[0]) + "H" + (k ? x(l.steps[k - 1][0]) : 0)).reverse().join("");
    return stepped(l.steps.map((p, k) => [p[0], l.ends[k][1]]), 0, x, y) + below + "Z";
  }
  var RUNS = ["measured, drafting", "measured, not drafting", "measured, drafting unstated"];
  function mark(kind) { var i = document.createElement("i"); i.className = "run k" + kind; return i; }
  /* What dashes, bands and the marks of measured runs stand for, and from when the runs are. */
  function marksKey(holder, runs) {
    var months = runs.map(r => r.date.slice(0, 7)).sort(), last = months[months.length - 1], parts = ["Dashed: beyond what was measured; band: nine measurements in ten; lines: best layouts"];
    RUNS.forEach((words, kind) => { if (runs.some(r => r.kind === kind)) parts.push(parts.length > 1 ? ", " : "; best public runs: ", mark(kind), " " + words.slice("measured, ".length)); });
    if (runs.length) parts.push(", software of " + months[0] + (last === months[0] ? "" : " to " + last));
    holder.replaceChildren(...parts);
  }
  function speedFinding(lines, st, m) {
    var found = lasting(reigns(lines)), n = found.length, name = id => id && id !== "none" ? m.titled(id, st) : "nobody", first = "Middle values put ";
    if (!n) return "No platform serves this workload";
    if (n === 1 && found[0].id === "none") return "Nobody earns at any speed up to " + m.fmt(found[0].upto) + " tok/s/user";
    if (n === 1) return first + name(found[0].id) + " first at every speed up to " + m.fmt(found[0].upto) + " tok/s/user";
    if (n === 2) return first + name(found[0].id) + " first up to " + m.fmt(found[0].upto) + " tok/s/user, " + name(found[1].id) + " above";
    var now = found.filter(f => f.upto >= st.speed * (1 - 1e-9))[0];
    return first + name(now ? now.id : "") + " first at " + m.fmt(st.speed) + " tok/s/user; the lead changes " + (n - 1) + " times up to " + m.fmt(found[n - 1].upto);
  }
  var INKS = { band: "fill", line: "stroke", far: "stroke", hair: "stroke", name: "", dot: "--swatch", runs: "--swatch" };
  /* As many elements of each kind as there are platforms: one that the reader added takes those of another over again. */
  function seats(figure, lines, m) {
    Object.keys(INKS).forEach(kind => {
      var all = Array.from(figure.querySelectorAll("[data-" + kind + "]"));
      if (all.length === lines.length && figure.with === lines.map(l => l.id).join()) return;
      all.splice(lines.length).forEach(el => el.remove());
      while (all.length < lines.length) { var made = all[0].cloneNode(false); all[all.length - 1].after(made); all.push(made); }
      all.forEach((el, i) => { if (INKS[kind]) el.style.setProperty(INKS[kind], m.swatch(lines[i].id)); else set(el, m.marked(lines[i].id)); });
    });
    figure.with = lines.map(l => l.id).join();
  }
  function speed(st, ends, own) {
    var m = window.rackecon, figure = document.getElementById("speed-profit"), lines = m.speedLines(st, ends[0], ends[1]);
    if (!figure) return;
    seats(figure, lines, m);
    var drawn = lines.filter(l => l.steps.length), ahead = drawn.length ? aheadAtEnds(drawn) : [], runs = [].concat.apply([], lines.map(l => l.runs));
    var values = [].concat.apply([0], lines.map(l => l.steps.map(p => p[1])).concat(ahead.map(l => [].concat.apply([], l.ends)), [runs.map(r => r.profit)]));
    var low = Math.min(...values), high = 1.02 * Math.max(...values) || 1, marks = ticks(low, high).filter(v => v <= high);
    var x = s => round(100 * (s - ends[0]) / (ends[1] - ends[0])), y = v => round(100 * (high - v) / (high - low));
    var names = spread(drawn.map(l => y(l.steps[0][1])));
    function part(which, nth) { return figure.querySelectorAll(which)[nth]; }
    lines.forEach((l, nth) => {
      var path = part("path[data-line]", nth), far = part("path[data-far]", nth), hair = part("path[data-hair]", nth), name = part("[data-name]", nth), dot = part("[data-dot]", nth);
      var i = drawn.indexOf(l), v = at(l.steps, st.speed);
      name.hidden = i < 0; dot.hidden = v === null;
      var crosses = part("[data-runs]", nth), near = l.steps.filter(p => p[0] <= l.upto).length;
      part("path[data-band]", nth).setAttribute("d", ahead.indexOf(l) < 0 ? "" : banded(l, x, y));
      path.setAttribute("d", stepped(l.steps.slice(0, near), 0, x, y));
      far.setAttribute("d", stepped(l.steps.slice(near), near ? x(l.steps[near - 1][0]) : 0, x, y));
      crosses.replaceChildren(...l.runs.map(r => { var i = mark(r.kind); i.style.left = x(r.speed) + "%"; i.style.top = y(r.profit) + "%"; return i; }));
      hair.setAttribute("d", i < 0 ? "" : "M-2 " + round(names[i]) + "L0 " + y(l.steps[0][1]));
      if (i >= 0) name.style.top = round(names[i]) + "%";
      if (v !== null) { dot.style.left = x(st.speed) + "%"; dot.style.top = y(v) + "%"; }
    });
    marksKey(figure.querySelector(".live-key"), runs);
    figure.querySelector(".grid").replaceChildren.apply(figure.querySelector(".grid"), marks.map(v => {
      var mark = element("span", "b", axis(m.amount(v, st.metric)));
      mark.className = v ? "" : "zero"; mark.style.top = y(v) + "%";
      return mark;
    }));
    var rule = figure.querySelector(".rule");
    rule.style.left = x(st.speed) + "%"; set(rule.firstChild, m.fmt(st.speed) + " tok/s/user");
    rule.classList.toggle("late", x(st.speed) > 70);
    var told = lines.map(l => { return { name: m.label(l.id), v: at(l.steps, st.speed) }; }).filter(r => r.v !== null).sort((a, b) => b.v - a.v);
    var measure = "profit " + m.unit(st.metric) + " by the speed each user gets (tok/s/user); " + (own ? "the report's own case" : "your case") + (st.sold === "derived" ? ", shares sold as derived for its own speed" : "");
    words(figure, speedFinding(lines, st, m), measure, "At " + m.fmt(st.speed) + " tok/s/user: " + (told.map(r => r.name + " " + m.amount(r.v, st.metric)).join(", ") || "nobody serves") + ".");
    button(figure, () => {
      return "# " + figure.querySelector(".finding").textContent + " | " + figure.querySelector(".measure").textContent + "\nplatform,up_to_tok_s_per_user,profit,low,high,evidence\n" + figure.lines.map(l => {
        return l.steps.map((p, k) => [p[0], p[1], l.ends[k][0], l.ends[k][1], p[0] <= l.upto ? "within what was measured" : "beyond what was measured"]).concat(l.runs.map(r => [r.speed, r.profit, "", "", '"' + RUNS[r.kind] + '"'])).map(row => m.label(l.id) + "," + row.map(v => typeof v === "number" ? Number(v.toPrecision(5)) : v).join() + "\n").join("");
      }).join("");
    });
    figure.lines = lines;
  }

  /* The map, row by row so that a movement in between is not kept waiting; the words once all rows are there. */
  function mapTasks(st, own) {
    var m = window.rackecon, figure = document.getElementById("price-share"), grid = [];
    if (!figure) return [];
    var rows = figure.querySelectorAll(".ribbon[data-price]");
    return Array.from(rows).map(row => {
      return function () {
        var cells = m.mapRow(st, Number(row.dataset.price));
        grid.push(cells);
        row.replaceChildren(...m.cells(cells));
      };
    }).concat(() => { mapWords(figure, rows, grid, st, own, m); });
  }
  function runs(cells) {
    var out = [];
    cells.forEach((c, i) => {
      var last = out[out.length - 1], before = last && cells[last.from];
      if (last && before.id === c.id) last.n++; else out.push({ from: i, n: 1 });
    });
    return out;
  }
  function mapWords(figure, rows, grid, st, own, m) {
    var seen = [], best = Object.create(null), n = grid[0].length, ring = figure.querySelector(".ring"), at = 100 * (st.util - m.mapEnds.shares[0]) / (m.mapEnds.shares[1] - m.mapEnds.shares[0]), height = parseFloat(ring.style.top);
    grid.forEach((cells, r) => {
      cells.forEach(c => { seen.push({ id: c.id, revenue: Number(rows[r].dataset.price) * c.share }); });
      runs(cells).forEach(run => {
        var id = cells[run.from].id, b = best[id], spot = { n: run.n, left: 100 * (run.from + run.n / 2) / n, top: 100 * (r + 0.5) / rows.length };
        spot.score = Math.abs(spot.left - at) < NEAR[0] && Math.abs(spot.top - height) < NEAR[1] ? spot.n - n : spot.n; /* not over the ring */
        if (!b || spot.score > b[0].score) best[id] = b = [];
        if (!b.length || spot.score === b[0].score) b.push(spot);
      });
    });
    var order = seen.sort((a, b) => a.revenue - b.revenue).map(c => c.id).filter((id, i, all) => all.indexOf(id) === i);
    var names = order.map(id => m.titled(id, st)), where = "As price and share sold rise: ";
    var finding = order.length === 1 ? (order[0] === "none" ? "Nobody earns at any price and share sold shown" : order[0] ? names[0] + " leads at every price and share sold shown" : "No platform serves this workload within its limits")
      : order.length === 2 && order[0] === "none" ? names[1] + " leads wherever anybody earns" : where + names.join(", then ");
    var spots = figure.querySelector(".spots");
    spots.replaceChildren(...order.filter(id => best[id][0].n >= WIDE).map(id => {
      var b = best[id], spot = b[Math.floor((b.length - 1) / 2)], span = element("span", "", m.marked(id));
      span.style.left = round(spot.left) + "%"; span.style.top = round(spot.top) + "%";
      return span;
    }));
    ring.style.left = round(at) + "%"; ring.hidden = st.sold === "derived"; /* each platform then sells a share of its own */
    var measure = "who leads on profit " + m.unit(st.metric) + ", by share of capacity sold and by price of all tokens, times the chosen prices (logarithmic); " + (ring.hidden ? "your case sells a share of its own on each platform" : own ? "ring: the report's own case" : "ring: your case");
    words(figure, finding, measure, "Hatched or pale where the leader comes first in fewer than 80 of 100 quick cases.");
    button(figure, () => {
      return "# " + figure.querySelector(".finding").textContent + " | " + figure.querySelector(".measure").textContent + "\nprice_times_chosen,share_sold,leader,first_of_100\n" + figure.grid.map((cells, r) => cells.map(c => rows[r].dataset.price + "," + c.share + "," + m.label(c.id) + "," + Math.round(100 * c.win) + "\n").join("")).join("");
    });
    figure.grid = grid;
  }
  window.rackeconFigures = function (st, ends, own) { return [function () { speed(st, ends, own); }].concat(mapTasks(st, own)); };
})();
