// A part of a cell map that is sent apart, because it changes seldom or several maps share it:
// coordinates, color codes, the selection. Streamlit sends an unchanged element only once, so a
// new color leaves the coordinates alone, and a new selection both. Data: a name of 24 characters,
// "z" when what follows is deflated, else a blank, then the bytes. Draws nothing.
export default function ({ data }) {
  keep(data)
}

async function keep(data) {
  const store = (globalThis.scanviCellMap ??= { parts: new Map(), waiting: new Set() })
  const name = new TextDecoder().decode(data.subarray(0, 24)), packed = data[24] === 122
  let bytes = data.slice(25) // a copy: aligned, and the message can go
  if (packed) {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"))
    bytes = new Uint8Array(await new Response(stream).arrayBuffer())
  }
  store.parts.delete(name)
  store.parts.set(name, bytes)
  while (store.parts.size > 24) store.parts.delete(store.parts.keys().next().value)
  for (const tryAgain of [...store.waiting]) tryAgain()
}
