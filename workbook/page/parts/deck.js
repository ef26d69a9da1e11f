"use strict"
// Slides: arrow keys, Page Up and Down, space, Home and End; arrows stay with a slider that has the focus.

{
  const deck = document.querySelector(".deck"), all = [...deck.querySelectorAll(".slide")]
  const shown = document.querySelector("[data-page]")
  let current = 0

  function go(to, how = "auto") {
    current = Math.max(0, Math.min(all.length - 1, to))
    all[current].scrollIntoView({behavior: how, inline: "start", block: "nearest"})
    all[current].focus({preventScroll: true})
    tell()
  }
  function tell() {
    shown.textContent = `${current + 1} / ${all.length}`
    history.replaceState(null, "", `#${current + 1}`)
  }
  const turns = {
    ArrowRight: () => current + 1, PageDown: () => current + 1, " ": () => current + 1,
    ArrowLeft: () => current - 1, PageUp: () => current - 1,
    Home: () => 0, End: () => all.length - 1,
  }
  addEventListener("keydown", (event) => {
    const taken = event.target.closest?.("input, button, summary, select, textarea, a[href], [tabindex='0']")
    if (taken || event.ctrlKey || event.altKey || event.metaKey || !(event.key in turns)) return
    event.preventDefault()
    go(turns[event.key]() + (event.key === " " && event.shiftKey ? -2 : 0))
  })
  for (const button of document.querySelectorAll("[data-turn]")) {
    button.addEventListener("click", () => go(current + Number(button.dataset.turn)))
  }
  const watcher = new IntersectionObserver(
    (entries) => {
      const seen = entries.find((one) => one.isIntersecting)
      if (seen) {
        current = all.indexOf(seen.target)
        tell()
      }
    },
    {root: deck, threshold: 0.6},
  )
  for (const one of all) watcher.observe(one)
  addEventListener("resize", () => all[current].scrollIntoView({inline: "start", block: "nearest"}))
  go(Number(location.hash.slice(1)) - 1 || 0)
}
