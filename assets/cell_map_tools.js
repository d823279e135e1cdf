// The tools above the map, and the pointer, fingers and keys on it.
const ICONS = {
  pan: "M9 2v14M2 9h14M9 2 7 4m2-2 2 2M9 16l-2-2m2 2 2-2M2 9l2-2M2 9l2 2m12-2-2-2m2 2-2 2",
  lasso: "M6 13C1 11 1 4 8 3s10 4 7 8-7 2-9 2-2 3 1 3",
  box: "M3 3h3M8 3h2M12 3h3v3M15 8v2M15 12v3h-3M10 15H8M6 15H3v-3M3 10V8M3 6V3",
  replace: "M9 3a6 6 0 1 0 0 12A6 6 0 0 0 9 3z",
  add: "M9 2a7 7 0 1 0 0 14A7 7 0 0 0 9 2zM9 6v6M6 9h6",
  subtract: "M9 2a7 7 0 1 0 0 14A7 7 0 0 0 9 2zM6 9h6",
  intersect: "M7 4a5 5 0 1 0 0 10A5 5 0 0 0 7 4zM11 4a5 5 0 1 0 0 10 5 5 0 0 0 0-10zM9 5.2v7.6M8 7v4M10 7v4",
  full: "M3 7V3h4M11 3h4v4M15 11v4h-4M7 15H3v-4",
  fit: "M2 6V2h4M12 2h4v4M16 12v4h-4M6 16H2v-4M6 6h6v6H6z",
  labels: "M3 5V3h12v2M9 3v12M6 15h6",
  clear: "M4 4l10 10M14 4 4 14",
}
const TOOLS = [
  ["lasso", "Lasso: draw around cells"],
  ["box", "Box: drag a rectangle"],
  ["pan", "Move: drag the map"],
  null,
  ["replace", "A new shape replaces the selection"],
  ["add", "A new shape adds cells (or hold Shift)"],
  ["subtract", "A new shape takes cells away (or hold Alt)"],
  ["intersect", "A new shape keeps only selected cells inside it (or hold Shift and Alt)"],
  null,
  ["full", "As large as the window, and back (key F)"],
  ["fit", "Show all cells (key 0)"],
  ["labels", "Names on the map"],
  ["clear", "Clear the selection (Esc)"],
]

function icon(path) {
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg"), line = document.createElementNS(drawing.namespaceURI, "path")
  drawing.setAttribute("viewBox", "0 0 18 18")
  const look = { d: path, fill: "none", stroke: "currentColor", "stroke-width": 1.5, "stroke-linecap": "round", "stroke-linejoin": "round" }
  for (const [key, value] of Object.entries(look)) line.setAttribute(key, value)
  drawing.append(line)
  return drawing
}
function addTools(m) {
  const act = {
    full: () => toggleFull(m),
    fit: () => { m.view.fit = true; for (const map of inTurn(m.view)) map.measure() },
    labels: () => { m.view.labels = !m.view.labels; redrawAll(m.view, false) },
    clear: () => (m.d.picked ? m.emit("clear", []) : setFilter(m.view, null)),
    ...Object.fromEntries(["lasso", "box", "pan"].map((tool) => [tool, () => { m.view.tool = tool }])),
    ...Object.fromEntries(["replace", "add", "subtract", "intersect"].map((op) => [op, () => { m.view.op = op }])),
  }
  for (const tool of TOOLS) {
    if (!tool) { m.bar.append(make("i")); continue }
    const [name, text] = tool
    const button = (m.buttons[name] = make("button", { type: "button", title: text, ariaLabel: text }, icon(ICONS[name])))
    button.dataset.tool = name
    button.onclick = () => { act[name](); for (const map of m.view.maps) map.tell() }
    m.bar.append(button)
  }
  m.act = act
}
function markTools({ buttons, view, d, over }) {
  for (const name of ["lasso", "box", "pan"]) buttons[name].setAttribute("aria-pressed", view.tool === name)
  for (const name of ["replace", "add", "subtract", "intersect"]) buttons[name].setAttribute("aria-pressed", view.op === name)
  buttons.labels.setAttribute("aria-pressed", view.labels)
  buttons.labels.hidden = (!d.names || d.places === false) && !d.compact
  buttons.full.hidden = d.compact
  over.classList.toggle("pan", view.tool === "pan")
}

function listen(m) {
  const { over, touches } = m
  const at = (event) => { const box = over.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top] }
  let waiting = 0

  over.onpointerdown = (event) => {
    if (!m.d?.tools || event.button > 1) return
    const spot = at(event), { view } = m
    view.awake = true // a map that was clicked zooms with the wheel until the pointer leaves it
    event.preventDefault() // no text selection; so focus by hand
    over.focus({ preventScroll: true, focusVisible: false })
    over.setPointerCapture(event.pointerId)
    touches.set(event.pointerId, spot)
    const op = event.altKey ? (event.shiftKey ? "intersect" : "subtract") : event.shiftKey ? "add" : view.op
    m.drag = touches.size > 1 ? null : { kind: event.button ? "pan" : view.tool, op, from: spot, shape: [spot] } // two fingers move and zoom
    m.sent = null
    hover(m)
  }
  over.onpointermove = (event) => {
    if (!m.d?.tools) return
    const spot = (m.pointer = at(event)), [x, y] = spot, last = touches.get(event.pointerId), { drag } = m
    if (touches.size === 2 && last) {
      const [other] = [...touches].filter(([id]) => id !== event.pointerId).map(([, where]) => where)
      const apart = (p) => Math.max(1, Math.hypot(p[0] - other[0], p[1] - other[1]))
      touches.set(event.pointerId, spot)
      pan(m, (x - last[0]) / 2, (y - last[1]) / 2)
      zoom(m, apart(spot) / apart(last), [(x + other[0]) / 2, (y + other[1]) / 2])
    } else if (drag && last) {
      const step = Math.hypot(x - last[0], y - last[1])
      if (drag.kind === "box") drag.shape = [drag.from, [x, drag.from[1]], spot, [drag.from[0], y]]
      else if (drag.kind === "pan" || step >= 3) {
        drag.kind === "pan" ? pan(m, x - last[0], y - last[1]) : drag.shape.push(spot)
        touches.set(event.pointerId, spot)
      }
      m.redraw(false)
    } else if (!touches.size && m.d.n) waiting ||= requestAnimationFrame(() => { waiting = 0; hover(m) })
  }
  const lift = (event) => {
    touches.delete(event.pointerId)
    if (event.pointerType === "touch") m.pointer = null // a finger leaves no pointer behind
  }
  over.onpointerup = (event) => { lift(event); if (m.drag) finish(m) }
  over.onpointercancel = (event) => { lift(event); m.drag = null; m.redraw(false) }
  over.onpointerleave = () => { m.pointer = null; if (m.view) m.view.awake = false; if (m.view?.hovered >= 0) hover(m) }
  over.onwheel = (event) => {
    if (!m.d?.tools) return
    if (!event.ctrlKey && !event.metaKey && !m.view.awake && !full(m)) return remind(m) // the page scrolls
    event.preventDefault()
    zoom(m, Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), at(event))
  }
  m.root.onkeydown = (event) => key(m, event)
}
function remind(m) {
  m.say("Click the map, or hold Ctrl, to zoom with the wheel.")
  clearTimeout(m.reminded)
  m.reminded = setTimeout(() => { for (const map of m.view?.maps ?? []) map.tell() }, 1800)
}

// The map as large as the window, and back.
const full = (m) => m.root.classList.contains("full")
function toggleFull(m, on = !full(m)) {
  m.root.classList.toggle("full", on)
  m.view.fit = true
  m.measure()
  m.tell()
  if (on) m.over.focus({ preventScroll: true })
}
const WRITES = "input, textarea, select, [contenteditable=true], [role=dialog], [data-testid=stDataFrame]"
const hasDialog = () => document.querySelector("[role=dialog]")
function pageKey(m, event) { // F, wherever one is on the page
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey && !event.defaultPrevented
  const lead = m.d?.tools && !m.d.compact && m.root.getClientRects().length
  if (event.key !== "f" || !plain || !lead || hasDialog() || event.composedPath()[0].closest?.(WRITES)) return
  event.preventDefault()
  toggleFull(m)
}
function finish(m) {
  const { shape, op, kind } = m.drag
  m.drag = null
  const spread = (axis) => Math.max(...shape.map((p) => p[axis])) - Math.min(...shape.map((p) => p[axis]))
  if (kind !== "pan" && shape.length > 2 && Math.max(spread(0), spread(1)) > 4) m.emit(op, shape)
  m.redraw(false)
}
function key(m, event) {
  const step = 40, keys = {
    Escape: () => { full(m) ? toggleFull(m, false) : m.drag ? (m.drag = null) : m.act.clear(); m.redraw(false) },
    "+": () => zoom(m, 1.3), "=": () => zoom(m, 1.3), "-": () => zoom(m, 1 / 1.3), 0: m.act.fit,
    ArrowLeft: () => pan(m, step, 0), ArrowRight: () => pan(m, -step, 0), ArrowUp: () => pan(m, 0, step), ArrowDown: () => pan(m, 0, -step),
  }
  if (!m.d?.tools || !keys[event.key] || event.ctrlKey || event.metaKey) return
  if (event.key !== "Escape" && event.target !== m.over) return
  event.preventDefault()
  event.stopPropagation()
  keys[event.key]()
}
