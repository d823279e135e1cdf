// The cell map's cells: what the server sends, unpacked, and what follows from it.
const HIDDEN = 65535 // a coordinate: no place on the map
const CHOSEN = 1, AWAY = 2, GONE = 4 // bits of a cell's mark: selected; not isolated; hidden

const count = (n) => n.toLocaleString("en-US")
const number = (v) => {
  const size = Math.abs(v)
  if (size && (size < 1e-3 || size >= 1e7)) return v.toExponential(1)
  return v.toLocaleString("en-US", { maximumFractionDigits: size < 0.1 ? 4 : size < 100 ? 2 : 0 })
}
const called = (d, code) => (code ? d.names[code - 1] : "unlabeled")

function decode(bytes, old) { // null: a part is still on its way
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)
  const d = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)))
  for (const [name, id] of Object.entries(d.apart)) {
    if (!(d[name] = STORE.parts.get(id))) return null
    STORE.parts.delete(id) // and to the end of the line: what is in use is not thrown out
    STORE.parts.set(id, d[name])
  }
  let at = 4 + length
  for (const [name, size] of Object.entries(d.parts)) {
    d[name] = bytes.slice(at, at + size) // a copy: aligned, and the message can go
    at += size + ((4 - (size % 4)) % 4)
  }
  d.bits = d.mask
  d.shown = 0 // of the selected cells; d.picked counts those that are not drawn too
  if (d.bits) for (const byte of d.bits) for (let b = byte; b; b &= b - 1) d.shown++
  d.thinned = d.n < d.all - (d.lost ?? 0)
  if (d.hover) d.hover = new TextDecoder().decode(d.hover).split("\n")
  const same = (name) => old && d.apart[name] && old.apart[name] === d.apart[name]
  place(d, same("xy") && old)
  paintwork(d, same("xy") && same("codes") && !!old.names === !!d.names && old)
  return d
}

// Coordinates and the box around them; `old` has the same ones.
function place(d, old) {
  if (old) return Object.assign(d, { xy: old.xy, drawn: old.drawn, extent: old.extent, middle: old.middle, spots: old.spots })
  const xy = new Uint16Array(d.xy.buffer)
  let right = 0, top = 0, drawn = 0
  for (let i = 0; i < 2 * d.n; i += 2) {
    if (xy[i] === HIDDEN) continue
    drawn++
    if (xy[i] > right) right = xy[i]
    if (xy[i + 1] > top) top = xy[i + 1]
  }
  const extent = [right, top].map((side) => Math.max(side / 65535, 0.02))
  Object.assign(d, { xy, drawn, extent, middle: [right / 131070, top / 131070] })
}

// Cells by their square of a grid of 128 x 128, so that the one at the pointer is found at once.
function spots(d) {
  if (d.spots) return d.spots
  const square = (i) => (d.xy[2 * i] >> 9) * 128 + (d.xy[2 * i + 1] >> 9)
  const start = new Uint32Array(128 * 128 + 1), cells = new Uint32Array(d.n)
  for (let i = 0; i < d.n; i++) start[square(i) + 1]++
  for (let k = 1; k < start.length; k++) start[k] += start[k - 1]
  const next = start.slice()
  for (let i = 0; i < d.n; i++) cells[next[square(i)]++] = i
  return (d.spots = { start, cells })
}

// Color codes, how many cells have each, and where the middle of each type is.
function paintwork(d, old) {
  if (old) return Object.assign(d, { codes: old.codes, counts: d.counts ?? old.counts, blank: old.blank, middles: old.middles })
  d.codes = d.wide ? new Uint16Array(d.codes.buffer) : new Uint16Array(d.codes)
  if (!d.names) return (d.blank = d.codes.includes(0))
  if (!d.counts) {
    d.counts = new Uint32Array(d.names.length + 1)
    for (const code of d.codes) d.counts[code]++
  }
  d.blank = d.counts[0] > 0
  d.middles = middles(d)
}

// Per type the median of each axis and how far its middle half reaches, from 512-bin histograms: one
// pass however many cells.
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
  const along = (code, from) => [1, 2, 3].map((quarter) => median(from, (seen[code] * quarter) / 4))
  return d.names
    .map((name, j) => {
      const [left, x, right] = along(j + 1, (j + 1) * 1024), [low, y, high] = along(j + 1, (j + 1) * 1024 + 512)
      return { name, code: j + 1, n: seen[j + 1], x, y, wide: (right - left) / 2, high: (high - low) / 2 }
    })
    .filter((label) => label.n > 0)
    .sort((a, b) => b.n - a.n)
}

// What each code is under a filter { only, hidden } of sets of codes.
function fates(filter, n) {
  const fate = new Uint8Array(n)
  if (filter) for (let code = 0; code < n; code++)
    fate[code] = filter.hidden.has(code) ? GONE : filter.only.size && !filter.only.has(code) ? AWAY : 0
  return fate
}

// One mark per cell: selected, and what the filter of the linked map `owner` makes of it.
function marksOf(d, filter, owner) {
  const marks = new Uint8Array(d.n)
  if (filter && owner?.codes.length === d.n) {
    const fate = fates(filter, owner.names.length + 1)
    for (let i = 0; i < d.n; i++) marks[i] = fate[owner.codes[i]]
  }
  if (d.bits) for (let i = 0; i < d.n; i++) marks[i] |= (d.bits[i >> 3] >> (i & 7)) & CHOSEN
  return marks
}

// Cells in drawing order: cells out of focus at the bottom, then gray ones, low values before high
// ones, chosen cells on top; hidden ones not at all. A counting sort.
function drawingOrder(d, marks) {
  const level = (i) => (d.names ? +(d.codes[i] > 0) : Math.ceil((d.codes[i] / (d.last + 1)) * 255)) + (marks[i] & AWAY ? 0 : marks[i] & CHOSEN ? 600 : 300)
  const drawn = (i) => d.xy[2 * i] !== HIDDEN && !(marks[i] & GONE)
  const start = new Uint32Array(902)
  let n = 0
  for (let i = 0; i < d.n; i++) if (drawn(i)) { start[level(i) + 1]++; n++ }
  for (let k = 1; k < 902; k++) start[k] += start[k - 1]
  const order = new Uint32Array(n)
  for (let i = 0; i < d.n; i++) if (drawn(i)) order[start[level(i)]++] = i
  return order
}

// The palette on this page: on a dark one the dark end of a scale is lifted, or it would vanish.
function shades(d, dark) {
  const n = d.palette.length / 3
  if (!dark || d.names) return d.palette
  return d.palette.map((v, at) => { const low = 1 - Math.floor(at / 3) / n; return at < 3 ? v : v + (255 - v) * 0.4 * low * low })
}

// The look of a cell, RGBA bytes [entry, 8]: its fill when plain, faded, away or chosen, then the
// four rims. Both painters read it. Fading mixes with the paper; alpha would add up in a crowd.
function looks(d, theme) {
  const mix = (a, b, t) => a.map((v, i) => v + ((b[i] ?? b) - v) * t)
  const entries = d.shades.length / 3, table = new Uint8Array(Math.ceil(entries / 32) * 1024)
  for (let i = 0; i < entries; i++) {
    const rgb = [...d.shades.subarray(3 * i, 3 * i + 3)], { paper, ink, dark } = theme
    const rim = (c) => (dark ? mix(c, 255, 0.3) : mix(c, 0, 0.28))
    const faded = mix(paper, rgb, 0.3), away = mix(paper, dark ? 128 : 191, 0.45)
    const fills = [[rgb, i ? 0.92 : dark ? 0.4 : 0.85], [faded, 0.8], [away, 0.7], [rgb, 0.95]]
    fills.forEach(([c, alpha], state) => table.set([...c, 255 * alpha], 32 * i + 4 * state))
    ;[rim(rgb), rim(faded), away, ink].forEach((c, state) => table.set([...c, 255], 32 * i + 16 + 4 * state))
  }
  return table
}
