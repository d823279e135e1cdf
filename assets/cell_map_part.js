// A part of a cell map that is sent apart, because it changes seldom: coordinates, colour codes.
// Streamlit sends an unchanged element only once, so a new colour leaves the coordinates alone,
// and a new selection both. Data: a name of 24 characters, then the bytes. Draws nothing.
export default function ({ data }) {
  const store = (globalThis.scanviCellMap ??= { parts: new Map(), waiting: new Set() })
  const name = new TextDecoder().decode(data.subarray(0, 24))
  store.parts.delete(name)
  store.parts.set(name, data.slice(24)) // a copy: aligned, and the message can go
  while (store.parts.size > 16) store.parts.delete(store.parts.keys().next().value)
  for (const tryAgain of [...store.waiting]) tryAgain()
}
