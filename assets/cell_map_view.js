// What linked maps share: the place looked at, the tool, the filter of types, the cell pointed at.
const VIEWS = new Map() // name -> view; outlives the mount, so coming back to a page keeps the zoom
const STORE = (globalThis.scanviCellMap ??= { parts: new Map(), waiting: new Set() }) // see cell_map_part.js
const PAD = 28, REST = 160 // pixels; milliseconds without movement before all cells are drawn again

function viewOf(name, d) {
  if (!VIEWS.has(name))
    VIEWS.set(name, { tool: "lasso", op: "replace", labels: d.tools, fit: true, filter: null, hovered: -1, maps: new Set(), resting: 0, moving: false })
  const view = VIEWS.get(name)
  if (view.place !== d.place) Object.assign(view, { place: d.place, fit: true, hovered: -1 })
  return view
}

const toScreen = ({ view, width, height }, x, y) => [(x - view.x) * view.k + width / 2, height / 2 - (y - view.y) * view.k]
const toUnit = ({ view, width, height }, x, y) => [view.x + (x - width / 2) / view.k, view.y - (y - height / 2) / view.k]
const toData = (d, point) => point.map((u, axis) => +(d.low[axis] + u * d.unit).toPrecision(8))

function redrawAll(view, points = true) {
  for (const map of view.maps) map.redraw(points)
}

// Slow painters draw a tenth of the cells while the map moves, and all of them when it rests.
function moved(view) {
  view.moving = true
  view.fit = false
  clearTimeout(view.resting)
  view.resting = setTimeout(() => { view.moving = false; redrawAll(view) }, REST)
  redrawAll(view)
}
function zoom(m, factor, [x, y] = [m.width / 2, m.height / 2]) {
  const { view } = m, [ux, uy] = toUnit(m, x, y)
  const k = Math.min(view.fitK * 200, Math.max(view.fitK / 4, view.k * factor))
  Object.assign(view, { k, x: ux - (x - m.width / 2) / k, y: uy + (y - m.height / 2) / k })
  moved(view)
}
function pan({ view }, dx, dy) {
  Object.assign(view, { x: view.x - dx / view.k, y: view.y + dy / view.k })
  moved(view)
}

// Put the tools into the corner with the fewest cells; return how many are under them.
const CORNERS = [["left", "top"], ["right", "top"], ["left", "bottom"], ["right", "bottom"]]
function stand(m) {
  const { bar, d, view, width, height } = m, wide = bar.offsetWidth, high = bar.offsetHeight
  let fewest = 0
  if (d?.n && width && high && view.fit) {
    const inside = CORNERS.map(([x, y]) => within(m, x === "left" ? 0 : width - wide - 16, y === "top" ? 0 : height - high - 16, wide + 16, high + 16))
    fewest = Math.min(...inside)
    m.corner = CORNERS[inside.indexOf(fewest)]
    for (const [at, other] of [["left", "right"], ["top", "bottom"]]) {
      const near = m.corner.includes(at)
      bar.style[at] = near ? "8px" : "auto"
      bar.style[other] = near ? "auto" : "8px"
    }
  }
  const { offsetLeft: left, offsetTop: top } = bar
  m.toolbox = { left, right: left + wide, top, bottom: top + high } // all 0 where it is hidden
  return fewest
}
function within(m, left, top, wide, high) {
  const { d } = m, step = Math.max(1, Math.floor(d.n / 20000))
  let n = 0
  for (let i = 0; i < d.n; i += step) {
    if (d.xy[2 * i] === HIDDEN) continue
    const [x, y] = toScreen(m, d.xy[2 * i] / 65535, d.xy[2 * i + 1] / 65535)
    n += x >= left && x <= left + wide && y >= top && y <= top + high
  }
  return n
}

// The first of linked maps says what fits; the others have its size, near enough.
function fit({ d, view, width, height, crowded }) {
  if (d.panel && view.k) return
  const pad = d.tools ? PAD : 8, top = d.tools && crowded ? 40 : 0
  view.fitK = Math.max(1, Math.min((width - 2 * pad) / d.extent[0], (height - 2 * pad - top) / d.extent[1]))
  if (!view.fit) return
  Object.assign(view, { x: d.middle[0], y: d.middle[1] + top / 2 / view.fitK, k: view.fitK })
  redrawAll(view)
}

const owner = (view) => [...view.maps].find((map) => map.d.panel === view.filter?.panel)
const inTurn = (view) => [...view.maps].sort((a, b) => a.d.panel - b.d.panel)

function setFilter(view, filter) {
  view.filter = filter && (filter.only.size || filter.hidden.size) ? filter : null
  for (const map of view.maps) map.remark()
}
// Codes that are to be seen; all of them when nothing is filtered.
function seen({ view }) {
  const { d } = owner(view) ?? {}
  if (!d) return []
  const fate = fates(view.filter, d.names.length + 1)
  return [...fate.keys()].filter((code) => !fate[code] && d.counts[code])
}

function nearest(m, x, y) { // the cell under a point of the screen, or -1
  const { d, view, marks } = m, [tx, ty] = toUnit(m, x, y).map((u) => u * 65535), { start, cells } = spots(d)
  const reach = (Math.max(9, m.dotSize()) / view.k) * 65535
  const squares = (t) => [t - reach, t + reach].map((end) => Math.max(0, Math.min(65535, end)) >> 9)
  const [left, right] = squares(tx), [low, high] = squares(ty)
  let best = reach ** 2, found = -1
  for (let column = left; column <= right; column++)
    for (let at = start[128 * column + low]; at < start[128 * column + high + 1]; at++) {
      const i = cells[at], dx = d.xy[2 * i] - tx, dy = d.xy[2 * i + 1] - ty, far = dx * dx + dy * dy
      if (far < best && marks[i] < AWAY && d.xy[2 * i] !== HIDDEN) { best = far; found = i }
    }
  return found
}
