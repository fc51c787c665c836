/* The money step in the page. The library holds the formulas (economics/money_step.py, uncertainty/ranking.py); this mirrors
   their last, linear part, and checks itself against library numbers before it shows a control. */
(function () {
  "use strict";
  var QUICK = "serving model, price, sold share and price of capital";
  var abs = Math.abs, exp = Math.exp, keys = Object.keys, max = Math.max, min = Math.min, pow = Math.pow, round = Math.round;
  var HOURS = 8760, SECONDS = 3600, PER_M = 1e6, MONTHS = 12;
  function has(o, k) { return Object.prototype.hasOwnProperty.call(o, k); } /* a name from an address is no inherited one */
  function made(tag) { return document.createElement(tag); }
  function fresh() { return Object.create(null); }
  function copied(o) { return Object.assign(fresh(), o); }
  var data = null;

  /* Level equivalent of a falling price at the cost of capital (level_price_factor); at rate 0 the plain mean. */
  function levelPriceFactor(rate, decline, years) {
    if (decline <= 0) return 1;
    var m = max(round(years * MONTHS), 1), v = pow(1 + rate, -1 / MONTHS), q = pow(1 - decline, 1 / MONTHS);
    function sum(x) { return abs(1 - x) < 1e-12 ? m : x * (1 - pow(x, m)) / (1 - x); }
    return sum(v * q) / Math.sqrt(q) / sum(v);
  }
  /* Years of a level amount that a horizon is worth today (present_value_factors). */
  function levelYears(rate, years) {
    var m = max(round(years * MONTHS), 1), v = pow(1 + rate, -1 / MONTHS);
    return (abs(1 - v) < 1e-12 ? m : v * (1 - pow(v, m)) / (1 - v)) / MONTHS;
  }
  /* Resale at an age over what was invested (residual_at): straight between whole years. */
  function resaleAt(years) {
    var i = min(Math.floor(years), data.resale.length - 2);
    return data.resale[i] + (data.resale[i + 1] - data.resale[i]) * (years - i);
  }
  /* The most productive point that is at least as fast as asked; -1 beyond the fastest. Speeds rise along a front. */
  function pointAt(front, speed) {
    for (var i = 0; i < front.s.length; i++) if (front.s[i] >= speed * (1 - 1e-9)) return i;
    return -1;
  }
  /* The pre-tax revenue that pays a charge after tax, written off in equal years (tax_adjusted_capital_cost). */
  function taxed(tax, rate) {
    var n = data.taxed, worth = rate === 0 ? 1 : (1 - pow(1 + rate, -n)) / (rate * n);
    return (1 - tax * worth) / (1 - tax);
  }
  /* The reader's own cost of a platform over the one of the basis; both at the base case's terms. */
  function owned(p, st) { return p.now === null || st[p.id] === undefined || st[p.id] === standing(p.id, st.basis) ? 1 : st[p.id] / p.now; }
  function standing(id, basis) { return has(data.base, id) && basis === data.base.basis ? data.base[id] : Number(Number(data.bases[basis][id].now).toPrecision(4)); }
  /* Platforms that take part in a state: the page's own, and those beside it that the reader added. */
  function cast(st) { return st.with ? keep("w" + st.with, () => data.platforms.concat(data.more.filter(p => st.with.split(",").indexOf(p.id) >= 0))) : data.platforms; }
  /* The same with what their GPU-hour rests on. */
  function platformsOn(st) {
    return keep("b" + st.basis + "|" + st.with, () => { return cast(st).map(p => { return Object.assign({}, p, data.bases[st.basis][p.id]); }); });
  }
  /* Why no profit can be counted by a measure on a platform. */
  function uncounted(p, metric) {
    if (metric === "usd") return p.capital ? "" : p.metered ? "no invested amount of it is on record" : "nothing is invested in what is rented";
    return metric === "rack" && p.gpus === null ? "no rack of it is on record" : metric === "mw" && p.kw === null ? "no power of it is on record" : "";
  }
  function payback(m, decline) {
    var q = pow(1 - decline, 1 / MONTHS), sum = 0, sales = m.launch * HOURS / MONTHS / Math.sqrt(q), running = m.running * HOURS / MONTHS;
    for (var k = 1; k <= 480; k++) {
      sales *= q;
      var cash = sales - running + (k === m.months ? m.resold : 0);
      if (sum + cash >= m.capital) return (k - 1 + (m.capital - sum) / cash) / MONTHS;
      if (cash <= 0 && k >= m.months) return Infinity; /* what is resold at the end may still pay it back */
      sum += cash;
    }
    return Infinity;
  }
  var USUAL = "usual", NEWEST = "newest", SET = "set", DERIVED = "derived";
  /* Share of capacity sold: the reader's, or each platform's own by the load on it at the workload's own limits. */
  function soldOn(p, st) { return st.sold === DERIVED ? data.sold[st.model + "|" + st.scenario][p.id] : st.util; }
  function underived(st) {
    var own = data.scenarios[st.scenario], odd = ["speed", "hit"].some(k => st[k] !== own[k]) || st.precision !== USUAL || st.software !== NEWEST;
    return odd || !has(data.sold, st.model + "|" + st.scenario) ? "the share sold is derived at the workload’s own speed (" + fmt(own.speed) + " tok/s/user), cache share, usual number format and newest software alone" : "";
  }
  function frontsKey(st, precision, software) { return [st.model, st.scenario, st.hit, precision || st.precision, software || st.software].join("|"); }
  /* Fronts of a state, unpacked once: "=" is the platform's usual front over again. */
  function frontsOf(st) {
    var key = frontsKey(st);
    return keep("f" + key, () => {
      var out = fresh(), packed = data.fronts[key] || {}, usual = data.fronts[frontsKey(st, USUAL, NEWEST)] || {};
      keys(packed).forEach(id => { var f = packed[id] === "=" ? usual[id] : packed[id]; out[id] = f.why ? f : unpacked(f); });
      return out;
    });
  }
  /* Ends of log speed, log rate and power, and places between them: two bytes each, power and mode in one (packed_front). */
  function unpacked(f) {
    var bytes = Uint8Array.from(atob(f[6]), c => c.charCodeAt(0)), view = new DataView(bytes.buffer), n = bytes.length / 5, out = { s: [], t: [], d: [], m: "" };
    for (var i = 0; i < n; i++) {
      var last = bytes[4 * n + i];
      out.s.push(exp(f[0] + (f[1] - f[0]) * view.getUint16(2 * i, true) / 65535)); out.t.push(exp(f[2] + (f[3] - f[2]) * view.getUint16(2 * (n + i), true) / 65535));
      out.d.push(f[4] + (f[5] - f[4]) * (last & 127) / 127); out.m += last & 128 ? "d" : "a";
    }
    return out;
  }
  function left(st) { return st.without ? st.without.split(",") : []; }

  function pricesOf(st) { return data.models[st.model].levels[st.level]; }
  /* What every platform meets alike in a state: price of a token second, price path, change of the electricity bill. */
  function terms(st) {
    var sc = data.scenarios[st.scenario], total = sc.isl + sc.osl, cached = st.pin * pricesOf(st).cachedShare;
    var price = (sc.isl * (1 - st.hit) * st.pin + sc.isl * st.hit * cached + sc.osl * st.pout) / total;
    return {
      sold: SECONDS / PER_M * price * (1 - st.licence) * (1 - data.free), level: levelPriceFactor(data.levelled, st.decline, st.years),
      years: levelYears(st.wacc, st.years), months: max(round(st.years * MONTHS), 1), resale: resaleAt(st.years), wacc: st.wacc, taxed: taxed(st.tax, st.wacc),
      power: st.elec * st.pue - data.base.elec * data.base.pue
    };
  }
  /* What one GPU-hour of a platform earns and costs at one point of its front. */
  function earned(p, front, i, st, m) {
    var rate = front.t[i], util = soldOn(p, st), launch = rate * m.sold * util, change = p.metered ? front.d[i] * m.power : 0, paid = st.cost * owned(p, st), invested = p.capital * paid;
    var sunk = (1 - p.resells * m.resale * pow(1 + m.wacc, -m.months / MONTHS)) / m.years, charge = p.c * paid * (1 - p.kept) * p.worth * sunk;
    var cost = max(p.c * paid * p.kept + charge * m.taxed + change, 0);
    return {
      rate: rate, util: util, mode: front.m.charAt(i), launch: launch, revenue: launch * m.level, cost: cost, capital: invested,
      running: max(cost - invested * sunk / HOURS, 0), profit: launch * m.level - cost, months: m.months, resold: p.resells * m.resale * invested
    };
  }
  function evaluateAll(st) {
    var fronts = frontsOf(st), m = terms(st), out = left(st);
    return platformsOn(st).map(p => {
      var front = fronts[p.id];
      if (out.indexOf(p.id) >= 0) return { why: "left out by you" };
      if (!front) return { why: "not computed" };
      if (front.why) return { why: front.why };
      var i = pointAt(front, st.speed);
      if (i < 0) return { why: "fastest layout gives " + fmt(front.s[front.s.length - 1]) + " tok/s/user" };
      if (p.c === null) return { why: "no cost per GPU-hour on this basis" };
      if (soldOn(p, st) === undefined) return { why: "no share sold could be derived" };
      if (uncounted(p, st.metric)) return { why: uncounted(p, st.metric) };
      return earned(p, front, i, st, m);
    });
  }
  /* What was measured near a platform's answers in a state: up to which speed, and the runs between two speeds that no other
     beats on speed and rate (evidence/novelty.py). */
  function measuredOn(p, st, lo, hi) {
    var sc = data.scenarios[st.scenario], all = data.measured, known = all.near[[st.model, sc.isl, sc.osl].join("|")][p.id], dated = st.software === NEWEST ? known[1] : known[1].filter(r => all.days[r[3]] <= st.software), best = 0;
    var runs = st.hit ? [] : dated.filter(r => (st.precision === USUAL || all.formats[r[4]] === st.precision) && r[0] >= lo && r[0] <= hi);
    return { upto: st.software === NEWEST || dated.length ? known[0] : 0, runs: runs.sort((a, b) => b[0] - a[0] || b[1] - a[1]).filter(r => r[1] > best && (best = r[1])).reverse() };
  }
  /* Yearly profit over the speed promised: the ends of the steps between two speeds, nine in ten of each, how far it is measured
     and what measured runs would earn. */
  function speedLines(st, lo, hi) {
    var fronts = frontsOf(st), m = terms(st), out = left(st);
    return platformsOn(st).map(p => {
      var front = fronts[p.id], steps = [], ends = [], runs = [], known = measuredOn(p, st, lo, hi), profit = (e, rate) => (e.profit + (rate - 1) * e.revenue) * scale(p, e, st.metric);
      if (front && !front.why && p.c !== null && soldOn(p, st) !== undefined && out.indexOf(p.id) < 0 && !uncounted(p, st.metric)) for (var i = pointAt(front, lo); i >= 0 && i < front.s.length; i++) {
        var e = earned(p, front, i, st, m), width = data.models[st.model].spread[p.id][e.mode];
        steps.push([min(front.s[i], hi), profit(e, 1)]); ends.push([profit(e, exp(-data.z90 * width[0])), profit(e, exp(data.z90 * width[1]))]);
        if (front.s[i] >= hi) break;
      }
      if (steps.length) runs = known.runs.map(r => {
        var i = pointAt(front, r[0]), e = earned(p, front, i < 0 ? front.s.length - 1 : i, st, m);
        return { speed: r[0], profit: profit(e, r[1] / e.rate), kind: r[2], date: data.measured.days[r[3]] };
      });
      return { id: p.id, steps: steps, ends: ends, upto: known.upto, runs: runs };
    });
  }
  function lastingOf(months) { return months > 120 || !isFinite(months) ? "> 10 years" : months < 12 ? months.toPrecision(2) + " months" : (months / 12).toPrecision(2) + " years"; }
  function share(margin) { return margin < -1 ? "< −100 %" : (margin < 0 ? "−" : "") + grouped(abs(margin * 100)) + " %"; }
  /* Yearly profit on a measure per dollar of profit per GPU-hour. */
  function scale(p, m, metric) { return metric === "rack" ? (p.gpus === null ? NaN : p.gpus * HOURS) : metric === "mw" ? (p.kw === null ? NaN : HOURS * 1000 / p.kw) : HOURS / m.capital; }
  function full(p, m, st) {
    if (m.why) return m;
    return {
      rate: m.rate, revenue: m.revenue, cost: m.cost, profit: m.profit, capital: m.capital,
      rack: m.profit * scale(p, m, "rack"), mw: m.profit * scale(p, m, "mw"), usd: m.profit * scale(p, m, "usd"),
      revenueRack: m.revenue * p.gpus * HOURS, mtok: m.cost / (m.rate * m.util * SECONDS / PER_M), sold: m.util, margin: m.profit / m.revenue,
      payback: payback(m, st.decline)
    };
  }

  /* A number with its thousands apart, to at most so many decimals. The browser's own formats cost more to set up than all else before the controls stand. */
  function grouped(x, decimals) {
    var parts = x.toFixed(decimals || 0).split("."), rest = (parts[1] || "").replace(/0+$/, "");
    return parts[0].replace(/\B(?=(\d{3})+$)/g, ",") + (rest && "." + rest);
  }
  function fmt(x, digits) {
    if (x === null || !isFinite(x)) return "–";
    return grouped(Number(x.toPrecision(digits || 3)), 4);
  }
  function unitOf(a) { return [[1e9, "bn"], [1e6, "M"], [1e3, "k"]].find(u => a >= u[0] * 0.9995) || [1, ""]; }
  function digits(a) { return 1 + Math.floor(Math.log10(a.toPrecision(3))); }
  function dollars(x, unit, places) { return (x < 0 ? "−$" : "$") + (abs(x) / unit[0]).toFixed(places) + unit[1]; }
  function usd(x) {
    var a = abs(x), unit = unitOf(a), n = 3 - digits(a / unit[0]);
    return unit[1] ? dollars(x, unit, max(0, n)) : a ? dollars(x, unit, max(2, n)).replace(/(\.\d\d\d*?)0+$/, "$1") : "$0";
  }
  /* How a column of amounts is written: words.even. */
  function evenly(column) {
    var all = column.filter(Boolean).map(abs), most = max(...all), unit = unitOf(most);
    var n = 3 - digits(most / unit[0]), more = 2 - digits(min(...all) / unit[0]);
    n = unit[1] ? max(0, n) : max(2, more === n + 1 ? more : n);
    return function (x) {
      var a = abs(x) / unit[0], d = digits(a), places = unit[1] && a.toFixed(n) < pow(10, 1 - n) ? max(n, min(2, 2 - d)) : n;
      return all[1] && (unit[1] ? a.toFixed(places) > 0 : d + places > 1) && d + places < 4 ? dollars(x, unit, places) : usd(x);
    };
  }
  /* The ends of an interval on the scale of the greater: words.alike. */
  function ends(lo, hi, metric) {
    var unit = unitOf(max(abs(lo), abs(hi)));
    return [lo, hi].map(x => {
      if (metric === "usd" || !unit[1] || !x) return amount(x, metric);
      var text = dollars(x, unit, max(0, min(2, 3 - digits(abs(x) / unit[0]))));
      return /[1-9]/.test(text) ? text : "about $0";
    });
  }
  function amount(x, metric) { return metric === "usd" ? (x < 0 ? "−" : "") + grouped(abs(x * 100)) + " %" : usd(x); }

  /* Factors on revenue and capital in every draw, by the same scores as the report's own draws. */
  var kept = fresh(), samples = fresh();
  function keep(key, make) { return kept[key] || (kept[key] = make()); }
  function twoPiece(z, down, up) { return z < 0 ? z * down : z * up; }
  function draws(packed) {
    var bytes = Uint8Array.from(atob(packed), c => c.charCodeAt(0)), view = new DataView(bytes.buffer), out = new Float64Array(bytes.length / 2);
    for (var d = 0; d < out.length; d++) out[d] = view.getInt16(2 * d, true) / data.draws.steps;
    return out;
  }
  function rateFactors(id, width) {
    return keep("r" + id + "|" + width, () => {
      return draws(data.draws.rate[id]).map(z => exp(twoPiece(z, width[0], width[1])));
    });
  }
  function marketFactors(st, count) {
    var model = pricesOf(st), listed = st.pin === model.pin && st.pout === model.pout;
    var prices = keep("p" + st.model + st.level + listed, () => { /* a price that the reader gives is taken as given */
      return draws(data.draws.price).map(z => listed ? exp(twoPiece(z, model.level[0], model.level[1]) / data.z10) : 1);
    });
    var against = keep("s", () => draws(data.draws.sold).map(x => exp(-x))), by = fresh();
    return function (util) { /* of a share sold */
      if (by[util]) return by[util];
      var sure = util <= 0 || util >= 1, unsold = (1 - util) / util, out = by[util] = prices.slice(0, count);
      if (!sure) for (var d = 0; d < out.length; d++) out[d] /= (1 + unsold * against[d]) * util;
      return out;
    };
  }
  function capitalFactors(id) {
    return keep("c" + id, () => draws(data.draws.capital[id]));
  }

  /* Every platform in the same draws: in how many it comes first and earns, and between which ends nine in ten lie. */
  function simulate(st, count, ends, keepDraws) {
    var all = evaluateAll(st), markets = marketFactors(st, count), n = markets(st.util).length;
    var best = new Float64Array(n).fill(-Infinity), who = new Int16Array(n).fill(-1);
    var rows = cast(st).map((p, i) => {
      var m = all[i];
      if (m.why) return { p: p, why: m.why };
      var market = markets(m.util), rate = rateFactors(p.id, data.models[st.model].spread[p.id][m.mode]), capital = capitalFactors(p.id), by = scale(p, m, st.metric);
      var running = min(m.running, m.cost), rest = m.cost - running, sample = ends ? samples[i + "|" + n] || (samples[i + "|" + n] = new Float64Array(n)) : null;
      for (var d = 0; d < n; d++) {
        var v = (m.revenue * rate[d] * market[d] - running - rest * capital[d]) * by;
        if (sample) sample[d] = v;
        if (v > best[d]) { best[d] = v; who[d] = i; }
      }
      var row = { p: p, m: m, mid: m.profit * by };
      if (sample && keepDraws) keepDraws(p, sample.slice());
      if (sample) { row.lo = quantile(sample, 0.05, 0); row.hi = quantile(sample, 0.95, Math.floor(0.05 * (n - 1))); }
      return row;
    });
    var wins = new Float64Array(rows.length);
    for (var d = 0; d < n; d++) if (who[d] >= 0 && best[d] > 0) wins[who[d]]++;
    rows.forEach((r, i) => { if (!r.why) r.win = wins[i] / n; });
    return rows;
  }
  /* Between two neighbours of values in order, which only these two are put into; what lies before `from` is lower already. */
  function quantile(a, share, from) {
    var at = share * (a.length - 1), i = Math.floor(at), low = nth(a, i, from), high = low;
    if (at > i) { high = Infinity; for (var k = i + 1; k < a.length; k++) if (a[k] < high) high = a[k]; }
    return at > i ? low + (at - i) * (high - low) : low;
  }
  /* The value of a rank; what lies before it is no larger, what lies after no smaller (Hoare's selection). */
  function nth(a, rank, from) {
    var to = a.length - 1;
    while (from < to) {
      var pivot = a[(from + to) >> 1], i = from, j = to;
      while (i <= j) {
        while (a[i] < pivot) i++;
        while (a[j] > pivot) j--;
        if (i <= j) { var x = a[i]; a[i++] = a[j]; a[j--] = x; }
      }
      if (rank <= j) to = j; else if (rank >= i) from = i; else break;
    }
    return a[rank];
  }
  /* Rows as the report has them, every uncertain input drawn; none where it has not every platform's. */
  function reportedRows(st) {
    var known = data.report && data.report.rows && data.report.rows[st.metric], all = known && evaluateAll(st);
    var rows = known && cast(st).map((p, i) => {
      var m = all[i], k = known[p.id];
      return m.why ? { p: p, why: m.why } : k && { p: p, m: m, mid: m.profit * scale(p, m, st.metric), lo: k[0], hi: k[1], win: k[2] };
    });
    return rows && rows.every(Boolean) ? rows : null;
  }
  function ranked(rows) {
    return rows.filter(r => !r.why).sort((a, b) => b.mid - a.mid);
  }
  /* Who leads: the platform's id, or "none" where nobody earns, or "" where nobody serves. */
  function leaderId(st) {
    var best = null, at = -Infinity, all = cast(st);
    evaluateAll(st).forEach((m, i) => {
      if (m.why) return;
      var v = m.profit * scale(all[i], m, st.metric);
      if (v > at) { at = v; best = all[i].id; }
    });
    return best === null ? "" : at <= 0 ? "none" : best;
  }
  /* Who leads and how surely: full colour, pale, hatched, or nobody. */
  function shade(st, count) {
    var top = ranked(simulate(st, count, false))[0];
    if (!top || top.mid <= 0) return { id: top ? "none" : "", kind: "none", win: 0 };
    return { id: top.p.id, kind: top.win >= data.map.sure[0] ? "sure" : top.win >= data.map.sure[1] ? "pale" : "close", win: top.win };
  }
  /* The same at each share of capacity sold, every token price times one factor. */
  function mapRow(st, price) {
    var lo = data.map.shares[0], hi = data.map.shares[1], n = data.map.shares[2], out = [];
    for (var i = 0; i < n; i++) {
      var share = lo + (hi - lo) * (i + 0.5) / n;
      out.push(Object.assign({ share: share }, shade(Object.assign(fresh(), st, { util: share, sold: SET, pin: st.pin * price, pout: st.pout * price }), Infinity)));
    }
    return out;
  }
  function platform(id) { return data.platforms.filter(p => p.id === id)[0] || data.more.filter(p => p.id === id)[0]; }
  function seen(id) { var p = platform(id); return p ? p.marked : label(id); } /* says of a platform that it was never measured */
  /* A platform's name, and what about it was never measured. */
  function evidenced(p, st) { var sc = data.scenarios[st.scenario], why = data.measured.near[[st.model, sc.isl, sc.osl].join("|")][p.id][2]; return p.label + (why ? " (" + why + ")" : ""); }
  function label(id) { var p = platform(id); return p ? p.label : id === "none" ? "nobody earns" : "nobody serves this"; }
  /* A cell of a ribbon or of the map, in its leader's colour. */
  function cell(found) {
    var i = made("i"), p = platform(found.id);
    i.className = found.kind;
    if (p) i.style.setProperty("--swatch", p.swatch);
    return i;
  }
  /* Cells of a row, like neighbours as one: every frame walks what a page has painted. */
  function cells(row) {
    var last, out = [];
    row.forEach(f => {
      if (last && last.id === f.id && last.kind === f.kind) { last.n++; return; }
      out.push(last = { id: f.id, kind: f.kind, n: 1, i: cell(f) });
    });
    return out.map(r => { r.i.style.flexGrow = r.n; return r.i; });
  }

  function selfCheck(checks, added) {
    return checks.every(c => {
      var st = complete(Object.assign(fresh(), { with: added }, c.moved)), all = evaluateAll(st);
      return cast(st).every((p, i) => {
        if (added && data.platforms.indexOf(p) >= 0) return true;
        var m = full(p, all[i], st), known = c.rows[p.id];
        if (!known || m.why) return !known === Boolean(m.why);
        /* within 0.1 % of the library, or of the revenue where profit is near zero */
        return keys(known).every(k => {
          var near = k === "mtok" ? 0 : m.revenue * scale(p, m, k);
          return abs(m[k] - known[k]) <= 1e-3 * max(abs(known[k]), near);
        });
      });
    });
  }
  /* What the file beside the page holds of further platforms, put beside the page's own; whether it agrees with the library. */
  function join(m) {
    var near = m.measured.near, days = data.measured.days.length, formats = data.measured.formats.length, into = (own, added) => { keys(added).forEach(k => { Object.assign(own[k], added[k]); }); };
    keys(near).forEach(where => keys(near[where]).forEach(id => near[where][id][1].forEach(r => { r[3] += days; r[4] += formats; })));
    data.measured.days = data.measured.days.concat(m.measured.days); data.measured.formats = data.measured.formats.concat(m.measured.formats);
    [["bases", m.bases], ["fronts", m.fronts], ["sold", m.sold], ["draws", m.draws]].forEach(pair => into(data[pair[0]], pair[1])); into(data.measured.near, near);
    keys(m.spread).forEach(k => { Object.assign(data.models[k].spread, m.spread[k]); });
    Object.assign(data.base, m.base); Object.assign(data.names, m.names); Object.assign(data.units, m.units);
    data.more = m.platforms; kept = fresh();
    return selfCheck(m.check, m.platforms.map(p => p.id).join());
  }
  function complete(state) { return Object.assign(fresh(), data.base, state); }
  window.rackecon = {
    levelPriceFactor: levelPriceFactor,
    evaluate: function (state) {
      var st = complete(state), out = {};
      evaluateAll(st).forEach((m, i) => { var p = cast(st)[i]; out[p.id] = full(p, m, st); });
      return out;
    },
    simulate: function (state) {
      var out = {};
      simulate(complete(state), Infinity, true).forEach(r => { out[r.p.id] = r.why ? { why: r.why } : { mid: r.mid, lo: r.lo, hi: r.hi, win: r.win }; });
      return out;
    },
    leader: state => leaderId(complete(state)),
    speedLines: (state, lo, hi) => speedLines(complete(state), lo, hi),
    mapRow: (state, price) => mapRow(complete(state), price),
    fmt: fmt, amount: amount, label: label, marked: seen, titled: (id, state) => platform(id) ? evidenced(platform(id), state) : label(id), swatch: id => platform(id).swatch, cells: cells, unit: metric => data.per[metric]
  };

  function start() {
    var holder = document.getElementById("live-data"), root = document.getElementById("live");
    if (!holder || !root) return;
    data = JSON.parse(holder.textContent); data.more = [];
    window.rackecon.mapEnds = data.map;
    root.hidden = false;
    var same = false;
    try { same = selfCheck(data.check, ""); } catch (e) { same = false; }
    if (same) { wire(root); return; }
    root.classList.add("differs");
    root.querySelector(".live-status").textContent = "The page's arithmetic differs from the library's, so its controls are hidden. The tables above and below stand.";
  }

  function wire(root) {
    var one = q => root.querySelector(q), each = (q, f) => { Array.from(root.querySelectorAll(q)).forEach(f); };
    var st = copied(data.base), queued = 0, later = 0, speak = 0, hashTimer = 0, turn = 0, movedAt = -Infinity, keyedAt = -Infinity, wroteAt = 0, countedAt = 0, marked = null, held = false, away = [], stood = 0, latest = null, head = one(".live-head"), span = null, lines = fresh(), reported = fresh();
    evaluateAll(data.base).forEach((m, i) => { var p = data.platforms[i]; if (!m.why) reported[p.id] = m.profit * scale(p, m, data.base.metric); });
    var PAIR = ["a", "b"], first = data.platforms.map(p => p.id).sort((a, b) => (has(reported, b) ? reported[b] : -Infinity) - (has(reported, a) ? reported[a] : -Infinity)).slice(0, 2), pair;
    if (first.length < 2) first.push(first[0]);
    pair = first.slice();
    var others = one(".live-others"), waiting = [], seated = "";
    if (others) others.addEventListener("toggle", () => { if (others.open) beside(() => {}); });
    var inputs = fresh(), holders = fresh(), shown = fresh(), verdict = text(".live-verdict"), altered = text(".live-changed"), unit = text(".live-unit"), drawn = text(".live-drawn");
    each("[data-key]", el => { var k = el.dataset.key; (inputs[k] = inputs[k] || []).push(el); holders[k] = el.closest(".live-row"); });
    function text(q) { return one(q).firstChild || one(q).appendChild(document.createTextNode("")); }
    function range(k) { return inputs[k].filter(el => el.type === "range")[0]; }

    /* What a control stands at unless the reader moves it: the report's value, or what another choice brings with it. */
    function brought(k, s) {
      if ((k === "pin" || k === "pout") && (s.model !== data.base.model || s.level !== data.base.level)) return data.models[s.model].levels[s.level][k];
      if (platform(k)) return standing(k, s.basis);
      if ((k === "speed" || k === "hit") && s.scenario !== data.base.scenario) return data.scenarios[s.scenario][k];
      return data.base[k];
    }
    /* What the reader set stays; the rest comes with the choice. A cache share without a front there cannot stay. */
    var OWNED = keys(data.base).filter(platform), FOLLOW = { scenario: ["speed", "hit"], model: ["pin", "pout"], level: ["pin", "pout"], basis: OWNED };
    function choose(s, k, v) {
      var follow = FOLLOW[k] || [], mine = follow.filter(x => s[x] !== brought(x, s));
      s[k] = v;
      follow.forEach(x => { if (mine.indexOf(x) < 0) s[x] = brought(x, s); });
      /* what was not worked out together gives way, the choice just made last */
      var ways = [["hit", brought("hit", s)], ["software", NEWEST], ["precision", USUAL]].filter(w => w[0] !== k);
      for (var i = 0; i < ways.length && !has(data.fronts, frontsKey(s)); i++) s[ways[i][0]] = ways[i][1];
      if (s.sold === DERIVED && (k === "util" || underived(s))) s.sold = SET;
      return s;
    }
    /* The reader's choice, and in words what stays as set and what gave way to it. */
    function chosen(k, v) {
      var before = copied(st), why = k === "sold" && v === DERIVED ? underived(st) : ""; choose(st, k, v);
      if (why) { inputs[k][0].value = st[k]; return "Not possible here: " + why + "; it stays as set."; }
      var stay = (FOLLOW[k] || []).filter(x => st[x] !== brought(x, st)), gone = ["hit", "software", "precision", "sold"].filter(x => x !== k && (FOLLOW[k] || []).indexOf(x) < 0 && st[x] !== before[x]);
      return (stay.length ? "Kept as you set it: " + stay.map(worded).join(", ") + "." : "") + (gone.length ? (stay.length ? " " : "") + "Not worked out together in this page, so now " + gone.map(worded).join(", ") + "." : "");
    }
    function changed() { return keys(data.base).filter(k => st[k] !== brought(k, st)); }
    /* Why a number is refused: outside its control's range, or no choice of its menu; empty where it is taken. */
    function refused(k, x) {
      var el = inputs[k][0], all = Array.from(el.options || []).map(o => Number(o.value));
      if (el.tagName === "SELECT") return all.indexOf(x) >= 0 ? "" : "is none of " + all.join(", ");
      var lo = Number(el.min), hi = Number(el.max);
      return x >= lo && x <= hi ? "" : "is outside " + fmt(lo) + " to " + fmt(hi);
    }
    function readHash() {
      var given = new URLSearchParams(location.hash.slice(1));
      var allowed = Object.assign({ model: data.models, scenario: data.scenarios, metric: data.per }, data.options), odd = [];
      var added = given.get("with") || "", waits = added && !data.more.length && others && !others.dataset.gone;
      if (waits) beside(() => { readHash(); ask(); opened(); });
      st.with = data.more.map(p => p.id).filter(id => added.split(",").indexOf(id) >= 0).sort().join();
      PAIR.forEach((side, i) => { pair[i] = cast(st).some(p => p.id === given.get(side)) ? given.get(side) : first[i]; });
      ["model", "scenario", "metric"].concat(keys(data.options)).forEach(k => { if (given.has(k) && has(allowed[k], given.get(k)) && (k !== "level" || has(data.models[st.model].levels, given.get(k)))) choose(st, k, given.get(k)); });
      given.forEach((v, k) => {
        var number = has(data.base, k) && typeof data.base[k] === "number" && v !== "" && isFinite(Number(v)), why = number ? refused(k, Number(v)) : "";
        if (number && !why) { if (k === "hit") choose(st, k, Number(v)); else st[k] = Number(v); if (st.sold === DERIVED && (k === "util" || underived(st))) { st.sold = SET; odd.push("sold=" + DERIVED + ", but " + (k === "util" ? "a share is given too" : underived(Object.assign(copied(st), { sold: DERIVED })))); } }
        var some = k === "without" ? v.split(",").filter(platform) : [];
        if (k === "without" && some.length && some.length < data.platforms.length) st.without = some.sort().join(",");
        var taken = number ? !why : k === "without" || k === "with" ? st[k] === v.split(",").sort().join() || waits : PAIR.indexOf(k) >= 0 ? cast(st).some(p => p.id === v) || waits : has(allowed, k) && has(allowed[k], v);
        if (!taken && location.hash.indexOf("=") > 0) odd.push((k + "=" + v).slice(0, 60) + (why ? " " + why + " (" + st[k] + " stays)" : ""));
      });
      tell(odd.length ? "The address asks for what this page cannot show: " + odd.slice(0, 5).join(", ") + "." : "");
    }
    function tell(words) { put(one(".live-status"), words); }
    function writeHash() {
      if (waiting.length) { hashTimer = setTimeout(writeHash, 250); return; } /* the address is read again when its platforms come */
      var q = new URLSearchParams();
      changed().forEach(k => { q.set(k, String(st[k])); });
      PAIR.forEach((side, i) => { if (pair[i] !== first[i]) q.set(side, pair[i]); });
      history.replaceState(null, "", q.toString() ? "#" + q.toString() : location.pathname + location.search);
    }

    function ask() { turn++; if (root.dataset.ribbons !== "stale") root.dataset.ribbons = "stale"; if (!queued) queued = requestAnimationFrame(() => { queued = 0; show(); }); }
    /* While one drags, a frame writes one of three: the table's picture, the numbers beside the controls, or the words. */
    function show() {
      var now = performance.now(), dragged = !seat() && (held || (now - movedAt < 400 && now - keyedAt > 400));
      movedAt = now; latest = null;
      if (sheet && (!dragged || sheet.alike !== rowsAlike())) { closeSheet(); dragged = false; }
      if (dragged && !sheet && keys(lines).length) openSheet();
      if (!sheet) table();
      if (!sheet || now - wroteAt > 200) { wroteAt = now; speech(); if (!sheet) controls(); }
      else if (now - countedAt > 60) { countedAt = now; controls(); }
      else paintSheet();
      clearTimeout(hashTimer); hashTimer = setTimeout(writeHash, 250);
      clearTimeout(later); later = setTimeout(() => { if (!held) release(); else if (sheet) { if (drawn.data !== basis()) { closeSheet(); write(drawn, basis()); table(); openSheet(); } paintSheet(); } controls(); speech(); rest(); }, 200);
    }
    /* The state's rows, and what the table says of them: worked out once, when first asked. */
    function rowsNow() {
      if (!latest) {
        var moved = changed(), known = moved.some(k => k !== "metric") ? null : reportedRows(st);
        latest = { moved: moved, all: Boolean(known), rows: known || simulate(st, Infinity, true) };
      }
      return latest;
    }
    function found() { var now = rowsNow(); return now.told || (now.told = told(now.rows, now.moved)); }
    /* The picture stands from the press of a slider's thumb to its release, or as long as movements follow one another. */
    function press(event) { if (event.target.type !== "range") return; held = true; if (!sheet) openSheet(); paintSheet(); leave(); }
    function release() { held = false; comeBack(); closeSheet(); table(); }
    /* While a thumb is held what is off the screen is not drawn, since a frame walks all that is; it comes back with the
       release, or when the page scrolls. What keeps its place by margins within it would move the rest, and stays. */
    function leave() {
      var top = () => root.getBoundingClientRect().top, at = top(), tall = innerHeight, all = Array.from(document.querySelectorAll("main>:not(.apart),.apart>*,#live>:not(.scroll,.live-head)")).filter(el => !el.contains(root));
      var boxes = all.map(el => el.getBoundingClientRect());
      away = all.filter((el, i) => boxes[i].height && (boxes[i].bottom < 0 || boxes[i].top > tall));
      away.map(el => { var css = getComputedStyle(el); return el.clientHeight - parseFloat(css.paddingTop) - parseFloat(css.paddingBottom) + "px"; }).forEach((height, i) => { away[i].style.containIntrinsicSize = height; away[i].classList.add("away"); });
      if (abs(top() - at) > 0.5) comeBack();
      stood = scrollY;
    }
    function comeBack() { away.splice(0).forEach(el => { el.classList.remove("away"); el.style.containIntrinsicSize = ""; }); }
    function controls() {
      var moved = changed();
      if (marked !== moved.join()) {
        marked = moved.join();
        keys(holders).forEach(k => { if (holders[k]) holders[k].classList.toggle("changed", moved.indexOf(k) >= 0); });
      }
      keys(inputs).forEach(k => {
        if (shown[k] === st[k]) return;
        shown[k] = st[k];
        inputs[k].forEach(el => {
          var text = el.type === "number" ? boxed(k) : String(st[k]);
          if (el.type === "checkbox") { el.checked = (text.split(",").indexOf(el.value) >= 0) === (k === "with"); return; }
          if (el.type === "radio") { if (el.checked !== (el.value === text)) el.checked = el.value === text; return; }
          if (el.value !== text && (document.activeElement !== el || el.type === "range")) el.value = text;
          if (el.type === "range" && !sheet) spoken(el);
        });
      });
    }
    /* What a box shows: of the page's own values three digits. */
    function boxed(k) { return String(st[k] === brought(k, st) ? Number(st[k].toPrecision(3)) : st[k]); }
    function basis() { return rowsNow().all ? "all " + data.report.inputs + " uncertain inputs drawn, as above" : QUICK + " drawn; a price that you set is taken as certain"; }
    function speech() {
      var now = rowsNow(), moved = now.moved, told = sentence(now.rows, now.all);
      if (!sheet) write(drawn, basis()); /* a caption of another height would move what the picture covers */
      write(verdict, told); write(unit, data.per[st.metric]);
      write(altered, moved.length ? "Changed by the reader: " + moved.map(worded).join(", ") + "." : "This is the report's own case.");
      clearTimeout(speak); speak = setTimeout(() => { put(one(".live-spoken"), told); }, 600);
    }
    function worded(k) {
      var v = st[k], text = k === "model" ? data.models[v].name : k === "scenario" ? data.scenarios[v].name : k === "metric" ? data.per[v] : k === "without" || k === "with" ? v.split(",").filter(Boolean).map(label).join(" and ") : k === "sold" && v === DERIVED ? data.options[k][v] + " (" + cast(st).filter(p => soldOn(p, st) !== undefined).map(p => p.label + " " + share(soldOn(p, st))).join(", ") + ")" : has(data.options, k) ? data.options[k][v] : typeof v === "number" ? fmt(v, 4) : v;
      return (data.names[k] || k) + " " + text + (data.units[k] ? " " + data.units[k] : "");
    }
    function sentence(rows, all) {
      var order = ranked(rows), unit = data.per[st.metric], top = order[0];
      if (!top) return "Your case: no platform reaches " + fmt(st.speed) + " tok/s/user with this first-token limit.";
      var between = " Nine cases in ten lie between " + ends(top.lo, top.hi, st.metric).join(" and ") + ".";
      if (top.mid <= 0) return "Your case: nobody earns; " + titled(top.p) + " loses least, " + amount(-top.mid, st.metric) + " " + unit + "." + between;
      var rival = order.slice(1).sort((a, b) => b.win - a.win)[0];
      var text = "Your case: " + titled(top.p) + " earns " + amount(top.mid, st.metric) + " " + unit + "; it comes first in " + round(top.win * 100) + " of 100 " + (all ? "cases" : "quick cases, in which only " + QUICK + " are drawn");
      if (top.win < data.map.sure[0] && rival) text += rival.win ? ", too close to call against " + titled(rival.p) + " (" + round(rival.win * 100) + ")" : " and nobody else in any";
      return (text + "." + between).replace(/\u2212\$/g, "\u2212\u2060$"); /* a minus sign stays with its amount */
    }

    /* Rows are made once and moved; the axis of the bars stays while one drags, until a bar leaves it or shrinks to a third.
       A movement writes only what it changes: text in its node, a mark by its transform. What is only read aloud follows when the movement rests. */
    function titled(p) { return evidenced(p, st); }
    function emptyBar() {
      var bar = made("span"); bar.className = "ibar"; bar.setAttribute("role", "img");
      ["zero", "ghost", "range", "mid"].forEach(kind => { bar.appendChild(made("i")).className = kind; });
      return bar;
    }
    function line(p) {
      var tr = made("tr"), th = made("th"), texts = [];
      tr.dataset.platform = p.id; th.scope = "row"; th.appendChild(document.createTextNode("")); th.style.setProperty("--swatch", p.swatch); tr.appendChild(th);
      for (var i = 0; i < 6; i++) {
        var td = made("td");
        td.className = "c" + i + (i === 1 ? " barcell" : " n"); tr.appendChild(td);
        if (i === 1) td.appendChild(emptyBar());
        texts.push(i === 1 ? td.firstChild : td.appendChild(document.createTextNode("")));
      }
      var why = made("td"); why.className = "why"; why.colSpan = 6; why.appendChild(document.createTextNode("")); tr.appendChild(why);
      var bar = texts[1], marks = bar.children;
      return { tr: tr, name: th.firstChild, texts: texts, bar: bar, zero: marks[0], ghost: marks[1], range: marks[2], mid: marks[3], why: why.firstChild, said: () => "" };
    }
    function put(node, text) { if (node.textContent !== text) node.textContent = text; }
    function write(node, text) { if (node.data !== text) node.data = text; }
    function place(node, left, width) {
      if (node.at !== left) { node.at = left; node.hidden = left < 0; node.style.left = left + "%"; }
      if (node.wide !== width) { node.wide = width; node.style.width = width + "%"; }
    }
    /* What the table says: in order, each row's words and where its marks stand, in hundredths of the axis. */
    function told(rows, moved) {
      var order = ranked(rows).concat(rows.filter(r => r.why)), lo = 0, hi = 0;
      order.forEach(r => { if (!r.why) { lo = min(lo, r.lo); hi = max(hi, r.hi); } });
      if (!span || span.metric !== st.metric || lo < span.lo || hi > span.hi || hi - lo < 0.33 * (span.hi - span.lo)) span = { metric: st.metric, lo: lo * 1.1, hi: hi * 1.1 };
      var pct = v => round(1e4 * min(1, max(0, (v - span.lo) / (span.hi - span.lo || 1)))) / 100;
      var ghosts = st.metric === data.base.metric && moved.length, known = order.filter(r => !r.why), perM = m => m.cost / (m.rate * m.util * SECONDS / PER_M);
      var mid = st.metric === "usd" ? x => amount(x, "usd") : evenly(known.map(r => r.mid)), each = evenly(known.map(r => perM(r.m)));
      return order.map(r => {
        if (r.why) return { p: r.p, name: titled(r.p), why: r.why };
        var more = r.m;
        return {
          p: r.p, name: titled(r.p), why: "", zero: pct(0), lo: pct(r.lo), hi: pct(r.hi), mid: pct(r.mid), ghost: ghosts && r.p.id in reported ? pct(reported[r.p.id]) : -100,
          said: () => "90 % interval " + ends(r.lo, r.hi, st.metric).join(" to "),
          words: [mid(r.mid), "", String(round(r.win * 100)), each(perM(more)), share(more.profit / more.revenue), lastingOf(payback(more, st.decline) * MONTHS)]
        };
      });
    }
    function table() {
      var body = one(".live-table tbody");
      found().forEach((f, at) => {
        var l = lines[f.p.id] || (lines[f.p.id] = line(f.p));
        if (body.children[at] !== l.tr) body.insertBefore(l.tr, body.children[at] || null);
        l.tr.classList.toggle("none", Boolean(f.why)); write(l.name, f.name); write(l.why, f.why);
        if (f.why) return;
        l.said = f.said;
        place(l.zero, f.zero); place(l.mid, f.mid); place(l.ghost, f.ghost); place(l.range, f.lo, f.hi - f.lo);
        f.words.forEach((text, i) => { if (i !== 1) write(l.texts[i], text); });
      });
    }

    /* While one drags, the table's figures are one picture over its cells: thirty texts set anew cost a layout each frame.
       Cells and what is read aloud are set when the movement rests, or where other rows have no result. The words above keep their height. */
    var sheet = null;
    function rowsAlike() { var all = evaluateAll(st); return cast(st).map((p, i) => all[i].why && p.id + all[i].why).join(); }
    function fontOf(css) { return [css.fontWeight, css.fontSize, css.fontFamily].join(" "); } /* css.font is empty beside figures of equal width */
    function openSheet() {
      var holder = one(".live-table"), box = holder.getBoundingClientRect(), body = one(".live-table tbody"), like = getComputedStyle(one(".live-table td.n")), title = getComputedStyle(one(".live-table tbody th")), css = getComputedStyle(root), dpr = devicePixelRatio || 1;
      var canvas = made("canvas"), pen = canvas.getContext("2d"), rows = [], names = fresh(), left = Infinity, right = 0, bottom = 0, top = body.getBoundingClientRect().top;
      found().forEach(f => {
        var l = lines[f.p.id], places = l.texts.map((node, i) => {
          var r = (i === 1 ? node : node.parentNode).getBoundingClientRect();
          if (r.width && !f.why) { left = min(left, r.left); right = max(right, r.right); }
          return { left: r.left, right: r.right, middle: (r.top + r.bottom) / 2, width: r.width };
        });
        var th = l.tr.cells[0].getBoundingClientRect();
        if (!f.why) left = min(left, th.left);
        places.name = { left: th.left, middle: (th.top + th.bottom) / 2, width: th.width };
        names[f.p.id] = getComputedStyle(l.tr.cells[0], "::before").backgroundColor;
        rows.push(places); bottom = max(bottom, l.tr.getBoundingClientRect().bottom);
      });
      if (!(right > left)) return;
      canvas.className = "live-sheet"; canvas.setAttribute("aria-hidden", "true");
      canvas.width = round((right - left) * dpr); canvas.height = round((bottom - top) * dpr);
      canvas.style.cssText = "left:" + (left - box.left) + "px;top:" + (top - box.top) + "px;width:" + (right - left) + "px;height:" + (bottom - top) + "px";
      pen.scale(dpr, dpr); pen.translate(-left, -top); pen.textBaseline = "middle";
      var colour = name => css.getPropertyValue(name).trim();
      sheet = { canvas: canvas, pen: pen, rows: rows, figures: rows[0].name.left + rows[0].name.width, colours: names, font: fontOf(like), title: fontOf(title), tall: parseFloat(title.lineHeight), indent: parseFloat(title.paddingLeft), alike: rowsAlike(), pad: parseFloat(like.paddingRight), box: [left, top, right - left, bottom - top], ink: colour("--ink"), soft: colour("--soft"), accent: colour("--accent"), panel: colour("--panel") };
      holder.appendChild(canvas); holder.classList.add("sheeted");
      head.style.height = head.offsetHeight + "px"; head.classList.add("held");
    }
    function closeSheet() {
      if (!sheet) return;
      one(".live-table").classList.remove("sheeted"); sheet.canvas.remove(); sheet = null;
      head.style.height = ""; head.classList.remove("held");
    }
    function paintSheet() {
      if (!sheet) return;
      var s = sheet, pen = s.pen, all = found(), order = all.map(f => f.name).join(), same = s.order === order;
      s.order = order;
      if (same) pen.clearRect(s.figures, s.box[1], s.box[2], s.box[3]); else pen.clearRect(...s.box);
      all.forEach((f, nth) => {
        if (f.why) return;
        if (!same) paintName(f, s.rows[nth].name);
        pen.font = s.font; pen.textAlign = "right";
        s.rows[nth].forEach((at, i) => {
          if (!at.width) return;
          if (i !== 1) { pen.fillStyle = s.ink; pen.fillText(f.words[i], at.right - s.pad, at.middle); return; }
          var x = share => at.left + share / 100 * at.width, block = (colour, from, width, tall) => { pen.fillStyle = colour; pen.fillRect(from, at.middle - tall / 2, width, tall); };
          block(s.soft, x(f.zero), 1, 18); block(s.accent, x(f.lo), x(f.hi) - x(f.lo), 4);
          if (f.ghost >= 0) { block(s.soft, x(f.ghost), 3, 18); block(s.panel, x(f.ghost) + 1, 1, 16); }
          block(s.ink, x(f.mid), 3, 14);
        });
      });
    }
    /* A platform's colour and name, in as many lines as its cell needs: rows may change places while one drags. */
    function paintName(f, at) {
      var s = sheet, pen = s.pen, room = at.width - s.indent - s.pad, said = [];
      pen.font = s.title; pen.textAlign = "left";
      f.name.split(" ").forEach(word => {
        var longer = said.length && said[said.length - 1] + " " + word;
        if (longer && pen.measureText(longer).width <= room + 1) said[said.length - 1] = longer; else said.push(word);
      });
      pen.fillStyle = s.colours[f.p.id]; pen.fillRect(at.left + s.indent - 18 + (s.indent < 24 ? 3 : 0), at.middle - 5, 10, 10); pen.fillStyle = s.ink;
      said.forEach((text, i) => { pen.fillText(text, at.left + s.indent, at.middle + (i - (said.length - 1) / 2) * s.tall); });
    }
    function spoken(el) { var text = boxed(el.dataset.key); if (el.dataset.said !== text) { el.dataset.said = text; el.setAttribute("aria-valuetext", text + " " + (el.dataset.unit || "")); } }
    function bars() { each("input[type=range]", spoken); keys(lines).forEach(k => { lines[k].bar.setAttribute("aria-label", lines[k].said()); }); }

    /* Platforms beside the page's own: their figures lie in a file beside the page, asked for when a reader opens their list or
       an address names one. Without it the page says so and compares its own. */
    function beside(then) {
      if (data.more.length) { then(); return; }
      if (others.dataset.gone) return;
      waiting.push(then);
      if (window.rackeconBeside) { came(); return; }
      if (waiting.length > 1) return;
      var script = made("script");
      script.src = others.dataset.file; script.onload = came;
      script.onerror = () => { refuse("The figures of these platforms lie in the file " + others.dataset.file + ", which is not beside this page; it compares its own."); };
      document.head.appendChild(script);
    }
    function came() {
      var same = false, then = waiting;
      try { same = join(window.rackeconBeside); } catch (e) { same = false; }
      if (!same) { data.more = []; kept = fresh(); refuse("The page's arithmetic differs from the library's for these platforms, so it does not compare them."); return; }
      OWNED.push(...data.more.map(p => p.id).filter(id => has(data.base, id)));
      data.more.forEach(p => { if (has(data.base, p.id)) st[p.id] = brought(p.id, st); });
      waiting = []; then.forEach(f => f());
    }
    function refuse(why) {
      waiting = []; others.dataset.gone = "yes"; others.open = true; tell(why);
      inputs.with.forEach(el => { el.checked = false; el.disabled = true; });
    }
    function add(ids) {
      beside(() => {
        data.more.forEach(p => { if (ids.indexOf(p.id) < 0 && has(data.base, p.id)) st[p.id] = brought(p.id, st); });
        st.with = ids.sort().join(); ask();
      });
    }
    /* Rows, menus and boxes of the platforms that take part; whether those changed. */
    function seat() {
      if (seated === st.with) return false;
      var mine = cast(st), there = id => mine.some(p => p.id === id);
      seated = st.with;
      if (st.with) others.open = true;
      each("[data-pair]", menu => { menu.replaceChildren(...mine.map(p => new Option(p.label, p.id))); });
      PAIR.forEach((_, i) => { if (!there(pair[i])) pair[i] = first[i]; });
      each("[data-beside]", row => { row.hidden = !there(row.dataset.beside); });
      keys(lines).forEach(id => { if (!there(id)) { lines[id].tr.remove(); delete lines[id]; } });
      closeSheet();
      return true;
    }

    /* What follows a movement: words read aloud, the command, two platforms; who leads at each value of one control, everything
       else held: a ribbon and where the lead changes; the charts. One piece at a time, so that a movement in between is not kept waiting. */
    function rest() {
      var mine = ++turn, speeds = [Number(range("speed").min), Number(range("speed").max)], own = !changed().length;
      var todo = [bars, command, compare].concat([...root.querySelectorAll("[data-ribbon]")].map(el => () => ribbon(el)));
      if (window.rackeconFigures) todo = todo.concat(window.rackeconFigures(copied(st), speeds, own));
      (function next() {
        if (mine !== turn) return; /* the movement since then fills them */
        if (!todo.length) { root.dataset.ribbons = "filled"; return; }
        todo.shift()(); setTimeout(next, 0);
      })();
    }
    function ribbon(el) {
      var k = el.dataset.ribbon, input = range(k), row = [], text = [];
      if (input) {
        var lo = Number(input.min), hi = Number(input.max), n = 33, last = null, below = null, above = null, turns = [0, 0], found;
        for (var i = 0; i < n; i++) {
          var v = lo + (hi - lo) * i / (n - 1); found = shade(choose(copied(st), k, v), 100);
          row.push(found);
          if (last && last.id !== found.id) {
            var at = flip(k, last.v, v, last.id);
            if (at < st[k]) { below = { at: at, id: last.id }; turns[0]++; } else { above = above || { at: at, id: found.id }; turns[1]++; }
          }
          last = { v: v, id: found.id };
        }
        [["below ", below], ["above ", above]].forEach((e, i) => { if (e[1]) text.push(e[0] + fmt(e[1].at) + ": " + seen(e[1].id) + (turns[i] > 1 ? ", then others" : "")); });
      } else {
        var now = leaderId(st);
        Array.from(inputs[k][0].options).forEach(o => {
          var s = choose(copied(st), k, typeof data.base[k] === "number" ? Number(o.value) : o.value), found = shade(s, 100);
          row.push(found);
          if (found.id !== now) text.push(o.textContent.split(":")[0] + ": " + seen(found.id));
        });
      }
      el.replaceChildren(...input ? cells(row) : row.map(cell));
      put(one('[data-flip="' + k + '"]'), text.join("; ") || "no " + (input ? "value" : "choice") + " here changes who leads");
    }
    function flip(k, lo, hi, id) {
      for (var i = 0; i < 12; i++) { var mid = (lo + hi) / 2; if (leaderId(choose(copied(st), k, mid)) === id) lo = mid; else hi = mid; }
      return (lo + hi) / 2;
    }

    /* Two platforms in the same draws, what each earns and costs, and the one over the other. */
    function compare() {
      var sides = pair.map(id => platform(id)), kept = [null, null], all = simulate(st, Infinity, true, (p, sample) => { pair.forEach((id, i) => { if (p.id === id) kept[i] = sample; }); });
      var found = sides.map(p => { var r = all.filter(x => x.p === p)[0]; return r.why ? r : full(p, r.m, st); });
      var names = sides.map(p => p.label), why = found.map((m, i) => m.why ? names[i] + ": " + m.why : "").filter(Boolean);
      var moved = changed();
      put(one(".pair-table caption"), "Two platforms in " + (moved.length ? "your case: " + moved.map(worded).join(", ") : "the report's own case"));
      each("[data-pair]", el => { el.value = pair[PAIR.indexOf(el.dataset.pair)]; });
      each(".pair-table thead .n", (th, i) => { if (i < 2) put(th, names[i]); });
      each(".pair-table tbody tr", tr => {
        var k = tr.dataset.row, v = found.map(m => m.why ? NaN : m[k]);
        [shownAs(k, v[0], v), shownAs(k, v[1], v), k === "margin" || !(v[0] / v[1] > 0) ? "–" : isFinite(v[0] / v[1]) ? times(v[0] / v[1]) : "–"].forEach((text, i) => { put(tr.cells[i + 1], text); });
      });
      put(one(".pair-verdict"), pair[0] === pair[1] ? "Choose two different platforms." : why.length ? why.join("; ") + "." : lead(names, kept));
    }
    function lead(names, kept) {
      var n = kept[0].length, apart = kept[0].map((v, d) => v - kept[1][d]), wins = 0;
      apart.forEach(v => { if (v > 0) wins++; });
      return names[0] + " earns more than " + names[1] + " in " + round(100 * wins / n) + " of 100 quick cases; nine in ten put the difference between " + ends(quantile(apart, 0.05, 0), quantile(apart, 0.95, 0), st.metric).join(" and ") + " " + data.per[st.metric] + ".";
    }
    function times(x) { return (x < 1000 ? x.toPrecision(3) : fmt(x)) + " x"; }
    function shownAs(k, v, both) {
      if (k === "payback") return lastingOf(v * MONTHS);
      if (!isFinite(v)) return "–";
      return k === "rate" ? fmt(v) : k === "margin" || k === "sold" ? share(v) : has(data.per, k) ? amount(v, k) : evenly(both)(v);
    }

    /* The command that reruns the page: what differs from the notebook's own parameters. */
    function command() {
      var plain = [], lists = [];
      keys(data.commands).forEach(k => {
        var d = data.defaults[k];
        if (d === null) d = has(pricesOf(st), k) ? pricesOf(st)[k] : data.scenarios[st.scenario][k];
        if (st[k] !== d) plain.push("-p " + data.commands[k] + " " + st[k]);
      });
      var own = cast(st).filter(p => has(data.base, p.id) && (has(data.own, p.id) || st[p.id] !== standing(p.id, st.basis)));
      if (st.sold === DERIVED) { ownCommand(own); return; }
      var choices = keys(data.choices).map(k => data.choices[k][st[k]] || "").concat(own.map(p => p.id + "=" + st[p.id])).filter(Boolean);
      if (choices.length) plain.push("-p choices " + choices.join(","));
      var given = Object.assign({}, data.given), rest = cast(st).map(p => p.id).filter(id => left(st).indexOf(id) < 0);
      if (st.without || st.with) given.accelerators = rest;
      keys(given).forEach(k => { lists.push([k, JSON.stringify(given[k])]); });
      var rack = lists.map(l => "-p " + l[0] + " '" + l[1] + "'"), mill = lists.map(l => "-y '" + l[0] + ": " + l[1] + "'");
      put(one(".live-command"), ["rackecon report 00_executive_summary"].concat(plain, rack, ["--name mine"]).join(" "));
      put(one(".live-papermill"), ["papermill notebooks/00_executive_summary.ipynb mine.ipynb"].concat(plain, mill).join(" "));
    }
    /* Pages hold one share for all platforms; the library holds one for each. */
    function ownCommand(own) {
      var text = JSON.stringify, given = ["utilisation", "tok_s_per_user", "prefix_cache_hit", "model", "scenario", "measure"], prices = ["pin", "pout"].map(k => st[k]);
      var terms = keys(data.commands).filter(k => k !== "pin" && k !== "pout" && given.indexOf(data.commands[k]) < 0).map(k => data.commands[k] + "=" + st[k]);
      var choices = text(["basis", "level"].map(k => data.choices[k][st[k]] || "").concat(own.map(p => p.id + "=" + st[p.id])).filter(Boolean).join(","));
      var asked = [cast(st).map(p => p.id).filter(id => left(st).indexOf(id) < 0), [st.model], [st.scenario]].map(text).concat("sold_by_load=True", terms, "**summary.own_money(" + choices + ")", "**summary.own_prices(" + [text(st.model)].concat(prices, choices).join(", ") + ")");
      put(one(".live-command"), "python -c 'from rackecon.answer import summary; from rackecon.appraisal.evaluate import evaluate; print(evaluate(" + asked.join(", ") + ")[[\"platform\", \"utilisation\", \"profit_usd_per_rack_year\"]])'");
      put(one(".live-papermill"), "no notebook: the report’s pages hold one share for all platforms");
    }
    keys(inputs).forEach(k => {
      inputs[k].forEach(el => {
        el.addEventListener("input", () => {
          if (k === "with") { tell(""); add(inputs[k].filter(x => x.checked).map(x => x.value)); return; }
          if (k === "without") {
            var out = inputs[k].filter(x => !x.checked).map(x => x.value).sort();
            if (out.length === inputs[k].length) { el.checked = true; tell("One platform at least stays: " + label(el.value) + "."); return; }
            tell(""); st.without = out.join(",");
          } else if (typeof data.base[k] !== "number") tell(chosen(k, el.value));
          else if (el.tagName === "SELECT") tell(chosen(k, Number(el.value)));
          else {
            var x = Number(el.value), why = el.value === "" || !isFinite(x) ? "is no number" : refused(k, x);
            if (el.type === "number") el.setAttribute("aria-invalid", String(Boolean(why)));
            tell(why ? (data.names[k] || k) + ": " + (el.value || "an empty box") + " " + why + "; " + boxed(k) + " stays." : "");
            if (why || x === st[k]) return;
            var was = st.sold; choose(st, k, x);
            if (was !== st.sold) tell((k === "util" ? "The share sold is as you set it again" : "Not worked out together in this page, so now " + worded("sold")) + ": " + worded("util") + ".");
          }
          ask();
        });
        /* a typed value out of range gives way to the one shown when the reader leaves the box */
        el.addEventListener("change", () => { if (el.type === "number" && el.value !== boxed(k)) { el.value = boxed(k); el.removeAttribute("aria-invalid"); } });
      });
    });
    each("[data-pair]", el => { el.addEventListener("change", () => { pair[PAIR.indexOf(el.dataset.pair)] = el.value; compare(); writeHash(); }); });
    one(".live-reset").addEventListener("click", () => { st = copied(data.base); pair = first.slice(); span = null; shown = fresh(); tell(""); ask(); });
    one(".live-link").addEventListener("click", function () { writeHash(); copy(location.href, this); });
    one(".live-copy").addEventListener("click", function () { copy(one(".live-command").textContent, this); });
    one(".live-mill").addEventListener("click", function () { copy(one(".live-papermill").textContent, this); });
    function copy(text, button) { window.rackeconCopied(text, button); }
    window.addEventListener("hashchange", () => { st = copied(data.base); shown = fresh(); readHash(); ask(); opened(); });
    one(".live-json").addEventListener("click", () => {
      var e = document.getElementById("edition"), rows = {};
      simulate(st, Infinity, true).forEach(r => { rows[r.p.id] = r.why ? { why: r.why } : { profit: r.mid, low: r.lo, high: r.hi, first_share: r.win }; });
      window.rackeconSave(JSON.stringify({ edition: e ? e.dataset.edition : "", data_as_of: e ? e.dataset.vintage : "", unit: "USD or share " + data.per[st.metric], case: st, changed: changed(), command: one(".live-command").textContent, platforms: rows }, null, 1) + "\n", "rackecon-case.json", "application/json");
    });
    /* An address that carries a case opens on it, and the page says that it is not the report's. */
    function opened() {
      var moved = changed(), old = document.querySelector(".shared"), words = moved.length ? "This address carries a reader's case: " + moved.map(worded).join(", ") + ". It stands under \u201cChange an assumption\u201d; all else on the page is the report's own case." : "";
      if (old) old.remove();
      if (!words) return;
      var p = made("p"); p.className = "caveat shared"; p.textContent = words; document.getElementById("main").prepend(p);
      root.scrollIntoView();
    }
    root.addEventListener("pointerdown", press); window.addEventListener("scroll", () => { if (abs(scrollY - stood) > 1) comeBack(); });
    ["pointerup", "pointercancel"].forEach(kind => window.addEventListener(kind, () => { if (held) release(); }));
    root.addEventListener("keydown", () => { keyedAt = performance.now(); }); /* what a key moves is read aloud at once: no picture */
    readHash(); show(); movedAt = -Infinity; opened();
    one(".live-costs").open = changed().some(k => platform(k));
    document.documentElement.dataset.usable = String(round(performance.now()));
    setTimeout(() => { bars(); command(); compare(); }, 0); /* no control waits for what these fill */
  }
  start(); /* the script stands after what it works on: no wait for the chart library */
})();
