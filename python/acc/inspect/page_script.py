"""The script of the page: sorts the table, draws the timeline and the memories, and tells what is under the pointer."""

from __future__ import annotations

__all__ = ["SCRIPT"]

SCRIPT = """
'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const tip = document.getElementById('tip');

  // The table: the first click on a column of numbers has the largest first, the next turns it round.
  const table = document.getElementById('layers');
  table.querySelectorAll('th').forEach((head, column) => head.querySelector('button').addEventListener('click', () => {
    const body = table.tBodies[0], rows = [...body.rows];
    const value = row => row.cells[column].dataset.value;
    const numeric = rows.every(row => value(row) === '' || !isNaN(value(row)));
    const before = head.getAttribute('aria-sort');
    const down = before ? before === 'ascending' : numeric && column > 0;
    table.querySelectorAll('th').forEach(other => other.removeAttribute('aria-sort'));
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    const order = numeric ? (a, b) => value(a) - value(b) : (a, b) => value(a).localeCompare(value(b));
    rows.sort((a, b) => (down ? -1 : 1) * order(a, b)).forEach(row => body.append(row));
  }));

  if (!data.activity) return;
  const total = Math.max(1, data.activity.cycles);
  const view = {from: 0, to: total};
  const charts = [];
  const colour = row => `hsl(${(row * 137.5) % 360} 55% 55%)`;

  // A chart has items {begin, end, low, high, row, what, waits}, which lie between 0 and `top`, and names of lanes.
  function add(canvas, items, top, lanes) {
    const chart = {canvas, items, top, lanes};
    charts.push(chart);
    const at = event => {
      const box = canvas.getBoundingClientRect();
      const time = view.from + (event.clientX - box.left) / box.width * (view.to - view.from);
      const height = (1 - (event.clientY - box.top) / box.height) * top;
      const slack = 2 / box.width * (view.to - view.from);
      let best = null;
      for (const item of items)
        if (item.begin - slack <= time && time <= item.end + slack && item.low <= height && height <= item.high &&
            (!best || item.end - item.begin < best.end - best.begin)) best = item;
      return best;
    };
    const tell = event => {
      const item = at(event);
      tip.style.display = item ? 'block' : 'none';
      if (!item) return;
      const bytes = lanes ? '' : `, bytes ${item.low.toLocaleString('en')} to ${item.high.toLocaleString('en')}`;
      tip.textContent = `${data.layers[item.row].name}: ${item.what}, cycles ${item.begin.toLocaleString('en')} to ` +
        `${item.end.toLocaleString('en')}${bytes}`;
      tip.style.left = Math.max(0, Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8)) + 'px';
      tip.style.top = Math.max(0, Math.min(event.clientY + 12, innerHeight - tip.offsetHeight - 8)) + 'px';
    };
    let held = null;
    canvas.addEventListener('pointerdown', event => { held = event.clientX; tell(event); });
    canvas.addEventListener('pointermove', event => {
      if (held !== null && event.buttons) {
        move((held - event.clientX) / canvas.clientWidth * (view.to - view.from));
        held = event.clientX;
      } else tell(event);
    });
    canvas.addEventListener('pointerup', () => { held = null; });
    canvas.addEventListener('pointerleave', () => { held = null; tip.style.display = 'none'; });
    canvas.addEventListener('wheel', event => {
      if (!event.deltaY) return;
      event.preventDefault();
      zoom(event.deltaY < 0 ? 0.8 : 1.25, (event.clientX - canvas.getBoundingClientRect().left) / canvas.clientWidth);
    }, {passive: false});
  }

  function move(by) {
    by = Math.max(-view.from, Math.min(by, total - view.to));
    view.from += by; view.to += by;
    draw();
  }
  function zoom(by, where = 0.5) {
    const span = by ? Math.min(total, Math.max(20, (view.to - view.from) * by)) : total;
    const centre = view.from + where * (view.to - view.from);
    view.from = Math.max(0, Math.min(centre - where * span, total - span));
    view.to = view.from + span;
    draw();
  }
  document.querySelectorAll('[data-zoom]').forEach(button =>
    button.addEventListener('click', () => zoom(Number(button.dataset.zoom))));

  function draw() {
    const style = getComputedStyle(document.body);
    for (const {canvas, items, top, lanes} of charts) {
      const scale = devicePixelRatio || 1, width = canvas.clientWidth;
      const height = Number(canvas.dataset.height);
      canvas.width = width * scale; canvas.height = height * scale;
      const context = canvas.getContext('2d');
      context.scale(scale, scale);
      const across = width / (view.to - view.from), up = height / top;
      for (const item of items) {
        if (item.end < view.from || item.begin > view.to) continue;
        const x = Math.max(0, (item.begin - view.from) * across);
        const right = Math.min(width, (item.end - view.from) * across);
        context.globalAlpha = item.waits ? 0.22 : 0.9;
        context.fillStyle = colour(item.row);
        const tall = Math.max(1, (item.high - item.low) * up);
        context.fillRect(x, height - item.high * up, Math.max(0.6, right - x), tall);
      }
      context.globalAlpha = 1;
      context.fillStyle = style.color;
      context.font = '11px system-ui, sans-serif';
      const lane = number => height - (20 + (lanes.length - number) * 44) * up;
      (lanes || []).forEach((name, number) => context.fillText(name, 3, lane(number) + 11));
      if (lanes) {
        context.fillText(Math.round(view.from).toLocaleString('en'), 3, height - 3);
        const last = `${Math.round(view.to).toLocaleString('en')} cycles`;
        context.fillText(last, width - context.measureText(last).width - 3, height - 3);
      }
    }
  }

  const timeline = document.getElementById('timeline');
  const units = JSON.parse(timeline.dataset.units), items = [];
  for (const launch of data.activity.launches)
    for (const [unit, track] of Object.entries(launch.tracks)) {
      const low = 20 + (units.length - 1 - units.indexOf(unit)) * 44;
      for (const [begin, end, row, what, waits] of track)
        items.push({begin, end, low: waits ? low + 8 : low, high: low + (waits ? 22 : 30), row, what, waits});
    }
  add(timeline, items, 44 * units.length + 20, units);
  document.querySelectorAll('canvas[data-memory]').forEach(canvas => {
    const memory = data.activity.memories[Number(canvas.dataset.memory)];
    const uses = memory.uses.map(([begin, end, low, high, row, what]) => ({begin, end, low, high, row, what}));
    add(canvas, uses, Math.max(1, memory.bytes), null);
  });
  charts.forEach(({canvas}) => {
    const height = canvas.getAttribute('height');
    canvas.setAttribute('data-height', height);
    canvas.style.height = height + 'px';
  });
  addEventListener('resize', draw);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  draw();
})();
"""
