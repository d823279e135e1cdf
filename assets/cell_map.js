// The cell map: points below, a 2D canvas above them, plain DOM for tools and legend. Its other
// files come before this one, and cell_map_mount.js puts it on the page. Sends {op, polygon,
// sequence, only, panel}; pages/ui/cell_map_wire.py says what it gets. Maps of one view are linked.
let sequence = Date.now()

function build(parent) {
  const dots = make("canvas"), over = make("canvas", { className: "over", tabIndex: 0 })
  const card = make("div", { className: "card", hidden: true }), notice = make("div", { className: "notice", hidden: true })
  const bar = make("div", { className: "tools", role: "toolbar", ariaLabel: "Map tools" })
  const stage = make("div", { className: "stage" }, dots, over, bar, card, notice)
  const legend = make("div", { className: "legend", role: "group", ariaLabel: "Legend" })
  const said = make("output"), hint = make("small"), status = make("div", { className: "status" }, said, hint)
  said.setAttribute("role", "status")
  const root = make("div", { className: "map" }, stage, legend, status)
  parent.append(root)
  return { dots, over, card, notice, bar, stage, legend, said, hint, status, root, pen: over.getContext("2d"), buttons: {}, touches: new Map() }
}

// How many cells are there, drawn, selected: the line below the map.
function report(d) {
  if (d.picked) return `${count(d.picked)} of ${count(d.all)} cells selected${d.thinned ? ` (${count(d.shown)} drawn)` : ""}`
  const lost = d.lost ?? d.n - d.drawn, missing = lost ? `, ${count(lost)} without a place on the map` : ""
  if (!d.thinned) return `${count(d.all)} cells${missing}`
  const unsure = d.note && !d.compact ? `, ${d.note}` : ""
  return `${count(d.n)} of ${count(d.all)} cells drawn${unsure}${missing}`
}

function createMap(parent) {
  const m = Object.assign(build(parent), { view: null, d: null, width: 0, height: 0, ratio: 0, version: 0 })
  const { root, stage, over, notice } = m
  let frame = 0, stale = true, slow = false, shown = null, later = null

  m.dotSize = () => {
    const { width, height, d, view } = m, least = Math.min(width, height) < 300 ? 1.3 : 1.8
    const fair = Math.max(least, 0.32 * Math.sqrt((width * height) / d.n))
    return Math.min(16, Math.max(1.3, Math.min(9, fair) * (view.k / view.fitK) ** 0.4))
  }
  m.redraw = (points = true) => {
    stale ||= points
    frame ||= requestAnimationFrame(paint)
  }
  function paint() {
    frame = 0
    const { d, view, width, height, painter } = m
    if (!d || !width || !height || !view.k) return
    if (m.ratio !== devicePixelRatio) m.measure()
    if (stale && !painter.busy && !painter.lost()) {
      stale = false
      const thin = slow && view.moving, version = m.version
      root.dataset.view = [view.x, view.y, view.k].map((v) => v.toPrecision(8)).join(",")
      painter.draw({ view, width, size: m.dotSize() * (thin ? 1.6 : 1), d, thin, theme: m.theme }, (ms) => {
        if (!thin) slow = ms > 80
        root.dataset.ready = version
        if (stale) m.redraw()
      })
    }
    paintOver(m)
  }
  m.measure = () => {
    root.classList.toggle("narrow", root.clientWidth < 560 && !m.d?.compact)
    root.classList.toggle("bench", !!m.d?.aside && root.clientWidth > 760)
    Object.assign(m, { width: stage.clientWidth, height: stage.clientHeight, ratio: devicePixelRatio })
    for (const canvas of [m.dots, over]) {
      const [w, h] = [m.width, m.height].map((side) => Math.round(side * m.ratio))
      if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h })
    }
    m.crowded = false
    if (m.d && m.width) fit(m)
    m.crowded = stand(m) > 0 // cells in every corner: they make room for the tools
    if (m.crowded && m.d && m.width) {
      fit(m)
      stand(m)
    }
    m.redraw()
  }
  m.emit = (op, shape) => { // no shape: all that is shown
    let points = shape
    while (points?.length > 4000) points = points.filter((_, i) => i % 2 === 0)
    const corners = points ? points.map((point) => toUnit(m, ...point)) : [[-1, -1], [2, -1], [2, 2], [-1, 2]]
    const { filter } = m.view, only = filter ? seen(m).map((code) => code - 1) : []
    const polygon = op === "clear" ? [] : corners.map((point) => toData(m.d, point))
    m.send("select", { op, polygon, sequence: ++sequence, only, panel: filter?.panel ?? m.d.panel })
    m.say(op === "clear" ? "Clearing\u2026" : "Selecting\u2026")
    m.sent = shape?.length ? shape : null
    setTimeout(() => { if (m.sent === shape || !m.sent) { m.sent = null; m.tell(); m.redraw(false) } }, 2500) // same cells again: no new data comes
  }
  m.remark = () => {
    if (!m.d) return
    m.marks = marksOf(m.d, m.view.filter, owner(m.view)?.d)
    const order = drawingOrder(m.d, m.marks)
    m.painter.marks(m.marks, order, order.filter((_, i) => i % 10 === 0))
    markLegend(m)
    m.tell()
    m.redraw()
  }
  m.say = (text) => { for (const map of m.view.maps) map.said.textContent = text }
  m.tell = () => {
    const { d, view } = m, said = report(d)
    if (m.said.textContent !== said) m.said.textContent = said
    const by = owner(view)?.d, names = by ? seen(m).map((code) => called(by, code)) : []
    const how = view.tool === "pan" ? "Drag to move, scroll or pinch to zoom." : `Draw around cells to select ${d.thinned ? "all inside, drawn or not" : "them"}. Shift adds, Alt removes.`
    const some = names.length > 4 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", ")
    m.hint.textContent = by ? `Showing only ${some || "nothing"}. Esc shows all.` : how
    const colored = d.names ? `${d.title ?? "colored by type"}, ${d.names.length} types` : `colored by ${d.name}`
    const also = d.also ? ` Without a pointer, select by ${d.also}.` : ""
    over.setAttribute("aria-label", `Cell map, ${colored}. ${said}.` + (d.tools ? ` Arrow keys move, plus and minus zoom, 0 shows all, Escape clears. The legend shows and selects types.${also}` : ""))
    markTools(m)
  }

  function usePainter(painter) {
    m.painter = painter
    stale = true
    if (!m.d) return
    painter.coordinates(m.d)
    painter.codes(m.d)
    painter.look(looks(m.d, m.theme))
    m.remark()
  }
  function newCanvas() { // a canvas that had one kind of context gives no other
    const canvas = make("canvas", { width: m.dots.width, height: m.dots.height })
    m.dots.replaceWith(canvas)
    return (m.dots = canvas)
  }
  function flat() {
    usePainter(createFlatPainter(newCanvas()))
    root.dataset.painter = "canvas"
    notice.hidden = true
    m.redraw()
  }
  function start() {
    const painter = createPainter(m.dots), { dots } = m
    if (!painter) return flat()
    root.dataset.painter = painter.kind
    let waiting = 0
    dots.addEventListener("webglcontextlost", (event) => {
      event.preventDefault() // else it is never given back
      painter.busy = false
      notice.textContent = "The graphics card took the map away for a moment."
      notice.hidden = false
      waiting = setTimeout(flat, 3000)
    })
    dots.addEventListener("webglcontextrestored", () => {
      if (dots !== m.dots) return
      clearTimeout(waiting)
      notice.hidden = true
      usePainter(createPainter(dots))
      m.redraw()
    })
    usePainter(painter)
  }

  function dress() { // colors of the page, then ours on it
    const style = getComputedStyle(root), sheet = getComputedStyle(m.card).backgroundColor
    const bytes = (color) => color.match(/[\d.]+/g).slice(0, 3).map(Number)
    const [ink, paper] = [bytes(style.color), bytes(sheet)]
    const dark = paper.reduce((a, b) => a + b) < 306
    m.d.shades = shades(m.d, dark)
    m.theme = { text: style.color, sheet, ink, paper, dark, accent: getComputedStyle(m.legend).accentColor, font: style.fontFamily }
    drawLegend(m)
    markLegend(m)
    m.painter.look(looks(m.d, m.theme))
  }
  function accept(next) {
    const old = m.d, view = viewOf(next.view, next)
    const kept = (name) => old && next.apart[name] && old.apart[name] === next.apart[name]
    if (m.view !== view) m.view?.maps.delete(m)
    Object.assign(m, { d: next, view, sent: null })
    view.maps.add(m)
    if (view.filter?.panel === next.panel && String(view.filter.names) !== String(next.names)) setFilter(view, null)
    if (!kept("xy")) m.painter.coordinates(next)
    if (!kept("codes")) m.painter.codes(next)
  }
  m.render = (data, trigger) => {
    m.send = trigger
    STORE.waiting.delete(later)
    if (data !== shown) {
      const next = decode(data, m.d)
      if (!next) return STORE.waiting.add((later = () => m.render(data, trigger)))
      ;[shown, m.version] = [data, m.version + 1]
      accept(next)
    }
    const { d } = m, lead = d.tools && !d.panel
    root.classList.toggle("still", !d.tools)
    root.classList.toggle("compact", d.compact)
    root.style.setProperty("--aside", `${d.aside ?? 0}px`)
    m.bar.hidden = m.status.hidden = !lead
    m.legend.hidden = !d.tools
    over.tabIndex = d.tools ? 0 : -1
    over.setAttribute("role", d.tools ? "application" : "img")
    root.style.height = d.fill ? `clamp(${d.height}px, calc((100vh - ${d.fill}px) / ${d.rows ?? 1}), ${1400 / (d.rows ?? 1)}px)` : `${d.height}px`
    dress()
    Object.assign(root.dataset, { revision: d.revision, selected: d.picked, shown: d.shown, n: d.n })
    m.measure()
    m.remark()
    if (m.view.filter?.panel === d.panel) for (const map of m.view.maps) if (map !== m) map.remark()
  }
  m.destroy = () => {
    STORE.waiting.delete(later)
    m.view?.maps.delete(m)
    window.removeEventListener("keydown", onKey)
    watcher.disconnect()
    cancelAnimationFrame(frame)
    m.painter.forget()
    root.remove()
  }

  addTools(m)
  listen(m)
  const onKey = (event) => pageKey(m, event)
  window.addEventListener("keydown", onKey)
  start()
  root.ontransitionend = (event) => { // the page turned light or dark
    if (event.target !== root || !m.d) return
    dress()
    m.redraw()
  }
  const watcher = new ResizeObserver(() => m.measure())
  watcher.observe(stage)
  return m
}

// All of this is sent once per page, apart from the maps, and used by every map on it.
export default function () {
  STORE.createMap ??= createMap
  for (const tryAgain of [...STORE.waiting]) tryAgain()
}
