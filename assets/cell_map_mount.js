// One cell map on the page. Sent again with every change of the map, hence as small as this; the
// rest, cell_map.js, comes apart and may come later.
const MAPS = new WeakMap()
const WAIT = (globalThis.scanviCellMap ??= { parts: new Map(), waiting: new Set() })

export default function ({ data, parentElement, setTriggerValue }) {
  let map = MAPS.get(parentElement)
  const show = () => {
    if (!WAIT.createMap) return WAIT.waiting.add(show)
    WAIT.waiting.delete(show)
    if (!map) MAPS.set(parentElement, (map = WAIT.createMap(parentElement)))
    map.render(data, setTriggerValue)
  }
  show()
  return () => {
    WAIT.waiting.delete(show)
    map?.destroy()
    MAPS.delete(parentElement)
  }
}
