// Draws the price of one position with its stop, its best price, entry, exit and events.
"use strict";

(() => {
  const AGAIN_MS = 30_000;
  const SOON_MS = 1_000;
  const place = document.getElementById("chart");
  const note = document.getElementById("chart-note");
  let plot = null;
  let told = null;
  let turn = null;
  let asked = null;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const twice = (value) => String(value).padStart(2, "0");

  function clock(seconds) {
    const at = new Date(seconds * 1000);
    return `${twice(at.getUTCHours())}:${twice(at.getUTCMinutes())}:${twice(at.getUTCSeconds())}`;
  }

  // Hours of the day to 24, and the day where a new one begins.
  function times(u, splits, axis, space, step) {
    let day = "";
    return splits.map((seconds) => {
      const at = new Date(seconds * 1000).toISOString();
      const date = at.slice(5, 10);
      const hour = at.slice(11, step % 60 ? 19 : 16);
      const told = date === day ? hour : step >= 86400 ? date : `${hour}\n${date}`;
      day = date;
      return told;
    });
  }

  // Steps, points and candles have times of their own; the plot wants one axis for all of them.
  function table() {
    const { t, low, high, close } = told.candles;
    const pair = (points) => [points.map((point) => point[0]), points.map((point) => point[1])];
    const shown = [[t, low, high, close], pair(told.stops), pair(told.peaks), pair(told.entry), pair(told.exit)];
    // A time that no column has keeps the axis as wide as what was asked for, also without any price.
    shown.push([[told.from, told.to], [null, null]]);
    return uPlot.join(shown, shown.map((columns) => columns.slice(1).map(() => 1)));
  }

  function sign(text, size) {
    return (u, series) => {
      const { ctx } = u;
      const [xs, ys] = [u.data[0], u.data[series]];
      ctx.save();
      ctx.font = `${size * devicePixelRatio}px sans-serif`;
      ctx.textAlign = "center";
      ctx.textBaseline = "middle";
      ctx.fillStyle = colour("ink");
      xs.forEach((x, i) => {
        if (ys[i] != null) ctx.fillText(text, u.valToPos(x, "x", true), u.valToPos(ys[i], "y", true));
      });
      ctx.restore();
    };
  }

  function drawMarks(u) {
    const { ctx } = u;
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.font = `${11 * ratio}px sans-serif`;
    ctx.textAlign = "center";
    ctx.textBaseline = "top";
    let [last, level] = [-Infinity, 0];
    for (const mark of told.marks) {
      const x = u.valToPos(mark.t, "x", true);
      if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) continue;
      level = x - last < 16 * ratio ? (level + 1) % 4 : 0;
      last = x;
      ctx.strokeStyle = colour("line");
      ctx.lineWidth = ratio;
      ctx.beginPath();
      ctx.moveTo(x, u.bbox.top + (level + 1) * 13 * ratio);
      ctx.lineTo(x, u.bbox.top + u.bbox.height);
      ctx.stroke();
      ctx.fillStyle = colour("quiet");
      ctx.fillText(String(mark.n), x, u.bbox.top + level * 13 * ratio);
    }
    ctx.restore();
  }

  function options() {
    const axis = { stroke: colour("quiet"), grid: { stroke: colour("grid"), width: 1 }, ticks: { stroke: colour("grid") } };
    const value = (u, price) => (price == null ? "" : String(price));
    const dots = { show: true, size: 5, fill: colour("peak") };
    const stepped = uPlot.paths.stepped({ align: 1 });
    return {
      width: place.clientWidth,
      height: Math.max(260, Math.min(460, Math.round(place.clientWidth * 0.5))),
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
      cursor: { drag: { x: true, y: false } },
      scales: { x: { time: true }, y: { range: spread } },
      axes: [{ ...axis, values: times }, { ...axis, size: 76 }],
      series: [
        { label: "Time (UTC)", value: (u, at) => (at == null ? "" : clock(at)) },
        { label: "Low", stroke: "transparent", points: { show: false }, value, spanGaps: true },
        { label: "High", stroke: "transparent", points: { show: false }, value, spanGaps: true },
        { label: "Price", stroke: colour("price"), width: 1.5, points: { show: false }, value, spanGaps: true },
        { label: "Stop", stroke: colour("stop"), width: 2, paths: stepped, points: { show: false }, value, spanGaps: true },
        { label: "Best", stroke: colour("peak"), width: 1, dash: [2, 4], paths: stepped, points: dots, value, spanGaps: true },
        { label: "Entry", stroke: "transparent", points: { show: sign("▲", 17) }, value },
        { label: "Exit", stroke: "transparent", points: { show: sign("▼", 17) }, value },
        { label: "", show: false },
      ],
      bands: [{ series: [2, 1], fill: colour("band") }],
      hooks: { drawClear: [drawMarks] },
    };
  }

  // Some air above and below, also when everything has one price.
  function spread(u, low, high) {
    if (low == null || high == null) return [0, 1];
    const air = (high - low) * 0.08 || Math.abs(high) * 0.001 || 1;
    return [low - air, high + air];
  }

  function draw() {
    plot?.destroy();
    place.replaceChildren();
    plot = new uPlot(options(), table(), place);
  }

  async function ask() {
    clearTimeout(asked);
    try {
      const answer = await fetch(place.dataset.url, { cache: "no-store", redirect: "error" });
      if (!answer.ok) throw new Error(`answer ${answer.status}`);
      told = await answer.json();
    } catch {
      note.textContent = "The chart cannot be loaded. What it shows is in the tables below.";
      asked = setTimeout(ask, AGAIN_MS);
      return;
    }
    note.textContent = told.trouble
      ? `${told.trouble} Without it there are no past prices: entry, stop, exit and events are from the database.`
      : `Candles of ${told.interval}. Drag to look closer, double-click to go back.`;
    document.getElementById("stops").innerHTML = told.tables.stops;
    document.getElementById("events").innerHTML = told.tables.events;
    draw();
    if (told.live) asked = setTimeout(ask, AGAIN_MS);
  }

  // Between two questions the last price of the stream goes on with the line.
  function go(mark) {
    if (turn !== mark.turn) {
      clearTimeout(asked);
      asked = setTimeout(ask, SOON_MS);
    }
    turn = mark.turn;
    if (!told || !told.live || mark.price === null) return;
    const [price, at] = [Number(mark.price), mark.at_ms / 1000];
    const { t, low, high, close } = told.candles;
    const last = t.length - 1;
    if (last >= 0 && at < t[last]) return;
    if (last >= 0 && at < t[last] + told.interval_s) {
      [low[last], high[last], close[last]] = [Math.min(low[last], price), Math.max(high[last], price), price];
    } else {
      t.push(Math.floor(at / told.interval_s) * told.interval_s);
      for (const column of [low, high, close]) column.push(price);
    }
    for (const steps of [told.stops, told.peaks]) if (steps.length) steps[steps.length - 1][0] = Math.max(at, steps[steps.length - 1][0]);
    told.to = Math.max(told.to, at);
    plot?.setData(table());
  }

  document.addEventListener("desk:mark", (event) => go(event.detail));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => told && draw());
  new ResizeObserver(() => {
    if (plot && place.clientWidth !== plot.width) draw();
  }).observe(place);
  ask();
})();
