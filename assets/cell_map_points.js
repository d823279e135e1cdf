// The cell map: WebGL2 points, a 2D canvas above them for lasso, labels and pointer, plain DOM
// for tools and legend. Sends {op, polygon, sequence, only}; see pages/ui/cell_map.py for the data.
const MAPS = new WeakMap() // one map per mount
const VIEWS = new Map() // key -> view; outlives the mount, so coming back to a page keeps the zoom
const HIDDEN = 65535
const STORE = (globalThis.scanviCellMap ??= { parts: new Map(), waiting: new Set() }) // see cell_map_part.js
const PAD = 28

const VERTEX = `#version 300 es
layout(location=0) in vec2 at; layout(location=1) in uint code; layout(location=2) in uint mark;
uniform vec2 centre, zoom; uniform float size; uniform bool values, picked, dark;
uniform sampler2D palette; uniform vec3 ink, paper;
out vec4 fill; out vec3 rim; flat out float px;
void main() {
  int i = !values ? int(code) : code == 0u ? 0 : 1 + int(float(code - 1u) / 65534.0 * 255.0);
  vec4 c = texelFetch(palette, ivec2(i & 255, i >> 8), 0);
  bool chosen = mark == 1u, shown = c.a > 0.5;
  float alpha = i == 0 ? (dark ? 0.4 : 0.85) : 0.92;
  // Fading by mixing with the paper, not by alpha: in a crowd, alpha adds up to full colour.
  if (!shown) { c.rgb = mix(paper, vec3(dark ? 0.5 : 0.75), 0.45); alpha = 0.7; }
  else if (picked && !chosen) { c.rgb = mix(paper, c.rgb, 0.3); alpha = 0.8; }
  fill = vec4(c.rgb, alpha);
  rim = chosen ? ink : dark ? mix(c.rgb, vec3(1), 0.3) : c.rgb * 0.72;
  px = size * (chosen ? 1.25 : shown ? 1.0 : 0.8);
  gl_Position = vec4((at - centre) * zoom, 0, 1); gl_PointSize = px + 1.0;
}`
const FRAGMENT = `#version 300 es
precision mediump float;
in vec4 fill; in vec3 rim; flat in float px; out vec4 colour;
void main() {
  float r = length(gl_PointCoord - 0.5) * (px + 1.0), edge = px * 0.5;
  float a = fill.a * (1.0 - smoothstep(edge - 0.6, edge + 0.5, r));
  float band = px < 5.0 ? 0.0 : smoothstep(edge - 2.0, edge - 1.0, r);
  colour = vec4(mix(fill.rgb, rim, band) * a, a);
}`

const ICONS = {
  pan: "M9 2v14M2 9h14M9 2 7 4m2-2 2 2M9 16l-2-2m2 2 2-2M2 9l2-2M2 9l2 2m12-2-2-2m2 2-2 2",
  lasso: "M6 13C1 11 1 4 8 3s10 4 7 8-7 2-9 2-2 3 1 3",
  box: "M3 3h3M8 3h2M12 3h3v3M15 8v2M15 12v3h-3M10 15H8M6 15H3v-3M3 10V8M3 6V3",
  fit: "M2 6V2h4M12 2h4v4M16 12v4h-4M6 16H2v-4M6 6h6v6H6z",
  labels: "M3 5V3h12v2M9 3v12M6 15h6",
  clear: "M4 4l10 10M14 4 4 14",
}
const TOOLS = [
  ["lasso", "Lasso: draw around cells (Shift adds, Alt removes)"],
  ["box", "Box: drag a rectangle (Shift adds, Alt removes)"],
  ["pan", "Move: drag the map"],
  null,
  ["fit", "Show all cells"],
  ["labels", "Names on the map"],
  ["clear", "Clear the selection (Esc)"],
]

const make = (tag, props = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), props)
  node.append(...children)
  return node
}
const count = (n) => n.toLocaleString("en-US")
const number = (v) => (v !== 0 && (Math.abs(v) < 0.01 || Math.abs(v) >= 1e5) ? v.toExponential(1) : String(+v.toFixed(2)))

function toolButton(name, text) {
  const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg"), path = document.createElementNS(icon.namespaceURI, "path")
  icon.setAttribute("viewBox", "0 0 18 18")
  const look = { d: ICONS[name], fill: "none", stroke: "currentColor", "stroke-width": 1.5, "stroke-linecap": "round", "stroke-linejoin": "round" }
  for (const [key, value] of Object.entries(look)) path.setAttribute(key, value)
  icon.append(path)
  const button = make("button", { type: "button", title: text, ariaLabel: text }, icon)
  button.dataset.tool = name
  return button
}

function scale(d) {
  const strip = make("div", { className: "bar" }), stops = []
  for (let i = 1; i < d.palette.length / 3; i += 15) stops.push(`rgb(${d.palette.subarray(3 * i, 3 * i + 3).join(",")})`)
  strip.style.background = `linear-gradient(to right, ${stops.join(",")})`
  const ends = make("div", { className: "ends" }, ...d.range.map((end) => make("span", { textContent: number(end) })))
  const box = make("div", { className: "scale" }, make("strong", { textContent: d.name }), strip, ends)
  if (d.codes.includes(0)) box.append("Grey: no value")
  return box
}

function decode(bytes) { // null: a part is still on its way
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)))
  for (const [name, id] of Object.entries(head.apart)) if (!(head[name] = STORE.parts.get(id))) return null
  let at = 4 + length
  for (const [name, size] of Object.entries(head.parts)) {
    head[name] = bytes.slice(at, at + size) // a copy: aligned, and the message can go
    at += size + ((4 - (size % 4)) % 4)
  }
  head.xy = new Uint16Array(head.xy.buffer)
  head.codes = head.wide ? new Uint16Array(head.codes.buffer) : new Uint16Array(head.codes)
  const bits = head.mask
  head.mask = new Uint8Array(head.n)
  head.picked = 0
  if (bits) for (let i = 0; i < head.n; i++) head.picked += head.mask[i] = (bits[i >> 3] >> (i & 7)) & 1
  if (head.hover) head.hover = new TextDecoder().decode(head.hover).split("\n")
  if (head.names) {
    head.counts = new Uint32Array(head.names.length + 1)
    for (const code of head.codes) head.counts[code]++
  }
  return head
}

// Cells in drawing order: cells out of focus at the bottom, then grey ones, low values before high
// ones, chosen cells on top. A counting sort.
function drawingOrder(d, only) {
  const away = (i) => only.size > 0 && !only.has(d.codes[i])
  const level = (i) => (d.names ? +(d.codes[i] > 0) : (d.codes[i] + 255) >> 8) + (away(i) ? 0 : d.mask[i] ? 600 : 300)
  const start = new Uint32Array(902)
  let n = 0
  for (let i = 0; i < d.n; i++) if (d.xy[2 * i] !== HIDDEN) { start[level(i) + 1]++; n++ }
  for (let k = 1; k < 902; k++) start[k] += start[k - 1]
  const order = new Uint32Array(n)
  for (let i = 0; i < d.n; i++) if (d.xy[2 * i] !== HIDDEN) order[start[level(i)]++] = i
  return order
}

// Per type the median of each axis, from 512-bin histograms: one pass however many cells.
function middles(d) {
  const k = d.names.length + 1, bins = new Uint32Array(k * 1024), seen = new Uint32Array(k)
  for (let i = 0; i < d.n; i++) {
    if (d.xy[2 * i] === HIDDEN) continue
    const row = d.codes[i] * 1024
    bins[row + (d.xy[2 * i] >> 7)]++
    bins[row + 512 + (d.xy[2 * i + 1] >> 7)]++
    seen[d.codes[i]]++
  }
  const median = (from, half) => {
    let bin = 0
    for (let sum = bins[from]; sum < half && bin < 511; sum += bins[from + ++bin]);
    return (bin + 0.5) / 512
  }
  return d.names
    .map((name, j) => ({ name, code: j + 1, n: seen[j + 1], x: median((j + 1) * 1024, seen[j + 1] / 2), y: median((j + 1) * 1024 + 512, seen[j + 1] / 2) }))
    .filter((label) => label.n > 0)
    .sort((a, b) => b.n - a.n)
}

function createPainter(canvas) {
  const gl = canvas.getContext("webgl2", { antialias: false, premultipliedAlpha: true })
  if (!gl) return null
  const program = gl.createProgram()
  for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind)
    gl.shaderSource(shader, text)
    gl.compileShader(shader)
    gl.attachShader(program, shader)
  }
  gl.linkProgram(program)
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost())
    throw new Error(gl.getProgramInfoLog(program))
  gl.useProgram(program)
  gl.enable(gl.BLEND)
  gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA)
  const places = {}
  const uniform = (name) => (places[name] ??= gl.getUniformLocation(program, name))
  const buffers = [0, 1, 2, 3].map(() => gl.createBuffer())
  const fill = (i, array, target = gl.ARRAY_BUFFER) => {
    gl.bindBuffer(target, buffers[i])
    gl.bufferData(target, array, gl.STATIC_DRAW)
    if (target === gl.ARRAY_BUFFER) gl.enableVertexAttribArray(i)
  }
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture())
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST)
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST)
  let drawn = 0
  return {
    gl,
    coordinates(xy) {
      fill(0, xy)
      gl.vertexAttribPointer(0, 2, gl.UNSIGNED_SHORT, true, 0, 0)
    },
    cells(d) {
      fill(1, d.codes)
      gl.vertexAttribIPointer(1, 1, gl.UNSIGNED_SHORT, 0, 0)
      fill(2, d.mask)
      gl.vertexAttribIPointer(2, 1, gl.UNSIGNED_BYTE, 0, 0)
    },
    focus(d, only) { // alpha 0: a type that is not among the isolated ones
      const order = drawingOrder(d, only), rgb = d.palette
      fill(3, order, gl.ELEMENT_ARRAY_BUFFER)
      drawn = order.length
      const rows = Math.ceil(rgb.length / 3 / 256), table = new Uint8Array(rows * 1024)
      for (let i = 0; i * 3 < rgb.length; i++)
        table.set([rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2], !only.size || only.has(i) ? 255 : 0], 4 * i)
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, rows, 0, gl.RGBA, gl.UNSIGNED_BYTE, table)
    },
    draw(view, width, height, size, theme, d) {
      gl.viewport(0, 0, canvas.width, canvas.height)
      gl.clearColor(0, 0, 0, 0)
      gl.clear(gl.COLOR_BUFFER_BIT)
      gl.uniform2f(uniform("centre"), view.x, view.y)
      gl.uniform2f(uniform("zoom"), (2 * view.k) / width, (2 * view.k) / height)
      gl.uniform1f(uniform("size"), (size * canvas.width) / width)
      gl.uniform1i(uniform("values"), !d.names)
      gl.uniform1i(uniform("picked"), d.picked > 0)
      gl.uniform1i(uniform("dark"), theme.dark)
      gl.uniform3fv(uniform("ink"), theme.ink)
      gl.uniform3fv(uniform("paper"), theme.sheet)
      gl.drawElements(gl.POINTS, drawn, gl.UNSIGNED_INT, 0)
    },
  }
}
