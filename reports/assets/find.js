(function () {
"use strict";
var holder = document.getElementById("passages"), form = document.getElementById("search"), MOST = 40;
if (!holder || !form) return;
var data = JSON.parse(holder.textContent), box = form.querySelector("input"), list = form.querySelector("ol"), said = form.querySelector("[role=status]");
var plain = data.passages.map(function (p) { return p[3].toLowerCase(); });
form.hidden = false;
function escaped(word) { return word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"); }
function starts(word) { return new RegExp("(^|[^a-z0-9])" + escaped(word), "i"); }
function found(words) {
var tests = words.map(starts), whole = words.map(function (w) { return new RegExp("(^|[^a-z0-9])" + escaped(w) + "($|[^a-z0-9])", "i"); }), out = [];
plain.forEach(function (text, i) {
if (!tests.every(function (t) { return t.test(text); })) return;
var exact = whole.filter(function (t) { return t.test(text); }).length;
out.push({ at: i, score: data.weights[data.passages[i][2]] * (1 + exact / words.length) });
});
return out.sort(function (a, b) { return b.score - a.score || a.at - b.at; });
}
function excerpt(text, words) {
var p = document.createElement("p"), any = new RegExp("(^|[^a-z0-9])(" + words.map(escaped).join("|") + ")", "gi"), first = text.search(any), from = first > 120 ? text.indexOf(" ", first - 90) + 1 : 0;
var cut = text.slice(from, from + 260), last = 0, hit;
if (from) p.append("… ");
while ((hit = any.exec(cut))) {
var at = hit.index + hit[1].length, mark = document.createElement("mark");
mark.textContent = cut.slice(at, at + hit[2].length);
p.append(cut.slice(last, at), mark); last = at + hit[2].length;
}
p.append(cut.slice(last) + (from + 260 < text.length ? " …" : ""));
return p;
}
function item(one, words) {
var p = data.passages[one.at], li = document.createElement("li"), a = document.createElement("a");
a.href = data.pages[p[0]][0] + (p[1] ? "#" + p[1] : ""); a.textContent = data.pages[p[0]][1];
li.append(a, " · " + p[2], excerpt(p[3], words));
return li;
}
function search() {
var words = box.value.toLowerCase().split(/\s+/).filter(Boolean).slice(0, 8), all = words.length ? found(words) : [];
list.replaceChildren.apply(list, all.slice(0, MOST).map(function (one) { return item(one, words); }));
said.textContent = !words.length ? "" : all.length ? all.length + (all.length === 1 ? " passage" : " passages") + (all.length > MOST ? ", the first " + MOST + " shown" : "") : "No page has these words together: try fewer.";
history.replaceState(null, "", box.value ? "#q=" + encodeURIComponent(box.value) : location.pathname + location.search);
}
box.addEventListener("input", search);
form.addEventListener("submit", function (e) { e.preventDefault(); });
function asked() {
var given = new URLSearchParams(location.hash.slice(1)).get("q");
if (given && given !== box.value) { box.value = given.slice(0, 200); search(); }
}
window.addEventListener("hashchange", asked);
asked();
})();
