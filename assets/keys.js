// Keys of buttons work on the page only: not while something is written or chosen, and not behind
// a dialog, whose first box has the focus as soon as it opens. Streamlit hears keys on the document;
// what is written in boxes still reaches them, as they are below.
const BUSY = "[role=dialog], [role=listbox], [role=menu], [data-testid=stPopoverBody]"
const WRITING = "input, textarea, select, [contenteditable=true], [data-testid=stDataFrame], #portal"
const NO_TEXT = /^(checkbox|radio|range|button|submit|reset|color|file)$/
const BOX = "input:not([type=hidden]):not([disabled]), textarea:not([disabled])"

const isWriting = (event) => {
  const at = event.target.closest?.(WRITING)
  return at && !(at.tagName === "INPUT" && NO_TEXT.test(at.type))
}
const isShown = (element) => element.getClientRects().length > 0
const isBusy = () => [...document.querySelectorAll(BUSY)].some(isShown)

function keepFromButtons(event) {
  if (event.key.length === 1 && (isWriting(event) || isBusy())) event.stopPropagation()
}

function focusIn(dialog) {
  const box = dialog.querySelector(BOX)
  if (box && !dialog.contains(document.activeElement?.closest?.(BOX))) box.focus()
}

// Nothing to see, and no gap. By a rule for its class: Streamlit gives an element of the page to
// another part of another page, where a style of its own would stay.
function hideGuard() {
  const rule = document.createElement("style")
  rule.textContent = ".st-key-keys-guard { display: none; }"
  document.head.append(rule)
}

function watchDialogs() {
  let seen = null
  new MutationObserver(() => {
    const dialog = document.querySelector("[role=dialog]"), box = dialog?.querySelector(BOX)
    if (dialog && !box) return // its content comes a moment later
    if (box && box !== seen) setTimeout(focusIn, 50, dialog) // also one that took its place
    seen = box
  }).observe(document.body, { childList: true, subtree: true })
}

export default function () {
  if (globalThis.scanviKeys) return
  globalThis.scanviKeys = true
  document.documentElement.addEventListener("keydown", keepFromButtons)
  hideGuard()
  watchDialogs()
}
