// The legend: one row per type with its count, which isolates or hides it; or a scale with numbers.
const EYE = "M1 9s3-5 8-5 8 5 8 5-3 5-8 5-8-5-8-5zM9 7a2 2 0 1 0 0 4 2 2 0 0 0 0-4z"

function drawLegend(m) {
  const { d, legend } = m
  const is = JSON.stringify([d.names, d.name, d.range, d.title, d.tools]) + d.shades + (d.counts ?? d.blank)
  if (is === m.legendIs) return
  m.legendIs = is
  const title = d.title ? [make("strong", { textContent: d.title })] : []
  if (!d.names) return legend.replaceChildren(...title, scale(d))
  const order = [...d.names.keys()].map((i) => i + 1).concat(d.counts[0] ? 0 : [])
  const all = make("button", { type: "button", className: "pick", textContent: "Select these cells", hidden: true })
  all.onclick = () => m.emit("replace", null)
  legend.replaceChildren(...title, ...order.map((code) => row(m, code)), all)
}
function row(m, code) {
  const { d } = m, name = called(d, code)
  const show = make("button", { type: "button", className: "name", code, title: `${name}: click to show only these, Shift for several` })
  show.append(swatch(d, code), make("span", { textContent: name }), make("em", { textContent: count(d.counts[code]) }))
  show.onclick = (event) => isolate(m, code, event.shiftKey || event.ctrlKey || event.metaKey)
  const hide = make("button", { type: "button", className: "eye", code, title: `Hide ${name}`, ariaLabel: `Hide ${name}` }, icon(EYE))
  hide.onclick = () => change(m, ({ only, hidden }) => { hidden.delete(code) || hidden.add(code); only.delete(code) })
  return make("div", { className: "row" }, show, hide)
}
function change(m, act) {
  const { view, d } = m, old = view.filter?.panel === d.panel ? view.filter : null
  const filter = { panel: d.panel, names: d.names, only: new Set(old?.only), hidden: new Set(old?.hidden) }
  act(filter)
  setFilter(view, filter)
}
function isolate(m, code, more) {
  change(m, ({ only, hidden }) => {
    const alone = only.has(code) && (more || only.size === 1)
    if (!more) only.clear()
    alone ? only.delete(code) : only.add(code)
    hidden.delete(code)
  })
}
// Show which rows are isolated or hidden.
function markLegend({ d, view, legend }) {
  const filter = view.filter?.panel === d.panel ? view.filter : null
  const fate = d.names ? fates(filter, d.names.length + 1) : []
  for (const button of legend.querySelectorAll(".row button")) {
    const on = button.className === "eye" ? filter?.hidden.has(button.code) : filter?.only.has(button.code)
    button.setAttribute("aria-pressed", !!on)
    button.parentNode.classList.toggle("off", fate[button.code] > 0)
  }
  const pick = legend.querySelector(".pick")
  if (pick) pick.hidden = !filter || !d.tools
}

// Round numbers between two ends, about `most` of them.
function ticks(low, high, most) {
  const rough = (high - low) / most || 1, power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].find((s) => s * power >= rough) * power, found = []
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) found.push(i * step || 0) // not -0
  return found
}
function scale(d) {
  const [low, high] = d.range, strip = make("div", { className: "bar" }), marks = make("div", { className: "ticks" }), stops = []
  for (let i = 1; i < d.shades.length / 3; i += 15) stops.push(`rgb(${d.shades.subarray(3 * i, 3 * i + 3).join(",")})`)
  strip.style.background = `linear-gradient(to right, ${stops.join(",")})`
  for (const value of high > low ? ticks(low, high, 4) : [low]) {
    const tick = make("span", { textContent: number(value) })
    tick.style.left = `${high > low ? (100 * (value - low)) / (high - low) : 0}%`
    marks.append(tick)
  }
  const box = make("div", { className: "scale" }, ...(d.title ? [] : [make("strong", { textContent: d.name })]), strip, marks)
  const cut = [[d.cut[0], `below ${number(low)}`, "lowest"], [d.cut[1], `above ${number(high)}`, "highest"]].filter(([yes]) => yes)
  for (const [, where, end] of cut) box.append(make("div", { textContent: `Cells ${where} have the ${end} color.` }))
  if (d.blank) box.append(make("div", {}, swatch(d, 0), "no value"))
  return box
}
