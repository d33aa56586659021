// Draws every element with `data-chart` (see _chart.html); again when its data, the theme or its width change.
(() => {
  const root = document.documentElement;
  const SYMBOLS = ["circle", "triangle", "rect", "diamond", "pin"];
  const SYMBOL_EVERY_PX = 28;
  const charts = new Map(); // element with data-chart → ECharts instance in a child of its own, which a morph leaves alone

  const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  const isKnown = (value) => typeof value === "number" && Number.isFinite(value);

  function digits(value, sign) {
    return new Intl.NumberFormat(root.lang, { maximumSignificantDigits: 4, signDisplay: sign ? "exceptZero" : "auto" }).format(value);
  }
  function tick(value, unit) {
    if (unit === "percent") return `${digits(value * 100)} %`;
    return unit === "points" ? digits(value * 100, true) : digits(value);
  }
  const figure = (value, unit, points) => (unit === "points" ? `${tick(value, unit)} ${points}` : tick(value, unit));
  const day = (value) => new Intl.DateTimeFormat(root.lang, { month: "short", day: "numeric", timeZone: "UTC" }).format(new Date(value));

  // Series ---------------------------------------------------------------------------------------------
  function line(name, data, style, more = {}) {
    return { type: "line", name, data, symbol: "none", silent: true, lineStyle: style, itemStyle: { color: style.color }, ...more };
  }

  // The band is its lower bound, unseen, and its width on top; "all" stacks a width on a negative bound too.
  function band(series, at, place, tint) {
    const unseen = { width: 0, opacity: 0, color: tint };
    const stack = { stack: `band ${place}`, stackStrategy: "all" };
    const widths = series.low.map((low, index) => (isKnown(low) && isKnown(series.high[index]) ? series.high[index] - low : null));
    const lows = series.low.map((low, index) => (widths[index] === null ? null : low));
    return [
      line("", at(lows), unseen, stack),
      line("", at(widths), unseen, { ...stack, areaStyle: { color: tint, opacity: 0.18 } }),
    ];
  }

  // Where a band has no width to be drawn along – a single point, a bar – the interval is a stroke.
  function strokes(series, xs, tint) {
    const from = series.low.flatMap((low, index) => (isKnown(low) && isKnown(series.high[index]) ? [index] : []));
    const end = (index, y) => ({ coord: [xs[index], y], symbol: "rect", symbolSize: [11, 1.5], symbolRotate: 0 });
    return {
      silent: true, animation: false, label: { show: false }, lineStyle: { color: tint, type: "solid", width: 1.5 },
      data: from.map((index) => [end(index, series.low[index]), end(index, series.high[index])]),
    };
  }

  const hasOnePoint = (series) => series.low.filter(isKnown).length === 1;

  function lines(chart, series, place, xs, width) {
    const tint = colour(`chart-${(place % 5) + 1}`);
    const at = (ys) => (chart.x_kind === "category" ? ys : ys.map((y, index) => [xs[index], y]));
    const style = { color: tint, width: 2, type: series.dashed ? "dashed" : "solid" };
    const drawn = [];
    const showSymbol = series.y.filter(isKnown).length * SYMBOL_EVERY_PX <= width;
    const more = { symbol: SYMBOLS[place % 5], symbolSize: 7, showSymbol, z: 3 };
    if (series.low && hasOnePoint(series)) more.markLine = strokes(series, xs, tint);
    else if (series.low && series.dashed) {
      drawn.push(...[series.low, series.high].map((bound) => line("", at(bound), { ...style, width: 1.5 })));
    } else if (series.low) drawn.push(...band(series, at, place, tint));
    return [...drawn, line(series.name, at(series.y), style, more)];
  }

  function bars(chart, series, place, xs) {
    const tint = colour(`chart-${(place % 5) + 1}`);
    const drawn = { type: "bar", name: series.name, data: series.y, silent: true, barMaxWidth: 44, barGap: "10%", itemStyle: { color: tint, borderRadius: [3, 3, 0, 0] } };
    if (series.low && chart.series.length === 1) drawn.markLine = strokes(series, xs, colour("ink"));
    return [drawn];
  }

  // Unseen points make room on the axes for what the lines across the chart and the strokes need.
  function marked(chart, xs) {
    const marks = (chart.marks ?? []).map((mark) => ({ ...mark, at: mark.axis === "x" ? place(chart, mark.at) : mark.at }));
    const bounds = chart.series.flatMap((one) => [...(one.low ?? []), ...(one.high ?? [])]).filter(isKnown);
    const room = bounds.length ? [[xs[0], Math.min(...bounds)], [xs[0], Math.max(...bounds)]] : [];
    return line("", [...room, ...marks.map((mark) => (mark.axis === "x" ? [mark.at, null] : [xs[0], mark.at]))], { width: 0, opacity: 0 }, {
      markLine: {
        silent: true, symbol: "none", animation: false, data: marks.map((mark) => ({ name: mark.name, [`${mark.axis}Axis`]: mark.at })),
        lineStyle: { color: colour("muted"), type: [2, 3], width: 1.2 },
        label: { formatter: "{b}", position: "insideEndTop", color: colour("muted"), fontSize: 11 },
      },
    });
  }

  // Axes -----------------------------------------------------------------------------------------------
  const place = (chart, x) => (chart.x_kind === "time" ? Date.parse(x) : x);

  function axes(chart, width) {
    const label = { color: colour("muted"), fontSize: 12, hideOverlap: true };
    const rule = { lineStyle: { color: colour("line") } };
    const isTime = chart.x_kind === "time";
    const x = { type: isTime ? "time" : chart.x_kind, axisLabel: label, axisLine: { ...rule, onZero: false }, axisTick: { show: false }, splitLine: { show: false }, scale: true };
    if (chart.x_kind === "category") {
      x.data = chart.x;
      x.boundaryGap = chart.kind === "bars" || chart.x.length === 1;
      if (chart.kind === "bars") x.axisLabel = { ...label, interval: 0, rotate: (width - 64) / chart.x.length < 80 ? 35 : 0 };
    } else {
      x.splitNumber = Math.max(2, Math.round(width / 130));
      x.axisLabel = { ...label, formatter: isTime ? day : (value) => digits(value) };
      if (isTime) x.minInterval = 86400000;
    }
    const y = { type: "value", scale: !chart.zero, splitNumber: 4, axisLabel: { ...label, formatter: (value) => tick(value, chart.unit) }, splitLine: rule, axisLine: { show: false }, axisTick: { show: false } };
    return { xAxis: x, yAxis: y };
  }

  function tooltip(chart, points) {
    const said = (value) => figure(value, chart.unit, points);
    return {
      trigger: "axis", renderMode: "richText", confine: true, backgroundColor: colour("panel"), borderColor: colour("line"), borderWidth: 1,
      textStyle: { color: colour("ink"), fontSize: 12 },
      axisPointer: { type: chart.kind === "bars" ? "shadow" : "line", lineStyle: { color: colour("muted") }, label: { show: false } },
      formatter: (found) => {
        const index = found[0].dataIndex;
        const rows = chart.series.filter((one) => isKnown(one.y[index]) || isKnown(one.low?.[index])).map((one) => {
          const interval = isKnown(one.low?.[index]) && isKnown(one.high[index]) ? `[${said(one.low[index])}, ${said(one.high[index])}]` : "";
          return `${one.name}: ${isKnown(one.y[index]) ? said(one.y[index]) : ""} ${interval}`;
        });
        const x = chart.x[index];
        return [chart.x_kind === "time" ? day(x) : chart.x_kind === "value" ? digits(x) : x, ...rows].join("\n");
      },
    };
  }

  // Drawing --------------------------------------------------------------------------------------------
  function option(chart, element) {
    const xs = chart.x.map((x) => place(chart, x));
    const draw = chart.kind === "bars" ? bars : lines;
    const series = chart.series.flatMap((one, index) => draw(chart, one, index, xs, element.clientWidth));
    return {
      animation: !matchMedia("(prefers-reduced-motion: reduce)").matches, animationDuration: 250,
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
      grid: { left: 4, right: 16, top: 14, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
      tooltip: tooltip(chart, element.dataset.points),
      ...axes(chart, element.clientWidth), series: [...series, marked(chart, xs)],
    };
  }

  function draw(element) {
    if (!charts.has(element)) {
      const canvas = element.appendChild(document.createElement("div"));
      canvas.className = "chart-canvas";
      charts.set(element, echarts.init(canvas, null, { renderer: "svg" }));
      widths.observe(element);
    }
    const chart = charts.get(element);
    chart.resize();
    chart.setOption(option(JSON.parse(element.dataset.chart), element), { notMerge: true });
  }

  function look() {
    for (const [element, chart] of charts) {
      if (element.isConnected) continue;
      chart.dispose();
      widths.unobserve(element);
      charts.delete(element);
    }
    for (const element of document.querySelectorAll("[data-chart]")) if (!charts.has(element)) draw(element);
  }

  const redraw = (element) => element.isConnected && element.clientWidth > 0 && draw(element);
  const widths = new ResizeObserver((entries) => entries.forEach((entry) => redraw(entry.target)));
  new MutationObserver(() => [...charts.keys()].forEach(redraw)).observe(root, { attributeFilter: ["data-bs-theme"] });
  new MutationObserver((changes) => {
    changes.filter((one) => one.type === "attributes").forEach((one) => charts.has(one.target) && redraw(one.target));
    look();
  }).observe(document.body, { childList: true, subtree: true, attributeFilter: ["data-chart"] });
  look();
})();
