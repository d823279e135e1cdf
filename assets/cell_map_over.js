// What lies above the cells: the outline being drawn, names of types, the ring and card at the pointer.
const make = (tag, props = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), props)
  node.append(...children)
  return node
}
const swatch = (d, entry) => {
  const dot = make("b")
  dot.style.background = `rgb(${d.shades.subarray(3 * entry, 3 * entry + 3).join(",")})`
  return dot
}

function paintOver(m) {
  const { pen, view, d, width, height, ratio } = m
  pen.setTransform(ratio, 0, 0, ratio, 0, 0)
  pen.clearRect(0, 0, width, height)
  if (view.labels && d.names && d.places !== false) paintLabels(m)
  if (view.hovered >= 0 && d.xy[2 * view.hovered] !== HIDDEN) ring(m, view.hovered)
  const shape = m.drag?.shape ?? m.sent
  if (shape) outline(m, shape)
}
function outline({ pen, theme, drag }, shape) {
  pen.beginPath()
  shape.forEach(([x, y]) => pen.lineTo(x, y))
  pen.closePath()
  pen.fillStyle = pen.strokeStyle = theme.accent
  pen.globalAlpha = 0.13
  pen.fill("evenodd") // as the server does
  pen.globalAlpha = 1
  pen.setLineDash(drag ? [] : [5, 4])
  pen.lineWidth = 1.75
  pen.stroke()
  pen.setLineDash([])
}
function ring(m, i) {
  const { pen, theme, d } = m
  pen.beginPath()
  pen.arc(...toScreen(m, d.xy[2 * i] / 65535, d.xy[2 * i + 1] / 65535), m.dotSize() / 2 + 3, 0, 7)
  pen.strokeStyle = theme.text
  pen.lineWidth = 2
  pen.stroke()
}

// Names at the middle of their type; one that would cover another, or most of its own cells, moves
// up or down, or stays away.
function paintLabels(m) {
  const { pen, d, view, theme, width, height } = m
  const px = d.compact ? 12 : 13, line = px + 4, taken = [], { left, right, top, bottom } = m.toolbox
  const fate = view.filter?.panel === d.panel ? fates(view.filter, d.names.length + 1) : []
  Object.assign(pen, { font: `600 ${px}px ${theme.font}`, textAlign: "center", textBaseline: "middle", lineJoin: "round", lineWidth: 5 })
  for (const { name, code, x, y, wide, high } of d.middles) {
    if (fate[code]) continue
    const text = name.length > 28 ? name.slice(0, 27) + "\u2026" : name, half = pen.measureText(text).width / 2 + 3
    const [cx, cy] = toScreen(m, x, y)
    if (cx < 0 || cy < 0 || cx > width || cy > height) continue
    const sx = Math.min(Math.max(cx, half + 2), width - half - 2)
    const clear = (sy) => sy - line / 2 > bottom || sy + line / 2 < top || sx + half < left || sx - half > right // of the tools
    const free = (sy) => sy > line / 2 && sy < height - line / 2 && clear(sy) && !taken.some(([l, r, t]) => sx - half < r && sx + half > l && Math.abs(sy - t) < line)
    const covers = wide * view.k < half && high * view.k < line / 2
    const sy = [0, -1, 1, -2, 2, 3].slice(covers ? 1 : 0).map((step) => cy + step * line).find(free)
    if (sy === undefined) continue
    taken.push([sx - half, sx + half, sy])
    pen.strokeStyle = theme.sheet
    pen.strokeText(text, sx, sy)
    pen.fillStyle = theme.text
    pen.fillText(text, sx, sy)
  }
}

function hover(m) {
  const { view, card, d, pointer, width, height } = m
  view.hovered = pointer && !m.drag && !m.touches.size ? nearest(m, ...pointer) : -1
  card.hidden = view.hovered < 0
  if (view.hovered >= 0) {
    const lines = d.compact ? inTurn(view).map((map) => cardLine(map.d, view.hovered, `${map.d.title}: `)) : [cardLine(d, view.hovered, d.names ? "" : `${d.name}: `)]
    if (d.hover) lines.push(make("small", { textContent: d.hover[view.hovered] }))
    card.replaceChildren(...lines)
    card.style.left = Math.max(4, Math.min(pointer[0] + 14, width - card.offsetWidth - 4)) + "px"
    card.style.top = (pointer[1] + 16 + card.offsetHeight < height ? pointer[1] + 16 : pointer[1] - 10 - card.offsetHeight) + "px"
  }
  redrawAll(view, false)
}
function cardLine(d, i, before) {
  const code = d.codes[i]
  if (d.names) return make("div", {}, swatch(d, code), before + called(d, code))
  const share = (code - 1) / d.last, [low, high] = d.range
  const beyond = code === 1 && d.cut[0] ? "\u2264 " : share === 1 && d.cut[1] ? "\u2265 " : ""
  const text = code ? beyond + number(low + share * (high - low)) : "no value"
  return make("div", {}, swatch(d, code && 1 + Math.floor(share * 255)), before + text)
}
