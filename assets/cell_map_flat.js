// The painter where there is no WebGL2: the same dots on a 2D canvas, pixel by pixel.
function createFlatPainter(canvas) {
  const pen = canvas.getContext("2d")
  const stamps = new Map() // diameter -> offsets [dx, dy, is rim, share covered]
  let xy, codes, marks, order, thinned, table

  function stamp(px) {
    const size = Math.max(1, Math.round(px * 2) / 2)
    if (!stamps.has(size)) {
      const half = size / 2, reach = Math.ceil(half), found = []
      for (let dy = -reach; dy <= reach; dy++)
        for (let dx = -reach; dx <= reach; dx++) {
          const r = Math.hypot(dx, dy), cover = Math.min(1, half + 0.5 - r)
          if (cover > 0.15 || !r) found.push([dx, dy, size >= 5 && r > half - 1.5, size < 2.5 ? 1 : cover])
        }
      stamps.set(size, found)
    }
    return stamps.get(size)
  }
  const opaque = (rgba, i, paper) => { // the alpha is mixed in, since pixels are put, not blended
    const a = rgba[i + 3] / 255, mix = (at) => Math.round(rgba[i + at] * a + paper[at] * (1 - a))
    return (255 << 24) | (mix(2) << 16) | (mix(1) << 8) | mix(0)
  }
  const blend = (under, over, share) => {
    let made = 255 << 24
    for (const shift of [0, 8, 16]) {
      const [a, b] = [(under >> shift) & 255, (over >> shift) & 255]
      made |= Math.round(a + (b - a) * share) << shift
    }
    return made
  }
  return {
    kind: "canvas",
    busy: false,
    lost: () => false,
    forget() {},
    coordinates(d) { xy = d.xy },
    codes(d) { codes = d.codes },
    marks(...given) { [marks, order, thinned] = given },
    look(given) { table = given },
    draw({ view, width, size, d, thin, theme }, done) {
      const started = performance.now(), { width: w, height: h } = canvas, ratio = w / width
      const image = pen.createImageData(w, h), pixels = new Uint32Array(image.data.buffer)
      const paper = opaque([...theme.paper, 255], 0, theme.paper)
      const colors = Int32Array.from({ length: table.length / 4 }, (_, i) => opaque(table, 4 * i, theme.paper))
      const dots = [1, 1, 0.8, 1.25].map((factor) => stamp(size * ratio * factor))
      const k = view.k * ratio, step = k / 65535, left = w / 2 - view.x * k, low = h / 2 + view.y * k
      for (const i of thin ? thinned : order) {
        const x = Math.round(left + xy[2 * i] * step), y = Math.round(low - xy[2 * i + 1] * step)
        if (x < -20 || y < -20 || x > w + 20 || y > h + 20) continue
        const entry = d.names || !codes[i] ? codes[i] : 1 + Math.floor(((codes[i] - 1) / d.last) * 255)
        const state = marks[i] & AWAY ? 2 : marks[i] & CHOSEN ? 3 : d.picked ? 1 : 0
        for (const [dx, dy, rim, cover] of dots[state]) {
          const px = x + dx, py = y + dy, at = py * w + px, color = colors[8 * entry + state + (rim ? 4 : 0)]
          if (px < 0 || py < 0 || px >= w || py >= h) continue
          pixels[at] = cover === 1 ? color : blend(pixels[at] || paper, color, cover)
        }
      }
      pen.putImageData(image, 0, 0)
      done(performance.now() - started)
    },
  }
}
