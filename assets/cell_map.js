function createMap(parent) {
  const dots = make("canvas"), over = make("canvas", { className: "over", tabIndex: 0 })
  const card = make("div", { className: "card", hidden: true }), notice = make("div", { className: "notice", hidden: true })
  const bar = make("div", { className: "tools", role: "toolbar", ariaLabel: "Map tools" })
  const stage = make("div", { className: "stage" }, dots, over, bar, card, notice)
  const legend = make("div", { className: "legend", role: "group", ariaLabel: "Legend" })
  const said = make("output"), hint = make("small")
  said.setAttribute("role", "status")
  const root = make("div", { className: "map" }, stage, legend, make("div", { className: "status" }, said, hint))
  const pen = over.getContext("2d"), buttons = {}
  let painter = null, d = null, view = null, send = () => {}, theme = {}, labels = [], legendIs = ""
  let width = 0, height = 0, ratio = 0, fitK = 1, frame = 0, stale = true, version = 0, sequence = Date.now()
  let drag = null, sent = null, hovered = -1, pointer = null, waiting = 0, shown = null, later = null
  const touches = new Map()

  const only = () => (d.names ? view.only : new Set())
  const toScreen = (x, y) => [(x - view.x) * view.k + width / 2, height / 2 - (y - view.y) * view.k]
  const toUnit = (x, y) => [view.x + (x - width / 2) / view.k, view.y - (y - height / 2) / view.k]
  const toData = ([x, y]) => toUnit(x, y).map((u, axis) => +(d.low[axis] + u * d.unit).toPrecision(8))
  const place = (event) => { const box = over.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top] }
  const dotSize = () => Math.min(16, Math.max(1.3, Math.min(9, Math.max(1.8, 0.32 * Math.sqrt((width * height) / d.n))) * (view.k / fitK) ** 0.4))

  function redraw(points = true) {
    stale ||= points
    frame ||= requestAnimationFrame(paint)
  }
  function paint() {
    frame = 0
    if (!d || !width || !height) return
    if (ratio !== devicePixelRatio) measure()
    if (stale && painter && !painter.gl.isContextLost()) {
      painter.draw(view, width, height, dotSize(), theme, d)
      root.dataset.view = [view.x, view.y, view.k].map((v) => v.toPrecision(8)).join(",")
      root.dataset.ready = version
      stale = false
    }
    pen.setTransform(ratio, 0, 0, ratio, 0, 0)
    pen.clearRect(0, 0, width, height)
    if (view.labels && d.names) paintLabels()
    if (hovered >= 0) ring(hovered)
    const shape = drag?.shape ?? sent
    if (shape) outline(shape)
  }
  function outline(shape) {
    pen.beginPath()
    shape.forEach(([x, y]) => pen.lineTo(x, y))
    pen.closePath()
    pen.fillStyle = theme.accent
    pen.globalAlpha = 0.13
    pen.fill("evenodd")
    pen.globalAlpha = 1
    pen.setLineDash(drag ? [] : [5, 4])
    pen.strokeStyle = theme.accent
    pen.lineWidth = 1.75
    pen.stroke()
    pen.setLineDash([])
  }
  function ring(i) {
    const [x, y] = toScreen(d.xy[2 * i] / 65535, d.xy[2 * i + 1] / 65535)
    pen.beginPath()
    pen.arc(x, y, dotSize() / 2 + 3, 0, 7)
    pen.strokeStyle = theme.text
    pen.lineWidth = 2
    pen.stroke()
  }
  function paintLabels() {
    const taken = []
    pen.font = `600 13px ${getComputedStyle(root).fontFamily}`
    pen.textAlign = "center"
    pen.textBaseline = "middle"
    pen.lineJoin = "round"
    for (const { name, code, x, y } of labels) {
      if (only().size && !only().has(code)) continue
      const text = name.length > 28 ? name.slice(0, 27) + "\u2026" : name
      const [sx, sy] = toScreen(x, y), half = pen.measureText(text).width / 2 + 3
      if (taken.some(([l, r, t]) => sx - half < r && sx + half > l && Math.abs(sy - t) < 17)) continue
      taken.push([sx - half, sx + half, sy])
      pen.strokeStyle = theme.paper
      pen.lineWidth = 4
      pen.strokeText(text, sx, sy)
      pen.fillStyle = theme.text
      pen.fillText(text, sx, sy)
    }
  }

  function measure() {
    root.classList.toggle("narrow", root.clientWidth < 560)
    ;({ clientWidth: width, clientHeight: height } = stage)
    ratio = devicePixelRatio
    for (const canvas of [dots, over]) Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) })
    if (!d || !width) return
    const pad = d.tools ? PAD : 8, top = d.tools && width < 560 ? 36 : 0 // the tools would hide cells
    fitK = Math.max(1, Math.min((width - 2 * pad) / d.extent[0], (height - 2 * pad - top) / d.extent[1]))
    if (view.fit) Object.assign(view, { x: d.middle[0], y: d.middle[1] + top / 2 / fitK, k: fitK })
    redraw()
  }
  function zoom(factor, [x, y] = [width / 2, height / 2]) {
    const [ux, uy] = toUnit(x, y)
    const k = Math.min(fitK * 200, Math.max(fitK / 4, view.k * factor))
    Object.assign(view, { k, x: ux - (x - width / 2) / k, y: uy + (y - height / 2) / k, fit: false })
    redraw()
  }
  function pan(dx, dy) {
    Object.assign(view, { x: view.x - dx / view.k, y: view.y + dy / view.k, fit: false })
    redraw()
  }

  function emit(op, shape) {
    let points = shape
    while (points.length > 4000) points = points.filter((_, i) => i % 2 === 0)
    send("select", { op, polygon: points.map(toData), sequence: ++sequence, only: [...only()].map((code) => code - 1) })
    ;[said.textContent, sent] = [op === "clear" ? "Clearing\u2026" : "Selecting\u2026", shape.length ? shape : null]
    setTimeout(() => { if (sent === shape || !sent) { sent = null; tell(); redraw(false) } }, 2500) // same cells again: no new data comes
  }
  function finish() {
    const { shape, op, kind } = drag
    drag = null
    const spread = (axis) => Math.max(...shape.map((p) => p[axis])) - Math.min(...shape.map((p) => p[axis]))
    if (kind !== "pan" && shape.length > 2 && Math.max(spread(0), spread(1)) > 4) emit(op, shape)
    redraw(false)
  }
  function escape() {
    if (drag) drag = null
    else if (d.picked) emit("clear", [])
    else isolate(new Set())
    redraw(false)
  }

  function hover() {
    hovered = pointer && !drag && !touches.size ? nearest(...pointer) : -1
    card.hidden = hovered < 0
    if (hovered >= 0) {
      const code = d.codes[hovered], [low, high] = d.range ?? []
      const entry = d.names || !code ? code : 1 + Math.floor(((code - 1) / 65534) * 255)
      const value = () => `${code === 1 ? "\u2264 " : code === 65535 ? "\u2265 " : ""}${number(low + ((code - 1) / 65534) * (high - low))}`
      const text = d.names ? (code ? d.names[code - 1] : "unlabelled") : `${d.name}: ${code ? value() : "no value"}`
      const swatch = make("b")
      swatch.style.background = `rgb(${d.palette.subarray(3 * entry, 3 * entry + 3).join(",")})`
      card.replaceChildren(swatch, text, ...(d.hover ? [make("small", { textContent: d.hover[hovered] })] : []))
      card.style.left = Math.max(4, Math.min(pointer[0] + 14, width - card.offsetWidth - 4)) + "px"
      card.style.top = (pointer[1] + 16 + card.offsetHeight < height ? pointer[1] + 16 : pointer[1] - 10 - card.offsetHeight) + "px"
    }
    redraw(false)
  }
  function nearest(x, y) {
    const [ux, uy] = toUnit(x, y), tx = ux * 65535, ty = uy * 65535, shown = only()
    let best = ((Math.max(9, dotSize()) / view.k) * 65535) ** 2, found = -1
    for (let i = 0; i < d.n; i++) {
      const dx = d.xy[2 * i] - tx, dy = d.xy[2 * i + 1] - ty, far = dx * dx + dy * dy
      if (far < best && d.xy[2 * i] !== HIDDEN && (!shown.size || shown.has(d.codes[i]))) { best = far; found = i }
    }
    return found
  }

  function isolate(codes) {
    view.only = codes
    painter?.focus(d, only())
    for (const button of legend.querySelectorAll("button")) {
      const on = codes.has(button.code)
      button.setAttribute("aria-pressed", on)
      button.classList.toggle("off", codes.size > 0 && !on)
    }
    tell()
    redraw()
  }
  function showLegend() {
    const is = JSON.stringify([d.names, d.name, d.range, d.parts.palette]) + d.palette + (d.counts ?? d.codes.indexOf(0))
    if (is === legendIs) return
    legendIs = is
    if (!d.names) return legend.replaceChildren(scale(d))
    legend.replaceChildren(...[...d.names, "unlabelled"].flatMap((name, i, all) => {
      const code = i === all.length - 1 ? 0 : i + 1
      if (!code && !d.counts[0]) return []
      const swatch = make("b"), button = make("button", { type: "button", code, title: `${name}: click to show only these` })
      swatch.style.background = `rgb(${d.palette.subarray(3 * code, 3 * code + 3).join(",")})`
      button.append(swatch, make("span", { textContent: name }), make("em", { textContent: count(d.counts[code]) }))
      button.onclick = (event) => {
        const next = new Set(event.shiftKey ? view.only : [])
        view.only.has(code) && (event.shiftKey || view.only.size === 1) ? next.delete(code) : next.add(code)
        isolate(next)
      }
      button.ondblclick = () => isolate(new Set())
      return [button]
    }))
  }
  function tell() {
    const lost = d.n - d.drawn
    said.textContent = d.picked ? `${count(d.picked)} of ${count(d.n)} cells selected` : `${count(d.n)} cells` + (lost ? `, ${count(lost)} without a place on the map` : "")
    const names = [...only()].map((code) => (code ? d.names[code - 1] : "unlabelled"))
    const how = view.tool === "pan" ? "Drag to move, scroll to zoom." : "Draw around cells to select them. Shift adds, Alt removes."
    hint.textContent = names.length ? `Showing only ${names.join(", ")}. Esc shows all.` : how
    over.setAttribute("aria-label", `Cell map, ${d.names ? `coloured by type, ${d.names.length} types` : `coloured by ${d.name}`}. ${said.textContent}.` + (d.tools ? " Arrow keys move, plus and minus zoom, Escape clears." : ""))
    for (const name of ["lasso", "box", "pan"]) buttons[name]?.setAttribute("aria-pressed", view.tool === name)
    buttons.labels?.setAttribute("aria-pressed", view.labels)
    if (buttons.labels) buttons.labels.hidden = !d.names
    over.classList.toggle("pan", view.tool === "pan")
  }

  const actions = {
    fit: () => { view.fit = true; measure() },
    labels: () => { view.labels = !view.labels; tell(); redraw(false) },
    clear: () => (d.picked ? emit("clear", []) : isolate(new Set())),
  }
  for (const tool of TOOLS) {
    if (!tool) { bar.append(make("i")); continue }
    const [name, text] = tool
    buttons[name] = toolButton(name, text)
    buttons[name].onclick = actions[name] ?? (() => { view.tool = name; tell() })
    bar.append(buttons[name])
  }

  over.onpointerdown = (event) => {
    if (!d?.tools || event.button > 1) return
    const at = place(event)
    event.preventDefault() // no text selection; so focus by hand
    over.focus({ preventScroll: true, focusVisible: false })
    over.setPointerCapture(event.pointerId)
    touches.set(event.pointerId, at)
    const op = event.altKey ? (event.shiftKey ? "intersect" : "subtract") : event.shiftKey ? "add" : "replace"
    drag = touches.size > 1 ? null : { kind: event.button ? "pan" : view.tool, op, from: at, shape: [] }
    sent = null
    hover()
  }
  over.onpointermove = (event) => {
    if (!d?.tools) return
    const at = (pointer = place(event)), [x, y] = at, last = touches.get(event.pointerId)
    if (touches.size === 2 && last) {
      const [other] = [...touches].filter(([id]) => id !== event.pointerId).map(([, spot]) => spot)
      touches.set(event.pointerId, at)
      pan((x - last[0]) / 2, (y - last[1]) / 2)
      zoom(Math.hypot(x - other[0], y - other[1]) / Math.max(1, Math.hypot(last[0] - other[0], last[1] - other[1])), [(x + other[0]) / 2, (y + other[1]) / 2])
    } else if (drag && last) {
      if (drag.kind === "pan") { pan(x - last[0], y - last[1]); touches.set(event.pointerId, at) }
      else if (drag.kind === "box") drag.shape = [drag.from, [x, drag.from[1]], at, [drag.from[0], y]]
      else if (Math.hypot(x - last[0], y - last[1]) >= 3 || !drag.shape.length) { drag.shape.push(at); touches.set(event.pointerId, at) }
      redraw(false)
    } else if (!touches.size && d.n) waiting ||= requestAnimationFrame(() => { waiting = 0; hover() })
  }
  over.onpointerup = (event) => { touches.delete(event.pointerId); if (drag) finish() }
  over.onpointercancel = (event) => { touches.delete(event.pointerId); drag = null; redraw(false) }
  over.onpointerleave = () => { pointer = null; if (hovered >= 0) hover() }
  over.onwheel = (event) => {
    if (!d?.tools) return
    event.preventDefault()
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), place(event))
  }
  root.onkeydown = (event) => {
    const step = 40, keys = {
      Escape: escape, "+": () => zoom(1.3), "=": () => zoom(1.3), "-": () => zoom(1 / 1.3), 0: actions.fit,
      ArrowLeft: () => pan(step, 0), ArrowRight: () => pan(-step, 0), ArrowUp: () => pan(0, step), ArrowDown: () => pan(0, -step),
    }
    if (!d?.tools || !keys[event.key] || event.ctrlKey || event.metaKey) return
    if (event.key !== "Escape" && event.target !== over) return
    event.preventDefault()
    event.stopPropagation()
    keys[event.key]()
  }

  function upload() {
    painter = createPainter(dots)
    if (!painter || !d) return
    painter.coordinates(d.xy)
    painter.cells(d)
    painter.focus(d, only())
  }
  dots.addEventListener("webglcontextlost", (event) => {
    event.preventDefault() // else it is never given back
    notice.textContent = "The graphics card took the map away for a moment. It comes back by itself; if not, reload the page."
    notice.hidden = false
  })
  dots.addEventListener("webglcontextrestored", () => { upload(); notice.hidden = true; redraw() })

  function accept(next) {
    const same = d && d.place === next.place && d.n === next.n
    next.drawn = 0
    let [right, top] = [0, 0]
    for (let i = 0; i < next.n; i++) {
      if (next.xy[2 * i] === HIDDEN) continue
      next.drawn++
      if (next.xy[2 * i] > right) right = next.xy[2 * i]
      if (next.xy[2 * i + 1] > top) top = next.xy[2 * i + 1]
    }
    next.extent = [right, top].map((side) => Math.max(side / 65535, 0.02))
    next.middle = [right, top].map((side) => side / 131070)
    d = next
    view = VIEWS.get(d.key) ?? { tool: "lasso", labels: false, only: new Set(), names: [] }
    VIEWS.set(d.key, view)
    if (view.place !== d.place) Object.assign(view, { place: d.place, fit: true })
    if (d.names) {
      if ([...view.only].some((code) => code && view.names[code - 1] !== d.names[code - 1])) view.only = new Set()
      view.names = d.names
      labels = middles(d)
    }
    sent = null
    hovered = -1
    card.hidden = true
    if (!same) painter?.coordinates(d.xy)
    painter?.cells(d)
  }
  function render(data, trigger) {
    send = trigger
    STORE.waiting.delete(later)
    if (data !== shown) {
      const next = decode(data)
      if (!next) return STORE.waiting.add((later = () => render(data, trigger)))
      ;[shown, version] = [data, version + 1]
      accept(next)
    }
    root.classList.toggle("still", !d.tools)
    bar.hidden = legend.hidden = root.lastChild.hidden = !d.tools
    over.tabIndex = d.tools ? 0 : -1
    over.setAttribute("role", d.tools ? "application" : "img")
    root.style.height = d.height + "px"
    const style = getComputedStyle(root), parts = (colour) => colour.match(/[\d.]+/g).slice(0, 3).map((v) => v / 255)
    const paper = getComputedStyle(card).backgroundColor
    theme = { text: style.color, paper, ink: parts(style.color), sheet: parts(paper), dark: parts(paper).reduce((a, b) => a + b) < 1.2, accent: getComputedStyle(legend).accentColor }
    showLegend()
    Object.assign(root.dataset, { revision: d.revision, selected: d.picked, n: d.n })
    measure()
    isolate(view.only)
    if (!painter) send("nogl", true)
  }
  parent.append(root)
  upload()
  if (!painter) {
    notice.textContent = "This browser cannot draw the map: WebGL2 is missing. A plain picture of it follows."
    notice.hidden = false
  }
  const watcher = new ResizeObserver(() => measure())
  watcher.observe(stage)
  return {
    render,
    destroy() {
      STORE.waiting.delete(later)
      watcher.disconnect(), cancelAnimationFrame(frame)
      painter?.gl.getExtension("WEBGL_lose_context")?.loseContext()
      root.remove()
    },
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  let map = MAPS.get(parentElement)
  if (!map) MAPS.set(parentElement, (map = createMap(parentElement)))
  map.render(data, setTriggerValue)
  return () => {
    map.destroy()
    MAPS.delete(parentElement)
  }
}
