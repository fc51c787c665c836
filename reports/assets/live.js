/* The money step in the page. The library holds the formulas (economics/money_step.py); this mirrors their last,
   linear part, and checks itself against library numbers before it shows a control. */
(function () {
  "use strict";
  var HOURS = 8760, SECONDS = 3600, PER_M = 1e6, MONTHS = 12;

  /* Level equivalent of a falling price at the cost of capital (level_price_factor); at rate 0 the plain mean. */
  function levelPriceFactor(rate, decline, years) {
    if (decline <= 0) return 1;
    var m = Math.max(Math.round(years * MONTHS), 1), v = Math.pow(1 + rate, -1 / MONTHS), q = Math.pow(1 - decline, 1 / MONTHS);
    function sum(x) { return Math.abs(1 - x) < 1e-12 ? m : x * (1 - Math.pow(x, m)) / (1 - x); }
    return sum(v * q) / Math.sqrt(q) / sum(v);
  }

  /* The most productive point that is at least as fast as asked; -1 beyond the fastest. */
  function pointAt(front, speed) {
    for (var i = 0; i < front.s.length; i++) if (front.s[i] >= speed * (1 - 1e-9)) return i;
    return -1;
  }
  function payback(capital, launch, running, decline) {
    var q = Math.pow(1 - decline, 1 / MONTHS), sum = 0;
    for (var m = 1; m <= 480; m++) {
      var cash = launch / MONTHS * Math.pow(q, m - 0.5) - running / MONTHS;
      if (sum + cash >= capital) return (m - 1 + (capital - sum) / cash) / MONTHS;
      if (cash <= 0) return Infinity;
      sum += cash;
    }
    return Infinity;
  }

  function blend(sc, hit, fresh, cached, out) {
    var total = sc.isl + sc.osl;
    return (sc.isl * (1 - hit) * fresh + sc.isl * hit * cached + sc.osl * out) / total;
  }

  /* One platform, one state, one throughput factor -> money. */
  function money(data, p, st, factor) {
    var sc = data.scenarios[st.scenario], key = st.model + "|" + st.scenario + "|" + st.hit;
    var front = (data.fronts[key] || {})[p.id];
    if (!front) return { why: "not computed" };
    if (front.why) return { why: front.why };
    var i = pointAt(front, st.speed);
    if (i < 0) return { why: "fastest layout gives " + fmt(front.s[front.s.length - 1]) + " tok/s/user" };
    if (p.c === null) return { why: "no published $/GPU-hour" };
    var rate = front.t[i] * factor;
    var price = blend(sc, st.hit, st.pin, st.pin * data.models[st.model].cachedShare, st.pout);
    var launch = SECONDS / PER_M * rate * price * st.util * (1 - st.licence);
    var revenue = launch * levelPriceFactor(data.wacc, st.decline, st.years);
    var change = front.d[i] * (st.elec * st.pue - data.base.elec * data.base.pue);
    var cost = Math.max(p.c * st.cost + change, 0), profit = revenue - cost, capital = p.capital * st.cost;
    return {
      rate: rate, revenue: revenue, cost: cost, profit: profit, capital: capital,
      rack: profit * p.gpus * HOURS, mw: profit * HOURS * 1000 / p.kw, usd: profit * HOURS / capital,
      revenueRack: revenue * p.gpus * HOURS, mtok: cost / (rate * st.util * SECONDS / PER_M), margin: profit / revenue,
      payback: payback(capital, launch * HOURS, Math.max(p.running * st.cost + change, 0) * HOURS, st.decline)
    };
  }

  function fmt(x, digits) {
    if (x === null || !isFinite(x)) return "–";
    return Number(x.toPrecision(digits || 3)).toLocaleString("en-US", { maximumFractionDigits: 4 });
  }
  function usd(x) {
    var a = Math.abs(x), sign = x < 0 ? "−" : "", s;
    if (a >= 1e9) s = fmt(a / 1e9) + "bn"; else if (a >= 1e6) s = (a / 1e6).toFixed(a >= 1e8 ? 0 : a >= 1e7 ? 1 : 2) + "M";
    else if (a >= 1e3) s = Math.round(a / 1e3) + "k"; else s = a >= 1 ? a.toFixed(2) : a.toPrecision(2);
    return sign + "$" + s;
  }
  function metricText(x, metric) { return metric === "usd" ? (x < 0 ? "−" : "") + Math.abs(x * 100).toFixed(0) + " %" : usd(x); }

  var UNIT = { rack: "per rack-year", mw: "per provisioned MW-year", usd: "per invested dollar a year" };

  /* Median, 5 % and 95 % of each platform over paired draws, and in how many draws each comes first and earns. */
  function simulate(data, st, nDraws) {
    var n = Math.min(nDraws, data.draws.revenue[0].length), out = [], wins = data.platforms.map(function () { return 0; }), nobody = 0;
    var all = data.platforms.map(function (p) {
      var m = money(data, p, st, 1);
      if (m.why) { out.push({ p: p, why: m.why }); return null; }
      out.push({ p: p, m: m });
      return p;
    });
    var samples = data.platforms.map(function () { return []; });
    for (var d = 0; d < n; d++) {
      var best = -Infinity, who = -1;
      for (var i = 0; i < all.length; i++) {
        if (!all[i]) continue;
        var v = scaled(out[i].m, i, d, all[i])[st.metric];
        samples[i].push(v);
        if (v > best) { best = v; who = i; }
      }
      if (who >= 0 && best > 0) wins[who]++; else nobody++;
    }
    out.forEach(function (row, i) {
      if (row.why) return;
      var s = samples[i].slice().sort(function (a, b) { return a - b; });
      row.lo = s[Math.floor(0.05 * (n - 1))]; row.hi = s[Math.ceil(0.95 * (n - 1))]; row.mid = row.m[st.metric]; row.win = wins[i] / n;
    });
    return { rows: out, nobody: nobody / n, n: n };
  }
  /* Profit is linear in rate, price and sold share: scale it without reading the frontier again. */
  function scaled(m, i, d, p) {
    var w = data.draws, profit = m.revenue * w.revenue[i][d] - m.cost * w.cost[i][d];
    return { rack: profit * p.gpus * HOURS, mw: profit * HOURS * 1000 / p.kw, usd: profit * HOURS / m.capital };
  }
  function leader(sim) {
    var best = null, second = null;
    sim.rows.forEach(function (r) {
      if (r.why) return;
      if (!best || r.win > best.win) { second = best; best = r; } else if (!second || r.win > second.win) second = r;
    });
    return { best: best, second: second };
  }

  var data = null;
  function selfCheck() {
    return data.check.every(function (c) {
      var p = data.platforms.filter(function (q) { return q.id === c.platform; })[0];
      var m = money(data, p, Object.assign({}, data.base, c.state), 1);
      /* within 0.1 % of the library, or of the revenue where profit is near zero */
      var scale = { rack: p.gpus * HOURS, mw: HOURS * 1000 / p.kw, usd: HOURS / (m.capital || 1), mtok: 0 };
      return !m.why && Object.keys(scale).every(function (k) {
        return c[k] === undefined || Math.abs(m[k] - c[k]) <= 1e-3 * Math.max(Math.abs(c[k]), m.revenue * scale[k]);
      });
    });
  }
  window.rackecon = { levelPriceFactor: levelPriceFactor, evaluate: function (state) {
    var st = Object.assign({}, data.base, state), out = {};
    data.platforms.forEach(function (p) { out[p.id] = money(data, p, st, 1); });
    return out;
  } };

  function start() {
    var holder = document.getElementById("live-data"), root = document.getElementById("live");
    if (!holder || !root) return;
    data = JSON.parse(holder.textContent);
    if (!selfCheck()) {
      root.querySelector(".live-controls").hidden = true;
      root.querySelector(".live-status").textContent = "The page's arithmetic differs from the library's, so its controls are hidden.";
      return;
    }
    root.hidden = false;
    wire(root);
  }

  function wire(root) {
    var st = Object.assign({}, data.base), inputs = root.querySelectorAll("[data-key]"), timer = 0, ribbonTimer = 0, scenarioSpeed;
    function readHash() {
      new URLSearchParams(location.hash.slice(1)).forEach(function (v, k) {
        if (!(k in data.base)) return;
        if (typeof data.base[k] === "number") {
          var el = root.querySelector('[data-key="' + k + '"]'), x = Number(v);
          if (isFinite(x) && el) st[k] = el.tagName === "SELECT" ? nearest(el, x) : Math.min(Number(el.max), Math.max(Number(el.min), x));
        } else if ((k === "model" && data.models[v]) || (k === "scenario" && data.scenarios[v]) || (k === "metric" && UNIT[v])) st[k] = v;
      });
    }
    function nearest(el, x) {
      var best = data.base.hit;
      Array.prototype.forEach.call(el.options, function (o) { if (Math.abs(Number(o.value) - x) < Math.abs(best - x)) best = Number(o.value); });
      return best;
    }
    function changed() { return Object.keys(data.base).filter(function (k) { return st[k] !== data.base[k]; }); }
    function writeHash() {
      var q = new URLSearchParams();
      changed().forEach(function (k) { q.set(k, String(st[k])); });
      history.replaceState(null, "", q.toString() ? "#" + q.toString() : location.pathname + location.search);
    }
    function show() {
      Array.prototype.forEach.call(inputs, function (el) {
        var k = el.dataset.key, moved = st[k] !== data.base[k];
        if (el.type === "radio") el.checked = el.value === st[k]; else if (document.activeElement !== el || el.type === "range") el.value = String(st[k]);
        if (el.type === "range") el.setAttribute("aria-valuetext", el.value + " " + (el.dataset.unit || ""));
        var row = el.closest(".live-row"); if (row) row.classList.toggle("changed", moved);
      });
      var sim = simulate(data, st, 200);
      table(sim); sentence(sim); command();
      clearTimeout(timer); timer = setTimeout(writeHash, 250);
      clearTimeout(ribbonTimer); ribbonTimer = setTimeout(ribbons, 120);
    }
    function sentence(sim) {
      var l = leader(sim), text, unit = UNIT[st.metric];
      if (!l.best) text = "Your case: no platform reaches " + fmt(st.speed) + " tok/s/user.";
      else if (sim.nobody > 0.5) {
        var least = sim.rows.filter(function (r) { return !r.why; }).sort(function (a, b) { return b.mid - a.mid; })[0];
        text = "Your case: nobody earns in " + Math.round(sim.nobody * 100) + " of 100 cases; " + least.p.label + " loses least (" + metricText(least.mid, st.metric) + " " + unit + ").";
      } else {
        text = "Your case: " + l.best.p.label + " earns " + metricText(l.best.mid, st.metric) + " " + unit + "; it comes first in " + Math.round(l.best.win * 100) + " of 100 cases";
        text += l.best.win < 0.8 && l.second ? ", too close to call against " + l.second.p.label + "." : ".";
        text += " Nine cases in ten lie between " + metricText(l.best.lo, st.metric) + " and " + metricText(l.best.hi, st.metric) + ".";
      }
      root.querySelector(".live-verdict").textContent = text;
      var moved = changed().filter(function (k) { return k !== "metric"; });
      root.querySelector(".live-changed").textContent = moved.length ? "Changed by the reader: " + moved.map(function (k) { return (data.names[k] || k) + " " + st[k]; }).join(", ") + "." : "This is the report's own case.";
    }
    function table(sim) {
      var rows = sim.rows.slice().sort(function (a, b) {
        if (a.why || b.why) return (a.why ? 1 : 0) - (b.why ? 1 : 0);
        return b.mid - a.mid;
      }), lo = 0, hi = 0;
      rows.forEach(function (r) { if (!r.why) { lo = Math.min(lo, r.lo); hi = Math.max(hi, r.hi); } });
      var span = hi - lo || 1, pct = function (v) { return 100 * (v - lo) / span; };
      var body = root.querySelector(".live-table tbody");
      body.textContent = "";
      rows.forEach(function (r) {
        var tr = document.createElement("tr"); tr.dataset.platform = r.p.id;
        var th = document.createElement("th"); th.scope = "row"; th.textContent = r.p.label;
        th.style.setProperty("--swatch", "var(--p-" + r.p.id + ")"); tr.appendChild(th);
        if (r.why) {
          var td = document.createElement("td"); td.colSpan = 6; td.className = "why"; td.textContent = r.why; tr.appendChild(td);
        } else {
          var bar = '<span class="ibar" role="img" aria-label="90 % interval ' + metricText(r.lo, st.metric) + " to " + metricText(r.hi, st.metric) + '"><i class="zero" style="left:' + pct(0) + '%"></i><i class="range" style="left:' + pct(r.lo) + "%;width:" + (pct(r.hi) - pct(r.lo)) + '%"></i><i class="mid" style="left:' + pct(r.mid) + '%"></i></span>';
          var cells = [metricText(r.mid, st.metric), bar, Math.round(r.win * 100), "$" + fmt(r.m.mtok), r.m.margin < -1 ? "loss" : (r.m.margin < 0 ? "−" : "") + Math.abs(r.m.margin * 100).toFixed(0) + " %", r.m.payback > 10 ? "> 10 years" : (r.m.payback * MONTHS).toFixed(r.m.payback < 1 ? 1 : 0) + " months"];
          cells.forEach(function (c, i) { var cell = document.createElement("td"); cell.className = "c" + i; cell.innerHTML = c; tr.appendChild(cell); });
        }
        body.appendChild(tr);
      });
      root.querySelector(".live-unit").textContent = UNIT[st.metric];
    }
    /* Who wins at each value of one control, everything else held. */
    function ribbons() {
      Array.prototype.forEach.call(root.querySelectorAll(".ribbon"), function (el) {
        var k = el.dataset.ribbon, input = root.querySelector('input[type=range][data-key="' + k + '"]');
        var lo = Number(input.min), hi = Number(input.max), n = 33, html = "", now = null, flips = [], last = null;
        for (var i = 0; i < n; i++) {
          var v = lo + (hi - lo) * i / (n - 1), s2 = Object.assign({}, st); s2[k] = v;
          var sim = simulate(data, s2, 50), l = leader(sim), id = "none", cls = "none";
          if (l.best && sim.nobody <= 0.5) { id = l.best.p.id; cls = l.best.win >= 0.8 ? "sure" : l.best.win >= 0.6 ? "pale" : "close"; }
          html += '<i class="' + cls + '" style="--swatch:var(--p-' + id + ')"></i>';
          if (last !== null && id !== last.id) flips.push({ v: (v + last.v) / 2, from: last.id, to: id });
          last = { id: id, v: v };
        }
        el.innerHTML = html;
        var cur = st[k], text = "no value here changes who leads", best = Infinity;
        flips.forEach(function (f) {
          var d = Math.abs(f.v - cur);
          if (d < best) { best = d; now = f; text = (f.v > cur ? "above " : "below ") + fmt(f.v) + ": " + name(f.v > cur ? f.to : f.from); }
        });
        root.querySelector('[data-flip="' + k + '"]').textContent = text;
      });
      function name(id) { var p = data.platforms.filter(function (q) { return q.id === id; })[0]; return p ? p.label : "nobody earns"; }
    }
    function command() {
      var parts = [];
      changed().forEach(function (k) { var c = data.commands[k]; if (c) parts.push("-p " + c + " " + st[k]); });
      root.querySelector(".live-command").textContent = "rackecon report 00_executive_summary " + parts.join(" ") + (parts.length ? " " : "") + "--name mine";
    }
    Array.prototype.forEach.call(inputs, function (el) {
      el.addEventListener("input", function () {
        var k = el.dataset.key;
        if (typeof data.base[k] === "number") {
          var x = Number(el.value); if (el.value === "" || !isFinite(x)) return;
          st[k] = el.tagName === "SELECT" ? x : Math.min(Number(el.max), Math.max(Number(el.min), x));
        } else st[k] = el.value;
        if (k === "scenario") { st.speed = data.scenarios[st.scenario].speed; st.hit = data.scenarios[st.scenario].hit; }
        if (k === "model") { st.pin = data.models[st.model].pin; st.pout = data.models[st.model].pout; }
        show();
      });
    });
    root.querySelector(".live-reset").addEventListener("click", function () { st = Object.assign({}, data.base); show(); });
    root.querySelector(".live-link").addEventListener("click", function () { writeHash(); copy(location.href, this); });
    root.querySelector(".live-copy").addEventListener("click", function () { copy(root.querySelector(".live-command").textContent, this); });
    function copy(text, button) {
      var done = function () { button.dataset.done = "copied"; setTimeout(function () { delete button.dataset.done; }, 1500); };
      if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, function () { prompt("Copy:", text); }); else prompt("Copy:", text);
    }
    window.addEventListener("hashchange", function () { st = Object.assign({}, data.base); readHash(); show(); });
    readHash(); show();
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start); else start();
})();
